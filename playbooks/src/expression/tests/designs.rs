//! The expressions of the five design playbooks compile with the types of their surroundings.

use super::*;

const ENRICH: &str = "{url: url, domain: domain, verdict: verdict, score: int, final_url?: url}";
const HASH: &str = "{hash: hash, verdict: verdict, score: int, family?: string}";
const RDAP: &str =
    "{registrar?: string, abuse_email?: email, created?: time, age?: duration, country?: string}";
const IP: &str = "{ip: ip, asn?: int, as_name?: string, country?: string, abuse_email?: email, score?: int, vpn: bool, tor: bool}";
const ASSET: &str = "{found: bool, hostname?: string, criticality?: string, edr_id?: string}";

/// Compiles lets in order, adding each to the surroundings, and gives back their types.
fn lets(env: &mut TypeEnv, lets: &[(&str, &str)]) -> IndexMap<String, String> {
    lets.iter()
        .map(|(name, text)| {
            let expression = compiled(text, env, &Expected::Any);
            env.add_name(*name, expression.ty().clone(), None);
            ((*name).to_owned(), expression.ty().to_string())
        })
        .collect()
}

fn conditions(env: &TypeEnv, conditions: &[&str]) {
    for text in conditions {
        compiled(text, env, &Expected::Condition("if".to_owned()));
    }
}

fn arguments(env: &TypeEnv, arguments: &[(&str, &str)]) {
    for (wanted, text) in arguments {
        compiled(text, env, &Expected::Parameter("p".to_owned(), ty(wanted)));
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn phishing_report() {
    let mut env = env_of(&[IncidentType::Phishing]);
    let when = compiled(
        "has(incident.mail)",
        &env,
        &Expected::Condition("when".to_owned()),
    );
    env.add_proven(when.proves().iter().cloned());
    env.add_name("inputs", ty("{block_for: duration}"), None);
    add_step(
        &mut env,
        "parts",
        "extract.mail",
        "{urls: list<url>, attachments: list<{name: string, sha256: hash, file: file}>, sender_domain: domain, \
          auth: {spf: string, dkim: string, dmarc: string}}",
    );
    add_loop(&mut env, "links", "enrich.url", ENRICH, &ty("url"));
    add_loop(
        &mut env,
        "files",
        "enrich.hash",
        HASH,
        &ty("{name: string, sha256: hash}"),
    );
    add_step(&mut env, "sender", "enrich.rdap", RDAP);
    add_step(
        &mut env,
        "copies",
        "mail.search",
        "{count: int, messages: list<{mailbox: email, message_id: string, opened: bool}>}",
    );
    add_loop(
        &mut env,
        "purge",
        "mail.quarantine",
        "{mailbox: email}",
        &ty("{mailbox: email}"),
    );
    add_loop(
        &mut env,
        "block",
        "block.domain",
        "{domain: domain, list: string}",
        &ty("domain"),
    );
    let types = lets(
        &mut env,
        &[
            (
                "bad_links",
                "steps.links.items.filter(l, l.verdict == 'malicious')",
            ),
            (
                "bad_files",
                "steps.files.items.filter(f, f.verdict == 'malicious')",
            ),
            ("bad_domains", "bad_links.map(l, l.domain).distinct()"),
            (
                "young_sender",
                "has(steps.sender.age) && steps.sender.age < days(30)",
            ),
            (
                "lookups_failed",
                "steps.links.failed + steps.files.failed + (steps.sender.status == 'failed' ? 1 : 0)",
            ),
            (
                "unsure",
                "lookups_failed > 0 || steps.links.items.exists(l, l.verdict == 'unknown')",
            ),
            (
                "verdict",
                "size(bad_links) + size(bad_files) > 0 ? 'malicious'\n\
                 : steps.links.items.exists(l, l.verdict == 'suspicious') || young_sender ? 'suspicious'\n\
                 : unsure ? 'unknown'\n\
                 : 'clean'",
            ),
            ("blocked", "default(steps.block.items, []).map(b, b.domain)"),
            ("removed", "size(default(steps.purge.items, []))"),
        ],
    );
    assert_eq!(types["bad_domains"], "list<domain>");
    assert_eq!(
        types["verdict"],
        "one of 'malicious', 'suspicious', 'unknown', 'clean'"
    );
    assert_eq!(types["blocked"], "list<domain>");
    conditions(
        &env,
        &[
            "verdict in ['malicious', 'suspicious']",
            "verdict != 'clean'",
            "has(incident.reporter)",
        ],
    );
    env.add_name("attachment", ty("{name: string, sha256: hash}"), None);
    arguments(
        &env,
        &[
            ("mail", "incident.mail"),
            ("hash", "attachment.sha256"),
            ("domain", "steps.parts.sender_domain"),
            ("string", "incident.mail.message_id"),
            ("severity", "incident.severity"),
            ("duration", "inputs.block_for"),
            ("verdict", "default(verdict, 'unknown')"),
        ],
    );
    compiled("steps.parts.attachments", &env, &Expected::List);
}

#[test]
fn ids_triage() {
    let mut env = env_of(&[IncidentType::IdsAlert]);
    add_step(&mut env, "outside", "enrich.ip", IP);
    add_step(&mut env, "inside", "enrich.asset", ASSET);
    add_step(
        &mut env,
        "history",
        "siem.search",
        "{count: int, rows: list<record>}",
    );
    add_step(
        &mut env,
        "vulnerable",
        "enrich.vulnerability",
        "{open: bool, fixed_in?: string}",
    );
    add_step(
        &mut env,
        "block",
        "block.ip",
        "{ip?: ip, cidr?: cidr, list: string}",
    );
    let types = lets(
        &mut env,
        &[
            (
                "attacker",
                "incident.network.direction == 'inbound' ? incident.network.source_ip : incident.network.destination_ip",
            ),
            (
                "target",
                "incident.network.direction == 'inbound' ? incident.network.destination_ip : incident.network.source_ip",
            ),
            ("chatty", "default(steps.history.count, 0) > 1000"),
            (
                "score",
                "default(steps.outside.score, 50)\n\
                 + (default(steps.vulnerable.open, false) ? 40 : 0)\n\
                 + (default(steps.inside.criticality, 'normal') in ['high', 'crown'] ? 20 : 0)\n\
                 - (chatty ? 40 : 0)\n\
                 - (incident.signature.blocked ? 30 : 0)",
            ),
            (
                "priority",
                "score < 30 ? rank.noise\n: score < 60 ? rank.look\n: score < 100 ? rank.act\n: rank.wake",
            ),
            ("machine", "default(steps.inside.hostname, target)"),
            (
                "done",
                "has(steps.block.ip) ? 'source blocked' : 'nothing blocked'",
            ),
            (
                "because",
                "chatty ? 'this pair talks all day' : 'low reputation risk'",
            ),
        ],
    );
    assert_eq!(types["attacker"], "ip");
    assert_eq!(types["priority"], "rank");
    conditions(
        &env,
        &[
            "has(incident.signature.cve)",
            "priority == rank.noise",
            "priority >= rank.act && incident.network.direction == 'outbound' && has(steps.inside.edr_id)",
        ],
    );
    compiled("steps.block.ip", &env, &Expected::Output);
    compiled(
        "[incident.signature.id, incident.network.source_ip, entity.id]",
        &env,
        &Expected::Any,
    );
}

#[test]
fn impossible_travel() {
    let mut env = env_of(&[IncidentType::SuspiciousLogin]);
    conditions(&env, &["'impossible-travel' in incident.tags"]);
    compiled("incident.logins.map(l, l.ip).distinct()", &env, &Expected::List);
    add_step(
        &mut env,
        "user",
        "identity.user",
        "{id: string, name: string, email: email, phone?: phone, privileged: bool}",
    );
    add_step(
        &mut env,
        "signins",
        "identity.signins",
        "{events: list<record>, countries: list<string>}",
    );
    add_loop(&mut env, "places", "enrich.ip", IP, &ty("ip"));
    add_step(&mut env, "ask", "ask.user", "{answer: string, at?: time}");
    add_step(
        &mut env,
        "inbox_rules",
        "mail.rules",
        "{rules: list<record>, forwarding: bool}",
    );
    add_step(&mut env, "disable", "identity.disable_user", "{disabled: bool}");
    let types = lets(
        &mut env,
        &[
            (
                "countries",
                "steps.places.items.map(p, has(p.country), p.country).distinct()",
            ),
            ("vpn", "steps.places.items.exists(p, p.vpn || p.tor)"),
            (
                "strangers",
                "steps.places.items.filter(p, !has(p.country) || !(p.country in steps.signins.countries))",
            ),
            ("mfa_passed", "incident.logins.all(l, l.mfa)"),
            (
                "risk",
                "steps.user.privileged && size(strangers) > 0 ? severity.critical\n\
                 : size(strangers) > 0 && !mfa_passed ? severity.high\n\
                 : size(strangers) > 0 && !vpn ? severity.medium\n\
                 : steps.places.failed > 0 ? severity.medium\n\
                 : severity.low",
            ),
            ("answer", "default(steps.ask.answer, 'none')"),
            ("compromised", "risk >= severity.high || answer == 'not_me'"),
            (
                "account_kind",
                "steps.user.privileged ? 'ADMINISTRATOR' : 'ordinary account'",
            ),
            (
                "why",
                "answer == 'was_me' ? 'the person confirmed it' : vpn ? 'VPN exit' : 'countries seen before'",
            ),
        ],
    );
    assert_eq!(types["countries"], "list<string>");
    assert_eq!(types["risk"], "severity");
    let asked = compiled(
        "risk == severity.medium && has(steps.user.phone)",
        &env,
        &Expected::Condition("if".to_owned()),
    );
    let phone = Expected::Parameter("person".to_owned(), ty("phone"));
    assert!(compile("steps.user.phone", &env, &phone).is_err());
    env.add_proven(asked.proves().iter().cloned());
    compiled("steps.user.phone", &env, &phone);
    arguments(
        &env,
        &[
            ("bool", "default(steps.inbox_rules.forwarding, false)"),
            ("severity", "risk"),
            ("string", "entity.settings.lock"),
        ],
    );
}

#[test]
fn lookalike_takedown() {
    let mut env = env_of(&[IncidentType::Typosquatting, IncidentType::Impersonation]);
    let when = compiled(
        "has(incident.domain) && !(incident.domain in entity.domains)",
        &env,
        &Expected::Condition("when".to_owned()),
    );
    env.add_proven(when.proves().iter().cloned());
    add_step(
        &mut env,
        "dns",
        "enrich.dns",
        "{a: list<ip>, aaaa: list<ip>, mx: list<domain>, ns: list<domain>}",
    );
    add_step(&mut env, "rdap", "enrich.rdap", RDAP);
    add_step(&mut env, "host", "enrich.ip", IP);
    add_step(
        &mut env,
        "page",
        "enrich.screenshot",
        "{file: file, title?: string, login_form: bool, similarity?: double}",
    );
    add_step(&mut env, "decide", "ask.human", "{answer: string}");
    add_step(
        &mut env,
        "gone",
        "enrich.http_probe",
        "{reachable: bool, code?: int}",
    );
    let types = lets(
        &mut env,
        &[
            ("nearest", "mostSimilar(incident.domain, entity.domains)"),
            (
                "kind",
                "incident.type == 'typosquatting' ? 'trademark' : 'phishing'",
            ),
            (
                "evidence",
                "incident.files + (has(steps.page.file) ? [steps.page.file] : [])",
            ),
            (
                "threat",
                "size(steps.dns.a) == 0 && size(steps.dns.mx) == 0 ? 'parked'\n\
                 : default(steps.page.similarity, 0.0) > 0.85 || default(steps.page.login_form, false) ? 'confirmed'\n\
                 : 'possible'",
            ),
            ("decision", "default(steps.decide.answer, 'none')"),
            ("go", "threat == 'confirmed' || decision == 'takedown'"),
            ("keep_watching", "threat == 'parked' || decision == 'watch'"),
        ],
    );
    assert_eq!(types["evidence"], "list<file>");
    assert_eq!(types["nearest"], "{value: domain, score: double}");
    conditions(
        &env,
        &[
            "size(steps.dns.a) > 0",
            "threat == 'possible'",
            "go && has(steps.rdap.abuse_email)",
        ],
    );
    arguments(
        &env,
        &[
            ("ip", "steps.dns.a[0]"),
            ("url?", "default(entity.website, omit)"),
            ("file?", "default(steps.page.file, omit)"),
            ("record", "steps.rdap"),
            ("bool", "!steps.gone.reachable"),
            ("list<file>?", "evidence"),
        ],
    );
    let took = compiled(
        "default(steps.gone.finished_at, now) - run.started_at",
        &env,
        &Expected::Output,
    );
    assert_eq!(took.ty(), &Type::Duration);
    compiled("default(!steps.gone.reachable, false)", &env, &Expected::Output);
}

#[test]
fn malware_host() {
    let mut env = env_of(&[IncidentType::Malware]);
    let when = compiled(
        "incident.severity >= severity.medium && has(incident.host)",
        &env,
        &Expected::Condition("when".to_owned()),
    );
    env.add_proven(when.proves().iter().cloned());
    env.add_name("inputs", ty("{force: bool}"), None);
    add_step(
        &mut env,
        "host",
        "edr.host",
        "{id: string, hostname: string, user?: string, isolated: bool}",
    );
    add_step(&mut env, "asset", "enrich.asset", ASSET);
    add_step(
        &mut env,
        "seen",
        "edr.detections",
        "{detections: list<{at: time, name: string, path?: string, sha256?: hash}>}",
    );
    add_loop(&mut env, "sample", "enrich.hash", HASH, &ty("hash"));
    add_step(&mut env, "isolate", "edr.isolate_host", "{state: string}");
    let types = lets(
        &mut env,
        &[
            (
                "own_hash",
                "has(incident.host.sha256) ? [incident.host.sha256] : []",
            ),
            (
                "hashes",
                "(steps.seen.detections.map(d, has(d.sha256), d.sha256) + own_hash).distinct()",
            ),
            ("bad", "steps.sample.items.filter(s, s.verdict == 'malicious')"),
            ("confirmed", "size(bad) > 0 || inputs.force"),
            ("worth", "default(steps.asset.criticality, 'unknown')"),
            (
                "isolation",
                "default(steps.isolate.state, steps.host.isolated ? 'isolated' : 'online')",
            ),
            ("approvers_needed", "worth in ['high', 'crown'] ? 2 : 1"),
            (
                "ticket_severity",
                "worth == 'crown' ? severity.critical : incident.severity",
            ),
            (
                "state",
                "confirmed ? 'Malware' : steps.sample.failed > 0 ? 'Malware not ruled out' : 'Suspected malware'",
            ),
        ],
    );
    assert_eq!(types["hashes"], "list<hash>");
    conditions(&env, &["confirmed && !steps.host.isolated"]);
    env.add_name("file", ty("{item: hash}"), None);
    arguments(
        &env,
        &[
            ("hash", "file.item"),
            ("list<hash>", "hashes"),
            ("int", "approvers_needed"),
        ],
    );
    let isolated = compiled(
        "steps.isolate.finished_at - incident.detected_at",
        &env,
        &Expected::Output,
    );
    assert_eq!(isolated.ty(), &Type::Duration.optional());
}
