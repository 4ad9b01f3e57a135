//! Addresses of special purpose: of this machine, of private networks, of documentation, of multicast and so on.
//!
//! Sources: IANA's registries of special-purpose addresses, of IPv4 and of IPv6, of October 2025, and RFC 6890. Blocks of
//! these that are reachable for everybody (AS112, AMT) are not special here.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address that is not one of the public internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Special {
    /// The address that is special: that which was asked about, or an IPv4 address that is written in it.
    pub address: IpAddr,
}

/// Whether an address is of a special purpose, itself or by an IPv4 address that is written in it.
pub fn special(address: IpAddr) -> Option<Special> {
    let inside = embedded(address);
    if let Some(inside) = inside.iter().flatten().find(|inside| is_special_v4(**inside)) {
        return Some(Special { address: (*inside).into() });
    }
    let is_special = match address {
        IpAddr::V4(address) => is_special_v4(address),
        IpAddr::V6(address) => is_special_v6(address),
    };
    is_special.then_some(Special { address })
}

/// The IPv4 addresses that are written in an IPv6 address, to one of which a router or this machine may send what is sent to
/// it: IPv4-mapped, 6to4, Teredo (server and client), NAT64 (RFC 6052), ISATAP.
#[allow(clippy::many_single_char_names, reason = "the eight segments of an address")]
#[allow(clippy::match_same_arms, reason = "one arm for each kind, in the order in which they are looked for")]
pub fn embedded(address: IpAddr) -> [Option<Ipv4Addr>; 2] {
    let IpAddr::V6(address) = address else { return [None, None] };
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match (a, b, c, d, e, f) {
        // ::ffff:0:0/96, and ::/96, which was to mean the same once.
        (0, 0, 0, 0, 0, 0xffff | 0) if (f, g) != (0, 0) || h > 1 => [v4(g, h), None],
        // ::ffff:0:0:0/96, RFC 2765.
        (0, 0, 0, 0, 0xffff, 0) | (0x64, 0xff9b, 0, 0, 0, 0) => [v4(g, h), None],
        (0x2002, _, _, _, _, _) => [v4(b, c), None],
        (0x2001, 0, _, _, _, _) => [v4(c, d), v4(!g, !h)],
        (_, _, _, _, 0 | 0x200, 0x5efe) => [v4(g, h), None],
        _ => [None, None],
    }
}

#[allow(clippy::unnested_or_patterns, reason = "one network a line")]
fn is_special_v4(address: Ipv4Addr) -> bool {
    matches!(
        address.octets(),
        // This network, private, loopback, multicast, future use and broadcast.
        [0 | 10 | 127 | 224..=255, ..]
        // Shared with the provider's NAT.
        | [100, 64..=127, ..]
        // Link-local, where clouds tell machines their secrets.
        | [169, 254, ..]
        | [172, 16..=31, ..]
        // IETF protocol assignments.
        | [192, 0, 0, _]
        // Documentation.
        | [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _]
        // Relays of 6to4, no more in use.
        | [192, 88, 99, _]
        | [192, 168, ..]
        // Benchmarks.
        | [198, 18..=19, ..]
        // Azure's host: it answers each virtual machine, and is in no registry.
        | [168, 63, 129, 16]
    )
}

#[allow(clippy::unnested_or_patterns, reason = "one network a line")]
fn is_special_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // What is written in these was judged.
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0x2002, ..] | [0x2001, 0, ..]
        // Of IETF protocol assignments: anycast of PCP, TURN and DNS-SD, AMT, AS112, ORCHIDv2, drone ids.
        | [0x2001, 1, 0, 0, 0, 0, 0, 1..=3] | [0x2001, 3, ..] | [0x2001, 4, 0x112, ..] | [0x2001, 0x20..=0x3f, ..] => false,
        // The other IETF protocol assignments (2001::/23).
        [0x2001, 1..=0x1ff, ..]
        // Documentation.
        | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => true,
        // Nothing else is routed for everybody: unspecified, loopback, unique local, link-local, multicast, local NAT64 …
        [first, ..] => first & 0xe000 != 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(text: &str) -> Option<String> {
        special(text.parse().expect("an address")).map(|special| special.address.to_string())
    }

    #[test]
    fn addresses_of_special_purpose_are_known() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "100::1",
            "100:0:0:1::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "64:ff9b:1::1",
            "2001:2::1",
            "2001:10::1",
            "2001:1::4",
            "2001:db8::1",
            "3fff::1",
            "3fff:fff::1",
            "5f00::1",
            "4000::1",
        ] {
            assert_eq!(found(text).as_deref(), Some(text));
        }
    }

    #[test]
    fn addresses_of_the_internet_are_not_special() {
        for text in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "168.63.129.15",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "192.31.196.1",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:200::1",
            "2001:3::1",
            "2001:4:112::1",
            "2001:20::1",
            "2620:4f:8000::1",
            "2a00:1450::1",
            "3ffe::1",
            "3fff:1000::1",
            // Of the internet, in an IPv6 address.
            "::ffff:1.1.1.1",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
            "2001:0:808:808::f7f7:f7f7",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn ipv4_addresses_within_ipv6_ones_are_judged() {
        for (text, inside) in [
            ("::ffff:127.0.0.1", "127.0.0.1"),
            ("::ffff:0:10.0.0.1", "10.0.0.1"),
            ("::169.254.169.254", "169.254.169.254"),
            ("::2", "0.0.0.2"),
            ("64:ff9b::192.168.0.1", "192.168.0.1"),
            ("2002:7f00:1::1", "127.0.0.1"),
            ("2002:a9fe:a9fe::", "169.254.169.254"),
            // Teredo: the server, and the client with every bit turned.
            ("2001:0:a00:1::f7f7:f7f7", "10.0.0.1"),
            ("2001:0:808:808::80ff:fffe", "127.0.0.1"),
            ("2606:4700::5efe:10.0.0.1", "10.0.0.1"),
            ("2606:4700::200:5efe:10.0.0.1", "10.0.0.1"),
        ] {
            assert_eq!(found(text).as_deref(), Some(inside), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_special_ipv4_address_is_special_in_every_disguise(number: u32) {
            let v4 = Ipv4Addr::from(number);
            let [a, b, c, d] = number.to_be_bytes();
            let [high, low] = [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])];
            let disguises = [
                v4.to_ipv6_mapped(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
                Ipv6Addr::new(0x2001, 0, 0x808, 0x808, 0, 0, !high, !low),
                Ipv6Addr::new(0x2001, 0, high, low, 0, 0, 0xf7f7, 0xf7f7),
            ];
            let is_special = special(v4.into()).is_some();
            for disguise in disguises {
                prop_assert_eq!(special(disguise.into()).is_some(), is_special, "{} in {}", v4, disguise);
            }
        }

        /// What the standard library calls local, private or multicast is special.
        #[test]
        fn the_lists_of_the_standard_library_are_within_ours(number: u32, wide: u128) {
            let v4 = Ipv4Addr::from(number);
            let is_local = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast()
                || v4.is_broadcast() || v4.is_documentation() || v4.is_unspecified();
            prop_assert!(!is_local || special(v4.into()).is_some(), "{}", v4);
            let v6 = Ipv6Addr::from(wide);
            let is_local = v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_multicast();
            prop_assert!(!is_local || special(v6.into()).is_some(), "{}", v6);
        }
    }
}
