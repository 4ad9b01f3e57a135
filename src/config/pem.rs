//! Files of certificates, and until when a certificate is valid.

use std::{fs, path::Path};

use der::{
    Decode as _, Header, Reader as _, SliceReader, Tag,
    asn1::{GeneralizedTime, UtcTime},
};
use jiff::Timestamp;
use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject as _};

/// The certificates in a PEM file, in its order; the error says why it cannot be read.
pub fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = fs::read(file).map_err(|error| format!("cannot read it: {error}"))?;
    let all = CertificateDer::pem_slice_iter(&text).collect::<Result<_, _>>();
    all.map_err(|error| format!("it is no PEM file: {error}"))
}

/// Until when a certificate is valid: `notAfter` of RFC 5280 §4.1. Nothing else of the certificate is checked.
pub fn end_of_validity(certificate: &[u8]) -> Result<Timestamp, String> {
    let read = || -> der::Result<_> {
        let mut reader = SliceReader::new(certificate)?;
        let reader = &mut reader;
        enter(reader)?; // Certificate
        enter(reader)?; // tbsCertificate
        if Tag::peek(reader)?.is_context_specific() {
            reader.tlv_bytes()?; // version
        }
        for _ in ["serialNumber", "signature", "issuer"] {
            reader.tlv_bytes()?;
        }
        enter(reader)?; // validity
        reader.tlv_bytes()?; // notBefore
        Ok(match Tag::peek(reader)? {
            Tag::GeneralizedTime => GeneralizedTime::decode(reader)?.to_unix_duration(),
            _ => UtcTime::decode(reader)?.to_unix_duration(),
        })
    };
    let end = read().map_err(|error| error.to_string())?;
    let seconds = i64::try_from(end.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).map_err(|error| error.to_string())
}

/// Reads the header of a sequence: what comes next is its first element.
fn enter(reader: &mut SliceReader<'_>) -> der::Result<()> {
    Header::decode(reader)?.tag().assert_eq(Tag::Sequence).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &[u8] = include_bytes!("../../tests/clients/self-signed.pem");

    #[test]
    fn the_end_of_validity_is_read_from_a_certificate() {
        let certificate = CertificateDer::from_pem_slice(PEM).expect("a certificate");
        // `openssl x509 -enddate -noout -in tests/clients/self-signed.pem`
        assert_eq!(end_of_validity(&certificate).map(|end| end.to_string()), Ok("2126-11-03T11:59:01Z".to_owned()));
        for length in 0..certificate.len().min(300) {
            // A part of a certificate is an error or, with its dates in it, a date; never a panic.
            let _ = end_of_validity(&certificate[..length]);
        }
        // Years before 2050 are of another type (RFC 5280 §4.1.2.5), and the version is optional.
        let old = b"\x30\x29\x30\x27\x02\x01\x01\x30\x00\x30\x00\x30\x1e\x17\x0d261128000000Z\x17\x0d270102030405Z";
        assert_eq!(end_of_validity(old).map(|end| end.to_string()), Ok("2027-01-02T03:04:05Z".to_owned()));
        assert!(end_of_validity(&certificate[..40]).is_err() && end_of_validity(b"").is_err());
    }
}
