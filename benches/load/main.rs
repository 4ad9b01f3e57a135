//! The cost of the proxy, compared with a direct connection to an identical Chrome in the same run,
//! in alternation.
//!
//! `cargo bench --bench load` runs all groups in about ten minutes; names select groups (`--
//! roundtrip flood`). `--long` measures longer, `--codec NAME` is passed to the proxy, `--json
//! PATH` is the file for the figures (`target/bench/load.json`), `--write-docs` also writes them
//! into `docs/performance.md`, with plots, and `--docs-from PATH` does only that, with the figures
//! of an earlier run. The group `dedicated` alone writes to `docs/dedicated.md`; with `--small` it only checks that it works.
//!
//! `-- neighbour` is a separate run: the cost of a greedy client for another one (`--row NAME`
//! selects rows, `--tenants` those of greedy tenants, `--small` only checks that it works, `--serve FLAG` is passed to the
//! server, such as `--serve --browser-stall=0`; the figures are written to `target/bench/neighbour.json`, and with
//! `--write-docs` to `docs/security.md`).

#![allow(clippy::print_stdout, reason = "a table is what it is for")]
#![allow(clippy::cast_precision_loss, reason = "counts of messages and bytes, far below 2^52")]

mod alone;
mod bulk;
mod cdp;
mod clones;
mod codec;
mod connect;
mod docs;
mod egress;
mod fake;
mod memory;
mod neighbour;
mod plot;
mod pool;
mod process;
mod roundtrip;
mod sides;
mod snapshots;
mod table;
mod ws;

use std::{
    error::Error,
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use ghostmux::browser::find::Found;
use serde_json::{Value, json};

use self::{
    sides::{Chrome, Proxy, chrome_found},
    table::{Report, Section},
};

/// The environment of every group.
struct Bench {
    found: Found,
    chrome: Chrome,
    proxy: Proxy,
    settings: Vec<String>,
    long: bool,
    /// Only to see that it works; for groups that have such a size.
    small: bool,
}

impl Bench {
    /// Starts another proxy, with the settings of this run and these.
    fn start_proxy(&self, more: &[&str]) -> io::Result<Proxy> {
        let settings = self.settings.iter().map(String::as_str);
        Proxy::start(&settings.chain(more.iter().copied()).collect::<Vec<_>>())
    }
}

type Group = fn(&Bench) -> io::Result<Section>;

const GROUPS: [(&str, Group); 19] = [
    ("roundtrip", roundtrip::roundtrip),
    ("pipelined", roundtrip::pipelined),
    ("results", bulk::results),
    ("commands", bulk::commands),
    ("flood", bulk::flood),
    ("codec", codec::codec),
    ("connect", connect::connect),
    (DEDICATED, connect::dedicated),
    ("sessions", connect::sessions),
    ("burst", pool::burst),
    ("ramp", pool::ramp),
    ("quick", pool::quick),
    ("sharing", pool::sharing),
    ("memory", memory::memory),
    ("snapshots", snapshots::snapshots),
    ("clones", clones::clones),
    ("egress", egress::egress),
    ("idle", alone::idle),
    ("alone", alone::alone),
];

/// The group with a page of its own, which can be written without the others.
const DEDICATED: &str = "dedicated";

/// The group that is a separate run.
const NEIGHBOUR: &str = "neighbour";

/// The options of [`NEIGHBOUR`].
struct Neighbour {
    /// Empty for all rows.
    rows: Vec<String>,
    /// Only the rows of greedy tenants.
    tenants: bool,
}

struct Wish {
    groups: Vec<String>,
    neighbour: Option<Neighbour>,
    settings: Vec<String>,
    long: bool,
    /// Small counts: the figures say nothing.
    small: bool,
    json: PathBuf,
    write_docs: bool,
    docs_from: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let wish = wish(std::env::args().skip(1))?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages: &[docs::Page] = match &*wish.groups {
        _ if wish.neighbour.is_some() => &[docs::SECURITY, docs::TENANTS],
        [only] if only == DEDICATED => &[docs::DEDICATED],
        _ => &[docs::PERFORMANCE, docs::DEDICATED],
    };
    let write = |report: &Report| pages.iter().try_for_each(|page| docs::write(root, page, report));
    if let Some(earlier) = &wish.docs_from {
        return Ok(write(&Report::read(earlier)?)?);
    }
    let found = chrome_found()?;
    let machine = machine(&found);
    println!("{machine}");
    let from = Instant::now();
    let mut report = Report { machine, sections: Vec::new() };
    if let Some(Neighbour { rows, tenants }) = &wish.neighbour {
        let names = |row: &String| neighbour::ACTS.iter().any(|act| act.name == row);
        let is_of = |of_tenants: bool| rows.is_empty() || rows.iter().any(|row| names(row) != of_tenants);
        if !tenants && is_of(false) {
            report.sections.push(neighbour::neighbour(&found, &wish.settings, rows, wish.small)?);
            report.write(&wish.json)?;
        }
        if is_of(true) {
            report.sections.push(neighbour::tenants(&wish.settings, rows, wish.small)?);
            report.write(&wish.json)?;
        }
        report.sections.iter().for_each(|section| println!("\n{}", section.markdown()));
    } else {
        groups(&wish, found, &mut report)?;
    }
    if wish.write_docs {
        write(&report)?;
    }
    println!("\n{} s; figures in {}", from.elapsed().as_secs(), wish.json.display());
    Ok(())
}

/// Measures the selected groups.
fn groups(wish: &Wish, found: Found, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let settings: Vec<&str> = wish.settings.iter().map(String::as_str).collect();
    let (chrome, proxy) = (Chrome::start(&found)?, Proxy::start(&settings)?);
    let bench = Bench { found, chrome, proxy, settings: wish.settings.clone(), long: wish.long, small: wish.small };
    // Chrome is busy for a moment after its start.
    thread::sleep(Duration::from_secs(2));
    for (name, group) in GROUPS {
        if wish.groups.is_empty() || wish.groups.iter().any(|wanted| wanted == name) {
            let section = group(&bench).map_err(|error| format!("{name}: {error}"))?;
            println!("\n{}", section.markdown());
            report.sections.push(section);
            // After each group, so that an interrupted run has results.
            report.write(&wish.json)?;
        }
    }
    Ok(())
}

fn wish(mut args: impl Iterator<Item = String>) -> Result<Wish, Box<dyn Error>> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let (mut json, mut neighbour) = (None, false);
    let mut of_it = Neighbour { rows: Vec::new(), tenants: false };
    let mut wish = Wish {
        groups: Vec::new(),
        neighbour: None,
        settings: Vec::new(),
        long: false,
        small: false,
        json: PathBuf::new(),
        write_docs: false,
        docs_from: None,
    };
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            // An argument that `cargo bench` adds.
            "--bench" => {}
            "--long" => wish.long = true,
            "--codec" => wish.settings.push(format!("--codec={}", value()?)),
            "--serve" => wish.settings.push(value()?),
            "--json" => json = Some(value()?.into()),
            "--write-docs" => wish.write_docs = true,
            "--row" => of_it.rows.push(value()?),
            "--small" => wish.small = true,
            "--tenants" => of_it.tenants = true,
            NEIGHBOUR => neighbour = true,
            "--docs-from" => wish.docs_from = Some(value()?.into()),
            name if GROUPS.iter().any(|(known, _)| *known == name) => wish.groups.push(name.to_owned()),
            other => {
                let known: Vec<_> = GROUPS.iter().map(|(name, _)| *name).collect();
                return Err(format!("no group {other}; there are {} and {NEIGHBOUR}", known.join(", ")).into());
            }
        }
    }
    let usual = if neighbour { "bench/neighbour.json" } else { "bench/load.json" };
    wish.json = json.unwrap_or_else(|| target.join(usual));
    if neighbour && !wish.groups.is_empty() {
        return Err(format!("{NEIGHBOUR} is a separate run").into());
    }
    if !neighbour && (of_it.tenants || !of_it.rows.is_empty()) {
        return Err(format!("--row and --tenants belong to {NEIGHBOUR}").into());
    }
    let is_dedicated = matches!(&*wish.groups, [only] if only == DEDICATED);
    if wish.small && !neighbour && !is_dedicated {
        return Err(format!("--small belongs to {NEIGHBOUR} and to {DEDICATED} alone").into());
    }
    let all = neighbour::ACTS.iter().filter(|_| !of_it.tenants).chain(&neighbour::OF_TENANTS);
    let rows: Vec<&str> = all.map(|act| act.name).collect();
    if let Some(other) = of_it.rows.iter().find(|row| !rows.contains(&row.as_str())) {
        return Err(format!("no row {other}; there are {}", rows.join(", ")).into());
    }
    // The page needs the figures of all groups.
    if wish.write_docs && (!wish.groups.is_empty() && !is_dedicated || !of_it.rows.is_empty() || wish.small) {
        return Err(format!("--write-docs needs every group or row, or {DEDICATED} alone, at full size").into());
    }
    wish.neighbour = neighbour.then_some(of_it);
    Ok(wish)
}

/// A general description of the machine.
fn machine(found: &Found) -> Value {
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = memory.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    json!({
        "cores": thread::available_parallelism().map_or(0, usize::from),
        "memory_gib": kib.div_ceil(1024 * 1024),
        "chrome": format!("{:?} {}", found.kind, found.version.full),
        "load_before": load.split_whitespace().next().unwrap_or_default(),
    })
}
