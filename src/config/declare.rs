//! Declares settings: the kinds of values, and the macro that makes [`Config`](super::Config), the flags, the keys of the
//! file and the documentation from the declarations in `settings.rs`.

use super::{ConfigError, layers::Layers, said::Said, value};

/// How many values a setting takes, and how its flag is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One value.
    One,
    /// One value; the flag alone means `true`.
    Switch,
    /// Several values: the flag is repeated, or the values are separated by spaces.
    List,
}

/// The default of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DefaultValue {
    /// None: no value.
    Absent,
    /// A text, checked like one from the operator.
    Text(&'static str),
    /// Computed when the settings are loaded. The text describes it in the documentation.
    Computed(&'static str),
}

/// A declaration without the parser of its values.
#[derive(Debug, Clone)]
pub(super) struct Declared {
    /// The key in the file. The names of the flag and of the variable follow from it.
    pub(super) key: &'static str,
    /// The heading in `--help` and in the documentation.
    pub(super) group: &'static str,
    /// The text in `--help` and in the documentation.
    pub(super) doc: String,
    /// The placeholder for a value.
    pub(super) value_name: String,
    pub(super) kind: Kind,
    /// Whether a value of the flag may begin with `-`.
    pub(super) hyphens: bool,
    /// Whether a reload changes it.
    pub(super) is_live: bool,
    /// What of a value may be shown.
    pub(super) shown: fn(&str) -> String,
    pub(super) default: DefaultValue,
}

/// Checks the values that the strongest source gives.
type Read<T> = dyn Fn(&Layers, &[Said]) -> Result<T, ConfigError>;

/// The declaration of a setting whose checked value is a `T`.
pub(super) struct Setting<T> {
    value_name: String,
    kind: Kind,
    hyphens: bool,
    is_live: bool,
    shown: fn(&str) -> String,
    default: DefaultValue,
    read: Box<Read<T>>,
}

/// Parses and checks one value.
pub(super) trait Check<T>: 'static {
    /// The checked value. The error names the setting, the value and the rule.
    fn check(&self, said: &Said) -> Result<T, ConfigError>;
}

/// A parser of texts. Its error says what is wrong and what to write instead.
impl<T, F: Fn(&str) -> Result<T, String> + 'static> Check<T> for F {
    fn check(&self, said: &Said) -> Result<T, ConfigError> {
        self(&said.text).map_err(|problem| said.wrong(&problem))
    }
}

/// A check that depends on the source of the value, or whose error must not repeat the value.
pub(super) struct BySource<T>(pub(super) fn(&Said) -> Result<T, ConfigError>);

impl<T: 'static> Check<T> for BySource<T> {
    fn check(&self, said: &Said) -> Result<T, ConfigError> {
        self.0(said)
    }
}

/// One value with a default.
pub(super) fn one<T>(value_name: &str, default: &'static str, check: impl Check<T>) -> Setting<T> {
    let read =
        move |_: &Layers, said: &[Said]| check.check(said.first().expect("a setting with a default has a value"));
    Setting::new(value_name, Kind::One, DefaultValue::Text(default), read)
}

/// One value, or what `compute` returns. `default` describes that in the documentation.
pub(super) fn computed<T: 'static>(
    value_name: &str,
    default: &'static str,
    compute: fn(&Layers) -> T,
    check: impl Check<T>,
) -> Setting<T> {
    let read =
        move |layers: &Layers, said: &[Said]| said.first().map_or_else(|| Ok(compute(layers)), |s| check.check(s));
    Setting::new(value_name, Kind::One, DefaultValue::Computed(default), read)
}

/// One value or none.
pub(super) fn optional<T>(value_name: &str, check: impl Check<T>) -> Setting<Option<T>> {
    let read = move |_: &Layers, said: &[Said]| said.first().map(|said| check.check(said)).transpose();
    Setting::new(value_name, Kind::One, DefaultValue::Absent, read)
}

/// Any number of values.
pub(super) fn list<T>(value_name: &str, check: impl Check<T>) -> Setting<Vec<T>> {
    let read = move |_: &Layers, said: &[Said]| said.iter().map(|said| check.check(said)).collect();
    Setting::new(value_name, Kind::List, DefaultValue::Absent, read)
}

/// Off unless the operator turns it on.
pub(super) fn switch() -> Setting<bool> {
    Setting { kind: Kind::Switch, ..one("BOOL", "false", value::switch) }
}

/// One of these words.
pub(super) fn choice<T: Copy + 'static>(default: &'static str, words: &'static [(&'static str, T)]) -> Setting<T> {
    let names: Vec<_> = words.iter().map(|(word, _)| *word).collect();
    one(&names.join("|"), default, value::choice(words))
}

impl<T> Setting<T> {
    fn new(
        value_name: &str,
        kind: Kind,
        default: DefaultValue,
        read: impl Fn(&Layers, &[Said]) -> Result<T, ConfigError> + 'static,
    ) -> Self {
        let (value_name, read) = (value_name.to_owned(), Box::new(read));
        Self { value_name, kind, hyphens: false, is_live: false, shown: str::to_owned, default, read }
    }

    /// A reload changes it. What is checked together with it must be live too, because a reload takes the new values of
    /// the live settings and keeps the old ones of the others.
    pub(super) fn live(self) -> Self {
        Self { is_live: true, ..self }
    }

    /// Its values are shown only as `shown` returns them: they may hold a secret.
    pub(super) fn showing(self, shown: fn(&str) -> String) -> Self {
        Self { shown, ..self }
    }

    /// Accepts values that begin with `-` after the flag.
    pub(super) fn with_hyphens(self) -> Self {
        Self { hyphens: true, ..self }
    }

    /// The checked value from the strongest source that has one.
    pub(super) fn read(&self, key: &'static str, layers: &Layers) -> Result<T, ConfigError> {
        (self.read)(layers, &layers.values(key))
    }

    /// The declaration without its parser. `doc` is the comment as Rust keeps it: each line begins with a space.
    pub(super) fn declared(self, key: &'static str, group: &'static str, doc: &str) -> Declared {
        let doc = doc.trim().trim_end_matches('.').to_owned();
        let Self { value_name, kind, hyphens, is_live, shown, default, .. } = self;
        Declared { key, group, doc, value_name, kind, hyphens, is_live, shown, default }
    }
}

impl Declared {
    /// The default as `--help` shows it.
    pub(super) fn default_text(&self) -> Option<&'static str> {
        match self.default {
            DefaultValue::Absent => None,
            DefaultValue::Text(text) | DefaultValue::Computed(text) => Some(text),
        }
    }
}

/// Makes [`Config`](super::Config), with a field for each setting, and the table of the declarations. A row without a
/// comment does not compile.
macro_rules! settings {
    ($($group:literal { $($(#[doc = $doc:literal])+ $key:ident: $type:ty = $setting:expr;)+ })+) => {
        /// The checked settings of `ghostmux serve`, a field for each.
        #[derive(Debug, Clone)]
        pub struct Config {
            $($($(#[doc = $doc])+ pub $key: $type,)+)+
        }

        /// The keys of all settings.
        pub(super) const KEYS: &[&str] = &[$($(stringify!($key),)+)+];

        /// All settings, in the order of the documentation.
        pub(super) fn declared() -> &'static [Declared] {
            static ALL: std::sync::LazyLock<Vec<Declared>> = std::sync::LazyLock::new(|| vec![$($({
                let setting: Setting<$type> = $setting;
                setting.declared(stringify!($key), $group, concat!($($doc),+))
            },)+)+]);
            &ALL
        }

        impl Config {
            /// Checks every setting by itself.
            pub(super) fn read(layers: &Layers) -> Result<Self, ConfigError> {
                Ok(Self {
                    $($($key: {
                        let setting: Setting<$type> = $setting;
                        setting.read(stringify!($key), layers)?
                    },)+)+
                })
            }

            /// The keys of the settings whose values are not those of `other`.
            pub(super) fn differing(&self, other: &Self) -> Vec<&'static str> {
                let mut keys = Vec::new();
                $($(
                    if self.$key != other.$key {
                        keys.push(stringify!($key));
                    }
                )+)+
                keys
            }

            /// These settings, with the values of `new` for the keys that `is_live` names.
            pub(super) fn taking(&self, new: &Self, is_live: impl Fn(&str) -> bool) -> Self {
                Self {
                    $($($key: Clone::clone(if is_live(stringify!($key)) { &new.$key } else { &self.$key }),)+)+
                }
            }
        }
    };
}

pub(super) use settings;
