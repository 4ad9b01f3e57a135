//! The sources of settings: flags, variables, a file, the defaults; the first one wins.

use std::path::{Path, PathBuf};

use serde::{Deserialize, de::value::MapDeserializer};

use super::{
    ConfigError,
    raw::{DEFAULTS, RawConfig, keys, split},
};

/// Prefix of the variables.
const PREFIX: &str = "GHOSTMUX_";

/// Other variables that are read: the directories of this user's files.
const DIRECTORIES: [&str; 2] = ["XDG_STATE_HOME", "HOME"];

/// The source of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    Flag,
    Variable,
    File(PathBuf),
    Default,
}

/// One value of a setting, with its source.
#[derive(Debug, Clone)]
pub(super) struct Said {
    key: &'static str,
    pub(super) source: Source,
    pub(super) text: String,
}

impl Said {
    /// The setting as the operator wrote it.
    pub(super) fn setting(&self) -> String {
        match &self.source {
            Source::Flag => format!("--{}", self.key.replace('_', "-")),
            Source::Variable => variable(self.key),
            Source::File(path) => format!("{} in {}", self.key, path.display()),
            Source::Default => format!("default of {}", self.key),
        }
    }
}

/// All values of all sources, the strongest first, and the directories of this user's files.
#[derive(Debug)]
pub(super) struct Layers {
    said: Vec<(Source, RawConfig)>,
    environment: Vec<(String, String)>,
}

impl Layers {
    pub(super) fn load(
        flags: RawConfig,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        // An empty variable counts as unset: `FOO=${FOO:-}` in a compose file leaves one.
        let ours = |(name, value): (String, String)| Some((name.strip_prefix(PREFIX)?.to_lowercase(), value));
        let said = variables.into_iter().filter(|(_, value)| !value.is_empty());
        let (variables, mut environment): (Vec<_>, Vec<_>) = said.partition(|(name, _)| name.starts_with(PREFIX));
        environment.retain(|(name, _)| DIRECTORIES.contains(&name.as_str()));
        let variables: Vec<_> = variables.into_iter().filter_map(ours).collect();
        let from_variable = || variables.iter().find(|(key, _)| key == "config").map(|(_, path)| PathBuf::from(path));
        let file = match flags.config.clone().or_else(from_variable) {
            Some(path) => Some((Source::File(path.clone()), read_file(&path)?)),
            None => None,
        };
        let mut layers = vec![
            (Source::Flag, split_flags(flags)),
            (Source::Variable, from_pairs(variables.iter().map(|(key, value)| (key.as_str(), value.as_str())))),
        ];
        layers.extend(file);
        layers.push((Source::Default, from_pairs(DEFAULTS)));
        Ok(Self { said: layers, environment })
    }

    /// A variable that names a directory of this user's files; not a setting of ghostmux.
    pub(super) fn environment(&self, name: &str) -> Option<&str> {
        self.environment.iter().find(|(has, _)| has == name).map(|(_, value)| value.as_str())
    }

    /// The values of a setting from the strongest source that has it.
    pub(super) fn list(&self, key: &'static str) -> Vec<Said> {
        let strongest = self.said.iter().find_map(|(source, raw)| Some((source, raw.said(key)?)));
        let Some((source, texts)) = strongest else { return Vec::new() };
        texts.iter().map(|text| Said { key, source: source.clone(), text: text.clone() }).collect()
    }

    /// The value of a setting that has one value and no default.
    pub(super) fn maybe(&self, key: &'static str) -> Option<Said> {
        self.list(key).into_iter().next()
    }

    /// The value of a setting that has one value and a default.
    pub(super) fn text(&self, key: &'static str) -> Said {
        self.maybe(key).expect("a setting read so is in DEFAULTS")
    }
}

/// Names among `variables` that look like settings and are none: probably mistyped. The caller warns and does not fail,
/// because others set such names too: Kubernetes sets `GHOSTMUX_SERVICE_HOST` beside a service named ghostmux.
pub fn unknown_variables(variables: impl IntoIterator<Item = String>) -> Vec<String> {
    let keys = keys();
    let foreign = |name: &String| {
        let Some(rest) = name.strip_prefix(PREFIX) else { return false };
        let from_kubernetes = ["SERVICE_", "PORT"].iter().any(|word| rest.contains(word));
        !from_kubernetes && !keys.contains(&rest.to_lowercase())
    };
    variables.into_iter().filter(foreign).collect()
}

pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase())
}

fn read_file(path: &Path) -> Result<RawConfig, ConfigError> {
    let setting = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::File {
        setting: setting.clone(),
        problem: format!("cannot read the configuration file: {error}"),
    })?;
    toml::from_str(&text).map_err(|error| {
        let line = error.span().map(|span| format!(":{}", text[..span.start].matches('\n').count() + 1));
        ConfigError::File {
            setting: setting + &line.unwrap_or_default(),
            problem: error.message().replace("field", "setting").replace('\n', "; "),
        }
    })
}

fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> RawConfig {
    let keys = keys();
    let known = pairs.into_iter().filter(|(key, _)| *key != "config" && keys.iter().any(|known| known == key));
    let read = RawConfig::deserialize(MapDeserializer::<_, serde::de::value::Error>::new(known));
    read.expect("every known key takes text")
}

/// Splits values of flags that are lists, such as `--browser-args "--a --b"`; a flag can also be repeated.
fn split_flags(mut flags: RawConfig) -> RawConfig {
    let lists = [&mut flags.allow_host, &mut flags.allow_origin, &mut flags.browser_url, &mut flags.browser_args];
    for values in lists.into_iter().flatten() {
        *values = values.iter().flat_map(|value| split(value)).collect();
    }
    flags
}
