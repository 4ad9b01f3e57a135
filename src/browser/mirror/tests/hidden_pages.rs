//! Pages of the proxy's own: never shown, until they are revealed.

use super::*;
use crate::cdp::{
    emulation::{Change, Overrides},
    permission::Ruling,
};

#[test]
fn hidden_pages_are_not_shown() {
    let mirror = play(
        "bind C 1
         root R 1
         auto R page
         conceal C
         create T tab C
         attach tt T TW paused
         create P page C
         attach p P PW paused
         ours C P => resume tt, detach tt on TW, resume p, detach p on PW
         change P at:http://a.test/
         create F iframe C of:P at:http://b.test/
         change F at:http://b.test/x
         crash P
         open 1
         destroy F
         destroy P
         destroy T
         gone p
         gone tt
         release 1 => detach R
         gone R",
    );
    is_empty(&mirror.targets);
}

#[test]
fn events_during_creation_of_a_hidden_page_are_kept() {
    play(
        "bind C 1
         root R 1
         auto R page
         conceal C
         create A page C
         attach a A PW paused
         change A at:http://a.test/
         create O page C
         attach o O PW paused
         create B page C
         destroy B
         ours C O => 1: created A, 1: attached a to A on R waiting, 1: changed A, resume o, detach o on PW, 1: created B, 1: destroyed B
         resume a => up",
    );
}

#[test]
fn other_leases_do_not_wait_for_hidden_pages() {
    play(
        "bind C 1
         bind D 2
         conceal C
         create P page C opener access => 1: created P
         create Q page D => 2: created Q
         create S service_worker C => 1: created S
         conceal C => busy
         conceal D
         ours D -
         create X page D => 2: created X
         ours C -",
    );
}

#[test]
fn a_watcher_without_cdp_session_holds_nothing() {
    play(
        "bind C 1
         conceal C
         create A page C
         attach a A PW paused
         gone a
         ours C - => 1: created A",
    );
}

#[test]
fn revealed_pages_are_shown_and_attached() {
    play(
        "bind C 1
         root R 1
         root S 1
         auto R page
         auto S tab
         conceal C
         create T tab C
         attach tt T TW paused
         create P page C
         attach p P PW paused
         ours C P => resume tt, detach tt on TW, resume p, detach p on PW
         gone tt
         gone p
         create F iframe C of:P
         reveal P by:k => 1: k emulates [Locale] on P, 1: created T, attach T on S, 1: created P, attach P on R, 1: created F
         attach s T S => 1: attached s to T on S
         attach r P R => 1: attached r to P on R
         reveal P
         change P at:http://a.test/ => 1: changed P
         destroy P => 1: destroyed P",
    );
}

#[test]
fn visited_origins_are_remembered() {
    let mut mirror = play(
        "bind C 1
         create P page C at:http://a.test/x => 1: created P
         change P at:https://b.test:8443/?y => 1: changed P
         change P at:http://a.test => 1: changed P
         change P at:about:blank => 1: changed P
         change P at:file:///etc/passwd => 1: changed P
         conceal C
         create O page C
         ours C O
         change O at:http://ours.test/",
    );
    let survey = mirror.targets.survey(LeaseId(1));
    let [surveyed] = survey.as_slice() else { panic!("{survey:?}") };
    assert_eq!(surveyed.origins, ["https://b.test:8443", "http://a.test"]);
    let targets: Vec<&str> = surveyed.targets.iter().map(|(id, _, _)| id.as_str()).collect();
    assert_eq!(targets, ["P"]);
    for number in 0..1000 {
        mirror.event(&format!("change P at:http://host{number}.test/"));
    }
    let survey = mirror.targets.survey(LeaseId(1));
    assert_eq!((survey[0].origins.len(), survey[0].origins[255].as_str()), (256, "http://host999.test"));
}

#[test]
fn permissions_are_forgotten_with_their_context() {
    let mut mirror = play("bind C 1");
    let ruling = Ruling::read("Browser.grantPermissions", r#"{"permissions":["midi"]}"#).expect("a ruling");
    for context in ["C", "OTHER"] {
        mirror.targets.rule(&ContextId::from(context), ruling.clone());
    }
    let survey = mirror.targets.survey(LeaseId(1));
    assert_eq!(survey[0].rulings.len(), 1, "{survey:?}");
    mirror.targets.unbind("C");
    is_empty(&mirror.targets);
}

#[test]
fn emulation_is_forgotten_with_its_page() {
    let mut mirror = play(
        "bind C 1
         create P page C => 1: created P
         create Q page C => 1: created Q",
    );
    for (page, locale) in [("P", "fr"), ("P", "de"), ("NONE", "en")] {
        let params = format!(r#"{{"locale":"{locale}"}}"#);
        let change = Change::read("Emulation.setLocaleOverride", &params).expect("a change");
        mirror.targets.emulate(&page.into(), change);
    }
    let survey = mirror.targets.survey(LeaseId(1));
    let said = |page: &str| -> Vec<String> {
        let all = survey[0].overrides.get(page).into_iter().flat_map(Overrides::all);
        all.map(|one| one.expect("short").params().expect("an object").to_owned()).collect()
    };
    assert_eq!((said("P"), said("Q")), (vec![r#"{"locale":"de"}"#.to_owned()], vec![]));
    for event in ["destroy P", "destroy Q", "release 1"] {
        mirror.event(event);
    }
    is_empty(&mirror.targets);
}
