//! API tokens: their text, what is kept of them, and how one becomes a [`Principal`].
//!
//! Owns the token format and the comparison. Keeps SHA-256 of the secret, never the secret; says
//! the same to the outside whether a token is unknown, wrong or expired.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{Actor, Channel, Permission, Person, Principal, Reach};

/// What every token begins with, so that secret scanners find lost ones.
const PREFIX: &str = "sortie_";
/// Characters of the id: 40 bits in Crockford base32.
const ID_CHARS: usize = 8;
/// Characters of the secret: 256 bits in unpadded base64url.
const SECRET_CHARS: usize = 43;
/// Characters of the checksum over prefix, id and secret: lower-case hexadecimal.
const CHECKSUM_CHARS: usize = 6;
/// Random bytes that one token is made of: 5 for the id, 32 for the secret.
pub const TOKEN_RANDOM_BYTES: usize = 37;
/// A token lives at most this many days.
pub const TOKEN_DAYS_MAX: i64 = 365;
/// Tokens of one installation at most.
pub const TOKENS_MAX: usize = 10_000;
/// Characters of a token's name at most.
const NAME_CHARS_MAX: usize = 63;
const ID_ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// What a token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenGrant {
    /// Name for people and for the record, `[a-z0-9-]`, at most 63.
    pub name: String,
    /// What it may do.
    pub permissions: BTreeSet<Permission>,
    /// Over which entities.
    pub reach: Reach,
    /// When it ends, at most [`TOKEN_DAYS_MAX`] days ahead.
    pub expires_at: Timestamp,
    /// Whose it is; none for a service.
    pub person: Option<Person>,
}

/// What is kept of a token. Lies in the configuration; useless to a thief.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRecord {
    /// The eight characters it is found by.
    pub id: String,
    /// Name for people and for the record.
    pub name: String,
    /// SHA-256 of the secret, lower-case hexadecimal.
    pub secret_sha256: String,
    /// What it may do.
    pub permissions: BTreeSet<Permission>,
    /// Over which entities.
    pub reach: Reach,
    /// When it ends. There is no token without an end.
    pub expires_at: Timestamp,
    /// Whose it is; none for a service. Several tokens may be one person's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Person>,
}

/// The text of a new token. Shown once; not printed by accident.
pub struct MintedToken(String);

impl MintedToken {
    /// The text, to be shown to its owner and then forgotten.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for MintedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MintedToken(hidden)")
    }
}

/// Why a token cannot be made or loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("token `{name}`: {reason}")]
pub struct BadToken {
    /// The token's name, cut to 63 characters.
    pub name: String,
    /// What is wrong and what to write instead.
    pub reason: String,
}

/// A token that was not accepted. The text is the same for every reason; the reason is for the
/// operator's log only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token is not valid")]
pub struct AuthError {
    failure: AuthFailure,
}

/// See [`AuthError::failure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthFailure {
    /// Not the form of a token, or its checksum is wrong: a typing or copying error.
    Malformed,
    /// No token has this id.
    Unknown,
    /// The secret is another.
    Wrong,
    /// It has ended.
    Expired,
}

impl AuthError {
    /// The true reason. Never shown to the one who presented the token.
    pub fn failure(self) -> AuthFailure {
        self.failure
    }
}

impl TokenRecord {
    /// Makes a token of random bytes, which the caller draws from the system's generator. Returns
    /// the text, shown once, and what is kept.
    pub fn mint(
        random: &[u8; TOKEN_RANDOM_BYTES],
        grant: TokenGrant,
        now: Timestamp,
    ) -> Result<(MintedToken, Self), BadToken> {
        let (id_bytes, secret_bytes) = random.split_at(5);
        let bits = id_bytes
            .iter()
            .fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
        let id: String = (0..8)
            .rev()
            .map(|place| {
                let index = usize::try_from((bits >> (place * 5)) & 31).unwrap_or(0);
                char::from(ID_ALPHABET.get(index).copied().unwrap_or(b'0'))
            })
            .collect();
        let secret = URL_SAFE_NO_PAD.encode(secret_bytes);
        let record = Self {
            id,
            name: grant.name,
            secret_sha256: hex::encode(Sha256::digest(&secret)),
            permissions: grant.permissions,
            reach: grant.reach,
            expires_at: grant.expires_at,
            person: grant.person,
        };
        record.check(now)?;
        if record.expires_at <= now {
            return Err(record.bad("it would have ended already; give it an end in the future"));
        }
        let body = format!("{PREFIX}{}_{secret}", record.id);
        let text = format!("{body}_{}", checksum(&body));
        Ok((MintedToken(text), record))
    }

    fn bad(&self, reason: &str) -> BadToken {
        BadToken {
            name: self.name.chars().take(NAME_CHARS_MAX).collect(),
            reason: reason.to_owned(),
        }
    }

    fn check(&self, now: Timestamp) -> Result<(), BadToken> {
        let name_fits = (1..=NAME_CHARS_MAX).contains(&self.name.len())
            && self
                .name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !name_fits {
            return Err(self.bad("a name is 1 to 63 lower-case letters, digits and `-`"));
        }
        if self.id.len() != ID_CHARS || !self.id.bytes().all(|byte| ID_ALPHABET.contains(&byte)) {
            return Err(self.bad("its id is not 8 characters of 0-9 and a-z without i, l, o, u"));
        }
        let hash_fits = self.secret_sha256.len() == 64
            && self
                .secret_sha256
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if !hash_fits {
            return Err(self.bad("`secret_sha256` is not 64 lower-case hexadecimal digits"));
        }
        if self.permissions.is_empty() {
            let all = Permission::all_words();
            return Err(self.bad(&format!("it has no permission; give at least one of {all}")));
        }
        if self.permissions.contains(&Permission::Approve) && self.person.is_none() {
            return Err(self.bad("it may approve and belongs to nobody; only a person approves, name one"));
        }
        if matches!(&self.reach, Reach::Entities(entities) if entities.is_empty()) {
            return Err(self.bad("it reaches no entity; name at least one"));
        }
        let ahead = self.expires_at.as_second().saturating_sub(now.as_second());
        if ahead > TOKEN_DAYS_MAX * 86_400 {
            return Err(self.bad("it ends more than 365 days from now; choose an earlier end"));
        }
        Ok(())
    }
}

/// Every token of an installation.
#[derive(Debug, Clone, Default)]
pub struct TokenBook {
    by_id: BTreeMap<String, TokenRecord>,
}

impl TokenBook {
    /// The book of these tokens. Tokens that have ended may stay in it; a name or an id that is
    /// there twice, or an end too far ahead, is refused.
    pub fn new(records: Vec<TokenRecord>, now: Timestamp) -> Result<Self, BadToken> {
        let mut by_id = BTreeMap::new();
        let mut names = BTreeSet::new();
        for record in records {
            record.check(now)?;
            if by_id.len() >= TOKENS_MAX {
                return Err(record.bad("there are more than 10000 tokens; remove those that have ended"));
            }
            if !names.insert(record.name.clone()) {
                return Err(record.bad("another token has this name; names are unique"));
            }
            if by_id.contains_key(&record.id) {
                return Err(record.bad("another token has its id; make a new one"));
            }
            by_id.insert(record.id.clone(), record);
        }
        Ok(Self { by_id })
    }

    /// How many tokens there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// What is kept of every token, by id.
    pub fn records(&self) -> impl Iterator<Item = &TokenRecord> {
        self.by_id.values()
    }

    /// Whose token this is. Found by id, compared in constant time.
    pub fn authenticate(&self, presented: &str, now: Timestamp) -> Result<Principal, AuthError> {
        let refuse = |failure| AuthError { failure };
        let (id, secret) = split(presented).ok_or(refuse(AuthFailure::Malformed))?;
        let found = self.by_id.get(id);
        // An unknown id is compared too, so that the time of an answer does not tell it apart.
        let expected = found.map_or("", |record| record.secret_sha256.as_str());
        let expected = format!("{expected:0>64}");
        let given = hex::encode(Sha256::digest(secret));
        let equal = bool::from(given.as_bytes().ct_eq(expected.as_bytes()));
        let record = found.ok_or(refuse(AuthFailure::Unknown))?;
        if !equal {
            return Err(refuse(AuthFailure::Wrong));
        }
        if now >= record.expires_at {
            return Err(refuse(AuthFailure::Expired));
        }
        let name = match &record.person {
            Some(person) => person.actor_name(),
            None => format!("token:{}", record.name),
        };
        Ok(Principal {
            actor: Actor {
                name,
                channel: Channel::Api,
            },
            person: record.person.clone(),
            permissions: record.permissions.clone(),
            reach: record.reach.clone(),
        })
    }
}

/// Id and secret of a well-formed token. By width, since base64url may hold `_` itself.
fn split(text: &str) -> Option<(&str, &str)> {
    if !text.is_ascii() || text.len() != PREFIX.len() + ID_CHARS + 1 + SECRET_CHARS + 1 + CHECKSUM_CHARS {
        return None;
    }
    let (body, tail) = text.split_at(PREFIX.len() + ID_CHARS + 1 + SECRET_CHARS);
    if tail.strip_prefix('_') != Some(checksum(body).as_str()) {
        return None;
    }
    let (id, rest) = body.strip_prefix(PREFIX)?.split_at(ID_CHARS);
    Some((id, rest.strip_prefix('_')?))
}

/// The checksum of `sortie_<id>_<secret>`: tells a mistyped token from a wrong one. No secret.
fn checksum(body: &str) -> String {
    let mut text = hex::encode(Sha256::digest(body));
    text.truncate(CHECKSUM_CHARS);
    text
}

#[cfg(test)]
mod tests;
