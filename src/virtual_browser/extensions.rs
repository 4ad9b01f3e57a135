//! Extensions of a dedicated browser. Clients load them only from below the directory of the operator, and are not told where
//! that is.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use serde_json::value::RawValue;

use super::{Action, Pending, VirtualBrowser, arguments};
use crate::{
    api_types::Capability,
    cdp::{
        error::CdpError,
        ids::{CallId, CdpSessionId},
        json_object::JsonObject,
        message::Command,
        url::extension_of,
    },
    port::{Extension, Settle, Tag},
};

/// What clients may do with extensions.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    /// Where they may come from. Without a directory clients load none.
    directory: Option<PathBuf>,
    /// The ids of those whose targets are shown, and whose pages clients may open.
    shown: HashSet<String>,
}

impl VirtualBrowser {
    /// Sets the directory that extensions may come from. Without one clients load none.
    pub fn load_extensions_from(&mut self, directory: Option<PathBuf>) {
        self.extensions.directory = directory;
    }

    /// The targets of these extensions, by their ids, are shown.
    pub fn show_extensions(&mut self, ids: &[String]) {
        self.extensions.shown.extend(ids.iter().cloned());
    }

    /// Whether a client may open this URL; the error says why not.
    pub(super) fn may_open(&self, url: &str) -> Result<(), String> {
        if self.is_extension_page(url) { Ok(()) } else { arguments::url_allowed(url, self.granted) }
    }

    /// The params of a navigation to a page of an extension that is shown; `None` if it leads elsewhere.
    pub(super) fn to_extension(&self, params: &str) -> Option<String> {
        if self.extensions.shown.is_empty() {
            return None;
        }
        let mut params = JsonObject::read(params)?;
        if !self.is_extension_page(&params.string("url")?) {
            return None;
        }
        // As in every navigation.
        params.remove("transitionType");
        Some(params.to_string())
    }

    fn is_extension_page(&self, url: &str) -> bool {
        let is_shown = extension_of(url).is_some_and(|id| self.extensions.shown.contains(id));
        is_shown && self.granted.has(Capability::HostFiles)
    }

    /// `Extensions.loadUnpacked`: the path is looked for first.
    pub(super) fn load_extension(&mut self, on: &CdpSessionId, command: &Command) {
        let id = command.id();
        let Some(mut params) = JsonObject::read(command.params()) else {
            return self.scope.fail(on, id, &CdpError::INVALID);
        };
        let Some(directory) = self.extensions.directory.clone() else {
            let why = "this session may load none: the server has no directory of them (extensions_dir), or limits what sessions \
                       connect to (egress), and the tenant lacks private-network";
            return self.refuse_extension(on, id, command.method(), why);
        };
        let Some(path) = params.string("path") else {
            // Chrome's own error for a path that is missing.
            params.remove("path");
            return self.forward(on, on.clone(), id, command.method(), params.to_string());
        };
        let tag = self.expect(Pending::Extension(on.clone(), id, command.params().to_owned()));
        self.actions.push(Action::FindExtension(tag, directory, path));
    }

    /// An extension was looked for, and found if it is below the directory. Its targets are shown to who may see files of the
    /// host, because it can open those.
    pub fn on_extension(&mut self, tag: Tag, found: Option<Extension>) {
        const METHOD: &str = "Extensions.loadUnpacked";
        let Some(Pending::Extension(on, id, params)) = self.settled(tag) else { return };
        if !self.scope.sessions.contains_key(&on) {
            return;
        }
        let Some(mut params) = JsonObject::read(&params) else { return };
        if let Some(Extension { path, id: extension }) = found {
            if self.granted.has(Capability::HostFiles) {
                self.extensions.shown.insert(extension.clone());
                self.actions.push(Action::ShowExtension(extension));
            }
            params.set_string("path", &path);
            let pending = Pending::Installed(on.clone(), id, path);
            return self.call(on, METHOD, params.to_string(), Settle::Plain, pending);
        }
        let given = params.string("path").unwrap_or_default();
        let why = format!("{given:?} is no directory of an unpacked extension below extensions_dir");
        self.refuse_extension(&on, id, METHOD, &why);
    }

    /// An extension was loaded, as the result says.
    pub(super) fn on_installed(&mut self, on: &CdpSessionId, id: CallId, path: String, result: &str) {
        if let Some(extension) = JsonObject::read(result).and_then(|result| result.string("id")) {
            self.actions.push(Action::KeepExtension(extension, Some(path)));
        }
        self.scope.reply(on, id, result);
    }

    pub(super) fn uninstall_extension(&mut self, on: &CdpSessionId, command: &Command) {
        let extension = JsonObject::read(command.params()).and_then(|params| params.string("id")).unwrap_or_default();
        let pending = Pending::Uninstalled(on.clone(), command.id(), extension);
        self.call(on.clone(), command.method(), command.params().to_owned(), Settle::Plain, pending);
    }

    pub(super) fn on_uninstalled(&mut self, on: &CdpSessionId, id: CallId, extension: String, result: &str) {
        self.actions.push(Action::KeepExtension(extension, None));
        self.scope.reply(on, id, result);
    }

    fn refuse_extension(&mut self, on: &CdpSessionId, id: CallId, method: &str, why: &str) {
        self.refuse(on, id, &CdpError::server(format!("'{method}' is refused: {why}")));
    }

    pub(super) fn get_extensions(&mut self, on: &CdpSessionId, command: &Command) {
        let pending = Pending::Extensions(on.clone(), command.id());
        self.call(on.clone(), command.method(), command.params().to_owned(), Settle::Plain, pending);
    }

    /// Chrome's list: a client gets the paths that it would give to load the extensions.
    pub(super) fn on_extensions(&mut self, on: &CdpSessionId, id: CallId, result: &str) {
        #[derive(serde::Deserialize)]
        struct All<'a> {
            #[serde(borrow)]
            extensions: Vec<&'a RawValue>,
        }

        let directory = self.extensions.directory.as_deref();
        let shown = |extension: &&RawValue| {
            let mut extension = JsonObject::read(extension.get())?;
            if let Some(path) = extension.string("path") {
                extension.set_string("path", &below(directory, Path::new(&path)));
            }
            Some(extension.to_string())
        };
        let all = serde_json::from_str::<All<'_>>(result).ok();
        match all.and_then(|all| all.extensions.iter().map(shown).collect::<Option<Vec<_>>>()) {
            Some(shown) => self.scope.reply(on, id, &format!(r#"{{"extensions":[{}]}}"#, shown.join(","))),
            None => self.scope.fail(on, id, &CdpError::server("Chrome's answer could not be read")),
        }
    }
}

/// A path below the directory, without the directory; of one that is elsewhere only its last name.
fn below(directory: Option<&Path>, path: &Path) -> String {
    let inner = directory.and_then(|directory| path.strip_prefix(directory).ok());
    let shown = inner.or_else(|| path.file_name().map(Path::new)).unwrap_or_else(|| Path::new(""));
    shown.to_string_lossy().into_owned()
}
