//! Who is at the other end of a connection.
//!
//! Owns where a credential may stand: `Authorization`, once, or the kernel's word about the peer
//! of the owner-only socket. Never a URL, a cookie or another header. Checking a credential is
//! [`Authentication`]'s work; every failure looks the same from outside.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use state::access::Principal;

#[cfg(test)]
mod tests;

/// Longest credential that is looked at, in bytes of the header's value.
pub const CREDENTIAL_BYTES_MAX: usize = 512;

/// Turns credentials into principals. Implementations log the true reason of a failure for the
/// operator, never the credential.
pub trait Authentication: Send + Sync + 'static {
    /// Whose API token this is; none when malformed, unknown, wrong, expired or revoked.
    fn token(&self, presented: &str) -> Option<Principal>;

    /// An unguessable value, another one each time.
    fn unguessable(&self) -> [u8; 32];

    /// Who the local process is that connected to the owner-only socket.
    fn local(&self, peer: LocalPeer) -> Option<Principal>;
}

/// What the kernel says about the other end of a local socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalPeer {
    /// Its user.
    pub uid: u32,
    /// Its process, where the system tells.
    pub pid: Option<i32>,
}

/// The other end of a connection, from the socket and from nothing the client says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Tcp(SocketAddr),
    Local(LocalPeer),
}

/// Which spellings of a credential a route takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schemes {
    /// `Bearer <token>`.
    Bearer,
    /// Also `Basic` with the token as the password, for devices that know nothing else.
    BearerOrBasic,
}

/// A credential as presented, kept so that long answers can ask again whether it still counts.
#[derive(Clone)]
pub(crate) enum Credential {
    Token(String),
    Local(LocalPeer),
}

impl Credential {
    /// The credential of a request; none when there is none or it has the wrong form. A token
    /// goes before the socket's peer, so that whoever sends one gets no more than it grants.
    pub(crate) fn of(peer: Option<Peer>, headers: &HeaderMap, schemes: Schemes) -> Option<Self> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        match (values.next(), values.next()) {
            (None, _) => match peer {
                Some(Peer::Local(peer)) => Some(Self::Local(peer)),
                Some(Peer::Tcp(_)) | None => None,
            },
            (Some(value), None) if value.len() <= CREDENTIAL_BYTES_MAX => {
                let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
                let rest = rest.trim_start_matches(' ');
                if scheme.eq_ignore_ascii_case("bearer") {
                    Some(Self::Token(rest.to_owned()))
                } else if scheme.eq_ignore_ascii_case("basic") && schemes == Schemes::BearerOrBasic {
                    let decoded = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
                    let (_, password) = decoded.split_once(':')?;
                    Some(Self::Token(password.to_owned()))
                } else {
                    None
                }
            }
            (Some(_), _) => None,
        }
    }

    /// Whose it is now.
    pub(crate) fn principal(&self, authentication: &dyn Authentication) -> Option<Principal> {
        match self {
            Self::Token(token) => authentication.token(token),
            Self::Local(peer) => authentication.local(*peer),
        }
    }
}
