//! Tests of [`Outbox`] alone: the view that gets a message.

use bytes::Bytes;

use crate::{
    cdp::message,
    virtual_browser::{Kind, ViewId, cdp_session::Cdp, outbox::Outbox},
};

const OTHER: ViewId = ViewId(2);

fn page(parent: &str, flat: bool) -> Cdp {
    Cdp::new(Some(parent.into()), "P".into(), Kind::Page, flat)
}

/// An outbox with two views, each with a root: `ROOT` is the first one's, `ROOT2` the other's.
fn with_two_views() -> Outbox {
    let mut outbox = Outbox::default();
    for (root, view) in [("ROOT", super::VIEW), ("ROOT2", OTHER)] {
        outbox.announce(root.into(), view, Cdp::new(None, "browser".into(), Kind::Browser, true));
        outbox.set_home(view, root.into());
    }
    outbox
}

/// Chrome says something on a CDP session; the views that are sent a frame for it.
fn views_told(outbox: &mut Outbox, on: &str) -> Vec<ViewId> {
    let text = message::event("Page.loadEventFired", "{}", Some(on));
    let body_end = text.find(r#","sessionId""#).expect("a CDP session");
    outbox.admit(&on.into(), Bytes::from(text), body_end);
    outbox.poll_frames().into_iter().map(|(view, _)| view).collect()
}

#[test]
fn cdp_sessions_stay_with_their_first_view() {
    let mut outbox = with_two_views();
    outbox.announce("S".into(), super::VIEW, page("ROOT", true));
    outbox.announce("S".into(), OTHER, page("ROOT2", true));
    assert_eq!(outbox.view(&"S".into()), Some(super::VIEW));
    assert_eq!(views_told(&mut outbox, "S"), [super::VIEW]);
}

#[test]
fn nested_messages_reach_only_their_own_view() {
    let mut outbox = with_two_views();
    outbox.announce("OWN".into(), super::VIEW, page("ROOT", false));
    assert_eq!(views_told(&mut outbox, "OWN"), [super::VIEW]);
    // Its parent is another view's.
    outbox.announce("CROSSED".into(), super::VIEW, page("ROOT2", false));
    assert_eq!(views_told(&mut outbox, "CROSSED"), []);
}
