//! A value of a setting as the operator gave it, with its source.

use std::{collections::BTreeMap, path::PathBuf};

use super::ConfigError;

/// Prefix of the variables.
pub(super) const PREFIX: &str = "GHOSTMUX_";

/// The settings that one source gives, by key.
pub(super) type RawValues = BTreeMap<&'static str, RawValue>;

/// The values that one source gives for one setting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RawValue {
    /// Empty only if an empty list is given.
    pub(super) texts: Vec<String>,
    /// The lines in the file, from 1: one for each text, or one for all; none if they are from no file.
    pub(super) lines: Vec<usize>,
}

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
    pub(super) key: &'static str,
    pub(super) source: Source,
    pub(super) line: Option<usize>,
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

/// The name of the flag, without `--`.
pub(super) fn flag(key: &str) -> String {
    key.replace('_', "-")
}

/// The name of the variable.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase())
}
