//! chromiumoxide's acts. Reads `$SUITE`, writes one JSON line per act: see `../../suite.mjs` for the contract.

use std::{env, error::Error, future::Future, time::Duration};

use chromiumoxide::{
    Browser, Page, cdp::browser_protocol::network::CookieParam, page::ScreenshotParams,
};
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

type Outcome = Result<Value, Box<dyn Error>>;

struct Place {
    home: String,
    deadline: Duration,
    only: String,
}

const ACTS: [&str; 6] = [
    "version",
    "navigates and evaluates",
    "types and clicks",
    "screenshot",
    "cookies",
    "pages are closed",
];

fn tell(line: &Value) {
    println!("{line}");
}

/// Tells what came of an act. Its value is free of what differs from run to run: these acts return no addresses.
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

/// Asks until only the page that was there first is left.
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
        deadline: Duration::from_millis(suite["actMs"].as_u64().unwrap_or(20_000)),
        only: named("only"),
    };
    let acts: Vec<_> = ACTS.iter().filter(|act| act.contains(&place.only)).collect();
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
    perform(&place, ACTS[5], pages_closed(&browser)).await;
    driver.abort();
    Ok(())
}
