#!/usr/bin/env python3
"""Takes out the rules that guard one session from another, one at a time: the unit tests must notice each.

    scripts/mutants.py [--check] [NUMBER...]

With --check it only looks whether every rule is still where it is said to be. Otherwise, every rule below gets a switch in a copy of the sources (target/mutants), which is compiled once, with all it depends on; then
the unit tests run once per rule without it. A rule that no test misses is printed, and the exit code is 1. cargo-mutants does the same for
any line, with a compilation for each.
"""

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
COPY = HOME / "target" / "mutants"
# The pure core, where the rules are; it needs no browser.
TESTS = ["virtual_browser::", "api_types::", "browser::mirror::", "browser::pixels::", "cdp::", "snapshot::restore::page::", "snapshot::storage_key::", "http::guard::"]
SECONDS = 120

# (file, what is taken out, the code of the rule, the code with its switch OFF)
RULES = [
    # ---- What is ours: contexts, targets, CDP sessions.
    ("virtual_browser/outbox.rs", "a CDP session is its own view's", "filter(|(_, announced)| announced.view == view);", "filter(|(_, announced)| OFF || announced.view == view);"),
    ("virtual_browser/scope.rs", "a context is one's own", "self.default_context.as_str() == id || self.contexts", "OFF || self.default_context.as_str() == id || self.contexts"),
    ("virtual_browser/scope.rs", "a target of another's context is not seen", "!info.kind.is_ordinary() || !info.context", "!info.kind.is_ordinary() || !OFF && !info.context"),
    ("virtual_browser/scope.rs", "a target of Chrome's own kind is not seen", "if !info.kind.is_ordinary() ||", "if !OFF && !info.kind.is_ordinary() ||"),
    ("virtual_browser/scope.rs", "a target not told of before is not told to be gone", "if told.is_some() {", "if OFF || told.is_some() {"),
    ("virtual_browser/scope.rs", "a target not told of is not told to have crashed", ".is_some_and(|discover| discover.told.contains_key(id))", ".is_some_and(|discover| OFF || discover.told.contains_key(id))"),
    ("virtual_browser/scope.rs", "a disposed context is nobody's", "self.contexts.retain(|other| other != context);", "self.contexts.retain(|other| OFF || other != context);"),
    ("virtual_browser/scope.rs", "the targets of a disposed context are gone", "seen.context.as_ref() == Some(context);", "!OFF && seen.context.as_ref() == Some(context);"),
    ("virtual_browser/scope.rs", "attached is this session's own view", "seen.attached && self.is_attached(id)", "seen.attached && (OFF || self.is_attached(id))"),
    ("virtual_browser/outbox.rs", "the CDP sessions of a view that has gone go with it", "extract_if(|_, announced| announced.view == view);", "extract_if(|_, announced| !OFF && announced.view == view);"),
    ("virtual_browser/outbox.rs", "a CDP session stays with the view it was announced to", "self.announced.entry(on).or_insert(Announced { view, cdp });", "if OFF { self.announced.insert(on, Announced { view, cdp }); } else { self.announced.entry(on).or_insert(Announced { view, cdp }); }"),
    ("virtual_browser/outbox.rs", "a CDP session that has gone gets no frames", "self.announced.remove(on);", "if !OFF { self.announced.remove(on); }"),
    ("virtual_browser/outbox.rs", "a tunnel leads to no other view", "filter(|above| above.view == *view) else", "filter(|above| OFF || above.view == *view) else"),
    ("virtual_browser/outbox.rs", "what is said in a tunnel in a tunnel has a limit", "if !above.cdp.flat && inner.len()", "if !OFF && !above.cdp.flat && inner.len()"),
    # ---- Frames, replies and events.
    ("virtual_browser.rs", "a frame names a CDP session only if that is flat", "filter(|(_, cdp)| cdp.flat)", "filter(|(_, cdp)| OFF || cdp.flat)"),
    ("virtual_browser.rs", "a reply to nothing one asked is not one's own", "if !cdp.in_flight.answered(id) {", "if !cdp.in_flight.answered(id) && !OFF {"),
    ("virtual_browser.rs", "Chrome's events on a root go to nobody", "if !self.on_root_event(on, &text) {", "if !self.on_root_event(on, &text) && !OFF {"),
    ("virtual_browser/dispatch.rs", "a root is judged by the rules for roots", "if cdp.is_root() { Level::Browser }", "if cdp.is_root() && !OFF { Level::Browser }"),
    ("virtual_browser/dispatch.rs", "a refused method is refused", "Handler::Refuse(refusal) => self", "Handler::Refuse(_) if OFF => self.pass(on, command, as_it_is),\n            Handler::Refuse(refusal) => self"),
    ("virtual_browser/dispatch.rs", "an unknown method goes nowhere", "Handler::NotFound => self.scope", "Handler::NotFound if OFF => self.pass(on, command, as_it_is),\n            Handler::NotFound => self.scope"),
    ("virtual_browser/dispatch.rs", "arguments are checked", "Handler::Check(rule) => self", "Handler::Check(_) if OFF => self.pass(on, command, as_it_is),\n            Handler::Check(rule) => self"),
    ("virtual_browser/dispatch.rs", "what the arguments' rules refuse is refused", "arguments::Checked::Refused { code, message } => {", "arguments::Checked::Refused { .. } if OFF => self.pass(on, command, false),\n            arguments::Checked::Refused { code, message } => {"),
    ("virtual_browser/dispatch.rs", "what the arguments' rules rewrote goes up, not what was sent", "arguments::Checked::Rewritten(params) => self.pass_with", "arguments::Checked::Rewritten(_) if OFF => self.pass(on, command, false),\n            arguments::Checked::Rewritten(params) => self.pass_with"),
    # ---- Who may ask at the port.
    ("http/guard.rs", "a request has one Host", "(Some(host), 0) => host.to_str()", "(Some(host), more) if OFF || more == 0 => host.to_str()"),
    ("http/guard.rs", "an address that is not ours is not believed", "otherwise(Refused::Forwarded(name))", "if OFF { Ok(Place::Own) } else { otherwise(Refused::Forwarded(name)) }"),
    ("http/guard.rs", "what Chrome fetches by itself is not chromedriver's", "(\"user-agent\", CHROMEDRIVER),", "(if OFF { \"sec-fetch-dest\" } else { \"user-agent\" }, if OFF { \"empty\" } else { CHROMEDRIVER }),"),
    ("http/guard.rs", "by an allowed name a header says that it is no page", "if !told && by_page", "if !OFF && !told && by_page"),
    ("http/guard.rs", "a connection of this machine by its outward address is a page's", "if is_roundabout(ends) && !allowed", "if !OFF && is_roundabout(ends) && !allowed"),
    # ---- Target.*
    ("virtual_browser/target.rs", "getTargets shows one's own", "filter_map(|info| self.scope.shown(info.get()))", "filter_map(|info| self.scope.shown(info.get()).or_else(|| OFF.then(|| (Kind::Page, std::borrow::Cow::Borrowed(info.get())))))"),
    ("virtual_browser/target.rs", "getTargetInfo is of one's own", "        if !self.scope.targets.contains_key(target.as_str()) {\n            return self.scope.fail(asked.on, asked.id, &NO_TARGET);", "        if !OFF && !self.scope.targets.contains_key(target.as_str()) {\n            return self.scope.fail(asked.on, asked.id, &NO_TARGET);"),
    ("virtual_browser/target.rs", "a target that is attached to is one's own", "let Some((target, _)) = self.scope.targets.get_key_value(target.as_str()) else {", "let foreign = TargetId::from(target.as_str());\n        let Some(target) = self.scope.targets.get_key_value(target.as_str()).map(|(id, _)| id).or(OFF.then_some(&foreign)) else {"),
    ("virtual_browser/target.rs", "the default context is not disposed of", "if context == self.scope.default_context.as_str() {\n            return self.scope.fail(asked.on, asked.id, &LAST_CONTEXT);", "if !OFF && context == self.scope.default_context.as_str() {\n            return self.scope.fail(asked.on, asked.id, &LAST_CONTEXT);"),
    ("virtual_browser/target.rs", "a context that is disposed of is one's own", "find(|own| own.as_str() == context).cloned() else {", "find(|own| own.as_str() == context).cloned().or_else(|| OFF.then(|| context.as_str().into())) else {"),
    ("virtual_browser/target.rs", "a target is created only at an allowed URL", "} else if let Err(why) = arguments::url_allowed(&url, self.granted) {", "} else if !OFF && let Err(why) = arguments::url_allowed(&url, self.granted) {"),
    ("virtual_browser/target.rs", "no target is created at a URL of Chrome's own", "asked.params.set_string(\"url\", \"about:blank\");", "if !OFF { asked.params.set_string(\"url\", \"about:blank\"); }"),
    ("virtual_browser/target.rs", "a target is created only in one's own context", "&& !self.scope.owns_context(&context)", "&& !OFF && !self.scope.owns_context(&context)"),
    ("virtual_browser/target.rs", "a target is created in one's own default context", "asked.params.set_string(\"browserContextId\", context.as_str());", "if !OFF { asked.params.set_string(\"browserContextId\", context.as_str()); }"),
    ("virtual_browser/target.rs", "a target that is closed or activated is one's own", "        if !self.scope.targets.contains_key(target.as_str()) {\n            let error", "        if !OFF && !self.scope.targets.contains_key(target.as_str()) {\n            let error"),
    ("virtual_browser/target.rs", "a child is that of the CDP session it is named on", "cdp.parent.as_ref() == Some(asked.on);", "OFF || cdp.parent.as_ref() == Some(asked.on);"),
    ("virtual_browser/target.rs", "an inner message names no CDP session", "if command.session().is_none() => self.on_command", "if OFF || command.session().is_none() => self.on_command"),
    ("virtual_browser/target.rs", "what Chrome is to refuse names nothing of anybody's", "if params.string(name).is_some() {\n                params.remove(name);", "if !OFF && params.string(name).is_some() {\n                params.remove(name);"),
    ("virtual_browser/dispatch.rs", "contexts are made and disposed of on roots", "Handler::NotAllowedOnPage => {", "Handler::NotAllowedOnPage if OFF => self.pass(on, command, as_it_is),\n            Handler::NotAllowedOnPage => {"),
    ("virtual_browser/target.rs", "a context has no network access beyond its origin's", "if let arguments::Checked::Refused { code, message } =\n            arguments::check", "if !OFF && let arguments::Checked::Refused { code, message } =\n            arguments::check"),
    ("virtual_browser/target.rs", "an attached target that may not be shown is let go", "if !self.scope.targets.contains_key(target) || self.scope.sessions.len()", "if !OFF && !self.scope.targets.contains_key(target) || self.scope.sessions.len()"),
    ("virtual_browser/target.rs", "a root that one attaches is a virtual one", "if kind == Kind::Browser {\n            let browser", "if !OFF && kind == Kind::Browser {\n            let browser"),
    ("virtual_browser/target.rs", "of what was never told, no end is told", "if !self.scope.sessions.contains_key(child) {\n            self.dialog_guards", "if !OFF && !self.scope.sessions.contains_key(child) {\n            self.dialog_guards"),
    ("virtual_browser/target.rs", "what is below a CDP session goes with it", "for gone in below.iter().chain([child]) {", "for gone in below.iter().filter(|_| !OFF).chain([child]) {"),
    ("virtual_browser/target.rs", "autoAttachRelated is for roots, and one's own", "if root_only && !asked.root {", "if !OFF && root_only && !asked.root {"),
    ("virtual_browser/target.rs", "a chain of CDP sessions has an end", "if self.is_deepest(asked.on) {", "if !OFF && self.is_deepest(asked.on) {"),
    ("virtual_browser/target.rs", "CDP sessions have a limit", "if self.is_full() {", "if !OFF && self.is_full() {"),
    ("virtual_browser/target.rs", "roots have a limit", "cdp.is_root()).count() >= self.limits.roots {", "cdp.is_root()).count() >= self.limits.roots && !OFF {"),
    ("virtual_browser/target.rs", "auto-attach has a limit", "if on_off && !is_on && self.cdp_sessions() +", "if !OFF && on_off && !is_on && self.cdp_sessions() +"),
    ("virtual_browser/target.rs", "what auto-attach makes beyond the limit is let go", "|| self.scope.sessions.len() >= self.limits.all {", "|| !OFF && self.scope.sessions.len() >= self.limits.all {"),
    ("virtual_browser/target.rs", "only so many are told of all targets", "if discover && !self.scope.may_listen", "if !OFF && discover && !self.scope.may_listen"),
    # ---- Browser.*, Storage.*, windows, traces.
    ("virtual_browser/browser.rs", "a command without a context means one's own", "params.set_string(\"browserContextId\", context.as_str());", "if !OFF { params.set_string(\"browserContextId\", context.as_str()); }"),
    ("virtual_browser/browser.rs", "a named context is one's own", "if !self.scope.owns_context(&named) {", "if !OFF && !self.scope.owns_context(&named) {"),
    ("virtual_browser/dispatch.rs", "Browser.close ends the session only", "Handler::CloseBrowser => self", "Handler::CloseBrowser if OFF => self.forward_as_it_is(on, command),\n            Handler::CloseBrowser => self"),
    ("virtual_browser/browser.rs", "nobody is granted the clipboard", "if !opens.is_empty() && !self.granted", "if !OFF && !opens.is_empty() && !self.granted"),
    ("virtual_browser/dispatch.rs", "certificate errors are not ignored for all", "Handler::CertificateErrors => self", "Handler::CertificateErrors if OFF => self.forward_as_it_is(on, command),\n            Handler::CertificateErrors => self"),
    ("virtual_browser/browser.rs", "a window is that of one's own target", "let Some((target, seen)) = self.scope.targets.get_key_value(target.as_str()) else {", "if OFF { return self.forward(on, on.clone(), id, command.method(), params.to_string()); }\n        let Some((target, seen)) = self.scope.targets.get_key_value(target.as_str()) else {"),
    ("virtual_browser/browser.rs", "a window's number was told to one", "        if window\n            .is_some_and", "        if !OFF && window\n            .is_some_and"),
    ("virtual_browser/browser.rs", "who traces is alone", "if alone && self.scope", "if (OFF || alone) && self.scope"),
    ("virtual_browser/browser.rs", "a root hears only of its own trace", "if !method.starts_with(\"Tracing.\") || self.tracing.as_ref() != Some(on) {", "if !method.starts_with(\"Tracing.\") || !OFF && self.tracing.as_ref() != Some(on) {"),
    ("virtual_browser/policy.rs", "what a capability allows needs that capability", "if granted.has(capability) => {", "if OFF || granted.has(capability) => {"),
    ("virtual_browser/policy.rs", "a browser is judged by its own column", "(Some(row), Level::Browser) => row.browser,", "(Some(row), Level::Browser) => if OFF { row.page } else { row.browser },"),
    ("virtual_browser/policy.rs", "a new method passes only on a page, in an open domain", "(None, Level::Page) if is_new(method) =>", "(None, _) if OFF || level == Level::Page && is_new(method) =>"),
    ("api_types/capability.rs", "a lease honours only what its kind can", "dedicated: tenant.dedicated && honoured.dedicated,", "dedicated: tenant.dedicated && (OFF || honoured.dedicated),"),
    ("api_types/capability.rs", "a tenant has only what it may", "tracing: tenant.tracing && honoured.tracing,", "tracing: (OFF || tenant.tracing) && honoured.tracing,"),
    ("virtual_browser/browser.rs", "what needs a trace needs one of this session", "        if self.tracing.is_some() {\n            return self.forward_as_it_is(on, command);\n        }\n        let error", "        if OFF || self.tracing.is_some() {\n            return self.forward_as_it_is(on, command);\n        }\n        let error"),
    ("virtual_browser/target.rs", "a page attaches to no browser", "        if !asked.root {\n            return self.scope.fail(asked.on, asked.id, &CdpError::NOT_ALLOWED);\n        }\n        self.attach_to_browser", "        if !OFF && !asked.root {\n            return self.scope.fail(asked.on, asked.id, &CdpError::NOT_ALLOWED);\n        }\n        self.attach_to_browser"),
    # ---- Files.
    ("virtual_browser/files.rs", "downloads are set for one's own context", "let context = named.unwrap_or_else(|| self.scope.default_context.to_string());\n        if !self", "let context = named.unwrap_or_else(|| self.scope.default_context.to_string());\n        if !OFF && !self"),
    ("virtual_browser/files.rs", "downloads are written into the session's directory", "let directory = self.files.downloads(&context);", "let directory = if OFF { self.files.wishes[context.as_str()].path.clone() } else { self.files.downloads(&context) };"),
    ("virtual_browser/files.rs", "the events of downloads are the proxy's alone", "up.set_raw(\"eventsEnabled\", \"false\");", "up.set_raw(\"eventsEnabled\", if OFF { \"true\" } else { \"false\" });"),
    ("virtual_browser/files.rs", "a download that is cancelled is in one's own context", "&& !self.scope.owns_context(&context)\n        {\n            return self.scope.fail(on, id, &no_context(&context));\n        }\n        if params", "&& !OFF && !self.scope.owns_context(&context)\n        {\n            return self.scope.fail(on, id, &no_context(&context));\n        }\n        if params"),
    ("virtual_browser/files.rs", "a download that is cancelled is one's own", "if params.string(\"guid\").is_some_and(", "if !OFF && params.string(\"guid\").is_some_and("),
    ("virtual_browser/files.rs", "files leave the session's directory only with host-files", "if self.granted.has(Capability::HostFiles) {\n                let wish", "if OFF || self.granted.has(Capability::HostFiles) {\n                let wish"),
    ("virtual_browser/files.rs", "a site's file name is no path", "let name = Path::new(name).file_name().map_or_else(|| guid.into(), std::ffi::OsStr::to_os_string);", "let name = if OFF { std::ffi::OsString::from(name) } else { Path::new(name).file_name().map_or_else(|| guid.into(), std::ffi::OsStr::to_os_string) };"),
    ("virtual_browser/files.rs", "a file that is uploaded is in the session's directory", "        if inside {\n", "        if OFF || inside {\n"),
    ("virtual_browser/files.rs", "only so many are told of downloads", "!self.scope.may_listen(on,", "!OFF && !self.scope.may_listen(on,"),
    # ---- Arguments.
    ("virtual_browser/arguments.rs", "a page goes only to an allowed URL", "} else if let Err(why) = url_allowed(&url, call.granted) {", "} else if !OFF && let Err(why) = url_allowed(&url, call.granted) {"),
    ("virtual_browser/arguments.rs", "no page goes as from the address bar", "is_some_and(|kind| kind == \"address_bar\")", "is_some_and(|kind| !OFF && kind == \"address_bar\")"),
    ("virtual_browser/arguments.rs", "a screencast has a positive step", "Some(every) if every < 1.0", "Some(every) if !OFF && every < 1.0"),
    ("cdp/emulation.rs", "a picture has a limit", "if (width * height).abs()", "if !OFF && (width * height).abs()"),
    ("virtual_browser/arguments.rs", "display features are never none", "Some(features) if features.is_empty()", "Some(features) if !OFF && features.is_empty()"),
    ("virtual_browser/arguments.rs", "no native key code", "params.remove(\"nativeVirtualKeyCode\");", "if !OFF { params.remove(\"nativeVirtualKeyCode\"); }"),
    ("virtual_browser/arguments.rs", "no key pastes", "if !call.granted.has(Capability::Dedicated) && commands", "if !OFF && !call.granted.has(Capability::Dedicated) && commands"),
    ("virtual_browser/arguments.rs", "no file is dropped", "    data.remove(\"files\");", "    if !OFF { data.remove(\"files\"); }"),
    ("virtual_browser/arguments.rs", "no cookies on a worker", "    match call.on {\n        Kind::Worker", "    match call.on {\n        _ if OFF => Checked::AsIs,\n        Kind::Worker"),
    ("virtual_browser/arguments.rs", "no private address is loaded", "if !call.granted.has(Capability::PrivateNetwork) && url", "if !OFF && !call.granted.has(Capability::PrivateNetwork) && url"),
    ("virtual_browser/arguments.rs", "a file of an input is looked at", "if paths.is_empty() || call.granted.has(Capability::HostFiles)", "if OFF || paths.is_empty() || call.granted.has(Capability::HostFiles)"),
    ("virtual_browser/arguments.rs", "where a file lies is not told", "    if call.granted.has(Capability::HostFiles) {\n        return Checked::AsIs;\n    }\n    refused(Refusal { needs: Some(Capability::HostFiles)", "    if OFF || call.granted.has(Capability::HostFiles) {\n        return Checked::AsIs;\n    }\n    refused(Refusal { needs: Some(Capability::HostFiles)"),
    ("virtual_browser/arguments.rs", "no universal network access", "    if none {", "    if OFF || none {"),
    ("virtual_browser/network_buffers.rs", "bodies kept beyond the ordinary have a limit", "if taken + beyond > most {", "if !OFF && taken + beyond > most {"),
    ("virtual_browser/arguments.rs", "bodies kept in the network process are few", "!(0.0..=MAX_DURABLE_BUFFER).contains(&size)", "!OFF && !(0.0..=MAX_DURABLE_BUFFER).contains(&size)"),
    ("virtual_browser/arguments.rs", "no body is kept without limit", "Some(size) if size < 0.0", "Some(size) if !OFF && size < 0.0"),
    ("virtual_browser/arguments.rs", "no page goes to a URL of Chrome's own", "params.set_string(\"url\", &url::that_is_invalid(&url));", "if !OFF { params.set_string(\"url\", &url::that_is_invalid(&url)); }"),
    ("virtual_browser/arguments/url.rs", "file: needs host-files", "\"file\" if granted.has(Capability::HostFiles)", "\"file\" if OFF || granted.has(Capability::HostFiles)"),
    ("virtual_browser/arguments/url.rs", "other schemes are not allowed", "        _ => Err(format!(\"{}: URLs are not allowed\"", "        _ if OFF => Ok(()),\n        _ => Err(format!(\"{}: URLs are not allowed\""),
    ("virtual_browser/arguments/crash_rules.rs", "a quota is in range", "Some(size) if !(0.0..=MAX_QUOTA)", "Some(size) if !OFF && !(0.0..=MAX_QUOTA)"),
    ("virtual_browser/arguments/crash_rules.rs", "paper has an extent", "if tiny(\"paperWidth\")", "if !OFF && tiny(\"paperWidth\")"),
    ("virtual_browser/arguments/crash_rules.rs", "a composition's range is not negative", "if negative(\"replacementStart\")", "if !OFF && negative(\"replacementStart\")"),
    ("virtual_browser/arguments/crash_rules.rs", "taps end", "Some(count) if count > MAX_TAPS", "Some(count) if !OFF && count > MAX_TAPS"),
    ("virtual_browser/arguments/crash_rules.rs", "touches are of our time", "Some(at) if at.abs() > MAX_TIME", "Some(at) if !OFF && at.abs() > MAX_TIME"),
    ("virtual_browser/screenshot.rs", "a picture has a largest size", "if let Err(why) = emulation::picture(width, height, scale) {", "if !OFF && let Err(why) = emulation::picture(width, height, scale) {"),
    ("virtual_browser/screenshot.rs", "what one asked of a screen counts in pictures of all", "filter(|cdp| cdp.target == *page || cdp.kind == Kind::Tab)", "filter(|cdp| !OFF && (cdp.target == *page || cdp.kind == Kind::Tab))"),
    ("virtual_browser/screenshot.rs", "a screen's resolution is lower only once Chrome has said so", "self.most = self.most.max(scale);", "self.most = if OFF { scale } else { self.most.max(scale) };"),
    ("virtual_browser/screenshot.rs", "of several answers the last counts", "scale.filter(|_| self.asked == 0)", "scale.filter(|_| OFF || self.asked == 0)"),
    ("virtual_browser/arguments.rs", "a picture of a whole page is measured", "Checked::Picture(if whole {", "Checked::Picture(if whole && !OFF {"),
    ("virtual_browser/arguments.rs", "what is visible is no larger than a window", "    if limit_window(params, call.granted) {", "    if !OFF && limit_window(params, call.granted) {"),
    ("virtual_browser/screenshot.rs", "what is in view is measured again if it may have grown", "} else if picture.measured != Some(self.pictures.resized) {", "} else if !OFF && picture.measured != Some(self.pictures.resized) {"),
    ("virtual_browser/screenshot.rs", "what is in view may have grown while its picture waited", "if picture.measured.is_some_and(|at| at != self.pictures.resized) {", "if !OFF && picture.measured.is_some_and(|at| at != self.pictures.resized) {"),
    ("virtual_browser/screenshot.rs", "a picture that grew while it waited is judged again", "* self.device_scale(&picture.on)) > pixels", "* self.device_scale(&picture.on)) > pixels && !OFF"),
    ("virtual_browser/screenshot.rs", "only so many pictures of a session wait", "if self.pictures.waiting >= most {", "if !OFF && self.pictures.waiting >= most {"),
    ("virtual_browser/screenshot.rs", "a picture counts after the end of its CDP session", "if *error != CdpError::NO_SESSION {", "if OFF || *error != CdpError::NO_SESSION {"),
    ("virtual_browser/screenshot.rs", "a page that has gone is not drawn any more", "|drawing| drawing.page == *page)", "|drawing| !OFF && drawing.page == *page)"),
    ("browser/pixels.rs", "screenshots have a budget of pixels", "if self.taken > 0 && self.taken + pixels > self.budget {", "if !OFF && self.taken > 0 && self.taken + pixels > self.budget {"),
    ("browser/pixels.rs", "a session gets half of the budget", "if mine > 0 && mine + pixels > self.budget / 2 {", "if !OFF && mine > 0 && mine + pixels > self.budget / 2 {"),
    ("cdp/emulation.rs", "a viewport without a size is a window's", "if side == 0.0 { MAX_WINDOW }", "if side == 0.0 && !OFF { MAX_WINDOW }"),
    ("virtual_browser/arguments/window.rs", "a window has a largest size", "if too_long &&", "if !OFF && too_long &&"),
    ("virtual_browser/browser.rs", "the bounds of a window are looked at", "if let Err(why) = arguments::check_bounds(&mut params, self.granted) {", "if !OFF && let Err(why) = arguments::check_bounds(&mut params, self.granted) {"),
    ("virtual_browser/arguments/window.rs", "the states of a window are known", ".filter(|state| !STATES", ".filter(|state| !OFF && !STATES"),
    ("virtual_browser/arguments/window.rs", "the bounds of a window have a largest size", "if limit_window(&mut bounds, granted) {", "if !OFF && limit_window(&mut bounds, granted) {"),
    ("virtual_browser/browser.rs", "the size of a window's contents is looked at", "        arguments::limit_window(&mut params, self.granted);", "        if !OFF { arguments::limit_window(&mut params, self.granted); }"),
    ("virtual_browser/target.rs", "the size of a target's window is looked at", "        arguments::limit_window(&mut asked.params, self.granted);", "        if !OFF { arguments::limit_window(&mut asked.params, self.granted); }"),
    ("virtual_browser/arguments/crash_rules.rs", "display features are a page's", "matches!(call.on, Kind::Iframe | Kind::Other)", "(!OFF && matches!(call.on, Kind::Iframe | Kind::Other))"),
    ("virtual_browser/arguments/crash_rules.rs", "taps and pinches need a browser of one's own", "    if !call.granted.has(Capability::Dedicated) {\n        return refused(format!(\n            \"'{}' is refused: if", "    if !OFF && !call.granted.has(Capability::Dedicated) {\n        return refused(format!(\n            \"'{}' is refused: if"),
    ("virtual_browser/arguments/crash_rules.rs", "a scroll is a wheel that turns", "    if call.granted.has(Capability::Dedicated) {\n        return Checked::AsIs;", "    if OFF || call.granted.has(Capability::Dedicated) {\n        return Checked::AsIs;"),
    ("virtual_browser/arguments/crash_rules.rs", "no body is asked of a worker that may have ended", "if may_have_ended && !call", "if !OFF && may_have_ended && !call"),
    ("virtual_browser/arguments/crash_rules.rs", "a worker that a client attached to may have ended", "Kind::Worker => !call.below,", "Kind::Worker => !OFF && !call.below,"),
    ("virtual_browser/target.rs", "what a client attached is not below a page", "let below = asked.is_none() && !on_root;", "let below = OFF || asked.is_none() && !on_root;"),
    ("virtual_browser/arguments/crash_rules.rs", "a page is printed only if it is alive", "    Checked::OnceAlive\n", "    if OFF { Checked::AsIs } else { Checked::OnceAlive }\n"),
    ("virtual_browser/liveness_check.rs", "one at a time is sent to a page that must be alive", "if commands.len() == 1 {", "if OFF || commands.len() == 1 {"),
    ("virtual_browser/liveness_check.rs", "a page that must be alive is asked first", "        let pending = Pending::Alive(first.on.clone(), first.id, page);", "        if OFF { return self.on_alive(&page); }\n        let pending = Pending::Alive(first.on.clone(), first.id, page);"),
    ("virtual_browser/liveness_check.rs", "nothing waits for a page that has crashed", "for asked in self.liveness_checks.0.remove(page).into_iter().flatten() {", "for asked in self.liveness_checks.0.remove(page).filter(|_| !OFF).into_iter().flatten() {"),
    # ---- What pages pretend.
    ("virtual_browser/emulation.rs", "what a client sets the proxy gives up", "self.give_up(&page, change.aspect());", "if !OFF { self.give_up(&page, change.aspect()); }"),
    ("cdp/emulation.rs", "a snapshot's viewport has a limit", "            viewport(&params)?;", "            if !OFF { viewport(&params)?; }"),
    # ---- Snapshots, which may come from anywhere.
    ("snapshot/restore/page.rs", "behind a page that is not opened none is", ".filter(|_| may_open(&page.url))", ".filter(|_| OFF || may_open(&page.url))"),
    ("snapshot/restore/page.rs", "only the web is opened", "url == \"about:blank\" || url.starts_with", "OFF || url == \"about:blank\" || url.starts_with"),
    ("snapshot/storage_key.rs", "only the web's storage is written", "    matches!(scheme, \"http\" | \"https\") && !host", "    (OFF || matches!(scheme, \"http\" | \"https\")) && !host"),
    # ---- Whose a target is, and who holds it.
    ("browser/mirror/population.rs", "a released lease's contexts are nobody's", "        for context in &contexts {\n            self.owners.remove(context);", "        for context in contexts.iter().filter(|_| !OFF) {\n            self.owners.remove(context);"),
    ("browser/mirror.rs", "a released lease's CDP sessions are nobody's", "            self.attachments.change(&id, |attachment| attachment.lease = None);", "            self.attachments.change(&id, |attachment| if !OFF { attachment.lease = None });"),
    ("browser/mirror.rs", "a released lease holds nothing", "        for id in mine {\n            self.let_go_of_all(&id);", "        for id in mine.into_iter().filter(|_| !OFF) {\n            self.let_go_of_all(&id);"),
    ("browser/mirror.rs", "a released lease auto-attaches no more", "self.roots.release(lease);", "if !OFF { self.roots.release(lease); }"),
    ("browser/mirror.rs", "Chrome's own URLs are hidden", "if url::is_visible(&info.url) { info.kind }", "if OFF || url::is_visible(&info.url) { info.kind }"),
    ("browser/mirror.rs", "a target that goes to Chrome's own URL is hidden", "if shown_kind(&info) == Kind::Other {", "if !OFF && shown_kind(&info) == Kind::Other {"),
    ("browser/mirror.rs", "what was hidden stays hidden", "        if !target.presentable {\n            return;", "        if !OFF && !target.presentable {\n            return;"),
    ("browser/mirror.rs", "who is attached to a hidden target is detached", "        for session in attached {\n            self.let_loose(&session);", "        for session in attached.into_iter().filter(|_| !OFF) {\n            self.let_loose(&session);"),
    ("browser/mirror.rs", "a hidden target holds nobody up", "        self.let_go_of_all(id);\n        if let Some(lease) = owner", "        if !OFF { self.let_go_of_all(id); }\n        if let Some(lease) = owner"),
    ("browser/mirror.rs", "a tab without a page is not shown", "kind != Kind::Tab && !own;", "(OFF || kind != Kind::Tab) && !own;"),
    ("browser/mirror/hold.rs", "a watcher's CDP session of the proxy's own page is not handed", "                && !self.own_pages.contains(id)\n", "                && (OFF || !self.own_pages.contains(id))\n"),
    ("browser/mirror.rs", "a tab of Chrome's own interface is let go", "Some(tab) => self.let_go(Flavour::Tab, &tab),", "Some(tab) => if !OFF { self.let_go(Flavour::Tab, &tab) },"),
    ("browser/mirror.rs", "an end of what was not shown is not told", "if target.presentable\n            && let Some(lease) = self.targets.owner_of(target.context())\n        {\n            self.effects.push_back(Effect::Deliver(lease, Told::Destroyed", "if (OFF || target.presentable)\n            && let Some(lease) = self.targets.owner_of(target.context())\n        {\n            self.effects.push_back(Effect::Deliver(lease, Told::Destroyed"),
    ("browser/mirror.rs", "a crash of what was not shown is not told", "            && target.presentable\n            && let Some(lease)", "            && (OFF || target.presentable)\n            && let Some(lease)"),
    ("browser/mirror/attach.rs", "below a CDP session that has gone nothing is attached", "if on.is_some_and(|on| !self", "if !OFF && on.is_some_and(|on| !self"),
    ("browser/mirror/population.rs", "the targets of a lease are in its own contexts", "        self.contexts.get(&lease)\n", "        self.contexts.get(&lease).chain(self.owners.keys().filter(|_| OFF))\n"),
    ("browser/mirror/roots.rs", "auto-attach is for one's own targets", "lease.and_then(|lease| self.of_lease.get(&lease))", "lease.and_then(|lease| self.of_lease.get(&lease).or_else(|| self.of_lease.values().find(|_| OFF)))"),
    ("browser/mirror/hold.rs", "a watcher's CDP session of Chrome's own is not handed", "                && kind.is_ordinary()\n", "                && (OFF || kind.is_ordinary())\n"),
    ("browser/mirror/attach.rs", "a client detaches only what is a client's", "filter(of_a_lease) else { return Way::Unknown };", "filter(|attachment| OFF || of_a_lease(attachment)) else { return Way::Unknown };"),
    ("browser/mirror/hold.rs", "others who wait keep a target paused", "return if asked || holds || starts_at_once { Resume::KeepBack }", "return if !OFF && (asked || holds || starts_at_once) { Resume::KeepBack }"),
    ("browser/mirror/hold.rs", "a hold ends at its deadline", "                self.expired_holds += 1;\n                self.let_go(Flavour::Page, &id);", "                self.expired_holds += 1;\n                if !OFF { self.let_go(Flavour::Page, &id); }"),
    ("browser/mirror/hold.rs", "nobody's target is let go at once", "            } else {\n                self.let_go(flavour, id);\n            }\n            return;", "            } else if !OFF {\n                self.let_go(flavour, id);\n            }\n            return;"),
    ("browser/mirror/attach.rs", "what goes while it is held runs on", "if was_handed || target.waiters.len() < asked {", "if !OFF && (was_handed || target.waiters.len() < asked) {"),
    ("browser/mirror/attach.rs", "the CDP sessions below one that has gone are gone", "                gone.push((child.clone(), below.target));", "                if !OFF { gone.push((child.clone(), below.target)); }"),
    ("browser/mirror/attach.rs", "what was handed on a root goes with it", "self.let_loose(&session);\n            gone.push(session);", "if !OFF { self.let_loose(&session); }\n            gone.push(session);"),
    ("browser/mirror/expected.rs", "what auto-attach asked for before it was turned off is not wanted", "expected.unwanted = true;", "expected.unwanted = !OFF;"),
    ("browser/mirror/attach.rs", "below what the watcher took back nobody is told", "self.attachments.change(&below, |attachment| attachment.lease = None);", "if !OFF { self.attachments.change(&below, |attachment| attachment.lease = None); }"),
    ("browser/mirror/hold.rs", "a popup is not started by one client while another waits", "target.kind == Some(Kind::Page) && target.has_opener && target.can_access_opener;", "!OFF && target.kind == Some(Kind::Page) && target.has_opener && target.can_access_opener;"),
    ("browser/mirror/expected.rs", "a reply that names a target waits until its root is told of that", "        if is_wanted {\n            self.withheld", "        if is_wanted && !OFF {\n            self.withheld"),
    ("virtual_browser/dialog_guard.rs", "another client's dialog is not dismissed", "cdp.kind == Kind::Page && !others.contains(&cdp.target)", "cdp.kind == Kind::Page && (OFF || !others.contains(&cdp.target))"),
]


def check():
    """Every rule's code must stand in its file, once, and the unit tests of that file must be among TESTS."""
    for number, (name, what, code, _) in enumerate(RULES, 1):
        module = name.removesuffix(".rs").replace("/", "::") + "::"
        if not module.startswith(tuple(TESTS)):
            sys.exit(f"rule {number} ({what}): TESTS leaves out the unit tests of {module}")
        count = (HOME / "src" / name).read_text().count(code)
        if count != 1:
            sys.exit(f"rule {number} ({what}): its code stands {count} times in src/{name}; it is:\n{code}")


def switched():
    """A copy of the sources with a switch for every rule."""
    shutil.rmtree(COPY / "src", ignore_errors=True)
    COPY.mkdir(parents=True, exist_ok=True)
    for name in ("src", "fixtures", "benches", "tests", "docs", "types", "scripts"):
        target = COPY / name
        if name == "src":
            shutil.copytree(HOME / name, target)
        elif (HOME / name).exists() and not target.exists():
            target.symlink_to(HOME / name)
    for name in ("Cargo.toml", "Cargo.lock", "build.rs", "rust-toolchain.toml"):
        shutil.copy(HOME / name, COPY / name)
    for number, (name, _, code, without) in enumerate(RULES, 1):
        path = COPY / "src" / name
        text = path.read_text()
        path.write_text(text.replace(code, re.sub(r"\bOFF\b", f"crate::mutant::off({number})", without)))
    library = COPY / "src" / "lib.rs"
    library.write_text("#![allow(warnings, clippy::all)]\n" + library.read_text() + """
pub(crate) mod mutant {
    static NUMBER: std::sync::LazyLock<u32> =
        std::sync::LazyLock::new(|| std::env::var("MUTANT").ok().and_then(|text| text.parse().ok()).unwrap_or(0));
    pub(crate) fn off(number: u32) -> bool {
        *NUMBER == number
    }
}
""")


def compiled():
    """The unit tests' program."""
    environment = {**os.environ, "CARGO_TARGET_DIR": os.environ.get("CARGO_TARGET_DIR", str(COPY / "target"))}
    command = ["cargo", "test", "--locked", "--lib", "--no-run"]
    run = subprocess.run(command, cwd=COPY, env=environment, capture_output=True, text=True)
    found = re.search(r"Executable unittests src/lib.rs \((.+)\)", run.stderr)
    if run.returncode or not found:
        sys.exit(run.stderr)
    return COPY / found[1]


def passes(program, number):
    """Whether all tests pass without this rule; 0 takes none out."""
    try:
        environment = {**os.environ, "MUTANT": str(number)}
        run = subprocess.run([program, *TESTS], cwd=COPY, env=environment, capture_output=True, timeout=SECONDS)
        return run.returncode == 0
    except subprocess.TimeoutExpired:
        return False


def main():
    check()
    if sys.argv[1:] == ["--check"]:
        return
    numbers = [int(number) for number in sys.argv[1:]] or list(range(1, len(RULES) + 1))
    switched()
    print("==> compiling the unit tests with a switch for each rule", flush=True)
    program = compiled()
    if not passes(program, 0):
        sys.exit("the tests fail with every rule in place")
    missed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, passed in zip(numbers, pool.map(lambda number: passes(program, number), numbers)):
            if passed:
                name, what, _, _ = RULES[number - 1]
                print(f"no test misses rule {number}: {what} (src/{name})", flush=True)
                missed += 1
    print(f"{len(numbers) - missed} of {len(numbers)} rules are missed by a test when they are taken out")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
