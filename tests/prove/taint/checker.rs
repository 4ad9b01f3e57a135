//! Ownership of ids and markers: an id belongs to the tenant that first received it, a marker to
//! the tenant it was made for.
//!
//! The checker knows no methods and no events. It searches all text that reaches a client for ids
//! of Chrome's and markers of tenants, and compares their owner with the client.

use std::{
    collections::{HashMap, HashSet},
    sync::Mutex,
};

/// A tenant's number.
pub(crate) type Tenant = usize;

/// The prefix of every marker; the tenant's number and a `q`, which is no hexadecimal digit,
/// follow.
pub(crate) const MARKER: &str = "taintmark";

/// Text that one tenant received and another owns.
#[derive(Clone, Debug)]
pub(crate) struct Leak {
    pub(crate) by: Tenant,
    pub(crate) of: Tenant,
    pub(crate) what: String,
    pub(crate) frame: String,
}

impl std::fmt::Display for Leak {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let frame: String = self.frame.chars().take(600).collect();
        write!(f, "tenant {} received {} of tenant {} in {frame}", self.by, self.what, self.of)
    }
}

#[derive(Default)]
struct Known {
    owners: HashMap<Box<str>, Tenant>,
    leaks: Vec<Leak>,
    messages: u64,
    bytes: u64,
    echoes: u64,
}

/// The owners of all ids and markers.
#[derive(Default)]
pub(crate) struct Checker(Mutex<Known>);

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

/// The marker of a tenant.
pub(crate) fn marker(tenant: Tenant, seed: u64) -> String {
    format!("{MARKER}{tenant}q{seed}")
}

impl Checker {
    /// Records a message to a tenant. If it is an error reply, `sent` has the foreign ids of its
    /// command, which it may repeat.
    pub(crate) fn received(&self, by: Tenant, frame: &str, sent: &HashSet<String>) {
        let mut known = self.0.lock().expect("no panic");
        known.messages += 1;
        known.bytes += u64::try_from(frame.len()).unwrap_or_default();
        let mut leaks = Vec::new();
        for of in markers(frame).filter(|of| *of != by) {
            leaks.push(Leak { by, of, what: "a marker".to_owned(), frame: frame.to_owned() });
        }
        for id in ids(frame) {
            match known.owners.get(id) {
                None => {
                    known.owners.insert(id.into(), by);
                }
                Some(of) if *of == by => {}
                Some(_) if sent.contains(id) => known.echoes += 1,
                Some(of) => {
                    leaks.push(Leak { by, of: *of, what: format!("the id {id}"), frame: frame.to_owned() });
                }
            }
        }
        known.leaks.append(&mut leaks);
    }

    /// Whether an id belongs to another tenant.
    pub(crate) fn is_foreign(&self, by: Tenant, id: &str) -> bool {
        self.0.lock().expect("no panic").owners.get(id).is_some_and(|of| *of != by)
    }

    /// The numbers of messages and leaks so far.
    pub(crate) fn count(&self) -> (u64, usize) {
        let known = self.0.lock().expect("no panic");
        (known.messages, known.leaks.len())
    }

    pub(crate) fn checked(&self) -> Checked {
        let known = self.0.lock().expect("no panic");
        Checked {
            messages: known.messages,
            bytes: known.bytes,
            ids: known.owners.len(),
            echoes: known.echoes,
            leaks: known.leaks.clone(),
        }
    }
}

/// The tenants whose markers are in a text. Escaping does not change a marker: it has only letters
/// and digits.
fn markers(text: &str) -> impl Iterator<Item = Tenant> {
    text.match_indices(MARKER).filter_map(move |(at, _)| {
        let rest = &text[at + MARKER.len()..];
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
    let checker = Checker::default();
    let nothing = HashSet::new();
    let leaks = || checker.checked().leaks.len();
    let id = "0123456789ABCDEF0123456789ABCDEF";
    let frame = format!(r#"{{"params":{{"targetId":"{id}"}}}}"#);
    checker.received(0, &frame, &nothing);
    checker.received(0, &frame, &nothing);
    assert_eq!(leaks(), 0, "one's own id is no leak");
    checker.received(1, &format!("{id}0"), &nothing);
    assert_eq!(leaks(), 0, "a longer word is another");
    checker.received(1, &frame, &HashSet::from([id.to_owned()]));
    assert_eq!(leaks(), 0, "an error may repeat what was sent");
    checker.received(1, &frame, &nothing);
    assert_eq!(leaks(), 1, "another's id is a leak");
    checker.received(1, &format!(r"console \u0000{}", marker(1, 7)), &nothing);
    assert_eq!(leaks(), 1, "one's own marker is no leak");
    checker.received(1, &format!("a%20{}%20b", marker(12, 7)), &nothing);
    assert_eq!(leaks(), 2, "another's marker is a leak");
    checker.received(0, r#""guid":"0f0e0d0c-1111-2222-3333-444455556666""#, &nothing);
    checker.received(2, "/tmp/0f0e0d0c-1111-2222-3333-444455556666.crdownload", &nothing);
    assert_eq!(leaks(), 3, "a UUID is an id");
}
