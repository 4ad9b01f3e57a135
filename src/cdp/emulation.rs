//! The emulation that clients set for a page: user agent, screen, location, time. In Chrome it
//! belongs to the CDP session that set it and cannot be read, so the commands are recorded.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::json_object::JsonObject;

/// The longest params that are recorded, in bytes: clients choose them.
const LONGEST: usize = 16 * 1024;

/// The largest number of device pixels in one picture of a page.
///
/// Measured on 156: a screenshot of 64 million takes 1.2 to 1.8 GB and delays other tenants by 1 s,
/// one of 128 million 3 GB and 2 s, one of 200 million 3.2 GB and 4.6 s. A page that is 1280 wide
/// may be 78,000 high.
const MAX_PIXELS: f64 = 100e6;

/// The largest sides of a page, which are Chrome's limits.
const MAX_SIDE: f64 = 10e6;

/// The longest side of a window, in device-independent pixels.
///
/// One process draws the windows of all tenants, visible or not. Measured on 156, full Chrome:
/// while one window becomes this large, another page waits for its next frame 0.15 s at 4096 ×
/// 4096, 3 to 6 s at 10,000 × 10,000, 37 s at 20,000 × 20,000; with 100,000,000 on one side the
/// frame never comes, and Chrome ends.
pub const MAX_WINDOW: f64 = 4096.0;

/// One aspect of a page's emulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Aspect {
    /// User agent, languages and platform.
    UserAgent,
    /// Size, scale and orientation of its screen.
    Viewport,
    /// Touch screen.
    Touch,
    /// Media type and features: print, dark colour scheme, reduced motion.
    Media,
    /// Locale of numbers and dates.
    Locale,
    /// Its time zone.
    Timezone,
    /// Geolocation.
    Geolocation,
    /// Headers of its requests.
    Headers,
}

impl Aspect {
    /// The command that sets it.
    pub fn method(self) -> &'static str {
        match self {
            Self::UserAgent => "Emulation.setUserAgentOverride",
            Self::Viewport => "Emulation.setDeviceMetricsOverride",
            Self::Touch => "Emulation.setTouchEmulationEnabled",
            Self::Media => "Emulation.setEmulatedMedia",
            Self::Locale => "Emulation.setLocaleOverride",
            Self::Timezone => "Emulation.setTimezoneOverride",
            Self::Geolocation => "Emulation.setGeolocationOverride",
            Self::Headers => "Network.setExtraHTTPHeaders",
        }
    }

    /// The command that clears it, and its params.
    pub fn end(self) -> (&'static str, &'static str) {
        match self {
            Self::UserAgent => (self.method(), r#"{"userAgent":""}"#),
            Self::Viewport => ("Emulation.clearDeviceMetricsOverride", "{}"),
            Self::Touch => (self.method(), r#"{"enabled":false}"#),
            Self::Media => (self.method(), r#"{"media":"","features":[]}"#),
            Self::Locale => (self.method(), "{}"),
            Self::Timezone => (self.method(), r#"{"timezoneId":""}"#),
            Self::Geolocation => ("Emulation.clearGeolocationOverride", "{}"),
            Self::Headers => ("Network.disable", "{}"),
        }
    }

    /// The command that is needed before [`Aspect::method`] has an effect, and its params
    /// (*measured*).
    pub fn before(self) -> Option<(&'static str, &'static str)> {
        (self == Self::Headers).then_some(("Network.enable", r#"{"maxTotalBufferSize":0}"#))
    }

    /// The aspects that a command changes.
    pub fn of(method: &str) -> Option<Self> {
        Some(match method {
            "Emulation.setUserAgentOverride" | "Network.setUserAgentOverride" => Self::UserAgent,
            "Emulation.setDeviceMetricsOverride"
            | "Page.setDeviceMetricsOverride"
            | "Emulation.clearDeviceMetricsOverride"
            | "Page.clearDeviceMetricsOverride" => Self::Viewport,
            "Emulation.setTouchEmulationEnabled" | "Page.setTouchEmulationEnabled" => Self::Touch,
            "Emulation.setEmulatedMedia" => Self::Media,
            "Emulation.setLocaleOverride" => Self::Locale,
            "Emulation.setTimezoneOverride" => Self::Timezone,
            "Emulation.setGeolocationOverride"
            | "Page.setGeolocationOverride"
            | "Emulation.clearGeolocationOverride"
            | "Page.clearGeolocationOverride" => Self::Geolocation,
            "Network.setExtraHTTPHeaders" => Self::Headers,
            _ => return None,
        })
    }

    /// Whether a command with these params clears it rather than sets it.
    fn is_ended_by(self, method: &str, params: &JsonObject<'_>) -> bool {
        let empty = |name, empty: &str| params.get(name).is_none_or(|value| value == empty);
        match self {
            Self::UserAgent => empty("userAgent", r#""""#),
            Self::Touch => empty("enabled", "false"),
            Self::Media => empty("media", r#""""#) && empty("features", "[]"),
            Self::Locale => empty("locale", r#""""#),
            Self::Timezone => empty("timezoneId", r#""""#),
            Self::Headers => empty("headers", "{}"),
            Self::Viewport | Self::Geolocation => method.contains(".clear"),
        }
    }
}

/// A client's setting of one aspect.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Override {
    what: Aspect,
    params: Box<RawValue>,
}

impl Override {
    /// A setting of the proxy's own. `params` are those of [`Aspect::method`]; if they are no JSON, none at all.
    pub fn new(what: Aspect, params: String) -> Self {
        Self { what, params: RawValue::from_string(params).unwrap_or_default() }
    }

    /// The aspect.
    pub fn aspect(&self) -> Aspect {
        self.what
    }

    /// The params of [`Aspect::method`]. They may come from a snapshot: an error is the reason why
    /// they are not sent to Chrome.
    pub fn params(&self) -> Result<&str, String> {
        let params = JsonObject::read(self.params.get()).ok_or("Invalid parameters")?;
        if self.what == Aspect::Viewport {
            viewport(&params)?;
        }
        Ok(self.params.get())
    }
}

/// A command's change of a page's emulation.
#[derive(Clone, Debug)]
pub struct Change {
    what: Aspect,
    /// `None` clears it.
    params: Option<Box<RawValue>>,
}

impl Change {
    /// Reads a command; `None` if it is another one, or its params are not an object.
    pub fn read(method: &str, params: &str) -> Option<Self> {
        let what = Aspect::of(method)?;
        let ends = what.is_ended_by(method, &JsonObject::read(params)?);
        let params = if ends { None } else { Some(RawValue::from_string(params.to_owned()).ok()?) };
        Some(Self { what, params })
    }

    /// The aspect.
    pub fn aspect(&self) -> Aspect {
        self.what
    }

    /// Whether it sets the aspect, rather than clears it.
    pub fn is_set(&self) -> bool {
        self.params.is_some()
    }

    /// The device pixel ratio, if it sets one.
    pub fn device_scale(&self) -> Option<f64> {
        if self.what != Aspect::Viewport {
            return None;
        }
        let asked =
            self.params.as_ref().and_then(|params| JsonObject::read(params.get())?.read_as("deviceScaleFactor"));
        Some(asked.map_or(1.0, or_screen))
    }
}

impl PartialEq for Change {
    fn eq(&self, other: &Self) -> bool {
        let (own, others) = (self.params.as_deref().map(RawValue::get), other.params.as_deref().map(RawValue::get));
        self.what == other.what && own == others
    }
}

impl Eq for Change {}

impl From<Override> for Change {
    fn from(Override { what, params }: Override) -> Self {
        Self { what, params: Some(params) }
    }
}

/// The emulation of a page.
#[derive(Clone, Debug, Default)]
pub struct Overrides(BTreeMap<Aspect, Option<Box<RawValue>>>);

impl Overrides {
    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this aspect is set.
    pub fn has(&self, what: Aspect) -> bool {
        self.0.contains_key(&what)
    }

    /// Chrome has performed the command.
    pub fn note(&mut self, change: Change) {
        match change.params {
            Some(params) => self.0.insert(change.what, Some(params).filter(|params| params.get().len() <= LONGEST)),
            None => self.0.remove(&change.what),
        };
    }

    /// The commands that set it for another page; for params that were too long to be recorded, the
    /// reason why they are missing.
    pub fn all(&self) -> impl Iterator<Item = Result<Override, (Aspect, String)>> {
        self.0.iter().map(|(what, params)| match params {
            Some(params) => Ok(Override { what: *what, params: params.clone() }),
            None => Err((*what, format!("its params are longer than {LONGEST} bytes"))),
        })
    }
}

/// Checks the size of a page in the params of `Emulation.setDeviceMetricsOverride`. An error is
/// Chrome's text, or similar.
pub fn viewport(params: &JsonObject<'_>) -> Result<(), String> {
    let number = |name| params.read_as::<f64>(name);
    let (Some(width), Some(height), Some(scale)) = (number("width"), number("height"), number("deviceScaleFactor"))
    else {
        return Ok(());
    };
    if ["width", "height", "screenWidth", "screenHeight"].into_iter().filter_map(number).any(|side| side > MAX_SIDE) {
        return Err("Width and height values must be positive, not greater than 10000000".to_owned());
    }
    // 0 means the window's own size, which can be as large as this.
    let side = |side: f64| if side == 0.0 { MAX_WINDOW } else { side };
    picture(side(width), side(height), or_screen(scale)).map_err(|why| {
        if width == 0.0 || height == 0.0 { format!("{why}: 0 is that of a window, {MAX_WINDOW} at most") } else { why }
    })
}

/// 0 means the ratio of the screen.
fn or_screen(scale: f64) -> f64 {
    if scale == 0.0 { 1.0 } else { scale.abs() }
}

/// Checks the size of a picture, in CSS pixels, with its device pixel ratio.
pub fn picture(width: f64, height: f64, scale: f64) -> Result<(), String> {
    if (width * height).abs() * scale * scale > MAX_PIXELS {
        return Err(format!("width and height make more than {MAX_PIXELS} device pixels"));
    }
    Ok(())
}

/// The number of device pixels of a picture that [`picture`] accepted.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and far below 2^53")]
pub fn pixels(width: f64, height: f64, scale: f64) -> u64 {
    ((width * height).abs() * scale * scale).ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_setting_counts_until_it_is_cleared() {
        let mut overrides = Overrides::default();
        let long = format!(r#"{{"headers":{{"a":"{}"}}}}"#, "x".repeat(LONGEST));
        for (method, params) in [
            ("Emulation.setUserAgentOverride", r#"{"userAgent":"one"}"#),
            ("Network.setUserAgentOverride", r#"{"userAgent":"two"}"#),
            ("Emulation.setTimezoneOverride", r#"{"timezoneId":"Asia/Tokyo"}"#),
            ("Emulation.setTimezoneOverride", r#"{"timezoneId":""}"#),
            ("Emulation.setDeviceMetricsOverride", r#"{"width":1,"height":2,"deviceScaleFactor":0,"mobile":false}"#),
            ("Page.clearDeviceMetricsOverride", "{}"),
            ("Emulation.setLocaleOverride", "{}"),
            ("Emulation.setTouchEmulationEnabled", r#"{"enabled":false}"#),
            ("Emulation.setEmulatedMedia", r#"{"media":"","features":[]}"#),
            // Params without a position mean "position unavailable", which is a setting too.
            ("Emulation.setGeolocationOverride", "{}"),
            ("Network.setExtraHTTPHeaders", long.as_str()),
        ] {
            overrides.note(Change::read(method, params).expect(method));
        }
        let all: Vec<String> = overrides
            .all()
            .map(|one| match one {
                Ok(one) => format!("{} {}", one.aspect().method(), one.params().expect("in range")),
                Err((what, why)) => format!("{} {why}", what.method()),
            })
            .collect();
        assert_eq!(
            all,
            [
                r#"Emulation.setUserAgentOverride {"userAgent":"two"}"#,
                "Emulation.setGeolocationOverride {}",
                "Network.setExtraHTTPHeaders its params are longer than 16384 bytes",
            ]
        );
    }

    #[test]
    fn clearing_commands_are_recognised() {
        for what in [
            Aspect::UserAgent,
            Aspect::Viewport,
            Aspect::Touch,
            Aspect::Media,
            Aspect::Locale,
            Aspect::Timezone,
            Aspect::Geolocation,
        ] {
            let (method, params) = what.end();
            let change = Change::read(method, params).expect(method);
            assert_eq!((change.aspect(), change.params.is_none()), (what, true), "{method}");
        }
    }

    #[test]
    fn snapshot_viewports_have_the_client_limit() {
        let read = |params: &str| -> Result<String, String> {
            let json = format!(r#"{{"what":"viewport","params":{params}}}"#);
            let one: Override = serde_json::from_str(&json).expect("an override");
            one.params().map(str::to_owned)
        };
        assert!(read(r#"{"width":800,"height":600,"deviceScaleFactor":1,"mobile":false}"#).is_ok());
        for bad in [r#"{"width":1e5,"height":1e5,"deviceScaleFactor":1}"#, r#"{"width":1,"width":1e9}"#, "[]", "1"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
