use super::*;

#[test]
fn the_pages_of_a_session_are_limited() {
    let mut pair = Pair::with_page();
    pair.session.limit_pages(Some(2));
    let create = r#"{"url":"about:blank"}"#;
    assert!(pair.asks("Target.createTarget", create)[0].starts_with("call "));
    assert!(pair.created("P2", "page", "CTX").iter().all(|action| !action.contains("closeTarget")));
    let refused = pair.asks("Target.createTarget", create);
    assert!(refused.len() == 1 && refused[0].contains("pages_per_session allows 2; close one first"), "{refused:?}");
    // A page that another one opens cannot be refused.
    let actions = pair.created("P3", "page", "CTX");
    assert!(actions.iter().any(|action| action.contains(r#"Target.closeTarget {"targetId":"P3"}"#)), "{actions:?}");
    // Only pages count, and only pages are closed.
    let actions = pair.created("W", "worker", "CTX");
    assert!(actions.iter().all(|action| !action.contains("closeTarget")), "{actions:?}");
    pair.told(Told::Destroyed { target: "P3".into() });
    pair.told(Told::Destroyed { target: "P2".into() });
    assert!(pair.asks("Target.createTarget", create)[0].starts_with("call "));
}

#[test]
fn the_refusal_of_a_cdp_session_names_the_limit_of_the_tenant() {
    let mut pair = Pair::with_page();
    pair.session.limit(CdpSessionLimits::default().within(Some(2)));
    let got = pair.asks_on("ROOT", "Target.attachToTarget", r#"{"targetId":"P","flatten":true}"#);
    assert!(got.len() == 1 && got[0].contains("cdp_sessions_per_session allows 2"), "{got:?}");
    pair.session.limit(CdpSessionLimits { all: 2, ..CdpSessionLimits::default() }.within(Some(9)));
    let got = pair.asks_on("ROOT", "Target.attachToTarget", r#"{"targetId":"P","flatten":true}"#);
    assert!(got.len() == 1 && got[0].contains("max_cdp_sessions allows 2"), "{got:?}");
}
