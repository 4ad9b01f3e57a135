//! The protocol of the running build in its JSON format. Only Chrome's HTTP interface returns it,
//! not the pipe, so a second Chrome with a port is started for this one request; it has no
//! sessions.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    codec::{Codec, CodecChoice},
    find::{Found, command_line, is_root},
    process::{Launch, Process},
    remote::{self, RemoteError},
};
use crate::config::{self, RemoteUrl};

/// Where Chrome answers with its protocol.
const PATH: &str = "/json/protocol";

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
    Http(#[from] RemoteError),
}

/// Asks a new local Chrome with its profile in `directory`, which belongs to the proxy.
pub async fn of_local(found: &Found, directory: PathBuf) -> Result<String, ProtocolError> {
    let mut flags = command_line(found.kind, is_root(), &[]);
    flags.push("--remote-debugging-port=0".to_owned());
    let launch = Launch {
        binary: found.binary.clone(),
        flags,
        directory,
        codec: CodecChoice::new(config::Codec::Json),
        cgroups: None,
        nice: 0,
        has_extensions: false,
        egress: None,
        is_gated: false,
        in_namespace: false,
    };
    // The open pipe keeps Chrome alive until the answer is there.
    let (process, _pipe) = Process::start(&launch, None, None, None, Codec::Json)?;
    let port = port(process.profile()).await;
    Ok(remote::get_from(&format!("127.0.0.1:{port}"), &[], PATH).await?)
}

/// Asks a remote Chrome.
pub async fn of_remote(url: &RemoteUrl) -> Result<String, ProtocolError> {
    Ok(remote::get(url, PATH).await?)
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
