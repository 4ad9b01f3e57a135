//! The ids of the protocol, one type each, so that they cannot be confused.

use std::{borrow::Borrow, collections::HashMap, fmt, sync::Arc};

/// A map by ids that Chrome or this process made. Nobody who sends an id can choose those that are in the map, so that its hash
/// needs no defence against collisions; *measured,* the one of the standard library was 60 % of what an event of a target costs.
pub type IdMap<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// The `id` of a command. Chrome accepts an int32, and answers anything else with an error without
/// id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub i32);

impl CallId {
    /// Whether the proxy chose this id. Such ids are negative; a negative id of a client is never
    /// sent to Chrome.
    pub const fn is_ours(self) -> bool {
        self.0 < 0
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Cheap to clone; made only from a message of Chrome.
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id in Chrome's spelling.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl Borrow<str> for $name {
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
                f.write_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from).map(Self::from)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }
    };
}

id! {
    /// A debugger attached to a target (`sessionId` of the flat protocol), 32 upper-case hex
    /// digits.
    CdpSessionId
}
id! {
    /// A target: page, tab, iframe, worker …; 32 upper-case hex digits, a lower-case UUID for browser targets.
    TargetId
}
id! {
    /// A Chrome `BrowserContext`, 32 upper-case hex digits.
    ContextId
}
