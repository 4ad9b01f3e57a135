//! The proxy that the operator gives a tenant.

use serde_json::{Value, json};

use super::helper::{Upstream, title};
use crate::{
    browsers::Browser,
    client::{Client, text},
    proxy::eventually,
    rest::is_problem,
    site::Site,
    tenants::{Server, Tenant},
};

async fn leaves(client: &Client, url: &str) -> String {
    let page = client.page_at(url).await;
    title(client, &page).await
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_leave_by_the_proxy_of_the_operator_with_a_user_for_each_session() {
    let site = Site::start().await;
    let (one, two, of_client) = tokio::join!(
        Upstream::http("acme-*", "pass-one", &site),
        Upstream::socks("other", "pass-two", &site),
        Upstream::http("own", "pass-own", &site),
    );
    let (acme, admin) = (Tenant::new("acme"), Tenant::with("admin", "capabilities = [\"admin\"]"));
    // The proxy is on loopback, where no tenant without the capability gets by itself.
    let server = Server::start_in(Browser::any(), &[&acme, &admin], &["--log", "debug"]).await;
    let egress = json!({ "proxy": one.url_as("acme-{session}", "pass-one"), "ports": "all" });
    let put = server.ok(&admin, "PUT", "/v1/tenants/acme", json!({ "egress": egress })).await;
    let shown = one.address().replace("://", "://***@");
    assert_eq!(put["egress"], json!({ "deny": [], "ports": "0-65535", "proxy": shown }), "{put}");
    let token = acme.text();
    let path = format!("/?token={token}");
    let (first, second) = tokio::join!(server.proxy.connect_to(&path), server.proxy.connect_to(&path));
    for (client, host) in [(&first, "first.test"), (&second, "second.test")] {
        assert_eq!(leaves(client, &site.url_at(host, "/?page")).await, "title-page");
    }
    let users = one.users();
    assert!(users.len() == 2 && users[0] != users[1] && users.iter().all(|user| user.len() == 21), "{users:?}");
    let id = text(&first.ok(None, "ghost.getSession", json!({})).await["session"], "id");
    assert!(!users.iter().any(|user| user.contains(&id)), "the id of a session would be enough to connect to it");
    // The rules hold in front of it, and a bypass list does not get around it.
    first.ok(None, "ghost.enable", json!({})).await;
    for params in [json!({}), json!({ "proxyServer": of_client.url(), "proxyBypassList": "*" })] {
        let context = text(&first.ok(None, "Target.createBrowserContext", params.clone()).await, "browserContextId");
        let page = first.page_in(Some(&context), "about:blank").await;
        let url = site.url_at("127.0.0.1", "/?private");
        let done = first.ok(Some(&page.session), "Page.navigate", json!({ "url": url })).await;
        assert!(text(&done, "errorText").starts_with("net::ERR_"), "{params}: {done}");
        let told = first.event("ghost.egressFailed").await;
        assert_eq!(told["params"]["reason"], "private-network", "E09: {params}");
        let url = site.url_at("bypassed.test", "/?page");
        first.open(&page, &url).await;
        assert_eq!(one.hosts().pop().as_deref(), Some("bypassed.test"), "{params}");
    }
    // A client's own proxy must be where the tenant gets by itself.
    let own = server.proxy.connect_to(&format!("/?token={token}&proxy={}", of_client.escaped())).await;
    own.ok(None, "ghost.enable", json!({})).await;
    let page = own.page().await;
    let url = site.url_at("own.test", "/?page");
    own.ok(Some(&page.session), "Page.navigate", json!({ "url": url })).await;
    assert_eq!(own.event("ghost.egressFailed").await["params"]["reason"], "upstream-address");
    assert!(of_client.hosts().is_empty() && of_client.asked_by_others().is_empty());

    // A change holds from the next connection on; what is shown of a proxy stands for it.
    let egress = json!({ "proxy": two.url(), "ports": "all" });
    server.ok(&admin, "PUT", "/v1/tenants/acme", json!({ "egress": egress })).await;
    let page = second.page().await;
    eventually("the other proxy is used", async || {
        second.open(&page, &site.url_at("later.test", "/?page")).await;
        two.hosts().pop().as_deref() == Some("later.test")
    })
    .await;
    let got = server.ok(&admin, "GET", "/v1/tenants/acme", Value::Null).await;
    let body = json!({ "capabilities": got["capabilities"], "limits": got["limits"], "egress": got["egress"] });
    assert_eq!(server.ok(&admin, "PUT", "/v1/tenants/acme", body).await, got);
    assert!(std::fs::read_to_string(server.file()).expect("the file").contains(&two.url()));
    server.ok(&admin, "PUT", "/v1/tenants/acme", json!({})).await;
    assert!(std::fs::read_to_string(server.file()).expect("the file").contains(&two.url()), "without egress it stays");
    for (egress, what) in [
        (json!({ "proxy": "http://***@h:1" }), "***"),
        (json!({ "proxy": "socks4://u:hidden@h:1" }), "SOCKS4"),
        (json!({ "allow": ["http://x"] }), "host pattern"),
    ] {
        let refused = server.ask(&admin, "PUT", "/v1/tenants/acme", json!({ "egress": egress })).await;
        is_problem(&refused, 400, "bad-value", what);
        assert!(!refused.body.contains("hidden"), "{}", refused.body);
    }
    for secret in ["pass-one", "pass-two", "pass-own"] {
        assert!(!server.proxy.log().contains(secret) && !put.to_string().contains(secret), "{secret}");
    }
}
