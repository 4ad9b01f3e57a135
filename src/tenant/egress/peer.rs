//! Whether a connection to a gate is from a process of its browser.
//!
//! The kernel is asked for the inode of the connecting socket (`sock_diag(7)`); then the processes of the browser
//! are searched for a file descriptor of that inode (`/proc/PID/fd`, proc(5)). Every connection of a Chrome is made by one
//! process, its network service, which is tried first.

use std::{
    io,
    net::{SocketAddr, SocketAddrV4},
    sync::atomic::{AtomicU32, Ordering},
};

use netlink_packet_core::{NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::{
    SockDiagMessage,
    constants::{AF_INET, IPPROTO_TCP},
    inet::{ExtensionFlags, InetRequest, SocketId, StateFlags},
};
use netlink_sys::{Socket, SocketAddr as NetlinkAddress, protocols::NETLINK_SOCK_DIAG};
use procfs::process::Process;

/// The processes of one browser.
#[derive(Debug, Default)]
pub(super) struct BrowserProcesses {
    /// The process group; 0 until the browser has been started.
    group: AtomicU32,
    /// The process that made the last connection; 0 if none has.
    last: AtomicU32,
}

impl BrowserProcesses {
    pub(super) fn started(&self, process_group: u32) {
        self.group.store(process_group, Ordering::Release);
    }

    /// Whether one of the processes has the socket that is connected from `peer` to `gate`. Takes some 100 µs, and for
    /// another process some 10 µs for each process of the machine: not to be called on a thread of the runtime.
    ///
    /// Fails if the kernel does not tell.
    pub(super) fn own(&self, peer: SocketAddrV4, gate: SocketAddrV4) -> io::Result<bool> {
        let group = self.group.load(Ordering::Acquire);
        if group == 0 {
            return Ok(false);
        }
        let Some(inode) = inode(peer, gate)? else { return Ok(false) };
        let is_of_group = |process: &Process| process.stat().is_ok_and(|stat| u32::try_from(stat.pgrp) == Ok(group));
        let last = i32::try_from(self.last.load(Ordering::Relaxed)).ok().filter(|pid| *pid > 0);
        if let Some(last) = last.and_then(|pid| Process::new(pid).ok())
            && is_of_group(&last)
            && has(&last, inode)
        {
            return Ok(true);
        }
        // A process may end at any moment; then it has nothing.
        let processes = procfs::process::all_processes().map_err(io::Error::other)?.filter_map(Result::ok);
        for process in processes.filter(is_of_group) {
            if has(&process, inode) {
                self.last.store(u32::try_from(process.pid).unwrap_or(0), Ordering::Relaxed);
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn has(process: &Process, inode: u64) -> bool {
    let socket = format!("socket:[{inode}]");
    // One system call for each descriptor, where `Process::fd` makes four.
    let Ok(descriptors) = std::fs::read_dir(format!("/proc/{}/fd", process.pid)) else { return false };
    let mut targets = descriptors.flatten().filter_map(|descriptor| std::fs::read_link(descriptor.path()).ok());
    targets.any(|target| target.as_os_str() == socket.as_str())
}

/// The inode of the TCP socket that is connected from `from` to `to`, if there is one.
fn inode(from: SocketAddrV4, to: SocketAddrV4) -> io::Result<Option<u64>> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST;
    let request = InetRequest {
        family: AF_INET,
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::empty(),
        states: StateFlags::all(),
        socket_id: SocketId {
            source_port: from.port(),
            destination_port: to.port(),
            source_address: (*from.ip()).into(),
            destination_address: (*to.ip()).into(),
            interface_id: 0,
            // Any socket: INET_DIAG_NOCOOKIE.
            cookie: [0xff; 8],
        },
    };
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(SockDiagMessage::InetRequest(request)));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);

    let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
    socket.bind_auto()?;
    socket.connect(&NetlinkAddress::new(0, 0))?;
    socket.send(&bytes, 0)?;
    // The kernel has answered when the message is sent.
    socket.set_non_blocking(true)?;
    let (answer, _) = socket.recv_from_full()?;
    let answer = NetlinkMessage::<SockDiagMessage>::deserialize(&answer).map_err(io::Error::other)?;
    match answer.payload {
        NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(found)) => {
            let id = &found.header.socket_id;
            let is_it = (id.source_port, id.destination_port) == (from.port(), to.port());
            // 0 is a socket without a descriptor: one that has been closed.
            Ok(Some(u64::from(found.header.inode)).filter(|inode| is_it && *inode != 0))
        }
        NetlinkPayload::Error(error) => match error.to_io() {
            error if error.kind() == io::ErrorKind::NotFound => Ok(None),
            error => Err(error),
        },
        _ => Err(io::Error::other("sock_diag answered what nobody asked for")),
    }
}

/// The two ends of a connection to a gate, which are of IPv4.
pub(super) fn ends(peer: SocketAddr, gate: SocketAddr) -> Option<(SocketAddrV4, SocketAddrV4)> {
    match (peer, gate) {
        (SocketAddr::V4(peer), SocketAddr::V4(gate)) => Some((peer, gate)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{TcpListener, TcpStream},
        os::unix::process::CommandExt as _,
        process::{Command, Stdio},
    };

    use super::*;

    fn own_group() -> u32 {
        nix::unistd::getpgrp().as_raw().try_into().expect("a process group")
    }

    #[test]
    fn connections_of_the_browsers_processes_are_told_from_others() {
        let listener = TcpListener::bind("127.77.0.1:0").expect("a listener");
        let gate = listener.local_addr().expect("an address");
        let client = TcpStream::connect(gate).expect("a connection");
        let (_accepted, peer) = listener.accept().expect("a connection");
        let (peer, gate) = ends(peer, gate).expect("IPv4");

        let processes = BrowserProcesses::default();
        assert!(!processes.own(peer, gate).expect("sock_diag"), "the browser has not been started");
        processes.started(own_group());
        assert!(processes.own(peer, gate).expect("sock_diag"));
        assert!(processes.own(peer, gate).expect("sock_diag"), "the same process again");
        let other = SocketAddrV4::new(*peer.ip(), peer.port() ^ 1);
        assert!(!processes.own(other, gate).expect("sock_diag"), "no such connection");

        // A process group of another program, which exists.
        let mut sleeper =
            Command::new("sleep").arg("600").process_group(0).stdin(Stdio::null()).spawn().expect("sleep");
        processes.started(sleeper.id());
        assert!(!processes.own(peer, gate).expect("sock_diag"), "the connection is not of this group");
        sleeper.kill().expect("it runs");
        sleeper.wait().expect("it ends");
        drop(client);
    }
}
