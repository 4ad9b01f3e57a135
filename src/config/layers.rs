//! The values of all sources: flags, variables, a file, the defaults. The first source that has a setting wins.

use super::said::{RawValues, Said, Source};

/// All values of all sources, and the directories of this user's files.
#[derive(Debug)]
pub(super) struct Layers {
    /// The sources, the strongest first.
    pub(super) sources: Vec<(Source, RawValues)>,
    pub(super) environment: Vec<(String, String)>,
}

impl Layers {
    /// A variable that names a directory of this user's files; not a setting of ghostmux.
    pub(super) fn environment(&self, name: &str) -> Option<&str> {
        self.environment.iter().find(|(has, _)| has == name).map(|(_, value)| value.as_str())
    }

    /// The values of a setting from the strongest source that gives any.
    pub(super) fn values(&self, key: &'static str) -> Vec<Said> {
        let strongest = self.sources.iter().find_map(|(source, values)| Some((source, values.get(key)?)));
        let Some((source, given)) = strongest else { return Vec::new() };
        let line = |at| given.lines.get(at).or(given.lines.last()).copied();
        let said =
            |(at, text): (usize, &String)| Said { key, source: source.clone(), line: line(at), text: text.clone() };
        given.texts.iter().enumerate().map(said).collect()
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
