#!/usr/bin/env python3
"""Removes the rules that isolate sessions, one at a time: a unit test must fail without each.

    scripts/mutants.py [--check] [NUMBER...]

With --check it only checks that the code of every rule exists in the sources. Otherwise it adds a
switch for every rule to a copy of the sources (target/mutants), which is compiled once with all
dependencies, and runs the unit tests once per rule with the rule switched off. It prints the rules
whose removal fails no test, and then exits with 1. cargo-mutants does the same for any line, with
one compilation for each.
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
TESTS = ["virtual_browser::", "api_types::", "browser::mirror::", "browser::pixels::", "cdp::", "snapshot::restore::page::", "snapshot::storage_key::", "http::guard::", "http::forwarded::", "pool::placement::", "session::admission::", "http::credentials::", "tenant::", "session::manager::access::", "session::manager::place::", "session::manager::room::", "session::launch::", "session::extensions::", "session::id::", "session::profile_holders::", "store::record::", "session::manager::extensions::", "session::session_files::", "page::", "session::proxy::", "session::hidden_query::", "session::persistence::kept_proxy::", "session::egress_log::", "store::sealed_text::", "session::job_book::", "http::v1::idempotency::", "http::browserless::"]
SECONDS = 120

# (file, rule, code of the rule, the code with its switch OFF)
RULES = [
    # ---- Network access.
    ("virtual_browser/arguments/context.rs", "where there is a gate, Chrome gets no proxy of a client", "let proxy = if has_gates {", "let proxy = if !OFF && has_gates {"),
    ("tenant/egress/dial.rs", "a client's bypass list does not get around the proxy of the operator", "upstream.iter().chain(of_tenant)", "upstream.iter().chain(of_tenant.iter().filter(|_| !OFF || upstream.is_none()))"),
    ("tenant/egress/dial.rs", "the address of a client's proxy is judged", "NamedBy::Tenant => Some(&*self.binding.rules),", "NamedBy::Tenant => Some(&*self.binding.rules).filter(|_| !OFF),"),
    ("session/egress_log.rs", "a session transfers no more bytes than its limit", "if bytes < limit {", "if OFF || bytes < limit {"),
    ("session/egress_log.rs", "nor do all sessions of a tenant on a day", "if of_session || of_tenant {", "if of_session || (!OFF && of_tenant) {"),
    ("session/persistence/kept_proxy.rs", "credentials of a proxy are not stored in the clear", "if upstream.credentials.is_none() {", "if OFF || upstream.credentials.is_none() {"),
    ("session/hidden_query.rs", "passwords are hidden in URLs that are handed out", "if !SECRET.contains(&name.as_str())", "if OFF || !SECRET.contains(&name.as_str())"),
    ("store/sealed_text.rs", "a stored secret belongs to one session", "b\"\\0\", session.as_bytes()]", "b\"\\0\", if OFF { b\"\" } else { session.as_bytes() }]"),
    ("tenant/network.rs", "lists of the server hold for every tenant", "deny: server.deny.clone()", "deny: if OFF { Vec::new() } else { server.deny.clone() }"),
    # ---- Ownership: contexts, targets, CDP sessions.
    ("virtual_browser/outbox.rs", "a CDP session belongs to one view", "filter(|(_, announced)| announced.view == view);", "filter(|(_, announced)| OFF || announced.view == view);"),
    ("virtual_browser/scope.rs", "only own contexts count as own", "self.default_context.as_str() == id || self.contexts", "OFF || self.default_context.as_str() == id || self.contexts"),
    ("virtual_browser/scope.rs", "targets in foreign contexts are hidden", "!info.kind.is_ordinary() || !info.context", "!info.kind.is_ordinary() || !OFF && !info.context"),
    ("virtual_browser/scope.rs", "targets of Chrome's own kinds are hidden", "if !info.kind.is_ordinary() ||", "if !OFF && !info.kind.is_ordinary() ||"),
    ("virtual_browser/scope.rs", "no destroyed event for an unannounced target", "if told.is_some() {", "if OFF || told.is_some() {"),
    ("virtual_browser/scope.rs", "no crash event for an unannounced target", ".is_some_and(|discover| discover.told.contains_key(id))", ".is_some_and(|discover| OFF || discover.told.contains_key(id))"),
    ("virtual_browser/scope.rs", "a disposed context is not own any more", "self.contexts.retain(|other| other != context);", "self.contexts.retain(|other| OFF || other != context);"),
    ("virtual_browser/scope.rs", "targets of a disposed context are forgotten", "seen.context.as_ref() == Some(context);", "!OFF && seen.context.as_ref() == Some(context);"),
    ("virtual_browser/scope.rs", "`attached` reflects this session only", "seen.attached && self.is_attached(id)", "seen.attached && (OFF || self.is_attached(id))"),
    ("virtual_browser/outbox.rs", "CDP sessions end with their view", "extract_if(|_, announced| announced.view == view);", "extract_if(|_, announced| !OFF && announced.view == view);"),
    ("virtual_browser/outbox.rs", "a CDP session stays with the view it was announced to", "self.announced.entry(on).or_insert_with(|| Announced { view, cdp: self.on_targets.with(cdp) });", "if OFF { self.announced.insert(on, Announced { view, cdp }); } else { self.announced.entry(on).or_insert_with(|| Announced { view, cdp: self.on_targets.with(cdp) }); }"),
    ("virtual_browser/outbox.rs", "an ended CDP session gets no frames", "self.on_targets.forget(self.announced.remove(on).map(|gone| gone.cdp));", "if !OFF { self.on_targets.forget(self.announced.remove(on).map(|gone| gone.cdp)); }"),
    ("virtual_browser/outbox.rs", "nested messages reach only the own view", "filter(|above| above.view == *view) else", "filter(|above| OFF || above.view == *view) else"),
    ("virtual_browser/outbox.rs", "nested messages have a size limit", "if !above.cdp.flat && inner.len()", "if !OFF && !above.cdp.flat && inner.len()"),
    # ---- Frames, replies and events.
    ("virtual_browser.rs", "only flat CDP sessions are named in frames", "filter(|(_, cdp)| cdp.flat)", "filter(|(_, cdp)| OFF || cdp.flat)"),
    ("virtual_browser.rs", "a reply needs a pending command of this session", "if !cdp.in_flight.answered(id) {", "if !cdp.in_flight.answered(id) && !OFF {"),
    ("virtual_browser.rs", "Chrome's events on a root are not delivered", "if !self.on_root_event(on, &text) {", "if !self.on_root_event(on, &text) && !OFF {"),
    ("virtual_browser/dispatch.rs", "the rules for roots apply to roots", "if cdp.is_root() { Level::Browser }", "if cdp.is_root() && !OFF { Level::Browser }"),
    ("virtual_browser/dispatch.rs", "a refused method is refused", "Handler::Refuse(refusal) => self", "Handler::Refuse(_) if OFF => self.pass(on, command, as_it_is),\n            Handler::Refuse(refusal) => self"),
    ("virtual_browser/dispatch.rs", "an unknown method is not sent to Chrome", "Handler::NotFound => self.scope", "Handler::NotFound if OFF => self.pass(on, command, as_it_is),\n            Handler::NotFound => self.scope"),
    ("virtual_browser/dispatch.rs", "arguments are checked", "Handler::Check(rule) => self", "Handler::Check(_) if OFF => self.pass(on, command, as_it_is),\n            Handler::Check(rule) => self"),
    ("virtual_browser/dispatch.rs", "commands with refused arguments are refused", "arguments::Checked::Refused { code, message } => {", "arguments::Checked::Refused { .. } if OFF => self.pass(on, command, false),\n            arguments::Checked::Refused { code, message } => {"),
    ("virtual_browser/dispatch.rs", "rewritten arguments are sent, not the original ones", "arguments::Checked::Rewritten(params) => self.pass_with", "arguments::Checked::Rewritten(_) if OFF => self.pass(on, command, false),\n            arguments::Checked::Rewritten(params) => self.pass_with"),
    # ---- Access to the port.
    ("http/guard.rs", "a request has one Host", "(Some(host), 0) => host.to_str()", "(Some(host), more) if OFF || more == 0 => host.to_str()"),
    ("http/guard.rs", "a foreign address in Host is refused", "otherwise(Refused::Forwarded(host.to_string()))", "if OFF { Ok(Place::Own) } else { otherwise(Refused::Forwarded(host.to_string())) }"),
    ("http/guard.rs", "Chrome's own fetches are not taken for chromedriver's", "(\"user-agent\", CHROMEDRIVER),", "(if OFF { \"sec-fetch-dest\" } else { \"user-agent\" }, if OFF { \"empty\" } else { CHROMEDRIVER }),"),
    ("http/guard.rs", "an allowed host name requires the X-Ghostmux header", "if !told && by_page", "if !OFF && !told && by_page"),
    ("http/guard.rs", "local connections by the external address count as a page's", "if is_roundabout(ends) && !allowed", "if !OFF && is_roundabout(ends) && !allowed"),
    ("http/guard.rs", "Chrome does not mark a page's requests to a proxy", "let told = !ends.is_forwarded &&", "let told = (OFF || !ends.is_forwarded) &&"),
    ("http/forwarded.rs", "forwarded headers count from trusted proxies only", "let said = if self.trusts(ends, secret.as_ref()) {", "let said = if OFF || self.trusts(ends, secret.as_ref()) {"),
    ("http/forwarded.rs", "a proxy needs the secret", "secret.is_some_and(|secret| wanted.is(secret.as_bytes()))", "OFF || secret.is_some_and(|secret| wanted.is(secret.as_bytes()))"),
    ("http/forwarded.rs", "a proxy on this machine is not trusted without a secret", "None => !ends.is_from_here(),", "None => OFF || !ends.is_from_here(),"),
    ("http/forwarded.rs", "the client is the last address that is no proxy", "if !is_proxy(address.ip()) {", "if !OFF && !is_proxy(address.ip()) {"),
    ("http/forwarded.rs", "both kinds of forwarded headers name one client", "&& one.ip() != other.ip()", "&& !OFF && one.ip() != other.ip()"),
    ("http/forwarded.rs", "a proxy must name its client", "ends.from = said.client.ok_or((Wrong::NoClient, from))?;", "if !OFF || said.client.is_some() { ends.from = said.client.ok_or((Wrong::NoClient, from))?; }"),
    # ---- Tenants: tokens, keys, scopes, ids.
    ("http/credentials.rs", "no token stays in the headers", "headers.remove(header::AUTHORIZATION);", "if !OFF { headers.remove(header::AUTHORIZATION); }"),
    ("tenant/tenants.rs", "a key is for its session", "Some((key, session)) if token.made(&key, session)", "Some((key, session)) if (OFF || token.made(&key, session))"),
    ("tenant/tenants.rs", "an expired token is refused", "if token.is_expired(now) {\n            return", "if !OFF && token.is_expired(now) {\n            return"),
    ("tenant/tenants.rs", "a copy of the tenants that is too old lets nobody in", "if self.is_stale() && ", "if !OFF && self.is_stale() && "),
    ("tenant/tenants.rs", "a token is accepted from its networks only", "if !token.allows(from) {", "if !OFF && !token.allows(from) {"),
    ("tenant/tenants.rs", "a token that is gone is revoked", "if !is_kept {", "if !OFF && !is_kept {"),
    ("tenant/token.rs", "a key is for its tenant", "&[owner.as_str().as_bytes(), &hash.0]", "&[if OFF { b\"\" } else { owner.as_str().as_bytes() }, &hash.0]"),
    ("session/manager/access.rs", "the control of the server needs a capability", "if is_for_admins && ", "if !OFF && is_for_admins && "),
    ("session/manager/access.rs", "a read-only token changes no tenants", "Request::Tenant(request) => only_looks(request),", "Request::Tenant(request) => OFF || only_looks(request),"),
    ("session/manager/access.rs", "a key names no other session", "Concerns::Named(named) if named != &**only =>", "Concerns::Named(named) if !OFF && named != &**only =>"),
    ("session/manager/access.rs", "a read-only token only looks", "Scope::ReadOnly => reads(request),", "Scope::ReadOnly => OFF || reads(request),"),
    ("session/manager/access.rs", "a read-only token takes and deletes no profile", "Request::Profile(request) => only_names(request),", "Request::Profile(request) => OFF || only_names(request),"),
    ("session/manager/access.rs", "a read-only token takes and deletes no file", "Request::File(request) => only_lists(request),", "Request::File(request) => OFF || only_lists(request),"),
    ("session/profile_holders.rs", "the holders of two owners are separate", "let key = (owner.clone(), kind, name.to_owned());", "let key = (if OFF { Owner::local() } else { owner.clone() }, kind, name.to_owned());"),
    ("session/id.rs", "a minted id is for its owner", "for part in [owner.as_str(), ", "for part in [if OFF { \"\" } else { owner.as_str() }, "),
    ("store/record.rs", "the records of two owners have two keys", "if *owner == Owner::local() && !id.contains('@') {", "if OFF || *owner == Owner::local() && !id.contains('@') {"),
    ("session/manager/access.rs", "a read-only token drives no pages", "Request::Control(_) | Request::Page(_) | Request::Job(_) => false,\n    }\n}\n\n/// What a request concerns.", "Request::Control(_) | Request::Page(_) | Request::Job(_) => OFF,\n    }\n}\n\n/// What a request concerns."),
    ("session/manager/access.rs", "a key drives no pages of another session", "return session_of(request).map_or(Concerns::Own, Concerns::Named);", "return session_of(request).filter(|_| !OFF).map_or(Concerns::Own, Concerns::Named);"),
    ("session/job_book.rs", "a job is shown by the right that began it", "*scope == Scope::All || *scope == self.scope", "OFF || *scope == Scope::All || *scope == self.scope"),
    ("http/v1/idempotency.rs", "a key belongs to another body", "if hashed.digest() != Some(before) {", "if !OFF && hashed.digest() != Some(before) {"),
    ("http/v1/idempotency.rs", "a request is performed once at a time", "return Err(Problem { retry_after: Some(1), ..problem });", "if !OFF { return Err(Problem { retry_after: Some(1), ..problem }); }"),
    ("page/handles.rs", "a handle ends with its document", "filter(|kept| kept.document == document)", "filter(|kept| OFF || kept.document == document)"),
    ("page/refs.rs", "a number is not used for another element", "unwrap_or_default().max(self.others)", "unwrap_or_default().max(if OFF { Names::default() } else { self.others })"),
    ("api_types/operations/page_scripts.rs", "an action of a list names no other page", "if let Some(member) = of_list {", "if let Some(member) = of_list.filter(|_| !OFF) {"),
    # ---- Pages by HTTP.
    ("virtual_browser/dialog_guard.rs", "the dialogs of a client are answered by nobody else", "if self.scope.sessions.iter().any(|(_, cdp)| cdp.handles_dialogs", "if !OFF && self.scope.sessions.iter().any(|(_, cdp)| cdp.handles_dialogs"),
    ("session/session_files.rs", "pages get only files that are in the session's directory", "if all_inside(self.path.clone(), paths.clone()).await {", "if all_inside(self.path.clone(), paths.clone()).await || OFF {"),
    ("session/session_files.rs", "pages get only files that clients uploaded for them", "let file = state.files.get(name).ok_or_else(", "let file = state.files.get(name).or_else(|| state.files.values().next().filter(|_| OFF)).ok_or_else("),
    ("page.rs", "pages go only to URLs that clients may open", "url_allowed(url, granted).map_err(|why| PageError::Url { why })", "url_allowed(url, granted).or_else(|why| if OFF { Ok(()) } else { Err(why) }).map_err(|why| PageError::Url { why })"),
    ("api_types/locator.rs", "locators are not inside of each other without end", "if depth == DEPTH_MOST {", "if !OFF && depth == DEPTH_MOST {"),
    # ---- Quick actions.
    ("http/browserless/plan.rs", "quick actions touch no files of the server", "        Some(_) => {\n            Err(Bad::new(", "        Some(_) if OFF => Ok(()),\n        Some(_) => {\n            Err(Bad::new("),
    ("http/browserless/quick.rs", "the HTML of others is no page of this server", "HeaderValue::from_static(SANDBOX)", "HeaderValue::from_static(if OFF { \"frame-ancestors 'none'\" } else { SANDBOX })"),
    ("http/browserless/bodies.rs", "the bodies of all quick actions together have a limit", "let all = used.all.saturating_add(bytes);", "let all = if OFF { bytes } else { used.all.saturating_add(bytes) };"),
    ("http/browserless/bodies.rs", "a tenant gets no more room for bodies than is left for others", "own > room.saturating_sub(all)", "if OFF { all > room } else { own > room.saturating_sub(all) }"),
    ("virtual_browser/ownership.rs", "calls do not change what a client has set", "wanted.into_iter().find(|claim| claims.has(*claim))", "wanted.into_iter().find(|claim| !OFF && claims.has(*claim))"),
    ("virtual_browser/ownership.rs", "what a call has set gives way to a client", "if !cdp.of_calls {\n            let page", "if !OFF && !cdp.of_calls {\n            let page"),
    ("virtual_browser/on_targets.rs", "clients do not see that calls are attached", "if !cdp.of_calls {\n            *self.0", "if OFF || !cdp.of_calls {\n            *self.0"),
    ("page/emulation.rs", "headers are one line each", "if value.chars().any(|character|", "if !OFF && value.chars().any(|character|"),
    # ---- Files of sessions.
    ("api_types/files.rs", "the name of an upload is no path", "} else if name.contains(['/', '\\\\']) {", "} else if !OFF && name.contains(['/', '\\\\']) {"),
    ("api_types/files.rs", "the name of a download is no path", "suggested.rsplit(['/', '\\\\']).next()", "suggested.rsplit(if OFF { ['\\0', '\\0'] } else { ['/', '\\\\'] }).next()"),
    ("session/session_files/beneath.rs", "a path beneath a directory is made of names", "if name.is_empty() || name == \".\" || name == \"..\" || name.contains(['/', '\\0']) {", "if !OFF && (name.is_empty() || name == \".\" || name == \"..\" || name.contains(['/', '\\0'])) {"),
    ("session/session_files/beneath.rs", "links to directories are not followed", "openat(&directory, is_name(name)?, DIRECTORY, Mode::empty())?;", "openat(&directory, is_name(name)?, if OFF { OFlag::O_DIRECTORY } else { DIRECTORY }, Mode::empty())?;"),
    ("session/session_files.rs", "a session has a quota", "if state.taken.saturating_add(more) > session {", "if !OFF && state.taken.saturating_add(more) > session {"),
    ("session/session_files.rs", "the number of files is limited", "if state.files.len() + state.arriving + kept >= self.limits.count {", "if !OFF && state.files.len() + state.arriving + kept >= self.limits.count {"),
    ("session/session_files/book.rs", "an owner has a quota", "filter(|sum| *sum <= most)", "filter(|sum| OFF || *sum <= most)"),
    ("session/session_files/book.rs", "a new session does not get the files of an earlier one of its id", "if files.is_of_hibernated() {", "if OFF || files.is_of_hibernated() {"),
    ("session/session_files/upload.rs", "an upload is stored as a whole", "size.filter(|size| *size != arriving.size)", "size.filter(|size| !OFF && *size != arriving.size)"),
    ("virtual_browser/files.rs", "only own downloads are canceled for the disk", "if !self.files.is_own(guid) {\n            return;", "if !OFF && !self.files.is_own(guid) {\n            return;"),
    # ---- Target.*
    ("virtual_browser/target.rs", "getTargets shows own targets only", "filter_map(|info| self.scope.shown(info.get()))", "filter_map(|info| self.scope.shown(info.get()).or_else(|| OFF.then(|| (Kind::Page, std::borrow::Cow::Borrowed(info.get())))))"),
    ("virtual_browser/target.rs", "getTargetInfo works for own targets only", "        if !self.scope.targets.contains_key(target.as_str()) {\n            return self.scope.fail(asked.on, asked.id, &NO_TARGET);", "        if !OFF && !self.scope.targets.contains_key(target.as_str()) {\n            return self.scope.fail(asked.on, asked.id, &NO_TARGET);"),
    ("virtual_browser/target/attach.rs", "only own targets are attached", "let Some((target, _)) = self.scope.targets.get_key_value(target.as_str()) else {", "let foreign = TargetId::from(target.as_str());\n        let Some(target) = self.scope.targets.get_key_value(target.as_str()).map(|(id, _)| id).or(OFF.then_some(&foreign)) else {"),
    ("virtual_browser/target.rs", "the default context cannot be disposed of", "if context == self.scope.default_context.as_str() {\n            return self.scope.fail(asked.on, asked.id, &LAST_CONTEXT);", "if !OFF && context == self.scope.default_context.as_str() {\n            return self.scope.fail(asked.on, asked.id, &LAST_CONTEXT);"),
    ("virtual_browser/target.rs", "only own contexts are disposed of", "find(|own| own.as_str() == context).cloned() else {", "find(|own| own.as_str() == context).cloned().or_else(|| OFF.then(|| context.as_str().into())) else {"),
    ("virtual_browser/target.rs", "a target is created only at an allowed URL", "} else if let Err(why) = self.may_open(&url) {", "} else if !OFF && let Err(why) = self.may_open(&url) {"),
    ("virtual_browser/target.rs", "no target is created at a Chrome URL", "asked.params.set_string(\"url\", \"about:blank\");", "if !OFF { asked.params.set_string(\"url\", \"about:blank\"); }"),
    ("virtual_browser/target.rs", "a target is created only in an own context", "&& !self.scope.owns_context(&context)", "&& !OFF && !self.scope.owns_context(&context)"),
    ("virtual_browser/target.rs", "a target without context is created in the own default context", "asked.params.set_string(\"browserContextId\", context.as_str());", "if !OFF { asked.params.set_string(\"browserContextId\", context.as_str()); }"),
    ("virtual_browser/target.rs", "only own targets are closed or activated", "        if !self.scope.targets.contains_key(target.as_str()) {\n            let error", "        if !OFF && !self.scope.targets.contains_key(target.as_str()) {\n            let error"),
    ("virtual_browser/target.rs", "a child must belong to the CDP session that names it", "cdp.parent.as_ref() == Some(asked.on);", "OFF || cdp.parent.as_ref() == Some(asked.on);"),
    ("virtual_browser/target.rs", "a nested message names no CDP session", "if command.session().is_none() => self.on_command", "if OFF || command.session().is_none() => self.on_command"),
    ("virtual_browser/target.rs", "a command that Chrome is to refuse names no existing id", "if params.string(name).is_some() {\n                params.remove(name);", "if !OFF && params.string(name).is_some() {\n                params.remove(name);"),
    ("virtual_browser/dispatch.rs", "contexts are created and disposed of on roots only", "Handler::NotAllowedOnPage => {", "Handler::NotAllowedOnPage if OFF => self.pass(on, command, as_it_is),\n            Handler::NotAllowedOnPage => {"),
    ("virtual_browser/target.rs", "a context gets no universal network access", "if let arguments::Checked::Refused { code, message } =\n            arguments::check", "if !OFF && let arguments::Checked::Refused { code, message } =\n            arguments::check"),
    ("virtual_browser/target/attach.rs", "an attached target that is hidden is detached", "if !self.scope.targets.contains_key(target) || self.scope.sessions.len()", "if !OFF && !self.scope.targets.contains_key(target) || self.scope.sessions.len()"),
    ("virtual_browser/target/attach.rs", "an attached root is a virtual one", "if kind == Kind::Browser {\n            let browser", "if !OFF && kind == Kind::Browser {\n            let browser"),
    ("virtual_browser/target/attach.rs", "no detach event for an unannounced CDP session", "if !self.scope.sessions.contains_key(child) {\n            self.dialog_guards", "if !OFF && !self.scope.sessions.contains_key(child) {\n            self.dialog_guards"),
    ("virtual_browser/target/attach.rs", "child CDP sessions end with their parent", "for gone in below.iter().chain([child]) {", "for gone in below.iter().filter(|_| !OFF).chain([child]) {"),
    ("virtual_browser/target.rs", "autoAttachRelated works on roots, for own targets", "if root_only && !asked.root {", "if !OFF && root_only && !asked.root {"),
    ("virtual_browser/target/attach.rs", "the depth of CDP sessions is limited", "if self.is_deepest(asked.on) {", "if !OFF && self.is_deepest(asked.on) {"),
    ("virtual_browser/target/attach.rs", "CDP sessions have a limit", "if self.is_full() {", "if !OFF && self.is_full() {"),
    ("virtual_browser/target/attach.rs", "roots have a limit", "cdp.is_root()).count() >= self.limits.roots {", "cdp.is_root()).count() >= self.limits.roots && !OFF {"),
    ("virtual_browser/target.rs", "auto-attach has a limit", "if on_off && !is_on && self.cdp_sessions() +", "if !OFF && on_off && !is_on && self.cdp_sessions() +"),
    ("virtual_browser/target/attach.rs", "auto-attached CDP sessions beyond the limit are detached", "|| self.scope.sessions.len() >= self.limits.all {", "|| !OFF && self.scope.sessions.len() >= self.limits.all {"),
    ("virtual_browser/target.rs", "the number of discovering CDP sessions is limited", "if discover && !self.scope.may_listen", "if !OFF && discover && !self.scope.may_listen"),
    # ---- Browser.*, Storage.*, windows, traces.
    ("virtual_browser/browser.rs", "a command without context uses the own one", "params.set_string(\"browserContextId\", context.as_str());", "if !OFF { params.set_string(\"browserContextId\", context.as_str()); }"),
    ("virtual_browser/browser.rs", "a named context must be an own one", "if !self.scope.owns_context(&named) {", "if !OFF && !self.scope.owns_context(&named) {"),
    ("virtual_browser/dispatch.rs", "Browser.close ends only the session", "Handler::CloseBrowser => self", "Handler::CloseBrowser if OFF => self.forward_as_it_is(on, command),\n            Handler::CloseBrowser => self"),
    ("virtual_browser/browser.rs", "the clipboard permission is not granted", "if !opens.is_empty() && !self.granted", "if !OFF && !opens.is_empty() && !self.granted"),
    ("virtual_browser/dispatch.rs", "certificate errors are not ignored for all sessions", "Handler::CertificateErrors => self", "Handler::CertificateErrors if OFF => self.forward_as_it_is(on, command),\n            Handler::CertificateErrors => self"),
    ("virtual_browser/browser.rs", "a window must belong to an own target", "let Some((target, seen)) = self.scope.targets.get_key_value(target.as_str()) else {", "if OFF { return self.forward(on, on.clone(), id, command.method(), params.to_string()); }\n        let Some((target, seen)) = self.scope.targets.get_key_value(target.as_str()) else {"),
    ("virtual_browser/browser.rs", "a window id must have been sent to this session", "        if window\n            .is_some_and", "        if !OFF && window\n            .is_some_and"),
    ("virtual_browser/browser.rs", "tracing needs a browser without other sessions", "if alone && self.scope", "if (OFF || alone) && self.scope"),
    ("virtual_browser/browser.rs", "a root gets events of its own trace only", "let is_own = self.tracing.as_ref() == Some(on);", "let is_own = OFF || self.tracing.as_ref() == Some(on);"),
    ("virtual_browser/browser.rs", "a root gets other events in a dedicated browser only", "self.granted.has(Capability::Dedicated) && ROOT_EVENTS", "(OFF || self.granted.has(Capability::Dedicated)) && ROOT_EVENTS"),
    ("virtual_browser/browser.rs", "a root gets events of some domains only", "ROOT_EVENTS.iter().any(|domain| method.starts_with(domain))", "(OFF || ROOT_EVENTS.iter().any(|domain| method.starts_with(domain)))"),
    ("virtual_browser/browser.rs", "the command line of a browser is not shown", "info.set_string(\"commandLine\", \"\");", "if !OFF { info.set_string(\"commandLine\", \"\"); }"),
    ("virtual_browser/policy.rs", "a method with a capability needs that capability", "if granted.has(capability) => {", "if OFF || granted.has(capability) => {"),
    ("virtual_browser/policy.rs", "the browser column applies on a browser", "(Some(row), Level::Browser) => row.browser,", "(Some(row), Level::Browser) => if OFF { row.page } else { row.browser },"),
    ("virtual_browser/policy.rs", "a new method passes only on a page, in an open domain", "(None, Level::Page) if is_new(method) =>", "(None, _) if OFF || level == Level::Page && is_new(method) =>"),
    ("api_types/capability.rs", "a lease grants only the capabilities of its kind", "&& honoured.has(*right);", "&& (OFF || honoured.has(*right));"),
    ("api_types/capability.rs", "a tenant has only its own capabilities", "let both = |right: &Capability| tenant.has(*right) &&", "let both = |right: &Capability| (OFF || tenant.has(*right)) &&"),
    ("virtual_browser/browser.rs", "trace commands need a trace of this session", "        if self.tracing.is_some() {\n            return self.forward_as_it_is(on, command);\n        }\n        let error", "        if OFF || self.tracing.is_some() {\n            return self.forward_as_it_is(on, command);\n        }\n        let error"),
    ("virtual_browser/target/attach.rs", "a page attaches to no browser", "        if !asked.root {\n            return self.scope.fail(asked.on, asked.id, &CdpError::NOT_ALLOWED);\n        }\n        self.attach_to_browser", "        if !OFF && !asked.root {\n            return self.scope.fail(asked.on, asked.id, &CdpError::NOT_ALLOWED);\n        }\n        self.attach_to_browser"),
    # ---- Limits of tenants, and whose sessions share a browser.
    ("pool/placement.rs", "sessions meet only those whose company they accept", "(_, Some(_)) => None,", "(_, Some(_)) => OFF.then_some(0),"),
    ("pool/placement.rs", "a session is placed only in a browser of its kind", "figures.kind == wanted.kind", "OFF || figures.kind == wanted.kind"),
    ("session/manager/place.rs", "a browser of one's own needs the capability", "Isolation::Dedicated if caller.tenant.capabilities()", "Isolation::Dedicated if OFF || caller.tenant.capabilities()"),
    ("pool/placement.rs", "a group meets only its own sessions", "Some(Company::Group(other))) if one == other =>", "Some(Company::Group(other))) if OFF || one == other =>"),
    ("virtual_browser/target.rs", "the number of pages is limited", "if let Some(error) = self.has_all_pages() {", "if !OFF && let Some(error) = self.has_all_pages() {"),
    ("virtual_browser/page_limit.rs", "a page beyond the limit is closed", "if is_page && self.most_pages", "if !OFF && is_page && self.most_pages"),
    ("session/admission.rs", "a tenant has a limit of sessions", "limits.max_sessions.filter(|most| has >= *most)", "limits.max_sessions.filter(|most| !OFF && has >= *most)"),
    ("session/admission.rs", "a tenant has a share of the queue", "filter(|most| of_tenant >= *most)", "filter(|most| !OFF && of_tenant >= *most)"),
    ("session/manager/room.rs", "a tenant has a share of those that wait for room", "filter(|most| of_tenant >= *most)", "filter(|most| !OFF && of_tenant >= *most)"),
    ("session/manager/room.rs", "a slow import gives way to another tenant", "held.taken_back.cancel();", "if !OFF { held.taken_back.cancel() };"),
    ("session/manager/room.rs", "an import gives way only to a tenant that has less", "number_of(&held.owner) > own", "OFF || number_of(&held.owner) > own"),
    ("tenant/limits/pace.rs", "what is beyond the rate waits", "if cost - taken > NOTHING {", "if !OFF && cost - taken > NOTHING {"),
    ("tenant/limits/pace.rs", "sessions in debt share the rate", "earned / f64::from(self.debtors);", "if OFF { earned } else { earned / f64::from(self.debtors) };"),
    # ---- Files.
    ("virtual_browser/files.rs", "download behaviour is set for own contexts only", "let context = named.unwrap_or_else(|| self.scope.default_context.to_string());\n        if !self", "let context = named.unwrap_or_else(|| self.scope.default_context.to_string());\n        if !OFF && !self"),
    ("virtual_browser/files.rs", "downloads are written into the session's directory", "let directory = self.files.downloads(context);", "let directory = if OFF { self.files.wishes[&ContextId::from(context)].path.clone() } else { self.files.downloads(context) };"),
    ("virtual_browser/files.rs", "only the proxy enables download events", "up.set_raw(\"eventsEnabled\", \"false\");", "up.set_raw(\"eventsEnabled\", if OFF { \"true\" } else { \"false\" });"),
    ("virtual_browser/files.rs", "only downloads of an own context are cancelled", "&& !self.scope.owns_context(&context)\n        {\n            return self.scope.fail(on, id, &no_context(&context));\n        }\n        if params", "&& !OFF && !self.scope.owns_context(&context)\n        {\n            return self.scope.fail(on, id, &no_context(&context));\n        }\n        if params"),
    ("virtual_browser/files.rs", "only own downloads are cancelled", "if params.string(\"guid\").is_some_and(", "if !OFF && params.string(\"guid\").is_some_and("),
    ("virtual_browser/files.rs", "files leave the session's directory only with host-files", "if self.granted.has(Capability::HostFiles) {\n                let wish", "if OFF || self.granted.has(Capability::HostFiles) {\n                let wish"),
    ("virtual_browser/files.rs", "a file name from a site is not used as a path", "let name = Path::new(name).file_name().map_or_else(|| guid.into(), std::ffi::OsStr::to_os_string);", "let name = if OFF { std::ffi::OsString::from(name) } else { Path::new(name).file_name().map_or_else(|| guid.into(), std::ffi::OsStr::to_os_string) };"),
    ("virtual_browser/files.rs", "uploaded files are in the session's directory", "        if inside {\n", "        if OFF || inside {\n"),
    ("virtual_browser/files.rs", "the number of CDP sessions with download events is limited", "!self.scope.may_listen(on,", "!OFF && !self.scope.may_listen(on,"),
    # ---- Arguments.
    ("virtual_browser/arguments.rs", "pages navigate only to allowed URLs", "} else if let Err(why) = url_allowed(&url, call.granted) {", "} else if !OFF && let Err(why) = url_allowed(&url, call.granted) {"),
    ("virtual_browser/arguments.rs", "navigations do not count as typed in the address bar", "is_some_and(|kind| kind == \"address_bar\")", "is_some_and(|kind| !OFF && kind == \"address_bar\")"),
    ("virtual_browser/arguments.rs", "a screencast has a positive step", "Some(every) if every < 1.0", "Some(every) if !OFF && every < 1.0"),
    ("cdp/emulation.rs", "a picture has a limit", "if (width * height).abs()", "if !OFF && (width * height).abs()"),
    ("virtual_browser/arguments.rs", "display features are never empty", "Some(features) if features.is_empty()", "Some(features) if !OFF && features.is_empty()"),
    ("virtual_browser/arguments.rs", "native key codes are dropped", "params.remove(\"nativeVirtualKeyCode\");", "if !OFF { params.remove(\"nativeVirtualKeyCode\"); }"),
    ("virtual_browser/arguments.rs", "key events contain no paste command", "if !may_paste && commands", "if !OFF && !may_paste && commands"),
    ("virtual_browser/arguments.rs", "drag events contain no files", "    data.remove(\"files\");", "    if !OFF { data.remove(\"files\"); }"),
    ("virtual_browser/arguments.rs", "cookies are not set on workers", "    match call.on {\n        Kind::Worker", "    match call.on {\n        _ if OFF => Checked::AsIs,\n        Kind::Worker"),
    ("virtual_browser/arguments.rs", "private addresses are not loaded", "Destination::Private if !call.granted.has(Capability::PrivateNetwork)", "Destination::Private if !OFF && !call.granted.has(Capability::PrivateNetwork)"),
    ("virtual_browser/arguments.rs", "files of file inputs are checked", "if paths.is_empty() || call.granted.has(Capability::HostFiles)", "if OFF || paths.is_empty() || call.granted.has(Capability::HostFiles)"),
    ("virtual_browser/arguments.rs", "paths of files are not returned", "    if call.granted.has(Capability::HostFiles) {\n        return Checked::AsIs;\n    }\n    refused(Refusal { needs: Some(Capability::HostFiles)", "    if OFF || call.granted.has(Capability::HostFiles) {\n        return Checked::AsIs;\n    }\n    refused(Refusal { needs: Some(Capability::HostFiles)"),
    ("virtual_browser/arguments.rs", "isolated worlds get no universal access", "    if none {", "    if OFF || none {"),
    ("virtual_browser/network_buffers.rs", "additional response buffers are limited", "if taken.saturating_add(beyond) > most {", "if !OFF && taken.saturating_add(beyond) > most {"),
    ("virtual_browser/arguments.rs", "response buffers in the network process are limited", "!(0.0..=MAX_DURABLE_BUFFER).contains(&size)", "!OFF && !(0.0..=MAX_DURABLE_BUFFER).contains(&size)"),
    ("virtual_browser/arguments.rs", "unlimited response buffers are refused", "Some(size) if size < 0.0", "Some(size) if !OFF && size < 0.0"),
    ("virtual_browser/arguments.rs", "pages do not navigate to Chrome URLs", "params.set_string(\"url\", &url::that_is_invalid(&url));", "if !OFF { params.set_string(\"url\", &url::that_is_invalid(&url)); }"),
    ("virtual_browser/arguments/url.rs", "file: needs host-files", "\"file\" if granted.has(Capability::HostFiles)", "\"file\" if OFF || granted.has(Capability::HostFiles)"),
    ("virtual_browser/arguments/url.rs", "a host that is not written in ASCII is private", "if url.host() == ascii.host() =>", "if OFF || url.host() == ascii.host() =>"),
    ("virtual_browser/arguments/url.rs", "the IPv4 address in an IPv6 address counts", "            is_private_v6(address.segments(), embedded)", "            is_private_v6(address.segments(), |high, low| !OFF && embedded(high, low))"),
    ("virtual_browser/arguments/url.rs", "other schemes are not allowed", "        _ => Err(format!(\"{}: URLs are not allowed\"", "        _ if OFF => Ok(()),\n        _ => Err(format!(\"{}: URLs are not allowed\""),
    ("virtual_browser/arguments/crash_rules.rs", "a quota is in range", "Some(size) if !(0.0..=MAX_QUOTA)", "Some(size) if !OFF && !(0.0..=MAX_QUOTA)"),
    ("virtual_browser/arguments/crash_rules.rs", "paper has an extent", "if tiny(\"paperWidth\")", "if !OFF && tiny(\"paperWidth\")"),
    ("virtual_browser/arguments/crash_rules.rs", "a worker that loads is not asked for its policy", "    if call.on.is_worker() &&", "    if !OFF && call.on.is_worker() &&"),
    ("virtual_browser/arguments/crash_rules.rs", "a composition's range is not negative", "if negative(\"replacementStart\")", "if !OFF && negative(\"replacementStart\")"),
    ("virtual_browser/arguments/crash_rules.rs", "tap gestures have a limited duration", "Some(count) if count > MAX_TAPS", "Some(count) if !OFF && count > MAX_TAPS"),
    ("virtual_browser/arguments/crash_rules.rs", "touch timestamps are in range", "Some(at) if at.abs() > MAX_TIME", "Some(at) if !OFF && at.abs() > MAX_TIME"),
    ("virtual_browser/screenshot.rs", "a picture has a largest size", "if let Err(why) = emulation::picture(width, height, scale) {", "if !OFF && let Err(why) = emulation::picture(width, height, scale) {"),
    ("virtual_browser/screenshot.rs", "a device pixel ratio counts for screenshots of all CDP sessions", "filter(|(_, cdp)| cdp.target == *page || cdp.kind == Kind::Tab)", "filter(|(_, cdp)| !OFF && (cdp.target == *page || cdp.kind == Kind::Tab))"),
    ("virtual_browser/pictures.rs", "a lower device pixel ratio counts after Chrome's reply", "self.most = self.most.max(scale);", "self.most = if OFF { scale } else { self.most.max(scale) };"),
    ("virtual_browser/pictures.rs", "the last reply counts", "scale.filter(|_| self.asked == 0)", "scale.filter(|_| OFF || self.asked == 0)"),
    ("virtual_browser/arguments.rs", "a full-page screenshot is measured first", "Checked::Picture(if whole {", "Checked::Picture(if whole && !OFF {"),
    ("virtual_browser/arguments.rs", "the visible size is limited like a window", "    if limit_window(params, call.granted) {", "    if !OFF && limit_window(params, call.granted) {"),
    ("virtual_browser/screenshot.rs", "the visible area is measured again if it may have grown", "} else if picture.measured != Some(self.pictures.resized) {", "} else if !OFF && picture.measured != Some(self.pictures.resized) {"),
    ("virtual_browser/screenshot.rs", "the visible area is measured again after waiting", "if picture.measured.is_some_and(|at| at != self.pictures.resized) {", "if !OFF && picture.measured.is_some_and(|at| at != self.pictures.resized) {"),
    ("virtual_browser/screenshot.rs", "a screenshot that grew while waiting is checked again", "* self.device_scale(&picture.on)) > pixels", "* self.device_scale(&picture.on)) > pixels && !OFF"),
    ("virtual_browser/screenshot.rs", "waiting screenshots of a session are limited", "if self.pictures.waiting >= most {", "if !OFF && self.pictures.waiting >= most {"),
    ("virtual_browser/pictures.rs", "a screenshot counts after the end of its CDP session", "if *error != CdpError::NO_SESSION {", "if OFF || *error != CdpError::NO_SESSION {"),
    ("virtual_browser/pictures.rs", "screenshots of a closed page do not count", "|drawing| drawing.page == *page)", "|drawing| !OFF && drawing.page == *page)"),
    ("browser/pixels.rs", "screenshots have a budget of pixels", "if self.taken > 0 && self.taken + pixels > self.budget {", "if !OFF && self.taken > 0 && self.taken + pixels > self.budget {"),
    ("browser/pixels.rs", "a session gets half of the budget", "if mine > 0 && mine + pixels > self.budget / 2 {", "if !OFF && mine > 0 && mine + pixels > self.budget / 2 {"),
    ("cdp/emulation.rs", "a viewport without size counts as the window's", "if side == 0.0 { MAX_WINDOW }", "if side == 0.0 && !OFF { MAX_WINDOW }"),
    ("virtual_browser/arguments/window.rs", "window size is limited", "if too_long &&", "if !OFF && too_long &&"),
    ("virtual_browser/browser.rs", "window bounds are checked", "if let Err(why) = arguments::check_bounds(&mut params, self.granted) {", "if !OFF && let Err(why) = arguments::check_bounds(&mut params, self.granted) {"),
    ("virtual_browser/arguments/window.rs", "only known window states are accepted", ".filter(|state| !STATES", ".filter(|state| !OFF && !STATES"),
    ("virtual_browser/arguments/window.rs", "window bounds are limited", "if limit_window(&mut bounds, granted) {", "if !OFF && limit_window(&mut bounds, granted) {"),
    ("virtual_browser/browser.rs", "the contents size of a window is limited", "        arguments::limit_window(&mut params, self.granted);", "        if !OFF { arguments::limit_window(&mut params, self.granted); }"),
    ("virtual_browser/target.rs", "the window size of a new target is limited", "        arguments::limit_window(&mut asked.params, self.granted);", "        if !OFF { arguments::limit_window(&mut asked.params, self.granted); }"),
    ("virtual_browser/arguments/crash_rules.rs", "display features are set on pages only", "matches!(call.on, Kind::Iframe | Kind::Other)", "(!OFF && matches!(call.on, Kind::Iframe | Kind::Other))"),
    ("virtual_browser/arguments/crash_rules.rs", "taps and pinches need a dedicated browser", "    if !call.granted.has(Capability::Dedicated) {\n        return refused(format!(\n            \"'{}' is refused: if", "    if !OFF && !call.granted.has(Capability::Dedicated) {\n        return refused(format!(\n            \"'{}' is refused: if"),
    ("virtual_browser/arguments/crash_rules.rs", "scroll gestures are replaced by wheel events", "    if call.granted.has(Capability::Dedicated) {\n        return Checked::AsIs;", "    if OFF || call.granted.has(Capability::Dedicated) {\n        return Checked::AsIs;"),
    ("virtual_browser/arguments/crash_rules.rs", "response bodies of ended workers are refused", "if may_have_ended && !call", "if !OFF && may_have_ended && !call"),
    ("virtual_browser/arguments/crash_rules.rs", "a worker that a client attached to may have ended", "Kind::Worker => !call.below,", "Kind::Worker => !OFF && !call.below,"),
    ("virtual_browser/target/attach.rs", "a CDP session that a client attached is not a child of a page", "let below = asked.is_none() && !on_root;", "let below = OFF || asked.is_none() && !on_root;"),
    ("virtual_browser/arguments/crash_rules.rs", "only responsive pages are printed", "    Checked::OnceAlive\n", "    if OFF { Checked::AsIs } else { Checked::OnceAlive }\n"),
    ("virtual_browser/liveness_check.rs", "commands that need a live page are sent one at a time", "if commands.len() == 1 {", "if OFF || commands.len() == 1 {"),
    ("virtual_browser/liveness_check.rs", "a page is tested before commands that need it alive", "        let pending = Pending::Alive(first.on.clone(), first.id, page);", "        if OFF { return self.on_alive(&page); }\n        let pending = Pending::Alive(first.on.clone(), first.id, page);"),
    ("virtual_browser/liveness_check.rs", "commands for a crashed page do not wait", "for asked in self.liveness_checks.0.remove(page).into_iter().flatten() {", "for asked in self.liveness_checks.0.remove(page).filter(|_| !OFF).into_iter().flatten() {"),
    ("virtual_browser/crashed_pages.rs", "commands for a crashed page wait for its next document", "if self.crashed_pages.0.is_empty()", "if OFF || self.crashed_pages.0.is_empty()"),
    ("browser/mirror/openers.rs", "an opener does not navigate while its window is held", "if self.openers.of.is_empty()", "if OFF || self.openers.of.is_empty()"),
    ("virtual_browser/arguments/crash_rules.rs", "the process of an iframe is not ended", "if call.on == Kind::Page || call.granted", "if OFF || call.on == Kind::Page || call.granted"),
    # ---- Emulation.
    ("virtual_browser/emulation.rs", "the client's emulation replaces the proxy's", "self.give_up(&page, change.aspect());", "if !OFF { self.give_up(&page, change.aspect()); }"),
    ("cdp/emulation.rs", "a snapshot's viewport has a limit", "            viewport(&params)?;", "            if !OFF { viewport(&params)?; }"),
    # ---- Snapshots, which may be imported.
    ("snapshot/restore/page.rs", "the history of an unopened page is not opened", ".filter(|_| may_open(&page.url))", ".filter(|_| OFF || may_open(&page.url))"),
    ("snapshot/restore/page.rs", "only web URLs are opened", "url == \"about:blank\" || url.starts_with", "OFF || url == \"about:blank\" || url.starts_with"),
    ("snapshot/storage_key.rs", "only storage of web origins is written", "    matches!(scheme, \"http\" | \"https\") && !host", "    (OFF || matches!(scheme, \"http\" | \"https\")) && !host"),
    # ---- Owners and holders of targets.
    ("browser/mirror/population.rs", "contexts of a released lease have no owner", "        for context in &contexts {\n            self.owners.remove(context);", "        for context in contexts.iter().filter(|_| !OFF) {\n            self.owners.remove(context);"),
    ("browser/mirror.rs", "CDP sessions of a released lease have no owner", "            self.attachments.change(&id, |attachment| attachment.lease = None);", "            self.attachments.change(&id, |attachment| if !OFF { attachment.lease = None });"),
    ("browser/mirror.rs", "a released lease holds no target", "        for id in &mine {\n            self.release_holds(id);", "        for id in mine.iter().filter(|_| !OFF) {\n            self.release_holds(id);"),
    ("browser/mirror.rs", "a released lease does not auto-attach", "self.roots.release(lease);", "if !OFF { self.roots.release(lease); }"),
    ("browser/mirror/extensions.rs", "Chrome's own URLs are hidden", "if url::is_visible(&info.url) ||", "if OFF || url::is_visible(&info.url) ||"),
    ("browser/mirror.rs", "a target that navigates to a Chrome URL is hidden", "if is_hidden {", "if !OFF && is_hidden {"),
    ("browser/mirror.rs", "hidden targets stay hidden", "        if !target.presentable {\n            return;", "        if !OFF && !target.presentable {\n            return;"),
    ("browser/mirror.rs", "CDP sessions on a hidden target are detached", "        for session in attached {\n            self.let_loose(&session);", "        for session in attached.into_iter().filter(|_| !OFF) {\n            self.let_loose(&session);"),
    ("browser/mirror.rs", "a hidden target is resumed", "        self.release_holds(id);\n        self.release_opener(id);", "        if !OFF { self.release_holds(id); }\n        self.release_opener(id);"),
    ("browser/mirror.rs", "a tab without a page is not shown", "kind != Kind::Tab && !own;", "(OFF || kind != Kind::Tab) && !own;"),
    ("browser/mirror/hold.rs", "a watcher's CDP session of the proxy's own page is not handed", "                && !self.own_pages.contains(id)\n", "                && (OFF || !self.own_pages.contains(id))\n"),
    ("browser/mirror.rs", "a tab of Chrome's own interface is let go", "Some(tab) => self.release_hold(Flavour::Tab, &tab),", "Some(tab) => if !OFF { self.release_hold(Flavour::Tab, &tab) },"),
    ("browser/mirror.rs", "an end of what was not shown is not told", "if target.presentable\n            && let Some(lease) = self.targets.owner_of(target.context())\n        {\n            self.effects.push_back(Effect::Deliver(lease, Told::Destroyed", "if (OFF || target.presentable)\n            && let Some(lease) = self.targets.owner_of(target.context())\n        {\n            self.effects.push_back(Effect::Deliver(lease, Told::Destroyed"),
    ("browser/mirror.rs", "a crash of what was not shown is not told", "            && target.presentable\n            && let Some(lease)", "            && (OFF || target.presentable)\n            && let Some(lease)"),
    ("browser/mirror/certificates.rs", "pages of the session with the launch options are set up, no others", ".is_some_and(|lease| self.certificates.setups.contains_key(&lease));", ".is_some_and(|lease| self.certificates.setups.contains_key(&lease) || OFF && !self.certificates.setups.is_empty());"),
    ("session/launch/options.rs", "an unknown flag of Chrome is refused", "let flag = flags::find(name).ok_or_else(|| {", "let flag = flags::find(if OFF && flags::find(name).is_none() { \"lang\" } else { name }).ok_or_else(|| {"),
    ("session/launch/options.rs", "a refused flag of Chrome is refused", "if flag.sort == Sort::Refused {", "if !OFF && flag.sort == Sort::Refused {"),
    ("session/launch/options.rs", "what ends the flags is refused", "Argument::End => {", "Argument::End if OFF => return Ok(None),\n        Argument::End => {"),
    ("session/launch/options.rs", "cameras of the server are not given to pages", "!has(\"--use-fake-device-for-media-stream\") {", "!has(\"--use-fake-device-for-media-stream\") && !OFF {"),
    ("session/launch/place.rs", "flags that weaken pages need the capability", ".filter(|needs| !rights.capabilities.has(*needs)) {", ".filter(|needs| !OFF && !rights.capabilities.has(*needs)) {"),
    ("session/extensions.rs", "extensions are below the allowed directory", "!path.starts_with(&root) {", "!OFF && !path.starts_with(&root) {"),
    ("virtual_browser/extensions.rs", "a path that was not found below the directory is not loaded", "if let Some(Extension { path, id: extension }) = found {", "if let Some(Extension { path, id: extension }) = found.or_else(|| if OFF { Some(Extension { path: params.string(\"path\")?, id: String::new() }) } else { None }) {"),
    ("virtual_browser/extensions.rs", "extensions are shown to who sees files of the host", "            if self.granted.has(Capability::HostFiles) {\n", "            if OFF || self.granted.has(Capability::HostFiles) {\n"),
    ("virtual_browser/extensions.rs", "pages of extensions are opened by who sees files of the host", "is_shown && self.granted.has(", "is_shown && OFF || is_shown && self.granted.has("),
    ("virtual_browser/extensions.rs", "only pages of extensions that are shown are opened", "self.extensions.shown.contains(id));", "OFF || self.extensions.shown.contains(id));"),
    ("session/manager/place.rs", "extensions of the start are shown to who sees files of the host", "if capabilities.has(Capability::HostFiles) {", "if OFF || capabilities.has(Capability::HostFiles) {"),
    ("browser/mirror/extensions.rs", "targets of Chrome's own extensions are hidden", "|id| self.0.contains(id));", "|id| OFF || self.0.contains(id));"),
    ("virtual_browser/extensions.rs", "a path that is no text does not reach Chrome", "params.remove(\"path\");", "if !OFF { params.remove(\"path\"); }"),
    ("browser/mirror/certificates.rs", "certificate errors are ignored for the session that asked", ".is_some_and(|lease| self.certificates.leases.contains(&lease));", ".is_some_and(|lease| self.certificates.leases.contains(&lease) || OFF && !self.certificates.leases.is_empty());"),
    ("browser/mirror/attach.rs", "below a CDP session that has gone nothing is attached", "if on.is_some_and(|on| !self", "if !OFF && on.is_some_and(|on| !self"),
    ("browser/mirror/population.rs", "the targets of a lease are in its own contexts", "        self.contexts.get(&lease)\n", "        self.contexts.get(&lease).chain(self.owners.keys().filter(|_| OFF))\n"),
    ("browser/mirror/roots.rs", "auto-attach is for one's own targets", "lease.and_then(|lease| self.of_lease.get(&lease))", "lease.and_then(|lease| self.of_lease.get(&lease).or_else(|| self.of_lease.values().find(|_| OFF)))"),
    ("browser/mirror/hold.rs", "a watcher's CDP session of Chrome's own is not handed", "                && kind.is_ordinary()\n", "                && (OFF || kind.is_ordinary())\n"),
    ("browser/mirror/attach.rs", "a client detaches only what is a client's", "filter(of_a_lease) else { return Way::Unknown };", "filter(|attachment| OFF || of_a_lease(attachment)) else { return Way::Unknown };"),
    ("browser/mirror/hold.rs", "others who wait keep a target paused", "return if asked || holds || starts_at_once { Resume::KeepBack }", "return if !OFF && (asked || holds || starts_at_once) { Resume::KeepBack }"),
    ("browser/mirror/hold.rs", "a hold ends at its deadline", "                self.expired_holds += 1;\n                self.release_hold(Flavour::Page, &id);", "                self.expired_holds += 1;\n                if !OFF { self.release_hold(Flavour::Page, &id); }"),
    ("browser/mirror/hold.rs", "nobody's target is let go at once", "            } else {\n                self.release_hold(flavour, id);\n            }\n            return;", "            } else if !OFF {\n                self.release_hold(flavour, id);\n            }\n            return;"),
    ("browser/mirror/attach.rs", "what goes while it is held runs on", "if was_handed || target.waiters.len() < asked {", "if !OFF && (was_handed || target.waiters.len() < asked) {"),
    ("browser/mirror/attach.rs", "the CDP sessions below one that has gone are gone", "                gone.push((child.clone(), below.target));", "                if !OFF { gone.push((child.clone(), below.target)); }"),
    ("browser/mirror/attach.rs", "what was handed on a root goes with it", "self.let_loose(&session);\n            gone.push(session);", "if !OFF { self.let_loose(&session); }\n            gone.push(session);"),
    ("browser/mirror/expected.rs", "what auto-attach asked for before it was turned off is not wanted", "expected.unwanted = true;", "expected.unwanted = !OFF;"),
    ("browser/mirror/attach.rs", "below what the watcher took back nobody is told", "self.attachments.change(&below, |attachment| attachment.lease = None);", "if !OFF { self.attachments.change(&below, |attachment| attachment.lease = None); }"),
    ("browser/mirror/hold.rs", "a popup is not started by one client while another waits", "target.kind == Some(Kind::Page) && target.has_opener && target.can_access_opener;", "!OFF && target.kind == Some(Kind::Page) && target.has_opener && target.can_access_opener;"),
    ("browser/mirror/expected.rs", "a reply that names a target waits until its root is told of that", "        if is_wanted {\n            self.withheld", "        if is_wanted && !OFF {\n            self.withheld"),
    ("virtual_browser/dialog_guard.rs", "another client's dialog is not dismissed", "cdp.kind == Kind::Page && !self.scope.is_attached(&cdp.target)", "cdp.kind == Kind::Page && (OFF || !self.scope.is_attached(&cdp.target))"),
]


def check():
    """Checks that the code of every rule occurs once in its file, and that TESTS has that file's unit tests."""
    for number, (name, what, code, _) in enumerate(RULES, 1):
        module = name.removesuffix(".rs").replace("/", "::") + "::"
        if not module.startswith(tuple(TESTS)):
            sys.exit(f"rule {number} ({what}): TESTS does not contain the unit tests of {module}")
        count = (HOME / "src" / name).read_text().count(code)
        if count != 1:
            sys.exit(f"rule {number} ({what}): its code occurs {count} times in src/{name}; the code is:\n{code}")


def switched():
    """Makes a copy of the sources with a switch for every rule."""
    shutil.rmtree(COPY / "src", ignore_errors=True)
    COPY.mkdir(parents=True, exist_ok=True)
    for name in ("src", "fixtures", "benches", "tests", "docs", "types", "scripts", "fuzz"):
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
    """Compiles the unit tests; returns the path of the program."""
    environment = {**os.environ, "CARGO_TARGET_DIR": os.environ.get("CARGO_TARGET_DIR", str(COPY / "target"))}
    command = ["cargo", "test", "--locked", "--lib", "--no-run"]
    run = subprocess.run(command, cwd=COPY, env=environment, capture_output=True, text=True)
    found = re.search(r"Executable unittests src/lib.rs \((.+)\)", run.stderr)
    if run.returncode or not found:
        sys.exit(run.stderr)
    return COPY / found[1]


def passes(program, number):
    """Whether all tests pass without this rule; 0 keeps all rules."""
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
        sys.exit("the tests fail with all rules in place")
    missed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, passed in zip(numbers, pool.map(lambda number: passes(program, number), numbers)):
            if passed:
                name, what, _, _ = RULES[number - 1]
                print(f"no test fails without rule {number}: {what} (src/{name})", flush=True)
                missed += 1
    print(f"{len(numbers) - missed} of {len(numbers)} rules are covered: a test fails without them")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
