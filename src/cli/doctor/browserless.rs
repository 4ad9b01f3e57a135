//! `ghostmux doctor --from browserless`: reads the variables of browserless, and says which settings mean the same here.

use std::io::{self, Write};

use super::Level;

/// What a variable of browserless becomes.
#[derive(Clone, Copy, Debug)]
enum Meaning {
    /// A setting of the same meaning.
    Setting(&'static str),
    /// The same, in milliseconds.
    Millis(&'static str),
    /// A secret, which is not shown.
    Token,
    /// `HOST` or `PORT`, which one setting has.
    Listen,
    /// It is so anyway, or there is nothing to set; why.
    Nothing(&'static str),
    /// It cannot be had; what to do.
    Missing(&'static str),
}

/// The variables of browserless 1 and 2, and what to do with them.
const VARIABLES: [(&str, Meaning); 43] = [
    ("TOKEN", Meaning::Token),
    ("CONCURRENT", Meaning::Setting("max_sessions")),
    ("MAX_CONCURRENT_SESSIONS", Meaning::Setting("max_sessions")),
    ("QUEUED", Meaning::Setting("queue")),
    ("QUEUE_LENGTH", Meaning::Setting("queue")),
    ("MAX_QUEUE_LENGTH", Meaning::Setting("queue")),
    ("TIMEOUT", Meaning::Millis("timeout")),
    ("CONNECTION_TIMEOUT", Meaning::Millis("timeout")),
    ("HOST", Meaning::Listen),
    ("PORT", Meaning::Listen),
    ("EXTERNAL", Meaning::Setting("public_url")),
    ("PROXY_URL", Meaning::Setting("public_url")),
    ("PROXY_HOST", Meaning::Missing("set public_url to the whole URL by which clients come")),
    ("PROXY_PORT", Meaning::Missing("set public_url to the whole URL by which clients come")),
    ("PROXY_SSL", Meaning::Missing("set public_url to the whole URL by which clients come")),
    ("MAX_PAYLOAD_SIZE", Meaning::Setting("quick_body")),
    ("CORS_ALLOW_ORIGIN", Meaning::Setting("allow_origin")),
    ("CORS", Meaning::Missing("name the origins whose pages may use the server with allow_origin")),
    ("ENABLE_CORS", Meaning::Missing("name the origins whose pages may use the server with allow_origin")),
    ("CORS_ALLOW_METHODS", Meaning::Nothing("allow_origin decides")),
    ("CORS_MAX_AGE", Meaning::Nothing("allow_origin decides")),
    (
        "ALLOW_FILE_PROTOCOL",
        Meaning::Missing("give the tenant the capability host-files, or put files into the session"),
    ),
    ("ALLOW_GET", Meaning::Missing("send quick actions by POST")),
    ("ENABLE_API_GET", Meaning::Missing("send quick actions by POST")),
    ("HEALTH", Meaning::Nothing("GET /readyz says when the server has no room")),
    ("MAX_CPU_PERCENT", Meaning::Nothing("the pool looks at its browsers; see docs/operating.md")),
    ("MAX_MEMORY_PERCENT", Meaning::Nothing("the pool looks at its browsers; see docs/operating.md")),
    ("METRICS_JSON_PATH", Meaning::Nothing("GET /metrics and GET /metrics/total have the figures")),
    ("DATA_DIR", Meaning::Missing("use profile=NAME or user_data=NAME in the URL; see docs/profiles.md")),
    ("DOWNLOAD_DIR", Meaning::Nothing("each session has a directory of its own below session_dir")),
    ("WORKSPACE_DIR", Meaning::Nothing("each session has a directory of its own below session_dir")),
    ("DEFAULT_LAUNCH_ARGS", Meaning::Missing("give flags in the URL or in launch; see docs/launch-options.md")),
    ("DEFAULT_HEADLESS", Meaning::Missing("give headless=false in the URL; see docs/launch-options.md")),
    ("DEFAULT_STEALTH", Meaning::Missing("leave it out: this server hides nothing from sites")),
    ("DEFAULT_BLOCK_ADS", Meaning::Missing("name what is not to be loaded with rejectRequestPattern")),
    ("DEFAULT_IGNORE_HTTPS_ERRORS", Meaning::Missing("give acceptInsecureCerts=true in the URL")),
    ("DEFAULT_USER_DATA_DIR", Meaning::Missing("use user_data=NAME in the URL; see docs/profiles.md")),
    ("KEEP_ALIVE", Meaning::Nothing("browsers are kept and shared; keep_alive=5m in the URL keeps a session")),
    ("PREBOOT_CHROME", Meaning::Nothing("sessions are kept ready; see warm")),
    ("CHROME_REFRESH_TIME", Meaning::Nothing("browsers are replaced by age, use and memory; see docs/operating.md")),
    ("DEBUG", Meaning::Missing("set log, for example GHOSTMUX_LOG=debug")),
    ("RETRIES", Meaning::Nothing("browsers that do not start are started again")),
    ("EXIT_ON_HEALTH_FAILURE", Meaning::Nothing("browsers that fail are replaced; the server goes on")),
];

/// What was found of one variable.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    level: Level,
    variable: &'static str,
    says: String,
}

/// Writes which of these variables are browserless's, and what to set in their place.
pub fn translate(variables: impl Iterator<Item = (String, String)>, mut out: impl Write) -> io::Result<()> {
    let lines = lines(&variables.collect::<Vec<_>>());
    if lines.is_empty() {
        return writeln!(out, "No variable of browserless is set: there is nothing to translate.");
    }
    for Line { level, variable, says } in &lines {
        writeln!(out, "{:<5} {variable:<28} {says}", level.word())?;
    }
    writeln!(out, "\ndocs/from-browserless.md has the rest: URLs, launch options, and what differs.")
}

fn lines(set: &[(String, String)]) -> Vec<Line> {
    let value = |name: &str| set.iter().find(|(set, _)| set == name).map(|(_, value)| value.as_str());
    let mut lines = Vec::new();
    let mut add = |level, variable, says| lines.push(Line { level, variable, says });
    for (variable, meaning) in VARIABLES {
        let Some(given) = value(variable) else { continue };
        match meaning {
            Meaning::Setting(setting) => add(Level::Ok, variable, assign(setting, given)),
            Meaning::Millis(setting) => match given.parse::<i64>() {
                Ok(millis) if millis <= 0 => add(Level::Ok, variable, assign(setting, "0")),
                Ok(millis) => add(Level::Ok, variable, assign(setting, &format!("{millis}ms"))),
                Err(_) => add(Level::Warn, variable, format!("{given:?} is no number of milliseconds")),
            },
            Meaning::Token => {
                let says =
                    "make a token with `ghostmux token`, and put it into the file of tenants; see docs/tenants.md";
                add(Level::Ok, variable, says.to_owned());
            }
            Meaning::Listen if variable == "PORT" || value("PORT").is_none() => {
                let host = match value("HOST") {
                    None | Some("localhost") => "127.0.0.1",
                    Some(host) => host,
                };
                add(Level::Ok, variable, assign("listen", &format!("{host}:{}", value("PORT").unwrap_or("3000"))));
            }
            Meaning::Listen => add(Level::Ok, variable, "see PORT".to_owned()),
            Meaning::Nothing(why) => add(Level::Ok, variable, format!("nothing to set: {why}")),
            Meaning::Missing(advice) => add(Level::Warn, variable, advice.to_owned()),
        }
    }
    lines
}

/// The setting as a variable, as it is written in the file of an environment.
fn assign(setting: &str, value: &str) -> String {
    let is_plain = !value.is_empty() && value.chars().all(|c| c.is_ascii_alphanumeric() || "._:/-,*".contains(c));
    let value = if is_plain { value.to_owned() } else { format!("'{}'", value.replace('\'', r"'\''")) };
    format!("GHOSTMUX_{}={value}", setting.to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(set: &[(&str, &str)]) -> String {
        let mut out = Vec::new();
        let variables = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        translate(variables, &mut out).expect("written");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn variables_become_settings_of_the_same_meaning() {
        for (variable, value, expected) in [
            ("CONCURRENT", "20", "GHOSTMUX_MAX_SESSIONS=20"),
            ("QUEUED", "5", "GHOSTMUX_QUEUE=5"),
            ("TIMEOUT", "60000", "GHOSTMUX_TIMEOUT=60000ms"),
            ("TIMEOUT", "-1", "GHOSTMUX_TIMEOUT=0"),
            ("PORT", "3000", "GHOSTMUX_LISTEN=127.0.0.1:3000"),
            ("HOST", "0.0.0.0", "GHOSTMUX_LISTEN=0.0.0.0:3000"),
            ("EXTERNAL", "https://b.example.com/x", "GHOSTMUX_PUBLIC_URL=https://b.example.com/x"),
            ("CORS_ALLOW_ORIGIN", "it's", r"GHOSTMUX_ALLOW_ORIGIN='it'\''s'"),
        ] {
            let said = said(&[(variable, value)]);
            assert!(said.contains(&format!("{expected}\n")), "{said}");
        }
        let both = said(&[("HOST", "0.0.0.0"), ("PORT", "80")]);
        assert!(both.contains("GHOSTMUX_LISTEN=0.0.0.0:80\n") && both.contains("see PORT"), "{both}");
    }

    #[test]
    fn tokens_are_not_shown() {
        let said = said(&[("TOKEN", "hush"), ("PATH", "/bin")]);
        assert!(said.contains("ghostmux token") && !said.contains("hush") && !said.contains("PATH"), "{said}");
    }

    #[test]
    fn what_is_not_offered_says_what_to_do() {
        let said = said(&[("DEFAULT_STEALTH", "true"), ("TIMEOUT", "soon")]);
        assert!(said.contains("warn  DEFAULT_STEALTH") && said.contains("warn  TIMEOUT"), "{said}");
        assert!(lines(&[]).is_empty());
    }

    #[test]
    fn every_setting_that_is_named_exists() {
        let known = crate::config::docs::markdown();
        for (variable, meaning) in VARIABLES {
            if let Meaning::Setting(setting) | Meaning::Millis(setting) = meaning {
                let name = format!("GHOSTMUX_{}", setting.to_uppercase());
                assert!(known.contains(&name), "{variable}: {name}");
            }
        }
    }
}
