//! Pages on which certificate errors are ignored.

use super::*;

const SESSION: &str = "bind C 1
    root R 1
    create T tab C
    create P page C => 1: created T, 1: created P
    bind C2 2
    create T2 tab C2
    create P2 page C2 => 2: created T2, 2: created P2
    ";

#[test]
fn only_existing_pages_of_the_session_are_attached() {
    play(&format!(
        "{SESSION}
         ignore 1      => keep P
         attach K P DW
         keep 1 P K    => ignore
         # Once more, by another root of the session.
         ignore 1
         ignore 1 no   => detach K on DW
         gone K
         # It is asked for again before that is done, and one too many comes.
         ignore 1      => keep P
         ignore 1      => keep P
         attach K2 P DW
         keep 1 P K2   => ignore
         attach K3 P DW
         keep 1 P K3   => detach K3 on DW, no
         # The page goes: another one is not confused with it.
         gone K2
         destroy P     => 1: destroyed P
         ignore 1 no"
    ));
}

#[test]
fn late_attaches_are_detached_after_the_setting_is_off() {
    play(&format!(
        "{SESSION}
         ignore 1      => keep P
         ignore 1 no
         attach K P DW
         keep 1 P K    => detach K on DW, no"
    ));
}

#[test]
fn new_pages_ignore_certificate_errors_before_they_run() {
    play(&format!(
        "{SESSION}
         ignore 1                => keep P
         attach K P DW
         keep 1 P K              => ignore
         create TB tab C
         create B page C         => 1: created TB, 1: created B
         attach WB B PW paused   => ignore errors on WB, resume WB
         create B2 page C2       => 2: created B2
         attach WB2 B2 PW paused => resume WB2, detach WB2 on PW
         ignore 1 no             => detach WB on PW, detach K on DW"
    ));
}

#[test]
fn clients_that_wait_for_new_pages_attach_besides_the_watcher() {
    play(
        "bind C 1
         root R 1
         auto R page
         ignore 1
         create T tab C
         create P page C      => 1: created T, 1: created P
         attach W P PW paused => ignore errors on W, attach P on R
         attach S P R         => 1: attached S to P on R waiting
         # While it waits it is minded no more: the watcher goes when the page runs.
         ignore 1 no          => mind errors on W
         resume S             => resume W, detach W on PW, up",
    );
    play(
        "bind C 1
         root R 1
         auto R page
         ignore 1
         create T tab C
         create P page C      => 1: created T, 1: created P
         attach W P PW paused => ignore errors on W, attach P on R
         attach S P R         => 1: attached S to P on R waiting
         resume S             => resume W, up
         detach S             => resume S, detach S on R",
    );
}

#[test]
fn popups_held_for_their_tab_ignore_certificate_errors() {
    play(
        "bind C 1
         root R 1
         auto R tab
         ignore 1
         create T tab C
         attach WT T TW paused
         create P page C opener access => 1: created T, 1: attached WT to T on R waiting, 1: created P
         attach WP P PW paused         => ignore errors on WP
         resume WT children            => up
         attach S P WT                 => 1: attached S to P on WT
         resume S                      => resume WP, up",
    );
}

#[test]
fn revealed_pages_ignore_certificate_errors() {
    play(
        "bind C 1
         ignore 1
         conceal C
         create T tab C
         create P page C
         ours C P
         attach W P PW paused => resume W, detach W on PW
         reveal P             => 1: created T, 1: created P, keep P",
    );
}

#[test]
fn ended_sessions_leave_no_certificate_state() {
    let mut mirror = play(&format!(
        "{SESSION}
         ignore 1    => keep P
         attach K P DW
         keep 1 P K  => ignore
         release 1   => detach R
         gone R"
    ));
    // The page is on its way out with its context.
    for event in ["unbind C", "gone K", "destroy P", "destroy T"] {
        mirror.event(event);
    }
    assert!(mirror.targets.certificates.is_empty(), "{mirror:?}", mirror = mirror.targets);
}

#[test]
fn pages_are_set_up_as_the_launch_options_say_before_they_run() {
    play(&format!(
        "{SESSION}
         setup 1                 => keep P
         attach K P DW
         keep 1 P K              => 1: K sets up [Locale] on P, Emulation.setLocaleOverride
         # It has one.
         attach K2 P DW
         keep 1 P K2             => detach K2 on DW, no
         create TB tab C
         create B page C         => 1: created TB, 1: created B
         attach WB B PW paused   => 1: WB sets up [Locale] on B, locale on WB, resume WB
         create B2 page C2       => 2: created B2
         attach WB2 B2 PW paused => resume WB2, detach WB2 on PW
         # A root ignores certificate errors as well, and no more: the CDP sessions stay.
         ignore 1                => ignore errors on WB, ignore errors on K
         create D page C         => 1: created D
         attach WD D PW paused   => 1: WD sets up [Locale] on D, ignore errors on WD, locale on WD, resume WD
         ignore 1
         ignore 1 no             => mind errors on WB, mind errors on WD, mind errors on K
         ignore 1 no"
    ));
}

#[test]
fn launch_options_can_ignore_certificate_errors_whatever_clients_say() {
    play(&format!(
        "{SESSION}
         setup 1 ignore          => keep P
         attach K P DW
         keep 1 P K              => 1: K sets up [Locale] on P, ignore, Emulation.setLocaleOverride
         ignore 1
         ignore 1 no"
    ));
}

#[test]
fn restored_pages_keep_the_emulation_of_their_clients() {
    let mut mirror = play(&format!(
        "{SESSION}
         setup 1                 => keep P
         attach K P DW
         keep 1 P K              => 1: K sets up [Locale] on P, Emulation.setLocaleOverride
         conceal C
         create TH tab C
         create H page C
         ours C H"
    ));
    mirror.targets.emulate(&"H".into(), french());
    mirror.event("reveal H by:E");
    mirror.event("attach KH H DW");
    assert_eq!(mirror.event("keep 1 H KH"), ["no"]);
}
