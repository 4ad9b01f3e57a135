//! stub
use std::{io, net::SocketAddr, sync::Arc};
use crate::port::egress::{BrowserGates, EgressGates};
#[derive(Default)]
pub struct EgressLimits;
pub struct NameServers;
impl NameServers { pub fn at(_: SocketAddr) -> Self { Self } pub fn of_system() -> Result<Self, io::Error> { Ok(Self) } }
#[derive(Debug)]
pub struct Gates;
impl Gates { pub fn new(_: NameServers, _: EgressLimits) -> Self { Self } pub fn add_listener(&self, _: SocketAddr) {} }
impl EgressGates for Gates { fn of_browser(&self) -> io::Result<Arc<dyn BrowserGates>> { Err(io::ErrorKind::Unsupported.into()) } }
