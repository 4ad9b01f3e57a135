//! The state of a CDP session that was announced to a client.

use std::collections::HashMap;

use super::{claims::Claims, in_flight::InFlight, network_buffers::Bodies, pictures::DeviceScale};
use crate::cdp::{
    ids::{CdpSessionId, TargetId},
    target::{Filter, Kind},
};

/// The state of a CDP session that was announced to a view.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent settings of a client, not states")]
pub(super) struct Cdp {
    /// The CDP session on which it was announced; the root of a view has none.
    pub(super) parent: Option<CdpSessionId>,
    pub(super) target: TargetId,
    /// `Browser` for a root.
    pub(super) kind: Kind,
    /// Whether the auto-attach of a page or worker attached it.
    pub(super) below: bool,
    /// False if the client sends commands to it with `Target.sendMessageToTarget`.
    pub(super) flat: bool,
    /// The commands under the client's own ids that wait for a reply.
    pub(super) in_flight: InFlight,
    /// `Target.setDiscoverTargets`, if it is on.
    pub(super) discover: Option<Discover>,
    /// Whether `Target.setAutoAttach` is on.
    pub(super) auto_attach: bool,
    /// Whether CDP sessions that the auto-attach makes are used with `Target.sendMessageToTarget`.
    pub(super) children_not_flat: bool,
    /// `eventsEnabled` of its `Browser.setDownloadBehavior`.
    pub(super) download_events: bool,
    /// Whether a client has enabled `Page` on it, and so answers the dialogs of its page.
    pub(super) handles_dialogs: bool,
    /// The device pixel ratio from its `Emulation.setDeviceMetricsOverride`.
    pub(super) device_scale: DeviceScale,
    /// The response bodies that Chrome may keep for it, beyond those that each CDP session may have.
    pub(super) bodies: Option<Bodies>,
    /// Whether it belongs to calls of REST, not to a client: clients do not see that their page is attached by it.
    pub(super) of_calls: bool,
    /// What of the target it has claimed.
    pub(super) claims: Claims,
}

impl Cdp {
    pub(super) fn new(parent: Option<CdpSessionId>, target: TargetId, kind: Kind, flat: bool) -> Self {
        Self {
            parent,
            target,
            kind,
            below: false,
            flat,
            in_flight: InFlight::default(),
            discover: None,
            auto_attach: false,
            children_not_flat: false,
            download_events: false,
            handles_dialogs: false,
            device_scale: DeviceScale::default(),
            bodies: None,
            of_calls: false,
            claims: Claims::default(),
        }
    }

    /// Whether the rules for browser-level commands apply to it.
    pub(super) fn is_root(&self) -> bool {
        self.kind == Kind::Browser
    }
}

/// An active target discovery, and the events that it has sent.
#[derive(Debug)]
pub(super) struct Discover {
    pub(super) filter: Filter,
    /// The hash of each target's info in its last event; the info itself can be long.
    pub(super) told: HashMap<TargetId, u64>,
}

impl Discover {
    pub(super) fn new(filter: Filter) -> Self {
        Self { filter, told: HashMap::new() }
    }
}
