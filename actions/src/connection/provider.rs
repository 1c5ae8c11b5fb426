//! What each provider expects of a connection when the operator does not say: its public address,
//! and how a secret is presented.
//!
//! Sources: the reference of each product, named in its file under `actions/src`.

use secrecy::{ExposeSecret as _, SecretString};

use super::Auth;

/// The public address of a provider that has one for everybody.
pub fn public_address(provider: &str) -> Option<&'static str> {
    Some(match provider {
        "virustotal" => "https://www.virustotal.com/api/v3",
        "abuseipdb" => "https://api.abuseipdb.com/api/v2",
        "defender" => "https://api.security.microsoft.com",
        "entra" => "https://graph.microsoft.com/v1.0",
        "urlhaus" => "https://urlhaus-api.abuse.ch/v1",
        _ => return None,
    })
}

/// How a secret is presented to a provider: in its own header, as a token, or with a user name.
/// `user` is needed by providers that sign in with a name and a password.
pub fn present(provider: &str, user: Option<&str>, secret: SecretString) -> Auth {
    let header = |name: &str, value: SecretString| Auth::Header {
        name: name.to_owned(),
        value,
    };
    match (provider, user) {
        ("virustotal", _) => header("x-apikey", secret),
        ("abuseipdb", _) => header("Key", secret),
        ("urlhaus", _) => header("Auth-Key", secret),
        ("zammad", None) => {
            let value = format!("Token token={}", secret.expose_secret());
            header("Authorization", value.into())
        }
        (_, Some(user)) => Auth::Basic {
            user: user.to_owned(),
            password: secret,
        },
        (_, None) => Auth::Bearer(secret),
    }
}
