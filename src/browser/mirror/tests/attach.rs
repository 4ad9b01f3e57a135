//! Which client gets the CDP session of a new target.

use super::*;

#[test]
fn unrequested_targets_are_resumed_and_detached() {
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
fn targets_of_warm_leases_are_not_held() {
    // No client has connected yet, and the base of a lease does not auto-attach.
    play(
        "root BASE 1
         bind C 1
         create P page C opener access => 1: created P
         attach W P PW paused          => resume W, detach W on PW",
    );
}

#[test]
fn page_clients_get_the_page_watchers_cdp_session() {
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
fn tab_clients_get_a_tab_once_its_page_exists() {
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
fn tabs_of_chromes_user_interface_are_released() {
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
fn special_targets_are_never_handed_over() {
    play(
        "bind C 1
         root R 1
         auto R tab
         create U browser_ui C
         attach WU U TW paused => resume WU, detach WU on TW",
    );
}

#[test]
fn targets_run_at_once_without_wait_for_debugger() {
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
fn targets_excluded_by_the_filter_are_released() {
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
fn foreign_targets_are_never_handed_over() {
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
fn the_last_root_to_resume_ends_the_pause() {
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
    // In the other order: the root that got the CDP session holds the target and resumes last.
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
fn waiting_roots_count_before_their_attach_completes() {
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
fn a_root_that_does_not_wait_cannot_resume_for_another() {
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
fn refused_attaches_are_not_waited_for() {
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
fn one_of_two_waiting_roots_may_detach_or_end() {
    const BOTH_WAIT: &str = "bind C 1
         root R1 1
         root R2 1
         auto R1 page
         auto R2 page
         create P page C      => 1: created P
         attach W P PW paused => 1: attached W to P on R1 waiting, attach P on R2
         attach S P R2        => 1: attached S to P on R2 waiting\n";
    for rest in [
        // The second root ends: the first still waits, and holds the target.
        "detach S => detach S on R2
         gone S   => 1: detached S on R2
         resume W => up",
        // The first root ends: the watcher holds the target for the second.
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
        // Chrome itself ends the CDP session that was handed over, so there is nothing to hold.
        "gone W   => 1: detached W on R1
         resume S => up",
        "resume W => kept back
         gone S   => resume W, 1: detached S on R2",
        "resume W => kept back
         detach S => resume S, resume W, detach S on R2",
        // A root ends, and with it the CDP sessions handed over to it.
        "gone R1  => 1: detached R1 on -
         resume S => resume W, detach W on PW, up",
        "off R1   => 1: detached W on R1, done
         resume S => resume W, detach W on PW, up",
        "off R2   => detach S on R2
         gone S   => 1: detached S on R2
         resume W => up",
    ] {
        // A root of the lease itself has no parent on which a client is told.
        let rest = rest.replace("1: detached R1 on -", "");
        play(&format!("{BOTH_WAIT}{rest}"));
    }
}

#[test]
fn handed_over_cdp_sessions_end_with_their_root() {
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
fn existing_targets_are_attached_explicitly_once() {
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
fn pending_attaches_are_undone_when_auto_attach_is_turned_off() {
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
fn worker_held_by_two_roots_runs_when_both_resumed() {
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
