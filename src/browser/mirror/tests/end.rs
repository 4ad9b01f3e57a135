//! The end of a lease, in every phase of its targets.

use super::*;

#[test]
fn released_leases_leave_nothing() {
    for (phase, released, rest) in [
        ("create T tab C", "", "destroy T"),
        // A tab that waits for its page.
        ("create T tab C\nattach WT T TW paused", "resume WT, detach WT on TW,", "gone WT\ndestroy T"),
        (
            "create T tab C
             attach WT T TW paused
             create P page C opener => 1: created T, 1: attached WT to T on R waiting, 1: created P",
            "",
            "attach WP P PW paused => resume WP, detach WP on PW\ngone WP\ngone WT\ndestroy T\ndestroy P",
        ),
        // A held popup.
        (
            "create P page C opener access => 1: created P\nattach WP P PW paused",
            "resume WP, detach WP on PW,",
            "destroy P\npass 60\ngone WP",
        ),
        (
            "create P page C opener access => 1: created P
             attach WP P PW paused
             attach S P R                  => 1: attached S to P on R",
            "resume WP, detach WP on PW,",
            "gone WP\npass 60\ndestroy P",
        ),
        // Handed over and not resumed; the attach of its second root is pending.
        (
            "auto R page
             root R2 1
             auto R2 page
             create P page C      => 1: created P
             attach W P PW paused => 1: attached W to P on R waiting, attach P on R2",
            "",
            "refused P R2\nattach S P R2\ngone R2\ngone W\ndestroy P",
        ),
        (
            "auto R page
             root R2 1
             auto R2 page
             create P page C      => 1: created P
             attach W P PW paused => 1: attached W to P on R waiting, attach P on R2
             attach S P R2        => 1: attached S to P on R2 waiting
             detach W             => 1: detached W on R, done",
            "resume W, detach W on PW,",
            "gone R2\ngone W\ndestroy P",
        ),
        // A worker below an iframe below a page.
        (
            "create P page C   => 1: created P
             attach S P R      => 1: attached S to P on R
             create F iframe C => 1: created F
             attach SF F S     => 1: attached SF to F on S
             create V worker C => 1: created V
             attach SV V SF    => 1: attached SV to V on SF",
            "",
            "destroy F\ndestroy V\ndestroy P",
        ),
        // A page that has navigated to a URL of Chrome's own.
        ("create P page C => 1: created P\nchange P at:chrome://x => 1: destroyed P", "", "destroy P"),
    ] {
        let roots = if phase.contains("R2") { "detach R, detach R2" } else { "detach R" };
        let mirror =
            play(&format!("bind C 1\nroot R 1\nauto R tab\n{phase}\nrelease 1 => {released} {roots}\ngone R\n{rest}"));
        is_empty(&mirror.targets);
    }
}

#[test]
fn pending_attaches_are_forgotten_with_their_root_or_target() {
    for goes in ["gone R", "destroy P => 1: destroyed P", "destroy P => 1: destroyed P\nrefused P R"] {
        let mirror = play(&format!(
            "bind C 1
             root R 1
             create P page C => 1: created P
             attach W P PW   => resume W, detach W on PW
             auto R page     => attach P on R
             {goes}"
        ));
        assert!(mirror.targets.expected.is_empty(), "{goes}");
    }
}

#[test]
fn releasing_a_lease_does_not_affect_others() {
    let mirror = play(
        "bind C1 1
         bind C2 2
         root R1 1
         root R2 2
         auto R1 page
         auto R2 page
         create P page C2      => 2: created P
         attach W P PW paused  => 2: attached W to P on R2 waiting
         create Q page C1      => 1: created Q
         attach V Q PW paused  => 1: attached V to Q on R1 waiting
         release 1             => detach R1
         gone R1
         gone V
         destroy Q
         resume W              => up
         gone W                => 2: detached W on R2
         destroy P             => 2: destroyed P",
    );
    assert_eq!(mirror.targets.census(), (1, 0, 4));
}

#[test]
fn events_for_released_leases_are_not_delivered() {
    play(
        "bind C 1
         root R 1
         auto R page
         release 1         => detach R
         create P page C
         attach W P PW paused => resume W, detach W on PW
         attach S P R
         change P
         gone S
         destroy P
         # A context whose making was under way.
         bind D 1
         create Q page D      => 1: created Q
         attach V Q PW paused => resume V, detach V on PW",
    );
}

#[test]
fn disposed_contexts_have_no_owner() {
    play(
        "bind C 1
         root R 1
         auto R page
         create P page C => 1: created P
         attach W P PW   => 1: attached W to P on R waiting
         unbind C
         change P
         gone W          => 1: detached W on R
         destroy P",
    );
}
