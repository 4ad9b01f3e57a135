//! The port of the server: who can reach it, TLS, and what is in front of it.

use std::{path::PathBuf, time::Duration};

use super::{Config, ConfigError, TenantsPlace, front::leads_here, layers::Layers, said::flag};

/// TLS that ends here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// The file of the certificate.
    pub cert: PathBuf,
    /// The file of the key.
    pub key: PathBuf,
    /// How long a handshake may take.
    pub timeout: Duration,
    /// Most handshakes at a time; at least 1.
    pub handshakes: usize,
}

impl Config {
    /// Whether other machines can reach the server.
    pub fn is_exposed(&self) -> bool {
        !self.listen.ip().is_loopback()
    }

    /// TLS that ends here, if there is to be any.
    pub fn tls(&self) -> Option<TlsSettings> {
        let (cert, key) = (self.tls_cert.clone()?, self.tls_key.clone()?);
        Some(TlsSettings { cert, key, timeout: self.tls_timeout, handshakes: self.tls_handshakes })
    }

    /// Checks the settings about the port, tokens, TLS and proxies against each other.
    pub(super) fn check_listening(&self, layers: &Layers) -> Result<(), ConfigError> {
        match &self.tenants {
            None if self.is_exposed() && !self.insecure => {
                return Err(layers.value("listen").wrong(
                    "other machines could drive these browsers, and there are no tokens to stop them; \
                     listen on 127.0.0.1, name tenants with --tenants, \
                     or say --insecure (GHOSTMUX_INSECURE=true) if everyone who can reach it may",
                ));
            }
            Some(_) if self.insecure => {
                let tenants = layers.given("tenants").map(|said| said.setting()).unwrap_or_default();
                return Err(layers.value("insecure").conflict(format!(
                    "is for a server without tokens, and {tenants} names tenants; remove one of the two"
                )));
            }
            _ => {}
        }
        if self.tenants.is_none()
            && let Some(said) = layers.given("token_host")
        {
            return Err(said.conflict("is for tokens, and there are none without --tenants; remove it"));
        }
        if !matches!(self.tenants, Some(TenantsPlace::Redis(_)))
            && let Some(said) = layers.given("tenants_max_stale")
        {
            return Err(said.conflict(
                "is for tenants in a Redis, and there are none; write --tenants redis://HOST:PORT, or remove it",
            ));
        }
        for (given, other) in [("tls_cert", "tls_key"), ("tls_key", "tls_cert")] {
            if let Some(said) = layers.given(given)
                && layers.given(other).is_none()
            {
                let flag = flag(other);
                return Err(said.conflict(format!("needs --{flag} too: TLS takes a certificate and its key")));
            }
        }
        if self.proxy_secret.is_some() {
            if self.trusted_proxy.is_empty() {
                let said = layers.value("proxy_secret");
                return Err(said.conflict("is for trusted proxies, and there are none; name them with --trusted-proxy"));
            }
            return Ok(());
        }
        let mut given = self.trusted_proxy.iter().zip(layers.values("trusted_proxy"));
        match given.find(|(network, _)| leads_here(network)) {
            Some((_, said)) => Err(said.wrong(
                "has loopback addresses, from which the pages of this machine's browsers connect too; \
                 give the proxy a secret that they do not know (--proxy-secret), which it sends in X-Ghostmux-Proxy",
            )),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::config;

    #[test]
    fn public_urls_have_scheme_host_and_prefix() {
        for (text, tls, authority, prefix) in [
            ("https://browsers.example.com", true, "browsers.example.com", ""),
            ("https://Browsers.Example.com:443/", true, "browsers.example.com", ""),
            ("http://10.0.0.5:8080/pool/a/", false, "10.0.0.5:8080", "/pool/a"),
            ("https://[fd00:0::7]:8443/x_y", true, "[fd00::7]:8443", "/x_y"),
        ] {
            let url = config(&[("public_url", text)]).expect(text).public_url.expect("one");
            assert_eq!((url.is_tls, url.authority.as_str(), url.prefix.as_str()), (tls, authority, prefix), "{text}");
        }
        for (text, why) in [
            ("browsers.example.com", "is no URL"),
            ("wss://browsers.example.com", "write https:"),
            ("ftp://browsers.example.com", "is no URL"),
            ("https://user:s3cret@a.example", "has a user"),
            ("https://a.example/?token=s3cret", "a query"),
            ("https://a.example/a b", "no prefix"),
            ("https://a.example//x", "no prefix"),
            ("https://a.example/json", "this server's own"),
            ("https://a.example/t/x", "this server's own"),
        ] {
            let error = config(&[("public_url", text)]).expect_err(text);
            assert!(error.starts_with("--public-url") && error.contains(why) && !error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn loopback_is_trusted_only_with_a_secret() {
        for network in ["127.0.0.1", "127.0.0.0/8", "0.0.0.0/0", "::1", "::/0"] {
            let error = config(&[("trusted_proxy", network)]).expect_err(network);
            assert!(error.contains(network) && error.contains("--proxy-secret"), "{error}");
        }
        for network in ["10.0.0.1", "10.0.0.0/8", "fd00::/8"] {
            assert!(config(&[("trusted_proxy", network)]).is_ok(), "{network}");
        }
        for wrong in ["10.0.0.0/33", "name", "10.0.0"] {
            let error = config(&[("trusted_proxy", wrong)]).expect_err(wrong);
            assert!(error.contains(wrong) && error.contains("ADDRESS/BITS"), "{error}");
        }
    }

    #[test]
    fn a_certificate_needs_its_key() {
        for (given, missing) in [("tls_cert", "--tls-key"), ("tls_key", "--tls-cert")] {
            let error = config(&[(given, "/etc/x.pem")]).expect_err(given);
            assert!(error.starts_with("--tls-") && error.contains(missing), "{error}");
        }
        let both = config(&[("tls_cert", "/etc/x.pem"), ("tls_key", "/etc/x.key")]).expect("both").tls().expect("TLS");
        assert_eq!((both.cert.to_str(), both.key.to_str()), (Some("/etc/x.pem"), Some("/etc/x.key")));
        assert_eq!(Config::default().tls(), None);
    }

    #[test]
    fn secrets_are_read_from_files_and_never_shown() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("secret");
        let path = file.to_string_lossy();
        let with = |text: &str| {
            std::fs::write(&file, text).expect("written");
            config(&[("trusted_proxy", "127.0.0.1"), ("proxy_secret", &path)])
        };
        let secret = "0123456789abcdef0123456789abcdef";
        let read = with(&format!("{secret}\n")).expect("a secret").proxy_secret.expect("one");
        assert!(read.is(secret.as_bytes()) && !read.is(&secret.as_bytes()[1..]) && !read.is(b""));
        assert!(!format!("{read:?}").contains("0123"), "{read:?}");
        for text in ["", "tooshort", "0123456789abcdef 0123456789abcdef"] {
            let error = with(text).expect_err(text);
            assert!(error.contains(&*path) && error.contains("at least 32"), "{error}");
            assert!(text.is_empty() || !error.contains(text), "{error}");
        }
        let error = config(&[("proxy_secret", &path)]).expect_err("there is no proxy");
        assert!(error.contains("must hold") || error.contains("--trusted-proxy"), "{error}");
        let error = config(&[("trusted_proxy", "127.0.0.1"), ("proxy_secret", "/nowhere/x")]).expect_err("no file");
        assert!(error.contains("cannot read /nowhere/x"), "{error}");
    }
}
