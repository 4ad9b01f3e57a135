//! Targets of other sessions: listing, attaching, opening and closing.

use serde_json::{Value, json};

use super::{
    rows::{Arena, rows_in_each_browser},
    stage::{
        EVERYWHERE, NO_CHILD_OF_TARGET, NO_TARGET, On, Says, Stage, no_context, no_context_for_a_page,
        no_target_to_close, says,
    },
};
use crate::{
    browsers::{Browser, in_each_browser},
    client::text,
};

/// T01, T02, T09, T10, T15: lists of targets contain own targets only, on every kind of CDP
/// session.
async fn lists_show_only_own_targets(browser: Browser) {
    let stage = Stage::with(browser, &["--strict", "--warm", "2"]).await;
    let own = &stage.attacker.page.target;
    for filter in [json!({}), json!({ "filter": [{}] }), json!({ "filter": [{ "type": "page" }] })] {
        for result in stage.answers("T01 T02 T10 T15", &EVERYWHERE, "Target.getTargets", filter.clone()).await {
            assert!(ids(&result).contains(own), "T01: {filter} does not show one's own page: {result}");
        }
    }
    let tabs = json!({ "filter": [{ "type": "tab" }] });
    for result in stage.answers("T01 T02 T09 T15", &EVERYWHERE, "Target.getTargets", tabs).await {
        assert!(ids(&result).contains(&stage.attacker.tab), "T01: {result}");
    }
    stage.unharmed("T01 T02 T10 T15 T09").await;
}

in_each_browser!(lists_show_only_own_targets);

/// T03, T04, T15: discovery reports own targets only, on every kind of CDP session.
async fn discovery_reports_only_own_targets(browser: Browser) {
    let stage = Stage::with(browser, &["--strict", "--warm", "2"]).await;
    let (attacker, victim) = (&stage.attacker.client, &stage.victim);
    for on in EVERYWHERE {
        let all = json!({ "discover": true, "filter": [{}] });
        stage.answers("T03 T04 T15", &[on], "Target.setDiscoverTargets", all).await;
        // The victim's page is opened before the attacker's: when the attacker's is announced, the
        // victim's would have been too.
        let params = json!({ "url": format!("{}-again", victim.url) });
        let theirs = text(&victim.client.ok(None, "Target.createTarget", params).await, "targetId");
        let params = json!({ "url": "about:blank" });
        let mine = text(&attacker.ok(None, "Target.createTarget", params).await, "targetId");
        attacker.event_where("Target.targetCreated", |params| params["targetInfo"]["targetId"] == mine).await;
        victim.client.ok(None, "Target.closeTarget", json!({ "targetId": theirs })).await;
        attacker.ok(None, "Target.closeTarget", json!({ "targetId": mine })).await;
        attacker.event_where("Target.targetDestroyed", |params| params["targetId"] == mine).await;
        let told: Vec<_> = attacker.events().into_iter().filter(|event| event.to_string().contains(&theirs)).collect();
        assert!(told.is_empty(), "T03 T04 @{on:?}: {told:?}");
        stage.answers("T03 T04", &[on], "Target.setDiscoverTargets", json!({ "discover": false })).await;
    }
    stage.unharmed("T03 T04 T15").await;
}

in_each_browser!(discovery_reports_only_own_targets);

/// T23: a page that asks to be hidden is announced, counted and closed as any other.
async fn pages_cannot_be_hidden(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let attacker = &stage.attacker.client;
    let hidden = json!({ "url": "about:blank", "hidden": true, "background": true });
    let target = text(&attacker.ok(None, "Target.createTarget", hidden).await, "targetId");
    let info = attacker.ok(None, "Target.getTargetInfo", json!({ "targetId": target })).await;
    assert_eq!(info["targetInfo"]["type"], "page", "T23: {info}");
    let all = attacker.ok(None, "Target.getTargets", json!({})).await;
    assert!(ids(&all).contains(&target), "T23: {all}");
    attacker.ok(None, "Target.closeTarget", json!({ "targetId": target })).await;
    stage.unharmed("T23").await;
}

/// T05 to T13, T20 to T22: a foreign target gets the answer for an unknown one.
async fn foreign_targets_are_not_found(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let victim = &stage.victim;
    let attack = |row, method, params, must| stage.attack(row, &EVERYWHERE, method, params, must);
    for target in [&victim.page.target, &victim.tab, &victim.shared_worker, &victim.service_worker] {
        let named = json!({ "targetId": target });
        attack("T05", "Target.getTargetInfo", named.clone(), Says::from(NO_TARGET)).await;
        let flat = json!({ "targetId": target, "flatten": true });
        attack("T06 T07 T09 T10 T21", "Target.attachToTarget", flat, NO_TARGET.into()).await;
        attack("T08 T21", "Target.attachToTarget", named.clone(), NO_TARGET.into()).await;
        attack("T09 T11 T12 T21", "Target.closeTarget", named.clone(), no_target_to_close()).await;
    }
    let named = json!({ "targetId": victim.page.target });
    let tunnel = json!({ "targetId": victim.page.target, "message": r#"{"id":1,"method":"Page.close"}"# });
    attack("T08", "Target.sendMessageToTarget", tunnel, NO_CHILD_OF_TARGET.into()).await;
    attack("T13", "Target.activateTarget", named.clone(), NO_TARGET.into()).await;
    let related = json!({ "targetId": victim.page.target, "waitForDebuggerOnStart": true });
    stage.attack("T20", &[On::Root, On::Browser], "Target.autoAttachRelated", related.clone(), NO_TARGET).await;
    let elsewhere = says(-32000, "Target.autoAttachRelated is only supported on the Browser target");
    stage.attack("T20", &EVERYWHERE[2..], "Target.autoAttachRelated", related, elsewhere).await;
    attack("T22", "Target.detachFromTarget", named, NO_CHILD_OF_TARGET.into()).await;
    stage.unharmed("T05 T06 T07 T09 T10 T21 T08 T11 T12 T13 T20 T22").await;
}

/// T14, T15: the browser target is a virtual root, from wherever it is attached.
async fn the_browser_target_is_a_virtual_root(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let (attacker, victim) = (&stage.attacker, &stage.victim);
    let info = &attacker.ok(On::Root, "Target.getTargetInfo", json!({})).await["targetInfo"];
    assert_eq!(info["type"], "browser", "{info}");
    let id = text(info, "targetId");
    assert!(!id.is_empty(), "{info}");
    for on in EVERYWHERE {
        let row = format!("T14 T15 @{on:?}");
        let root = attacker.client.attach(attacker.session(on), &id).await;
        let at_root = |method, params| attacker.client.call_on(&root, method, params);
        let listed = at_root("Target.getTargets", json!({ "filter": [{}] })).await.expect(&row);
        assert!(ids(&listed).contains(&attacker.page.target), "{row}: {listed}");
        let found = at_root("Target.getBrowserContexts", json!({})).await.expect(&row);
        assert_eq!(found["defaultBrowserContextId"], attacker.context, "{row}: {found}");
        let named = json!({ "targetId": victim.page.target, "flatten": true });
        for (method, params, must) in [
            ("Target.attachToTarget", named.clone(), NO_TARGET.into()),
            ("Target.closeTarget", named, no_target_to_close()),
            ("Storage.getCookies", json!({ "browserContextId": victim.context }), no_context(&victim.context)),
        ] {
            must.judge(&row, method, &at_root(method, params).await, &attacker.client);
        }
        stage.undisturbed(&row).await;
    }
    stage.unharmed("T14 T15").await;
}

/// T10, T17, T18, T19: pages open only in own contexts, and in the own default context if none is
/// named.
async fn pages_open_only_in_own_contexts(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let (attacker, victim) = (&stage.attacker, &stage.victim);
    let url = stage.site.url("/page?planted");
    for context in [&victim.context, &victim.default_context] {
        let params = json!({ "url": url, "browserContextId": context });
        let must = no_context_for_a_page(context);
        stage.attack("T10 T17 T18", &EVERYWHERE, "Target.createTarget", params, must).await;
    }
    for on in EVERYWHERE {
        let created = attacker.call(on, "Target.createTarget", json!({ "url": "about:blank" })).await;
        let created = created.unwrap_or_else(|error| attacker.client.panic(&format!("T19 @{on:?}: {error:?}")));
        let id = json!({ "targetId": created["targetId"] });
        let info = attacker.ok(On::Root, "Target.getTargetInfo", id).await;
        assert_eq!(info["targetInfo"]["browserContextId"], attacker.context, "T19 @{on:?}: {info}");
        stage.undisturbed("T19").await;
    }
    let asked = stage.site.requests().into_iter().filter(|request| request.path.contains("planted")).count();
    assert_eq!(asked, 0, "T17: a page was opened in another's context");
    stage.unharmed("T10 T17 T18 T19").await;
}

/// T16: a page script gets no CDP connection.
async fn a_page_script_gets_no_binding_to_the_browser(arena: Arena) {
    let stage = Stage::strict(arena).await;
    let (attacker, victim) = (&stage.attacker, &stage.victim);
    for target in [&attacker.page.target, &victim.page.target] {
        let params = json!({ "targetId": target, "bindingName": "cdp", "inheritPermissions": true });
        stage.attack("T16", &EVERYWHERE, "Target.exposeDevToolsProtocol", params, Says::Refused).await;
    }
    attacker.client.open(&attacker.page, &stage.site.url("/page?reloaded")).await;
    assert_eq!(attacker.evaluate("typeof window.cdp").await, "undefined", "T16");
    stage.unharmed("T16").await;
}

fn ids(result: &Value) -> Vec<String> {
    result["targetInfos"].as_array().into_iter().flatten().map(|info| text(info, "targetId")).collect()
}

rows_in_each_browser! {
    foreign_targets_are_not_found,
    the_browser_target_is_a_virtual_root,
    pages_open_only_in_own_contexts,
    pages_cannot_be_hidden,
    a_page_script_gets_no_binding_to_the_browser,
}
