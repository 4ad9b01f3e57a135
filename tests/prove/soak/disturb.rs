//! Kills and recycles browsers.

use std::time::{Duration, Instant};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use super::{Kill, Stage};
use crate::random::Random;

/// Kills a browser or recycles one, again and again, with a pause of `pace` to twice that many milliseconds, while
/// another one accepts sessions.
pub(crate) async fn disturb(stage: &Stage, mut random: Random, pace: usize) {
    let mut is_kill = true;
    loop {
        let pause = Instant::now() + Duration::from_millis((pace + random.below(pace)) as u64);
        while Instant::now() < pause {
            if stage.is_over() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let all = browsers(stage).await;
        let ready: Vec<&Value> = all.iter().filter(|browser| browser["state"] == "ready").collect();
        if ready.len() < 2 {
            continue;
        }
        let browser = *random.pick(&ready);
        if is_kill {
            if !kill_browser(stage, browser) {
                continue;
            }
        } else {
            recycle(stage, browser["id"].as_u64().unwrap_or_default()).await;
        }
        // In turns at first, so that a short run has both.
        let both = !stage.recycled.lock().expect("no panic").is_empty();
        is_kill = if both { random.once_in(2) } else { !is_kill };
    }
}

async fn browsers(stage: &Stage) -> Vec<Value> {
    let answer = stage.proxy.http("GET", "/v1/browsers", &[], "").await.body;
    let list: Value = serde_json::from_str(&answer).unwrap_or_default();
    list["browsers"].as_array().cloned().unwrap_or_default()
}

/// Kills a browser of the proxy, if it still runs.
fn kill_browser(stage: &Stage, browser: &Value) -> bool {
    let own = stage.proxy.browsers();
    let pid = browser["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw);
    let Some(pid) = pid.filter(|pid| own.contains(pid)) else { return false };
    let number = browser["id"].as_u64().unwrap_or_default();
    // Noted before, because its clients notice it at once.
    stage.kills.lock().expect("no panic").push(Kill { browser: number, at: Instant::now() });
    if let Err(error) = kill(pid, Signal::SIGKILL) {
        stage.fault(format!("browser {number} could not be killed: {error}"));
    }
    true
}

async fn recycle(stage: &Stage, number: u64) {
    let answer = stage.proxy.http("POST", &format!("/v1/browsers/{number}/recycle"), &[], "").await;
    if answer.status == 200 {
        stage.recycled.lock().expect("no panic").push(number);
    } else {
        stage.fault(format!("browser {number} is not recycled: {} {}", answer.status, answer.body));
    }
}
