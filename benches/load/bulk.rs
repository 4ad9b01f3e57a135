//! Large messages, and many messages.

use std::{io, time::Instant};

use serde_json::json;

use super::{
    Bench,
    cdp::Page,
    process::cpu_seconds,
    table::{Budget, Row, Section},
};

const MB: usize = 1_000_000;
const EVENTS: usize = 20_000;

pub(crate) fn results(bench: &Bench) -> io::Result<Section> {
    let mut section = Section::new("Large results", "direct");
    section.note(
        "`Runtime.evaluate` of an existing string, by value, until its last byte is read. The CPU time of Chrome is \
         that of its browser process, which all sessions share.",
    );
    let mut direct = bench.chrome.endpoint.page()?;
    let mut proxied = bench.proxy.endpoint.page()?;
    let chromes = (bench.chrome.pid(), bench.proxy.chrome().unwrap_or_default());
    for (size, rounds) in [(1, 15), (10, 9), (50, 4)] {
        let rounds = if bench.long { rounds * 4 } else { rounds };
        let count = if size == 1 { 5 } else { 1 };
        for page in [&mut direct, &mut proxied] {
            page.evaluate(&format!("globalThis.big = 'x'.repeat({}); 0", size * MB))?;
        }
        let mut times = Vec::new();
        let mut cpu = (0.0, 0.0, 0.0);
        for round in 0..=rounds {
            let before = (cpu_seconds(chromes.0), cpu_seconds(chromes.1), cpu_seconds(bench.proxy.pid()));
            let pair = (fetch(&mut direct, count)?, fetch(&mut proxied, count)?);
            if round > 0 {
                cpu.0 += cpu_seconds(chromes.0) - before.0;
                cpu.1 += cpu_seconds(chromes.1) - before.1;
                cpu.2 += cpu_seconds(bench.proxy.pid()) - before.2;
                times.push(pair);
            }
        }
        let budget = if size == 10 { Budget::AtMostTimes(0.5) } else { Budget::None };
        section.push(Row::both(format!("result of {size} MB"), "ms", &times, budget));
        if size > 1 {
            #[expect(clippy::cast_precision_loss, reason = "a few megabytes")]
            let gigabytes = (rounds * count * size * MB) as f64 / 1e9;
            let chrome = [(cpu.0 / gigabytes, cpu.1 / gigabytes)];
            section.push(Row::both(format!("… CPU of Chrome per GB, {size} MB each"), "s", &chrome, Budget::None));
            section.push(Row::own(
                format!("… CPU of the proxy per GB, {size} MB each"),
                "s",
                cpu.2 / gigabytes,
                Budget::None,
            ));
        }
        for page in [&mut direct, &mut proxied] {
            page.evaluate("globalThis.big = null; 0")?;
            page.ws.forget();
        }
    }
    Ok(section)
}

/// Milliseconds for one result.
fn fetch(page: &mut Page, count: usize) -> io::Result<f64> {
    let from = Instant::now();
    for _ in 0..count {
        let command = page.command("Runtime.evaluate", r#"{"expression":"big","returnByValue":true}"#, true);
        page.ws.send(command.as_bytes())?;
        let length = page.reply()?;
        if length < MB {
            return Err(io::Error::other(format!("a large result of {length} bytes")));
        }
    }
    Ok(from.elapsed().as_secs_f64() * 1e3 / count as f64)
}

/// A value of `n` MB as an expression: one string.
pub(crate) const TEXT: &str = "'x'.repeat(n * 1e6)";
/// Many small objects.
pub(crate) const OBJECTS: &str = "Array.from({ length: n * 1e4 }, (_, i) => ({ nodeId: i, name: 'DIV', \
                                  attributes: ['id', 'a', 'class', 'b c'], children: [], ok: true, more: 'letters' }))";

/// Milliseconds for one result of this many megabytes.
pub(crate) fn result(page: &mut Page, value: &str, megabytes: usize) -> io::Result<f64> {
    let count = if megabytes == 1 { 5 } else { 1 };
    page.evaluate(&format!("{{ const n = {megabytes}; globalThis.big = {value} }} 0"))?;
    let taken = fetch(page, count)?;
    page.ws.forget();
    Ok(taken)
}

pub(crate) fn commands(bench: &Bench) -> io::Result<Section> {
    let mut section = Section::new("Large commands", "direct");
    section.note(
        "`Runtime.evaluate` with a member that Chrome ignores: this measures the transport, not V8. The proxy reads \
         every byte of it first.",
    );
    let rounds = if bench.long { 20 } else { 6 };
    let text = text();
    let node = r#"{"nodeId":12345,"name":"DIV","attributes":["id","a","class","b c"],"children":[],"ok":true},"#;
    let nodes = node.repeat(10 * MB / node.len());
    let tree = format!(r#"{{"expression":"1","ignored":[{}]}}"#, nodes.trim_end_matches(','));
    for (what, params) in [("one string", text), ("many objects", tree)] {
        let mut direct = bench.chrome.endpoint.page()?;
        let mut proxied = bench.proxy.endpoint.page()?;
        let mut times = Vec::new();
        let mut cpu = 0.0;
        for round in 0..=rounds {
            let beside = command(&mut direct, &params)?;
            let before = cpu_seconds(bench.proxy.pid());
            let ours = command(&mut proxied, &params)?;
            if round > 0 {
                cpu += cpu_seconds(bench.proxy.pid()) - before;
                times.push((beside, ours));
            }
        }
        section.push(Row::both(format!("command of 10 MB, {what}"), "ms", &times, Budget::None));
        let each = cpu / times.len() as f64;
        section.push(Row::own(format!("… CPU of the proxy per GB, {what}"), "s", each * 100.0, Budget::None));
    }
    Ok(section)
}

/// The params of a command of 10 MB.
pub(crate) fn text() -> String {
    format!(r#"{{"expression":"1","ignored":"{}"}}"#, "x".repeat(10 * MB))
}

/// Milliseconds for one command.
pub(crate) fn command(page: &mut Page, params: &str) -> io::Result<f64> {
    let command = page.command("Runtime.evaluate", params, true);
    let from = Instant::now();
    page.ws.send(command.as_bytes())?;
    page.reply()?;
    Ok(from.elapsed().as_secs_f64() * 1e3)
}

pub(crate) fn flood(bench: &Bench) -> io::Result<Section> {
    let mut section = Section::new("A flood of console events", "direct");
    section.note(format!("{EVENTS} calls of `console.log` in one loop, until the last event is read."));
    let rounds = if bench.long { 9 } else { 3 };
    for (what, size) in [("410 B", 410), ("2.3 KB", 2_300)] {
        let mut direct = bench.chrome.endpoint.page()?;
        let mut proxied = bench.proxy.endpoint.page()?;
        let mut rates = Vec::new();
        let mut cpu = 0.0;
        for round in 0..=rounds {
            let beside = events(&mut direct, size)?;
            let before = cpu_seconds(bench.proxy.pid());
            let ours = events(&mut proxied, size)?;
            if round > 0 {
                cpu += cpu_seconds(bench.proxy.pid()) - before;
                rates.push((beside, ours));
            }
        }
        section.push(Row::both(format!("events of {what} per second"), "/s", &rates, Budget::AtLeastTimes(0.95)));
        let each = cpu / (rates.len() * EVENTS) as f64;
        section.push(Row::own(format!("… CPU of the proxy per event of {what}"), "µs", each * 1e6, Budget::None));
    }
    Ok(section)
}

/// Events per second, each of about this size.
pub(crate) fn events(page: &mut Page, size: usize) -> io::Result<f64> {
    const EVENT: &[u8] = br#"{"method":"Runtime.consoleAPICalled""#;
    page.call("Runtime.enable", &json!({}))?;
    // The size of one event shows how much of it is not the text.
    page.evaluate("globalThis.flood = (n, t) => { for (let i = 0; i < n; i++) console.log(t); return 0 }; 0")?;
    let command = page.command("Runtime.evaluate", r#"{"expression":"flood(1, '')"}"#, true);
    page.ws.send(command.as_bytes())?;
    let mut frame = None;
    let mut replied = false;
    while frame.is_none() || !replied {
        let message = page.ws.receive()?;
        replied |= message.starts_with(b"{\"id\":");
        if message.starts_with(EVENT) {
            frame = Some(message.len());
        }
    }
    let text = size.saturating_sub(frame.unwrap_or(0));
    let params = format!(r#"{{"expression":"flood({EVENTS}, 'x'.repeat({text}))"}}"#);
    let command = page.command("Runtime.evaluate", &params, true);
    let from = Instant::now();
    page.ws.send(command.as_bytes())?;
    let mut events = 0;
    let mut replied = false;
    while events < EVENTS || !replied {
        let message = page.ws.receive()?;
        replied |= message.starts_with(b"{\"id\":");
        events += usize::from(message.starts_with(EVENT));
    }
    let took = from.elapsed().as_secs_f64();
    page.call("Runtime.discardConsoleEntries", &json!({}))?;
    page.call("Runtime.disable", &json!({}))?;
    Ok(EVENTS as f64 / took)
}
