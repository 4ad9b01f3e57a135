//! Permissions of a context. Chrome does not report which were granted, so the commands that set
//! them are recorded.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{ids::ContextId, json_object::JsonObject, message};

/// All sessions of a browser share one clipboard (*measured*).
const CLIPBOARD: [&str; 3] = ["clipboardReadWrite", "clipboard-read", "clipboardRead"];
/// The number of commands recorded per context; the oldest is forgotten.
const KEPT: usize = 256;
/// The longest command that is recorded, in bytes: clients choose them.
const LONGEST: usize = 4096;

/// A command that set permissions of a context.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ruling {
    how: How,
    /// Without the context.
    params: Box<RawValue>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum How {
    /// Grants these, and denies all others.
    Grant,
    /// Grants, denies or resets one.
    Set,
    /// Resets all.
    Reset,
}

impl Ruling {
    /// Reads a command; `None` if it is another one, or its params are not an object.
    pub fn read(method: &str, params: &str) -> Option<Self> {
        let how = [How::Grant, How::Set, How::Reset].into_iter().find(|how| how.method() == method)?;
        let mut params = JsonObject::read(params)?;
        params.remove("browserContextId");
        Some(Self { how, params: RawValue::from_string(params.to_string()).ok()? })
    }

    /// The command's method.
    pub fn method(&self) -> &'static str {
        self.how.method()
    }

    /// The command's params for a context; `None` if they are not an object.
    pub fn params(&self, context: &ContextId) -> Option<String> {
        let mut params = JsonObject::read(self.params.get())?;
        params.set_string("browserContextId", context.as_str());
        Some(params.to_string())
    }

    /// The granted permissions that let pages read the clipboard, which all sessions share; `None`
    /// if they cannot be determined.
    pub fn opens_clipboard(&self) -> Option<Vec<&'static str>> {
        let params = JsonObject::read(self.params.get())?;
        if self.how == How::Reset {
            return Some(Vec::new());
        }
        // One by one: a lone surrogate in one of them must not hide the others.
        let named = params.read_as::<Vec<Box<RawValue>>>("permissions").unwrap_or_default();
        let named: Vec<_> = named.iter().filter_map(|name| message::string(name.get())).collect();
        let one = match params.get("permission") {
            Some(descriptor) => JsonObject::read(descriptor)?.string("name"),
            None => None,
        };
        let grants = params.string("setting").is_none_or(|setting| setting == "granted");
        let named: Vec<&str> = named.iter().map(AsRef::as_ref).chain(one.as_deref()).collect();
        Some(CLIPBOARD.into_iter().filter(|name| grants && named.contains(name)).collect())
    }

    /// Whether this command overrides all of `before`.
    fn replaces(&self, before: &Self) -> bool {
        let (Some(new), Some(old)) = (JsonObject::read(self.params.get()), JsonObject::read(before.params.get()))
        else {
            return false;
        };
        let same = |name| new.get(name) == old.get(name);
        let of_one = same("origin") && same("embeddedOrigin");
        self.how == How::Reset || self.how == before.how && of_one && (self.how == How::Grant || same("permission"))
    }
}

impl How {
    fn method(self) -> &'static str {
        match self {
            Self::Grant => "Browser.grantPermissions",
            Self::Set => "Browser.setPermission",
            Self::Reset => "Browser.resetPermissions",
        }
    }
}

/// The commands of a context, in order, without overridden ones.
#[derive(Clone, Debug, Default)]
pub struct Rulings(Vec<Ruling>);

impl Rulings {
    /// Chrome has performed the command.
    pub fn note(&mut self, ruling: Ruling) {
        self.0.retain(|before| !ruling.replaces(before));
        if ruling.how == How::Reset || ruling.params.get().len() > LONGEST {
            return;
        }
        if self.0.len() >= KEPT {
            self.0.remove(0);
        }
        self.0.push(ruling);
    }

    /// The commands for a new context, in this order.
    pub fn all(&self) -> &[Ruling] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overridden_permissions_are_forgotten() {
        let (grant, set, reset) = ("Browser.grantPermissions", "Browser.setPermission", "Browser.resetPermissions");
        let mut rulings = Rulings::default();
        for (method, params) in [
            (grant, r#"{"origin":"http://a","permissions":["midi"],"browserContextId":"CTX"}"#),
            (set, r#"{"permission":{"name":"camera"},"setting":"granted"}"#),
            (grant, r#"{"origin":"http://b","permissions":["midi"]}"#),
            (set, r#"{"permission":{"name":"camera"},"setting":"denied"}"#),
            (grant, r#"{"origin":"http://a","permissions":[]}"#),
        ] {
            rulings.note(Ruling::read(method, params).expect(params));
        }
        let said: Vec<String> = rulings.all().iter().filter_map(|one| one.params(&ContextId::from("NEW"))).collect();
        assert_eq!(
            said,
            [
                r#"{"origin":"http://b","permissions":["midi"],"browserContextId":"NEW"}"#,
                r#"{"permission":{"name":"camera"},"setting":"denied","browserContextId":"NEW"}"#,
                r#"{"origin":"http://a","permissions":[],"browserContextId":"NEW"}"#,
            ]
        );
        rulings.note(Ruling::read(reset, "{}").expect("a command"));
        assert!(rulings.all().is_empty());
        for number in 0..1000 {
            let params = format!(r#"{{"origin":"http://{number}","permissions":[]}}"#);
            rulings.note(Ruling::read(grant, &params).expect("a command"));
        }
        assert_eq!(rulings.all().len(), KEPT);
    }
}
