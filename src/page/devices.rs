//! The devices that a page can pretend to be: an excerpt of Playwright's list (`devices/NOTICE`).

use crate::api_types::Bad;

const TABLE: &str = include_str!("devices/devices.tsv");

/// A device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Device {
    pub(super) screen: Screen,
    pub(super) user_agent: &'static str,
}

/// The screen of a device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Screen {
    /// In CSS pixels.
    pub(super) width: u32,
    /// In CSS pixels.
    pub(super) height: u32,
    /// Device pixels for one CSS pixel.
    pub(super) scale: f64,
    pub(super) is_mobile: bool,
    pub(super) has_touch: bool,
}

/// The device of this name, in any case.
pub(super) fn device(name: &str) -> Result<Device, Bad> {
    let found = TABLE.lines().skip(1).filter_map(read).find(|(one, _)| one.eq_ignore_ascii_case(name));
    found.map(|(_, device)| device).ok_or_else(|| {
        let names: Vec<&str> = TABLE.lines().skip(1).filter_map(|line| Some(read(line)?.0)).collect();
        let names: Vec<&str> = names.into_iter().filter(|name| !name.ends_with(" landscape")).collect();
        let name: String = name.chars().take(100).collect();
        Bad::new("device", format!("{name:?} is unknown; known are, also with \" landscape\": {}", names.join(", ")))
    })
}

fn read(line: &'static str) -> Option<(&'static str, Device)> {
    let mut columns = line.split('\t');
    let name = columns.next()?;
    let (width, height, scale) =
        (columns.next()?.parse().ok()?, columns.next()?.parse().ok()?, columns.next()?.parse().ok()?);
    let (is_mobile, has_touch) = (columns.next()? == "true", columns.next()? == "true");
    let screen = Screen { width, height, scale, is_mobile, has_touch };
    Some((name, Device { screen, user_agent: columns.next()? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_device() {
        let all: Vec<_> = TABLE.lines().skip(1).map(|line| read(line).expect(line)).collect();
        assert!(all.len() > 30);
        let phone = device("iphone 15").expect("a phone");
        assert_eq!((phone.screen.width, phone.screen.is_mobile, phone.screen.has_touch), (393, true, true));
        assert!(phone.user_agent.contains("iPhone"));
        let error = device("Nokia 3310").expect_err("an unknown one").to_string();
        assert!(error.contains("\"Nokia 3310\" is unknown") && error.contains("Pixel 7"), "{error}");
    }
}
