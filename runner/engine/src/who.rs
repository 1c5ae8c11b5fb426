//! Who may reply to what people are asked.
//!
//! Owns the one function that says it. Command line, API and page all end here, and so does every
//! channel that comes later: four eyes is a property of the decision, not of a door.

use std::collections::BTreeSet;

use state::access::Person;
use state::event::{Started, Subject};

use crate::run::Asked;

/// What separates the people of one run.
#[derive(Debug, Clone, Copy)]
pub struct Separation<'a> {
    /// Event 0 of the run: whoever started it may not approve its effects.
    pub started: &'a Started,
    /// The names of the actors who had the run try again what had failed: they asked for its
    /// effects as much as whoever started it.
    pub retried: &'a BTreeSet<String>,
    /// The name of whoever wrote the playbook's revision, when it is known and nobody else has
    /// reviewed it.
    pub author: Option<&'a str>,
    /// Whether the operator asks for four eyes.
    pub four_eyes: bool,
}

/// Why a person may not reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MayNot {
    /// None of the roles that are asked is theirs.
    #[error("{person} has none of the roles that are asked: {}", who.join(", "))]
    Role {
        /// Who.
        person: String,
        /// The roles.
        who: Vec<String>,
    },
    /// They started the run.
    #[error("{person} started this run, so somebody else must decide (four eyes); asked: {}", who.join(", "))]
    StartedIt {
        /// Who.
        person: String,
        /// The roles that are asked.
        who: Vec<String>,
    },
    /// They had the run try again.
    #[error("{person} had this run try again, so somebody else must decide (four eyes); asked: {}", who.join(", "))]
    RetriedIt {
        /// Who.
        person: String,
        /// The roles that are asked.
        who: Vec<String>,
    },
    /// They wrote the playbook, and nobody has reviewed it.
    #[error(
        "{person} wrote this revision of the playbook and nobody has reviewed it, so somebody else must decide (four eyes)"
    )]
    WroteIt {
        /// Who.
        person: String,
    },
    /// They replied before; distinct persons are needed.
    #[error("{person} has decided already; {count} distinct persons are needed")]
    Twice {
        /// Who.
        person: String,
        /// How many are needed.
        count: u32,
    },
}

/// Whether a person may reply to an open inquiry, and in which role. Persons are compared by
/// name: two tokens of one person are one person.
///
/// # Errors
/// The first rule that says no: role, four eyes, distinct persons.
pub fn may_reply(asked: &Asked, person: &Person, separation: Separation<'_>) -> Result<String, MayNot> {
    let name = || person.name.clone();
    let Some(role) = asked.who.iter().find(|role| person.roles.contains(*role)) else {
        return Err(MayNot::Role {
            person: name(),
            who: asked.who.clone(),
        });
    };
    let approval = matches!(asked.inquiry.subject, Subject::Approval { .. });
    if approval && separation.four_eyes {
        if separation.started.actor.name == person.actor_name() {
            return Err(MayNot::StartedIt {
                person: name(),
                who: asked.who.clone(),
            });
        }
        if separation.retried.contains(&person.actor_name()) {
            return Err(MayNot::RetriedIt {
                person: name(),
                who: asked.who.clone(),
            });
        }
        if separation.author == Some(person.name.as_str()) {
            return Err(MayNot::WroteIt { person: name() });
        }
    }
    if asked.replies.iter().any(|(_, reply)| reply.person == person.name) {
        return Err(MayNot::Twice {
            person: name(),
            count: asked.inquiry.count,
        });
    }
    Ok(role.clone())
}
