//! To whom a new target's CDP session is handed.

use super::*;

#[test]
fn what_nobody_asked_for_is_resumed_and_then_detached() {
    let mirror = play(
        "bind C 1
         root R 1
         create T tab C
         attach WT T TW paused => resume WT, detach WT on TW
         create P page C       => 1: created T, 1: created P
         attach WP P PW paused => resume WP, detach WP on PW
         create V worker C     => 1: created V
         attach WV V PW paused => let WV go on PW when it runs
         attach VV V TW paused => let VV go on TW when it runs
         gone WT
         gone WP
         gone WV
         gone VV",
    );
    assert_eq!(mirror.targets.census(), (1, 3, 4));
}

#[test]
fn of_a_warm_lease_nothing_is_held() {
    // No client has come yet: its base asks for nothing.
    play(
        "root BASE 1
         bind C 1
         create P page C opener access => 1: created P
         attach W P PW paused          => resume W, detach W on PW",
    );
}

#[test]
fn a_page_flavour_client_is_handed_the_page_watchers_cdp_session() {
    play(
        "bind C 1
         root R 1
         auto R page
         create T tab C
         attach WT T TW paused => resume WT, detach WT on TW
         create P page C       => 1: created T, 1: created P
         attach WP P PW paused => 1: attached WP to P on R waiting
         resume WP             => up
         create V service_worker C => 1: created V
         attach WV V PW paused => 1: attached WV to V on R waiting
         attach VV V TW paused => let VV go on TW when it runs
         resume WV             => up
         gone WV               => 1: detached WV on R",
    );
}

#[test]
fn a_tab_flavour_client_is_handed_a_tab_when_its_page_is_there() {
    play(
        "bind C 1
         root R 1
         auto R tab
         create T tab C
         attach WT T TW paused
         create P page C       => 1: created T, 1: attached WT to T on R waiting, 1: created P
         attach WP P PW paused => resume WP, detach WP on PW
         resume WT children    => up
         create V worker C     => 1: created V
         attach VV V TW paused => 1: attached VV to V on R waiting
         attach WV V PW paused => let WV go on PW when it runs",
    );
}

#[test]
fn a_tab_of_chromes_user_interface_is_let_go_when_that_is_seen() {
    play(
        "bind C 1
         root R 1
         auto R tab
         create T tab C
         attach WT T TW paused
         create U browser_ui C => resume WT, detach WT on TW
         create T2 tab C
         attach W2 T2 TW paused
         create H page C at:chrome://x => resume W2, detach W2 on TW",
    );
}

#[test]
fn what_is_no_ordinary_target_is_never_handed() {
    play(
        "bind C 1
         root R 1
         auto R tab
         create U browser_ui C
         attach WU U TW paused => resume WU, detach WU on TW",
    );
}

#[test]
fn without_wait_for_debugger_on_start_it_runs_at_once() {
    play(
        "bind C 1
         root R 1
         auto R page nowait
         create P page C      => 1: created P
         attach W P PW paused => 1: attached W to P on R, resume W
         resume W             => up",
    );
}

#[test]
fn what_the_clients_filter_excludes_is_let_go() {
    play(
        r#"bind C 1
         root R 1
         auto R page filter:[{"type":"page"}]
         create P page C      => 1: created P
         attach W P PW paused => 1: attached W to P on R waiting
         create V worker C    => 1: created V
         attach WV V PW paused => let WV go on PW when it runs
         create U page C at:chrome://x
         attach WU U PW paused => resume WU, detach WU on PW"#,
    );
}

#[test]
fn a_foreign_target_is_never_handed() {
    play(
        "bind C1 1
         bind C2 2
         root R1 1
         auto R1 page
         create P2 page C2     => 2: created P2
         attach W P2 PW paused => resume W, detach W on PW
         create P3 page C3
         attach V P3 PW paused => resume V, detach V on PW
         auto R1 page
         auto R1 tab",
    );
}

#[test]
fn the_second_root_attaches_and_the_last_to_resume_ends_the_pause() {
    play(
        "bind C 1
         root R1 1
         root R2 1
         auto R1 page
         auto R2 page
         create P page C      => 1: created P
         attach W P PW paused => 1: attached W to P on R1 waiting, attach P on R2
         attach S P R2        => 1: attached S to P on R2 waiting
         resume W             => kept back
         resume W             => kept back
         resume S             => resume W, up
         resume S             => up",
    );
    // The other order: the one that was handed holds it, and resumes last.
    play(
        "bind C 1
         root R1 1
         root R2 1
         auto R1 page
         auto R2 page
         create P page C      => 1: created P
         attach W P PW paused => 1: attached W to P on R1 waiting, attach P on R2
         attach S P R2        => 1: attached S to P on R2 waiting
         resume S             => kept back
         resume W             => up",
    );
}

#[test]
fn a_root_that_asked_to_wait_is_waited_for_before_its_attach_is_there() {
    play(
        "bind C 1
         root R1 1
         root R2 1
         auto R1 page
         auto R2 page
         create P page C      => 1: created P
         attach W P PW paused => 1: attached W to P on R1 waiting, attach P on R2
         resume W             => kept back
         attach S P R2        => 1: attached S to P on R2 waiting
         resume S             => resume W, up",
    );
}

#[test]
fn a_root_that_does_not_wait_cannot_end_the_wait_of_another() {
    play(
        "bind C 1
         root R1 1
         root R2 1
         auto R1 page nowait
         auto R2 page
         create P page C      => 1: created P
         attach W P PW paused => 1: attached W to P on R1, attach P on R2
         resume W             => kept back
         attach S P R2        => 1: attached S to P on R2 waiting
         resume W             => kept back
         resume S             => resume W, up",
    );
    play(
        "bind C 1
         root R1 1
         root R2 1
         auto R1 page
         auto R2 page nowait
         create P page C      => 1: created P
         attach W P PW paused => 1: attached W to P on R1 waiting, attach P on R2
         attach S P R2        => 1: attached S to P on R2
         resume W             => up",
    );
}

#[test]
fn an_attach_that_chrome_refuses_is_not_waited_for() {
    let mirror = play(
        "bind C 1
         root R1 1
         root R2 1
         auto R1 page
         auto R2 page
         create P page C      => 1: created P
         attach W P PW paused => 1: attached W to P on R1 waiting, attach P on R2
         resume W             => kept back
         refused P R2         => resume W
         refused P R2
         create Q page C      => 1: created Q
         attach V Q PW paused => 1: attached V to Q on R1 waiting, attach Q on R2
         refused Q R2
         resume V             => up",
    );
    assert!(mirror.targets.expected.is_empty());
}

#[test]
fn of_two_roots_that_wait_one_may_detach_or_go() {
    const BOTH_WAIT: &str = "bind C 1
         root R1 1
         root R2 1
         auto R1 page
         auto R2 page
         create P page C      => 1: created P
         attach W P PW paused => 1: attached W to P on R1 waiting, attach P on R2
         attach S P R2        => 1: attached S to P on R2 waiting\n";
    for rest in [
        // The second goes: the first waits on, and holds it.
        "detach S => detach S on R2
         gone S   => 1: detached S on R2
         resume W => up",
        // The first goes: the watcher holds on for the second.
        "detach W => 1: detached W on R1, done
         detach W => detach W
         resume S => resume W, detach W on PW, up",
        "detach W => 1: detached W on R1, done
         detach S => resume S, resume W, detach W on PW, detach S on R2
         gone W
         gone S   => 1: detached S on R2",
        "detach W => 1: detached W on R1, done
         gone S   => resume W, detach W on PW, 1: detached S on R2",
        "gone S   => 1: detached S on R2
         resume W => up",
        // Chrome's own end of what was handed leaves nothing to hold.
        "gone W   => 1: detached W on R1
         resume S => up",
        "resume W => kept back
         gone S   => resume W, 1: detached S on R2",
        "resume W => kept back
         detach S => resume S, resume W, detach S on R2",
        // A whole root goes, and what was handed on it.
        "gone R1  => 1: detached R1 on -
         resume S => resume W, detach W on PW, up",
        "off R1   => 1: detached W on R1, done
         resume S => resume W, detach W on PW, up",
        "off R2   => detach S on R2
         gone S   => 1: detached S on R2
         resume W => up",
    ] {
        // A root of the lease's own has no parent on which anybody is told.
        let rest = rest.replace("1: detached R1 on -", "");
        play(&format!("{BOTH_WAIT}{rest}"));
    }
}

#[test]
fn what_was_handed_goes_with_the_root_it_was_shown_on() {
    let mirror = play(
        "bind C 1
         root R1 1
         create B browser -
         attach R2 B R1        => 1: attached R2 to B on R1
         auto R2 tab
         create T tab C
         attach WT T TW paused
         create P page C       => 1: created T, 1: attached WT to T on R2 waiting, 1: created P
         attach WP P PW paused => resume WP, detach WP on PW
         gone WP
         attach SP P WT        => 1: attached SP to P on WT
         # It is the watcher's, and would stay.
         gone R2               => resume WT, detach WT on TW, 1: detached R2 on R1 with SP WT
         gone WT               => 1: detached WT on R2 with SP
         destroy B",
    );
    assert_eq!(mirror.targets.census(), (1, 2, 4));
}

#[test]
fn targets_that_exist_are_attached_explicitly_and_only_once() {
    play(
        "bind C 1
         bind C2 2
         root R 1
         create T tab C
         attach WT T TW   => resume WT, detach WT on TW
         create P page C  => 1: created T, 1: created P
         # Not for this root yet: its watcher has not told of it.
         auto R page
         attach WP P PW   => 1: attached WP to P on R waiting
         resume WP        => up
         auto R page
         # Another filter adds and keeps.
         auto R tab       => attach T on R
         auto R tab
         attach S T R     => 1: attached S to T on R
         auto R tab
         create Q page C2 => 2: created Q
         attach WQ Q PW   => resume WQ, detach WQ on PW
         auto R page",
    );
}

#[test]
fn auto_attach_can_be_turned_off_and_on_again() {
    play(
        "bind C 1
         root R 1
         auto R page
         create P page C      => 1: created P
         attach W P PW paused => 1: attached W to P on R waiting
         create Q page C      => 1: created Q
         attach V Q R         => 1: attached V to Q on R
         # What the client attached itself stays.
         off R                => resume W, detach W on PW
         gone W               => 1: detached W on R
         create N page C      => 1: created N
         attach X N PW paused => resume X, detach X on PW
         auto R page          => attach N on R, attach P on R
         attach SN N R        => 1: attached SN to N on R
         attach SP P R        => 1: attached SP to P on R
         off R                => resume SN, detach SN on R, resume SP, detach SP on R",
    );
}

#[test]
fn an_attach_under_way_when_auto_attach_is_turned_off_is_undone() {
    let mirror = play(
        "bind C 1
         root R 1
         create P page C => 1: created P
         attach W P PW   => resume W, detach W on PW
         gone W
         auto R page     => attach P on R
         off R
         off R
         # On again before Chrome has done the first.
         auto R page     => attach P on R
         attach S1 P R   => detach S1 on R
         attach S2 P R   => 1: attached S2 to P on R
         gone S1",
    );
    assert!(mirror.targets.expected.is_empty());
    play(
        "bind C 1
         root R1 1
         root R2 1
         auto R1 page
         auto R2 page
         create P page C      => 1: created P
         attach W P PW paused => 1: attached W to P on R1 waiting, attach P on R2
         resume W             => kept back
         off R2               => resume W
         attach S P R2        => detach S on R2",
    );
}

#[test]
fn a_worker_that_roots_of_both_flavours_were_handed_runs_when_both_have_resumed() {
    const BOTH: &str = "bind C 1
         root R1 1
         root R2 1
         auto R1 page
         auto R2 tab
         create V worker C    => 1: created V
         attach W V PW paused => 1: attached W to V on R1 waiting
         attach X V TW paused => 1: attached X to V on R2 waiting\n";
    for rest in [
        "resume W => kept back\nresume X => resume W, up",
        "resume X => kept back\nresume W => resume X, up",
        "detach W => 1: detached W on R1, done\nresume X => let W go on PW when it runs, up",
        "detach W => 1: detached W on R1, done\ndetach X => resume X, let W go on PW when it runs, detach X on TW",
        "resume W => kept back\ndetach X => resume X, resume W, detach X on TW",
    ] {
        play(&format!("{BOTH}{rest}"));
    }
}
