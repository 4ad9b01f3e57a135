//! Small commands: their latency, their rate, and their cost for the proxy.

use std::{
    collections::VecDeque,
    io::{self, Write},
    thread,
    time::Instant,
};

use super::{
    Bench,
    cdp::{Page, command},
    process::cpu_seconds,
    table::{Budget, Row, Section, percentile},
    ws,
};

const EVALUATE: &str = r#"{"expression":"1"}"#;

pub(crate) fn roundtrip(bench: &Bench) -> io::Result<Section> {
    let mut section = Section::new("Round trip of a small command", "direct");
    section.note(
        "The proxy itself answers `Browser.getVersion`, with Chrome's answer from the start; Chrome does not get the \
         command. The CPU time is the proxy's, user and system.",
    );
    let mut direct = bench.chrome.endpoint.page()?;
    let mut proxied = bench.proxy.endpoint.page()?;
    // Many short rounds, so that other work of the machine affects both sides equally.
    let rounds = if bench.long { 200 } else { 40 };
    for (method, params, on_page) in [("Browser.getVersion", "{}", false), ("Runtime.evaluate", EVALUATE, true)] {
        for in_flight in [1, 8, 32] {
            let count = if in_flight == 1 { 60 } else { 200 };
            let mut medians = Vec::new();
            let mut all = (Vec::new(), Vec::new());
            let mut cpu = 0.0;
            for round in 0..=rounds {
                let beside = latencies(&mut direct, method, params, on_page, in_flight, count)?;
                let before = cpu_seconds(bench.proxy.pid());
                let ours = latencies(&mut proxied, method, params, on_page, in_flight, count)?;
                if round == 0 {
                    continue;
                }
                cpu += cpu_seconds(bench.proxy.pid()) - before;
                medians.push((percentile(beside.clone(), 0.5), percentile(ours.clone(), 0.5)));
                all.0.extend(beside);
                all.1.extend(ours);
            }
            let what = format!("`{method}`, {in_flight} in flight");
            let budget = if in_flight == 1 { Budget::AtMostTimes(1.0) } else { Budget::None };
            let each = cpu / all.1.len() as f64 * 1e6;
            section.push(Row::both(format!("{what}, p50"), "µs", &medians, budget));
            let tail = [(percentile(all.0, 0.99), percentile(all.1, 0.99))];
            section.push(Row::both(format!("{what}, p99"), "µs", &tail, Budget::None));
            section.push(Row::own(format!("{what}, CPU per command"), "µs", each, Budget::None));
        }
    }
    Ok(section)
}

/// The median of a round of evaluations, in microseconds, with this many pending at a time.
pub(crate) fn evaluate(page: &mut Page, in_flight: usize) -> io::Result<f64> {
    let count = if in_flight == 1 { 60 } else { 200 };
    Ok(percentile(latencies(page, "Runtime.evaluate", EVALUATE, true, in_flight, count)?, 0.5))
}

/// Microseconds from each command's write to its reply, with this many pending at a time.
fn latencies(
    page: &mut Page,
    method: &str,
    params: &str,
    on_page: bool,
    in_flight: usize,
    count: u32,
) -> io::Result<Vec<f64>> {
    let mut sent = VecDeque::with_capacity(in_flight);
    let mut taken = Vec::with_capacity(count as usize);
    let mut left = count;
    while taken.len() < count as usize {
        while sent.len() < in_flight && left > 0 {
            let command = page.command(method, params, on_page);
            sent.push_back(Instant::now());
            page.ws.send(command.as_bytes())?;
            left -= 1;
        }
        page.ws.receive()?;
        let since = sent.pop_front().ok_or_else(|| io::Error::other("a reply to nothing"))?;
        taken.push(since.elapsed().as_secs_f64() * 1e6);
    }
    Ok(taken)
}

pub(crate) fn pipelined(bench: &Bench) -> io::Result<Section> {
    let mut section = Section::new("Pipelined commands, one connection", "direct");
    section.note("All commands of a round are written as fast as the socket takes them, while the replies are read.");
    let mut direct = bench.chrome.endpoint.page()?;
    let mut proxied = bench.proxy.endpoint.page()?;
    let rounds = if bench.long { 60 } else { 20 };
    let count = 2_000;
    let mut rates = Vec::new();
    let (mut cpu, mut messages) = (0.0, 0.0);
    for round in 0..=rounds {
        let beside = rate(&mut direct, count)?;
        let before = cpu_seconds(bench.proxy.pid());
        let ours = rate(&mut proxied, count)?;
        if round > 0 {
            cpu += cpu_seconds(bench.proxy.pid()) - before;
            messages += f64::from(count);
            rates.push((beside, ours));
        }
    }
    section.push(Row::both("`Runtime.evaluate`, commands per second", "/s", &rates, Budget::AtLeastTimes(0.95)));
    section.push(Row::own("its CPU per command", "µs", cpu / messages * 1e6, Budget::None));
    Ok(section)
}

/// Commands per second, if this many are written at once.
pub(crate) fn rate(page: &mut Page, count: i32) -> io::Result<f64> {
    let mut frames = Vec::new();
    for id in 1..=count {
        ws::frame(&mut frames, command(id, "Runtime.evaluate", EVALUATE, Some(&page.session)).as_bytes());
    }
    let mut writer = page.ws.writer()?;
    let from = Instant::now();
    let written = thread::spawn(move || writer.write_all(&frames));
    for _ in 0..count {
        page.ws.receive()?;
    }
    let took = from.elapsed().as_secs_f64();
    written.join().map_err(|_| io::Error::other("the writer panicked"))??;
    Ok(f64::from(count) / took)
}
