//! What posts to our own team share: the channel, and text that calls and links nobody.
//!
//! Owns the reading of the call. The wire belongs to the providers beside it.

use crate::action::{ActionError, Call};
use crate::arguments;
use crate::egress::Door;
use crate::notify::text;

/// Characters of a post. The shortest limit among the chat systems, less the marks we add.
pub(crate) const POST_CHARS_MAX: usize = 16_000;

/// A post as a provider sends it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Post {
    /// Where to: what the connection's settings say for the channel.
    pub(crate) address: String,
    /// The text with the marking in front.
    pub(crate) text: String,
    /// Whether it should ring.
    pub(crate) urgent: bool,
}

/// Reads the call and looks the channel up under `channels` of the connection's settings.
pub(crate) fn post(call: &Call, door: &Door) -> Result<Post, ActionError> {
    let channel = arguments::text(call, "channel")?;
    let address = door
        .setting("channels")
        .and_then(|channels| channels.get(channel)?.as_str())
        .ok_or_else(|| {
            ActionError::invalid(format!(
                "connection `{}` has no channel `{channel}` under `channels`",
                door.connection().name
            ))
        })?;
    Ok(Post {
        address: address.to_owned(),
        text: cut(&text::lines(arguments::text(call, "text")?)),
        urgent: arguments::flag(call, "urgent"),
    })
}

/// A long text ends with the words that it was cut; the whole of it is in the record.
fn cut(text: &str) -> String {
    let count = text.chars().count();
    if count <= POST_CHARS_MAX {
        return text.to_owned();
    }
    let kept: String = text.chars().take(POST_CHARS_MAX).collect();
    format!("{kept}\n[cut here, {} more characters]", count - POST_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use super::{POST_CHARS_MAX, cut};

    #[test]
    fn a_long_text_says_that_it_was_cut() {
        for length in [POST_CHARS_MAX - 1, POST_CHARS_MAX] {
            assert_eq!(cut(&"é".repeat(length)).chars().count(), length);
        }
        assert!(cut(&"é".repeat(POST_CHARS_MAX + 1)).ends_with("é\n[cut here, 1 more characters]"));
    }
}
