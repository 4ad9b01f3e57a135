//! The response with the document of a page.

use serde::Deserialize;

use crate::api_types::DocumentResponse;

/// A response with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Response {
    /// The id of the document.
    pub(super) loader: String,
    pub(super) is: DocumentResponse,
}

/// The response that `Network.responseReceived` tells of, if it is that with the document of this frame.
pub(super) fn of_document(params: &str, frame: &str) -> Option<Response> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Received {
        #[serde(rename = "type")]
        kind: String,
        frame_id: Option<String>,
        loader_id: String,
        response: Described,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Described {
        url: String,
        // In JSON `200.0` is a whole number too.
        status: f64,
        #[serde(default)]
        status_text: String,
        #[serde(rename = "remoteIPAddress")]
        remote_ip_address: Option<String>,
        remote_port: Option<f64>,
    }

    // Most responses are those of other things, and need not be read.
    if !params.contains(r#""Document""#) {
        return None;
    }
    let Received { kind, frame_id, loader_id, response } = serde_json::from_str(params).ok()?;
    let is_of_frame = kind == "Document" && frame_id.as_deref() == Some(frame);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "statuses and ports are small")]
    is_of_frame.then(|| Response {
        loader: loader_id,
        is: DocumentResponse {
            url: response.url,
            status: response.status as u32,
            status_text: response.status_text,
            ip: response.remote_ip_address.filter(|ip| !ip.is_empty()),
            port: response.remote_port.map(|port| port as u32),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_response_of_the_main_frame_is_that_of_the_page() {
        let event = |kind: &str, frame: &str| {
            format!(
                r#"{{"requestId":"R","type":"{kind}","frameId":"{frame}","loaderId":"L","response":{{"url":"https://a/","status":404,
                "statusText":"Not Found","headers":{{}},"remoteIPAddress":"192.0.2.1","remotePort":443}}}}"#
            )
        };
        let Response { loader, is: response } =
            of_document(&event("Document", "M"), "M").expect("that of the document");
        assert_eq!(loader, "L");
        assert_eq!((response.status, &*response.status_text, response.port), (404, "Not Found", Some(443)));
        assert_eq!(response.ip.as_deref(), Some("192.0.2.1"));
        for (kind, frame) in [("Document", "CHILD"), ("Image", "M")] {
            assert_eq!(of_document(&event(kind, frame), "M"), None, "{kind} {frame}");
        }
    }
}
