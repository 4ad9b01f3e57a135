//! `ghostmux ls`, `browsers` and `status`: what a running server is doing. `ghostmux reload` changes its settings.

use std::{
    io::{self, Write},
    time::Duration,
};

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::client::{Client, ClientError};
use crate::{
    api_types::{BrowserInfo, Browsers, Millis, Reloaded, ServerStatus, Session, Sessions, SettingChange},
    config::Expiry,
};

/// How often `--watch` asks.
const INTERVAL: Duration = Duration::from_secs(2);

/// The server that is asked, and the form of the answer.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// The server to ask.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9222")]
    server: String,
    /// Print the server's JSON instead of a table.
    #[arg(long)]
    json: bool,
}

/// `ghostmux status …`
#[derive(Clone, Debug, Args)]
pub struct StatusArguments {
    #[command(flatten)]
    of: Arguments,
    /// Print it again every 2 s, until interrupted.
    #[arg(long)]
    watch: bool,
}

/// Why a subcommand failed.
#[derive(Debug, thiserror::Error)]
pub enum ServerCommandError {
    /// The server did not answer.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The output cannot be written.
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
}

impl ServerCommandError {
    /// Whether the arguments are wrong.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Client(ClientError::Address { .. }))
    }

    /// Whether the reader of the output has gone, as `head` does.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Prints the sessions, a line each. With `json`, one document per line.
pub async fn sessions(arguments: &Arguments, out: &mut impl Write) -> Result<(), ServerCommandError> {
    let client = Client::new(&arguments.server)?;
    let mut table = Table::new(["ID", "STATE", "CLIENTS", "BROWSER", "CREATED", "EXPIRES", "NAME"]);
    let mut cursor = String::new();
    loop {
        let text = client.get(&format!("/v1/sessions?limit=1000{cursor}")).await?;
        let page: Sessions = client.read(&text)?;
        for session in &page.sessions {
            if arguments.json {
                writeln!(out, "{}", serde_json::to_string(session).map_err(io::Error::from)?)?;
            } else {
                table.add(row_of_session(session));
            }
        }
        for unreadable in &page.unreadable {
            if arguments.json {
                writeln!(out, "{}", serde_json::to_string(unreadable).map_err(io::Error::from)?)?;
            } else {
                let why = format!("unreadable: {}", unreadable.reason);
                table.add([
                    unreadable.id.clone(),
                    "hibernated".into(),
                    "-".into(),
                    "-".into(),
                    "-".into(),
                    "-".into(),
                    why,
                ]);
            }
        }
        let Some(next) = page.next else { break };
        cursor = format!("&cursor={next}");
    }
    if !arguments.json {
        table.write(out)?;
    }
    Ok(())
}

/// Prints the browsers, a line each.
pub async fn browsers(arguments: &Arguments, out: &mut impl Write) -> Result<(), ServerCommandError> {
    let client = Client::new(&arguments.server)?;
    let text = client.get("/v1/browsers").await?;
    if arguments.json {
        return Ok(writeln!(out, "{text}")?);
    }
    let Browsers { browsers, .. } = client.read(&text)?;
    let mut table = Table::new([
        "ID",
        "STATE",
        "ISOLATION",
        "PID OR URL",
        "AGE",
        "SESSIONS",
        "SERVED",
        "WARM",
        "TARGETS",
        "MEMORY",
        "CPU",
        "PRODUCT OR REASON",
    ]);
    for browser in &browsers {
        table.add(row_of_browser(browser));
    }
    Ok(table.write(out)?)
}

/// Prints the status.
pub async fn status(arguments: &StatusArguments, out: &mut impl Write) -> Result<(), ServerCommandError> {
    let client = Client::new(&arguments.of.server)?;
    loop {
        let text = client.get("/v1/status").await?;
        if arguments.of.json {
            writeln!(out, "{text}")?;
        } else {
            let status: ServerStatus = client.read(&text)?;
            write!(out, "{}", describe(&status))?;
            if let Some(Millis(age)) = status.tenants_age {
                writeln!(out, "tenants   their Redis answered {} s ago", age.as_secs())?;
            }
            if let Some(expiry) = certificate_expiry(&status) {
                writeln!(out, "tls       the certificate {expiry}")?;
            }
            for why in &status.unreachable {
                writeln!(out, "remote    {why}")?;
            }
        }
        out.flush()?;
        if !arguments.watch {
            return Ok(());
        }
        tokio::time::sleep(INTERVAL).await;
        if !arguments.of.json {
            writeln!(out)?;
        }
    }
}

/// Makes the server load its configuration again, and prints what has changed.
pub async fn reload(arguments: &Arguments, out: &mut impl Write) -> Result<(), ServerCommandError> {
    let client = Client::new(&arguments.server)?;
    let text = client.post("/v1/reload").await?;
    if arguments.json {
        return Ok(writeln!(out, "{text}")?);
    }
    let Reloaded { file, changed, needs_restart } = client.read(&text)?;
    writeln!(
        out,
        "loaded {}",
        file.as_deref().unwrap_or("flags and variables again; the server was started without a file")
    )?;
    for (what, changes) in [("changed", &changed), ("needs a restart", &needs_restart)] {
        for SettingChange { setting, old, new } in changes {
            let (old, new) = (old.as_deref().unwrap_or("none"), new.as_deref().unwrap_or("none"));
            writeln!(out, "{what}: {setting}, from {old} to {new}")?;
        }
    }
    if changed.is_empty() && needs_restart.is_empty() {
        writeln!(out, "nothing has changed")?;
    }
    Ok(())
}

fn describe(status: &ServerStatus) -> String {
    let ServerStatus { browsers, sessions, queue, .. } = status;
    let most = queue.max_sessions.map_or_else(|| "no limit".to_owned(), |most| format!("at most {most}"));
    let available = if status.is_available { "a new session gets a place at once" } else { "a new session must wait" };
    let product = status.product.as_deref().unwrap_or("none is ready");
    format!(
        "ghostmux {version}, up {uptime}; {available}\n\
         sessions  {active} active, {parked} parked, {queued} queued, {hibernated} hibernated ({most}); {users} users\n\
         browsers  {ready} ready, {starting} starting, {draining} draining, {dead} ended ({product}); {warm} warm leases\n\
         queue     {waiting} of {places} wait, the first for {longest}; {rejected} refused in the last minute\n\
         machine   {memory} and {cpu} of processor time in browsers\n",
        version = status.version,
        uptime = span(status.uptime),
        active = sessions.active,
        parked = sessions.parked,
        queued = sessions.queued,
        hibernated = sessions.hibernated,
        users = status.active_users,
        ready = browsers.ready,
        starting = browsers.starting,
        draining = browsers.draining,
        dead = browsers.dead,
        warm = status.warm,
        waiting = queue.waiting,
        places = queue.most,
        longest = span(queue.longest_wait),
        rejected = queue.recently_rejected,
        memory = bytes(status.memory),
        cpu = span(status.cpu_time),
    )
}

/// When the certificate of the server expires, if it has one.
fn certificate_expiry(status: &ServerStatus) -> Option<Expiry> {
    let at = i64::try_from(status.tls_certificate_expires_at?).ok()?;
    Some(Expiry::new(Timestamp::from_millisecond(at).ok()?, Timestamp::now()))
}

fn row_of_session(session: &Session) -> [String; 7] {
    [
        session.id.clone(),
        word(session.state),
        session.clients.to_string(),
        session.browser.map_or_else(|| "-".to_owned(), |browser| browser.to_string()),
        ago(session.created_at),
        session.expires_at.map_or_else(|| "-".to_owned(), until),
        session.name.clone().unwrap_or_default(),
    ]
}

fn row_of_browser(browser: &BrowserInfo) -> [String; 12] {
    let or_none = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    [
        browser.id.to_string(),
        word(browser.state),
        word(browser.isolation),
        or_none(browser.url.clone().or_else(|| browser.pid.map(|pid| pid.to_string()))),
        or_none(browser.age.map(span)),
        browser.sessions.to_string(),
        browser.sessions_served.to_string(),
        browser.warm.to_string(),
        or_none(browser.targets.map(|targets| targets.to_string())),
        or_none(browser.memory.map(bytes)),
        or_none(browser.cpu_time.map(span)),
        browser.why.clone().or_else(|| browser.product.clone()).unwrap_or_default(),
    ]
}

/// A state as the API writes it.
fn word(state: impl Serialize) -> String {
    let value = serde_json::to_value(state).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

fn ago(at: u64) -> String {
    format!("{} ago", span(Millis(Duration::from_millis(now().saturating_sub(at)))))
}

fn until(at: u64) -> String {
    format!("in {}", span(Millis(Duration::from_millis(at.saturating_sub(now())))))
}

/// A duration in its two largest units.
fn span(Millis(span): Millis) -> String {
    let seconds = span.as_secs();
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, 0) => format!("{} ms", span.as_millis()),
        (0, 0, 0, seconds) => format!("{seconds} s"),
        (0, 0, minutes, seconds) => format!("{minutes} m {seconds} s"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} m"),
        (days, hours, ..) => format!("{days} d {hours} h"),
    }
}

/// A size in MiB.
fn bytes(size: u64) -> String {
    format!("{} MiB", size.div_ceil(1024 * 1024))
}

/// Rows whose columns are as wide as their widest value. The last one is not padded.
struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    fn new(head: [&str; N]) -> Self {
        Self { rows: vec![head.map(str::to_owned)] }
    }

    fn add(&mut self, row: [String; N]) {
        self.rows.push(row);
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let widths: [usize; N] =
            std::array::from_fn(|column| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
        for row in &self.rows {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
            writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_shown_in_their_two_largest_units() {
        let of = |millis| span(Millis(Duration::from_millis(millis)));
        assert_eq!((of(0), of(999), of(1000)), ("0 ms".to_owned(), "999 ms".to_owned(), "1 s".to_owned()));
        assert_eq!((of(61_500), of(3_700_000)), ("1 m 1 s".to_owned(), "1 h 1 m".to_owned()));
        assert_eq!(of(90_000_000), "1 d 1 h");
        assert_eq!((bytes(0), bytes(1), bytes(3 << 20)), ("0 MiB".to_owned(), "1 MiB".to_owned(), "3 MiB".to_owned()));
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_value() {
        let mut table = Table::new(["ID", "NAME"]);
        table.add(["long-id".to_owned(), "x".to_owned()]);
        table.add(["1".to_owned(), String::new()]);
        let mut out = Vec::new();
        table.write(&mut out).expect("a vector takes everything");
        assert_eq!(String::from_utf8_lossy(&out), "ID       NAME\nlong-id  x\n1\n");
    }
}
