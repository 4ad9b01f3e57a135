//! The settings of one source, as text that is not checked yet. `load` combines the sources.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use toml::Spanned;

use super::{
    declare::{Declared, Kind},
    said::{RawValue, RawValues, flag},
    settings::{KEYS, declared},
};

/// The settings that one source gives. Its arguments of clap are the flags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawConfig {
    /// TOML file with further settings.
    pub(super) config: Option<PathBuf>,
    pub(super) values: RawValues,
}

impl RawConfig {
    /// Reads the text of a TOML file. The error has the place and an unknown key.
    pub(super) fn of_file(text: &str) -> Result<Self, toml::de::Error> {
        let File { values, browsers } = toml::from_str(text)?;
        let lined = |(key, values): (_, Spanned<Vec<String>>)| {
            let lines = vec![line_of(text, values.span().start)];
            (key, RawValue { texts: values.into_inner(), lines })
        };
        let mut values: RawValues = values.into_iter().map(lined).collect();
        if !browsers.is_empty() {
            let urls = values.entry(BROWSER_URL).or_default();
            // All that the list has are in its line.
            let line = urls.lines.first().copied().unwrap_or_default();
            urls.lines = vec![line; urls.texts.len()];
            for Browser { url } in browsers {
                urls.lines.push(line_of(text, url.span().start));
                urls.texts.push(url.into_inner());
            }
        }
        Ok(Self { config: None, values })
    }

    /// Names the TOML file with further settings.
    #[must_use]
    pub fn with_file(self, config: Option<PathBuf>) -> Self {
        Self { config, ..self }
    }

    /// Adds values for the setting of this key. The values of a list can also be separated by spaces in one text. A key
    /// that no setting has is ignored.
    #[must_use]
    pub fn with(mut self, key: &str, texts: impl IntoIterator<Item = String>) -> Self {
        let setting = declared().iter().find(|setting| setting.key == key);
        let mut texts = texts.into_iter().peekable();
        if let (Some(setting), Some(_)) = (setting, texts.peek()) {
            let texts = match setting.kind {
                Kind::List => texts.flat_map(|text| split(&text)).collect(),
                Kind::One | Kind::Switch => texts.collect(),
            };
            self.values.insert(setting.key, RawValue { texts, lines: Vec::new() });
        }
        self
    }
}

/// The line of a byte of a text, from 1.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

fn split(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

impl Declared {
    fn argument(&self) -> Arg {
        let default = self.default_text().map(|default| format!(" [default: {default}]")).unwrap_or_default();
        let argument = Arg::new(self.key)
            .long(flag(self.key))
            .value_name(self.value_name.clone())
            .help_heading(self.group)
            .help(self.doc.clone() + &default)
            .allow_hyphen_values(self.hyphens);
        match self.kind {
            Kind::One => argument,
            Kind::List => argument.action(ArgAction::Append),
            Kind::Switch => argument.num_args(0..=1).require_equals(true).default_missing_value("true"),
        }
    }
}

/// The flag that names the file.
const CONFIG: &str = "config";

/// The text of that flag in `--help` and in the documentation.
pub(super) const CONFIG_DOC: &str = "TOML file with any of these settings, named as here with `_` for `-`";

impl Args for RawConfig {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new(CONFIG).long(CONFIG).value_name("FILE").help(CONFIG_DOC);
        let file = file.value_parser(clap::value_parser!(PathBuf));
        command.arg(file).args(declared().iter().map(Declared::argument))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for RawConfig {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let flags = Self { config: matches.get_one(CONFIG).cloned(), ..Self::default() };
        let values = |key: &str| matches.get_many::<String>(key).into_iter().flatten().cloned();
        Ok(KEYS.iter().fold(flags, |flags, key| flags.with(key, values(key))))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The table of a file that names a remote browser; there may be several.
const BROWSER: &str = "browser";

/// The key of the setting to whose values these tables are added.
const BROWSER_URL: &str = "browser_url";

/// The settings of a TOML file, with the place of each.
#[derive(Default)]
struct File {
    values: BTreeMap<&'static str, Spanned<Vec<String>>>,
    browsers: Vec<Browser>,
}

/// One `[[browser]]` of a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Browser {
    url: Spanned<String>,
}

impl<'de> Deserialize<'de> for File {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Settings;
        impl<'de> Visitor<'de> for Settings {
            type Value = File;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("settings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<File, A::Error> {
                let mut file = File::default();
                while let Some(key) = map.next_key()? {
                    let Key::Setting(setting) = key else {
                        file.browsers = map.next_value()?;
                        continue;
                    };
                    let given = if setting.kind == Kind::List {
                        map.next_value::<Spanned<List>>().map(|list| Spanned::new(list.span(), list.into_inner().0))?
                    } else {
                        let text = map.next_value::<Spanned<Text>>()?;
                        Spanned::new(text.span(), vec![text.into_inner().0])
                    };
                    file.values.insert(setting.key, given);
                }
                Ok(file)
            }
        }
        deserializer.deserialize_map(Settings)
    }
}

/// A key of a file.
enum Key {
    Setting(&'static Declared),
    Browsers,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = String::deserialize(deserializer)?;
        if key == BROWSER {
            return Ok(Self::Browsers);
        }
        let setting = declared().iter().find(|setting| setting.key == key);
        setting.map(Self::Setting).ok_or_else(|| D::Error::unknown_field(&key, KEYS))
    }
}

/// One value of a file: text, a whole number or a boolean.
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scalar;
        impl Visitor<'_> for Scalar {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text, a whole number, true or false")
            }

            fn visit_str<E>(self, value: &str) -> Result<Text, E> {
                Ok(Text(value.to_owned()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }
        }
        deserializer.deserialize_any(Scalar)
    }
}

/// The values of a list in a file: a TOML list, taken as it is, or text separated by spaces.
struct List(Vec<String>);

impl<'de> Deserialize<'de> for List {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = List;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of texts, or text separated by spaces")
            }

            fn visit_str<E>(self, value: &str) -> Result<List, E> {
                Ok(List(split(value)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = seq.next_element()? {
                    values.push(value);
                }
                Ok(List(values))
            }
        }
        deserializer.deserialize_any(Texts)
    }
}
