//! Writes messages in Chrome's member order and without white space.

use std::fmt::Write as _;

use super::{
    ids::{CallId, CdpSessionId},
    json_text::push_quoted,
};

/// A command as the proxy writes it. `params` is JSON.
pub fn envelope(id: CallId, method: &str, params: &str, session: Option<&CdpSessionId>) -> String {
    let mut text = String::with_capacity(96 + method.len() + params.len());
    let _ = write!(text, "{{\"id\":{id},\"method\":");
    push_quoted(&mut text, method);
    text.push_str(",\"params\":");
    text.push_str(params);
    close(text, session.map(CdpSessionId::as_str))
}

/// A reply as Chrome writes it. `result` is JSON.
pub fn reply(id: CallId, result: &str, session: Option<&str>) -> String {
    let mut text = String::with_capacity(80 + result.len());
    let _ = write!(text, "{{\"id\":{id},\"result\":{result}");
    close(text, session)
}

/// An error as Chrome writes it.
pub fn error_reply(id: Option<CallId>, code: i32, message: &str, data: Option<&str>, session: Option<&str>) -> String {
    let mut text = String::with_capacity(128 + message.len() + data.map_or(0, str::len));
    text.push('{');
    if let Some(id) = id {
        let _ = write!(text, "\"id\":{id},");
    }
    let _ = write!(text, "\"error\":{{\"code\":{code},\"message\":");
    push_quoted(&mut text, message);
    if let Some(data) = data {
        text.push_str(",\"data\":");
        push_quoted(&mut text, data);
    }
    text.push('}');
    close(text, session)
}

/// An event as Chrome writes it. `params` is JSON.
pub fn event(method: &str, params: &str, session: Option<&str>) -> String {
    let mut text = String::with_capacity(96 + method.len() + params.len());
    text.push_str("{\"method\":");
    push_quoted(&mut text, method);
    text.push_str(",\"params\":");
    text.push_str(params);
    close(text, session)
}

fn close(mut text: String, session: Option<&str>) -> String {
    if let Some(session) = session {
        text.push_str(",\"sessionId\":");
        push_quoted(&mut text, session);
    }
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str = "0123456789ABCDEF0123456789ABCDEF";

    #[test]
    fn output_has_chromes_member_order_and_no_white_space() {
        let session = CdpSessionId::from(SESSION);
        assert_eq!(
            envelope(CallId(-1), "Page.enable", "{}", Some(&session)),
            format!(r#"{{"id":-1,"method":"Page.enable","params":{{}},"sessionId":"{SESSION}"}}"#)
        );
        let missing = error_reply(Some(CallId(2)), -32601, "'A.b\0\u{1f}\\' wasn't found", None, Some("S"));
        let text = r#"{"id":2,"error":{"code":-32601,"message":"'A.b\u0000\u001f\\' wasn't found"},"sessionId":"S"}"#;
        assert_eq!(missing, text);
        assert_eq!(error_reply(None, -32700, "x", None, None), r#"{"error":{"code":-32700,"message":"x"}}"#);
    }
}
