//! Secrets in the query of a URL that the server hands out.
//!
//! `/json/version` repeats the query of its request in the URL for the socket, or clients would lose their options. A proxy has
//! a password there, and such a URL is printed and logged. So its value is encrypted with a key of this process, and read again
//! when the client connects.

use std::sync::LazyLock;

use chacha20poly1305::{Key, aead::Generate as _};
use data_encoding::BASE64URL_NOPAD;
use percent_encoding::percent_decode_str;

use crate::{
    api_types::Bad,
    store::seal::{decrypt, encrypt},
};

/// The parameters whose values may have a password.
const SECRET: [&str; 7] =
    ["proxy", "proxyServer", "proxy_server", "externalProxyServer", "launch", "--proxy-server", "-proxy-server"];
/// What a hidden value begins with.
const MARK: &str = "hidden.";

static KEY: LazyLock<[u8; 32]> = LazyLock::new(|| Key::generate().into());

/// The query with the values encrypted that may have a password.
pub fn hidden(query: &str) -> String {
    let hide = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let (name, value) = (decoded(name), decoded(value));
        if !SECRET.contains(&name.as_str()) || value.is_empty() || value.starts_with(MARK) {
            return None;
        }
        // Only a text that is too long for any query is refused.
        let sealed = encrypt(&KEY, name.as_bytes(), value.as_bytes()).unwrap_or_default();
        Some(format!("{name}={MARK}{}", BASE64URL_NOPAD.encode(&sealed)))
    };
    let pairs: Vec<String> = query.split('&').map(|pair| hide(pair).unwrap_or_else(|| pair.to_owned())).collect();
    pairs.join("&")
}

/// The value of a parameter, in the clear if [`hidden`] encrypted it.
///
/// Fails if another process did.
pub(super) fn opened(name: &str, value: String) -> Result<String, Bad> {
    let Some(sealed) = value.strip_prefix(MARK).filter(|_| SECRET.contains(&name)) else { return Ok(value) };
    let open = || {
        let bytes = BASE64URL_NOPAD.decode(sealed.as_bytes()).ok()?;
        String::from_utf8(decrypt(&KEY, name.as_bytes(), &bytes)?).ok()
    };
    let why = "was hidden by another server, or before this one was started; ask /json/version again";
    open().ok_or_else(|| Bad::new(name, why))
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::connect_options::ConnectOptions;

    #[test]
    fn passwords_are_hidden_and_read_again() {
        let query = "timeout=5s&proxy=http%3A%2F%2Fu%3Asecret%2540@p:1&token=x&--proxy-bypass-list=b.test&launch=%7B%22args%22:[%22secret%22]%7D";
        let handed_out = hidden(query);
        assert!(!handed_out.contains("secret"), "{handed_out}");
        assert!(handed_out.contains("timeout=5s&") && handed_out.contains("&token=x&"), "{handed_out}");
        assert_eq!(hidden(&handed_out), handed_out);
        let read = |query: &str| ConnectOptions::read(query).expect("good").initial;
        assert_eq!(read(&handed_out), read(query));
        assert_eq!(read(&handed_out).proxy.expect("a proxy").server.reveal(), "http://u:secret%40@p:1");
        // Under another name it is nothing.
        let moved = handed_out.replace("proxy=hidden", "--proxy-server=hidden");
        assert_eq!(ConnectOptions::read(&moved).expect_err("moved").field, "--proxy-server");
        assert_eq!(opened("name", "hidden.x".to_owned()), Ok("hidden.x".to_owned()));
    }
}
