//! The wire. PURE: no runtime, no Chrome, no clients.
//!
//! The Chrome DevTools Protocol in twenty lines. Both sides exchange JSON objects. A client sends *commands*
//! `{"id":1,"method":"Page.navigate","params":{…},"sessionId":"…"}`; Chrome answers each with a *reply* of the same id,
//! `{"id":1,"result":{…},"sessionId":"…"}` or `…"error":{"code":…,"message":"…"}…`, and reports
//! changes with *events*, which have no id.
//!
//! A debuggable object is a *target*: the browser itself, a tab, the page in it, an out-of-process
//! iframe, a worker. `Target.attachToTarget` attaches to one and returns a *CDP session*, whose id
//! every frame about it has as `sessionId` (the *flat* protocol; the older form wraps frames in
//! `Target.sendMessageToTarget` instead). Frames without a `sessionId` go to the *root*: the target
//! of the connection, usually the browser. CDP sessions form a tree: those attached through one end
//! with it.
//!
//! `Target.setDiscoverTargets` reports targets as they are created and destroyed;
//! `Target.setAutoAttach` attaches to new ones automatically, and with `waitForDebuggerOnStart`
//! pauses each until `Runtime.runIfWaitingForDebugger`. Every target except the browser is in a
//! *browser context*: cookies, storage, permissions and cache of its own, like an incognito window.
//! Contexts separate the tenants.
//!
//! Next: `message` for reading frames, `virtual_browser/` for what a client may do.

pub mod cbor;
mod command;
pub mod emulation;
mod envelope;
pub mod error;
pub mod ids;
pub mod json_object;
pub mod json_string;
mod json_text;
pub mod message;
pub mod permission;
mod special_byte;
pub mod target;
pub mod url;
