//! Both codecs, each through a proxy with its own Chrome, compared with a direct connection.

use std::io;

use super::{
    Bench, bulk,
    cdp::Page,
    roundtrip,
    sides::Proxy,
    table::{Budget, Row, Section},
};

/// What one round of a kind of traffic measures.
type Measure = fn(&mut Page) -> io::Result<f64>;

pub(crate) fn codec(bench: &Bench) -> io::Result<Section> {
    let mut section = Section::new("The codec between the proxy and Chrome", "direct");
    section.note(
        "Two proxies, one with `--codec json` and one with `--codec cbor`, each with its own Chrome; all three sides \
         alternate. The objects are like those of a page's DOM tree, about 100 bytes of JSON each.",
    );
    let proxies = [("JSON", Proxy::start(&["--codec=json"])?), ("CBOR", Proxy::start(&["--codec=cbor"])?)];
    let mut direct = bench.chrome.endpoint.page()?;
    let mut pages = Vec::new();
    for (name, proxy) in &proxies {
        pages.push((*name, proxy.endpoint.page()?));
    }
    let kinds: [(&str, &str, usize, Measure); 9] = [
        ("`Runtime.evaluate`, one at a time, p50", "µs", 30, |page| roundtrip::evaluate(page, 1)),
        ("`Runtime.evaluate`, 32 in flight, p50", "µs", 15, |page| roundtrip::evaluate(page, 32)),
        ("pipelined, commands per second", "/s", 8, |page| roundtrip::rate(page, 2_000)),
        ("result of 1 MB, one string", "ms", 9, |page| bulk::result(page, bulk::TEXT, 1)),
        ("result of 10 MB, one string", "ms", 6, |page| bulk::result(page, bulk::TEXT, 10)),
        ("result of 50 MB, one string", "ms", 3, |page| bulk::result(page, bulk::TEXT, 50)),
        ("result of 1 MB, many objects", "ms", 6, |page| bulk::result(page, bulk::OBJECTS, 1)),
        ("command of 10 MB, one string", "ms", 6, |page| bulk::command(page, &bulk::text())),
        ("events of 410 B per second", "/s", 3, |page| bulk::events(page, 410)),
    ];
    for (what, unit, rounds, measure) in kinds {
        let mut taken = [Vec::new(), Vec::new()];
        let rounds = if bench.long { rounds * 4 } else { rounds };
        for round in 0..=rounds {
            let beside = measure(&mut direct)?;
            for ((_, page), taken) in pages.iter_mut().zip(&mut taken) {
                let ours = measure(page)?;
                // The first round enlarges the buffers.
                if round > 0 {
                    taken.push((beside, ours));
                }
            }
        }
        for ((name, _), taken) in pages.iter().zip(&taken) {
            section.push(Row::both(format!("{what}: {name}"), unit, taken, Budget::None));
        }
    }
    Ok(section)
}
