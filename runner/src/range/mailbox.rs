//! The mails that arrived, as raw bytes.

use std::sync::{Arc, Mutex};

use super::lock;

/// A mail that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Envelope sender.
    pub from: String,
    /// Envelope recipients.
    pub to: Vec<String>,
    /// The message as it came, dots unstuffed, lines ended by CR LF.
    pub raw: Vec<u8>,
}

/// Every mail. Cheap to clone; all clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Mailbox(Arc<Mutex<Vec<Mail>>>);

impl Mailbox {
    /// Every mail so far, oldest first.
    pub fn all(&self) -> Vec<Mail> {
        lock(&self.0).clone()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        lock(&self.0).len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        lock(&self.0).is_empty()
    }

    /// Forgets every mail.
    pub fn clear(&self) {
        lock(&self.0).clear();
    }

    pub(super) fn put(&self, mail: Mail) {
        lock(&self.0).push(mail);
    }
}
