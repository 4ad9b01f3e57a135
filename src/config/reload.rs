//! Loads the settings again while the server runs: from the same flags, variables and file.
//!
//! [`ConfigSource::load`] reads and checks everything; nothing is in force yet. [`LoadedConfig::reloaded`] then says which
//! settings are in force from now on, and what differs.

use std::{collections::BTreeMap, path::PathBuf};

use super::{
    Config, ConfigError, RawConfig,
    declare::{Declared, DefaultValue},
    layers::Layers,
    load::load,
    said::Source,
    settings::declared,
};
use crate::api_types::{Reloaded, SettingChange};

/// Where the settings come from, kept so that they can be loaded again.
#[derive(Clone)]
pub struct ConfigSource {
    flags: RawConfig,
    variables: Vec<(String, String)>,
}

/// The settings that are in force.
#[derive(Clone, Debug)]
pub struct LoadedConfig {
    /// Checked against each other.
    config: Config,
    /// As they were given: no default is adapted to another setting. Only these are compared.
    given: Config,
    /// The text of each setting that has one, without secrets.
    texts: BTreeMap<&'static str, String>,
    file: Option<PathBuf>,
}

impl ConfigSource {
    /// These flags, and all variables of the process; both may name a file.
    pub fn new(flags: RawConfig, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { flags, variables: variables.into_iter().collect() }
    }

    /// Reads the file, and checks all settings.
    pub fn load(&self) -> Result<LoadedConfig, ConfigError> {
        let layers = load(self.flags.clone(), self.variables.iter().cloned())?;
        let given = Config::read(&layers)?;
        let texts = declared().iter().filter_map(|setting| Some((setting.key, text(setting, &layers)?))).collect();
        let file = layers.sources.iter().find_map(|(source, _)| match source {
            Source::File(path) => Some(path.clone()),
            Source::Flag | Source::Variable | Source::Default => None,
        });
        Ok(LoadedConfig { config: given.clone().settle(&layers)?, given, texts, file })
    }
}

impl LoadedConfig {
    /// The settings, checked against each other.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The settings that are in force once `new` has been loaded: its live ones, and the others as they are. Also says
    /// what differs.
    pub fn reloaded(&self, new: &Self) -> (Self, Reloaded) {
        let live: BTreeMap<&str, bool> = declared().iter().map(|setting| (setting.key, setting.is_live)).collect();
        // Whether there are local browsers at all is decided at the start.
        let is_fixed = self.config.has_local_browsers() != new.config.has_local_browsers();
        let is_live = |key: &str| {
            let is_number = ["browsers", "min_browsers", "max_browsers"].contains(&key);
            live.get(key).copied().unwrap_or_default() && !(is_number && is_fixed)
        };
        let mut texts = self.texts.clone();
        let mut report =
            Reloaded { file: new.file.as_ref().map(|path| path.display().to_string()), ..Reloaded::default() };
        for key in self.given.differing(&new.given) {
            let text = |of: &Self| of.texts.get(key).cloned();
            let change = SettingChange { setting: key.to_owned(), old: text(self), new: text(new) };
            if !is_live(key) {
                report.needs_restart.push(change);
                continue;
            }
            match &change.new {
                Some(text) => texts.insert(key, text.clone()),
                None => texts.remove(key),
            };
            report.changed.push(change);
        }
        let in_force = Self {
            config: self.config.taking(&new.config, is_live),
            given: self.given.taking(&new.given, is_live),
            texts,
            file: new.file.clone(),
        };
        (in_force, report)
    }
}

/// The text of a setting as the operator gave it, or its default, without secrets. `None` if it has neither.
fn text(setting: &Declared, layers: &Layers) -> Option<String> {
    let given: Vec<String> = layers.values(setting.key).iter().map(|said| (setting.shown)(&said.text)).collect();
    match setting.default {
        DefaultValue::Computed(how) if given.is_empty() => Some(how.to_owned()),
        _ => Some(given.join(" ")).filter(|text| !text.is_empty()),
    }
}
