//! Files of certificates.

use std::{fs, path::Path};

use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject as _};

/// The certificates in a PEM file, in its order; the error says why it cannot be read.
pub fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = fs::read(file).map_err(|error| format!("cannot read it: {error}"))?;
    let all = CertificateDer::pem_slice_iter(&text).collect::<Result<_, _>>();
    all.map_err(|error| format!("it is no PEM file: {error}"))
}
