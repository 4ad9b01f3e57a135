//! A SOCKS5 handshake is read as RFC 1928 says, wherever its bytes are cut, and nothing of it is lost.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::tenant::egress::socks::{BadSocks, SocksHandshake, SocksRequest, SocksStep};

pub(super) fn fixtures() -> Vec<Vec<u8>> {
    let seeds: [&[u8]; 7] = [
        b"\x05\x01\x00\x05\x01\x00\x03\x0bexample.com\x01\xbb",
        b"\x05\x02\x00\x02\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50GET / HTTP/1.1\r\n\r\n",
        b"\x05\x01\x00\x05\x01\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x1f\x90",
        b"\x05\x01\x02",
        b"\x05\x01\x00\x05\x02\x00\x01\x7f\x00\x00\x01\x00\x50",
        b"\x05\x01\x00\x05\x01\x00\x03\x00\x00\x50",
        b"CONNECT example.com:443 HTTP/1.1\r\n\r\n",
    ];
    seeds.map(<[u8]>::to_vec).to_vec()
}

pub(super) fn run(input: &[u8]) {
    let whole = read(input, input.len().max(1));
    for size in [1, 2, 7] {
        assert_eq!(read(input, size).0, whole.0, "in pieces of {size}");
    }
    let (outcome, greetings) = whole;
    assert!(greetings <= 1);
    if let Ok(Some(request)) = outcome {
        assert_eq!(greetings, 1);
        assert_eq!(Some(request), expected(input), "{input:?}");
    } else if let Some(request) = expected(input) {
        panic!("{request:?} is not read from {input:?}: {outcome:?}");
    }
}

/// What a handshake comes to, with the number of greetings that are answered. All bytes come before the request is taken.
fn read(input: &[u8], size: usize) -> (Result<Option<SocksRequest>, BadSocks>, usize) {
    let mut handshake = SocksHandshake::default();
    let mut greetings = 0;
    let mut pieces = input.chunks(size);
    loop {
        match handshake.poll_step() {
            Ok(Some(SocksStep::Greet)) => greetings += 1,
            Ok(Some(SocksStep::Connect(mut request))) => {
                pieces.for_each(|piece| request.early.extend_from_slice(piece));
                return (Ok(Some(request)), greetings);
            }
            Ok(None) => match pieces.next() {
                Some(piece) => handshake.on_bytes(piece),
                None => return (Ok(None), greetings),
            },
            Err(error) => return (Err(error), greetings),
        }
    }
}

/// The same, read in another way.
fn expected(input: &[u8]) -> Option<SocksRequest> {
    let (greeting, rest) = input.strip_prefix(&[5])?.split_first()?;
    let (methods, rest) = rest.split_at_checked(usize::from(*greeting))?;
    methods.contains(&0).then_some(())?;
    let [5, 1, _, kind, rest @ ..] = rest else { return None };
    let (host, rest) = match kind {
        1 => rest.split_first_chunk::<4>().map(|(v4, rest)| (Ipv4Addr::from(*v4).to_string(), rest))?,
        4 => rest.split_first_chunk::<16>().map(|(v6, rest)| (Ipv6Addr::from(*v6).to_string(), rest))?,
        3 => {
            let (length, rest) = rest.split_first()?;
            let (name, rest) = rest.split_at_checked(usize::from(*length))?;
            (str::from_utf8(name).ok()?.to_owned(), rest)
        }
        _ => return None,
    };
    let (port, early) = rest.split_first_chunk::<2>()?;
    Some(SocksRequest { host, port: u16::from_be_bytes(*port), early: early.to_vec() })
}
