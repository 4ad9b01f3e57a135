//! The owner of a target, and the events that it gets.

use super::*;

#[test]
fn a_target_belongs_to_the_lease_of_its_context() {
    let mirror = play(
        "bind C1 1
         bind C2 2
         create P1 page C1 => 1: created P1
         create P2 page C2 => 2: created P2
         create P3 page C3
         change P1         => 1: changed P1
         change P3
         crash P2          => 2: crashed P2
         crash P3
         destroy P1        => 1: destroyed P1
         destroy P3",
    );
    assert_eq!(mirror.targets.owner("P2"), Some(LeaseId(2)));
    assert_eq!(mirror.targets.owner("P1"), None);
}

#[test]
fn new_discovery_reports_existing_targets() {
    play(
        "bind C1 1
         bind C2 2
         create P1 page C1 => 1: created P1
         create P2 page C2 => 2: created P2
         create U page C1 at:chrome://x
         open 1            => 1: created P1
         unbind C1
         open 1",
    );
}

#[test]
fn a_tab_is_shown_once_it_is_paired_with_an_ordinary_page() {
    play(
        "bind C 1
         create T tab C
         create P page C => 1: created T, 1: created P
         # An iframe in between does not hinder.
         create T2 tab C
         create F iframe C => 1: created F
         change T2
         create P2 page C => 1: created T2, 1: created P2
         change T2        => 1: changed T2",
    );
}

#[test]
fn chromes_user_interface_and_its_tabs_are_hidden() {
    play(
        "bind C 1
         create T tab C
         create U browser_ui C
         # Not to be paired with that tab.
         create P page C => 1: created P
         # While a context goes, Chrome calls it a page.
         change U
         change T
         crash T
         destroy U
         destroy T
         create T2 tab C
         create H page C at:chrome://newtab/
         change T2
         change H at:http://x/
         create X other C
         create B browser C",
    );
}

#[test]
fn page_at_a_chrome_url_is_reported_as_destroyed() {
    play(
        "bind C 1
         root R 1
         create P page C   => 1: created P
         attach S P R      => 1: attached S to P on R
         change P at:chrome://settings/ => resume S, detach S on R, 1: destroyed P
         gone S            => 1: detached S on R
         change P at:http://x/
         auto R page
         crash P
         destroy P",
    );
}

#[test]
fn held_page_at_a_chrome_url_is_released() {
    let mirror = play(
        "bind C 1
         root R 1
         auto R page
         create P page C opener   => 1: created P
         attach W P PW paused     => 1: attached W to P on R waiting
         change P at:devtools://x => resume W, detach W on PW, 1: destroyed P
         gone W                   => 1: detached W on R
         destroy P
         unbind C
         release 1                => detach R
         gone R",
    );
    is_empty(&mirror.targets);
}

#[test]
fn popup_held_for_its_tab_is_released_at_a_chrome_url() {
    play(
        "bind C 1
         root R 1
         auto R tab
         create P page C opener access => 1: created P
         attach W P PW paused
         change P at:chrome://x        => resume W, detach W on PW, 1: destroyed P",
    );
}

#[test]
fn a_cdp_session_belongs_to_the_lease_of_its_parent() {
    let mirror = play(
        "root R1 1
         root R2 2
         bind C1 1
         create P page C1 => 1: created P
         attach S P R1    => 1: attached S to P on R1
         create F iframe C1 => 1: created F
         attach SF F S    => 1: attached SF to F on S
         # Its own, made on the root connection or a watcher's.
         attach X P -",
    );
    let lease = |session: &str| mirror.targets.lease_of(session);
    assert_eq!([lease("R1"), lease("S"), lease("SF")], [Some(LeaseId(1)); 3]);
    assert_eq!(lease("R2"), Some(LeaseId(2)));
    assert_eq!([lease("X"), lease("PW"), lease("nothing")], [None; 3]);
    assert_eq!(mirror.targets.session("X").map(|(_, lease)| lease), Some(None));
    assert_eq!(mirror.targets.session("nothing"), None);
}

#[test]
fn cdp_sessions_end_with_their_children_deepest_first() {
    let mirror = play(
        "root R 1
         bind C 1
         create P page C   => 1: created P
         create F iframe C => 1: created F
         create W worker C => 1: created W
         attach S P R      => 1: attached S to P on R
         attach SF F S     => 1: attached SF to F on S
         attach SW W SF    => 1: attached SW to W on SF
         attach SV W S     => 1: attached SV to W on S
         gone S            => 1: detached S on R with SW SF SV
         gone SF
         gone SW",
    );
    assert_eq!(mirror.targets.below(&"R".into()), []);
    assert_eq!(mirror.targets.census(), (1, 3, 4));
}

#[test]
fn detach_events_go_to_the_parent() {
    play(
        "root R 1
         bind C 1
         auto R page
         create P page C      => 1: created P
         attach W P PW paused => 1: attached W to P on R waiting
         resume W             => up
         attach S P R         => 1: attached S to P on R
         detach W             => resume W, detach W on PW
         gone W               => 1: detached W on R
         detach S             => resume S, detach S on R
         detach S             => resume S, detach S on R
         gone S               => 1: detached S on R
         detach S             => detach S
         detach nothing       => detach nothing",
    );
}

#[test]
fn events_of_unknown_targets_do_nothing() {
    let mut mirror = play(
        "gone X
         destroy X
         crash X
         change X
         resume X       => up
         detach X       => detach X
         refused X R
         auto R page
         off R
         unbind X
         release 7
         open 7
         pass 60
         # Below a CDP session that has gone.
         attach S P GONE",
    );
    for json in ["", "{}", "[]", r#"{"targetId":5,"type":"page"}"#, "null"] {
        let now = mirror.now;
        mirror.targets.on_created(json, now);
        mirror.targets.on_changed(json);
        mirror.targets.on_attached(Some(&"PW".into()), "S".into(), json, true, now);
    }
    assert_eq!(mirror.effects(), Vec::<String>::new());
    is_empty(&mirror.targets);
}

#[test]
fn an_attachment_may_come_before_its_target() {
    play(
        "bind C 1
         root R 1
         # Told of with the session's own words only: its `TargetInfo` is not known yet.
         attach W P PW paused => resume W, detach W on PW
         create P page C      => 1: created P
         gone W",
    );
}
