//! The acts of chromiumoxide. Reads `$SUITE` and writes one JSON line per act: see
//! `../../suite.mjs` for the contract.

use std::{env, error::Error, future::Future, time::Duration};

use chromiumoxide::{
    Browser, Page,
    cdp::{
        browser_protocol::{
            dom::SetFileInputFilesParams,
            fetch::{self, EventRequestPaused, FulfillRequestParams},
            network::CookieParam,
            page::PrintToPdfParams,
            target::{CreateBrowserContextParams, CreateTargetParams},
        },
        js_protocol::runtime::EventConsoleApiCalled,
    },
    page::ScreenshotParams,
};
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

type Outcome = Result<Value, Box<dyn Error>>;

struct Place {
    home: String,
    dir: String,
    deadline: Duration,
    only: String,
}

const ACTS: [&str; 11] = [
    "version",
    "navigates and evaluates",
    "types and clicks",
    "screenshot",
    "cookies",
    "pdf",
    "console",
    "answers a request itself",
    "a context of its own",
    "uploads a file",
    "pages are closed",
];

fn tell(line: &Value) {
    println!("{line}");
}

/// Prints the outcome of an act. Its value must not differ between runs: these acts return no
/// addresses.
async fn perform(place: &Place, name: &str, act: impl Future<Output = Outcome>) {
    if !name.contains(&place.only) {
        return;
    }
    tell(&match timeout(place.deadline, act).await {
        Ok(Ok(value)) => json!({ "act": name, "value": value }),
        Ok(Err(error)) => json!({ "act": name, "error": error.to_string() }),
        Err(_) => json!({ "act": name, "error": "the act took too long" }),
    });
}

async fn text(page: &Page, expression: &str) -> Outcome {
    Ok(page.evaluate(expression).await?.into_value()?)
}

async fn navigates(browser: &Browser, home: &str) -> Outcome {
    let page = browser.new_page(home).await?;
    page.wait_for_navigation().await?;
    let title = page.get_title().await?;
    let answer: Value = page
        .evaluate("fetch('/data.json').then(r => r.json())")
        .await?
        .into_value()?;
    page.close().await?;
    Ok(json!([title, answer]))
}

async fn types_and_clicks(browser: &Browser, home: &str) -> Outcome {
    let page = browser.new_page(format!("{home}/form")).await?;
    page.wait_for_navigation().await?;
    page.find_element("#who")
        .await?
        .click()
        .await?
        .type_str("Ada")
        .await?;
    page.find_element("#go").await?.click().await?;
    let out = text(&page, "document.querySelector('#out').textContent").await?;
    page.close().await?;
    Ok(out)
}

async fn screenshot(browser: &Browser, home: &str) -> Outcome {
    let page = browser.new_page(home).await?;
    page.wait_for_navigation().await?;
    let png = page.screenshot(ScreenshotParams::builder().build()).await?;
    page.close().await?;
    Ok(json!(png.get(1..4) == Some(b"PNG")))
}

async fn cookies(browser: &Browser, home: &str) -> Outcome {
    let page = browser
        .new_page(format!("{home}/set-cookie?served=two"))
        .await?;
    page.wait_for_navigation().await?;
    page.set_cookie(CookieParam::new("given", "one")).await?;
    page.goto(format!("{home}/cookies")).await?;
    let sent = text(&page, "document.body.innerText").await?;
    let read = page.get_cookies().await?.len();
    browser.clear_cookies().await?;
    page.close().await?;
    Ok(json!({ "sent": sent, "read": read }))
}

async fn pdf(browser: &Browser, home: &str) -> Outcome {
    let page = browser.new_page(home).await?;
    page.wait_for_navigation().await?;
    let pdf = page.pdf(PrintToPdfParams::default()).await?;
    page.close().await?;
    Ok(json!(pdf.get(..4) == Some(b"%PDF")))
}

async fn console(browser: &Browser, home: &str) -> Outcome {
    let page = browser.new_page("about:blank").await?;
    let mut said = page.event_listener::<EventConsoleApiCalled>().await?;
    page.goto(format!("{home}/noise")).await?;
    let mut values = Vec::new();
    for _ in 0..3 {
        let event = said.next().await.ok_or("no further console message")?;
        values.push(event.args.first().and_then(|first| first.value.clone()));
    }
    page.close().await?;
    Ok(json!(values))
}

async fn answers_itself(browser: &Browser, home: &str) -> Outcome {
    let page = browser.new_page(home).await?;
    page.wait_for_navigation().await?;
    let mut paused = page.event_listener::<EventRequestPaused>().await?;
    let pattern = fetch::RequestPattern::builder()
        .url_pattern("*/made-up")
        .build();
    page.execute(fetch::EnableParams::builder().pattern(pattern).build())
        .await?;
    let answering = page.clone();
    let answer = async move {
        let request = paused.next().await.ok_or("no request")?.request_id.clone();
        // `{"made":"up"}`
        let answer = FulfillRequestParams::builder()
            .request_id(request)
            .response_code(200)
            .body("eyJtYWRlIjoidXAifQ==".to_owned());
        answering.execute(answer.build()?).await?;
        Ok::<(), Box<dyn Error>>(())
    };
    let ask = text(&page, "fetch('/made-up').then(r => r.json())");
    let (made, answered) = futures::join!(ask, answer);
    answered?;
    page.close().await?;
    made
}

async fn own_context(browser: &Browser, home: &str) -> Outcome {
    let context = browser
        .create_browser_context(CreateBrowserContextParams::default())
        .await?;
    let wanted = CreateTargetParams::builder()
        .url(format!("{home}/set-cookie?apart=1"))
        .browser_context_id(context.clone());
    let page = browser.new_page(wanted.build()?).await?;
    page.wait_for_navigation().await?;
    page.goto(format!("{home}/cookies")).await?;
    let sent = text(&page, "document.body.innerText").await?;
    browser.dispose_browser_context(context).await?;
    let page = browser.new_page(format!("{home}/cookies")).await?;
    page.wait_for_navigation().await?;
    let elsewhere = text(&page, "document.body.innerText").await?;
    page.close().await?;
    Ok(json!([sent, elsewhere]))
}

async fn uploads(browser: &Browser, place: &Place) -> Outcome {
    let page = browser.new_page(format!("{}/upload", place.home)).await?;
    page.wait_for_navigation().await?;
    let path = format!("{}/up.txt", place.dir);
    std::fs::write(&path, "to be read")?;
    let input = page.find_element("#file").await?;
    let files = SetFileInputFilesParams::builder()
        .file(path)
        .backend_node_id(input.backend_node_id);
    page.execute(files.build()?).await?;
    let read = text(
        &page,
        "new Promise(done => { const look = () => out.textContent ? done(out.textContent) : setTimeout(look, 20); look(); })",
    )
    .await?;
    page.close().await?;
    Ok(read)
}

/// Waits until only the first page is left.
async fn pages_closed(browser: &Browser) -> Outcome {
    loop {
        let pages = browser.pages().await?.len();
        if pages == 1 {
            return Ok(json!(pages));
        }
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let suite: Value = serde_json::from_str(&env::var("SUITE")?)?;
    let named = |key: &str| suite[key].as_str().unwrap_or_default().to_owned();
    let place = Place {
        home: named("home"),
        dir: named("dir"),
        deadline: Duration::from_millis(suite["actMs"].as_u64().unwrap_or(20_000)),
        only: named("only"),
    };
    let acts: Vec<_> = ACTS
        .iter()
        .filter(|act| act.contains(&place.only))
        .collect();
    tell(&json!({ "acts": acts }));

    let (browser, mut handler) = timeout(place.deadline, Browser::connect(named("ws"))).await??;
    let driver = tokio::spawn(async move { while handler.next().await.is_some() {} });
    let home = &place.home;
    perform(&place, ACTS[0], async {
        Ok(json!(browser.version().await?.product))
    })
    .await;
    perform(&place, ACTS[1], navigates(&browser, home)).await;
    perform(&place, ACTS[2], types_and_clicks(&browser, home)).await;
    perform(&place, ACTS[3], screenshot(&browser, home)).await;
    perform(&place, ACTS[4], cookies(&browser, home)).await;
    perform(&place, ACTS[5], pdf(&browser, home)).await;
    perform(&place, ACTS[6], console(&browser, home)).await;
    perform(&place, ACTS[7], answers_itself(&browser, home)).await;
    perform(&place, ACTS[8], own_context(&browser, home)).await;
    perform(&place, ACTS[9], uploads(&browser, &place)).await;
    perform(&place, ACTS[10], pages_closed(&browser)).await;
    driver.abort();
    Ok(())
}
