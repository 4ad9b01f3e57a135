//! CDP sessions and handles of other sessions, and nested messages that could bypass the policy.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{
    frames::resident,
    rows::{Arena, rows_in_each_browser},
    stage::{
        EVERYWHERE, NO_CHILD, NO_CHILD_OF_TARGET, NO_SESSION, NO_TARGET, On, Says, Stage, no_context,
        no_context_for_a_page, no_target_to_close, says,
    },
    victim::learned_nothing,
};
use crate::{
    client::{Client, Frame, outcome, text},
    reconnect::id_of,
};

/// S01, S02, S03: a foreign CDP session gets the answer for an unknown one.
async fn foreign_cdp_sessions_are_not_found(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let (client, victim) = (&stage.attacker.client, &stage.victim);
    for (method, params) in [
        ("Runtime.evaluate", json!({ "expression": "document.cookie" })),
        ("Page.close", json!({})),
        ("Page.crash", json!({})),
        ("Target.getTargets", json!({})),
        ("Nope.nope", json!({})),
    ] {
        let id = client.start(Some(&victim.page.session), method, params).await;
        let reply = client.reply_to(id).await;
        assert_eq!(reply, json!({ "id": id, "error": { "code": NO_SESSION.0, "message": NO_SESSION.1 } }), "S01");
        stage.undisturbed("S01").await;
    }
    let session = json!({ "sessionId": victim.page.session });
    stage.attack("S02", &EVERYWHERE, "Target.detachFromTarget", session.clone(), NO_CHILD).await;
    for (named, must) in [(session, NO_CHILD), (json!({ "targetId": victim.page.target }), NO_CHILD_OF_TARGET)] {
        let mut params = named;
        params["message"] = r#"{"id":1,"method":"Page.close"}"#.into();
        stage.attack("S03", &EVERYWHERE, "Target.sendMessageToTarget", params, must).await;
    }
    stage.unharmed("S01 S02 S03").await;
}

/// S11, S12: each client of a session has its own CDP sessions, and several clients get no more access than one.
async fn several_clients_get_no_more_access_than_one(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let (attacker, victim) = (&stage.attacker, &stage.victim);
    let path = format!("/devtools/browser/{}", id_of(&attacker.client).await);
    let others = futures_util::future::join_all((1..8).map(|_| stage.proxy.connect_to(&path))).await;
    for other in &others {
        for session in [&attacker.page.session, &victim.page.session] {
            let id = other.start(Some(session), "Runtime.evaluate", json!({ "expression": "document.cookie" })).await;
            let reply = other.reply_to(id).await;
            assert_eq!(reply, json!({ "id": id, "error": { "code": NO_SESSION.0, "message": NO_SESSION.1 } }), "S11");
            let named = json!({ "sessionId": session });
            let refused = other.call("Target.detachFromTarget", named).await;
            Says::from(NO_CHILD).judge("S11", "Target.detachFromTarget", &refused, other);
        }
    }
    attacker.evaluate("6 * 7").await;
    stage.unharmed("S11").await;

    // All of them pause new targets. No further client may connect.
    let wanted = json!({ "autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true });
    for other in &others {
        other.ok(None, "Target.setDiscoverTargets", json!({ "discover": true, "filter": [{}] })).await;
        other.ok(None, "Target.setAutoAttach", wanted.clone()).await;
    }
    let refused = stage.proxy.refusal(&path).await;
    assert!(refused.contains("max_clients_per_session"), "S12: {refused}");
    let foreign = json!({ "targetId": victim.page.target, "flatten": true });
    let planted = json!({ "url": "about:blank", "browserContextId": victim.context });
    for other in &others {
        let outcome = other.call("Target.attachToTarget", foreign.clone()).await;
        Says::from(NO_TARGET).judge("S12", "Target.attachToTarget", &outcome, other);
        let outcome = other.call("Target.createTarget", planted.clone()).await;
        no_context_for_a_page(&victim.context).judge("S12", "Target.createTarget", &outcome, other);
    }
    // The victim opens a page in this check: no client pauses it or is told of it.
    stage.unharmed("S12").await;
    // An own page does not wait for disconnected clients.
    let created = attacker.client.ok(None, "Target.createTarget", json!({ "url": "about:blank" })).await;
    let target = text(&created, "targetId");
    for other in &others {
        other.event_where("Target.attachedToTarget", |told| told["targetInfo"]["targetId"] == target.as_str()).await;
        learned_nothing(other, victim, "S12", 0);
    }
    drop(others);
    let session = attacker.client.attach(None, &target).await;
    assert_eq!(attacker.client.evaluate(&session, "6 * 7").await, 42, "S12");
    stage.unharmed("S12").await;
}

/// S04, S05: nested messages are checked like others, at every depth.
async fn nested_messages_are_checked_by_the_policy(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let (attacker, victim) = (&stage.attacker, &stage.victim);
    let client = &attacker.client;
    let mut path: Vec<String> = Vec::new();
    for depth in 1..=3 {
        let row = format!("S04 S05, depth {depth}");
        let attach = json!({ "targetId": attacker.page.target });
        let attached = tunnelled(client, &path, "Target.attachToTarget", attach).await.expect(&row);
        path.push(text(&attached, "sessionId"));

        let inner = |method, params| tunnelled(client, &path, method, params);
        let value = inner("Runtime.evaluate", json!({ "expression": "6 * 7" })).await.expect(&row);
        assert_eq!(value["result"]["value"], 42, "{row}: the tunnel leads to one's own page");
        let listed = inner("Target.getTargets", json!({ "filter": [{}] })).await.expect(&row);
        assert!(listed.to_string().contains(&attacker.page.target), "{row}: {listed}");
        let vt = json!({ "targetId": victim.page.target });
        let permissions = json!({ "permissions": ["geolocation"], "browserContextId": victim.context });
        for (method, params, must) in [
            ("Browser.grantPermissions", permissions, no_context(&victim.context)),
            ("Target.closeTarget", vt.clone(), no_target_to_close()),
            ("Target.attachToTarget", vt, says(-32602, "No target with given id found")),
            ("Browser.crash", json!({}), Says::Refused),
            ("Page.navigate", json!({ "url": "file:///etc/passwd" }), Says::Refused),
            ("Browser.getWindowForTarget", json!({ "targetId": "none" }), says(-32602, "No target with given id")),
        ] {
            must.judge(&row, method, &inner(method, params).await, client);
        }
        stage.undisturbed(&row).await;
    }
    nested_message_size_is_limited(&stage).await;
    stage.unharmed("S04").await;
}

/// S09, S10: each layer of nesting doubles the backslashes: eight layers around a line of quotes.
/// If each CDP session is attached on the one before, Chrome wraps the last one's messages in all
/// others.
async fn nested_message_size_is_limited(stage: &Stage) {
    let before = resident(stage.proxy.pid());
    let client = stage.proxy.connect().await;
    let page = client.page_at(&stage.site.url("/page?attacker")).await;
    let mut path: Vec<String> = Vec::new();
    for _ in 0..8 {
        let attach = json!({ "targetId": page.target });
        let attached = tunnelled(&client, &path, "Target.attachToTarget", attach).await.expect("S09");
        path.push(text(&attached, "sessionId"));
    }
    tunnelled(&client, &path, "Runtime.enable", json!({})).await.expect("S09");
    let mut on = page.session.clone();
    let refused = loop {
        let attach = json!({ "targetId": page.target, "flatten": true });
        match client.call_on(&on, "Target.attachToTarget", attach).await {
            Ok(attached) => on = text(&attached, "sessionId"),
            Err((_, words)) => break words,
        }
    };
    assert!(refused.contains("32 deep"), "S10: {refused}");
    let say = json!({ "expression": "console.log('\"'.repeat(1 << 20))" });
    client.start(Some(&page.session), "Runtime.evaluate", say).await;
    let why = client.end().await;
    assert!(why.starts_with("1009") && why.contains("Target.sendMessageToTarget"), "S09: {why}");
    let grown = resident(stage.proxy.pid()).saturating_sub(before) >> 20;
    assert!(grown < 300, "S09: the proxy grew by {grown} MiB");
    stage.unharmed("S09").await;
}

/// S06: CDP sessions attached on a CDP session end with it.
async fn child_cdp_sessions_end_with_their_parent(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let client = &stage.attacker.client;
    let root = text(&client.ok(None, "Target.attachToBrowserTarget", json!({})).await, "sessionId");
    let child = client.attach(Some(&root), &stage.attacker.page.target).await;
    assert_eq!(client.evaluate(&child, "6 * 7").await, 42, "S06");
    client.ok(None, "Target.detachFromTarget", json!({ "sessionId": root })).await;
    for session in [&root, &child] {
        let gone = client.call_on(session, "Runtime.evaluate", json!({ "expression": "1" })).await;
        Says::from(NO_SESSION).judge("S06", "Runtime.evaluate", &gone, client);
    }
    stage.unharmed("S06").await;
}

/// S07: two clients that use the same ids at the same time each get their own replies, once.
async fn equal_command_ids_of_two_clients_are_not_confused(arena: Arena) {
    const MANY: i64 = 1000;
    let stage = Stage::strict(arena).await;
    let clients = [stage.proxy.connect().await, stage.proxy.connect().await];
    let mut pages = Vec::new();
    for client in &clients {
        pages.push(client.page().await);
    }
    let ask = async |at: usize| {
        for id in 5000..5000 + MANY {
            let params = json!({ "expression": format!("'client {at}, ' + {id}") });
            let (method, session) = ("Runtime.evaluate", &pages[at].session);
            clients[at]
                .send_raw(&json!({ "id": id, "method": method, "params": params, "sessionId": session }).to_string())
                .await;
        }
        for id in 5000..5000 + MANY {
            let reply = clients[at].reply_to(id).await;
            assert_eq!(reply["result"]["result"]["value"], format!("client {at}, {id}"), "S07");
        }
    };
    tokio::join!(ask(0), ask(1));
    for client in &clients {
        let mut answers: HashMap<i64, usize> = HashMap::new();
        for frame in client.frames() {
            if let Some(id) = frame.received().and_then(|frame| frame["id"].as_i64()).filter(|id| *id >= 5000) {
                *answers.entry(id).or_default() += 1;
            }
        }
        assert!(answers.len() == 1000 && answers.values().all(|times| *times == 1), "S07: answered twice");
    }
    stage.unharmed("S07").await;
}

/// S08: text of a page that looks like protocol frames goes only to the page's own client.
async fn forged_session_ids_in_results_do_not_change_routing(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let (attacker, victim) = (&stage.attacker, &stage.victim);
    let client = &attacker.client;
    client.ok(Some(&attacker.page.session), "Runtime.enable", json!({})).await;
    let session = &victim.page.session;
    let object = format!("({{ a: 1, forged: 1, sessionId: '{session}' }})");
    let tail = format!(r#"}},"sessionId":"{session}"}}"#);
    let event = format!("\0{{\"method\":\"Forged.event\",\"params\":{{}},\"sessionId\":\"{session}\"}}");
    let strings = [tail.clone(), format!("forged{tail}"), format!("forged{event}"), format!("\\\"{tail}\\")];
    for said in strings {
        let quoted = json!(said);
        assert_eq!(attacker.evaluate(&quoted.to_string()).await, said.as_str(), "S08");
        for expression in [
            format!("console.log({quoted}); 'said'"),
            format!("document.title = {quoted}; 'said'"),
            format!("setTimeout(() => {{ throw new Error({quoted}) }}); 'said'"),
            format!("Promise.reject({quoted}); 'said'"),
        ] {
            assert_eq!(attacker.evaluate(&expression).await, "said", "S08");
        }
        let thrown = client.call_on(
            &attacker.page.session,
            "Runtime.evaluate",
            json!({ "expression": format!("throw {quoted}") }),
        );
        assert!(thrown.await.is_ok_and(|result| result.get("exceptionDetails").is_some()), "S08");
    }
    for by_value in [true, false] {
        let params = json!({ "expression": object, "returnByValue": by_value, "generatePreview": true });
        client.ok(Some(&attacker.page.session), "Runtime.evaluate", params).await;
    }
    // All of it has arrived now: this reply comes after whatever was sent to the victim by mistake.
    victim.is_undisturbed("S08").await;
    victim.can_open_a_page("S08").await;
    let forged = |frame: &&Frame| !frame.sent && (frame.text.contains("forged") || frame.text.contains("Forged"));
    let received = victim.client.frames().iter().filter(forged).map(|frame| frame.text.clone()).collect::<Vec<_>>();
    assert!(received.is_empty(), "S08: the victim received {received:?}");
    assert!(client.closed().is_none(), "S08: {:?}", client.closed());
}

/// I01: a foreign stream cannot be read or closed, even if its handle is guessed.
async fn foreign_streams_are_not_found(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let victim = &stage.victim;
    let print = json!({ "transferMode": "ReturnAsStream" });
    let printed = victim.client.ok(Some(&victim.page.session), "Page.printToPDF", print).await;
    let handle = text(&printed, "stream");
    assert!(!handle.is_empty(), "I01: {printed}");
    let mut handles: Vec<String> = (0..5).map(|guess| guess.to_string()).collect();
    handles.push(handle.clone());
    for guess in handles {
        for method in ["IO.read", "IO.close"] {
            let kinds = [On::Root, On::Page, On::Browser, On::Tab];
            let invalid = says(-32602, "Invalid stream handle");
            stage.attack("I01", &kinds, method, json!({ "handle": guess }), invalid).await;
        }
    }
    let read = victim.client.ok(Some(&victim.page.session), "IO.read", json!({ "handle": handle })).await;
    assert!(text(&read, "data").len() > 100, "I01: {read}");
    stage.unharmed("I01").await;
}

/// I02: a foreign request can be neither answered nor read.
async fn foreign_requests_are_not_found(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let (attacker, victim) = (&stage.attacker, &stage.victim);
    let theirs = Some(victim.page.session.as_str());
    victim.client.ok(theirs, "Network.enable", json!({})).await;
    victim.client.ok(theirs, "Fetch.enable", json!({ "patterns": [{ "urlPattern": "*held*" }] })).await;
    let expression = format!("fetch('/held?{}').then(answer => answer.text())", victim.marker);
    let params = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
    let id = victim.client.start(theirs, "Runtime.evaluate", params).await;
    let paused = victim.client.event("Fetch.requestPaused").await["params"].clone();
    attacker.ok(On::Page, "Network.enable", json!({})).await;
    attacker.ok(On::Page, "Fetch.enable", json!({ "patterns": [{ "urlPattern": "*never*" }] })).await;
    let (held, network) = (json!({ "requestId": paused["requestId"] }), json!({ "requestId": paused["networkId"] }));
    let with = |name: &str, value: Value| {
        let mut params = held.clone();
        params[name] = value;
        params
    };
    for (method, params) in [
        ("Fetch.fulfillRequest", with("responseCode", 200.into())),
        ("Fetch.failRequest", with("errorReason", "Aborted".into())),
        ("Fetch.continueRequest", held.clone()),
        ("Fetch.getResponseBody", held.clone()),
        ("Network.getResponseBody", network.clone()),
        ("Network.getRequestPostData", network),
    ] {
        stage.attack("I02", &[On::Page], method, params, Says::AnyError).await;
    }
    victim.client.ok(theirs, "Fetch.continueRequest", held).await;
    let reply = victim.client.reply_to(id).await;
    assert!(reply.to_string().contains(&format!("body-{}", victim.marker)), "I02: {reply}");
    stage.unharmed("I02").await;
}

/// Sends a command inside as many `sendMessageToTarget` as `path` has sessions, the outermost
/// first.
async fn tunnelled(client: &Client, path: &[String], method: &str, params: Value) -> Result<Value, (i64, String)> {
    const ID: i64 = 77;
    if path.is_empty() {
        return client.call(method, params).await;
    }
    let mut message = json!({ "id": ID, "method": method, "params": params });
    for (depth, session) in path.iter().enumerate().rev() {
        let params = json!({ "sessionId": session, "message": message.to_string() });
        message = json!({ "id": 100 + depth, "method": "Target.sendMessageToTarget", "params": params });
    }
    client.ok(None, "Target.sendMessageToTarget", message["params"].clone()).await;
    let unwrapped = |frame: &Value| {
        let mut inner = frame.clone();
        for session in path {
            if inner["method"] != "Target.receivedMessageFromTarget" || inner["params"]["sessionId"] != **session {
                return None;
            }
            inner = serde_json::from_str(inner["params"]["message"].as_str()?).ok()?;
        }
        (inner["id"] == ID).then_some(inner)
    };
    let what = format!("an answer to {method} through {} tunnels", path.len());
    let frame = client.wait(&what, crate::client::DEADLINE, |frame| unwrapped(frame).is_some()).await;
    outcome(&unwrapped(&frame).expect("it was"))
}

rows_in_each_browser! {
    foreign_cdp_sessions_are_not_found,
    several_clients_get_no_more_access_than_one,
    nested_messages_are_checked_by_the_policy,
    child_cdp_sessions_end_with_their_parent,
    equal_command_ids_of_two_clients_are_not_confused,
    forged_session_ids_in_results_do_not_change_routing,
    foreign_streams_are_not_found,
    foreign_requests_are_not_found,
}
