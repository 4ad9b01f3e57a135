//! A client of the REST interface of a running ghostmux, for the subcommands that ask it.

use std::time::Duration;

use hyper::{Method, Uri};
use serde::Deserialize;
use tokio::net::TcpStream;

use crate::{
    browser::http_request::{self, Answered, RequestError, Sent},
    tenant::Secret,
};

/// Time limit of one request.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a server did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address of the server cannot be read.
    #[error("--server {given}: {why}; give an address such as http://127.0.0.1:9222")]
    Address {
        /// The address.
        given: String,
        /// What is wrong with it.
        why: String,
    },
    /// No connection, or it broke.
    #[error("cannot reach ghostmux at {server}: {why}; is it running there? --server names another address")]
    Unreachable {
        /// The address.
        server: String,
        /// The system's or the connection's error.
        why: String,
    },
    /// The server refused the request.
    #[error("{server} answered {status}: {detail}")]
    Refused {
        /// The address.
        server: String,
        /// Status of the answer.
        status: u16,
        /// The detail of the problem, or the body.
        detail: String,
    },
    /// The answer is not what ghostmux answers.
    #[error("{server} did not answer as ghostmux does: {why}")]
    Odd {
        /// The address.
        server: String,
        /// What is wrong.
        why: String,
    },
}

/// A server by its address.
#[derive(Clone, Debug)]
pub(super) struct Client {
    /// As it was given.
    server: String,
    /// Whether it has TLS.
    #[cfg(feature = "tls")]
    is_tls: bool,
    /// Name or address.
    #[cfg(feature = "tls")]
    host: String,
    /// Host and port.
    authority: String,
    /// Path before that of every request; empty, or without a slash at its end.
    prefix: String,
    /// The token of the tenant. Not a flag: other users can see those.
    token: Option<Secret>,
}

/// The variable with the token for a server that has tenants.
const TOKEN: &str = "GHOSTMUX_TOKEN";

impl Client {
    /// The server at an `http://` or `https://` URL.
    pub(super) fn new(server: &str) -> Result<Self, ClientError> {
        let wrong = |why: &str| ClientError::Address { given: server.to_owned(), why: why.to_owned() };
        let url: Uri = server.parse().map_err(|error| wrong(&format!("{error}")))?;
        let is_tls = match url.scheme_str() {
            Some("http") => false,
            Some("https") if cfg!(feature = "tls") => true,
            Some("https") => return Err(wrong("this ghostmux was built without TLS (cargo feature tls)")),
            Some(other) => return Err(wrong(&format!("it begins with {other}://, not with http:// or https://"))),
            None => return Err(wrong("it does not begin with http:// or https://")),
        };
        let (Some(host), port) = (url.host(), url.port_u16().unwrap_or(if is_tls { 443 } else { 80 })) else {
            return Err(wrong("it names no host"));
        };
        let prefix = url.path().trim_end_matches('/').to_owned();
        let token = std::env::var(TOKEN).ok().filter(|token| !token.is_empty()).map(Secret::new);
        let authority = format!("{host}:{port}");
        Ok(Self {
            server: server.to_owned(),
            #[cfg(feature = "tls")]
            is_tls,
            #[cfg(feature = "tls")]
            host: host.to_owned(),
            authority,
            prefix,
            token,
        })
    }

    /// The answer to a GET, as text.
    pub(super) async fn get(&self, path: &str) -> Result<String, ClientError> {
        self.ask_in_time(Method::GET, path).await
    }

    /// The answer to a POST without a body, as text.
    pub(super) async fn post(&self, path: &str) -> Result<String, ClientError> {
        self.ask_in_time(Method::POST, path).await
    }

    async fn ask_in_time(&self, method: Method, path: &str) -> Result<String, ClientError> {
        match tokio::time::timeout(PATIENCE, self.ask(method, path)).await {
            Ok(answer) => answer,
            Err(_) => Err(self.unreachable(format!("no answer within {} s", PATIENCE.as_secs()))),
        }
    }

    async fn ask(&self, method: Method, path: &str) -> Result<String, ClientError> {
        let Answered { status, body, .. } = self.exchange(&method, path, &[], "").await?;
        if (200..300).contains(&status) {
            return Ok(body);
        }
        Err(ClientError::Refused { server: self.server.clone(), status, detail: detail(body) })
    }

    /// The answer to a request, whatever its status is. It may take any time.
    pub(super) async fn exchange(
        &self,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Answered, ClientError> {
        // By a name or a forwarder the server answers only what carries this header.
        let mut headers = [&[("x-ghostmux", "1")], headers].concat();
        let bearer = self.token.as_ref().map(|token| format!("Bearer {}", token.reveal()));
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        let path = format!("{}{path}", self.prefix);
        let answer = self.send(Sent { method, path: &path, headers: &headers, body }).await;
        answer.map_err(|error| match error {
            RequestError::Unreachable(why) => self.unreachable(why),
            RequestError::Odd(why) => self.odd(why),
        })
    }

    async fn send(&self, sent: Sent<'_>) -> Result<Answered, RequestError> {
        let unreachable = |error: std::io::Error| RequestError::Unreachable(error.to_string());
        #[cfg(feature = "tls")]
        if self.is_tls {
            let stream = super::tls::connect(&self.authority, &self.host).await.map_err(unreachable)?;
            return http_request::exchange(stream, &self.authority, sent).await;
        }
        let stream = TcpStream::connect(&self.authority).await.map_err(unreachable)?;
        http_request::exchange(stream, &self.authority, sent).await
    }

    /// An answer read as a value.
    pub(super) fn read<'a, T: Deserialize<'a>>(&self, text: &'a str) -> Result<T, ClientError> {
        serde_json::from_str(text).map_err(|error| self.odd(error.to_string()))
    }

    fn unreachable(&self, why: String) -> ClientError {
        ClientError::Unreachable { server: self.server.clone(), why }
    }

    fn odd(&self, why: String) -> ClientError {
        ClientError::Odd { server: self.server.clone(), why }
    }
}

/// The detail of a problem (RFC 9457), or the body where it is none.
pub(super) fn detail(body: String) -> String {
    #[derive(Deserialize)]
    struct Problem {
        detail: String,
    }

    serde_json::from_str(&body).map_or(body, |problem: Problem| problem.detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_give_host_port_and_prefix() {
        let of = |server| Client::new(server).map(|client| (client.authority, client.prefix));
        assert_eq!(of("http://127.0.0.1:9222").ok(), Some(("127.0.0.1:9222".to_owned(), String::new())));
        assert_eq!(of("http://[::1]:9222/").ok(), Some(("[::1]:9222".to_owned(), String::new())));
        assert_eq!(of("http://name/ghostmux/").ok(), Some(("name:80".to_owned(), "/ghostmux".to_owned())));
        #[cfg(feature = "tls")]
        assert_eq!(of("https://name/x").ok(), Some(("name:443".to_owned(), "/x".to_owned())));
        for wrong in ["127.0.0.1:9222", "ftp://name", "ws://name", "", "http://"] {
            let error = of(wrong).expect_err(wrong).to_string();
            assert!(error.contains("--server") && error.contains("http://127.0.0.1:9222"), "{error}");
        }
    }
}
