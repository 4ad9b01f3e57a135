//! The limits of actions on pages.

use std::time::Duration;

use super::Config;

/// Limits of the actions on pages that requests ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLimits {
    /// The time limit of an action that names none.
    pub timeout: Duration,
    /// The longest time limit.
    pub timeout_most: Duration,
    /// Most actions that wait for one page.
    pub queue: usize,
    /// Largest result of an action, in bytes.
    pub result: usize,
    /// How long a page stays attached after its last action.
    pub idle: Duration,
    /// Most actions of one list.
    pub actions: usize,
    /// Most handles of one page.
    pub handles: usize,
    /// Bytes of the earlier snapshots of one page.
    pub history: usize,
    /// Largest body of a quick action, in bytes.
    pub quick_body: usize,
    /// Most lines of the console, and most requests, that are kept of a page.
    pub log_entries: usize,
    /// Most bytes of either.
    pub log_bytes: usize,
}

impl Config {
    /// Limits of the actions on pages.
    pub fn page_limits(&self) -> PageLimits {
        PageLimits {
            timeout: self.page_timeout,
            timeout_most: self.page_timeout_max,
            queue: self.page_queue,
            result: self.page_result,
            idle: self.page_idle,
            actions: self.page_actions,
            handles: self.page_handles,
            history: self.page_history,
            quick_body: self.quick_body,
            log_entries: self.page_log_entries,
            log_bytes: self.page_log_size,
        }
    }
}
