//! The protocol of the running build in its JSON format. Only Chrome's HTTP interface returns it,
//! not the pipe, so a second Chrome with a port is started for this one request; it has no
//! sessions.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use hyper::Method;

use super::{
    codec::{Codec, CodecChoice},
    find::{Found, command_line, is_root},
    http_request::{self, RequestError},
    process::{Launch, Process},
};
use crate::config;

/// The interval of the checks whether Chrome has written its port.
const LOOK: Duration = Duration::from_millis(20);

/// Why the protocol is not available.
#[derive(Debug, thiserror::Error)]
pub enum ProtocolError {
    /// An error of a file, process or socket.
    #[error("Chrome could not be asked for its protocol: {0}")]
    Io(#[from] io::Error),
    /// The HTTP request failed.
    #[error("Chrome could not be asked for its protocol: {0}")]
    Http(#[from] RequestError),
    /// The answer was not the protocol.
    #[error("Chrome did not answer with its protocol, but with {0}")]
    Odd(String),
}

/// Asks a new local Chrome with its profile in `directory`, which belongs to the proxy.
pub async fn of_local(found: &Found, directory: PathBuf) -> Result<String, ProtocolError> {
    let mut flags = command_line(found.kind, is_root(), &[]);
    flags.push("--remote-debugging-port=0".to_owned());
    let launch =
        Launch { binary: found.binary.clone(), flags, directory, codec: CodecChoice::new(config::Codec::Json) };
    // The open pipe keeps Chrome alive until the answer is there.
    let (process, _pipe) = Process::start(&launch, Codec::Json)?;
    let port = port(process.profile()).await;
    get(&format!("127.0.0.1:{port}")).await
}

/// Asks a remote Chrome, at the host and port of its `ws://` URL.
pub async fn of_remote(url: &str) -> Result<String, ProtocolError> {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or(authority);
    get(authority.rsplit_once('@').map_or(authority, |(_, host)| host)).await
}

/// Chrome writes its port into the first line of a file in its profile.
async fn port(profile: &Path) -> u16 {
    let file = profile.join("DevToolsActivePort");
    loop {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        if let Some(port) = text.lines().next().and_then(|line| line.parse().ok()) {
            return port;
        }
        // A file of another process can only be polled; the caller sets the deadline.
        tokio::time::sleep(LOOK).await;
    }
}

async fn get(authority: &str) -> Result<String, ProtocolError> {
    let (status, body) = http_request::send(authority, Method::GET, "/json/protocol", &[]).await?;
    if status != 200 {
        return Err(ProtocolError::Odd(format!("status {status}")));
    }
    Ok(body)
}
