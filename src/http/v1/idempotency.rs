//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a request that is repeated with the same key is performed
//! once, and answered as before.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    body::{Body, HttpBody as _, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode},
    middleware::Next,
};
use bytes::Bytes;
use futures_util::StreamExt as _;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::{
    super::reply::{Answer, Problem},
    snapshots::PATIENCE,
};
use crate::{
    api_types::{Bad, Owner},
    config::KeptLimits,
    session::manager::{Caller, SessionManager},
};

/// The header.
const KEY: &str = "idempotency-key";
/// The header of an answer that was given before.
const REPLAYED: &str = "idempotency-replayed";
/// Most characters of a key.
pub(super) const KEY_MOST: usize = 255;

/// The keys of all tenants; cheap to clone.
#[derive(Clone)]
pub(super) struct KeyBook {
    registry: SessionManager,
    // Guards the entries; held for one look-up.
    kept: Arc<Mutex<Kept>>,
}

/// A key, and whose it is. Callers that may do different things share no keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Name {
    owner: Owner,
    scope: String,
    key: String,
}

#[derive(Default)]
struct Kept {
    entries: HashMap<Name, Entry>,
    /// The keys that have an answer, in the order in which it was given.
    answered: VecDeque<(Instant, Name)>,
    of_owners: HashMap<Owner, OfOwner>,
}

/// What is kept for a tenant.
#[derive(Default)]
struct OfOwner {
    count: usize,
    bytes: usize,
    /// The keys whose answers are kept as a whole, the oldest first.
    whole: VecDeque<Name>,
}

struct Entry {
    /// Path and query.
    target: String,
    state: Progress,
}

enum Progress {
    Running,
    /// What is kept of the answer: nothing, if it was a stream, or had to make room for newer ones.
    Answered {
        body: Option<BodyHash>,
        answer: Option<Replay>,
    },
}

type BodyHash = [u8; 32];

/// An answer that can be given again.
#[derive(Clone)]
struct Replay {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// What a key means for a request.
enum Meaning {
    New,
    /// The request has an answer.
    Answered(Option<BodyHash>, Option<Replay>),
}

/// Performs a request once.
pub(super) async fn once(State(book): State<KeyBook>, request: Request, next: Next) -> Answer {
    let mut keys = request.headers().get_all(KEY).into_iter();
    let (key, is_one) = (keys.next().cloned(), keys.next().is_none());
    let Some(key) = key else { return next.run(request).await };
    if !is_one {
        return Problem::from(Bad::new("Idempotency-Key", "is given twice")).answer();
    }
    let Some(key) = read_key(&key) else {
        let why = format!("is not 1 to {KEY_MOST} visible characters of ASCII, with or without quotes around them");
        return Problem::from(Bad::new("Idempotency-Key", why)).answer();
    };
    book.perform(key, request, next).await.unwrap_or_else(|problem| problem.answer())
}

/// The key in a header: a string of RFC 8941, or the characters themselves.
fn read_key(value: &HeaderValue) -> Option<String> {
    let text = value.to_str().ok()?.trim();
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
    (is_plain && (1..=KEY_MOST).contains(&text.len())).then(|| text.to_owned())
}

impl KeyBook {
    pub(super) fn new(registry: SessionManager) -> Self {
        Self { registry, kept: Arc::default() }
    }

    async fn perform(&self, key: String, request: Request, next: Next) -> Result<Answer, Problem> {
        let Some(caller) = request.extensions().get::<Caller>().cloned() else { return Ok(next.run(request).await) };
        let limits = self.registry.request_limits().keys;
        let name = Name { owner: caller.owner().clone(), scope: caller.access.scope.to_string(), key };
        let target = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
        let meaning = self.kept().begin(&name, &target, limits)?;
        match meaning {
            Meaning::New => {}
            Meaning::Answered(body, answer) => return again(request, body, answer).await,
        }
        let mut running = Running { book: self.clone(), name: Some(name) };
        let (hashed, request) = hashing(request);
        let revoked = caller.access.token.as_ref().map(|token| token.revoked().clone());
        // It goes on if its caller hangs up: the repetition that follows gets the answer. Its operation bounds its time.
        let work = tokio::spawn(async move {
            let answer = match revoked {
                None => next.run(request).await,
                Some(revoked) => tokio::select! {
                    answer = next.run(request) => answer,
                    // Nobody is left who may see the answer.
                    () = revoked.cancelled() => return Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "the token was revoked").answer(),
                },
            };
            running.keep(answer, hashed.digest(), limits).await
        });
        work.await
            .map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "panic", "the request could not be performed"))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is being performed. Without an answer that is kept, its key is free again when it is dropped.
struct Running {
    book: KeyBook,
    name: Option<Name>,
}

impl Running {
    /// Keeps an answer, if the request may not be performed again.
    async fn keep(&mut self, answer: Answer, body: Option<BodyHash>, limits: KeptLimits) -> Answer {
        if !is_final(answer.status()) {
            return answer;
        }
        let Some(name) = self.name.take() else { return answer };
        let size = answer.body().size_hint().exact().and_then(|size| usize::try_from(size).ok());
        let Some(size) = size.filter(|size| *size <= limits.bytes) else {
            self.book.kept().end(name, body, None, limits);
            return answer;
        };
        let (parts, content) = answer.into_parts();
        // The body is in memory already.
        let content = to_bytes(content, size).await.unwrap_or_default();
        let replay = Replay { status: parts.status, headers: parts.headers.clone(), body: content.clone() };
        self.book.kept().end(name, body, Some(replay), limits);
        Answer::from_parts(parts, Body::from(content))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(name) = self.name.take() {
            self.book.kept().cancel(&name);
        }
    }
}

/// Whether a request with this answer may have had an effect. Another one is refused before anything is done, and may succeed
/// when it is sent again.
fn is_final(status: StatusCode) -> bool {
    let is_refusal = status.is_client_error() && status != StatusCode::UNPROCESSABLE_ENTITY;
    !is_refusal && status != StatusCode::SERVICE_UNAVAILABLE
}

/// Answers a request that was answered before.
async fn again(request: Request, before: Option<BodyHash>, answer: Option<Replay>) -> Result<Answer, Problem> {
    if let Some(before) = before {
        let (hashed, request) = hashing(request);
        let mut pieces = request.into_body().into_data_stream();
        while let Ok(Some(Ok(_))) = tokio::time::timeout(PATIENCE, pieces.next()).await {}
        if hashed.digest() != Some(before) {
            return Err(another("another body"));
        }
    }
    let Some(Replay { status, headers, body }) = answer else {
        let detail = "the request with this Idempotency-Key was performed, and its answer is not kept any more \
                      (idempotency_bytes), or was a stream; look at what it has changed";
        return Err(Problem::new(StatusCode::CONFLICT, "answer-not-kept", detail));
    };
    let mut again = Answer::new(Body::from(body));
    *again.status_mut() = status;
    *again.headers_mut() = headers;
    again.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(again)
}

fn another(what: &str) -> Problem {
    let detail = format!("this Idempotency-Key belongs to a request with {what}; choose a new key for each request");
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused", detail)
}

/// The digest of a body that is being read.
#[derive(Clone, Default)]
struct Hashed(Arc<Mutex<(Sha256, bool)>>);

impl Hashed {
    /// `None` if the body was not read to its end: the operation has no use for it.
    fn digest(&self) -> Option<BodyHash> {
        let of = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        of.1.then(|| of.0.clone().finalize().into())
    }
}

/// The request with a body that is hashed while it is read.
fn hashing(request: Request) -> (Hashed, Request) {
    let (parts, body) = request.into_parts();
    let hashed = Hashed::default();
    let of = hashed.clone();
    if body.is_end_stream() {
        of.0.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        return (hashed, Request::from_parts(parts, body));
    }
    let end = of.clone();
    let pieces = body.into_data_stream().inspect(move |piece| {
        if let Ok(piece) = piece {
            of.0.lock().unwrap_or_else(PoisonError::into_inner).0.update(piece);
        }
    });
    let last = futures_util::stream::poll_fn(move |_| {
        end.0.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        std::task::Poll::Ready(None)
    });
    (hashed, Request::from_parts(parts, Body::from_stream(pieces.chain(last))))
}

impl Kept {
    /// Looks a key up, and notes that its request is being performed if it is new.
    fn begin(&mut self, name: &Name, target: &str, limits: KeptLimits) -> Result<Meaning, Problem> {
        self.forget_old(limits);
        match self.entries.get(name) {
            Some(entry) if entry.target != target => return Err(another("another path")),
            Some(Entry { state: Progress::Running, .. }) => {
                let detail =
                    "the request with this Idempotency-Key is being performed; send it again later for its answer";
                let problem = Problem::new(StatusCode::CONFLICT, "idempotency-key-in-use", detail);
                return Err(Problem { retry_after: Some(1), ..problem });
            }
            Some(Entry { state: Progress::Answered { body, answer }, .. }) => {
                return Ok(Meaning::Answered(*body, answer.clone()));
            }
            None => {}
        }
        let of_owner = self.of_owners.entry(name.owner.clone()).or_default();
        if of_owner.count >= limits.count {
            let detail = format!(
                "{} Idempotency-Keys of this owner are kept, the most that idempotency_keys allows; the oldest is forgotten \
                 after idempotency_time",
                limits.count
            );
            return Err(Problem {
                retry_after: Some(5),
                ..Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many", detail)
            });
        }
        of_owner.count += 1;
        self.entries.insert(name.clone(), Entry { target: target.to_owned(), state: Progress::Running });
        Ok(Meaning::New)
    }

    /// Notes an answer. Older ones of the same owner make room for it.
    fn end(&mut self, name: Name, body: Option<BodyHash>, answer: Option<Replay>, limits: KeptLimits) {
        let Some(entry) = self.entries.get_mut(&name) else { return };
        let bytes = answer.as_ref().map_or(0, |answer| answer.body.len());
        let is_whole = answer.is_some();
        entry.state = Progress::Answered { body, answer };
        self.answered.push_back((Instant::now(), name.clone()));
        let of_owner = self.of_owners.entry(name.owner.clone()).or_default();
        of_owner.bytes += bytes;
        if is_whole {
            of_owner.whole.push_back(name);
        }
        while of_owner.bytes > limits.bytes {
            let Some(oldest) = of_owner.whole.pop_front() else { break };
            if let Some(Entry { state: Progress::Answered { answer, .. }, .. }) = self.entries.get_mut(&oldest) {
                of_owner.bytes -= answer.take().map_or(0, |answer| answer.body.len());
            }
        }
    }

    fn cancel(&mut self, name: &Name) {
        if self.entries.remove(name).is_some() {
            self.count_down(name, 0);
        }
    }

    /// Forgets what is older than it may become.
    fn forget_old(&mut self, limits: KeptLimits) {
        while self.answered.front().is_some_and(|(since, _)| since.elapsed() >= limits.time) {
            let Some((_, name)) = self.answered.pop_front() else { break };
            if let Some(Entry { state: Progress::Answered { answer, .. }, .. }) = self.entries.remove(&name) {
                self.count_down(&name, answer.map_or(0, |answer| answer.body.len()));
            }
        }
    }

    fn count_down(&mut self, name: &Name, bytes: usize) {
        let Some(of_owner) = self.of_owners.get_mut(&name.owner) else { return };
        of_owner.count -= 1;
        of_owner.bytes -= bytes;
        // It was the oldest one that had an answer.
        if of_owner.whole.front() == Some(name) {
            of_owner.whole.pop_front();
        }
        if of_owner.count == 0 {
            self.of_owners.remove(&name.owner);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LIMITS: KeptLimits = KeptLimits { time: Duration::from_secs(60), count: 2, bytes: 10 };

    fn name(owner: &str, scope: &str, key: &str) -> Name {
        Name { owner: owner.parse().expect("a name"), scope: scope.to_owned(), key: key.to_owned() }
    }

    fn answer(body: &'static str) -> Replay {
        Replay { status: StatusCode::OK, headers: HeaderMap::new(), body: Bytes::from_static(body.as_bytes()) }
    }

    fn is_new(kept: &mut Kept, name: &Name, target: &str) -> Result<bool, &'static str> {
        let meaning = kept.begin(name, target, LIMITS);
        meaning.map(|meaning| matches!(meaning, Meaning::New)).map_err(|problem| problem.kind)
    }

    #[tokio::test(start_paused = true)]
    async fn keys_belong_to_a_tenant_and_are_bounded() {
        let mut kept = Kept::default();
        let first = name("one", "all", "k");
        assert_eq!(is_new(&mut kept, &first, "/a"), Ok(true));
        assert_eq!(is_new(&mut kept, &first, "/a"), Err("idempotency-key-in-use"));
        assert_eq!(is_new(&mut kept, &first, "/b"), Err("idempotency-key-reused"));
        assert_eq!(is_new(&mut kept, &name("two", "all", "k"), "/a"), Ok(true), "another tenant");
        assert_eq!(is_new(&mut kept, &name("one", "session:s", "k"), "/a"), Ok(true), "another right");
        assert_eq!(is_new(&mut kept, &name("one", "all", "l"), "/a"), Err("too-many"));
        kept.end(first.clone(), None, Some(answer("123456")), LIMITS);
        kept.end(name("one", "session:s", "k"), None, Some(answer("123456")), LIMITS);
        let Ok(Meaning::Answered(_, None)) = kept.begin(&first, "/a", LIMITS) else { panic!("its answer made room") };
        let other = kept.begin(&name("one", "session:s", "k"), "/a", LIMITS);
        assert!(matches!(other, Ok(Meaning::Answered(_, Some(_)))));
        kept.cancel(&name("two", "all", "k"));
        tokio::time::advance(LIMITS.time).await;
        assert_eq!(is_new(&mut kept, &first, "/a"), Ok(true), "its time is over");
        kept.cancel(&first);
        assert!(kept.entries.is_empty() && kept.answered.is_empty() && kept.of_owners.is_empty());
    }

    #[tokio::test]
    async fn bodies_are_compared_by_their_digest() {
        let request = |body: &'static str| Request::new(Body::from(body));
        let digest = async |body: &'static str| {
            let (hashed, request) = hashing(request(body));
            let read = to_bytes(request.into_body(), 100).await.expect("in memory");
            assert_eq!(read, body);
            hashed.digest()
        };
        assert!(digest("a").await.is_some() && digest("a").await == digest("a").await);
        assert_ne!(digest("a").await, digest("b").await);
        assert_ne!(digest("").await, digest("b").await);
        let (hashed, _unread) = hashing(request("a"));
        assert_eq!(hashed.digest(), None);
        let before = digest("a").await;
        let refused = again(request("b"), before, Some(answer("x"))).await.expect_err("another body");
        assert_eq!(refused.kind, "idempotency-key-reused");
        let replayed = again(request("a"), before, Some(answer("x"))).await.expect("the same");
        assert_eq!(replayed.headers()[REPLAYED], "true");
        assert_eq!(again(request("a"), before, None).await.expect_err("it is gone").kind, "answer-not-kept");
    }

    #[test]
    fn answers_of_requests_that_may_have_had_an_effect_are_final() {
        for (status, is) in [
            (200, true),
            (204, true),
            (422, true),
            (502, true),
            (504, true),
            (400, false),
            (404, false),
            (409, false),
            (429, false),
            (503, false),
        ] {
            assert_eq!(is_final(StatusCode::from_u16(status).expect("a status")), is, "{status}");
        }
    }

    #[test]
    fn keys_are_strings_with_quotes_or_without() {
        let read = |text: &str| HeaderValue::from_bytes(text.as_bytes()).ok().and_then(|value| read_key(&value));
        assert_eq!((read("\"a-1\""), read(" a-1 ")), (Some("a-1".to_owned()), Some("a-1".to_owned())));
        for wrong in ["", "\"\"", "a b", "a\"b", "\u{e9}"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!((read(&"k".repeat(255)).is_some(), read(&"k".repeat(256))), (true, None));
    }
}
