//! TLS that ends here: the certificate, which is read again when its files change, and the handshakes, which are limited
//! in number and time, because anybody can begin one. `expiry` warns before the certificate expires.

mod expiry;

use std::{
    collections::HashMap,
    fs, io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    os::unix::fs::MetadataExt as _,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use jiff::Timestamp;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{PrivateKeyDer, pem::PemObject as _},
    },
};

use self::expiry::ExpiryWatch;
use crate::{
    config::{ConfigError, TlsSettings, certificates, end_of_validity},
    metrics::{Metrics, TlsLabels},
    session::socket::Socket,
};

/// How often the files are looked at.
const INTERVAL: Duration = Duration::from_secs(1);
/// The first byte of a handshake (RFC 8446 §5.1).
const HANDSHAKE: u8 = 0x16;
/// How long a client without TLS may take to read why it is refused.
const REFUSAL: Duration = Duration::from_secs(2);
/// Most bytes of the request of a client without TLS that are read before the connection is closed.
const LONGEST_REFUSED: usize = 64 * 1024;
const NOT_PLAIN: &str = "this port has TLS: use https:// and wss://";

/// TLS of this server; cheap to clone.
#[derive(Clone, Debug)]
pub struct TlsServer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: TlsSettings,
    metrics: Arc<Metrics>,
    // Guards which certificate is in force, and of which state of the files it is; held to copy them.
    current: RwLock<Certificate>,
    // Guards the number of handshakes of each source; held to count one.
    handshakes: Mutex<Handshakes>,
}

/// A certificate with its key, and the state of the files that they were read from.
#[derive(Clone, Debug)]
pub struct Certificate {
    config: Arc<ServerConfig>,
    /// Until when it is valid; `None` if that cannot be read.
    end: Option<Timestamp>,
    stamp: Stamp,
}

/// The state of the two files: a change of either changes it.
type Stamp = [Option<(SystemTime, u64, u64)>; 2];

impl TlsServer {
    /// Reads certificate and key.
    pub fn load(settings: TlsSettings, metrics: Arc<Metrics>) -> Result<Self, ConfigError> {
        let current = read(&settings)?;
        expiry::show(&metrics, current.end);
        let current = RwLock::new(current);
        Ok(Self(Arc::new(Inner { settings, metrics, current, handshakes: Mutex::default() })))
    }

    /// Reads certificate and key again. Those in force stay so.
    pub async fn read(&self) -> Result<Certificate, ConfigError> {
        let settings = self.0.settings.clone();
        let read = tokio::task::spawn_blocking(move || read(&settings)).await;
        let failed = |why| file(&self.0.settings.cert, "tls_cert", &why);
        read.map_err(|error| failed(error.to_string()))?
    }

    /// Puts this certificate in force, for connections from now on.
    pub fn set(&self, certificate: Certificate) {
        expiry::show(&self.0.metrics, certificate.end);
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = certificate;
    }

    /// Reads the files, in an endless loop, when they change, and warns before the certificate expires. Never returns.
    pub async fn keep_current(&self) {
        let (mut failed, mut watch) = (None, ExpiryWatch::default());
        loop {
            watch.look(self.current().end, Timestamp::now(), &self.0.settings.cert);
            tokio::time::sleep(INTERVAL).await;
            let settings = self.0.settings.clone();
            let Ok(stamp) = tokio::task::spawn_blocking(move || stamp(&settings)).await else { continue };
            if stamp == self.current().stamp || failed == Some(stamp) {
                continue;
            }
            match self.read().await {
                Ok(certificate) => {
                    self.set(certificate);
                    failed = None;
                    tracing::info!(file = %self.0.settings.cert.display(), "read the certificate");
                }
                Err(error) => {
                    // Once for each state of the files: the second one may not be written yet.
                    failed = Some(stamp);
                    tracing::error!(%error, "the certificate cannot be read; the one that was read before stays in force");
                }
            }
        }
    }

    /// The socket of a client after its handshake; `None` if it makes none, or there are too many.
    pub(super) async fn accept(&self, stream: TcpStream, from: SocketAddr) -> Option<Socket> {
        let Some(_place) = Place::take(&self.0, from.ip()) else {
            self.count("full");
            tracing::debug!(peer = %from, "too many TLS handshakes");
            return None;
        };
        let handshake = async {
            let mut first = [0];
            if stream.peek(&mut first).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if first[0] != HANDSHAKE {
                refuse(stream).await;
                return Err(io::ErrorKind::InvalidData.into());
            }
            TlsAcceptor::from(self.current().config).accept(stream).await
        };
        match tokio::time::timeout(self.0.settings.timeout, handshake).await {
            Ok(Ok(stream)) => Some(stream.into()),
            Ok(Err(error)) => {
                self.count(if error.kind() == io::ErrorKind::UnexpectedEof { "left" } else { "failed" });
                tracing::debug!(peer = %from, %error, "no TLS handshake");
                None
            }
            Err(_) => {
                self.count("slow");
                tracing::debug!(peer = %from, "the TLS handshake took too long");
                None
            }
        }
    }

    fn current(&self) -> Certificate {
        self.0.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, reason: &'static str) {
        self.0.metrics.tls_handshakes_failed.get_or_create(&TlsLabels { reason }).inc();
    }
}

/// The handshakes that have begun and not ended.
#[derive(Debug, Default)]
struct Handshakes {
    all: usize,
    by_source: HashMap<IpAddr, usize>,
}

/// A handshake that counts until it is dropped.
struct Place<'a> {
    inner: &'a Inner,
    source: IpAddr,
}

impl<'a> Place<'a> {
    /// One of the places; at most a quarter of them are for one source, so that one cannot take all.
    fn take(inner: &'a Inner, from: IpAddr) -> Option<Self> {
        let (source, most) = (source(from), inner.settings.handshakes);
        let mut handshakes = inner.handshakes();
        let of_source = handshakes.by_source.get(&source).copied().unwrap_or_default();
        if handshakes.all >= most || of_source >= most.div_ceil(4) {
            return None;
        }
        handshakes.all += 1;
        handshakes.by_source.insert(source, of_source + 1);
        Some(Self { inner, source })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut handshakes = self.inner.handshakes();
        handshakes.all -= 1;
        if let Some(count) = handshakes.by_source.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                handshakes.by_source.remove(&self.source);
            }
        }
    }
}

impl Inner {
    fn handshakes(&self) -> MutexGuard<'_, Handshakes> {
        self.handshakes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The source as which an address counts: an IPv6 network is one.
fn source(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

/// Tells a client that speaks HTTP without TLS what to do. Anything else gets nothing.
async fn refuse(mut stream: TcpStream) {
    let mut first = [0];
    let is_http = stream.peek(&mut first).await.is_ok_and(|read| read == 1 && first[0].is_ascii_alphabetic());
    if !is_http {
        return;
    }
    let answer = async {
        let body = format!(
            "{{\"type\":\"urn:ghostmux:no-tls\",\"title\":\"Bad Request\",\"status\":400,\"detail\":\"{NOT_PLAIN}\"}}"
        );
        let head = format!(
            "HTTP/1.1 400 {NOT_PLAIN}\r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).await?;
        stream.shutdown().await?;
        // What is not read would make the system reset the connection, and the answer with it.
        let mut rest = vec![0; 4096];
        let mut read = 0;
        while read < LONGEST_REFUSED {
            match stream.read(&mut rest).await? {
                0 => break,
                more => read += more,
            }
        }
        io::Result::Ok(())
    };
    // A client that has gone needs no answer.
    let _ = tokio::time::timeout(REFUSAL, answer).await;
}

fn stamp(settings: &TlsSettings) -> Stamp {
    [&settings.cert, &settings.key].map(|path| {
        let data = fs::metadata(path).ok()?;
        Some((data.modified().ok()?, data.len(), data.ino()))
    })
}

fn read(settings: &TlsSettings) -> Result<Certificate, ConfigError> {
    // Looked at before they are read: a change between the two is seen as one later.
    let stamp = stamp(settings);
    let TlsSettings { cert, key, .. } = settings;
    let wrong_cert = |why: &dyn std::fmt::Display| file(cert, "tls_cert", why);
    let wrong_key = |why: &dyn std::fmt::Display| file(key, "tls_key", why);
    let chain = certificates(cert).map_err(|why| wrong_cert(&why))?;
    if chain.is_empty() {
        return Err(wrong_cert(
            &"it has no certificate; give a PEM file with the certificate of this server and those of its issuers",
        ));
    }
    let end = end_of_validity(&chain[0]);
    if let Err(error) = &end {
        tracing::warn!(file = %cert.display(), %error, "cannot read until when the certificate is valid");
    }
    let text = fs::read(key).map_err(|error| wrong_key(&format!("cannot read it: {error}")))?;
    let secret = PrivateKeyDer::from_pem_slice(&text).map_err(|_| {
        wrong_key(&"it has no private key; give a PEM file with an unencrypted key (BEGIN PRIVATE KEY)")
    })?;
    let mut config = ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong_cert(&error))?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|error| wrong_key(&format!("it is not the key of the certificate in {}: {error}", cert.display())))?;
    // Browsers would choose HTTP/2, in which there are no upgrades to WebSockets as clients of CDP make them.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Certificate { config: Arc::new(config), end: end.ok(), stamp })
}

fn file(path: &Path, setting: &str, why: &dyn std::fmt::Display) -> ConfigError {
    ConfigError::File { setting: format!("{setting} {}", path.display()), problem: why.to_string() }
}
