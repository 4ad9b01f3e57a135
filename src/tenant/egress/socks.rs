//! The server's side of a SOCKS5 handshake (RFC 1928), as far as Chrome uses it: no authentication, `CONNECT` alone. PURE.
//!
//! `fast-socks5` would do it too; but it logs what it reads, and brings older versions of three crates that are here already.

use core::net::{Ipv4Addr, Ipv6Addr};

/// The answer to a greeting: version 5, no authentication.
pub(crate) const GREETED: [u8; 2] = [5, 0];
/// The answer to a greeting that does not offer to go on without authentication.
pub(crate) const NO_METHOD: [u8; 2] = [5, 0xff];

const NAME: u8 = 3;
const IPV4: u8 = 1;
const IPV6: u8 = 4;

/// A handshake that is going on.
#[derive(Debug, Default)]
pub(crate) struct SocksHandshake {
    received: Vec<u8>,
    is_greeted: bool,
}

/// What comes next in a handshake.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SocksStep {
    /// Send [`GREETED`].
    Greet,
    /// Connect to this.
    Connect(SocksRequest),
}

/// What a client wants to connect to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SocksRequest {
    /// A name as the client wrote it, or an address.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
    /// What the client has sent already for the other side.
    pub(crate) early: Vec<u8>,
}

/// Why a handshake fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadSocks {
    /// The first byte of a message is not 5.
    #[error("not SOCKS5")]
    Version,
    /// The client does not offer to go on without authentication.
    #[error("the client wants to authenticate")]
    Method,
    /// Another command than `CONNECT`.
    #[error("not CONNECT")]
    Command,
    /// An unknown kind of address, or a name that is not UTF-8.
    #[error("an address that cannot be read")]
    Address,
}

/// The codes of replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SocksReply {
    /// The connection stands.
    Succeeded = 0,
    /// The rules do not allow it.
    NotAllowed = 2,
    /// The host has no address, or none that answers.
    HostUnreachable = 4,
    /// Another command than `CONNECT`.
    Command = 7,
    /// An address that cannot be read.
    Address = 8,
}

impl SocksReply {
    /// The reply, with `0.0.0.0:0` as the address that nobody asks for.
    pub(crate) fn bytes(self) -> [u8; 10] {
        [5, self as u8, 0, IPV4, 0, 0, 0, 0, 0, 0]
    }
}

impl SocksHandshake {
    /// The client has sent these bytes. Each message of the handshake has less than 300.
    pub(crate) fn on_bytes(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
    }

    /// What comes next; `None` if more bytes are needed.
    pub(crate) fn poll_step(&mut self) -> Result<Option<SocksStep>, BadSocks> {
        if !self.is_greeted {
            let Some(length) = greeting(&self.received)? else { return Ok(None) };
            self.received.drain(..length);
            self.is_greeted = true;
            return Ok(Some(SocksStep::Greet));
        }
        let Some((host, port, length)) = request(&self.received)? else { return Ok(None) };
        let early = self.received.split_off(length);
        self.received.clear();
        Ok(Some(SocksStep::Connect(SocksRequest { host, port, early })))
    }
}

/// `VERSION COUNT METHOD…`: the length of a whole one.
fn greeting(bytes: &[u8]) -> Result<Option<usize>, BadSocks> {
    if bytes.first().is_some_and(|version| *version != 5) {
        return Err(BadSocks::Version);
    }
    let Some(count) = bytes.get(1).map(|count| usize::from(*count)) else { return Ok(None) };
    let Some(methods) = bytes.get(2..2 + count) else { return Ok(None) };
    if methods.contains(&0) { Ok(Some(2 + count)) } else { Err(BadSocks::Method) }
}

/// `VERSION COMMAND 0 KIND ADDRESS PORT`: host, port and the length of a whole one.
fn request(bytes: &[u8]) -> Result<Option<(String, u16, usize)>, BadSocks> {
    if bytes.first().is_some_and(|version| *version != 5) {
        return Err(BadSocks::Version);
    }
    if bytes.get(1).is_some_and(|command| *command != 1) {
        return Err(BadSocks::Command);
    }
    let start = match bytes.get(3) {
        Some(&NAME) => 5,
        Some(&(IPV4 | IPV6)) => 4,
        Some(_) => return Err(BadSocks::Address),
        None => return Ok(None),
    };
    let length = match (bytes[3], bytes.get(4)) {
        (IPV4, _) => 4,
        (IPV6, _) => 16,
        (_, Some(length)) => usize::from(*length),
        (_, None) => return Ok(None),
    };
    let end = start + length;
    let (Some(address), Some(port)) = (bytes.get(start..end), bytes.get(end..end + 2)) else { return Ok(None) };
    let host = if let Ok(four) = <[u8; 4]>::try_from(address)
        && bytes[3] == IPV4
    {
        Ipv4Addr::from(four).to_string()
    } else if let Ok(sixteen) = <[u8; 16]>::try_from(address)
        && bytes[3] == IPV6
    {
        Ipv6Addr::from(sixteen).to_string()
    } else {
        String::from_utf8(address.to_vec()).map_err(|_| BadSocks::Address)?
    };
    Ok(Some((host, u16::from_be_bytes([port[0], port[1]]), end + 2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(bytes: &[u8]) -> Result<Option<SocksRequest>, BadSocks> {
        let mut handshake = SocksHandshake::default();
        handshake.on_bytes(bytes);
        while let Some(step) = handshake.poll_step()? {
            if let SocksStep::Connect(request) = step {
                return Ok(Some(request));
            }
        }
        Ok(None)
    }

    fn asked(bytes: &[u8]) -> Option<(String, u16, Vec<u8>)> {
        let request = outcome(bytes).expect("a handshake")?;
        Some((request.host, request.port, request.early))
    }

    #[test]
    fn names_and_addresses_are_read() {
        let named = b"\x05\x01\x00\x05\x01\x00\x03\x0bexample.com\x01\xbb";
        assert_eq!(asked(named), Some(("example.com".into(), 443, vec![])));
        let early = b"\x05\x02\x02\x00\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50GET";
        assert_eq!(asked(early), Some(("127.0.0.1".into(), 80, b"GET".to_vec())));
        let v6 = b"\x05\x01\x00\x05\x01\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x1f\x90";
        assert_eq!(asked(v6), Some(("::1".into(), 8080, vec![])));
        for cut in 0..named.len() {
            assert_eq!(asked(&named[..cut]), None, "{cut} bytes");
        }
    }

    #[test]
    fn what_is_not_a_connect_is_refused() {
        for (bytes, error) in [
            (&b"GET / HTTP/1.1\r\n"[..], BadSocks::Version),
            (b"\x04\x01", BadSocks::Version),
            (b"\x05\x01\x02", BadSocks::Method),
            (b"\x05\x00", BadSocks::Method),
            (b"\x05\x01\x00\x04\x01\x00\x01", BadSocks::Version),
            (b"\x05\x01\x00\x05\x02\x00\x01", BadSocks::Command),
            (b"\x05\x01\x00\x05\x03\x00\x01", BadSocks::Command),
            (b"\x05\x01\x00\x05\x01\x00\x05", BadSocks::Address),
            (b"\x05\x01\x00\x05\x01\x00\x03\x01\xff\x00\x50", BadSocks::Address),
        ] {
            assert_eq!(outcome(bytes), Err(error), "{bytes:?}");
        }
    }
}
