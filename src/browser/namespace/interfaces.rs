//! The interfaces of a network namespace, by rtnetlink(7).

use std::io;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressMessage},
    link::{InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

/// The number of the loopback interface in every namespace.
const LOOPBACK: u32 = 1;
/// The numbers of the two interfaces of the pair, which nothing else in the namespace has.
const PAIR: [u32; 2] = [2, 3];
/// An address that is for documentation, and in no network (RFC 5737).
const ADDRESS: [u8; 4] = [192, 0, 2, 1];

/// Raises the loopback interface, which is down in a new namespace.
pub(super) fn raise_loopback() -> io::Result<()> {
    Netlink::open()?.ask(RouteNetlinkMessage::SetLink(raised(LOOPBACK)), 0)
}

/// Adds two interfaces that are connected to each other alone (veth(4)), with an address and without a route. *Measured:* with
/// no interface but that of loopback `navigator.onLine` is false in every page.
pub(super) fn add_pair() -> io::Result<()> {
    let netlink = Netlink::open()?;
    let [one, other] = PAIR;
    // They cannot be raised before both are there.
    let mut peer = interface(other);
    peer.attributes.push(LinkAttribute::IfName("away".to_owned()));
    let mut link = interface(one);
    let kind = [LinkInfo::Kind(InfoKind::Veth), LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer)))];
    link.attributes.extend([LinkAttribute::IfName("here".to_owned()), LinkAttribute::LinkInfo(kind.into())]);
    netlink.ask(RouteNetlinkMessage::NewLink(link), NLM_F_CREATE | NLM_F_EXCL)?;
    for index in PAIR {
        netlink.ask(RouteNetlinkMessage::SetLink(raised(index)), 0)?;
    }
    let mut address = AddressMessage::default();
    address.header.family = AddressFamily::Inet;
    address.header.prefix_len = 32;
    address.header.index = one;
    let ip = std::net::IpAddr::from(ADDRESS);
    address.attributes = vec![AddressAttribute::Address(ip), AddressAttribute::Local(ip)];
    netlink.ask(RouteNetlinkMessage::NewAddress(address), NLM_F_CREATE | NLM_F_EXCL)
}

/// An interface as it is.
fn interface(index: u32) -> LinkMessage {
    let mut link = LinkMessage::default();
    link.header.index = index;
    link
}

/// An interface that is up.
fn raised(index: u32) -> LinkMessage {
    let mut link = interface(index);
    link.header.flags = LinkFlags::Up;
    link.header.change_mask = LinkFlags::Up;
    link
}

/// A connection to the kernel.
struct Netlink(Socket);

impl Netlink {
    fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self(socket))
    }

    /// Asks for a change, and waits until it is done.
    fn ask(&self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(message));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.0.send(&bytes, 0)?;
        let (answer, _) = self.0.recv_from_full()?;
        let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer).map_err(io::Error::other)?;
        match answer.payload {
            // Code 0 is an acknowledgement.
            NetlinkPayload::Error(error) if error.code.is_some() => Err(error.to_io()),
            NetlinkPayload::Error(_) => Ok(()),
            _ => Err(io::Error::other("rtnetlink answered what nobody asked for")),
        }
    }
}
