//! Repeats one event or request in a mirror with much other content. `benches/instructions.sh`
//! counts the instructions at two sizes: one client's many targets and CDP sessions must not make
//! each event of others more expensive.

use std::{hint::black_box, time::Instant};

use super::mirror::{LeaseId, Mirror};
use crate::{
    cdp::{
        ids::{CdpSessionId, TargetId},
        target::Filter,
    },
    port::{Flavour, Interest},
};

/// The cases that can be counted.
pub const CASES: [&str; 8] =
    ["attach", "auto-attach", "auto-attach-off-on", "resume", "handed", "created", "changed", "root"];

/// Leases, and CDP sessions on one page of one lease, at the smaller size.
const MANY: usize = 100;

/// The JSON of a target in the context of a lease.
fn info(id: &str, kind: &str, lease: usize) -> String {
    format!(
        r#"{{"targetId":"{id}","type":"{kind}","title":"","url":"http://x/","attached":false,"canAccessOpener":false,"browserContextId":"C{lease:06}"}}"#
    )
}

fn interest() -> Interest {
    Interest { flavour: Flavour::Page, filter: Filter::default_of_chrome(), wait: false }
}

struct World {
    targets: Mirror,
    now: Instant,
}

impl World {
    /// The mirror's size, in multiples of [`MANY`].
    fn new(size: usize) -> Self {
        let targets = Mirror::new(["PW".into(), "TW".into()], &"DW".into());
        let mut world = Self { targets, now: Instant::now() };
        for lease in 1..=MANY * size {
            world.targets.bind(format!("C{lease:06}").into(), LeaseId(lease as u64));
            world.root(&format!("R{lease:06}"), lease);
            world.page(&format!("{lease:06}"), lease);
        }
        for at in 0..MANY * size {
            world.attach("R000001", &format!("S{at:06}"), &info("P000001", "page", 1));
        }
        world
    }

    fn root(&mut self, root: &str, lease: usize) {
        self.targets.root(root.into(), Some(LeaseId(lease as u64)));
        self.targets.auto_attach(&root.into(), Some(interest()));
        self.settle();
    }

    fn page(&mut self, name: &str, lease: usize) {
        let (tab, page) = (info(&format!("T{name}"), "tab", lease), info(&format!("P{name}"), "page", lease));
        self.targets.on_created(&tab, self.now);
        self.attach("TW", &format!("U{name}"), &tab);
        self.targets.on_created(&page, self.now);
        self.attach("PW", &format!("Q{name}"), &page);
    }

    fn attach(&mut self, on: &str, session: &str, info: &str) {
        self.targets.on_attached(Some(&on.into()), session.into(), info, false, self.now);
        self.settle();
    }

    fn settle(&mut self) -> usize {
        std::iter::from_fn(|| self.targets.poll_effect()).count()
    }
}

/// Performs `case` `count` times in a mirror of this size.
pub fn run(case: &str, size: usize, count: u32) {
    let mut world = World::new(size);
    let (page, root) = (info("P000001", "page", 1), CdpSessionId::from("R000001"));
    let session = CdpSessionId::from("S000001");
    let mut effects = 0;
    for _ in 0..count {
        match case {
            "attach" => {
                world.attach("R000001", "X", &page);
                world.targets.on_detached("X");
            }
            "auto-attach" => assert_eq!(world.targets.auto_attach(&root, Some(interest())), Vec::<TargetId>::new()),
            "auto-attach-off-on" => {
                world.targets.auto_attach(&root, None);
                assert_eq!(world.targets.attached_by(&root).len(), 1);
                world.targets.auto_attach(&root, Some(interest()));
            }
            "resume" => {
                black_box(world.targets.on_resume(&session, false));
            }
            "handed" => {
                world.attach("PW", "Y", &page);
                world.targets.on_detached("Y");
            }
            "created" => {
                world.page("X", 1);
                for id in ["UX", "QX"] {
                    world.targets.on_detached(id);
                }
                world.targets.on_destroyed("PX");
                world.targets.on_destroyed("TX");
            }
            "changed" => world.targets.on_changed(&page),
            "root" => {
                world.root("V", 1);
                world.targets.on_detached("V");
            }
            other => panic!("no case {other}"),
        }
        effects += world.settle();
    }
    let is_silent = case.starts_with("auto-attach") || ["resume", "root"].contains(&case);
    assert_eq!(effects == 0, is_silent, "{case} had {effects} effects");
}
