//! Bytes that pages transfer beyond what their session, or their tenant on a day, may.

use serde_json::json;

use crate::{
    browsers::Browser,
    client::{Client, Page},
    proxy::eventually,
    site::Site,
    tenants::{Server, Tenant},
};

/// Loads 100,000 bytes at a time until a request fails; how many have come as a whole.
async fn load_until_cut(client: &Client, page: &Page) -> u64 {
    let script = "(async () => { for (let whole = 0; whole < 20; whole++) { \
                  try { await (await fetch('/download?' + whole, { cache: 'no-store' })).arrayBuffer(); } \
                  catch { return whole; } } return 20; })()";
    client.evaluate(&page.session, script).await.as_u64().expect("a number")
}

/// E12: connections are cut in the middle, the next ones refused, and the clients are told; other sessions, and other tenants,
/// are not concerned.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_transfers_more_bytes_than_the_limit() {
    let by_session = "capabilities = [\"private-network\"]\nlimits = { egress_bytes_per_session = 250000 }";
    let by_day = "capabilities = [\"private-network\"]\nlimits = { egress_bytes_per_day = 250000 }";
    let (few, daily, free) = (Tenant::with("few", by_session), Tenant::with("daily", by_day), Tenant::insider("free"));
    let server = Server::start_in(Browser::any(), &[&few, &daily, &free], &[]).await;
    let site = Site::start().await;
    let start = async |tenant: &Tenant| {
        let client = server.proxy.connect_to(&format!("/?token={}", tenant.text())).await;
        client.ok(None, "ghost.enable", json!({})).await;
        let page = client.page_at(&site.url("/page?bytes")).await;
        (client, page)
    };
    for (tenant, name, others_are_cut) in
        [(&few, "egress_bytes_per_session", false), (&daily, "egress_bytes_per_day", true)]
    {
        let ((client, page), (other, of_other)) = (start(tenant).await, start(tenant).await);
        let whole = load_until_cut(&client, &page).await;
        assert!((1..=2).contains(&whole), "E12: {name}: {whole} loads of 100,000 bytes");
        let told = client.event("ghost.egressExhausted").await;
        assert_eq!(told["params"], json!({ "limit": 250_000, "name": name }), "E12");
        // The next connection is refused, and says so.
        let done = client.ok(Some(&page.session), "Page.navigate", json!({ "url": site.url("/page?more") })).await;
        assert_eq!(done["errorText"], "net::ERR_SOCKS_CONNECTION_FAILED", "E12: {name}");
        let failed = client.event("ghost.egressFailed").await;
        assert_eq!(failed["params"]["reason"], "allowance", "E12: {name}");
        let account = client.ok(None, "ghost.getEgress", json!({})).await["egress"].clone();
        let bytes = account["bytesUp"].as_u64().expect("bytes") + account["bytesDown"].as_u64().expect("bytes");
        assert!((250_000..600_000).contains(&bytes), "E12: {name}: {bytes} bytes were carried");
        assert_eq!(client.evaluate(&page.session, "6 * 7").await, 42, "the page itself goes on");

        let of_tenant = load_until_cut(&other, &of_other).await;
        assert_eq!(of_tenant == 0, others_are_cut, "E12: {name}: {of_tenant} loads of another session of the tenant");
    }
    let (client, page) = start(&free).await;
    assert_eq!(load_until_cut(&client, &page).await, 20, "a tenant without a limit");

    // A higher limit holds at once.
    let file = std::fs::read_to_string(server.file()).expect("the file");
    server.set(&file.replace("egress_bytes_per_day = 250000", "egress_bytes_per_day = 9000000"));
    let (client, page) = {
        let client = server.proxy.connect_to(&format!("/?token={}", daily.text())).await;
        let page = client.page().await;
        (client, page)
    };
    eventually("the new limit is in force", async || {
        let url = json!({ "url": site.url("/page?again") });
        client.ok(Some(&page.session), "Page.navigate", url).await["errorText"].is_null()
    })
    .await;
}
