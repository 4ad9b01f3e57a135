//! The wire. PURE: no runtime, no Chrome, no clients.
//!
//! The Chrome DevTools Protocol in twenty lines. Both sides exchange JSON objects. A client sends *commands*
//! `{"id":1,"method":"Page.navigate","params":{…},"sessionId":"…"}`; Chrome answers each with a *reply* of the same id,
//! `{"id":1,"result":{…},"sessionId":"…"}` or `…"error":{"code":…,"message":"…"}…`, and tells what happens by *events*
//! without an id.
//!
//! What can be debugged is a *target*: the browser itself, a tab, the page in it, an out-of-process iframe, a worker.
//! `Target.attachToTarget` attaches to one and yields a *CDP session*, whose id every frame that concerns it carries as
//! `sessionId` (the *flat* protocol; the older form wraps frames in `Target.sendMessageToTarget` instead). Frames
//! without a `sessionId` go to the *root*: the target the connection was opened for, usually the browser.
//! CDP sessions form a tree: what is attached through one goes when that one goes.
//!
//! `Target.setDiscoverTargets` tells of targets as they come and go; `Target.setAutoAttach` attaches to new ones by
//! itself, and with `waitForDebuggerOnStart` holds each until `Runtime.runIfWaitingForDebugger`. Every target but the
//! browser lives in a *browser context*: cookies, storage, permissions and cache of their own, like an incognito
//! window. That is what one tenant is kept apart from another by.
//!
//! Next: `message` for how a frame is read, `virtual_browser/` for what a client may do.

pub mod cbor;
mod command;
pub mod emulation;
mod envelope;
pub mod error;
pub mod ids;
pub mod json_object;
mod json_text;
pub mod message;
pub mod permission;
mod special_byte;
pub mod target;
pub mod url;
