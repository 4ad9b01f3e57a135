//! Secrets: stored by `/v1/secrets`, typed by page actions, and shown to nobody.

use serde_json::{Value, json};

use crate::{
    browsers::{Browser, in_each_browser},
    client::text,
    definition::{is_a, is_of},
    pages::Driven,
    proxy::{Answer, Proxy},
    rest::{JSON, body_of, connect, is_problem, ok, send},
    site::Site,
};

/// It stands differently in JSON, HTML and URLs.
const VALUE: &str = "corr\"ect <horse>&";
const TOTP: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

async fn put(proxy: &Proxy, name: &str, body: &Value) -> Answer {
    proxy.http("PUT", &format!("/v1/secrets/{name}"), &[JSON], &body.to_string()).await
}

async fn secrets_are_typed_and_not_shown(browser: Browser) {
    let (proxy, site) = (Proxy::start(browser, &["--secrets", "2"]).await, Site::start().await);
    they_are_stored_and_only_listed(&proxy, &site).await;
    let page = Driven::with(&proxy, "").await;
    page.does("goto", json!({ "url": site.url("/form") })).await;
    let form = format!(
        "<form><input id=pw type=password><input id=plain value=old><textarea id=area></textarea>
         <div id=rich contenteditable></div><input id=otp><input id=shut disabled></form>
         <iframe id=other src='{}'></iframe>
         <script>seen = []; addEventListener('input', e => seen.push(e.target.id + ' ' + e.isTrusted))</script>",
        site.url_at("a.localhost", "/other")
    );
    page.does("evaluate", json!({ "function": "html => document.write(html)", "args": [form] })).await;
    they_are_typed(&page).await;
    no_answer_shows_them(&page).await;
    they_are_for_their_origins(&page, &site).await;
    no_debugger_sees_them(&page).await;
    assert_eq!(send(&proxy, "DELETE", "/v1/secrets/shop", Value::Null).await, (204, Value::Null));
    page.fails("fill", json!({ "selector": "#pw", "secret": "shop" }), 404, "no-secret", "PUT /v1/secrets/shop").await;
    is_problem(&proxy.http("DELETE", "/v1/secrets/shop", &[], "").await, 404, "no-secret", "shop");
}

in_each_browser!(secrets_are_typed_and_not_shown);

async fn they_are_stored_and_only_listed(proxy: &Proxy, site: &Site) {
    let stored = put(proxy, "shop", &json!({ "value": VALUE, "totp": TOTP, "origins": [site.origin()] })).await;
    let secret = body_of(&stored);
    is_a("SecretInfo", &secret);
    assert_eq!(stored.status, 200, "{secret}");
    assert_eq!(
        (&secret["name"], &secret["hasValue"], &secret["hasTotp"]),
        (&json!("shop"), &json!(true), &json!(true))
    );
    assert_eq!(secret["origins"], json!([site.origin()]));
    let plain = put(proxy, "plain", &json!({ "value": "long enough", "origins": ["https://*.example.com"] })).await;
    assert_eq!(plain.status, 200);
    let listed = ok(proxy, "GET", "/v1/secrets", Value::Null).await;
    is_of("ghost.listSecrets", &listed);
    assert_eq!(listed["secrets"].as_array().map(Vec::len), Some(2), "{listed}");
    for said in [&stored.body, &plain.body, &listed.to_string()] {
        assert!(!said.contains("horse") && !said.contains(TOTP) && !said.contains("enough"), "{said}");
    }
    let many = put(proxy, "third", &json!({ "value": VALUE, "origins": ["https://a.test"] })).await;
    is_problem(&many, 429, "too-many", "setting secrets");
    for (body, member) in [
        (json!({ "origins": ["https://a.test"] }), "value"),
        (json!({ "value": "abc", "origins": ["https://a.test"] }), "value"),
        (json!({ "value": VALUE, "origins": [] }), "origins"),
        (json!({ "value": VALUE, "origins": ["a.test"] }), "origins[0]"),
        (json!({ "totp": "no key 1", "origins": ["https://a.test"] }), "totp"),
    ] {
        let refused = put(proxy, "shop", &body).await;
        is_problem(&refused, 400, "bad-value", member);
        assert!(!refused.body.contains("horse") && !refused.body.contains("no key 1"), "{}", refused.body);
    }
    assert_eq!(ok(proxy, "GET", "/v1/secrets", Value::Null).await, listed, "nothing has changed");
}

async fn they_are_typed(page: &Driven<'_>) {
    let is_value = async |of: &str| page.value(&format!("{of} === {}", json!(VALUE))).await == true;
    for field in ["pw", "plain", "area"] {
        page.does("fill", json!({ "selector": format!("#{field}"), "secret": "shop" })).await;
        assert!(is_value(&format!("document.querySelector('#{field}').value")).await, "{field}");
    }
    page.does("fillForm", json!({ "fields": [{ "selector": "#rich", "secret": "shop" }] })).await;
    assert!(is_value("document.querySelector('#rich').textContent").await);
    page.does("clear", json!({ "selector": "#plain" })).await;
    page.does("fill", json!({ "selector": "#plain", "value": "<>" })).await;
    page.does("press", json!({ "selector": "#plain", "key": "ArrowRight" })).await;
    page.does("type", json!({ "selector": "#plain", "secret": "shop" })).await;
    let typed = page.value(&format!("document.querySelector('#plain').value.includes({})", json!(VALUE))).await;
    assert_eq!(typed, true);
    page.does("fill", json!({ "selector": "#otp", "secret": "shop", "totp": true })).await;
    assert_eq!(page.value("/^[0-9]{6}$/.test(document.querySelector('#otp').value)").await, true);
    assert_eq!(page.value("document.querySelector('#otp').value").await, "[secret shop]");
    let seen = page.value("seen.join()").await.to_string();
    for event in ["pw true", "area true", "rich true", "otp true"] {
        assert!(seen.contains(event), "{event} in {seen}");
    }
    let shut = json!({ "selector": "#shut", "secret": "shop", "timeout": 300 });
    page.fails("fill", shut, 504, "action-timeout", "enabled").await;
    let both = json!({ "selector": "#pw", "secret": "shop", "value": "x" });
    page.fails("fill", both, 400, "bad-value", "exclude").await;
    page.fails("fill", json!({ "selector": "#pw" }), 400, "bad-value", "secret").await;
    page.fails("type", json!({ "selector": "#pw", "text": "x", "totp": true }), 400, "bad-value", "totp").await;
    let no_key = json!({ "selector": "#pw", "secret": "plain" });
    page.fails("fill", no_key, 403, "secret-origin", "plain").await;
    let argument = json!({ "function": "a => a", "args": [{ "secret": "shop" }] });
    page.fails("evaluate", argument, 400, "bad-value", "args[0]").await;
}

async fn no_answer_shows_them(page: &Driven<'_>) {
    page.value(
        "(() => {
            const { value } = document.querySelector('#pw');
            document.title = value;
            document.body.append(value);
            const link = document.createElement('a');
            link.setAttribute('title', value);
            link.href = '/?' + new URLSearchParams({ value });
            link.textContent = encodeURIComponent(value);
            document.body.append(link);
        })()",
    )
    .await;
    page.does("console", json!({})).await;
    page.value("console.log(document.querySelector('#pw').value)").await;
    let script = "throw new Error(document.querySelector('#pw').value)";
    let mut answers =
        vec![page.fails("evaluate", json!({ "expression": script }), 422, "script-failed", "secret").await];
    for (action, body) in [
        ("text", json!({})),
        ("html", json!({})),
        ("markdown", json!({})),
        ("links", json!({})),
        ("snapshot", json!({})),
        ("console", json!({})),
        ("query", json!({ "selector": "a" })),
        ("attributes", json!({ "selector": "a" })),
        ("evaluate", json!({ "expression": "[document.querySelector('#pw').value]" })),
        ("actions", json!({ "actions": [{ "action": "text" }, { "action": "html" }] })),
    ] {
        answers.push(page.does(action, body).await);
    }
    for answer in answers {
        // As Markdown writes brackets.
        let said = answer.to_string().replace(r"\\", "");
        assert!(said.contains("[secret shop]"), "{said}");
        assert!(!said.contains("horse"), "{said}");
    }
}

async fn they_are_for_their_origins(page: &Driven<'_>, site: &Site) {
    let inner = "document.querySelector('#other')";
    let field = json!({ "css": "body", "frame": { "css": "#other" } });
    page.value(&format!("{inner}.contentWindow.postMessage('')")).await;
    let in_frame = json!({ "locator": field, "secret": "shop", "force": true });
    page.fails("fill", in_frame, 403, "secret-origin", "a.localhost").await;
    let before = page.value("location.href").await;
    page.does("goto", json!({ "url": site.url_at("a.localhost", "/form") })).await;
    page.value("document.body.innerHTML = '<input id=pw>'").await;
    page.fails("fill", json!({ "selector": "#pw", "secret": "shop" }), 403, "secret-origin", "a.localhost").await;
    page.fails("type", json!({ "selector": "#pw", "secret": "shop" }), 403, "secret-origin", "a.localhost").await;
    page.does("goto", json!({ "url": "data:text/html,<input id=pw>" })).await;
    page.fails("fill", json!({ "selector": "#pw", "secret": "shop" }), 403, "secret-origin", "null").await;
    page.does("goto", json!({ "url": before })).await;
    page.value("document.body.innerHTML = '<input id=pw>'").await;
}

/// A client that debugs the page reads the sources of all scripts, those of the proxy's own too.
async fn no_debugger_sees_them(page: &Driven<'_>) {
    let parts: Vec<&str> = page.path.split('/').collect();
    let session = ok(page.proxy, "GET", &format!("/v1/sessions/{}", parts[3]), Value::Null).await;
    let client = connect(page.proxy, &session).await;
    let on_page = client.attach(None, parts[5]).await;
    client.ok(Some(&on_page), "Debugger.enable", json!({})).await;
    page.does("fill", json!({ "selector": "#pw", "secret": "shop" })).await;
    page.does("type", json!({ "selector": "#pw", "secret": "shop", "totp": true })).await;
    client.ok(Some(&on_page), "Runtime.evaluate", json!({ "expression": "1" })).await;
    let scripts: Vec<String> = client
        .events()
        .iter()
        .filter(|event| event["method"] == "Debugger.scriptParsed")
        .map(|event| text(&event["params"], "scriptId"))
        .collect();
    assert!(!scripts.is_empty(), "no script was seen");
    for script in scripts {
        let source = client.ok(Some(&on_page), "Debugger.getScriptSource", json!({ "scriptId": script })).await;
        assert!(!source.to_string().contains("horse"), "{source}");
    }
}
