//! Tokens: their text, what is stored of them, and the keys in URLs that are made from them.
//!
//! A token is `gmx_`, 32 characters that are 160 random bits, `_`, and a checksum of six characters. It is lower case, so
//! that it can be a label of a host name, where `-` may stand for `_`. Only its SHA-256 is stored.
//!
//! A key gives access to one session. It is made from a token and is in the URLs that the server hands out, where a
//! token never is. It holds the number of its token and a MAC over the tenant, the token and the session, so it ends
//! with its token.

use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, LazyLock},
};

use data_encoding::{BASE64URL_NOPAD, Encoding, HEXLOWER, Specification};
use hmac::{Hmac, KeyInit, Mac};
use ipnet::IpNet;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Secret;
use crate::api_types::Owner;

/// The start of every token, for those who search for leaked secrets.
pub const PREFIX: &str = "gmx_";
/// Characters of the random part.
const RANDOM: usize = 32;
/// Characters of the checksum.
const CHECKSUM: usize = 6;
/// Bytes of the number of a token in a key.
const NUMBER: usize = 8;
/// Bytes of the MAC in a key.
const MAC: usize = 16;

/// Base32 in lower case.
static BASE32: LazyLock<Encoding> = LazyLock::new(|| {
    let mut lower = Specification::new();
    lower.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    lower.encoding().expect("32 different symbols")
});

/// What is stored of a token, and what is compared.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of a text that may be a token.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// 64 hexadecimal digits in lower case, as a file of tenants has it.
    pub fn to_hex(self) -> String {
        HEXLOWER.encode(&self.0)
    }

    /// Reads 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let bytes = HEXLOWER.decode(text.to_ascii_lowercase().as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// The number by which keys name the token. It does not give access.
    pub fn number(self) -> TokenNumber {
        let mut number = [0; NUMBER];
        number.copy_from_slice(&self.0[..NUMBER]);
        TokenNumber(number)
    }
}

/// A hash shows nothing of its token, but whoever knows a token could look for it.
impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.number())
    }
}

/// The number of a token: the begin of its hash. Logs and keys name a token by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenNumber([u8; NUMBER]);

impl fmt::Display for TokenNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for TokenNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Makes a new token.
pub fn generate() -> Secret {
    // The random bits of both, in all 244: the hash spreads them over the 160 that are taken.
    let mut random = Sha256::new();
    random.update(Uuid::new_v4().as_bytes());
    random.update(Uuid::new_v4().as_bytes());
    let body = BASE32.encode(&random.finalize()[..RANDOM * 5 / 8]);
    Secret::new(format!("{PREFIX}{body}_{}", checksum(&body)))
}

/// Whether a text is a token as far as its form tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// It is written as a token is.
    Token,
    /// It begins as a token, and its length or checksum is wrong: a character is missing or mistyped.
    Mistyped,
    /// It is something else.
    Other,
}

/// The form of a text that came as a token.
pub fn form(text: &str) -> Form {
    let Some(rest) = text.strip_prefix(PREFIX) else { return Form::Other };
    match rest.split_once('_') {
        Some((body, check)) if body.len() == RANDOM && check == checksum(body) => Form::Token,
        _ => Form::Mistyped,
    }
}

/// A text of a client, as logs and answers may repeat it: shortened, and without a token that was given in place of a name.
pub fn repeatable(text: &str) -> String {
    if text.contains(PREFIX) { "***".to_owned() } else { text.chars().take(100).collect() }
}

fn checksum(body: &str) -> String {
    let mut check = BASE32.encode(&Sha256::digest(body.as_bytes())[..5]);
    check.truncate(CHECKSUM);
    check
}

/// What a token may be used for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// All that its tenant may do.
    #[default]
    All,
    /// To look at the tenant's sessions, not to control them or to read what they store.
    ReadOnly,
    /// One session of the tenant, by its id.
    Session(Arc<str>),
}

impl Scope {
    /// Reads `all`, `read-only` or `session:ID`.
    pub fn read(text: &str) -> Result<Self, String> {
        match (text, text.strip_prefix("session:")) {
            ("all", _) => Ok(Self::All),
            ("read-only", _) => Ok(Self::ReadOnly),
            (_, Some(id)) if !id.is_empty() && id.len() <= 200 => Ok(Self::Session(id.into())),
            _ => Err(format!("{text:?} is not a scope; write all, read-only or session:ID")),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::ReadOnly => f.write_str("read-only"),
            Self::Session(id) => write!(f, "session:{id}"),
        }
    }
}

/// What the operator says of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSettings {
    /// Its name, unique for the tenant.
    pub name: String,
    /// What it may be used for.
    pub scope: Scope,
    /// From when on it is refused.
    pub expires: Option<Timestamp>,
    /// The networks from which it is accepted; empty for all.
    pub from: Vec<IpNet>,
    /// When it was made.
    pub created: Option<Timestamp>,
}

/// A token that is accepted, without its text.
#[derive(Debug)]
pub struct Token {
    hash: TokenHash,
    settings: TokenSettings,
    /// Makes and checks the keys of this token.
    key: Secret<[u8; 32]>,
    revoked: CancellationToken,
}

impl Token {
    /// A token of this tenant. `server` is the secret from which this server makes the keys of URLs.
    pub(super) fn new(owner: &Owner, hash: TokenHash, settings: TokenSettings, server: &Secret<[u8; 32]>) -> Arc<Self> {
        let key = mac(server.reveal(), &[owner.as_str().as_bytes(), &hash.0]);
        Arc::new(Self { hash, settings, key: Secret::new(key), revoked: CancellationToken::new() })
    }

    /// Its hash.
    pub fn hash(&self) -> TokenHash {
        self.hash
    }

    /// Its number, for logs.
    pub fn number(&self) -> TokenNumber {
        self.hash.number()
    }

    /// What the operator says of it.
    pub fn settings(&self) -> &TokenSettings {
        &self.settings
    }

    /// Cancelled when the token is not accepted any more: revoked, replaced by other settings, or expired.
    pub fn revoked(&self) -> &CancellationToken {
        &self.revoked
    }

    /// Whether it has expired at this time.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.settings.expires.is_some_and(|expires| expires <= now)
    }

    /// Whether it is accepted from this address.
    pub fn allows(&self, from: IpAddr) -> bool {
        let from = from.to_canonical();
        self.settings.from.is_empty() || self.settings.from.iter().any(|network| network.contains(&from))
    }

    /// The key for a URL of this session.
    pub fn key_of(&self, session: &str) -> String {
        let mut key = self.number().0.to_vec();
        key.extend_from_slice(&self.mac_of(session));
        BASE64URL_NOPAD.encode(&key)
    }

    /// Whether a key was made from this token for this session.
    pub(super) fn made(&self, key: &Key, session: &str) -> bool {
        subtle::ConstantTimeEq::ct_eq(&self.mac_of(session)[..], &key.mac[..]).into()
    }

    fn mac_of(&self, session: &str) -> [u8; MAC] {
        let whole = mac(self.key.reveal(), &[session.as_bytes()]);
        let mut half = [0; MAC];
        half.copy_from_slice(&whole[..MAC]);
        half
    }
}

/// The secret from which a server makes the keys of URLs: from a secret that is the same after a restart and on other
/// servers, or a random one.
pub fn server_key(from: Option<&[u8]>) -> Secret<[u8; 32]> {
    let (one, other) = (Uuid::new_v4(), Uuid::new_v4());
    let random: [&[u8]; 2] = [one.as_bytes(), other.as_bytes()];
    Secret::new(match from {
        Some(secret) => mac(secret, &[b"keys of URLs"]),
        None => mac(&random.concat(), &[b"keys of URLs"]),
    })
}

/// A MAC over texts of which each is told apart from the next.
pub(super) fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do");
    for part in parts {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// A key of a URL, as it was read.
#[derive(Clone, Debug)]
pub struct Key {
    pub(super) token: TokenNumber,
    mac: [u8; MAC],
}

impl Key {
    /// Reads the text of a key.
    pub fn read(text: &str) -> Option<Self> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let (token, mac) = bytes.split_at_checked(NUMBER)?;
        Some(Self { token: TokenNumber(token.try_into().ok()?), mac: mac.try_into().ok()? })
    }
}

/// How a caller has access to its tenant.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The token, or the one from which its key was made. `None` on a server without tokens.
    pub token: Option<Arc<Token>>,
    /// What the caller may do.
    pub scope: Scope,
    /// The address from which the request came, if it is known.
    pub from: Option<IpAddr>,
}

impl Access {
    /// The key for a URL of this session; `None` if a URL needs none.
    pub fn key_of(&self, session: &str) -> Option<String> {
        // With a read-only token nobody can connect.
        let token = self.token.as_ref().filter(|_| self.scope != Scope::ReadOnly);
        token.map(|token| token.key_of(session))
    }

    /// Whether the token is not accepted any more.
    pub fn is_revoked(&self) -> bool {
        self.token.as_ref().is_some_and(|token| token.revoked.is_cancelled())
    }

    /// Whether the caller may use this session of its tenant.
    pub fn covers(&self, session: &str) -> bool {
        match &self.scope {
            Scope::All | Scope::ReadOnly => true,
            Scope::Session(only) => **only == *session,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(owner: &str, text: &str) -> Arc<Token> {
        let settings = TokenSettings {
            name: "ci".into(),
            scope: Scope::All,
            expires: None,
            from: vec!["10.0.0.0/8".parse().expect("a network")],
            created: None,
        };
        Token::new(&owner.parse().expect("an owner"), TokenHash::of(text), settings, &Secret::new([7; 32]))
    }

    #[test]
    fn tokens_are_random_and_mistyped_ones_are_recognised() {
        let (one, other) = (generate(), generate());
        assert_ne!(one, other);
        let text = one.reveal();
        assert_eq!((form(text), text.len()), (Form::Token, 43));
        assert!(text.len() <= 63 && *text == text.to_lowercase(), "a token can be a label of a host name");
        for at in PREFIX.len()..text.len() {
            let mut wrong = text.clone();
            wrong.replace_range(at..=at, if &text[at..=at] == "a" { "b" } else { "a" });
            assert_eq!(form(&wrong), Form::Mistyped, "{at}");
        }
        assert_eq!(form(&text[..text.len() - 1]), Form::Mistyped);
        assert_eq!(form("hunter2"), Form::Other);
        assert_eq!(format!("{one:?}"), "***");
        assert_eq!((repeatable(text).as_str(), repeatable("ci").as_str()), ("***", "ci"));
        assert_eq!(TokenHash::from_hex(&TokenHash::of(text).to_hex()), Some(TokenHash::of(text)));
    }

    #[test]
    fn keys_are_for_one_session_of_one_token() {
        let (one, other) = (token("acme", "a"), token("acme", "b"));
        let key = one.key_of("session-1");
        assert_eq!(key.len(), 32);
        let read = Key::read(&key).expect("a key");
        assert_eq!(read.token, one.number());
        assert!(one.made(&read, "session-1"));
        assert!(!one.made(&read, "session-2") && !other.made(&read, "session-1"));
        assert!(!token("other", "a").made(&read, "session-1"));
        for wrong in ["", "x", &key[1..], &format!("{key}A"), "gmx_a"] {
            assert!(Key::read(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn tokens_are_accepted_from_their_networks() {
        let token = token("acme", "a");
        for (from, is_allowed) in [("10.1.2.3", true), ("::ffff:10.1.2.3", true), ("11.0.0.1", false), ("::1", false)] {
            assert_eq!(token.allows(from.parse().expect("an address")), is_allowed, "{from}");
        }
    }

    #[test]
    fn scopes_are_read_as_they_are_written() {
        for scope in [Scope::All, Scope::ReadOnly, Scope::Session("shop~acme".into())] {
            assert_eq!(Scope::read(&scope.to_string()), Ok(scope));
        }
        for wrong in ["", "ALL", "session:", "write"] {
            assert!(Scope::read(wrong).is_err_and(|why| why.contains("read-only")), "{wrong}");
        }
    }
}
