//! The results of the proofs, as a file and as a page for the records.

use std::{
    fmt::Write as _,
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ghostmux::browser::find::{self, Kind};
use serde_json::{Value, json};

use crate::{browsers::Browser, proxy::Proxy};

/// The outcome of one proof.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) proof: &'static str,
    /// The browser's product string.
    pub(crate) product: String,
    /// Counters of the work done.
    pub(crate) facts: Value,
    /// The violations; an empty list is a pass.
    pub(crate) faults: Vec<String>,
    pub(crate) took: Duration,
}

impl Outcome {
    /// Fails the test unless the proof passed.
    pub(crate) fn check(&self) {
        assert!(self.faults.is_empty(), "{}\n{}", self.text(), self.faults.join("\n"));
    }

    /// With faults, prints what the server has logged.
    pub(crate) fn with_log_of(self, proxy: &Proxy) -> Self {
        if !self.faults.is_empty() {
            eprintln!("---- the proxy's log:\n{}", proxy.log());
        }
        self
    }

    /// The outcome as text.
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "{}  {}: {} in {} s\n",
            if self.faults.is_empty() { "PASS" } else { "FAIL" },
            self.proof,
            self.product,
            self.took.as_secs()
        );
        indented(&mut text, &self.facts, 6);
        for fault in &self.faults {
            let shown: String = fault.chars().take(2000).collect();
            let _ = writeln!(text, "      FAULT {shown}");
        }
        text
    }

    /// Saves it for the verdict.
    pub(crate) fn keep(&self) -> std::io::Result<()> {
        let directory = directory();
        fs::create_dir_all(&directory)?;
        let kept = json!({ "text": self.text(), "pass": self.faults.is_empty(), "product": self.product });
        fs::write(directory.join(format!("{}.json", self.proof)), kept.to_string())
    }
}

/// The directory of the proofs' outcomes.
pub(crate) fn directory() -> PathBuf {
    let built = PathBuf::from(env!("CARGO_BIN_EXE_ghostmux"));
    built.parent().and_then(|profile| profile.parent()).expect("target/debug").join("prove")
}

/// The verdict on all saved outcomes; false if one is missing or failed.
pub(crate) async fn verdict() -> std::io::Result<(bool, String)> {
    let directory = directory();
    let mut pass = true;
    let mut body = String::new();
    let mut products = Vec::new();
    let attacks = fs::read_to_string(directory.join("attacks.log")).unwrap_or_default();
    let mut chromes = Vec::new();
    for kind in [Kind::Shell, Kind::Full] {
        let Some(browser) = Browser::of(kind) else { continue };
        let version = find::inspect(&browser.path).await.map(|found| found.version.full);
        chromes.push((kind, version.unwrap_or_default()));
    }
    let (attacks_pass, line) = attacks_of(&attacks, &chromes);
    pass &= attacks_pass;
    let _ = writeln!(body, "{}  attacks: {line}\n", if attacks_pass { "PASS" } else { "FAIL" });
    for proof in ["sweep", "taint"] {
        let kept = fs::read_to_string(directory.join(format!("{proof}.json"))).unwrap_or_default();
        let kept: Value = serde_json::from_str(&kept).unwrap_or_default();
        pass &= kept["pass"] == true;
        match kept["text"].as_str() {
            Some(text) => {
                let _ = writeln!(body, "{text}");
            }
            None => {
                let _ = writeln!(body, "FAIL  {proof}: it left no outcome\n");
            }
        }
        products.extend(kept["product"].as_str().map(str::to_owned));
    }
    products.dedup();
    let text = format!(
        "ghostmux isolation verdict\n\
         date      {}\n\
         ghostmux  {} ({})\n\
         browser   {}\n\
         machine   {} {}\n\n\
         {body}VERDICT   {}\n\n\
         What is proven, and what is not: docs/security.md. Again: make prove\n",
        date(),
        env!("CARGO_PKG_VERSION"),
        commit(),
        products.join("; "),
        std::env::consts::OS,
        std::env::consts::ARCH,
        if pass { "PASS" } else { "FAIL" },
    );
    fs::create_dir_all(&directory)?;
    fs::write(directory.join("verdict.txt"), &text)?;
    Ok((pass, text))
}

/// The results of the attack tests, from the lines of the test harness. Each test is for one kind
/// of Chrome, and is skipped if that is not installed.
fn attacks_of(log: &str, chromes: &[(Kind, String)]) -> (bool, String) {
    let of = |kind: &str, end: &str| {
        let line = format!("::{kind} ... {end}");
        log.lines().filter(|said| said.starts_with("test attacks::") && said.contains(&line)).count()
    };
    let mut pass = log.lines().any(|line| line.trim_start().starts_with("test result: ok"));
    let mut text = Vec::new();
    for (kind, name) in [(Kind::Shell, "shell"), (Kind::Full, "full")] {
        match chromes.iter().find(|(there, _)| *there == kind) {
            Some((_, version)) => {
                let (passed, all) = (of(name, "ok"), of(name, ""));
                pass &= passed > 0 && passed == all;
                text.push(format!("{passed} of {all} pass in {kind} {version}"));
            }
            None => text.push(format!("none was run in {kind}, which is not there")),
        }
    }
    let failed = log.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
    let failed = failed.fold(String::new(), |text, test| text + "\n      FAULT " + test);
    let end = if log.contains("test result:") { "" } else { "\n      FAULT they did not come to their end" };
    (pass && !chromes.is_empty(), format!("{}{failed}{end}", text.join(", ")))
}

fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else { return "no git".to_owned() };
    let clean = git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|changes| changes.is_empty());
    if clean { format!("commit {commit}") } else { format!("commit {commit}, with changes that are not in it") }
}

/// The current time as `YYYY-MM-DD HH:MM UTC`.
fn date() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // The civil calendar from a day count, with years that begin in March.
    let day_of_era = (days + 719_468) % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + (days + 719_468) / 146_097 * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", rest / 3600, rest % 3600 / 60)
}

fn indented(text: &mut String, facts: &Value, by: usize) {
    let Value::Object(members) = facts else { return };
    for (name, value) in members {
        match value {
            Value::Object(inner) if inner.len() > 12 => {
                let _ = writeln!(text, "{:by$}{name}: {} kinds", "", inner.len());
            }
            Value::Object(_) => {
                let _ = writeln!(text, "{:by$}{name}:", "");
                indented(text, value, by + 2);
            }
            _ => {
                let _ = writeln!(text, "{:by$}{name}: {value}", "");
            }
        }
    }
}
