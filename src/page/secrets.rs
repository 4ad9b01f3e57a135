//! Secrets: texts that are typed for callers who do not see them.
//!
//! A secret goes into a field in one turn of the document's thread, together with the check of the document's origin: input
//! events of Chrome would go to whatever has the focus when they arrive, which another document can take.

use std::time::Duration;

use serde_json::json;

use super::{driven::Page, step::Step};
use crate::{
    api_types::{AnyValue, Bad, Secret},
    session::pages::PageError,
};

/// What a field is given.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text<'a> {
    /// A text of the caller.
    Plain(&'a str),
    /// The secret of this name, or its one-time password.
    Secret { name: &'a str, totp: bool },
}

impl<'a> Text<'a> {
    /// Reads the members of a request, of which one is needed. `plain` is the name of the first one.
    pub(super) fn read(
        plain: &'static str,
        text: Option<&'a str>,
        secret: Option<&'a str>,
        totp: bool,
    ) -> Result<Self, Bad> {
        match (text, secret) {
            (Some(text), None) if !totp => Ok(Self::Plain(text)),
            (None, Some(name)) => Ok(Self::Secret { name, totp }),
            (Some(_), None) => Err(Bad::new("totp", "is for a secret only")),
            (Some(_), Some(_)) => Err(Bad::new(plain, "and secret exclude each other")),
            (None, None) => Err(Bad::new(plain, "or secret is needed")),
        }
    }
}

/// Refuses the arguments of a script that look as if they meant a secret.
pub(super) fn check_args(args: &[AnyValue]) -> Result<(), Bad> {
    let is_secret = |argument: &AnyValue| {
        argument.0.as_object().is_some_and(|members| {
            members.get("secret").is_some_and(serde_json::Value::is_string)
                && members.keys().all(|name| matches!(&**name, "secret" | "totp"))
        })
    };
    match args.iter().position(is_secret) {
        Some(at) => {
            let why = "would give a secret to a script, which could show it; fill and type take secrets";
            Err(Bad::new(&format!("args[{at}]"), why))
        }
        None => Ok(()),
    }
}

impl Page {
    /// Puts a text or a secret into a form field in place of what it has.
    pub(super) async fn fill_with(
        &self,
        what: &'static str,
        selector: &str,
        text: Text<'_>,
        force: bool,
    ) -> Result<(), PageError> {
        let named = match text {
            Text::Plain(text) => return self.fill(what, selector, text, force).await,
            Text::Secret { name, totp } => (name, totp),
        };
        self.waits_for(format!("{selector} to be visible, enabled and editable"));
        let (secret, origin) = self.secret_for(what, selector, named, force).await?;
        self.put(what, selector, (secret.reveal(), &origin), false).await?;
        self.settle().await
    }

    /// Focuses an element and types a text or a secret.
    pub(super) async fn type_with(
        &self,
        what: &'static str,
        selector: &str,
        text: Text<'_>,
        delay: Duration,
    ) -> Result<(), PageError> {
        self.focus(what, selector, true).await?;
        let named = match text {
            Text::Plain(text) => return self.type_text(text, delay).await,
            Text::Secret { name, totp } => (name, totp),
        };
        let (secret, origin) = self.secret_for(what, selector, named, true).await?;
        self.waits_for("the secret to be typed");
        for sign in secret.reveal().chars() {
            self.put(what, selector, (sign.encode_utf8(&mut [0; 4]), &origin), true).await?;
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
        }
        self.settle().await
    }

    /// A secret that may be typed in the document of a field, and the origin of that document. Without `force` it waits until
    /// the field can be filled.
    async fn secret_for(
        &self,
        what: &'static str,
        selector: &str,
        named: (&str, bool),
        force: bool,
    ) -> Result<(Secret, String), PageError> {
        let (_, Step { text: origin, .. }) =
            self.step(what, Some(selector), "origin", json!({ "force": force })).await?;
        Ok((self.session().secret(named, &origin)?, origin))
    }

    /// Puts a text into a field of a document of this origin, in place of what it has, or at the cursor.
    async fn put(
        &self,
        what: &'static str,
        selector: &str,
        (text, origin): (&str, &str),
        at_cursor: bool,
    ) -> Result<(), PageError> {
        self.acts();
        let args = json!({ "value": text, "origin": origin, "atCursor": at_cursor });
        self.step(what, Some(selector), "secret", args).await.map(drop)
    }

    /// Replaces the secrets that were typed in the session by their names, in an error that shows something of the page.
    pub(super) fn without_secrets(&self, mut error: PageError) -> PageError {
        let hide = |text: &mut String| self.session().hide_secrets(text);
        match &mut error {
            PageError::Several { matches, .. } => matches.iter_mut().for_each(hide),
            PageError::Impossible { why: text, .. } | PageError::Timeout { seen: text, .. } => hide(text),
            PageError::Script { message, stack } => {
                hide(message);
                hide(stack);
            }
            PageError::Field { error: inner, .. } => {
                let error = std::mem::replace(&mut **inner, PageError::Closed);
                **inner = self.without_secrets(error);
            }
            _ => {}
        }
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_gets_a_text_or_a_secret() {
        assert!(matches!(Text::read("value", Some("a"), None, false), Ok(Text::Plain("a"))));
        assert!(matches!(Text::read("value", None, Some("a"), true), Ok(Text::Secret { name: "a", totp: true })));
        for (text, secret, totp, member) in
            [(None, None, false, "value"), (Some("a"), Some("b"), false, "value"), (Some("a"), None, true, "totp")]
        {
            let bad = Text::read("value", text, secret, totp).expect_err("refused");
            assert!(bad.to_string().contains(member), "{bad}");
        }
    }

    #[test]
    fn scripts_get_no_secrets() {
        for (args, is_refused) in [
            (json!([1, { "secret": "a" }]), true),
            (json!([{ "secret": "a", "totp": true }]), true),
            (json!([{ "secret": "a", "user": "b" }]), false),
            (json!([{ "secret": 1 }, "secret", { "handle": "h" }]), false),
        ] {
            let args: Vec<AnyValue> = args.as_array().expect("a list").iter().cloned().map(AnyValue).collect();
            assert_eq!(check_args(&args).is_err(), is_refused, "{args:?}");
        }
    }
}
