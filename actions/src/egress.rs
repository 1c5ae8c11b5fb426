//! The one door out. Only this module may name an HTTP or SMTP client.

/// A way out, bound to one connection: its base URL, its secret, its limits.
#[derive(Debug)]
pub struct Door {}
