//! `/active`, `/meta`, `/config` and `/metrics/total`: what browserless says of itself.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Router, extract::State, http::StatusCode, routing};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    super::{
        Api,
        promises::Documented,
        reply::{Answer, Problem, compact, nothing},
    },
    A_GET,
};
use crate::{
    api_types::{
        Nothing, Schemas, millis,
        operations::{Rest, RestAnswer},
    },
    session::manager::SessionManager,
};

/// The endpoints, as the document shows them.
pub(in crate::http) const ENDPOINTS: [Documented; 4] = [
    Documented {
        name: "active",
        rest: Rest { path: "/active", answer: RestAnswer::Nothing, says: "The server answers.", ..A_GET },
        input: Schemas::input::<ByActive>,
        output: Schemas::output::<Nothing>,
    },
    Documented {
        name: "meta",
        rest: Rest { path: "/meta", says: "The versions.", ..A_GET },
        input: Schemas::input::<ByMeta>,
        output: Schemas::output::<Meta>,
    },
    Documented {
        name: "config",
        rest: Rest { path: "/config", says: "The settings.", ..A_GET },
        input: Schemas::input::<ByConfig>,
        output: Schemas::output::<Config>,
    },
    Documented {
        name: "metricsTotal",
        rest: Rest { path: "/metrics/total", says: "The figures.", ..A_GET },
        input: Schemas::input::<ByTotals>,
        output: Schemas::output::<Figures>,
    },
];

/// Says that the server answers, as `/healthz` does.
#[derive(JsonSchema)]
struct ByActive {}

/// Shows the versions of this server and of its Chrome. `playwright` and `puppeteer` are empty: any version may connect.
#[derive(JsonSchema)]
struct ByMeta {}

/// Shows the settings that browserless has too. 0 means no limit.
#[derive(JsonSchema)]
struct ByConfig {}

/// Shows what became of the quick actions since the server started. Sessions of clients are not counted: `/metrics` has them.
#[derive(JsonSchema)]
struct ByTotals {}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BrowserlessMeta")]
struct Meta {
    version: &'static str,
    chromium: Option<String>,
    webkit: Option<String>,
    firefox: Option<String>,
    playwright: Vec<String>,
    puppeteer: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "BrowserlessConfig")]
struct Config {
    #[serde(rename = "allowCORS")]
    allow_cors: bool,
    allow_file_protocol: bool,
    allow_get_calls: bool,
    concurrent: u32,
    #[schemars(with = "u32")]
    queued: usize,
    /// In milliseconds.
    #[schemars(with = "u32")]
    timeout: u64,
    token: Option<String>,
}

/// The figures of quick actions; times are in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "BrowserlessTotals")]
pub(super) struct Figures {
    #[schemars(with = "u32")]
    successful: u64,
    #[schemars(with = "u32")]
    error: u64,
    #[schemars(with = "u32")]
    timedout: u64,
    #[schemars(with = "u32")]
    rejected: u64,
    #[schemars(with = "u32")]
    max_time: u64,
    mean_time: f64,
    #[schemars(with = "u32")]
    min_time: u64,
    #[schemars(with = "u32")]
    total_time: u64,
    max_concurrent: u32,
}

/// What became of the quick actions; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Totals {
    // Guards the figures; held to add to them or to copy them.
    inner: Arc<Mutex<Running>>,
}

#[derive(Debug, Default)]
struct Running {
    figures: Figures,
    running: u32,
}

/// A quick action that runs. If it is dropped without an end, its caller has left.
#[derive(Debug)]
pub(super) struct Counted {
    totals: Totals,
}

impl Totals {
    /// Counts an action that begins.
    pub(super) fn begin(&self) -> Counted {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.running += 1;
        inner.figures.max_concurrent = inner.figures.max_concurrent.max(inner.running);
        drop(inner);
        Counted { totals: self.clone() }
    }

    fn figures(&self) -> Figures {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).figures.clone()
    }
}

impl Counted {
    /// Counts what became of it.
    pub(super) fn end(self, took: Duration, outcome: Result<(), &Problem>) {
        let mut inner = self.totals.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.figures.add(took, outcome.map_err(|problem| problem.status));
    }
}

impl Figures {
    fn add(&mut self, took: Duration, outcome: Result<(), StatusCode>) {
        let figures = self;
        match outcome {
            Ok(()) => figures.successful += 1,
            Err(StatusCode::REQUEST_TIMEOUT) => figures.timedout += 1,
            Err(StatusCode::TOO_MANY_REQUESTS) => {
                figures.rejected += 1;
                // It did not run.
                return;
            }
            Err(_) => figures.error += 1,
        }
        let took = millis(took);
        let ended = figures.successful + figures.timedout + figures.error;
        figures.min_time = if ended == 1 { took } else { figures.min_time.min(took) };
        figures.max_time = figures.max_time.max(took);
        figures.total_time += took;
        #[expect(clippy::cast_precision_loss, reason = "a mean of milliseconds")]
        let mean = figures.total_time as f64 / ended as f64;
        figures.mean_time = mean;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut inner = self.totals.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.running = inner.running.saturating_sub(1);
    }
}

/// The routes. `/metrics/total` shows these totals.
pub(super) fn routes(totals: &Totals) -> Router<Api> {
    let totals = totals.clone();
    let figures = async move || compact(StatusCode::OK, &totals.figures());
    Router::new()
        .route("/active", routing::get(async || nothing()))
        .route("/meta", routing::get(meta))
        .route("/config", routing::get(config))
        .route("/metrics/total", routing::get(figures))
}

async fn meta(State(registry): State<SessionManager>) -> Answer {
    let browsers = registry.pool().running();
    let product = browsers.first().map(|browser| browser.identity().product.clone());
    let meta = Meta {
        version: env!("CARGO_PKG_VERSION"),
        chromium: product.map(|product| product.rsplit('/').next().unwrap_or_default().to_owned()),
        webkit: None,
        firefox: None,
        playwright: Vec::new(),
        puppeteer: Vec::new(),
    };
    compact(StatusCode::OK, &meta)
}

async fn config(State(registry): State<SessionManager>) -> Answer {
    let pressure = registry.pressure();
    let config = Config {
        allow_cors: false,
        allow_file_protocol: false,
        allow_get_calls: false,
        concurrent: pressure.most.unwrap_or(0),
        queued: pressure.queue,
        timeout: millis(registry.page_limits().timeout),
        token: None,
    };
    compact(StatusCode::OK, &config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_count_what_became_of_actions() {
        let totals = Totals::default();
        let (one, other, third) = (totals.begin(), totals.begin(), totals.begin());
        one.end(Duration::from_millis(30), Ok(()));
        let problem = |status| Problem::new(status, "x", "y");
        other.end(Duration::from_millis(10), Err(&problem(StatusCode::REQUEST_TIMEOUT)));
        drop(third);
        totals.begin().end(Duration::from_millis(1), Err(&problem(StatusCode::TOO_MANY_REQUESTS)));
        totals.begin().end(Duration::from_millis(20), Err(&problem(StatusCode::BAD_GATEWAY)));
        let expected = Figures {
            successful: 1,
            error: 1,
            timedout: 1,
            rejected: 1,
            max_time: 30,
            mean_time: 20.0,
            min_time: 10,
            total_time: 60,
            max_concurrent: 3,
        };
        assert_eq!(totals.figures(), expected);
        assert_eq!(totals.inner.lock().expect("no panic").running, 0);
    }
}
