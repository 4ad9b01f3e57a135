//! Clients at the victim's site name the victim's data there: by origin, by names that a page
//! chose, by guessed numbers. All of these refer to the client's own data only.

use serde_json::{Value, json};

use super::stage::{On, Stage};
use crate::{
    browsers::{Browser, in_each_browser},
    client::{Page, text},
};

/// Writes to every store of the victim's page and returns the content.
const KEEP: &str = "(async () => {
    window.name = 'shared-window'
    await (await caches.open(WORD)).put('/kept', new Response(WORD))
    await new Promise((done, fail) => {
        const open = indexedDB.open(WORD, 1)
        open.onupgradeneeded = () => open.result.createObjectStore('words').put(WORD, 1)
        open.onsuccess = () => { open.result.close(); done() }
        open.onerror = fail
    })
    return URL.createObjectURL(new Blob([WORD], { type: 'text/html' }))
})()";

const KEPT: &str = "(async () => {
    const registered = await navigator.serviceWorker.getRegistrations()
    const word = (await indexedDB.databases()).map(one => one.name).join()
    const read = await new Promise((done, fail) => {
        const open = indexedDB.open(WORD)
        open.onsuccess = () => {
            const get = open.result.transaction('words').objectStore('words').get(1)
            get.onsuccess = () => { open.result.close(); done(get.result) }
            get.onerror = fail
        }
        open.onerror = fail
    })
    return JSON.stringify([word, read, await caches.keys(), await (await caches.match('/kept'))?.text(),
        { ...localStorage }, document.cookie, registered.map(one => one.active?.state), window.name,
        await (await fetch(BLOB)).text()])
})()";

/// C11, C12, C13, K04, P04: foreign stores, workers, windows and screens at the same site.
async fn data_of_other_sessions_at_the_same_site_is_unreachable(browser: Browser) {
    let stage = Stage::strict(browser).await;
    let victim = &stage.victim;
    let client = &victim.client;
    let word = json!(victim.marker).to_string();
    let blob = client.evaluate(&victim.page.session, &KEEP.replace("WORD", &word)).await;
    let kept = KEPT.replace("WORD", &word).replace("BLOB", &blob.to_string());
    let before = client.evaluate(&victim.page.session, &kept).await;
    assert!(before.as_str().is_some_and(|kept| kept.matches(&victim.marker).count() >= 6), "C11: {before}");
    // A stopped worker would be noticed.
    for worker in [&victim.service_worker, &victim.shared_worker] {
        client.attach(None, worker).await;
    }
    let unchanged = async |row: &str| {
        stage.undisturbed(row).await;
        assert_eq!(client.evaluate(&victim.page.session, &kept).await, before, "{row}: the victim has lost something");
    };
    site_observers_report_only_own_data(&stage).await;
    unchanged("C11").await;
    handles_of_other_sessions_are_not_found(&stage, blob.as_str().unwrap_or_default()).await;
    unchanged("C12").await;
    worker_numbers_name_only_own_workers(&stage).await;
    unchanged("C13").await;
    selected_text_is_not_pasted_in_another_session(&stage).await;
    no_page_records_the_screen(&stage).await;
    unchanged("K04 P04").await;
    clearing_a_site_clears_only_own_data(&stage).await;
    unchanged("C11").await;
    stage.unharmed("C11 C12 C13 K04 P04").await;
}

in_each_browser!(data_of_other_sessions_at_the_same_site_is_unreachable);

/// Sends a command whose reply does not matter; its effect on the victim and its events are
/// checked.
async fn say(stage: &Stage, on: On, method: &str, params: Value) {
    let _ = stage.attacker.call(on, method, params).await;
}

/// C11: all commands that observe changes at a site.
async fn site_observers_report_only_own_data(stage: &Stage) {
    let (attacker, victim) = (&stage.attacker, &stage.victim);
    let (origin, key) = (stage.site.origin(), format!("{}/", stage.site.origin()));
    for on in [On::Page, On::Worker, On::Service] {
        for (method, params) in [
            ("Storage.trackCacheStorageForOrigin", json!({ "origin": origin })),
            ("Storage.trackCacheStorageForStorageKey", json!({ "storageKey": key })),
            ("Storage.trackIndexedDBForOrigin", json!({ "origin": origin })),
            ("Storage.trackIndexedDBForStorageKey", json!({ "storageKey": key })),
            ("Storage.setStorageBucketTracking", json!({ "storageKey": key, "enable": true })),
            ("Storage.setInterestGroupTracking", json!({ "enable": true })),
            ("Storage.setSharedStorageTracking", json!({ "enable": true })),
            ("DOMStorage.enable", json!({})),
            ("IndexedDB.enable", json!({})),
            ("ServiceWorker.enable", json!({})),
            ("BackgroundService.startObserving", json!({ "service": "backgroundFetch" })),
            ("BackgroundService.setRecording", json!({ "shouldRecord": true, "service": "backgroundFetch" })),
        ] {
            say(stage, on, method, params).await;
        }
    }
    let write = |word: &str| {
        format!(
            "caches.open({word}).then(() => {{ localStorage.more = {word}; delete localStorage.more
                return navigator.serviceWorker.register('/service.js?' + {word}, {{ scope: '/' + {word} }}) }})
                .then(made => made.unregister()).then(() => caches.delete({word}))"
        )
    };
    let word = json!(format!("{}-more", victim.marker)).to_string();
    victim.client.evaluate(&victim.page.session, &write(&word)).await;
    // Own changes are reported; foreign ones would have been reported before.
    attacker.evaluate(&write("'own'")).await;
    attacker.client.event("Storage.cacheStorageListUpdated").await;
    stage.nothing_learned("C11");
}

/// C12: ids, names and URLs that the victim's commands and pages use.
async fn handles_of_other_sessions_are_not_found(stage: &Stage, blob: &str) {
    let (attacker, victim) = (&stage.attacker, &stage.victim);
    let (origin, key) = (stage.site.origin(), format!("{}/", stage.site.origin()));
    let theirs = Some(victim.page.session.as_str());
    let names = json!({ "securityOrigin": origin });
    let caches = victim.client.ok(theirs, "CacheStorage.requestCacheNames", names).await;
    let cache = text(&caches["caches"][0], "cacheId");
    assert!(cache.contains(&origin), "C12: {caches}");
    let frame = &victim.page.target;
    let (database, store) = (&victim.marker, "words");
    let data = json!({ "securityOrigin": origin, "databaseName": database, "objectStoreName": store, "indexName": "",
        "skipCount": 0, "pageSize": 10 });
    for (method, params) in [
        ("CacheStorage.requestEntries", json!({ "cacheId": cache, "skipCount": 0, "pageSize": 10 })),
        (
            "CacheStorage.requestCachedResponse",
            json!({ "cacheId": cache, "requestURL": format!("{origin}/kept"), "requestHeaders": [] }),
        ),
        ("CacheStorage.deleteEntry", json!({ "cacheId": cache, "request": format!("{origin}/kept") })),
        ("CacheStorage.deleteCache", json!({ "cacheId": cache })),
        ("IndexedDB.requestDatabaseNames", json!({ "securityOrigin": origin })),
        ("IndexedDB.requestDatabase", json!({ "storageKey": key, "databaseName": database })),
        ("IndexedDB.requestData", data),
        ("IndexedDB.deleteDatabase", json!({ "securityOrigin": origin, "databaseName": database })),
        ("DOMStorage.getDOMStorageItems", json!({ "storageId": { "storageKey": key, "isLocalStorage": true } })),
        ("FileSystem.getDirectory", json!({ "bucketFileSystemLocator": { "storageKey": key, "pathComponents": [] } })),
        ("Storage.getStorageKeyForFrame", json!({ "frameId": frame })),
        ("Storage.getStorageKey", json!({ "frameId": frame })),
        ("Page.getResourceContent", json!({ "frameId": frame, "url": victim.url })),
        ("Page.createIsolatedWorld", json!({ "frameId": frame, "grantUniveralAccess": true })),
        ("Page.setDocumentContent", json!({ "frameId": frame, "html": "overwritten" })),
        ("Page.navigate", json!({ "frameId": frame, "url": format!("{origin}/page?led-away") })),
        ("DOM.getFrameOwner", json!({ "frameId": frame })),
        ("Network.getSecurityIsolationStatus", json!({ "frameId": frame })),
        (
            "Network.loadNetworkResource",
            json!({ "frameId": frame, "url": blob, "options": { "disableCache": false, "includeCredentials": true } }),
        ),
        ("Network.setCookie", json!({ "name": "marker", "value": "overwritten", "url": origin })),
        ("Network.deleteCookies", json!({ "name": "marker", "url": origin })),
    ] {
        say(stage, On::Page, method, params).await;
    }
    // A window of that name is an own one, and a foreign blob URL cannot be read.
    let page = attacker.client.page_at(&stage.site.url("/page?attacker")).await;
    let open = format!(
        "open('/page?named', 'shared-window') && fetch('{blob}').then(answer => answer.text()).catch(() => 'nothing')"
    );
    let params = json!({ "expression": open, "userGesture": true, "awaitPromise": true, "returnByValue": true });
    let read = attacker.client.ok(Some(&page.session), "Runtime.evaluate", params).await;
    assert_eq!(read["result"]["value"], "nothing", "C12: {read}");
    let _ = attacker.client.call_on(&page.session, "Page.navigate", json!({ "url": blob })).await;
    let shown =
        attacker.client.call_on(&page.session, "Runtime.evaluate", json!({ "expression": "document.body?.innerText" }));
    let _ = shown.await;
    stage.nothing_learned("C12");
    attacker.client.ok(None, "Target.closeTarget", json!({ "targetId": page.target })).await;
}

/// C13: registrations and versions of service workers have small numbers.
async fn worker_numbers_name_only_own_workers(stage: &Stage) {
    let origin = stage.site.origin();
    say(stage, On::Page, "ServiceWorker.enable", json!({})).await;
    for number in 0..8 {
        let number = number.to_string();
        for (method, params) in [
            ("ServiceWorker.stopWorker", json!({ "versionId": number })),
            (
                "ServiceWorker.deliverPushMessage",
                json!({ "origin": origin, "registrationId": number, "data": "from a stranger" }),
            ),
            (
                "ServiceWorker.dispatchSyncEvent",
                json!({ "origin": origin, "registrationId": number, "tag": "x", "lastChance": true }),
            ),
        ] {
            say(stage, On::Page, method, params).await;
        }
    }
    for scope in ["/", "/service.js", ""] {
        let scope = json!({ "scopeURL": format!("{origin}{scope}") });
        for method in ["ServiceWorker.skipWaiting", "ServiceWorker.updateRegistration", "ServiceWorker.unregister"] {
            say(stage, On::Page, method, scope.clone()).await;
        }
    }
    say(stage, On::Page, "ServiceWorker.stopAllWorkers", json!({})).await;
}

/// C11: a site's data is cleared only in the own context, by whatever name.
async fn clearing_a_site_clears_only_own_data(stage: &Stage) {
    let (origin, key) = (stage.site.origin(), format!("{}/", stage.site.origin()));
    for (method, params) in [
        ("DOMStorage.clear", json!({ "storageId": { "storageKey": key, "isLocalStorage": true } })),
        ("Storage.clearDataForOrigin", json!({ "origin": origin, "storageTypes": "all" })),
        ("Storage.clearDataForStorageKey", json!({ "storageKey": key, "storageTypes": "all" })),
        ("Storage.deleteStorageBucket", json!({ "bucket": { "storageKey": key } })),
        ("Storage.clearTrustTokens", json!({ "issuerOrigin": origin })),
        ("Network.clearBrowserCookies", json!({})),
        ("Network.clearBrowserCache", json!({})),
        ("Storage.overrideQuotaForOrigin", json!({ "origin": origin, "quotaSize": 0 })),
    ] {
        for on in [On::Page, On::Root] {
            say(stage, on, method, params.clone()).await;
        }
    }
}

/// K04: X11 has a second clipboard for the selection, which the middle button pastes.
async fn selected_text_is_not_pasted_in_another_session(stage: &Stage) {
    let (attacker, victim) = (&stage.attacker, &stage.victim);
    let click = async |page: &Page, client: &crate::client::Client, button: &str, times: i32| {
        for kind in ["mousePressed", "mouseReleased"] {
            let params = json!({ "type": kind, "x": 20, "y": 20, "button": button, "clickCount": times });
            client.ok(Some(&page.session), "Input.dispatchMouseEvent", params).await;
        }
    };
    let selecting = victim.client.page_at(&stage.site.url(&format!("/page?{}", victim.marker))).await;
    let fill = "document.body.style.margin = 0; document.body.style.font = '30px monospace'; 0";
    victim.client.evaluate(&selecting.session, fill).await;
    for times in 1..=3 {
        click(&selecting, &victim.client, "left", times).await;
    }
    let selected = victim.client.evaluate(&selecting.session, "String(getSelection())").await;
    assert!(
        selected.as_str().is_some_and(|text| text.contains(&victim.marker)),
        "K04: nothing was selected: {selected}"
    );
    let field =
        "document.body.innerHTML = '<textarea style=\"position:fixed;left:0;top:0\" rows=9 cols=40></textarea>'; 0";
    let page = attacker.client.page_at(&stage.site.url("/page?attacker")).await;
    attacker.client.evaluate(&page.session, field).await;
    click(&page, &attacker.client, "middle", 1).await;
    let pasted = attacker.client.evaluate(&page.session, "document.querySelector('textarea').value").await;
    assert_eq!(pasted, "", "K04: what the victim selected was pasted");
    attacker.client.ok(None, "Target.closeTarget", json!({ "targetId": page.target })).await;
}

/// P04: a screen shows the windows of all sessions.
async fn no_page_records_the_screen(stage: &Stage) {
    let attacker = &stage.attacker;
    for permission in ["displayCapture", "capturedSurfaceControl"] {
        say(stage, On::Page, "Browser.grantPermissions", json!({ "permissions": [permission] })).await;
    }
    // A picker that is never answered counts as a refusal: the page gets nothing.
    let record = "Promise.race([
        navigator.mediaDevices.getDisplayMedia({ video: true }).then(stream => 'records ' + stream.getTracks()[0].label,
            error => error.name),
        new Promise(done => setTimeout(done, 1000, 'nothing'))])";
    let params = json!({ "expression": record, "userGesture": true, "awaitPromise": true, "returnByValue": true });
    let recorded = attacker.ok(On::Page, "Runtime.evaluate", params).await;
    let what = text(&recorded["result"], "value");
    assert!(!what.is_empty() && !what.starts_with("records"), "P04: {recorded}");
    attacker.ok(On::Page, "Browser.resetPermissions", json!({})).await;
}
