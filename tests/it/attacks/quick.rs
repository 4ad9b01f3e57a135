//! Quick actions: what others own, forbidden URLs, files of the server, hostile HTML, and too much of everything.

use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::{
    browsers::{Browser, in_each_browser},
    proxy::{Answer, eventually},
    quick::post,
    rest::{JSON, body_of, is_problem},
    tenants::{Server, Tenant},
};

async fn quick_actions_give_no_access(browser: Browser) {
    let (victim, attacker) = (Tenant::new("victim"), Tenant::insider("attacker"));
    let reader = Tenant::with_token("reader", "scope = \"read-only\"");
    let flags = ["--page-timeout-max", "2s", "--quick-body", "1MiB"];
    let server = Server::start_in(browser, &[&victim, &attacker, &reader], &flags).await;
    let proxy = &server.proxy;
    let ask = async |path: &str, body: &Value| -> Answer {
        proxy.http("POST", path, &[("x-api-key", attacker.text()), JSON], &body.to_string()).await
    };

    // V40: what another tenant has.
    let theirs = server.ok(&victim, "POST", "/v1/sessions", json!({ "profile": "shop", "persist": true })).await;
    let saved = server
        .ok(&victim, "POST", &format!("/v1/sessions/{}/snapshots", theirs["id"].as_str().expect("an id")), json!({}))
        .await;
    let snapshot = saved["snapshot"]["id"].as_str().expect("an id");
    for (path, body, kind) in [
        ("/content".to_owned(), json!({ "html": "x", "snapshot": snapshot }), "no-snapshot"),
        (format!("/content?snapshot={snapshot}"), json!({ "html": "x" }), "no-snapshot"),
        ("/content".to_owned(), json!({ "html": "x", "profile": "shop" }), "no-profile"),
    ] {
        is_problem(&ask(&path, &body).await, 404, kind, "");
    }
    let no_token = post(proxy, "/content", &json!({ "html": "x" })).await;
    assert_eq!(no_token.status, 401, "V40: {}", no_token.body);
    let only_reads = server.ask(&reader, "POST", "/content", json!({ "html": "x" })).await;
    is_problem(&only_reads, 403, "out-of-scope", "");
    let listed = server.ok(&reader, "GET", "/v1/sessions", Value::Null).await;
    assert_eq!(listed["sessions"], json!([]), "V40: a session was opened for it");
    let looks = async {
        let mut seen = 0;
        while seen == 0 {
            let all = server.ok(&attacker, "GET", "/sessions", Value::Null).await;
            let Some(own) = all.as_array().and_then(|all| all.first()).cloned() else { continue };
            let id = own["id"].as_str().expect("an id").to_owned();
            let foreign = server.ask(&victim, "GET", &format!("/v1/sessions/{id}/pages"), Value::Null).await;
            assert_eq!(foreign.status, 404, "V40: {}", foreign.body);
            seen += 1;
        }
    };
    let (slow, ()) =
        tokio::join!(async { ask("/content", &json!({ "html": "x", "waitForTimeout": 1000 })).await }, looks);
    assert_eq!(slow.status, 200, "V40: {}", slow.body);

    // V41: URLs that a client may not open.
    for url in [
        "chrome://version",
        "file:///etc/passwd",
        "view-source:chrome://gpu",
        " \tFILE:/etc/passwd",
        "devtools://devtools/x",
    ] {
        is_problem(&ask("/screenshot", &json!({ "url": url })).await, 403, "url-refused", "");
    }
    let script = ask(
        "/content",
        &json!({ "url": "javascript:document.body.append(location.href)", "gotoOptions": { "timeout": 500 } }),
    )
    .await;
    assert!(!script.body.contains("root:") && script.status != 500, "V41: {}", script.body);
    for html in [
        "<iframe src='file:///etc/passwd'></iframe>",
        "<script>location = 'file:///etc/passwd'</script>",
        "<meta http-equiv=refresh content='0;url=chrome://version'>",
    ] {
        let answer = ask("/content", &json!({ "html": html, "waitForTimeout": 100 })).await;
        assert!(!answer.body.contains("root:") && !answer.body.contains("Command Line"), "V41: {}", answer.body);
    }

    // V42: HTML that reads the port.
    let port = proxy.url();
    let token = attacker.text();
    let html = format!(
        "<script>(async () => {{
            for (const [path, init] of [['/v1/sessions?token={token}'], ['/sessions?token={token}'], ['/config?token={token}'],
                ['/content?token={token}', {{ method: 'POST', body: '{{\"html\":\"inner\"}}', headers: {{ 'Content-Type': 'application/json' }} }}]])
                try {{ const answer = await fetch('{port}' + path, init); document.title += answer.status + await answer.text() }}
                catch (error) {{ document.title += error.name }}
            document.title += ' done';
        }})()</script>"
    );
    let answer =
        ask("/content", &json!({ "html": html, "waitForFunction": { "fn": "document.title.endsWith('done')" } })).await;
    assert!(answer.status == 200 && !answer.body.contains("webSocketDebuggerUrl"), "V42: {}", answer.body);
    let title = answer.body.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next()).unwrap_or_default();
    assert_eq!(title, "TypeErrorTypeErrorTypeErrorTypeError done", "V42");

    // V43: files of the server.
    for (path, body) in [
        ("/content", json!({ "html": "x", "addScriptTag": [{ "path": "/etc/passwd" }] })),
        ("/content", json!({ "html": "x", "addStyleTag": [{ "path": "/etc/passwd" }] })),
        ("/screenshot", json!({ "html": "x", "options": { "path": "/tmp/ghostmux-v43.png" } })),
        ("/pdf", json!({ "html": "x", "options": { "path": "/tmp/ghostmux-v43.pdf" } })),
    ] {
        let answer = ask(path, &body).await;
        is_problem(&answer, 400, "bad-value", "is a file of the server");
        assert!(body_of(&answer)["field"].as_str().is_some_and(|field| field.ends_with("path")), "V43");
    }

    // V44: too much. The answer comes before the body has been sent.
    let head = |length: &str| {
        format!(
            "POST /content HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\nx-api-key: {}\r\n{length}\r\n\r\n",
            proxy.address(),
            attacker.text()
        )
    };
    let declared = proxy.bytes(head("Content-Length: 104857600").as_bytes()).await;
    assert!(declared.starts_with("HTTP/1.1 413"), "V44: {declared}");
    let chunk = format!("200000\r\n{}\r\n", " ".repeat(0x0020_0000));
    let streamed = proxy.bytes(format!("{}{chunk}", head("Transfer-Encoding: chunked")).as_bytes()).await;
    assert!(streamed.starts_with("HTTP/1.1 413"), "V44: {streamed}");

    let (mut open, mut last) = (Vec::new(), None);
    eventually("V44: bodies of all together are limited", async || {
        let mut socket = TcpStream::connect(proxy.address()).await.expect("it accepts");
        socket.write_all(head("Content-Length: 1048576").as_bytes()).await.expect("it reads");
        open.push(socket);
        let answer = ask("/content", &json!({ "html": "x" })).await;
        let is_refused = answer.status == 429;
        last = Some(answer);
        is_refused
    })
    .await;
    assert!(open.len() < 20, "V44: {} bodies", open.len());
    is_problem(&last.expect("an answer"), 429, "bodies", "quick_body");
    let others = server.ask(&victim, "POST", "/content", json!({ "html": "x" })).await;
    assert_eq!(others.status, 200, "V44: the bodies of one tenant take the room of others: {}", others.body);
    drop(open);
    eventually("V44: they are free again", async || ask("/content", &json!({ "html": "x" })).await.status == 200).await;

    // V45: what does not end.
    for body in [
        json!({ "html": "<script>setTimeout(() => { for (;;); })</script>", "waitForTimeout": 0, "timeout": 0, "waitForFunction": { "fn": "false", "timeout": 0 } }),
        json!({ "html": "x", "addScriptTag": [{ "content": "for (;;);" }] }),
        json!({ "html": "x", "waitForFunction": { "fn": "/^(a+)+$/.test('a'.repeat(40) + '!')" } }),
        json!({ "html": "x", "waitForTimeout": 31_000_000 }),
    ] {
        let answer = ask("/content", &body).await;
        assert_eq!(answer.status, 408, "V45: {body}: {}", answer.body);
    }
    server.ok(&victim, "DELETE", &format!("/v1/sessions/{}", theirs["id"].as_str().expect("an id")), Value::Null).await;
    let none = async || server.ok(&victim, "GET", "/v1/sessions", Value::Null).await["sessions"] == json!([]);
    eventually("V45: the sessions of quick actions have ended", async || {
        let own = server.ok(&attacker, "GET", "/v1/sessions", Value::Null).await;
        own["sessions"] == json!([]) && none().await
    })
    .await;
}

in_each_browser!(quick_actions_give_no_access);
