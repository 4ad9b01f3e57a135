//! One-time passwords by time: RFC 6238, on RFC 4226. PURE: the time is an argument.

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use url::Url;

use crate::api_types::Secret;

/// How long a key may be, in bytes.
const KEY: std::ops::RangeInclusive<usize> = 1..=256;
const WRONG_KEY: &str = "is neither a key in Base32 nor a URL otpauth://totp/…?secret=KEY";

/// Makes the one-time passwords of a key.
#[derive(Debug)]
pub(super) struct Totp {
    key: Secret<Vec<u8>>,
    algorithm: Algorithm,
    digits: u32,
    /// Seconds for which a password holds.
    period: u64,
}

#[derive(Clone, Copy, Debug)]
enum Algorithm {
    Sha1,
    Sha256,
    Sha512,
}

impl Totp {
    /// Reads a key in Base32, or a URL as QR codes have it. The error does not repeat the text.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut totp = Self { key: Secret::new(Vec::new()), algorithm: Algorithm::Sha1, digits: 6, period: 30 };
        if !text.starts_with("otpauth:") {
            totp.key = key(text)?;
            return Ok(totp);
        }
        let url = Url::parse(text).map_err(|_| WRONG_KEY)?;
        if url.host_str() != Some("totp") {
            return Err("is a URL otpauth: of another kind than totp");
        }
        let mut has_key = false;
        for (name, value) in url.query_pairs() {
            match &*name {
                "secret" => {
                    totp.key = key(&value)?;
                    has_key = true;
                }
                "algorithm" => {
                    totp.algorithm = match &*value.to_ascii_uppercase() {
                        "SHA1" => Algorithm::Sha1,
                        "SHA256" => Algorithm::Sha256,
                        "SHA512" => Algorithm::Sha512,
                        _ => return Err("has an algorithm that is none of SHA1, SHA256 and SHA512"),
                    };
                }
                "digits" => {
                    let digits = value.parse().ok().filter(|digits| (6..=8).contains(digits));
                    totp.digits = digits.ok_or("has digits that are not 6 to 8")?;
                }
                "period" => {
                    let period = value.parse().ok().filter(|period| (1..=3600).contains(period));
                    totp.period = period.ok_or("has a period that is not 1 to 3600 seconds")?;
                }
                _ => {}
            }
        }
        if has_key { Ok(totp) } else { Err(WRONG_KEY) }
    }

    /// The password at a time, in seconds since 1970.
    pub(super) fn password(&self, now: u64) -> String {
        let counter = (now / self.period).to_be_bytes();
        let key = self.key.reveal();
        let hash = match self.algorithm {
            Algorithm::Sha1 => hash::<Hmac<Sha1>>(key, counter),
            Algorithm::Sha256 => hash::<Hmac<Sha256>>(key, counter),
            Algorithm::Sha512 => hash::<Hmac<Sha512>>(key, counter),
        };
        let at = usize::from(hash.last().copied().unwrap_or_default() & 0xf);
        let number = hash.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes);
        let number = (number & 0x7fff_ffff) % 10_u32.pow(self.digits);
        format!("{number:0width$}", width = self.digits as usize)
    }
}

fn hash<M: Mac + KeyInit>(key: &[u8], counter: [u8; 8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("a key of any length will do");
    mac.update(&counter);
    mac.finalize().into_bytes().to_vec()
}

/// A key in Base32, as people copy it: in lower case too, in groups, padded or not.
fn key(text: &str) -> Result<Secret<Vec<u8>>, &'static str> {
    let plain: String = text.chars().filter(|sign| !matches!(sign, ' ' | '-' | '=')).collect();
    let key = BASE32_NOPAD.decode(plain.to_ascii_uppercase().as_bytes()).map_err(|_| WRONG_KEY)?;
    if KEY.contains(&key.len()) { Ok(Secret::new(key)) } else { Err("has a key that is not 1 to 256 bytes long") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Appendix B of RFC 6238.
    #[test]
    fn passwords_are_those_of_the_rfc() {
        let key = |length: usize| {
            let bytes: Vec<u8> = b"1234567890".iter().copied().cycle().take(length).collect();
            BASE32_NOPAD.encode(&bytes)
        };
        let of = |algorithm: &str, length: usize| {
            let url = format!("otpauth://totp/A:b?secret={}&algorithm={algorithm}&digits=8&issuer=A", key(length));
            Totp::parse(&url).expect("a key")
        };
        let all = [of("SHA1", 20), of("sha256", 32), of("SHA512", 64)];
        for (at, expected) in [
            (59, ["94287082", "46119246", "90693936"]),
            (1_111_111_109, ["07081804", "68084774", "25091201"]),
            (1_234_567_890, ["89005924", "91819424", "93441116"]),
            (20_000_000_000, ["65353130", "77737706", "47863826"]),
        ] {
            assert_eq!(all.each_ref().map(|totp| totp.password(at)), expected, "{at}");
        }
        let plain = Totp::parse(&key(20)).expect("a key");
        assert_eq!((plain.password(59), plain.password(29)), ("287082".to_owned(), "755224".to_owned()));
        let grouped = Totp::parse("gezd gnbv-gy3t qojq gezd gnbv gy3t qojq====").expect("a key");
        assert_eq!(grouped.password(59), "287082");
    }

    #[test]
    fn what_is_no_key_is_refused_without_repeating_it() {
        for (text, why) in [
            ("", "1 to 256 bytes"),
            ("not!base32", "neither"),
            ("otpauth://totp/A", "neither"),
            ("otpauth://hotp/A?secret=GEZDGNBV", "another kind"),
            ("otpauth://totp/A?secret=GEZDGNBV&digits=20", "digits"),
            ("otpauth://totp/A?secret=GEZDGNBV&period=0", "period"),
            ("otpauth://totp/A?secret=GEZDGNBV&algorithm=MD5", "algorithm"),
        ] {
            let error = Totp::parse(text).expect_err(text);
            assert!(error.contains(why) && !error.contains("GEZDGNBV"), "{text}: {error}");
        }
        let shown = format!("{:?}", Totp::parse("GEZDGNBV").expect("a key"));
        assert!(!shown.contains("1234") && shown.contains("***"), "{shown}");
    }
}
