//! The sources of settings: flags, variables, a file, the defaults; the first one wins.

use std::path::{Path, PathBuf};

use super::{
    ConfigError,
    declare::DefaultValue,
    raw::{RawConfig, line_of},
    settings::{KEYS, declared},
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
    line: Option<usize>,
    pub(super) text: String,
}

impl Said {
    /// The setting as the operator wrote it.
    pub(super) fn setting(&self) -> String {
        match (&self.source, self.line) {
            (Source::Flag, _) => format!("--{}", flag(self.key)),
            (Source::Variable, _) => variable(self.key),
            (Source::File(path), Some(line)) => format!("{} in {}:{line}", self.key, path.display()),
            (Source::File(path), None) => format!("{} in {}", self.key, path.display()),
            (Source::Default, _) => format!("default of {}", self.key),
        }
    }

    /// The error for this value. `problem` says which rule it breaks and what to do.
    pub(super) fn wrong(&self, problem: &str) -> ConfigError {
        ConfigError::Value { setting: self.setting(), value: self.text.clone(), problem: problem.to_owned() }
    }

    /// The same value, with another text to show.
    pub(super) fn showing(&self, text: &str) -> Self {
        Self { text: text.to_owned(), ..self.clone() }
    }

    /// The error for a value that contradicts another setting, or that must not be repeated.
    pub(super) fn conflict(&self, problem: impl Into<String>) -> ConfigError {
        ConfigError::Conflict { setting: self.setting(), problem: problem.into() }
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
        let said = variables.into_iter().filter(|(_, value)| !value.is_empty());
        let (ours, mut environment): (Vec<_>, Vec<_>) = said.partition(|(name, _)| name.starts_with(PREFIX));
        environment.retain(|(name, _)| DIRECTORIES.contains(&name.as_str()));
        let mut variables = RawConfig::default();
        for (name, value) in ours {
            match name[PREFIX.len()..].to_lowercase().as_str() {
                "config" => variables.config = Some(value.into()),
                key => variables = variables.with(key, [value]),
            }
        }
        let file = match flags.config.clone().or_else(|| variables.config.clone()) {
            Some(path) => Some((Source::File(path.clone()), read_file(&path)?)),
            None => None,
        };
        let mut layers = vec![(Source::Flag, flags), (Source::Variable, variables)];
        layers.extend(file);
        let defaults = declared().into_iter().fold(RawConfig::default(), |defaults, setting| match setting.default {
            DefaultValue::Text(text) => defaults.with(setting.key, [text.to_owned()]),
            DefaultValue::Absent | DefaultValue::Computed(_) => defaults,
        });
        layers.push((Source::Default, defaults));
        Ok(Self { said: layers, environment })
    }

    /// A variable that names a directory of this user's files; not a setting of ghostmux.
    pub(super) fn environment(&self, name: &str) -> Option<&str> {
        self.environment.iter().find(|(has, _)| has == name).map(|(_, value)| value.as_str())
    }

    /// The values of a setting from the strongest source that gives any.
    pub(super) fn values(&self, key: &'static str) -> Vec<Said> {
        let strongest = self.said.iter().find_map(|(source, raw)| Some((source, raw.values(key)?)));
        let Some((source, given)) = strongest else { return Vec::new() };
        let said = |text: &String| Said { key, source: source.clone(), line: given.line, text: text.clone() };
        given.texts.iter().map(said).collect()
    }

    /// The value of a setting that has one value and a default.
    pub(super) fn value(&self, key: &'static str) -> Said {
        self.values(key).into_iter().next().expect("a setting with a default")
    }

    /// The value of a setting, if it is not the default.
    pub(super) fn given(&self, key: &'static str) -> Option<Said> {
        self.values(key).into_iter().next().filter(|said| said.source != Source::Default)
    }
}

/// Names among `variables` that look like settings and are none: probably mistyped. The caller warns and does not fail,
/// because others set such names too: Kubernetes sets `GHOSTMUX_SERVICE_HOST` beside a service named ghostmux.
pub fn unknown_variables(variables: impl IntoIterator<Item = String>) -> Vec<String> {
    let foreign = |name: &String| {
        let Some(rest) = name.strip_prefix(PREFIX) else { return false };
        let from_kubernetes = ["SERVICE_", "PORT"].iter().any(|word| rest.contains(word));
        let key = rest.to_lowercase();
        !from_kubernetes && key != "config" && !KEYS.contains(&key.as_str())
    };
    variables.into_iter().filter(foreign).collect()
}

/// The name of the flag, without `--`.
pub(super) fn flag(key: &str) -> String {
    key.replace('_', "-")
}

/// The name of the variable.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase())
}

fn read_file(path: &Path) -> Result<RawConfig, ConfigError> {
    let setting = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::File {
        setting: setting.clone(),
        problem: format!("cannot read the configuration file: {error}"),
    })?;
    RawConfig::of_file(&text).map_err(|error| {
        let line = error.span().map(|span| format!(":{}", line_of(&text, span.start)));
        ConfigError::File {
            setting: setting + &line.unwrap_or_default(),
            problem: error.message().replace("field", "setting").replace('\n', "; "),
        }
    })
}
