//! The side of the processes in a network namespace: the keeper, and what becomes a browser.
//!
//! Both run before this program has a second thread.

use std::{
    convert::Infallible,
    ffi::OsString,
    fs,
    io::{self, stdin},
    net::{Ipv4Addr, TcpListener},
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    process::Command,
};

use nix::{
    errno::Errno,
    sched::{CloneFlags, setns, unshare},
    unistd::{getegid, geteuid},
};

use super::{Answer, interfaces, receive, send};

/// Makes a network namespace, then sockets in it for the server, which is on the other side of the standard input, until that
/// has ended. Must be called before the process has a second thread.
///
/// Fails if the system does not allow it, or if the server does not listen.
pub fn keep() -> io::Result<()> {
    let server = stdin();
    match make() {
        Ok(without_interface) => send(&server, &Answer::Ready { without_interface }.write(), None)?,
        Err(error) => return send(&server, &Answer::Failed(error.to_string()).write(), None),
    }
    loop {
        let (request, _) = receive(&server)?;
        let Ok(ip) = <[u8; 4]>::try_from(&*request) else { return Ok(()) };
        match TcpListener::bind((Ipv4Addr::from(ip), 0)) {
            Ok(listener) => send(&server, &Answer::Listening.write(), Some(&listener))?,
            Err(error) => send(&server, &Answer::Failed(error.to_string()).write(), None)?,
        }
    }
}

/// Becomes a program in the network namespace of the process `pid`. Must be called before the process has a second thread.
///
/// Returns only if that fails: the process is gone, the system does not allow it, or the program cannot be run.
pub fn enter(pid: u32, program: &OsString, arguments: &[OsString]) -> io::Result<Infallible> {
    let open = |of: &str, kind: &str| fs::File::open(format!("/proc/{of}/ns/{kind}"));
    let of = pid.to_string();
    let (user, network) = (open(&of, "user")?, open(&of, "net")?);
    // Nobody may enter the user namespace that he is in.
    if user.metadata()?.ino() != open("self", "user")?.metadata()?.ino() {
        setns(user, CloneFlags::CLONE_NEWUSER)?;
    }
    setns(network, CloneFlags::CLONE_NEWNET)?;
    Err(Command::new(program).args(arguments).exec())
}

/// Makes the namespace. If it has no interface besides that of loopback, returns why.
fn make() -> io::Result<Option<String>> {
    match unshare(CloneFlags::CLONE_NEWNET) {
        Err(Errno::EPERM) => in_a_user_namespace()?,
        made => made?,
    }
    interfaces::raise_loopback()?;
    Ok(interfaces::add_pair().err().map(|error| error.to_string()))
}

/// Makes the namespace in a user namespace, in which this process may make one (`user_namespaces(7)`). The user and the group
/// stay what they are, and files belong to whom they did.
fn in_a_user_namespace() -> io::Result<()> {
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("{group} {group} 1"))
}
