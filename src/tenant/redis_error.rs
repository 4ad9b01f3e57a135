//! What is told of an error of a Redis.

use std::time::Duration;

use redis::{ErrorKind, RedisError};

/// Why a Redis was asked in vain, without a password. `answer` is how long it may take.
pub(super) fn reason(error: &RedisError, answer: Duration) -> String {
    match error.kind() {
        // The error's text can contain what was sent.
        ErrorKind::AuthenticationFailed => "the user or the password is wrong".to_owned(),
        _ if error.is_timeout() => format!("no answer within {} ms", answer.as_millis()),
        _ => error.to_string(),
    }
}
