//! The page watcher's hold on a popup, for a client that will attach through its tab.

use super::*;

/// A tab-flavour client has got the tab of a new page.
fn popup(how: &str, then: &str) -> Fixture {
    play(&format!(
        "bind C 1
         root R 1
         auto R tab
         create T tab C
         attach WT T TW paused
         create P page C {how} => 1: created T, 1: attached WT to T on R waiting, 1: created P
         {then}"
    ))
}

const HELD: &str = "attach WP P PW paused\n";

#[test]
fn popup_is_held_until_the_client_resumes_its_page() {
    popup(
        "opener access",
        &(HELD.to_owned()
            + "resume WT children => up
               attach S P WT      => 1: attached S to P on WT
               resume S           => resume WP, detach WP on PW, up
               resume S           => up"),
    );
}

#[test]
fn popup_is_released_when_its_tab_is_resumed_without_auto_attach() {
    popup("opener access", &(HELD.to_owned() + "resume WT => resume WP, detach WP on PW, up"));
}

#[test]
fn popup_is_released_when_its_cdp_session_ends() {
    popup(
        "opener access",
        &(HELD.to_owned()
            + "attach S P WT => 1: attached S to P on WT
               gone S        => resume WP, detach WP on PW, 1: detached S on WT"),
    );
    popup(
        "opener access",
        &(HELD.to_owned()
            + "attach S P WT => 1: attached S to P on WT
               detach S      => resume S, detach S on WT
               gone S        => resume WP, detach WP on PW, 1: detached S on WT"),
    );
    // With its tab's CDP session.
    popup(
        "opener access",
        &(HELD.to_owned()
            + "attach S P WT => 1: attached S to P on WT
               gone WT       => resume WP, detach WP on PW, 1: detached WT on R with S"),
    );
    // The client has another one on the page.
    popup(
        "opener access",
        &(HELD.to_owned()
            + "attach S P WT  => 1: attached S to P on WT
               attach S2 P R  => 1: attached S2 to P on R
               gone S         => 1: detached S on WT
               gone S2        => resume WP, detach WP on PW, 1: detached S2 on R"),
    );
}

#[test]
fn popup_is_released_at_the_deadline() {
    let mirror = popup("opener access", &(HELD.to_owned() + "pass 4\npass 1 => resume WP, detach WP on PW\npass 9"));
    assert_eq!((mirror.targets.expired_holds, mirror.targets.next_timeout()), (1, None));
    // It cannot reach its opener: plain Chrome would not wait either.
    let mirror = popup(
        "opener",
        &(HELD.to_owned() + "attach S P WT => 1: attached S to P on WT\npass 5 => resume WP, detach WP on PW"),
    );
    assert_eq!(mirror.targets.expired_holds, 1);
}

#[test]
fn popup_attached_by_a_client_has_no_deadline() {
    let mirror = popup(
        "opener access",
        &(HELD.to_owned()
            + "attach S P WT => 1: attached S to P on WT
               pass 5
               pass 3600
               resume S      => resume WP, detach WP on PW, up"),
    );
    assert_eq!(mirror.targets.expired_holds, 0);
}

#[test]
fn page_without_opener_is_released_at_once() {
    popup("access", "attach WP P PW paused => resume WP, detach WP on PW");
}

#[test]
fn popup_is_not_held_for_other_sessions() {
    play(
        "bind C 1
         bind D 2
         root R 2
         auto R tab
         create P page C opener access => 1: created P
         attach WP P PW paused         => resume WP, detach WP on PW",
    );
}

#[test]
fn popup_is_not_held_for_clients_that_do_not_wait() {
    play(
        "bind C 1
         root R 1
         auto R tab nowait
         create T tab C
         attach WT T TW paused
         create P page C opener access => 1: created T, 1: attached WT to T on R, resume WT, 1: created P
         attach WP P PW paused         => resume WP, detach WP on PW",
    );
}

#[test]
fn hold_ends_when_no_client_can_resume_it() {
    for rest in [
        "off R => resume WP, detach WP on PW, resume WT, detach WT on TW",
        "auto R page => resume WP, detach WP on PW, attach P on R",
    ] {
        popup("opener access", &(HELD.to_owned() + rest));
    }
    // A change of another lease does not start a hold.
    popup("opener access", &(HELD.to_owned() + "root R9 9\nauto R9 page\noff R9"));
}

#[test]
fn detaching_a_tab_that_another_root_waits_for_loses_its_page() {
    play(
        "bind C 1
         root R 1
         root R2 1
         auto R tab
         auto R2 tab
         create T tab C
         attach WT T TW paused
         create P page C opener access => 1: created T, 1: attached WT to T on R waiting, attach T on R2, 1: created P
         attach WP P PW paused
         attach S2 T R2                => 1: attached S2 to T on R2 waiting
         attach S P WT                 => 1: attached S to P on WT
         pass 5
         detach WT                     => resume WP, detach WP on PW, 1: detached WT on R with S, done
         resume S2 children            => resume WT, detach WT on TW, up",
    );
}

#[test]
fn a_target_may_be_destroyed_while_it_is_held() {
    let mirror = popup(
        "opener access",
        &(HELD.to_owned()
            + "destroy P => 1: destroyed P
               pass 5
               gone WP
               destroy T => 1: destroyed T
               resume WT => up
               gone WT   => 1: detached WT on R
               unbind C
               release 1 => detach R
               gone R"),
    );
    is_empty(&mirror.targets);
}

const TWO_ROOTS: &str = "bind C 1
     root R 1
     root R2 1
     auto R page
     auto R2 page
     create P page C => 1: created P
     attach WP P PW paused => 1: attached WP to P on R waiting, attach P on R2
     ";

#[test]
fn reply_naming_a_page_waits_for_its_announcement() {
    play(&format!(
        "{TWO_ROOTS}
         name R P 1     => goes
         name R2 P 2    => waits
         attach S P R2  => 1: attached S to P on R2 waiting, answer 2
         name R2 P 3    => goes"
    ));
}

#[test]
fn withheld_reply_is_released_when_no_announcement_follows() {
    for end in ["off R2", "refused P R2", "destroy P", "gone R2", "release 1"] {
        let mut mirror = play(&format!("{TWO_ROOTS}\nname R2 P 7 => waits"));
        let effects = mirror.event(end);
        assert!(effects.contains(&"answer 7".to_owned()), "{end}: {effects:?}");
    }
}

#[test]
fn a_tab_is_announced_before_the_reply_that_names_its_page() {
    play(
        "bind C 1
         root R 1
         root R2 1
         auto R tab
         auto R2 tab
         create T tab C
         attach WT T TW paused
         create P page C => 1: created T, 1: attached WT to T on R waiting, attach T on R2, 1: created P
         name R2 P 4     => waits
         attach S T R2   => 1: attached S to T on R2 waiting, answer 4",
    );
}

#[test]
fn popup_stays_paused_while_another_client_waits() {
    for (how, one) in [("opener access", "kept back"), ("access", "up")] {
        play(&format!(
            "bind C 1
             root R 1
             root R2 1
             auto R tab
             auto R2 page
             create T tab C
             attach WT T TW paused
             create P page C {how} => 1: created T, 1: attached WT to T on R waiting, 1: created P
             attach WP P PW paused => 1: attached WP to P on R2 waiting
             attach S P WT paused  => 1: attached S to P on WT waiting
             resume S              => {one}
             resume WT children    => up
             resume WP             => up"
        ));
    }
}

#[test]
fn an_opener_may_not_navigate_until_its_window_was_resumed() {
    let opened = |how: &str, then: &str| {
        play(&format!(
            "bind C 1
             root R 1
             auto R page
             create O page C     => 1: created O
             attach SO O R       => 1: attached SO to O on R
             create F iframe C of:O => 1: created F
             attach SF F SO      => 1: attached SF to F on SO
             create P page C {how} => 1: created P
             navigate SO         => goes
             attach WP P PW paused => 1: attached WP to P on R waiting
             {then}"
        ))
    };
    let access = "opener access";
    opened(access, "navigate SO => waits for O\nnavigate SF => waits for O\nnavigate WP => goes");
    opened(access, "resume WP => up\nreleased => O\nnavigate SO => goes");
    opened(access, "gone WP => 1: detached WP on R\nreleased => O\nnavigate SO => goes");
    opened(access, "crash P => 1: crashed P\nreleased => O\nnavigate SO => goes");
    opened(access, "destroy P => 1: destroyed P\nreleased => O\nnavigate SO => goes");
    // It does not return from `window.open` before the last one was resumed.
    opened(
        access,
        "create P2 page C opener access => 1: created P2
         attach WP2 P2 PW paused => 1: attached WP2 to P2 on R waiting
         resume WP     => up
         released
         navigate SO   => waits for O
         resume WP2    => up
         released      => O",
    );
    // The script of a page does not wait for a window that cannot reach it.
    opened("opener", "navigate SO => goes");
}

#[test]
fn an_opener_may_not_navigate_while_the_tab_of_its_window_is_held() {
    popup(
        "opener access",
        &(HELD.to_owned()
            + "attach SO O R => 1: attached SO to O on R
               navigate SO   => waits for O
               resume WT     => resume WP, detach WP on PW, up
               released      => O"),
    );
}
