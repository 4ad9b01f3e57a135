//! Loads the settings: reads the variables and the file, and puts flags and defaults beside them.

use std::path::Path;

use super::{
    ConfigError,
    declare::DefaultValue,
    layers::Layers,
    raw::{RawConfig, line_of},
    said::{PREFIX, RawValues, Source},
    settings::{KEYS, declared},
};

/// Other variables that are read: the directories of this user's files.
const DIRECTORIES: [&str; 2] = ["XDG_STATE_HOME", "HOME"];

/// The values of all sources. `variables` are all of the process.
pub(super) fn load(
    flags: RawConfig,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Layers, ConfigError> {
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
    let defaults = declared().iter().fold(RawConfig::default(), |defaults, setting| match setting.default {
        DefaultValue::Text(text) => defaults.with(setting.key, [text.to_owned()]),
        DefaultValue::Absent | DefaultValue::Computed(_) => defaults,
    });
    let mut sources = vec![(Source::Flag, flags.values), (Source::Variable, variables.values)];
    sources.extend(file);
    sources.push((Source::Default, defaults.values));
    Ok(Layers { sources, environment })
}

/// Names among `variables` that look like settings and are none: probably mistyped. The caller warns and does not fail,
/// because others set such names too: Kubernetes sets `GHOSTMUX_SERVICE_HOST` beside a service named ghostmux.
pub fn unknown_variables(variables: impl IntoIterator<Item = String>) -> Vec<String> {
    let foreign = |name: &String| {
        let Some(rest) = name.strip_prefix(PREFIX) else { return false };
        let from_kubernetes = ["SERVICE_", "PORT"].iter().any(|word| rest.contains(word));
        let key = rest.to_lowercase();
        // The subcommands that ask a server take the token from there.
        let is_other = matches!(key.as_str(), "config" | "token");
        !from_kubernetes && !is_other && !KEYS.contains(&key.as_str())
    };
    variables.into_iter().filter(foreign).collect()
}

fn read_file(path: &Path) -> Result<RawValues, ConfigError> {
    let setting = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::File {
        setting: setting.clone(),
        problem: format!("cannot read the configuration file: {error}"),
    })?;
    RawConfig::of_file(&text).map(|file| file.values).map_err(|error| {
        let line = error.span().map(|span| format!(":{}", line_of(&text, span.start)));
        ConfigError::File {
            setting: setting + &line.unwrap_or_default(),
            problem: error.message().replace("field", "setting").replace('\n', "; "),
        }
    })
}
