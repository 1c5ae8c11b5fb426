//! Every file of the large collection is accepted or refused with one message.

use super::*;

/// Maps a file by its looks. What became of it, in one word.
fn judge(path: &Path) -> &'static str {
    let bytes = std::fs::read(path).unwrap();
    let context = MappingContext {
        entity: &ville(),
        now: now(),
    };
    match map_named("auto", &bytes, &context) {
        Ok(found) => {
            assert!(!found.is_empty());
            for mapped in &found {
                if let Mapped::Incident(mapped) = mapped {
                    assert_sound(path, mapped);
                }
            }
            if found.iter().any(|mapped| matches!(mapped, Mapped::Incident(_))) {
                "incident"
            } else {
                "ignored"
            }
        }
        Err(refusal) => {
            let text = refusal.to_string();
            assert!(
                !text.contains('\n') && text.len() < 2_000 && !refusal.remedy.is_empty(),
                "{}: {text}",
                path.display()
            );
            "refused"
        }
    }
}

#[test]
fn alerts_are_taken_or_refused_with_one_message() {
    let Some(folder) = crate::samples::all("alerts") else {
        return;
    };
    for path in crate::samples::files(&folder) {
        let product = path
            .parent()
            .unwrap()
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let expected = match product.as_str() {
            "suricata-eve" if name.contains("broken") => "refused",
            "suricata-eve" if name.starts_with("non-alert") => "ignored",
            "suricata-eve" | "aws-guardduty" => "incident",
            "crowdstrike" if name == "crowdstrike_detection_passthrough-1.json" => "incident",
            "crowdstrike" => "ignored",
            _ => "refused",
        };
        assert_eq!(judge(&path), expected, "{}", path.display());
    }
}

#[test]
fn xarf_reports_are_judged_as_their_collections_say() {
    let Some(folder) = crate::samples::all("x-arf") else {
        return;
    };
    let (mut good, mut bad) = (0, 0);
    for path in crate::samples::files(&folder) {
        let shown = path.display().to_string();
        if shown.contains("/schema/") {
            continue;
        }
        let verdict = mapped(Mapper::Xarf, &std::fs::read(&path).unwrap());
        if shown.contains("legacy-negative") {
            bad += 1;
            assert!(verdict.is_err(), "{shown} was accepted");
        } else {
            good += 1;
            assert!(verdict.is_ok(), "{shown}: {}", verdict.unwrap_err());
            assert_eq!(judge(&path), "incident", "{shown}");
        }
    }
    assert!(good >= 60 && bad >= 100, "{good} good, {bad} bad");
}

#[test]
fn mails_become_incidents() {
    let Some(folder) = crate::samples::all("eml") else {
        return;
    };
    for path in crate::samples::files(&folder) {
        let expected = if path.ends_with("no_content.eml") {
            "refused"
        } else {
            "incident"
        };
        assert_eq!(judge(&path), expected, "{}", path.display());
    }
}

#[test]
fn nothing_hostile_gets_past_or_stops_the_mappers() {
    let context = MappingContext {
        entity: &ville(),
        now: now(),
    };
    for folder in ["bad-input", "misp-event", "stix", "cacao", "api"] {
        let Some(folder) = crate::samples::all(folder) else {
            return;
        };
        for path in crate::samples::files(&folder) {
            let bytes = std::fs::read(&path).unwrap();
            for mapper in Mapper::ALL {
                if let Ok(found) = map(*mapper, &bytes, &context) {
                    for mapped in found {
                        if let Mapped::Incident(mapped) = mapped {
                            assert_sound(&path, &mapped);
                        }
                    }
                }
            }
        }
    }
}
