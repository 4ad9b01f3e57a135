//! The random acts of a user.

use serde_json::{Value, json};

use super::{borders, user::User};

/// One act: usually a legitimate one, often enough an attack.
pub(crate) async fn act(user: &mut User) {
    if user.is_crowded() {
        // A slow Chrome must not get more and more pages, and be slower and slower.
        if user.page().is_none() {
            attach(user).await;
            return user.wait().await;
        }
    } else if user.page().is_none() || user.random.once_in(12) {
        return open(user).await;
    }
    if user.stage.tenants.are_several() && user.random.once_in(6) {
        return borders::act(user).await;
    }
    if user.random.once_in(3) {
        return attack(user).await;
    }
    match user.random.below(20) {
        0 | 1 => on_root(user).await,
        2 => contexts(user).await,
        3 => attach(user).await,
        4 => auto_attach(user).await,
        5 => download(user).await,
        6 => cookies(user).await,
        7 if user.random.once_in(8) => user.leave().await,
        7 => close(user).await,
        8 | 9 => navigate(user).await,
        10..=12 => script(user).await,
        13 | 14 => {
            let marker = user.marker.clone();
            let lines = user.stage.burst;
            let script = format!("for (let i = 0; i < {lines}; i++) console.log('{marker}', i, document.cookie)");
            evaluate(user, &script).await;
        }
        _ => on_page(user).await,
    }
}

async fn open(user: &mut User) {
    let marker = user.marker.clone();
    let mut params = json!({ "url": format!("{}/page?{marker}", user.stage.site) });
    if !user.contexts.is_empty() && user.random.once_in(3) {
        let contexts = user.contexts.clone();
        params["browserContextId"] = user.random.pick(&contexts).as_str().into();
    }
    user.send(None, "Target.createTarget", params).await;
    attach(user).await;
}

async fn attach(user: &mut User) {
    if user.targets.is_empty() {
        return;
    }
    let targets = user.targets.clone();
    let (target, _) = user.random.pick(&targets);
    let params = json!({ "targetId": target, "flatten": true });
    match user.random.below(6) {
        0 => user.send(None, "Target.attachToBrowserTarget", json!({})).await,
        1 => {
            // Not flattened: used through nested messages below.
            user.send(None, "Target.attachToTarget", json!({ "targetId": target })).await;
            let message =
                json!({ "id": 1, "method": "Runtime.evaluate", "params": { "expression": "document.title" } });
            let params = json!({ "targetId": target, "message": message.to_string() });
            user.send(None, "Target.sendMessageToTarget", params).await;
        }
        _ => user.send(None, "Target.attachToTarget", params).await,
    }
}

async fn close(user: &mut User) {
    let targets = user.targets.clone();
    if let Some((target, _)) = targets.first() {
        user.send(None, "Target.closeTarget", json!({ "targetId": target })).await;
    }
}

async fn on_root(user: &mut User) {
    let filters = [json!([{}]), json!([{ "type": "page" }]), json!([{ "type": "tab", "exclude": true }, {}])];
    let filter = user.random.pick(&filters).clone();
    match user.random.below(6) {
        0 => user.send(None, "Target.getTargets", json!({ "filter": filter })).await,
        1 => user.send(None, "Target.getBrowserContexts", json!({})).await,
        2 => user.send(None, "Target.setDiscoverTargets", json!({ "discover": true, "filter": [{}] })).await,
        3 => user.send(None, "Browser.getHistograms", json!({})).await,
        4 => {
            let page = user.page();
            user.send(page.as_deref(), "Target.getTargets", json!({ "filter": filter })).await;
        }
        _ => {
            let page = user.page();
            user.send(page.as_deref(), "Target.getTargetInfo", json!({})).await;
        }
    }
}

async fn contexts(user: &mut User) {
    if user.contexts.len() > 2 {
        let context = user.contexts.remove(0);
        user.send(None, "Target.disposeBrowserContext", json!({ "browserContextId": context })).await;
    } else {
        user.send(None, "Target.createBrowserContext", json!({ "disposeOnDetach": true })).await;
    }
}

async fn auto_attach(user: &mut User) {
    let wait = user.random.once_in(2);
    let mut params = json!({ "autoAttach": !user.random.once_in(4), "waitForDebuggerOnStart": wait, "flatten": true });
    if user.random.once_in(2) {
        params["filter"] = json!([{ "type": "page", "exclude": true }, {}]);
    }
    let on = if user.random.once_in(2) { user.page() } else { None };
    user.send(on.as_deref(), "Target.setAutoAttach", params).await;
}

async fn download(user: &mut User) {
    let path = format!("/nonexistent/{}", user.marker);
    let behaviors = ["allow", "allowAndName", "deny", "default"];
    let behavior = *user.random.pick(&behaviors);
    let params = json!({ "behavior": behavior, "downloadPath": path, "eventsEnabled": true });
    user.send(None, "Browser.setDownloadBehavior", params).await;
    let script = format!(
        "(() => {{ const a = document.createElement('a'); a.href = '/download?{}.bin'; a.download = ''; a.click() }})()",
        user.marker
    );
    evaluate(user, &script).await;
}

async fn cookies(user: &mut User) {
    let marker = user.marker.clone();
    let (domain, on) = ("127.0.0.1", if user.random.once_in(2) { user.page() } else { None });
    match user.random.below(3) {
        0 => user.send(on.as_deref(), "Storage.getCookies", json!({})).await,
        1 => {
            let cookie = json!({ "name": "set", "value": marker, "domain": domain, "path": "/" });
            user.send(on.as_deref(), "Storage.setCookies", json!({ "cookies": [cookie] })).await;
        }
        _ => {
            let page = user.page();
            user.send(page.as_deref(), "Network.getCookies", json!({})).await;
        }
    }
}

async fn navigate(user: &mut User) {
    let page = user.page();
    let (site, marker) = (user.stage.site.clone(), user.marker.clone());
    let site = if user.random.once_in(3) { site.replace("127.0.0.1", "localhost") } else { site };
    user.send(page.as_deref(), "Page.navigate", json!({ "url": format!("{site}/page?{marker}") })).await;
}

/// Acts of the page itself.
async fn script(user: &mut User) {
    let marker = user.marker.clone();
    let scripts = [
        format!("document.title = 'title {marker}'"),
        format!("localStorage.mark = '{marker}'; sessionStorage.mark = '{marker}'; JSON.stringify(localStorage)"),
        format!("document.cookie = 'written={marker}'; document.cookie"),
        format!("fetch('/page?{marker}', {{ headers: {{ 'x-mark': '{marker}' }} }}).then(answer => answer.text())"),
        format!("window.open('/page?{marker}'); 0"),
        format!("window.open('/page?{marker}', '', 'noopener'); 0"),
        format!("window.w = new Worker('/worker.js?{marker}'); w.postMessage('{marker}'); 0"),
        format!("window.s = new SharedWorker('/shared.js?{marker}'); s.port.postMessage('{marker}'); 0"),
        format!("navigator.serviceWorker.register('/service.js?{marker}').then(() => '{marker}')"),
        format!(
            "document.body.append(Object.assign(document.createElement('iframe'), {{ src: '/page?{marker}' }})); 0"
        ),
        "navigator.clipboard.readText()".to_owned(),
        "performance.getEntries().map(entry => entry.name).join()".to_owned(),
        format!("caches.open('{marker}').then(() => caches.keys()).then(keys => keys.join())"),
        format!("new BroadcastChannel('all').postMessage('{marker}'); 0"),
        "window.b ??= new BroadcastChannel('all'); b.onmessage = said => console.log(said.data); 0".to_owned(),
        format!("throw new Error('{marker}')"),
        "document".to_owned(),
    ];
    let script = user.random.pick(&scripts).clone();
    evaluate(user, &script).await;
}

async fn evaluate(user: &mut User, script: &str) {
    let page = user.page();
    let params = json!({ "expression": script, "awaitPromise": user.random.once_in(2), "userGesture": true });
    user.send(page.as_deref(), "Runtime.evaluate", params).await;
}

async fn on_page(user: &mut User) {
    const PLAIN: [&str; 18] = [
        "Page.enable",
        "Runtime.enable",
        "Network.enable",
        "Log.enable",
        "DOM.enable",
        "CSS.enable",
        "Debugger.enable",
        "ServiceWorker.enable",
        "Page.getResourceTree",
        "Page.getNavigationHistory",
        "Page.getFrameTree",
        "Page.captureSnapshot",
        "DOM.getDocument",
        "Accessibility.enable",
        "Performance.getMetrics",
        "Browser.getWindowForTarget",
        "Storage.getStorageKey",
        "Inspector.enable",
    ];
    let page = user.page();
    let page = page.as_deref();
    let marker = user.marker.clone();
    match user.random.below(9) {
        0 => {
            let params = json!({ "headers": { "x-extra": marker } });
            user.send(page, "Network.setExtraHTTPHeaders", params).await;
        }
        1 => user.send(page, "Page.printToPDF", json!({ "transferMode": "ReturnAsStream" })).await,
        2 => {
            let enable = user.random.once_in(2);
            user.send(page, if enable { "Fetch.enable" } else { "Fetch.disable" }, json!({})).await;
        }
        3 => {
            let params = json!({ "source": format!("console.info('{marker}')") });
            user.send(page, "Page.addScriptToEvaluateOnNewDocument", params).await;
        }
        4 => {
            let params = json!({ "permissions": ["geolocation", "notifications"] });
            user.send(page, "Browser.grantPermissions", params).await;
        }
        5 => {
            let window = user.random.below(12);
            user.send(page, "Browser.getWindowBounds", json!({ "windowId": window })).await;
        }
        _ => {
            let method = *user.random.pick(&PLAIN);
            user.send(page, method, json!({})).await;
        }
    }
}

/// The attacks of `attacks.md`, with foreign ids.
async fn attack(user: &mut User) {
    type Params = fn(&str) -> Value;
    // The kind of id, the method and its parameters; each must fail on every kind of CDP session.
    const ATTACKS: [(&str, &str, Params); 33] = [
        ("target", "Target.getTargetInfo", |id| json!({ "targetId": id })),
        ("target", "Target.attachToTarget", |id| json!({ "targetId": id, "flatten": true })),
        ("target", "Target.attachToTarget", |id| json!({ "targetId": id })),
        ("target", "Target.closeTarget", |id| json!({ "targetId": id })),
        ("target", "Target.activateTarget", |id| json!({ "targetId": id })),
        ("target", "Target.autoAttachRelated", |id| json!({ "targetId": id, "waitForDebuggerOnStart": true })),
        ("target", "Target.detachFromTarget", |id| json!({ "targetId": id })),
        (
            "target",
            "Target.sendMessageToTarget",
            |id| json!({ "targetId": id, "message": r#"{"id":1,"method":"Runtime.enable"}"# }),
        ),
        ("target", "Target.getDevToolsTarget", |id| json!({ "targetId": id })),
        ("target", "Target.openDevTools", |id| json!({ "targetId": id })),
        ("target", "Target.exposeDevToolsProtocol", |id| json!({ "targetId": id })),
        ("target", "Browser.getWindowForTarget", |id| json!({ "targetId": id })),
        ("target", "Page.navigate", |id| json!({ "url": "about:blank", "frameId": id })),
        ("target", "Page.getResourceContent", |id| json!({ "frameId": id, "url": "about:blank" })),
        ("target", "Page.createIsolatedWorld", |id| json!({ "frameId": id })),
        ("target", "Storage.getStorageKeyForFrame", |id| json!({ "frameId": id })),
        ("context", "Target.createTarget", |id| json!({ "url": "about:blank", "browserContextId": id })),
        ("context", "Target.disposeBrowserContext", |id| json!({ "browserContextId": id })),
        ("context", "Storage.getCookies", |id| json!({ "browserContextId": id })),
        ("context", "Storage.setCookies", |id| json!({ "browserContextId": id, "cookies": [] })),
        ("context", "Storage.clearCookies", |id| json!({ "browserContextId": id })),
        ("context", "Browser.grantPermissions", |id| json!({ "browserContextId": id, "permissions": ["geolocation"] })),
        ("context", "Browser.resetPermissions", |id| json!({ "browserContextId": id })),
        (
            "context",
            "Browser.setDownloadBehavior",
            |id| json!({ "browserContextId": id, "behavior": "deny", "eventsEnabled": true }),
        ),
        ("session", "Target.detachFromTarget", |id| json!({ "sessionId": id })),
        (
            "session",
            "Target.sendMessageToTarget",
            |id| json!({ "sessionId": id, "message": r#"{"id":1,"method":"Runtime.enable"}"# }),
        ),
        ("download", "Browser.cancelDownload", |id| json!({ "guid": id })),
        ("request", "Network.getResponseBody", |id| json!({ "requestId": id })),
        ("request", "Network.getRequestPostData", |id| json!({ "requestId": id })),
        ("request", "Network.takeResponseBodyForInterceptionAsStream", |id| json!({ "interceptionId": id })),
        ("object", "Runtime.getProperties", |id| json!({ "objectId": id })),
        ("object", "DOM.describeNode", |id| json!({ "objectId": id })),
        (
            "object",
            "Runtime.callFunctionOn",
            |id| json!({ "objectId": id, "functionDeclaration": "function() { return this }" }),
        ),
    ];
    if user.random.once_in(4) {
        // On a foreign CDP session every method must fail: there is no such CDP session.
        let methods = ["Runtime.evaluate", "Page.close", "Target.getTargets", "Network.getCookies", "Page.crash"];
        let method = *user.random.pick(&methods);
        let Some(session) = foreign(user, "session") else { return };
        return user.attack(Some(&session), method, json!({ "expression": "document.title" })).await;
    }
    let (kind, method, params) = *user.random.pick(&ATTACKS);
    let Some(id) = foreign(user, kind) else { return };
    let on = match user.random.below(4) {
        0 => None,
        1 => user.session_on("tab"),
        _ => user.page(),
    };
    user.attack(on.as_deref(), method, params(&id)).await;
}

/// An id of another user. A CDP session belongs to one client: others of its user cannot use it.
fn foreign(user: &mut User, kind: &'static str) -> Option<String> {
    let (stage, own) = (user.stage.clone(), user.client);
    stage.board.foreign(kind, &mut user.random, |of| if kind == "session" { of != own } else { of.0 != own.0 })
}
