//! The interfaces of a network namespace, by rtnetlink(7).

use std::{
    io, thread,
    time::{Duration, Instant},
};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressMessage},
    link::{
        AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo,
        LinkMessage,
    },
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

/// The number of the loopback interface in every namespace.
const LOOPBACK: u32 = 1;
/// The numbers of the two interfaces of the pair. The kernel gives the next ones after the loopback's to the interfaces that
/// some of its modules have in every namespace, such as `tunl0`.
const PAIR: [u32; 2] = [1001, 1002];
/// How long the kernel may take until an interface runs.
const PATIENCE: Duration = Duration::from_secs(3);
/// The time between two looks at it.
const PAUSE: Duration = Duration::from_millis(2);
/// An address that is for documentation, and in no network (RFC 5737).
const ADDRESS: [u8; 4] = [192, 0, 2, 1];

/// Raises the loopback interface, which is down in a new namespace.
pub(super) fn raise_loopback() -> io::Result<()> {
    Netlink::open()?.ask(RouteNetlinkMessage::SetLink(raised(LOOPBACK)), 0)
}

/// Adds two interfaces that are connected to each other alone (veth(4)), with an address and without a route. *Measured:* with
/// no interface but that of loopback `navigator.onLine` is false in every page. And whatever changes after Chrome's start, such
/// as an address of IPv6 that an interface gives itself, ends its requests with `net::ERR_NETWORK_CHANGED`.
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
        let mut link = interface(index);
        let mode = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
        link.attributes.push(LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(vec![mode])]));
        // A kernel without IPv6 refuses it.
        let _ = netlink.ask(RouteNetlinkMessage::SetLink(link), 0);
    }
    for index in PAIR {
        netlink.ask(RouteNetlinkMessage::SetLink(raised(index)), 0)?;
    }
    let mut address = AddressMessage::default();
    address.header.family = AddressFamily::Inet;
    address.header.prefix_len = 32;
    address.header.index = one;
    let ip = std::net::IpAddr::from(ADDRESS);
    address.attributes = vec![AddressAttribute::Address(ip), AddressAttribute::Local(ip)];
    netlink.ask(RouteNetlinkMessage::NewAddress(address), NLM_F_CREATE | NLM_F_EXCL)?;
    netlink.wait_until_running(one)
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

    /// Waits until the kernel counts an interface as one that carries packets, which it does some time after it was raised.
    fn wait_until_running(&self, index: u32) -> io::Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            let answer = self.exchange(RouteNetlinkMessage::GetLink(interface(index)), 0)?;
            match answer {
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link))
                    if link.header.flags.contains(LinkFlags::Running) =>
                {
                    return Ok(());
                }
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(_)) if Instant::now() < until => {
                    thread::sleep(PAUSE);
                }
                NetlinkPayload::InnerMessage(_) => return Err(io::ErrorKind::TimedOut.into()),
                NetlinkPayload::Error(error) => return Err(error.to_io()),
                _ => return Err(unasked()),
            }
        }
    }

    /// Asks for a change, and waits until it is done.
    fn ask(&self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        match self.exchange(message, NLM_F_ACK | flags)? {
            // Code 0 is an acknowledgement.
            NetlinkPayload::Error(error) if error.code.is_some() => Err(error.to_io()),
            NetlinkPayload::Error(_) => Ok(()),
            _ => Err(unasked()),
        }
    }

    /// Sends a message, and returns the answer.
    fn exchange(&self, message: RouteNetlinkMessage, flags: u16) -> io::Result<NetlinkPayload<RouteNetlinkMessage>> {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(message));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.0.send(&bytes, 0)?;
        let (answer, _) = self.0.recv_from_full()?;
        Ok(NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer).map_err(io::Error::other)?.payload)
    }
}

fn unasked() -> io::Error {
    io::Error::other("rtnetlink answered what nobody asked for")
}
