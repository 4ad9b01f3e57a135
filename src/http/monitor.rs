//! The endpoints for monitoring: health and metrics.

use std::{collections::HashSet, fmt::Write as _};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    routing,
};
use prometheus_client::{encoding::text::encode, metrics::gauge::Gauge, registry::Registry as Figures};

use super::{
    Api,
    reply::{Answer, Problem, problem, text},
};
use crate::{
    browser::{Browser, Census},
    session::manager::SessionManager,
};

/// The routes of these endpoints.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/metrics", routing::get(metrics))
        .route("/health", routing::get(health))
        .route("/healthz", routing::get(alive))
        .route("/readyz", routing::get(ready))
}

/// The metrics, as `OpenMetrics` if the request accepts that, else in Prometheus's own text format.
async fn metrics(State(Api { registry, metrics, .. }): State<Api>, headers: HeaderMap) -> Answer {
    let mut all = Census::default();
    let browsers = registry.pool().running();
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
    let age = registry.tenants_age().map_or(0, |age| age.as_secs());
    metrics.tenants_age.set(i64::try_from(age).unwrap_or(i64::MAX));
    let mut figures = Figures::default();
    metrics.register(&mut figures);
    let mut body = String::new();
    match encode(&mut body, &figures) {
        Ok(()) if accepts_openmetrics(&headers) => {
            text(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", body)
        }
        Ok(()) => text(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", prometheus_text(&body)),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, "metrics", &error.to_string()),
    }
}

/// Whether the process answers.
async fn alive() -> Answer {
    text(StatusCode::OK, "application/json", r#"{"status":"ok"}"#)
}

/// Whether sessions can be opened; if not, why.
async fn ready(State(registry): State<SessionManager>) -> Result<Answer, Problem> {
    match registry.unready() {
        None => Ok(text(StatusCode::OK, "application/json", r#"{"status":"ready"}"#)),
        Some(why) => {
            Err(Problem { retry_after: Some(1), ..Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", why) })
        }
    }
}

async fn health(State(registry): State<SessionManager>) -> Answer {
    let browsers = registry.pool().browsers().len();
    if browsers == 0 {
        return problem(StatusCode::SERVICE_UNAVAILABLE, "no-browser", "no browser is ready");
    }
    text(StatusCode::OK, "application/json", format!(r#"{{"status":"ok","browsers":{browsers}}}"#))
}

fn accepts_openmetrics(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    accepted
        .flat_map(|value| value.split(','))
        .any(|kind| kind.trim_start().starts_with("application/openmetrics-text"))
}

/// `OpenMetrics` in Prometheus's text format, where the name of a counter ends in `_total` in its description too, and
/// which has neither units nor an end mark.
fn prometheus_text(openmetrics: &str) -> String {
    let word = |line: &str, number: usize| line.split(' ').nth(number).map(str::to_owned);
    let types = openmetrics.lines().filter(|line| line.starts_with("# TYPE ") && line.ends_with(" counter"));
    let counters: HashSet<String> = types.filter_map(|line| word(line, 2)).collect();
    let mut text = String::with_capacity(openmetrics.len());
    for line in openmetrics.lines().filter(|line| *line != "# EOF" && !line.starts_with("# UNIT ")) {
        let name = word(line, 2).filter(|name| line.starts_with("# ") && counters.contains(name));
        let _ = match name {
            Some(name) => writeln!(text, "{}", line.replacen(&name, &format!("{name}_total"), 1)),
            None => writeln!(text, "{line}"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prometheus_text_names_counters_alike_everywhere() {
        let openmetrics = "# HELP a_b Things.\n# TYPE a_b counter\na_b_total{x=\"# HELP a_b\"} 1\n# HELP c How long.\n\
            # TYPE c histogram\n# UNIT c seconds\nc_sum 1\n# EOF\n";
        let text = "# HELP a_b_total Things.\n# TYPE a_b_total counter\na_b_total{x=\"# HELP a_b\"} 1\n# HELP c How long.\n\
            # TYPE c histogram\nc_sum 1\n";
        assert_eq!(prometheus_text(openmetrics), text);
    }

    #[test]
    fn openmetrics_is_sent_to_those_who_accept_it() {
        let accepts = |value: &'static str| {
            accepts_openmetrics(&HeaderMap::from_iter([(header::ACCEPT, header::HeaderValue::from_static(value))]))
        };
        assert!(accepts("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2"));
        assert!(accepts("text/plain, application/openmetrics-text"));
        assert!(!accepts("text/plain") && !accepts("*/*") && !accepts_openmetrics(&HeaderMap::new()));
    }
}
