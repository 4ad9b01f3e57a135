//! The tools that list what a page has logged and requested.

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use super::{
    agent::Agent,
    arguments::{ConsoleMessages, Level, NetworkRequests},
    result::{Failure, Shown},
};
use crate::api_types::{
    Bad,
    operations::{PageConsole, PageNetwork},
};

/// Most lines of a list; the newest ones are shown.
const LINES_MOST: usize = 200;
/// Types of requests that are not listed unless they fail, or are asked for.
const STATIC: [&str; 5] = ["image", "font", "script", "stylesheet", "media"];

impl Agent<'_> {
    pub(super) async fn console(&self, ConsoleMessages { level, filename }: ConsoleMessages) -> Result<Shown, Failure> {
        #[derive(Deserialize)]
        struct Console {
            entries: Vec<Entry>,
        }
        #[derive(Deserialize)]
        struct Entry {
            kind: String,
            text: String,
            url: Option<String>,
            line: Option<u32>,
        }

        let Console { entries } = self.ask(PageConsole::default()).await?;
        let lines = entries.iter().filter(|entry| level_of(&entry.kind) <= level).map(|entry| {
            let Entry { kind, text, url, line } = entry;
            let place = url.as_ref().map(|url| format!(" @ {url}:{}", line.unwrap_or_default())).unwrap_or_default();
            format!("[{}] {text}{place}", kind.to_uppercase())
        });
        self.listed(&lines.collect::<Vec<_>>(), "message", filename).await
    }

    pub(super) async fn requests(&self, asked: NetworkRequests) -> Result<Shown, Failure> {
        #[derive(Deserialize)]
        struct Network {
            har: Value,
        }

        let NetworkRequests { is_static, filter, filename } = asked;
        let filter = filter.map(|filter| Regex::new(&filter)).transpose();
        let filter = filter.map_err(|_| Bad::new("filter", "is no regular expression"))?;
        let Network { har } = self.ask(PageNetwork::default()).await?;
        let entries = har["log"]["entries"].as_array().map(Vec::as_slice).unwrap_or_default();
        let lines = entries.iter().filter_map(|entry| {
            let (method, url) = (entry["request"]["method"].as_str()?, entry["request"]["url"].as_str()?);
            let status = entry["response"]["status"].as_u64().unwrap_or_default();
            let failed = entry["_error"].as_str();
            let is_plain = entry["_resourceType"].as_str().is_some_and(|kind| STATIC.contains(&kind));
            let is_well = failed.is_none() && status < 400;
            if (is_plain && is_well && !is_static) || filter.as_ref().is_some_and(|filter| !filter.is_match(url)) {
                return None;
            }
            let outcome = match (failed, status) {
                (Some(why), _) => format!("FAILED {why}"),
                (None, 0) => "pending".to_owned(),
                (None, status) => status.to_string(),
            };
            Some(format!("[{method}] {url} => [{outcome}]"))
        });
        self.listed(&lines.collect::<Vec<_>>(), "request", filename).await
    }

    /// A list of which the newest lines are shown, or all are kept.
    async fn listed(&self, lines: &[String], what: &str, filename: Option<String>) -> Result<Shown, Failure> {
        if let Some(name) = filename {
            return self.keep(name, lines.join("\n").into_bytes()).await;
        }
        let beyond = lines.len().saturating_sub(LINES_MOST);
        let mut shown = match (lines.len(), beyond) {
            (0, _) => Shown::saying(format!("There is no {what}.")),
            (_, 0) => Shown::default(),
            _ => Shown::saying(format!("{beyond} earlier {what}s are left out.")),
        };
        for line in lines.iter().skip(beyond) {
            shown.tell(line);
        }
        Ok(shown)
    }
}

fn level_of(kind: &str) -> Level {
    match kind {
        "error" | "exception" | "assert" => Level::Error,
        "warning" | "warn" => Level::Warning,
        "debug" | "verbose" => Level::Debug,
        _ => Level::Info,
    }
}
