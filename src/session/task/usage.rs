//! What a session has used: its pages are asked beside its clients, and out of their sight.

use std::{collections::HashMap, time::Duration};

use futures_util::future::join_all;
use serde::Deserialize;

use super::SessionTask;
use crate::{
    api_types::{Millis, Usage},
    browser::{Browser, CallError},
    cdp::{
        ids::{CdpSessionId, TargetId},
        json_object::JsonObject,
    },
};

/// How long a page gets to say what it uses; one that is busy or paused says nothing.
const PATIENCE: Duration = Duration::from_secs(2);

/// The pages of a session, and how to ask them. What is attached through `base` no client ever sees.
struct Pages {
    browser: Browser,
    base: CdpSessionId,
    all: Vec<TargetId>,
}

impl SessionTask {
    /// What the session has used; the pages are asked without its clients noticing.
    pub(super) fn usage(&self) -> impl Future<Output = Usage> + Send + use<> {
        let traffic = self.record.traffic;
        let pages =
            Pages { browser: self.lease.browser().clone(), base: self.lease.base().clone(), all: self.session.pages() };
        let most = self.session.pages_most();
        let wall_time = Millis(super::now().saturating_duration_since(self.record.life().began()));
        async move {
            let measured = join_all(pages.all.iter().map(|page| pages.measure(page))).await;
            // By isolate: the pages of one renderer share its heap, and each would be counted again (*measured*).
            let of_renderers: HashMap<String, Figures> = measured.into_iter().flatten().collect();
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
                pages: u32::try_from(pages.all.len()).unwrap_or(u32::MAX),
                pages_most: most,
                js_heap_used: sum(|figures| figures.heap).map(whole),
                dom_nodes: sum(|figures| figures.nodes).map(whole),
                cpu_time: sum(|figures| figures.cpu)
                    .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
                    .map(Millis),
            }
        }
    }
}

/// What the renderer of a page uses.
struct Figures {
    /// Bytes.
    heap: f64,
    nodes: f64,
    /// Seconds.
    cpu: f64,
}

impl Pages {
    /// What a page uses, and which isolate that is. `None` if it does not say.
    async fn measure(&self, page: &TargetId) -> Option<(String, Figures)> {
        #[derive(Deserialize)]
        struct Metric {
            name: String,
            value: f64,
        }

        let page = self.browser.attach(&self.base, page).await.ok()?;
        let ask = async {
            // On a CDP session of its own that has no effect on anybody else's.
            page.call("Performance.enable", "{}").await?;
            Ok::<_, CallError>((
                page.call("Runtime.getIsolateId", "{}").await?,
                page.call("Performance.getMetrics", "{}").await?,
            ))
        };
        let (isolate, metrics) = tokio::time::timeout(PATIENCE, ask).await.ok()?.ok()?;
        let isolate = JsonObject::read(&isolate)?.string("id")?;
        let metrics: Vec<Metric> = JsonObject::read(&metrics)?.read_as("metrics")?;
        let of = |name: &str| metrics.iter().find(|metric| metric.name == name).map_or(0.0, |metric| metric.value);
        // `ProcessTime` is what the system says of the whole renderer, as `SystemInfo.getProcessInfo` does
        // (*measured*).
        Some((isolate, Figures { heap: of("JSHeapUsedSize"), nodes: of("Nodes"), cpu: of("ProcessTime") }))
    }
}

/// A sum of counts; Chrome gives them as doubles.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of a float saturates")]
fn whole(count: f64) -> u64 {
    count as u64
}
