//! Ownership of ids and markers: an id belongs to the user that first received it, a marker to
//! the user it was made for.
//!
//! The checker knows no methods and no events. It searches all text that reaches a client for ids
//! of Chrome's and markers of users, and compares their owner with the client. If the server has tenants, it also searches
//! for tokens and for the names of tenants.

use std::{
    collections::{HashMap, HashSet},
    sync::Mutex,
};

/// A user's number.
pub(crate) type User = usize;

/// The prefix of every marker; the user's number and a `q`, which is no hexadecimal digit,
/// follow.
pub(crate) const MARKER: &str = "taintmark";

/// The prefix of the name of every tenant; its number and a `q` follow.
const TENANT: &str = "taintowner";
/// The prefix of every token.
const TOKEN: &str = "gmx_";

/// Who reads a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// A user, in a session of its own.
    User(User),
    /// All users of this tenant: a list of what they have.
    Tenant(usize),
}

impl std::fmt::Display for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(user) => write!(f, "user {user}"),
            Self::Tenant(tenant) => write!(f, "tenant {tenant}"),
        }
    }
}

/// Text that one user received and another owns.
#[derive(Clone, Debug)]
pub(crate) struct Leak {
    pub(crate) by: Reader,
    pub(crate) what: String,
    pub(crate) frame: String,
}

impl std::fmt::Display for Leak {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let frame: String = self.frame.chars().take(600).collect();
        write!(f, "{} received {} in {frame}", self.by, self.what)
    }
}

#[derive(Default)]
struct Known {
    owners: HashMap<Box<str>, User>,
    leaks: Vec<Leak>,
    messages: u64,
    bytes: u64,
    echoes: u64,
}

/// The owners of all ids and markers.
pub(crate) struct Checker {
    known: Mutex<Known>,
    /// The number of tenants: a user belongs to the tenant whose number is the rest of its own.
    tenants: usize,
}

/// The counters of the checks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checked {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    pub(crate) ids: usize,
    /// Error replies that repeat a foreign id which their client had sent.
    pub(crate) echoes: u64,
    pub(crate) leaks: Vec<Leak>,
}

/// The marker of a user.
pub(crate) fn marker(user: User, seed: u64) -> String {
    format!("{MARKER}{user}q{seed}")
}

/// The name of a tenant.
pub(crate) fn tenant(number: usize, seed: u64) -> String {
    format!("{TENANT}{number}q{seed}")
}

impl Checker {
    /// The checker for users of this many tenants, at least one.
    pub(crate) fn new(tenants: usize) -> Self {
        Self { known: Mutex::default(), tenants }
    }

    /// The tenant of a user.
    pub(crate) fn tenant_of(&self, user: User) -> usize {
        user % self.tenants
    }

    /// Records a message. If it is an error reply, `sent` has the foreign ids of its command, which it may repeat.
    pub(crate) fn received(&self, by: Reader, frame: &str, sent: &HashSet<String>) {
        let (is_own, tenant): (Box<dyn Fn(User) -> bool>, usize) = match by {
            Reader::User(user) => (Box::new(move |of| of == user), self.tenant_of(user)),
            Reader::Tenant(tenant) => (Box::new(move |of| self.tenant_of(of) == tenant), tenant),
        };
        let mut known = self.known.lock().expect("no panic");
        known.messages += 1;
        known.bytes += u64::try_from(frame.len()).unwrap_or_default();
        let mut leaks = Vec::new();
        let mut leak = |what: String| leaks.push(Leak { by, what, frame: frame.to_owned() });
        numbers(frame, MARKER).filter(|of| !is_own(*of)).for_each(|of| leak(format!("a marker of user {of}")));
        numbers(frame, TENANT).filter(|of| *of != tenant).for_each(|of| leak(format!("the name of tenant {of}")));
        if frame.contains(TOKEN) {
            leak("a token".to_owned());
        }
        for id in ids(frame) {
            match known.owners.get(id) {
                None => {
                    // A list may show an id before its owner knows it.
                    if let Reader::User(user) = by {
                        known.owners.insert(id.into(), user);
                    }
                }
                Some(of) if is_own(*of) => {}
                Some(_) if sent.contains(id) => known.echoes += 1,
                Some(of) => leak(format!("the id {id} of user {of}")),
            }
        }
        known.leaks.append(&mut leaks);
    }

    /// Whether an id belongs to another user.
    pub(crate) fn is_foreign(&self, by: User, id: &str) -> bool {
        self.known.lock().expect("no panic").owners.get(id).is_some_and(|of| *of != by)
    }

    /// The numbers of messages and leaks so far.
    pub(crate) fn count(&self) -> (u64, usize) {
        let known = self.known.lock().expect("no panic");
        (known.messages, known.leaks.len())
    }

    pub(crate) fn checked(&self) -> Checked {
        let known = self.known.lock().expect("no panic");
        Checked {
            messages: known.messages,
            bytes: known.bytes,
            ids: known.owners.len(),
            echoes: known.echoes,
            leaks: known.leaks.clone(),
        }
    }
}

/// The numbers after this prefix in a text. Escaping does not change a marker: it has only letters
/// and digits.
fn numbers<'a>(text: &'a str, prefix: &'static str) -> impl Iterator<Item = usize> + use<'a> {
    text.match_indices(prefix).filter_map(move |(at, _)| {
        let rest = &text[at + prefix.len()..];
        rest.split_once('q').and_then(|(number, _)| number.parse().ok())
    })
}

/// Text that looks like an id of Chrome's: 32 hexadecimal digits (targets, contexts, CDP sessions,
/// frames, loaders) or a UUID (downloads, browsers), and not part of a longer word.
pub(crate) fn ids(text: &str) -> impl Iterator<Item = &str> {
    let part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    text.as_bytes().split(move |byte| !part(*byte)).filter_map(|word| {
        let text = std::str::from_utf8(word).expect("ASCII");
        let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_plain = word.len() == 32 && is_hex(text);
        let is_uuid =
            || word.len() == 36 && text.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && is_hex(&text.replace('-', ""));
        (is_plain || is_uuid()).then_some(text)
    })
}

/// Tests the checker itself.
pub(crate) fn test() {
    let checker = Checker::new(2);
    let nothing = HashSet::new();
    let leaks = || checker.checked().leaks.len();
    let user = |number: User, text: &str| checker.received(Reader::User(number), text, &nothing);
    let id = "0123456789ABCDEF0123456789ABCDEF";
    let frame = format!(r#"{{"params":{{"targetId":"{id}"}}}}"#);
    user(0, &frame);
    user(0, &frame);
    assert_eq!(leaks(), 0, "one's own id is no leak");
    user(1, &format!("{id}0"));
    assert_eq!(leaks(), 0, "a longer word is another");
    checker.received(Reader::User(1), &frame, &HashSet::from([id.to_owned()]));
    assert_eq!(leaks(), 0, "an error may repeat what was sent");
    user(1, &frame);
    assert_eq!(leaks(), 1, "another's id is a leak");
    user(1, &format!(r"console \u0000{}", marker(1, 7)));
    assert_eq!(leaks(), 1, "one's own marker is no leak");
    user(1, &format!("a%20{}%20b", marker(12, 7)));
    assert_eq!(leaks(), 2, "another's marker is a leak");
    user(0, r#""guid":"0f0e0d0c-1111-2222-3333-444455556666""#);
    user(2, "/tmp/0f0e0d0c-1111-2222-3333-444455556666.crdownload");
    assert_eq!(leaks(), 3, "a UUID is an id, also within a tenant");

    // Users 0 and 2 are of tenant 0, user 1 is of tenant 1.
    let list = |tenant: usize, text: &str| checker.received(Reader::Tenant(tenant), text, &nothing);
    list(0, &format!("{id} {} {}", marker(2, 7), tenant(0, 7)));
    assert_eq!(leaks(), 3, "a list has what the users of its tenant have");
    list(1, &frame);
    list(1, &marker(2, 7));
    assert_eq!(leaks(), 5, "what another tenant has is a leak");
    list(1, "00000000000000000000000000000001");
    user(0, "00000000000000000000000000000001");
    assert_eq!(leaks(), 5, "a list claims no id");
    user(2, &tenant(1, 7));
    user(2, "ws://127.0.0.1/?token=gmx_abc");
    assert_eq!(leaks(), 7, "the name of another tenant and any token are leaks");
}
