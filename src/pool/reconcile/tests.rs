use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::browser::books::Listed;

const OURS: bool = false;
const SHARED: bool = true;

fn listed(kind: Kind, context: &str, is_attached: bool) -> Listed {
    Listed { kind, context: Some(context.into()), is_attached, info: format!("info of {context}") }
}

/// A session with the contexts `C` and `C2`, a warm lease with `W`, and a context that is being disposed of.
fn healthy() -> (Books, Inventory) {
    let (session, warm) = (LeaseId(1), LeaseId(2));
    let books = Books {
        held: BTreeMap::from([(session, Some("C".into())), (warm, Some("W".into())), (LeaseId(3), None)]),
        known: BTreeSet::from([session, warm]),
        contexts: BTreeMap::from([("C".into(), session), ("C2".into(), session), ("W".into(), warm)]),
        leaving: BTreeSet::from(["OLD".into()]),
        targets: BTreeMap::from([("PAGE".into(), 2), ("TAB".into(), 0), ("WARM".into(), 0), ("LATE".into(), 0)]),
        uncertain: BTreeSet::from(["HIDDEN".into()]),
    };
    let said = Inventory {
        contexts: ["C", "C2", "W", "OLD"].map(Into::into).into(),
        default_context: Some("DEFAULT".into()),
        targets: BTreeMap::from([
            ("PAGE".into(), listed(Kind::Page, "C", true)),
            ("TAB".into(), listed(Kind::Tab, "C", false)),
            ("WARM".into(), listed(Kind::Page, "W", false)),
            ("LATE".into(), listed(Kind::Page, "OLD", false)),
            ("HIDDEN".into(), listed(Kind::Page, "C2", false)),
        ]),
    };
    (books, said)
}

fn target<'a>(said: &'a mut Inventory, id: &str) -> &'a mut Listed {
    said.targets.get_mut(id).expect("it is listed")
}

/// The differences, when this is done to what was in order.
fn after(change: impl FnOnce(&mut Books, &mut Inventory), is_shared: bool) -> Vec<Difference> {
    let (mut books, mut said) = healthy();
    change(&mut books, &mut said);
    differences(&books, &said, is_shared)
}

#[test]
fn nothing_differs_in_a_healthy_browser() {
    assert_eq!(after(|_, _| (), OURS), []);
    assert_eq!(after(|_, _| (), SHARED), []);
}

#[test]
fn the_default_context_of_chrome_belongs_to_the_session_of_a_dedicated_browser() {
    let dedicate = |books: &mut Books, said: &mut Inventory| {
        books.held.insert(LeaseId(4), Some("DEFAULT".into()));
        books.known.insert(LeaseId(4));
        books.contexts.insert("DEFAULT".into(), LeaseId(4));
        books.targets.insert("OWN".into(), 0);
        said.targets.insert("OWN".into(), listed(Kind::Page, "DEFAULT", false));
    };
    assert_eq!(after(dedicate, OURS), []);
    let stray = |books: &mut Books, said: &mut Inventory| {
        books.targets.insert("STRAY".into(), 0);
        said.targets.insert("STRAY".into(), listed(Kind::Page, "DEFAULT", false));
    };
    assert_eq!(after(stray, OURS), [Difference::StrayPage("STRAY".into())]);
}

#[test]
fn each_kind_of_difference_is_found() {
    type Case = (&'static str, fn(&mut Books, &mut Inventory), Difference, bool);
    let page = || TargetId::from("PAGE");
    let cases: [Case; 10] = [
        (
            "orphan_context",
            |_, said| {
                said.contexts.insert("X".into());
            },
            Difference::OrphanContext("X".into()),
            false,
        ),
        (
            "orphan_context",
            |books, _| {
                books.leaving.remove("OLD");
            },
            Difference::OrphanContext("OLD".into()),
            false,
        ),
        (
            "lost_context",
            |_, said| {
                said.contexts.remove("C");
            },
            Difference::LostContext { context: "C".into(), lease: LeaseId(1), is_default: true },
            true,
        ),
        (
            "lost_context",
            |_, said| {
                said.contexts.remove("C2");
            },
            Difference::LostContext { context: "C2".into(), lease: LeaseId(1), is_default: false },
            true,
        ),
        (
            "unknown_target",
            |books, _| {
                books.targets.remove("PAGE");
            },
            Difference::UnknownTarget(page()),
            true,
        ),
        (
            "gone_target",
            |_, said| {
                said.targets.remove("PAGE");
            },
            Difference::GoneTarget(page()),
            true,
        ),
        (
            "stray_page",
            |_, said| {
                target(said, "PAGE").context = Some("DEFAULT".into());
            },
            Difference::StrayPage(page()),
            false,
        ),
        (
            "gone_cdp_sessions",
            |_, said| {
                target(said, "PAGE").is_attached = false;
            },
            Difference::GoneCdpSessions(page()),
            true,
        ),
        (
            "unknown_cdp_session",
            |_, said| {
                target(said, "TAB").is_attached = true;
            },
            Difference::UnknownCdpSession("TAB".into()),
            false,
        ),
        (
            "orphan_lease",
            |books, _| {
                books.held.remove(&LeaseId(2));
            },
            Difference::OrphanLease(LeaseId(2)),
            true,
        ),
    ];
    for (label, change, expected, even_if_shared) in cases {
        assert_eq!(expected.label(), label);
        assert!(LABELS.contains(&label), "{label}");
        assert_eq!(after(change, OURS), std::slice::from_ref(&expected), "{label}");
        // What other programs have in a browser is not the proxy's business.
        let when_shared = if even_if_shared { vec![expected] } else { Vec::new() };
        assert_eq!(after(change, SHARED), when_shared, "{label} in a shared browser");
    }
}

#[test]
fn loss_of_the_default_context_ends_the_session_and_loss_of_another_does_not() {
    let said = Inventory::default();
    let lost = |is_default| Difference::LostContext { context: "C".into(), lease: LeaseId(1), is_default };
    let ends = lost(true).mend(&said).expect("a mend");
    assert_eq!(ends, Mend::EndSession(LeaseId(1), "the session's context C has disappeared from Chrome".into()));
    assert_eq!(lost(false).mend(&said), Some(Mend::Forget("C".into())));
}

#[test]
fn only_what_two_rounds_in_a_row_find_counts_and_it_counts_once() {
    let mut rounds = Rounds::default();
    let (one, other) = (Difference::GoneTarget("A".into()), Difference::GoneTarget("B".into()));
    assert_eq!(rounds.on_round(vec![one.clone()]), []);
    assert_eq!(rounds.on_round(vec![other.clone()]), [], "another one, and the first is over");
    assert_eq!(rounds.on_round(vec![one.clone(), other.clone()]), [(other.clone(), true)]);
    // While it lasts it is mended again, and not counted again.
    assert_eq!(rounds.on_round(vec![other.clone()]), [(other.clone(), false)]);
    assert_eq!(rounds.on_round(Vec::new()), []);
    assert_eq!(rounds.on_round(vec![other.clone()]), []);
    assert_eq!(rounds.on_round(vec![other.clone()]), [(other, true)], "it has come back");
}

#[test]
fn only_old_processes_in_the_group_of_an_ended_browser_are_orphans() {
    let departed = [Departed { browser: BrowserId(7), group: 100, at: 5000 }];
    let process = |pid, group, started| Process { pid, group, started };
    let orphan = OrphanProcess { browser: BrowserId(7), pid: 101, started: 4000 };
    let (old, young, other) = (process(101, 100, 4000), process(102, 100, 5001), process(200, 200, 10));
    assert_eq!(orphan_processes(&departed, &[old, young, other]), [orphan]);
    let reused = process(100, 100, 9000);
    assert_eq!(orphan_processes(&departed, &[old, reused]), [], "the number belongs to another program now");
    assert_eq!(orphan_processes(&[], &[old]), []);
}

/// What the link and Chrome do about a difference.
fn perform(mend: Mend, books: &mut Books, said: &mut Inventory) {
    let dispose = |books: &mut Books, said: &mut Inventory, gone: &dyn Fn(&ContextId) -> bool| {
        said.contexts.retain(|context| !gone(context));
        books.contexts.retain(|context, _| !gone(context));
        let targets: Vec<TargetId> = said
            .targets
            .iter()
            .filter(|(_, of)| of.context.as_ref().is_some_and(gone))
            .map(|(id, _)| id.clone())
            .collect();
        for target in targets {
            said.targets.remove(&target);
            books.targets.remove(&target);
        }
    };
    match mend {
        Mend::Dispose(context) => dispose(books, said, &|of| *of == context),
        Mend::Forget(context) => drop(books.contexts.remove(&context)),
        Mend::EndSession(lease, _) | Mend::Release(lease) => {
            let contexts: Vec<ContextId> =
                books.contexts.iter().filter(|(_, of)| **of == lease).map(|(context, _)| context.clone()).collect();
            dispose(books, said, &|of| contexts.contains(of));
            books.held.remove(&lease);
            books.known.remove(&lease);
        }
        Mend::Announce(info) => {
            let target = said.targets.iter().find(|(_, listed)| listed.info == info).map(|(target, _)| target.clone());
            books.targets.insert(target.expect("it is listed"), 0);
        }
        Mend::Destroy(target) => drop(books.targets.remove(&target)),
        Mend::DetachAll(target) => drop(books.targets.insert(target, 0)),
        Mend::DetachUnknown(target) => {
            said.targets.entry(target).and_modify(|listed| listed.is_attached = false);
        }
        Mend::Close(target) => {
            said.targets.remove(&target);
            books.targets.remove(&target);
        }
    }
}

fn books_and_inventory() -> impl Strategy<Value = (Books, Inventory)> {
    let context = || (0..6_u8).prop_map(|number| ContextId::from(format!("C{number}")));
    let target = || (0..8_u8).prop_map(|number| TargetId::from(format!("T{number}")));
    let lease = || (0..4_u64).prop_map(LeaseId);
    let books = (
        prop::collection::btree_map(lease(), prop::option::of(context()), 0..4),
        prop::collection::btree_set(lease(), 0..4),
        prop::collection::btree_map(context(), lease(), 0..6),
        prop::collection::btree_set(context(), 0..2),
        prop::collection::btree_map(target(), 0..3_usize, 0..8),
        prop::collection::btree_set(target(), 0..2),
    );
    let books = books.prop_map(|(held, known, contexts, leaving, targets, uncertain)| Books {
        held,
        known,
        contexts,
        leaving,
        targets,
        uncertain,
    });
    let kind = prop_oneof![Just(Kind::Page), Just(Kind::Tab), Just(Kind::Worker)];
    let of_target = (target(), kind, context(), any::<bool>());
    let said = (prop::collection::btree_set(context(), 0..6), prop::collection::vec(of_target, 0..8));
    let said = said.prop_map(|(contexts, targets)| Inventory {
        contexts,
        default_context: Some("C0".into()),
        targets: targets
            .into_iter()
            .map(|(id, kind, context, is_attached)| {
                let info = format!("info of {id}");
                (id, Listed { kind, context: Some(context), is_attached, info })
            })
            .collect(),
    });
    (books, said)
}

proptest! {
    /// Whatever the two have: after some rounds of mending they agree.
    #[test]
    fn mending_ends_every_difference((mut books, mut said) in books_and_inventory()) {
        for _ in 0..6 {
            for difference in differences(&books, &said, OURS) {
                if let Some(mend) = difference.mend(&said) {
                    perform(mend, &mut books, &mut said);
                }
            }
        }
        prop_assert_eq!(differences(&books, &said, OURS), []);
    }

    /// Nothing that is on record and in Chrome is found to differ, whatever else is.
    #[test]
    fn what_both_have_does_not_differ((books, said) in books_and_inventory(), is_shared: bool) {
        for difference in differences(&books, &said, is_shared) {
            match difference {
                Difference::OrphanContext(context) => {
                    prop_assert!(!books.contexts.contains_key(&context) && !books.leaving.contains(&context));
                }
                Difference::LostContext { context, .. } => prop_assert!(!said.contexts.contains(&context)),
                Difference::UnknownTarget(target) => prop_assert!(!books.targets.contains_key(&target)),
                Difference::GoneTarget(target) => prop_assert!(!said.targets.contains_key(&target)),
                Difference::StrayPage(target) => {
                    prop_assert_eq!(&said.targets[&target].context, &said.default_context);
                }
                Difference::GoneCdpSessions(target) => {
                    prop_assert!(books.targets[&target] > 0 && !said.targets[&target].is_attached);
                }
                Difference::UnknownCdpSession(target) => {
                    prop_assert!(books.targets[&target] == 0 && said.targets[&target].is_attached);
                }
                Difference::OrphanLease(lease) => prop_assert!(!books.held.contains_key(&lease)),
            }
        }
    }
}
