//! The endpoints for monitoring: health and metrics.

use hyper::StatusCode;
use prometheus_client::{encoding::text::encode, metrics::gauge::Gauge, registry::Registry as Figures};

use super::reply::{Answer, problem, text};
use crate::{
    browser::{Browser, Census},
    metrics::Metrics,
    session::manager::SessionManager,
};

pub(super) async fn metrics(metrics: &Metrics, registry: &SessionManager) -> Answer {
    let mut all = Census::default();
    let browsers = registry.pool().browsers();
    for browser in &browsers {
        all += browser.census().await;
    }
    let gauge = |of: &Gauge, value: usize| of.set(i64::try_from(value).unwrap_or(i64::MAX));
    gauge(&metrics.sessions_warm, registry.pool().idle());
    gauge(&metrics.contexts, all.contexts);
    gauge(&metrics.targets, all.targets);
    gauge(&metrics.cdp_sessions, all.cdp_sessions);
    gauge(&metrics.calls, all.calls);
    gauge(&metrics.disposals, all.disposals);
    gauge(&metrics.screenshots_waiting, browsers.iter().map(Browser::screenshots_waiting).sum());
    let mut figures = Figures::default();
    metrics.register(&mut figures);
    let mut body = String::new();
    match encode(&mut body, &figures) {
        Ok(()) => text(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", body),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, "metrics", &error.to_string()),
    }
}

pub(super) fn health(registry: &SessionManager) -> Answer {
    let browsers = registry.pool().browsers().len();
    if browsers == 0 {
        return problem(StatusCode::SERVICE_UNAVAILABLE, "no-browser", "no browser is ready");
    }
    text(StatusCode::OK, "application/json", format!(r#"{{"status":"ok","browsers":{browsers}}}"#))
}
