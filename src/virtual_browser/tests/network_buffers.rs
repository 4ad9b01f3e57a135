//! Response bodies that Chrome keeps for clients.

use super::*;

const ENABLE: &str = "Network.enable";

/// A page with the CDP sessions `S` and `N`, which may keep 1000 bytes beyond what each may.
fn pair() -> Pair {
    let mut pair = Pair::with_page();
    pair.attached("ROOT", "N", "P");
    pair.session.limit(CdpSessionLimits { network_buffers: 1000, ..CdpSessionLimits::default() });
    pair
}

fn size(beyond: u32) -> String {
    format!(r#"{{"maxTotalBufferSize":{}}}"#, 100_000_000 + beyond)
}

#[track_caller]
fn is_full(mut pair: Pair, on: &str, beyond: u32) -> Pair {
    let got = pair.asks_on(on, ENABLE, &size(beyond));
    assert!(got.len() == 1 && got[0].contains("network_buffers allows this session 1000 bytes"), "{got:?}");
    pair
}

#[track_caller]
fn passes(pair: &mut Pair, on: &str, method: &str, params: &str) {
    let got = pair.asks_on(on, method, params);
    assert!(got.len() == 1 && got[0].starts_with("pass ") && got[0].contains(params), "{got:?}");
}

#[test]
fn bodies_of_all_cdp_sessions_have_a_limit() {
    let mut pair = is_full(pair(), "S", 1001);
    passes(&mut pair, "S", ENABLE, &size(600));
    // One that changes its mind is not counted twice; the ordinary size is always to be had.
    passes(&mut pair, "S", ENABLE, &size(700));
    let mut pair = is_full(pair, "N", 301);
    for params in ["{}", &size(0), &size(300)] {
        passes(&mut pair, "N", ENABLE, params);
    }
}

#[test]
fn dropped_bodies_are_not_counted() {
    let mut pair = pair();
    passes(&mut pair, "S", ENABLE, &size(1000));
    let mut pair = is_full(pair, "N", 1);
    passes(&mut pair, "S", "Network.disable", "{}");
    passes(&mut pair, "N", ENABLE, &size(1000));
    let mut pair = is_full(pair, "S", 1);
    passes(&mut pair, "N", ENABLE, "{}");
    passes(&mut pair, "S", ENABLE, &size(1000));
    let mut pair = is_full(pair, "N", 1);
    pair.detached("ROOT", "S", "P", &[]);
    passes(&mut pair, "N", ENABLE, &size(1000));
}
