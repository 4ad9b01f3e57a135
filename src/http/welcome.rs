//! `GET /`: what this address is, and where to go from here.

use axum::http::{
    HeaderMap, StatusCode,
    header::{self, HeaderValue},
};

use super::{
    reply::{Answer, text},
    request::By,
};
use crate::session::manager::Scheme;

const PAGE: &str = include_str!("welcome.html");
/// The page has one style sheet of its own, no script, and loads nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// A page for a browser, by its `Accept`; one line of text for every other client. Neither shows a figure or an id: what
/// a person may open in a browser, a page of a session may open too.
pub(super) async fn page(By(caller): By, headers: HeaderMap) -> Answer {
    let base = &caller.base;
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let version = env!("CARGO_PKG_VERSION");
    let mut answer = if accept.contains("text/html") {
        let page = fill(
            PAGE,
            &[
                ("{host}", base.authority()),
                ("{prefix}", base.prefix()),
                ("{http}", &base.at(Scheme::Http, "")),
                ("{ws}", &base.at(Scheme::Ws, "")),
                ("{version}", version),
            ],
        );
        text(StatusCode::OK, "text/html; charset=UTF-8", page)
    } else {
        let line = format!("ghostmux {version}: connect a CDP client to {}\n", base.at(Scheme::Ws, ""));
        text(StatusCode::OK, "text/plain; charset=UTF-8", line)
    };
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    answer
}

/// The template with its marks replaced by text.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(template.to_owned(), |page, (mark, value)| page.replace(mark, &escaped(value)))
}

/// Text as HTML shows it, also inside quotes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::{PAGE, fill};

    #[test]
    fn a_host_is_shown_as_text() {
        let page = fill("<p title='{host}'>{host}", &[("{host}", "a'\"<b>&")]);
        assert_eq!(page, "<p title='a&#39;&quot;&lt;b&gt;&amp;'>a&#39;&quot;&lt;b&gt;&amp;");
    }

    #[test]
    fn the_page_loads_nothing_from_elsewhere() {
        assert!(!PAGE.contains("src=") && !PAGE.contains("https://") && !PAGE.contains("<script"), "{PAGE}");
    }
}
