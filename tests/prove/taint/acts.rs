//! The random acts of a tenant.

use serde_json::{Value, json};

use super::tenant::Tenant;

/// One act: usually a legitimate one, often enough an attack.
pub(crate) async fn act(tenant: &mut Tenant) {
    if tenant.is_crowded() {
        // A slow Chrome must not get more and more pages, and be slower and slower.
        if tenant.page().is_none() {
            attach(tenant).await;
            return tenant.wait().await;
        }
    } else if tenant.page().is_none() || tenant.random.once_in(12) {
        return open(tenant).await;
    }
    if tenant.random.once_in(3) {
        return attack(tenant).await;
    }
    match tenant.random.below(20) {
        0 | 1 => on_root(tenant).await,
        2 => contexts(tenant).await,
        3 => attach(tenant).await,
        4 => auto_attach(tenant).await,
        5 => download(tenant).await,
        6 => cookies(tenant).await,
        7 if tenant.random.once_in(8) => tenant.leave().await,
        7 => close(tenant).await,
        8 | 9 => navigate(tenant).await,
        10..=12 => script(tenant).await,
        13 | 14 => {
            let marker = tenant.marker.clone();
            let lines = tenant.stage.burst;
            let script = format!("for (let i = 0; i < {lines}; i++) console.log('{marker}', i, document.cookie)");
            evaluate(tenant, &script).await;
        }
        _ => on_page(tenant).await,
    }
}

async fn open(tenant: &mut Tenant) {
    let marker = tenant.marker.clone();
    let mut params = json!({ "url": format!("{}/page?{marker}", tenant.stage.site) });
    if !tenant.contexts.is_empty() && tenant.random.once_in(3) {
        let contexts = tenant.contexts.clone();
        params["browserContextId"] = tenant.random.pick(&contexts).as_str().into();
    }
    tenant.send(None, "Target.createTarget", params).await;
    attach(tenant).await;
}

async fn attach(tenant: &mut Tenant) {
    if tenant.targets.is_empty() {
        return;
    }
    let targets = tenant.targets.clone();
    let (target, _) = tenant.random.pick(&targets);
    let params = json!({ "targetId": target, "flatten": true });
    match tenant.random.below(6) {
        0 => tenant.send(None, "Target.attachToBrowserTarget", json!({})).await,
        1 => {
            // Not flattened: used through nested messages below.
            tenant.send(None, "Target.attachToTarget", json!({ "targetId": target })).await;
            let message =
                json!({ "id": 1, "method": "Runtime.evaluate", "params": { "expression": "document.title" } });
            let params = json!({ "targetId": target, "message": message.to_string() });
            tenant.send(None, "Target.sendMessageToTarget", params).await;
        }
        _ => tenant.send(None, "Target.attachToTarget", params).await,
    }
}

async fn close(tenant: &mut Tenant) {
    let targets = tenant.targets.clone();
    if let Some((target, _)) = targets.first() {
        tenant.send(None, "Target.closeTarget", json!({ "targetId": target })).await;
    }
}

async fn on_root(tenant: &mut Tenant) {
    let filters = [json!([{}]), json!([{ "type": "page" }]), json!([{ "type": "tab", "exclude": true }, {}])];
    let filter = tenant.random.pick(&filters).clone();
    match tenant.random.below(6) {
        0 => tenant.send(None, "Target.getTargets", json!({ "filter": filter })).await,
        1 => tenant.send(None, "Target.getBrowserContexts", json!({})).await,
        2 => tenant.send(None, "Target.setDiscoverTargets", json!({ "discover": true, "filter": [{}] })).await,
        3 => tenant.send(None, "Browser.getHistograms", json!({})).await,
        4 => {
            let page = tenant.page();
            tenant.send(page.as_deref(), "Target.getTargets", json!({ "filter": filter })).await;
        }
        _ => {
            let page = tenant.page();
            tenant.send(page.as_deref(), "Target.getTargetInfo", json!({})).await;
        }
    }
}

async fn contexts(tenant: &mut Tenant) {
    if tenant.contexts.len() > 2 {
        let context = tenant.contexts.remove(0);
        tenant.send(None, "Target.disposeBrowserContext", json!({ "browserContextId": context })).await;
    } else {
        tenant.send(None, "Target.createBrowserContext", json!({ "disposeOnDetach": true })).await;
    }
}

async fn auto_attach(tenant: &mut Tenant) {
    let wait = tenant.random.once_in(2);
    let mut params =
        json!({ "autoAttach": !tenant.random.once_in(4), "waitForDebuggerOnStart": wait, "flatten": true });
    if tenant.random.once_in(2) {
        params["filter"] = json!([{ "type": "page", "exclude": true }, {}]);
    }
    let on = if tenant.random.once_in(2) { tenant.page() } else { None };
    tenant.send(on.as_deref(), "Target.setAutoAttach", params).await;
}

async fn download(tenant: &mut Tenant) {
    let path = format!("/nonexistent/{}", tenant.marker);
    let behaviors = ["allow", "allowAndName", "deny", "default"];
    let behavior = *tenant.random.pick(&behaviors);
    let params = json!({ "behavior": behavior, "downloadPath": path, "eventsEnabled": true });
    tenant.send(None, "Browser.setDownloadBehavior", params).await;
    let script = format!(
        "(() => {{ const a = document.createElement('a'); a.href = '/download?{}.bin'; a.download = ''; a.click() }})()",
        tenant.marker
    );
    evaluate(tenant, &script).await;
}

async fn cookies(tenant: &mut Tenant) {
    let marker = tenant.marker.clone();
    let (domain, on) = ("127.0.0.1", if tenant.random.once_in(2) { tenant.page() } else { None });
    match tenant.random.below(3) {
        0 => tenant.send(on.as_deref(), "Storage.getCookies", json!({})).await,
        1 => {
            let cookie = json!({ "name": "set", "value": marker, "domain": domain, "path": "/" });
            tenant.send(on.as_deref(), "Storage.setCookies", json!({ "cookies": [cookie] })).await;
        }
        _ => {
            let page = tenant.page();
            tenant.send(page.as_deref(), "Network.getCookies", json!({})).await;
        }
    }
}

async fn navigate(tenant: &mut Tenant) {
    let page = tenant.page();
    let (site, marker) = (tenant.stage.site.clone(), tenant.marker.clone());
    let site = if tenant.random.once_in(3) { site.replace("127.0.0.1", "localhost") } else { site };
    tenant.send(page.as_deref(), "Page.navigate", json!({ "url": format!("{site}/page?{marker}") })).await;
}

/// Acts of the page itself.
async fn script(tenant: &mut Tenant) {
    let marker = tenant.marker.clone();
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
    let script = tenant.random.pick(&scripts).clone();
    evaluate(tenant, &script).await;
}

async fn evaluate(tenant: &mut Tenant, script: &str) {
    let page = tenant.page();
    let params = json!({ "expression": script, "awaitPromise": tenant.random.once_in(2), "userGesture": true });
    tenant.send(page.as_deref(), "Runtime.evaluate", params).await;
}

async fn on_page(tenant: &mut Tenant) {
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
    let page = tenant.page();
    let page = page.as_deref();
    let marker = tenant.marker.clone();
    match tenant.random.below(9) {
        0 => {
            let params = json!({ "headers": { "x-extra": marker } });
            tenant.send(page, "Network.setExtraHTTPHeaders", params).await;
        }
        1 => tenant.send(page, "Page.printToPDF", json!({ "transferMode": "ReturnAsStream" })).await,
        2 => {
            let enable = tenant.random.once_in(2);
            tenant.send(page, if enable { "Fetch.enable" } else { "Fetch.disable" }, json!({})).await;
        }
        3 => {
            let params = json!({ "source": format!("console.info('{marker}')") });
            tenant.send(page, "Page.addScriptToEvaluateOnNewDocument", params).await;
        }
        4 => {
            let params = json!({ "permissions": ["geolocation", "notifications"] });
            tenant.send(page, "Browser.grantPermissions", params).await;
        }
        5 => {
            let window = tenant.random.below(12);
            tenant.send(page, "Browser.getWindowBounds", json!({ "windowId": window })).await;
        }
        _ => {
            let method = *tenant.random.pick(&PLAIN);
            tenant.send(page, method, json!({})).await;
        }
    }
}

/// The attacks of `attacks.md`, with foreign ids.
async fn attack(tenant: &mut Tenant) {
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
    if tenant.random.once_in(4) {
        // On a foreign CDP session every method must fail: there is no such CDP session.
        let methods = ["Runtime.evaluate", "Page.close", "Target.getTargets", "Network.getCookies", "Page.crash"];
        let method = *tenant.random.pick(&methods);
        let Some(session) = foreign(tenant, "session") else { return };
        return tenant.attack(Some(&session), method, json!({ "expression": "document.title" })).await;
    }
    let (kind, method, params) = *tenant.random.pick(&ATTACKS);
    let Some(id) = foreign(tenant, kind) else { return };
    let on = match tenant.random.below(4) {
        0 => None,
        1 => tenant.session_on("tab"),
        _ => tenant.page(),
    };
    tenant.attack(on.as_deref(), method, params(&id)).await;
}

fn foreign(tenant: &mut Tenant, kind: &'static str) -> Option<String> {
    let stage = tenant.stage.clone();
    stage.board.foreign(tenant.client, kind, &mut tenant.random)
}
