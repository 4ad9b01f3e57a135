//! Stands for `tls.rs` in a build without the feature `tls`.

#![expect(clippy::unused_async, clippy::needless_pass_by_value, reason = "it has the signatures of tls.rs")]

use std::{net::SocketAddr, sync::Arc};

use tokio::net::TcpStream;

use crate::{
    config::{ConfigError, TlsSettings},
    metrics::Metrics,
    session::socket::Socket,
};

/// TLS, which this build does not have: there is no value.
#[derive(Clone, Debug)]
pub enum TlsServer {}

/// A certificate, of which there is none either.
#[derive(Clone, Debug)]
pub enum Certificate {}

impl TlsServer {
    /// Fails.
    pub fn load(settings: TlsSettings, _: Arc<Metrics>) -> Result<Self, ConfigError> {
        let setting = format!("tls_cert {}", settings.cert.display());
        let problem =
            "this ghostmux was built without TLS (cargo feature tls); use another, or a proxy with TLS in front";
        Err(ConfigError::File { setting, problem: problem.to_owned() })
    }

    /// Is never called.
    pub async fn read(&self) -> Result<Certificate, ConfigError> {
        match *self {}
    }

    /// Is never called.
    pub fn set(&self, _: Certificate) {
        match *self {}
    }

    /// Is never called.
    pub async fn keep_current(&self) {
        match *self {}
    }

    /// Is never called.
    pub(super) async fn accept(&self, _: TcpStream, _: SocketAddr) -> Option<Socket> {
        match *self {}
    }
}
