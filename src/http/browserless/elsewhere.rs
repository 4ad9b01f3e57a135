//! Endpoints of browserless that this server does not have: the answer says what to use in their place.

use axum::{Router, http::StatusCode, routing};

use super::super::{Api, reply::Problem};

/// Paths, also below the names of browsers, and what to use in their place.
const NOT_HERE: [(&str, &str); 9] = [
    ("performance", "run Lighthouse on your side, and let it connect to a session of POST /v1/sessions by its port"),
    ("bql", "drive the pages of a session: POST /v1/sessions, then POST /v1/sessions/ID/pages/PAGE/ACTION"),
    ("unblock", "use POST /content, which opens pages as any Chrome does; this server hides nothing from sites"),
    ("smart-scrape", "use POST /scrape or POST /content"),
    ("crawl", "use POST /links for the links of each page, and keep the list of pages on your side"),
    ("search", "use POST /scrape with the page of a search engine"),
    ("map", "use POST /links"),
    ("export", "use POST /content, POST /pdf or POST /screenshot"),
    ("reconnect", "connect with keep_alive=5m in the URL; the session can then be connected to again"),
];

/// Browsers that browserless has, and this server has not.
const BROWSERS: [&str; 3] = ["firefox", "webkit", "edge"];

/// The routes.
pub(super) fn routes() -> Router<Api> {
    let mut router = Router::new();
    for (name, advice) in NOT_HERE {
        for below in ["", "/chromium", "/chrome"] {
            let path = format!("{below}/{name}");
            let answer = async move || not_offered(name, advice);
            router = router.route(&path, routing::any(answer));
        }
    }
    for path in ["/playwright", "/playwright/{*rest}", "/chromium/playwright", "/chrome/playwright"] {
        router = router.route(path, routing::any(async || playwright()));
    }
    for browser in BROWSERS {
        let answer = async move || other_browser(browser);
        router = router
            .route(&format!("/{browser}"), routing::any(answer))
            .route(&format!("/{browser}/{{*rest}}"), routing::any(answer));
    }
    router
}

fn not_offered(name: &str, advice: &str) -> Problem {
    let detail = format!("this server has no /{name}; {advice}. docs/from-browserless.md has the differences");
    Problem::new(StatusCode::NOT_IMPLEMENTED, "not-offered", detail)
}

fn playwright() -> Problem {
    let detail = "Playwright's own protocol is not supported; use chromium.connectOverCDP with the URL of this server";
    Problem::new(StatusCode::BAD_REQUEST, "other-protocol", detail)
}

fn other_browser(browser: &str) -> Problem {
    let detail = format!("the browsers of this server are Chromes; use the same path without /{browser}");
    Problem::new(StatusCode::BAD_REQUEST, "other-browser", detail)
}
