//! Workers run at once if no client has asked to attach to them: the proxy's own watchers do not
//! delay them.

use crate::{
    browsers::{Browser, in_each_browser},
    proxy::Proxy,
    site::Site,
};

async fn workers_run_when_no_client_attaches(browser: Browser) {
    let proxy = Proxy::start(browser, &[]).await;
    let site = Site::start().await;
    let client = proxy.connect().await;
    let page = client.page_at(&site.url("/page?workers")).await;
    for script in [
        "new Promise(done => { const worker = new Worker('/worker.js'); \
         worker.onmessage = said => done(said.data); worker.postMessage('runs') })",
        "new Promise(done => { const worker = new SharedWorker('/shared.js'); \
         worker.port.onmessage = said => done(said.data); worker.port.postMessage('runs') })",
        "navigator.serviceWorker.register('/service.js').then(() => navigator.serviceWorker.ready).then(() => 'runs')",
    ] {
        assert_eq!(client.evaluate(&page.session, script).await, "runs", "{script}");
    }
}

in_each_browser!(workers_run_when_no_client_attaches);
