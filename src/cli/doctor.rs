//! `ghostmux doctor` checks this machine for everything that `serve` needs, and says how to repair what is wrong.
//!
//! [`examine`] collects facts (`machine`), `checks` judges them without I/O, and [`Report`] writes the result. Nothing
//! here prints by itself. Nothing is left behind: the one browser that is started has ended before the report is
//! complete.

mod browserless;
mod checks;
mod machine;

use std::{
    io::{self, Write},
    net::TcpListener,
};

#[cfg(feature = "tls")]
use jiff::Timestamp;
use serde::Serialize;

pub use self::browserless::translate;
use self::machine::Machine;
#[cfg(feature = "tls")]
use crate::config::Expiry;
use crate::{
    browser::{
        find::{self, FindError, Found},
        namespace,
    },
    config::{Config, LocalBrowsers},
};

/// The results of all checks.
#[derive(Debug, Serialize)]
pub struct Report {
    can_serve: bool,
    checks: Vec<Check>,
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The severity.
    pub level: Level,
    /// The subject of the check.
    pub check: &'static str,
    /// The observed state.
    pub found: String,
    /// Advice for the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// The severity of a check's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing to do.
    Ok,
    /// `serve` works, with a drawback.
    Warn,
    /// `serve` cannot work.
    Fail,
}

/// Checks everything that `serve` would need with this configuration.
pub async fn examine(config: &Config) -> Report {
    let sources = config.browser_sources();
    let mut checks = match &sources.local {
        Some(local) => examine_local(local, config).await,
        None => Vec::new(),
    };
    for url in &sources.remote {
        // Beside others, one that cannot be reached is tried again and again.
        let is_needed = sources.local.is_none() && sources.remote.len() == 1;
        checks.push(checks::remote(url, machine::reach(url).await, is_needed));
    }
    let machine = Machine::look(&config.session_dir);
    checks.push(checks::files(&machine));
    checks.push(checks::directory(&config.session_dir, &machine));
    checks.push(checks::store(&config.store_settings()));
    #[cfg(feature = "tls")]
    if let Some(tls) = config.tls() {
        let end = crate::config::certificates(&tls.cert).and_then(|chain| match chain.first() {
            Some(first) => crate::config::end_of_validity(first),
            None => Err("it has no certificate".to_owned()),
        });
        checks.push(checks::certificate(&tls.cert, end.map(|end| Expiry::new(end, Timestamp::now()))));
    }
    checks.push(checks::listen(config.listen, TcpListener::bind(config.listen).map(drop)));
    Report::new(checks)
}

async fn examine_local(local: &LocalBrowsers, config: &Config) -> Vec<Check> {
    let machine = Machine::look(&config.session_dir);
    let no_sandbox = local.no_sandbox || find::is_root();
    let found = find::find(local.path.as_deref()).await;
    let mut checks = vec![checks::browser(&found, &others(&found).await)];
    let setuid_helper = found.as_ref().is_ok_and(|found| machine::has_setuid_helper(&found.binary));
    if let Ok(found) = &found {
        let outcome = machine::start(found, no_sandbox, local, &config.session_dir).await;
        let without_sandbox = match &outcome {
            // Distinguishes a browser that cannot start from a system that does not allow its sandbox.
            Err(_) if !no_sandbox => machine::start(found, true, local, &config.session_dir).await.is_ok(),
            _ => false,
        };
        checks.push(checks::start(&outcome, without_sandbox));
    }
    checks.push(checks::sandbox(&machine, local.no_sandbox, setuid_helper));
    if local.netns {
        checks.push(checks::namespace(namespace::try_one().await));
    }
    checks.push(checks::shared_memory(machine.shared_memory));
    checks.push(checks::fonts(&machine.fonts));
    checks.push(checks::size(&machine));
    checks
}

/// The browsers on this machine that `serve` would not start.
async fn others(chosen: &Result<Found, FindError>) -> Vec<Result<Found, FindError>> {
    let mut others = Vec::new();
    for path in find::candidates() {
        let other = find::inspect(&path).await;
        let is_chosen = matches!((chosen, &other), (Ok(chosen), Ok(other)) if chosen.binary == other.binary);
        if !is_chosen {
            others.push(other);
        }
    }
    others
}

impl Report {
    fn new(checks: Vec<Check>) -> Self {
        Self { can_serve: checks.iter().all(|check| check.level != Level::Fail), checks }
    }

    /// Whether no check failed.
    pub fn can_serve(&self) -> bool {
        self.can_serve
    }

    /// Writes one line per check, for people.
    pub fn write_text(&self, mut out: impl Write) -> io::Result<()> {
        for Check { level, check, found, remedy } in &self.checks {
            writeln!(out, "{:<5} {check:<14} {found}", level.word())?;
            if let Some(remedy) = remedy {
                writeln!(out, "{:<20} -> {remedy}", "")?;
            }
        }
        let count = |level| self.checks.iter().filter(|check| check.level == level).count();
        let (warnings, failures) = (count(Level::Warn), count(Level::Fail));
        let verdict = if self.can_serve { "This machine can serve" } else { "This machine cannot serve" };
        writeln!(out, "\n{verdict}: {failures} failed, {warnings} to look at.")
    }

    /// Writes the report as one JSON document.
    pub fn write_json(&self, mut out: impl Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut out, self)?;
        writeln!(out)
    }
}

impl Check {
    fn new(level: Level, check: &'static str, found: impl Into<String>) -> Self {
        Self { level, check, found: found.into(), remedy: None }
    }

    fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report::new(vec![
            Check::new(Level::Ok, "browser", "Chromium 156"),
            Check::new(Level::Warn, "sandbox", "running as root").remedy("run as an ordinary user"),
        ])
    }

    #[test]
    fn a_warning_does_not_stop_serving_and_a_failure_does() {
        assert!(report().can_serve());
        let mut checks = report().checks;
        checks.push(Check::new(Level::Fail, "directory", "not writable"));
        assert!(!Report::new(checks).can_serve());
    }

    #[test]
    fn text_output_has_one_line_per_check_and_remedy() {
        let mut text = Vec::new();
        report().write_text(&mut text).expect("written");
        let text = String::from_utf8(text).expect("text");
        assert_eq!(
            text,
            "ok    browser        Chromium 156\n\
             warn  sandbox        running as root\n\
             \u{20}                    -> run as an ordinary user\n\n\
             This machine can serve: 0 failed, 1 to look at.\n"
        );
    }

    #[test]
    fn json_output_is_one_document() {
        let mut json = Vec::new();
        report().write_json(&mut json).expect("written");
        let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
        assert_eq!(json["can_serve"], true);
        assert_eq!(json["checks"][1]["level"], "warn");
        assert_eq!(json["checks"][1]["remedy"], "run as an ordinary user");
        assert!(json["checks"][0].get("remedy").is_none());
    }
}
