//! Acts over HTTP that need no CDP connection.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// Time limit of an answer.
const PATIENCE: Duration = Duration::from_secs(70);
/// The number of bytes of a body that are written at once.
const PIECE: usize = 1 << 20;

/// The status of a GET, after its whole answer was read.
pub(super) fn get(address: SocketAddr, path: &str) -> io::Result<u16> {
    let mut socket = connect(address)?;
    write!(socket, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    status(&mut socket)
}

/// The status of a POST with this many bytes: `head`, then `filling` repeatedly, then `tail`. A
/// server may answer before it has read all.
pub(super) fn post(
    address: SocketAddr,
    path: &str,
    kind: &str,
    head: &str,
    filling: &str,
    times: usize,
    tail: &str,
) -> io::Result<u16> {
    let mut socket = connect(address)?;
    let length = head.len() + filling.len() * times + tail.len();
    write!(
        socket,
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{head}"
    )?;
    let at_once = (PIECE / filling.len().max(1)).max(1);
    let piece = filling.repeat(at_once);
    let mut left = times;
    let mut write = || -> io::Result<()> {
        while left > 0 {
            let now = left.min(at_once);
            socket.write_all(&piece.as_bytes()[..now * filling.len()])?;
            left -= now;
        }
        socket.write_all(tail.as_bytes())
    };
    let written = write();
    status(&mut socket).map_err(|error| written.err().unwrap_or(error))
}

/// A connection on which only this is sent.
pub(super) fn unfinished(address: SocketAddr, said: &[u8]) -> io::Result<TcpStream> {
    let mut socket = connect(address)?;
    // The server may have closed the connection.
    let _ = socket.write_all(said);
    Ok(socket)
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// Chrome keeps the connection open in spite of `Connection: close`; the head states the length of
/// the answer.
fn status(socket: &mut TcpStream) -> io::Result<u16> {
    let mut lines = BufReader::new(socket);
    let (mut status, mut length) = (None, None);
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if status.is_none() {
            status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse::<u64>().ok();
        }
    }
    let mut rest = lines.take(length.unwrap_or(u64::MAX));
    io::copy(&mut rest, &mut io::sink())?;
    status.ok_or_else(|| io::Error::other("an answer without a status"))
}
