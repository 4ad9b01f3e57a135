//! What the hop costs: the proxy beside a direct connection to an identical Chrome, in one run, taking turns.
//!
//! `cargo bench --bench load` runs every group in some three minutes; names choose among them (`-- roundtrip flood`),
//! `--long` measures longer and more, `--json PATH` says where the figures go (`target/bench/load.json`).

#![allow(clippy::print_stdout, reason = "a table is what it is for")]
#![allow(clippy::cast_precision_loss, reason = "counts of messages and bytes, far below 2^52")]

mod alone;
mod bulk;
mod cdp;
mod connect;
mod fake;
mod memory;
mod process;
mod roundtrip;
mod sides;
mod table;
mod ws;

use std::{
    error::Error,
    fs, io,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use ghostmux::browser::find::Found;
use serde_json::{Value, json};

use self::{
    sides::{Chrome, Proxy, chrome_found},
    table::{Section, write_json},
};

/// What every group gets.
struct Bench {
    found: Found,
    chrome: Chrome,
    proxy: Proxy,
    long: bool,
}

type Group = fn(&Bench) -> io::Result<Section>;

const GROUPS: [(&str, Group); 10] = [
    ("roundtrip", roundtrip::roundtrip),
    ("pipelined", roundtrip::pipelined),
    ("results", bulk::results),
    ("commands", bulk::commands),
    ("flood", bulk::flood),
    ("connect", connect::connect),
    ("sessions", connect::sessions),
    ("memory", memory::memory),
    ("idle", alone::idle),
    ("alone", alone::alone),
];

struct Wish {
    groups: Vec<String>,
    long: bool,
    json: PathBuf,
}

fn main() -> Result<(), Box<dyn Error>> {
    let wish = wish(std::env::args().skip(1))?;
    let found = chrome_found()?;
    let machine = machine(&found);
    println!("{machine}");
    let (chrome, proxy) = (Chrome::start(&found)?, Proxy::start(&[])?);
    let bench = Bench { found, chrome, proxy, long: wish.long };
    // Chrome is busy with itself for a moment after its start.
    thread::sleep(Duration::from_secs(2));
    let from = Instant::now();
    let mut sections = Vec::new();
    for (name, group) in GROUPS {
        if wish.groups.is_empty() || wish.groups.iter().any(|wanted| wanted == name) {
            let section = group(&bench).map_err(|error| format!("{name}: {error}"))?;
            section.print();
            sections.push(section);
        }
    }
    write_json(&wish.json, &machine, &sections)?;
    println!("\n{} s; figures in {}", from.elapsed().as_secs(), wish.json.display());
    Ok(())
}

fn wish(mut args: impl Iterator<Item = String>) -> Result<Wish, Box<dyn Error>> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let mut wish = Wish { groups: Vec::new(), long: false, json: target.join("bench/load.json") };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            // What `cargo bench` adds.
            "--bench" => {}
            "--long" => wish.long = true,
            "--json" => wish.json = args.next().ok_or("--json needs a path")?.into(),
            name if GROUPS.iter().any(|(known, _)| *known == name) => wish.groups.push(name.to_owned()),
            other => {
                let known: Vec<_> = GROUPS.iter().map(|(name, _)| *name).collect();
                return Err(format!("no group {other}; there are {}", known.join(", ")).into());
            }
        }
    }
    Ok(wish)
}

/// The machine in general words.
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
