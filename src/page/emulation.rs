//! What a page pretends to be: its viewport, device, place and state; the headers of its requests; its permissions. The
//! commands go the way of a client's, so that the limits for clients hold, snapshots have the emulation, and a client can
//! take it over.

use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    devices::{Screen, device},
    means::Means,
};
use crate::{
    api_types::{
        Attributes, Bad, ColorScheme, Geolocation, MediaType, ReducedMotion, Setting, VIEWPORT_MOST,
        operations::{PageEmulate, PagePermissions, PageViewport},
    },
    session::pages::PageError,
};

/// Most bytes of the headers that a page adds to its requests.
const HEADERS_MOST: usize = 16 * 1024;

/// Names of permissions: those of Playwright, and those of Chrome's protocol.
const PERMISSIONS: [(&str, &str); 14] = [
    ("accelerometer", "sensors"),
    ("ambient-light-sensor", "sensors"),
    ("background-sync", "backgroundSync"),
    ("camera", "videoCapture"),
    ("clipboard-read", "clipboardReadWrite"),
    ("clipboard-write", "clipboardSanitizedWrite"),
    ("gyroscope", "sensors"),
    ("local-fonts", "localFonts"),
    ("magnetometer", "sensors"),
    ("microphone", "audioCapture"),
    ("midi-sysex", "midiSysex"),
    ("payment-handler", "paymentHandler"),
    ("screen-wake-lock", "wakeLockScreen"),
    ("storage-access", "storageAccess"),
];

/// The media features of a page. Chrome sets all of them at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Media {
    kind: Option<MediaType>,
    scheme: Option<ColorScheme>,
    motion: Option<ReducedMotion>,
}

/// The media features that requests have set.
#[derive(Debug, Default)]
pub(super) struct MediaState(Mutex<Media>);

impl MediaState {
    /// Whether none is set.
    pub(super) fn is_empty(&self) -> bool {
        self.now() == Media::default()
    }

    fn now(&self) -> Media {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Means {
    /// Sets or resets the viewport.
    pub(super) async fn set_viewport(&self, request: &PageViewport) -> Result<(), PageError> {
        let PageViewport { device_scale_factor, is_mobile, has_touch, .. } = *request;
        match (request.width, request.height) {
            (Setting::Set(width), Setting::Set(height)) => {
                for (name, side) in [("width", width), ("height", height)] {
                    if !(1..=VIEWPORT_MOST).contains(&side) {
                        return Err(Bad::new(name, format!("{side} is not from 1 to {VIEWPORT_MOST} pixels")).into());
                    }
                }
                let scale = device_scale_factor.unwrap_or(1.0);
                self.set_screen(&Screen { width, height, scale, is_mobile, has_touch }).await
            }
            (Setting::Reset, Setting::Reset) => self.reset_screen().await,
            _ => Err(Bad::new("width", "and height are both numbers, or both null").into()),
        }
    }

    async fn set_screen(&self, screen: &Screen) -> Result<(), PageError> {
        let Screen { width, height, scale, is_mobile, has_touch } = *screen;
        let orientation = if is_mobile && width < height {
            json!({ "type": "portraitPrimary", "angle": 0 })
        } else {
            json!({ "type": "landscapePrimary", "angle": if is_mobile { 90 } else { 0 } })
        };
        let metrics = json!({
            "width": width, "height": height, "screenWidth": width, "screenHeight": height, "deviceScaleFactor": scale,
            "mobile": is_mobile, "screenOrientation": orientation,
        });
        self.tell("Emulation.setDeviceMetricsOverride", metrics).await?;
        self.tell("Emulation.setTouchEmulationEnabled", json!({ "enabled": has_touch })).await
    }

    async fn reset_screen(&self) -> Result<(), PageError> {
        self.tell("Emulation.clearDeviceMetricsOverride", json!({})).await?;
        self.tell("Emulation.setTouchEmulationEnabled", json!({ "enabled": false })).await
    }

    /// Changes what a request names.
    pub(super) async fn emulate(&self, media: &MediaState, request: &PageEmulate) -> Result<(), PageError> {
        let device = request.device.change().map(|name| name.map(|name| device(name)).transpose()).transpose()?;
        if let Some(device) = device {
            match device {
                Some(device) => self.set_screen(&device.screen).await?,
                None => self.reset_screen().await?,
            }
            if request.user_agent.is_kept() {
                self.set_user_agent(device.map(|device| device.user_agent)).await?;
            }
        }
        if let Some(agent) = request.user_agent.change() {
            self.set_user_agent(agent.map(String::as_str)).await?;
        }
        if let Some(locale) = request.locale.change() {
            let params = locale.map_or_else(|| json!({}), |locale| json!({ "locale": locale }));
            self.tell("Emulation.setLocaleOverride", params).await?;
        }
        if let Some(zone) = request.timezone.change() {
            self.tell("Emulation.setTimezoneOverride", json!({ "timezoneId": zone.map_or("", String::as_str) }))
                .await?;
        }
        if let Some(place) = request.geolocation.change() {
            match place {
                Some(Geolocation { latitude, longitude, accuracy }) => {
                    let place = json!({
                        "latitude": latitude, "longitude": longitude, "accuracy": accuracy.unwrap_or_default(),
                    });
                    self.tell("Emulation.setGeolocationOverride", place).await?;
                }
                None => self.tell("Emulation.clearGeolocationOverride", json!({})).await?,
            }
        }
        self.set_media(media, request).await?;
        if let Some(offline) = request.offline.change() {
            self.enable_network().await?;
            let conditions = json!({
                "offline": offline.copied().unwrap_or_default(), "latency": 0, "downloadThroughput": -1,
                "uploadThroughput": -1,
            });
            self.tell("Network.emulateNetworkConditions", conditions).await?;
        }
        if let Some(rate) = request.cpu_rate.change() {
            let rate = rate.copied().unwrap_or(1.0);
            if !(1.0..=100.0).contains(&rate) {
                return Err(Bad::new("cpuRate", format!("{rate} is not between 1 and 100")).into());
            }
            self.tell("Emulation.setCPUThrottlingRate", json!({ "rate": rate })).await?;
        }
        Ok(())
    }

    async fn set_user_agent(&self, agent: Option<&str>) -> Result<(), PageError> {
        self.tell("Emulation.setUserAgentOverride", json!({ "userAgent": agent.unwrap_or_default() })).await
    }

    async fn set_media(&self, state: &MediaState, request: &PageEmulate) -> Result<(), PageError> {
        let mut media = state.now();
        let mut is_changed = false;
        if let Some(kind) = request.media.change() {
            (media.kind, is_changed) = (kind.copied(), true);
        }
        if let Some(scheme) = request.color_scheme.change() {
            (media.scheme, is_changed) = (scheme.copied(), true);
        }
        if let Some(motion) = request.reduced_motion.change() {
            (media.motion, is_changed) = (motion.copied(), true);
        }
        if !is_changed {
            return Ok(());
        }
        let mut features = Vec::new();
        if let Some(scheme) = media.scheme {
            features.push(json!({ "name": "prefers-color-scheme", "value": scheme }));
        }
        if let Some(motion) = media.motion {
            features.push(json!({ "name": "prefers-reduced-motion", "value": motion }));
        }
        let kind = media.kind.map_or_else(|| json!(""), |kind| json!(kind));
        self.tell("Emulation.setEmulatedMedia", json!({ "media": kind, "features": features })).await?;
        *state.0.lock().unwrap_or_else(PoisonError::into_inner) = media;
        Ok(())
    }

    /// The domain `Network`, without which Chrome ignores headers; it keeps no bodies.
    async fn enable_network(&self) -> Result<(), PageError> {
        self.tell("Network.enable", json!({ "maxTotalBufferSize": 0 })).await
    }

    /// Sets the headers that the page adds to its requests.
    pub(super) async fn set_headers(&self, headers: &Attributes) -> Result<(), PageError> {
        check_headers("headers", headers)?;
        if !headers.0.is_empty() {
            self.enable_network().await?;
        }
        self.tell("Network.setExtraHTTPHeaders", json!({ "headers": headers })).await
    }

    /// Grants permissions in the context of the page.
    pub(super) async fn grant(&self, request: &PagePermissions) -> Result<(), PageError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Target {
            target_info: TargetInfo,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct TargetInfo {
            browser_context_id: String,
        }

        let PagePermissions { origin, permissions, reset, .. } = request;
        if permissions.is_empty() && !reset {
            return Err(Bad::new("permissions", "give the names of permissions, or reset").into());
        }
        let Target { target_info } = self.ask("Target.getTargetInfo", json!({})).await?;
        let context = target_info.browser_context_id;
        if *reset {
            self.tell("Browser.resetPermissions", json!({ "browserContextId": context })).await?;
        }
        if permissions.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = permissions.iter().map(|name| in_protocol(name)).collect();
        let mut params = json!({ "permissions": names, "browserContextId": context });
        if let Some(origin) = origin {
            params["origin"] = Value::from(&**origin);
        }
        self.tell("Browser.grantPermissions", params).await
    }
}

/// The name of a permission in Chrome's protocol.
fn in_protocol(name: &str) -> &str {
    PERMISSIONS.iter().find(|(of_playwright, _)| *of_playwright == name).map_or(name, |(_, of_chrome)| of_chrome)
}

/// Checks names and values of headers.
pub(super) fn check_headers(member: &str, headers: &Attributes) -> Result<(), Bad> {
    let size: usize = headers.0.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > HEADERS_MOST {
        return Err(Bad::new(member, format!("{size} bytes are too many; at most {HEADERS_MOST}")));
    }
    for (name, value) in &headers.0 {
        check_header(member, name)?;
        if value.chars().any(|character| character.is_control() && character != '\t') {
            return Err(Bad::new(member, format!("the value of {name} has control characters")));
        }
    }
    Ok(())
}

/// Checks the name of a header.
pub(super) fn check_header(member: &str, name: &str) -> Result<(), Bad> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        let name: String = name.chars().take(100).collect();
        return Err(Bad::new(member, format!("{name:?} is no name of a header")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_those_of_http() {
        let headers = |name: &str, value: &str| Attributes([(name.to_owned(), value.to_owned())].into());
        check_headers("headers", &headers("X-Test", "a b\tü")).expect("valid");
        for (name, value) in [("", "x"), ("a b", "x"), ("a:", "x"), ("a", "x\r\nb: c"), ("a", "\0"), ("ä", "x")] {
            assert!(check_headers("headers", &headers(name, value)).is_err(), "{name:?} {value:?}");
        }
        assert!(check_headers("headers", &headers("a", &"x".repeat(HEADERS_MOST))).is_err());
    }

    #[test]
    fn permissions_have_two_names() {
        assert_eq!(
            [in_protocol("camera"), in_protocol("videoCapture"), in_protocol("x")],
            ["videoCapture", "videoCapture", "x"]
        );
    }
}
