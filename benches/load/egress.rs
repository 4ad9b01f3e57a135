//! The cost of the gate: a page with 100 resources, on a server that limits what sessions connect to, beside one that does
//! not.

use std::io;

use serde_json::json;

use super::{
    Bench,
    cdp::Page,
    clones::site,
    table::{Budget, Row, Section},
};

/// Resources of the page.
const RESOURCES: usize = 100;

pub(crate) fn egress(bench: &Bench) -> io::Result<Section> {
    let mut section = Section::new("The gate: a page with 100 resources", "");
    section.note(
        "From a local site that answers at once, which makes the gate's share as large as it can be. Beside it is a server \
         without gates (`--egress=open`), whose Chrome connects itself.",
    );
    let site = site()?;
    let gated = bench.start_proxy(&["--egress=gated", "--egress-ports=all"])?;
    let (mut beside, mut ours) = (bench.proxy.endpoint.page()?, gated.endpoint.page()?);
    let rounds = if bench.long { 200 } else { 50 };
    // The first of each has to start processes.
    for page in [&mut beside, &mut ours] {
        page.call("Page.navigate", &json!({ "url": format!("http://{site}/") }))?;
        load(page)?;
    }
    let mut times = Vec::new();
    for _ in 0..rounds {
        times.push((load(&mut beside)?, load(&mut ours)?));
    }
    section.push(Row::both("all loaded, p50", "ms", &times, Budget::AtMostTimes(1.1)));
    Ok(section)
}

/// Milliseconds until all resources are loaded.
fn load(page: &mut Page) -> io::Result<f64> {
    let expression = format!(
        "(async () => {{
            const since = performance.now();
            const one = at => fetch('/?' + at, {{ cache: 'no-store' }}).then(answer => answer.text());
            await Promise.all(Array.from({{ length: {RESOURCES} }}, (_, at) => one(at)));
            return performance.now() - since;
        }})()"
    );
    let params = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
    let done = page.call("Runtime.evaluate", &params)?;
    done["result"]["value"].as_f64().ok_or_else(|| io::Error::other(format!("it was not loaded: {done}")))
}
