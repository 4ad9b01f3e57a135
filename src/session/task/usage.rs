//! Measures the resources that a session uses. Its pages are asked on CDP sessions that its clients do not see.

use std::{collections::HashMap, time::Duration};

use futures_util::future::join_all;
use serde::Deserialize;
use tokio::time::Instant;

use super::SessionTask;
use crate::{
    api_types::{Millis, Usage},
    browser::{
        CallError, ContextHandle, by_deadline,
        commands::{Nothing, commands},
        process_tree::ProcessTable,
    },
    cdp::ids::TargetId,
};

/// Time limit for the figures of a page. A page that is busy or paused does not report any.
const PATIENCE: Duration = Duration::from_secs(2);

commands! {
    "Performance.enable" = EnablePerformance {} -> Nothing;
    "Performance.getMetrics" = GetMetrics {} -> Metrics;
    "Runtime.getIsolateId" = GetIsolateId {} -> Isolate;
}

/// The result of `Performance.getMetrics`.
#[derive(Deserialize)]
pub(crate) struct Metrics {
    metrics: Vec<Metric>,
}

#[derive(Deserialize)]
struct Metric {
    name: String,
    value: f64,
}

/// The result of `Runtime.getIsolateId`.
#[derive(Deserialize)]
pub(crate) struct Isolate {
    id: String,
}

impl SessionTask {
    /// The resources that the session uses.
    pub(super) fn usage(&self) -> impl Future<Output = Usage> + Send + use<> {
        let (traffic, files_size) = (self.record.traffic, self.files.size());
        let (egress_up, egress_down) = self.session_info().egress_bytes();
        let (context, pages) = (self.lease.place(), self.session.pages());
        let most = self.session.pages_most();
        // The processes of a shared browser are not this session's alone.
        let own_browser = if self.lease.is_dedicated() { self.lease.browser().pid() } else { None };
        let wall_time = Millis(super::now().saturating_duration_since(self.record.life().began()));
        async move {
            let deadline = Instant::now() + PATIENCE;
            let measured = join_all(pages.iter().map(|page| by_deadline(deadline, measure(&context, page)))).await;
            // By isolate: pages of the same renderer share its heap, and each would count it again (*measured*).
            let of_renderers: HashMap<String, Figures> = measured.into_iter().flatten().collect();
            let processes = match own_browser {
                Some(pid) => ProcessTable::read(vec![pid]).await.ok().and_then(|table| table.of(pid)),
                None => None,
            };
            let sum = |of: fn(&Figures) -> f64| {
                let sum: f64 = of_renderers.values().map(of).sum();
                (!of_renderers.is_empty()).then_some(sum)
            };
            Usage {
                wall_time,
                frames_in: traffic.frames_in,
                frames_out: traffic.frames_out,
                bytes_in: traffic.bytes_in,
                bytes_out: traffic.bytes_out,
                commands: traffic.frames_in - traffic.malformed,
                events: traffic.events,
                pages: u32::try_from(pages.len()).unwrap_or(u32::MAX),
                pages_most: most,
                js_heap_used: sum(|figures| figures.heap).map(whole),
                dom_nodes: sum(|figures| figures.nodes).map(whole),
                cpu_time: sum(|figures| figures.cpu)
                    .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
                    .map(Millis),
                browser_memory: processes.map(|processes| processes.memory),
                browser_cpu_time: processes.map(|processes| Millis(processes.cpu)),
                browser_processes: processes.map(|processes| processes.processes),
                files_size,
                egress_up,
                egress_down,
            }
        }
    }
}

/// The resources of a renderer.
struct Figures {
    /// Bytes.
    heap: f64,
    nodes: f64,
    /// Seconds.
    cpu: f64,
}

/// The isolate of a page, and the resources of its renderer.
async fn measure(context: &ContextHandle, page: &TargetId) -> Result<(String, Figures), CallError> {
    let page = context.attach(page).await?;
    // The domain is enabled for this CDP session only, so clients do not notice it.
    page.ask(&EnablePerformance {}).await?;
    let Isolate { id } = page.ask(&GetIsolateId {}).await?;
    let Metrics { metrics } = page.ask(&GetMetrics {}).await?;
    let of = |name: &str| metrics.iter().find(|metric| metric.name == name).map_or(0.0, |metric| metric.value);
    // `ProcessTime` is the processor time of the whole renderer, as in `SystemInfo.getProcessInfo` (*measured*).
    Ok((id, Figures { heap: of("JSHeapUsedSize"), nodes: of("Nodes"), cpu: of("ProcessTime") }))
}

/// A sum of counts; Chrome gives them as doubles.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of a float saturates")]
fn whole(count: f64) -> u64 {
    count as u64
}
