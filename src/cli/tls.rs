//! Connections with TLS to a running ghostmux.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
        client::{
            WebPkiServerVerifier,
            danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
            verify_server_name,
        },
        crypto::ring,
        pki_types::{CertificateDer, ServerName, UnixTime},
        server::ParsedCertificate,
    },
};

use crate::config::certificates;

/// The variable that names a file of trusted certificates, as OpenSSL, curl and others read it.
pub(super) const TRUSTED: &str = "SSL_CERT_FILE";
/// The files in which systems keep the certificates that they trust.
const OF_SYSTEM: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Connects, and checks the server's certificate: against the certificates that this system trusts, or those of
/// [`TRUSTED`]. A certificate that is itself in that file is accepted for the names in it, so that a self-signed one can
/// be used.
pub(super) async fn connect(authority: &str, host: &str) -> io::Result<TlsStream<TcpStream>> {
    let named = std::env::var_os(TRUSTED).map(PathBuf::from);
    let file = named.or_else(|| OF_SYSTEM.iter().map(PathBuf::from).find(|path| path.exists()));
    let file = file.ok_or_else(|| {
        io::Error::other(format!("this system has no trusted certificates; name a file in {TRUSTED}"))
    })?;
    let path = file.clone();
    let config = tokio::task::spawn_blocking(move || config(&path)).await.map_err(io::Error::other)??;
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(io::Error::other)?;
    let stream = TcpStream::connect(authority).await?;
    let connected = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    connected.map_err(|error| io::Error::other(format!("{error} (trusted certificates: {})", file.display())))
}

fn config(file: &Path) -> io::Result<ClientConfig> {
    let shown = |why: String| io::Error::other(format!("{}: {why}", file.display()));
    let trusted = certificates(file).map_err(shown)?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(trusted.iter().cloned());
    let provider = Arc::new(ring::default_provider());
    let usual = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
    let verifier = Verifier { usual: usual.map_err(|error| shown(error.to_string()))?, trusted };
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(io::Error::other)?;
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}

/// Checks a certificate as usual, and accepts one that is itself trusted, for the names in it: usually that of an
/// authority may not be a server's.
#[derive(Debug)]
struct Verifier {
    usual: Arc<WebPkiServerVerifier>,
    trusted: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.usual.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(Error::InvalidCertificate(CertificateError::Other(_) | CertificateError::UnknownIssuer))
                if self.trusted.contains(end_entity) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}
