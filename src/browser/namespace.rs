//! A network namespace for one browser (`network_namespaces(7)`): whatever runs in it reaches the gates of that browser, and
//! nothing else of any network.
//!
//! A process of its own, the *keeper*, makes the namespace and the sockets in it. It is needed because only a process with one
//! thread may enter a user namespace (`setns(2)`), which is the way for users other than root.

mod interfaces;
mod keeper;

use std::{
    ffi::OsString,
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    net::{Ipv4Addr, TcpListener},
    os::fd::{AsFd, OwnedFd},
    process::Stdio,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use rustix::{
    cmsg_space,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
        SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
        sockopt::{Timeout, set_socket_timeout},
    },
};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

pub use self::keeper::{enter, keep};
use crate::port::egress::GateSockets;

/// How long a keeper may take to make its namespace, and then each socket. It takes some milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);
/// This program, also if its file has been replaced since it was started (proc(5)).
const OWN_PROGRAM: &str = "/proc/self/exe";
/// The hidden command of this program whose parts are [`keep`] and [`enter`].
const COMMAND: &str = "namespace";
/// The longest message between a keeper and its server, in bytes; the longest has an error's text.
const LONGEST: usize = 512;

/// Why a browser has no network namespace.
#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    /// The keeper could not be started, or does not answer.
    #[error("the process that keeps it failed: {0}")]
    Keeper(#[from] io::Error),
    /// The system does not allow it.
    #[error(
        "{0}; it needs CAP_SYS_ADMIN, or user namespaces for all users (sysctl user.max_user_namespaces, and in Ubuntu \
         kernel.apparmor_restrict_unprivileged_userns=0)"
    )]
    Refused(String),
}

/// A network namespace. When it is dropped, its keeper is ended; the kernel removes it after its last process.
/// To be dropped after the browser has ended.
#[derive(Debug)]
pub(super) struct NetworkNamespace {
    // Guards a request until its answer has come.
    keeper: Mutex<OwnedFd>,
    pid: u32,
    without_interface: Option<String>,
    // Guards the keeper's process until its end is waited for.
    child: Mutex<Option<Child>>,
    closed: CancellationToken,
}

impl NetworkNamespace {
    /// Blocks for some milliseconds; must be called within a runtime.
    fn make() -> Result<Self, NamespaceError> {
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
            .map_err(io::Error::from)?;
        for timeout in [Timeout::Recv, Timeout::Send] {
            set_socket_timeout(&ours, timeout, Some(PATIENCE)).map_err(io::Error::from)?;
        }
        let child = Command::new(OWN_PROGRAM)
            .args([COMMAND, "keep"])
            .env_clear()
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id().ok_or_else(|| io::Error::other("it has ended"))?;
        let (first, _) = receive(&ours)?;
        match Answer::read(&first) {
            Some(Answer::Ready { without_interface }) => Ok(Self {
                keeper: Mutex::new(ours),
                pid,
                without_interface,
                child: Mutex::new(Some(child)),
                closed: CancellationToken::new(),
            }),
            Some(Answer::Failed(why)) => Err(NamespaceError::Refused(why)),
            _ => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        }
    }

    /// Why it has no interface besides that of loopback, if it has none: then Chrome believes to be offline.
    pub(super) fn without_interface(&self) -> Option<&str> {
        self.without_interface.as_deref()
    }

    /// The browser runs as this process group: it is ended if the keeper ends, because no context could have a gate any more.
    pub(super) fn started(&self, group: Pid) {
        let child = self.child.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (Some(mut child), closed) = (child, self.closed.clone()) else { return };
        tokio::spawn(async move {
            tokio::select! {
                biased;
                // Dropping the child ends it.
                () = closed.cancelled() => {}
                ended = child.wait() => {
                    let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
                    tracing::error!(how, "the process that keeps the network namespace of a browser has ended, and so must the browser");
                    let _ = killpg(group, Signal::SIGKILL);
                }
            }
        });
    }

    /// The words of a command line before those of a program that is to run in the namespace.
    pub(super) fn entrance(&self) -> Vec<OsString> {
        [OWN_PROGRAM, COMMAND, "enter", &self.pid.to_string(), "--"].map(OsString::from).into()
    }
}

/// Whether the system allows network namespaces; and why they have no interface besides that of loopback, if they have none.
///
/// Fails if it allows none.
pub async fn try_one() -> Result<Option<String>, NamespaceError> {
    Ok(make().await?.without_interface.clone())
}

/// Makes a namespace on a thread that may block.
pub(super) async fn make() -> Result<NetworkNamespace, NamespaceError> {
    tokio::task::spawn_blocking(NetworkNamespace::make).await.map_err(io::Error::other)?
}

impl Drop for NetworkNamespace {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

impl GateSockets for NetworkNamespace {
    fn listen(&self, ip: Ipv4Addr) -> io::Result<TcpListener> {
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        send(&*keeper, &ip.octets(), None)?;
        let (answer, socket) = receive(&*keeper)?;
        match (Answer::read(&answer), socket) {
            (Some(Answer::Listening), Some(socket)) => Ok(socket.into()),
            (Some(Answer::Failed(why)), _) => Err(io::Error::other(why)),
            _ => Err(io::Error::other("the process that keeps the network namespace has ended")),
        }
    }
}

/// What a keeper says.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// The namespace has been made. If it has no interface besides that of loopback, why.
    Ready { without_interface: Option<String> },
    /// The message has the socket that was asked for.
    Listening,
    /// It was not possible.
    Failed(String),
}

impl Answer {
    fn read(bytes: &[u8]) -> Option<Self> {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        match bytes {
            b"r" => Some(Self::Ready { without_interface: None }),
            [b'r', why @ ..] => Some(Self::Ready { without_interface: Some(text(why)) }),
            [b'l'] => Some(Self::Listening),
            [b'f', why @ ..] => Some(Self::Failed(text(why))),
            _ => None,
        }
    }

    fn write(&self) -> Vec<u8> {
        let mut bytes = match self {
            Self::Ready { without_interface } => {
                [b"r", without_interface.as_deref().unwrap_or_default().as_bytes()].concat()
            }
            Self::Listening => vec![b'l'],
            Self::Failed(why) => [b"f", why.as_bytes()].concat(),
        };
        bytes.truncate(LONGEST);
        bytes
    }
}

fn send(to: impl AsFd, bytes: &[u8], socket: Option<&TcpListener>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut with = SendAncillaryBuffer::new(&mut space);
    let sockets = socket.map(AsFd::as_fd);
    if let Some(socket) = &sockets {
        with.push(SendAncillaryMessage::ScmRights(std::slice::from_ref(socket)));
    }
    sendmsg(to, &[IoSlice::new(bytes)], &mut with, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The next message, and the socket that came with it. Nothing if the other side has ended.
fn receive(from: impl AsFd) -> io::Result<(Vec<u8>, Option<OwnedFd>)> {
    let mut bytes = vec![0; LONGEST];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut with = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(from, &mut [IoSliceMut::new(&mut bytes)], &mut with, RecvFlags::CMSG_CLOEXEC)?;
    bytes.truncate(received.bytes);
    let socket = with.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut sockets) => sockets.next(),
        _ => None,
    });
    Ok((bytes, socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_a_keeper_are_read_as_they_were_written() {
        let long = "x".repeat(LONGEST);
        for answer in [
            Answer::Ready { without_interface: None },
            Answer::Ready { without_interface: Some("Operation not supported (os error 95)".to_owned()) },
            Answer::Listening,
            Answer::Failed("Operation not permitted (os error 1)".to_owned()),
        ] {
            assert_eq!(Answer::read(&answer.write()), Some(answer));
        }
        assert_eq!(Answer::Failed(long).write().len(), LONGEST);
        assert_eq!(Answer::read(b""), None, "the keeper has ended");
        assert_eq!(Answer::read(b"?"), None);
    }

    #[test]
    fn sockets_arrive_with_their_message() {
        let (one, other) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).expect("sockets");
        let listener = TcpListener::bind("127.78.0.1:0").expect("a listener");
        send(&one, b"l", Some(&listener)).expect("sent");
        send(&one, b"f", None).expect("sent");
        drop(one);
        let (bytes, socket) = receive(&other).expect("received");
        let socket = TcpListener::from(socket.expect("a socket"));
        assert_eq!(socket.local_addr().expect("an address"), listener.local_addr().expect("an address"));
        assert_eq!(bytes, b"l");
        assert!(matches!(receive(&other), Ok((bytes, None)) if bytes == b"f"));
        assert!(matches!(receive(&other), Ok((bytes, None)) if bytes.is_empty()), "the other side has ended");
    }
}
