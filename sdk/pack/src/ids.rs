//! Names that a manifest gives to things. Each is its own type and was checked when it was read.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A name that does not have the form of its kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is no {kind}: {form}")]
pub struct BadName {
    /// Which kind of name.
    pub kind: &'static str,
    /// What was found.
    pub found: String,
    /// What it has to look like.
    pub form: &'static str,
}

fn is_name(text: &str, separators: &[u8]) -> bool {
    let first = text.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
    first
        && text.len() <= 64
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || separators.contains(&b))
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident($kind:literal, $separators:literal, $form:literal),)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the form.
            pub fn new(text: impl AsRef<str>) -> Result<Self, BadName> {
                let text = text.as_ref();
                if is_name(text, $separators) {
                    Ok(Self(text.into()))
                } else {
                    Err(BadName { kind: $kind, found: text.into(), form: $form })
                }
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;
            fn try_from(text: String) -> Result<Self, BadName> {
                Self::new(text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = BadName;
            fn from_str(text: &str) -> Result<Self, BadName> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().into()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    )*};
}

names! {
    /// A connector: `google-drive`.
    ConnectorId("connector id", b"-", "lower-case letters, digits and `-`, at most 64, a letter first"),
    /// An entry of the host's provider registry: `google`.
    ProviderId("provider id", b"-", "lower-case letters, digits and `-`, at most 64, a letter first"),
    /// A permission that a connector declares: `files.read`.
    CapabilityId("capability id", b"-._", "lower-case letters, digits, `.`, `-` and `_`, at most 64, a letter first"),
    /// The place in a connection where a secret lives: `user`.
    SlotName("slot name", b"-_", "lower-case letters, digits, `-` and `_`, at most 64, a letter first"),
    /// A name for an origin within a manifest: `api`.
    OriginName("origin name", b"-_", "lower-case letters, digits, `-` and `_`, at most 64, a letter first"),
    /// An operation that an agent can call: `create_board`.
    ToolName("tool name", b"-_", "lower-case letters, digits, `-` and `_`, at most 64, a letter first"),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_form_of_its_kind() {
        assert_eq!(CapabilityId::new("files.read").unwrap().as_str(), "files.read");
        for bad in ["", "Files", "1files", "files/read", "a b", &"x".repeat(65)] {
            assert!(CapabilityId::new(bad).is_err(), "{bad}");
        }
        assert!(ConnectorId::new("google.drive").is_err());
        assert!(serde_json::from_str::<ToolName>("\"Create\"").is_err());
    }
}
