//! The proxy that a request names for a new session.

use serde_json::Value;

use super::{Bad, Launch, Secret};

/// The option by which a request names a proxy.
const PROXY: &str = "proxy";
/// The same in the launch options of client libraries.
const LAUNCH_PROXY: &str = "launch.proxy";
/// The flag of Chrome for it.
const FLAG: &str = "--proxy-server";
/// The flag of Chrome for the hosts that are connected to without it.
const BYPASS_FLAG: &str = "--proxy-bypass-list";

/// The proxy that a request names for a new session, as it is written. `session::proxy` reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedProxy {
    /// The option that names it, for errors.
    pub option: &'static str,
    /// Its URL, which may have a user and a password.
    pub server: Secret,
    /// The hosts that are connected to without it.
    pub bypass: Option<String>,
    /// User and password, if they are not in the URL.
    pub credentials: Option<(Secret, Secret)>,
}

impl WantedProxy {
    /// The proxy of the options `proxy` and `proxyBypass`.
    pub fn of(server: Option<Secret>, bypass: Option<String>) -> Result<Option<Self>, Bad> {
        match (server, bypass) {
            (Some(server), bypass) => Ok(Some(Self { option: PROXY, server, bypass, credentials: None })),
            (None, Some(_)) => {
                Err(Bad::new("proxyBypass", "is for the hosts that leave out the proxy; give one with proxy"))
            }
            (None, None) => Ok(None),
        }
    }

    /// Whether it is written as flags of Chrome, whose rules hold for it then: loopback leaves it out, unless the bypass list
    /// has `<-loopback>`.
    pub fn is_flag(&self) -> bool {
        self.option == FLAG
    }
}

impl Launch {
    /// Takes the proxy out: the option `proxy`, or else the flags `--proxy-server` and `--proxy-bypass-list`. What is left
    /// may be stored and compared.
    pub fn without_proxy(&mut self) -> Result<Option<WantedProxy>, Bad> {
        let by_option = match self.0.remove("proxy") {
            None | Some(Value::Null) => None,
            Some(Value::Object(members)) => Some(of_object(&members)?),
            Some(_) => return Err(Bad::new(LAUNCH_PROXY, "is no object with server, bypass, username and password")),
        };
        let (server, bypass) = self.take_flags();
        let by_flag = server.map(|server| WantedProxy { option: FLAG, server, bypass, credentials: None });
        Ok(by_option.or(by_flag))
    }

    /// Of several flags with one name Chrome takes the last.
    fn take_flags(&mut self) -> (Option<Secret>, Option<String>) {
        let (mut server, mut bypass, mut is_over) = (None, None, false);
        let Some(Value::Array(args)) = self.0.get_mut("args") else { return (None, None) };
        args.retain(|arg| {
            let text = arg.as_str().unwrap_or_default().trim();
            is_over |= text == "--";
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            // Chrome reads `-name` as `--name`.
            let is = |flag: &str| !is_over && (name == flag || name == &flag[1..]);
            if is(FLAG) {
                server = Some(Secret::new(value.to_owned()));
            } else if is(BYPASS_FLAG) {
                bypass = Some(value.to_owned());
            } else {
                return true;
            }
            false
        });
        if args.is_empty() {
            self.0.remove("args");
        }
        (server, bypass)
    }
}

fn of_object(members: &serde_json::Map<String, Value>) -> Result<WantedProxy, Bad> {
    let (mut server, mut bypass, mut user, mut password) = (None, None, None, None);
    for (name, value) in members {
        let name = name.as_str();
        let place = match name {
            "server" => &mut server,
            "bypass" => &mut bypass,
            "username" => &mut user,
            "password" => &mut password,
            _ => return Err(Bad::new(&format!("{LAUNCH_PROXY}.{name}"), "is no member of a proxy")),
        };
        match value {
            Value::String(text) => *place = Some(text.clone()),
            Value::Null => {}
            _ => return Err(Bad::new(&format!("{LAUNCH_PROXY}.{name}"), "is no text")),
        }
    }
    let server =
        server.ok_or_else(|| Bad::new(&format!("{LAUNCH_PROXY}.server"), "is missing: the URL of the proxy"))?;
    let credentials = user.map(|user| (Secret::new(user), Secret::new(password.unwrap_or_default())));
    Ok(WantedProxy { option: LAUNCH_PROXY, server: Secret::new(server), bypass, credentials })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn taken(launch: &Value) -> (Result<Option<WantedProxy>, String>, Value) {
        let mut launch = Launch(launch.as_object().expect("an object").clone());
        let proxy = launch.without_proxy().map_err(|bad| bad.field);
        (proxy, Value::Object(launch.0))
    }

    #[test]
    fn nothing_of_a_proxy_stays_in_the_launch_options() {
        let of =
            json!({ "proxy": { "server": "http://p:1", "username": "u", "password": "hidden", "bypass": "a.test" } });
        let (proxy, left) = taken(&of);
        let proxy = proxy.expect("good").expect("a proxy");
        assert_eq!(
            (proxy.server.reveal().as_str(), proxy.bypass.as_deref(), left),
            ("http://p:1", Some("a.test"), json!({}))
        );
        assert!(!format!("{proxy:?}").contains("hidden") && !proxy.is_flag());
        let args = [
            "--lang=de",
            " --proxy-server=http://x:1",
            "-proxy-server=http://u:hidden@p:2",
            "--proxy-bypass-list=b.test",
        ];
        let (proxy, left) = taken(&json!({ "args": args }));
        let proxy = proxy.expect("good").expect("a proxy");
        assert_eq!((proxy.server.reveal().as_str(), proxy.bypass.as_deref()), ("http://u:hidden@p:2", Some("b.test")));
        assert_eq!((left, proxy.is_flag()), (json!({ "args": ["--lang=de"] }), true));
        for launch in [json!({}), json!({ "proxy": null }), json!({ "args": ["--proxy-bypass-list=x"] })] {
            assert_eq!(taken(&launch), (Ok(None), json!({})));
        }
        // Behind `--` are no flags: it is refused as what it is.
        let other = json!({ "args": ["--", "--proxy-server=x"] });
        assert_eq!(taken(&other), (Ok(None), other.clone()));
        for (proxy, field) in [
            (json!("http://p:1"), "launch.proxy"),
            (json!({}), "launch.proxy.server"),
            (json!({ "server": 1 }), "launch.proxy.server"),
            (json!({ "server": "p", "port": 1 }), "launch.proxy.port"),
        ] {
            assert_eq!(taken(&json!({ "proxy": proxy })).0, Err(field.to_owned()));
        }
    }
}
