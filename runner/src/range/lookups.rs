//! `VirusTotal`, `AbuseIPDB`, `URLhaus` and RDAP: what is known about an observable, and nothing kept.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use serde_json::{Value, json};

use super::exchange::{Asked, Reply};
use super::knowledge::{Knowledge, Known};

/// When every scan of the fakes was, seconds since 1970.
const SCANNED_AT: i64 = 1_772_400_000;

pub(super) fn virustotal(knowledge: &Knowledge, asked: &Asked) -> Reply {
    let error = |status, code: &str, message: &str| {
        Reply::json(status, &json!({"error": {"code": code, "message": message}}))
    };
    if !asked.has("x-apikey") {
        return error(401, "AuthenticationRequiredError", "X-Apikey header is missing");
    }
    let (kind, observable) = match asked.parts().as_slice() {
        ["urls", id] => match URL_SAFE_NO_PAD
            .decode(id)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
        {
            Some(url) => ("url", url),
            None => return error(400, "InvalidArgumentError", "the URL identifier is not valid"),
        },
        ["domains", domain] => ("domain", (*domain).to_owned()),
        ["ip_addresses", address] => ("ip_address", (*address).to_owned()),
        ["files", hash] => ("file", (*hash).to_owned()),
        _ => return error(404, "NotFoundError", "Resource not found."),
    };
    if asked.method != Method::GET {
        return error(405, "MethodNotAllowedError", "only GET is faked");
    }
    let Some((known, engines)) = knowledge
        .of(&observable)
        .and_then(|known| Some((known, known.engines?)))
    else {
        return error(
            404,
            "NotFoundError",
            &format!("{kind} \"{observable}\" not found"),
        );
    };
    let [malicious, suspicious, harmless, undetected] = engines;
    let mut attributes = json!({
        "last_analysis_stats": {
            "malicious": malicious, "suspicious": suspicious, "harmless": harmless,
            "undetected": undetected, "timeout": 0,
        },
        "last_analysis_results": {
            "Range One": {
                "method": "blacklist", "engine_name": "Range One",
                "category": if malicious > 0 { "malicious" } else { "harmless" },
                "result": if malicious > 0 { "phishing" } else { "clean" },
            },
        },
        "last_analysis_date": SCANNED_AT,
        "reputation": if malicious > 0 { -15 } else { 0 },
        "tags": known.tags,
        "total_votes": {"harmless": 0, "malicious": malicious / 4},
    });
    let own = match kind {
        "url" => json!({"url": observable, "last_final_url": observable, "title": "", "times_submitted": 3}),
        "domain" => json!({"registrar": known.holder, "categories": {}, "creation_date": 1_772_183_520}),
        "file" => json!({"meaningful_name": "document.pdf", "type_description": "PDF", "size": 48_213}),
        _ => json!({"country": known.country, "as_owner": known.holder, "network": "203.0.113.0/24"}),
    };
    if let (Value::Object(attributes), Value::Object(own)) = (&mut attributes, own) {
        attributes.extend(own);
    }
    Reply::json(
        200,
        &json!({"data": {"id": observable, "type": kind, "attributes": attributes}}),
    )
}

pub(super) fn abuseipdb(knowledge: &Knowledge, asked: &Asked) -> Reply {
    let error = |status: u16, detail: &str| {
        Reply::json(status, &json!({"errors": [{"detail": detail, "status": status}]}))
    };
    if !asked.has("key") {
        return error(
            401,
            "Authentication failed. Your API key is either missing, incorrect, or revoked.",
        );
    }
    if asked.method != Method::GET || asked.parts() != ["check"] {
        return error(404, "The requested resource is not faked.");
    }
    let Some(address) = asked
        .query("ipAddress")
        .and_then(|text| text.parse::<IpAddr>().ok())
    else {
        return error(
            422,
            "The ip address must be a valid IPv4 or IPv6 address (e.g. 8.8.8.8 or 2001:4860:4860::8888).",
        );
    };
    let unknown = Known::default();
    let text = address.to_string();
    let known = knowledge.of(&text).unwrap_or(&unknown);
    let data = json!({
        "ipAddress": text,
        "isPublic": true,
        "ipVersion": if address.is_ipv4() { 4 } else { 6 },
        "isWhitelisted": false,
        "abuseConfidenceScore": known.abuse_score.unwrap_or(0),
        "countryCode": known.country,
        "usageType": "Data Center/Web Hosting/Transit",
        "isp": known.holder,
        "domain": "hosting.example",
        "hostnames": [],
        "isTor": false,
        "totalReports": known.reports,
        "numDistinctUsers": known.reports / 3,
        "lastReportedAt": (known.reports > 0).then_some("2026-03-01T22:10:04+00:00"),
    });
    Reply::json(200, &json!({"data": data}))
}

pub(super) fn urlhaus(knowledge: &Knowledge, asked: &Asked) -> Reply {
    let status = |word: &str| Reply::json(200, &json!({"query_status": word}));
    if !asked.has("auth-key") {
        return Reply::json(401, &json!({"error": "Unauthorized"}));
    }
    if asked.method != Method::POST {
        return status("http_post_expected");
    }
    let (kind, observable) = match asked.parts().as_slice() {
        ["url"] => ("url", asked.form("url")),
        ["host"] => ("host", asked.form("host")),
        ["payload"] => (
            "payload",
            asked.form("sha256_hash").or_else(|| asked.form("md5_hash")),
        ),
        _ => return Reply::not_found(),
    };
    let Some(observable) = observable.filter(|text| !text.is_empty()) else {
        return status(if kind == "url" {
            "invalid_url"
        } else {
            "invalid_host"
        });
    };
    let Some((known, threat)) = knowledge
        .of(&observable)
        .and_then(|known| Some((known, known.threat.as_ref()?)))
    else {
        return status("no_results");
    };
    let reference = format!("https://urlhaus.example/{kind}/1");
    Reply::json(
        200,
        &match kind {
            "url" => json!({
                "query_status": "ok", "id": "1", "urlhaus_reference": reference, "url": observable,
                "url_status": "online", "date_added": "2026-03-01 20:11:04 UTC", "threat": threat,
                "blacklists": {"spamhaus_dbl": "not listed", "surbl": "listed"}, "tags": known.tags, "payloads": [],
            }),
            "host" => json!({
                "query_status": "ok", "urlhaus_reference": reference, "host": observable,
                "firstseen": "2026-03-01 20:11:04 UTC", "url_count": "1",
                "blacklists": {"spamhaus_dbl": "not listed", "surbl": "listed"},
                "urls": [{"id": "1", "url_status": "online", "threat": threat, "tags": known.tags}],
            }),
            _ => json!({
                "query_status": "ok", "sha256_hash": observable, "file_type": "exe", "signature": threat,
                "firstseen": "2026-03-01 20:11:04", "url_count": "1", "urlhaus_reference": reference,
            }),
        },
    )
}

pub(super) fn rdap(knowledge: &Knowledge, asked: &Asked) -> Reply {
    const MEDIA: &str = "application/rdap+json";
    let missing = || {
        let body = json!({
            "rdapConformance": ["rdap_level_0"], "errorCode": 404, "title": "Not Found",
            "description": ["The object does not exist."],
        });
        Reply::json(404, &body).media(MEDIA)
    };
    let (class, observable) = match asked.parts().as_slice() {
        ["domain", name] => ("domain", (*name).to_owned()),
        ["ip", address] | ["ip", address, _] => ("ip network", (*address).to_owned()),
        _ => return missing(),
    };
    let Some(known) = knowledge
        .of(&observable)
        .filter(|known| known.registered.is_some())
    else {
        return missing();
    };
    let mut body = json!({
        "rdapConformance": ["rdap_level_0"],
        "objectClassName": class,
        "handle": "RANGE-1",
        "status": ["active"],
        "events": [
            {"eventAction": "registration", "eventDate": known.registered},
            {"eventAction": "expiration", "eventDate": "2027-02-27T09:12:00Z"},
            {"eventAction": "last changed", "eventDate": "2026-02-28T10:00:00Z"},
        ],
        "entities": [registrar(known)],
    });
    let own = if class == "domain" {
        json!({
            "ldhName": observable,
            "nameservers": [{"objectClassName": "nameserver", "ldhName": "ns1.hosting.example"}],
            "secureDNS": {"delegationSigned": false},
        })
    } else {
        json!({"startAddress": observable, "endAddress": observable, "country": known.country, "name": known.holder})
    };
    if let (Value::Object(body), Value::Object(own)) = (&mut body, own) {
        body.extend(own);
    }
    Reply::json(200, &body).media(MEDIA)
}

/// The registrar with the abuse contact inside it, where registries put it.
fn registrar(known: &Known) -> Value {
    let card = |name: &Option<String>, mail: Option<&String>| {
        let mut rows = vec![
            json!(["version", {}, "text", "4.0"]),
            json!(["fn", {}, "text", name]),
        ];
        rows.extend(mail.map(|mail| json!(["email", {}, "text", mail])));
        json!(["vcard", rows])
    };
    let abuse = known.abuse_contact.as_ref().map(|contact| {
        json!({
            "objectClassName": "entity", "roles": ["abuse"],
            "vcardArray": card(&Some("Abuse desk".to_owned()), Some(contact)),
        })
    });
    json!({
        "objectClassName": "entity",
        "handle": "9999",
        "roles": ["registrar"],
        "publicIds": [{"type": "IANA Registrar ID", "identifier": "9999"}],
        "vcardArray": card(&known.holder, None),
        "entities": abuse.into_iter().collect::<Vec<_>>(),
    })
}
