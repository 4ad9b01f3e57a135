//! Asks a person. A client of the protocol 2026-07-28 that knows elicitation asks its user, and sends the call again with the
//! answer; nothing is kept meanwhile. To every other client the model is told to ask by itself.

use rmcp::{
    RoleServer,
    model::{
        CallToolResponse, CallToolResult, ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction,
        ElicitationSchema, InputRequest, InputRequests, InputRequiredResult, InputResponses, ProtocolVersion,
    },
    service::RequestContext,
};
use serde::Deserialize;

use super::{
    agent::{Agent, read},
    more_arguments::AskHuman,
    result::{Failure, Shown},
};
use crate::api_types::operations::GetSession;

/// The only question of a call, and the member of the form that has its answer.
const ANSWER: &str = "answer";

/// Whether the client can ask its user.
pub(super) fn can_ask(context: &RequestContext<RoleServer>) -> bool {
    let elicitation = context.client_capabilities().and_then(|can| can.elicitation);
    // A client that says neither means forms.
    let has_forms = elicitation.is_some_and(|can| can.form.is_some() || can.url.is_none());
    has_forms && context.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
}

/// What the person has answered, as the client tells it.
pub(super) fn answered(mut answers: InputResponses) -> CallToolResult {
    let answer = answers.remove(ANSWER).and_then(|answer| serde_json::from_value::<ElicitResult>(answer).ok());
    let Some(ElicitResult { action, content, .. }) = answer else {
        return Shown::saying("The client sent no answer of a person.").result(true);
    };
    let words = match action {
        ElicitationAction::Accept => {
            let answer = content.as_ref().and_then(|content| content[ANSWER].as_str()).unwrap_or_default();
            format!("The person answered: {}", if answer.is_empty() { "done" } else { answer })
        }
        ElicitationAction::Decline => {
            "The person does not want to do it. Go on without, or say why you cannot.".to_owned()
        }
        _ => "The person closed the question without an answer.".to_owned(),
    };
    Shown::saying(words).result(false)
}

/// The request to ask the user.
pub(super) fn ask(message: String) -> CallToolResponse {
    // Without a text the person says that it is done.
    let requested_schema = ElicitationSchema::builder().optional_string(ANSWER).build_unchecked();
    let form = ElicitRequestParams::FormElicitationParams { meta: None, message, requested_schema };
    let requests = InputRequests::from([(ANSWER.to_owned(), InputRequest::Elicitation(ElicitRequest::new(form)))]);
    InputRequiredResult::from_input_requests(requests).into()
}

/// What a model is told whose client cannot ask.
pub(super) fn tell(message: &str) -> CallToolResult {
    Shown::saying(format!("Ask the person whom you work for, and go on when they have answered:\n{message}"))
        .result(false)
}

/// The address of Chrome's own DevTools for a page of a session, whose URL is given. A person can see and use the page there.
fn devtools_url(url: &str, session: &str, page: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let (path, key) = rest.split_once("?key=").map_or((rest, None), |(path, key)| (path, Some(key)));
    let host = path.strip_suffix(session)?.strip_suffix("/devtools/browser/")?;
    let key = key.map(|key| format!("?key={key}.{session}")).unwrap_or_default();
    let socket = format!("{host}/devtools/page/{page}{key}");
    let socket: String = form_urlencoded::byte_serialize(socket.as_bytes()).collect();
    Some(format!("devtools://devtools/bundled/inspector.html?{scheme}={socket}"))
}

impl Agent<'_> {
    /// The question, with the address at which the person's Chrome shows the current page and lets them act on it.
    pub(super) async fn question(&self, AskHuman { question }: AskHuman) -> Result<Shown, Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct One {
            web_socket_debugger_url: String,
        }

        let page = self.page().await?;
        let get = GetSession { id: Some(self.session.clone()) };
        let One { web_socket_debugger_url: url } = read(&self.perform(get).await?)?;
        let mut shown = Shown::saying(question);
        if let Some(link) = devtools_url(&url, &self.session, &page) {
            shown.say(&format!("The page, for the address bar of Chrome: {link}"));
        }
        Ok(shown)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn devtools_show_a_page_of_the_session() {
        let of = |url: &str| devtools_url(url, "S-1", "P");
        let begin = "devtools://devtools/bundled/inspector.html";
        assert_eq!(
            of("ws://localhost:9222/devtools/browser/S-1").as_deref(),
            Some(format!("{begin}?ws=localhost%3A9222%2Fdevtools%2Fpage%2FP").as_str())
        );
        assert_eq!(
            of("wss://ghost.example/devtools/browser/S-1?key=K").as_deref(),
            Some(format!("{begin}?wss=ghost.example%2Fdevtools%2Fpage%2FP%3Fkey%3DK.S-1").as_str())
        );
        assert_eq!(of("ws://localhost:9222/devtools/browser/other"), None);
    }

    #[test]
    fn answers_of_a_person_are_told_and_all_else_is_no_answer() {
        let said = |answer: serde_json::Value| {
            let answers = InputResponses::from([(ANSWER.to_owned(), answer)]);
            serde_json::to_string(&answered(answers)).expect("JSON")
        };
        assert!(said(json!({ "action": "accept", "content": { "answer": "42" } })).contains("answered: 42"));
        assert!(said(json!({ "action": "accept", "content": {} })).contains("answered: done"));
        assert!(said(json!({ "action": "decline" })).contains("does not want"));
        assert!(said(json!({ "action": "cancel" })).contains("without an answer"));
        for none in [json!(1), json!({ "action": "sing" })] {
            assert!(said(none).contains("no answer"));
        }
        assert!(serde_json::to_string(&answered(InputResponses::new())).expect("JSON").contains("no answer"));
    }
}
