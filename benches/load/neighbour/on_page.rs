//! Acts of greedy clients on their own pages.

use std::{io, thread, time::Duration};

use serde_json::{Value, json};

use super::{
    Greedy,
    acts::{joined, refusals, repeat, said},
    command,
};

pub(super) fn huge_viewport(greedy: &Greedy<'_>) -> io::Result<String> {
    let (mut root, page) = greedy.open_page()?;
    greedy.begin();
    let side = 10_000_000;
    let metrics = json!({ "width": side, "height": side, "deviceScaleFactor": 1, "mobile": false });
    let clip = json!({ "clip": { "x": 0, "y": 0, "width": side, "height": side, "scale": 1 } });
    let mut refused = Vec::new();
    for (method, params) in [
        ("Emulation.setDeviceMetricsOverride", &metrics),
        ("Page.setDeviceMetricsOverride", &metrics),
        ("Page.captureScreenshot", &clip),
    ] {
        refused.push(said(root.call_on(&page, method, params)));
    }
    Ok(joined(&refused))
}

pub(super) fn unread(greedy: &Greedy<'_>) -> io::Result<String> {
    let (mut root, page) = greedy.open_page()?;
    root.call_on(&page, "Runtime.enable", &json!({}))?;
    greedy.begin();
    let flood = format!(
        "{{ const line = 'x'.repeat(20000); let left = {}
            const some = () => {{ for (let i = 0; i < 20; i++) console.log(line); if (--left > 0) setTimeout(some) }}
            some() }}",
        greedy.size(5_000)
    );
    let text = command(1_000_000, "Runtime.evaluate", &json!({ "expression": flood }), Some(&page));
    root.ws().send(text.as_bytes())?;
    thread::sleep(Duration::from_secs(if greedy.small { 1 } else { 7 }));
    Ok(String::new())
}

pub(super) fn result(greedy: &Greedy<'_>) -> io::Result<String> {
    let (mut root, page) = greedy.open_page()?;
    greedy.begin();
    let expression = format!("'x'.repeat({})", greedy.size(200_000_000));
    let params = json!({ "expression": expression, "returnByValue": true });
    repeat(&mut root, 1, Some(&page), "Runtime.evaluate", &params)
}

pub(super) fn commands(greedy: &Greedy<'_>) -> io::Result<String> {
    let (mut root, page) = greedy.open_page()?;
    greedy.begin();
    repeat(&mut root, greedy.size(60_000), Some(&page), "Runtime.evaluate", &json!({ "expression": "1" }))
}

pub(super) fn large_commands(greedy: &Greedy<'_>) -> io::Result<String> {
    let (mut root, page) = greedy.open_page()?;
    greedy.begin();
    let params = json!({ "expression": format!("/*{}*/ 1", "x".repeat(greedy.size(40 << 20))) });
    repeat(&mut root, 5, Some(&page), "Runtime.evaluate", &params)
}

pub(super) fn busy(greedy: &Greedy<'_>) -> io::Result<String> {
    let (mut root, context) = greedy.open()?;
    let pages = Greedy::attach_all(&mut root, &context, 6, "about:blank")?;
    greedy.begin();
    let loops = [
        "while (true);",
        "alert(1)",
        "print()",
        "for (;;) document.title += 'x'",
        "prompt('?')",
        "onbeforeunload = event => event.preventDefault(); location.reload()",
    ];
    for (id, (page, expression)) in (1_000_000..).zip(pages.iter().zip(loops)) {
        let params = json!({ "expression": expression, "userGesture": true });
        root.ws().send(command(id, "Runtime.evaluate", &params, Some(page)).as_bytes())?;
    }
    thread::sleep(Duration::from_secs(4));
    Ok(String::new())
}

pub(super) fn whole_page(greedy: &Greedy<'_>) -> io::Result<String> {
    let (mut root, page) = greedy.open_page()?;
    greedy.begin();
    let side = if greedy.small { 1_500 } else { 30_000 };
    let style = format!("document.body.style = 'width:{side}px;height:{side}px'; 0");
    root.call_on(&page, "Runtime.evaluate", &json!({ "expression": style }))?;
    let whole = json!({ "format": "jpeg", "captureBeyondViewport": true });
    Ok(said(root.call_on(&page, "Page.captureScreenshot", &whole)))
}

pub(super) fn tree(greedy: &Greedy<'_>) -> io::Result<String> {
    let (mut root, page) = greedy.open_page()?;
    let html = format!("document.body.innerHTML = '<p class=a id=b>'.repeat({}); 0", greedy.size(100_000));
    root.call_on(&page, "Runtime.evaluate", &json!({ "expression": html }))?;
    greedy.begin();
    repeat(&mut root, 5, Some(&page), "DOM.getDocument", &json!({ "depth": -1, "pierce": true }))
}

pub(super) fn console(greedy: &Greedy<'_>) -> io::Result<String> {
    let (mut root, page) = greedy.open_page()?;
    root.call_on(&page, "Runtime.enable", &json!({}))?;
    greedy.begin();
    let count = greedy.size(20_000);
    let expression = format!("for (let i = 0; i < {count}; i++) console.log('x'.repeat(2000))");
    // The events arrive before the reply of a second command.
    repeat(&mut root, 1, Some(&page), "Runtime.evaluate", &json!({ "expression": expression }))?;
    repeat(&mut root, 1, Some(&page), "Runtime.evaluate", &json!({ "expression": "1" }))
}

pub(super) fn heap(greedy: &Greedy<'_>) -> io::Result<String> {
    let (mut root, page) = greedy.open_page()?;
    let count = greedy.size(2_000_000);
    let expression = format!("globalThis.many = Array.from({{ length: {count} }}, (_, i) => ({{ i }})); 0");
    root.call_on(&page, "Runtime.evaluate", &json!({ "expression": expression }))?;
    greedy.begin();
    repeat(&mut root, 1, Some(&page), "HeapProfiler.takeHeapSnapshot", &json!({ "reportProgress": true }))
}

pub(super) fn pdf(greedy: &Greedy<'_>) -> io::Result<String> {
    let (mut root, page) = greedy.open_page()?;
    let pages = greedy.size(500);
    let html = format!(
        "document.body.innerHTML = '<p style=\"break-after:page\">' + 'some words '.repeat(400); \
                        document.body.innerHTML = document.body.innerHTML.repeat({pages}); 0"
    );
    root.call_on(&page, "Runtime.evaluate", &json!({ "expression": html }))?;
    greedy.begin();
    repeat(&mut root, 1, Some(&page), "Page.printToPDF", &json!({}))
}

pub(super) fn patterns(greedy: &Greedy<'_>) -> io::Result<String> {
    let (mut root, page) = greedy.open_page()?;
    greedy.begin();
    let patterns: Vec<Value> =
        (0..greedy.size(20_000)).map(|at| json!({ "urlPattern": format!("*://*.{at}.test/*?*") })).collect();
    repeat(&mut root, 20, Some(&page), "Fetch.enable", &json!({ "patterns": patterns }))
}

pub(super) fn scripts(greedy: &Greedy<'_>) -> io::Result<String> {
    let (mut root, page) = greedy.open_page()?;
    greedy.begin();
    root.call_on(&page, "Page.enable", &json!({}))?;
    let source = format!("/*{}*/", "x".repeat(greedy.size(1_000_000)));
    let method = "Page.addScriptToEvaluateOnNewDocument";
    let added = repeat(&mut root, 50, Some(&page), method, &json!({ "source": source }))?;
    for _ in 0..20 {
        let url = format!("http://{}/", greedy.site);
        root.call_on(&page, "Page.navigate", &json!({ "url": url }))?;
    }
    Ok(added)
}

pub(super) fn mouse(greedy: &Greedy<'_>) -> io::Result<String> {
    let (mut root, page) = greedy.open_page()?;
    greedy.begin();
    let moved = root.burst(greedy.size(20_000), greedy.size(20_000), Greedy::until(), |id, at| {
        let params = json!({ "type": "mouseMoved", "x": at % 700, "y": at % 500 });
        command(id, "Input.dispatchMouseEvent", &params, Some(&page))
    })?;
    Ok(refusals("Input.dispatchMouseEvent", &moved))
}

pub(super) fn pictures(greedy: &Greedy<'_>) -> io::Result<String> {
    let (mut root, context) = greedy.open()?;
    let pages = Greedy::attach_all(&mut root, &context, 10, "about:blank")?;
    greedy.begin();
    let side = if greedy.small { 1_000 } else { 10_000 };
    let clip =
        json!({ "clip": { "x": 0, "y": 0, "width": side, "height": side, "scale": 1 }, "captureBeyondViewport": true });
    let shots = root.burst(pages.len(), pages.len(), Greedy::until(), |id, at| {
        command(id, "Page.captureScreenshot", &clip, Some(&pages[at]))
    })?;
    Ok(refusals("Page.captureScreenshot", &shots))
}
