//! Converts dates between JavaScript's `toJSON` and milliseconds since 1970.

use jiff::{Timestamp, tz::Offset};

/// Years after which the Gregorian calendar repeats itself. `jiff` has the years -9999 to 9999, JavaScript has more.
const CYCLE: i64 = 400;
/// The milliseconds of these years.
const CYCLE_MILLISECONDS: i64 = 146_097 * 86_400_000;

/// `2001-02-03T04:05:06.007Z`; a year that does not have four digits gets a sign and six digits. `None` if JavaScript has
/// no such date.
pub(super) fn to_text(milliseconds: i64) -> Option<String> {
    let (cycles, rest) = (milliseconds.div_euclid(CYCLE_MILLISECONDS), milliseconds.rem_euclid(CYCLE_MILLISECONDS));
    let date = Offset::UTC.to_datetime(Timestamp::from_millisecond(rest).ok()?);
    let year = match i64::from(date.year()) + cycles * CYCLE {
        year @ 0..=9999 => format!("{year:04}"),
        year @ -999_999..=999_999 => format!("{year:+07}"),
        _ => return None,
    };
    Some(format!("{year}{}", date.strftime("-%m-%dT%H:%M:%S%.3fZ")))
}

/// Parses the output of [`to_text`]; `None` for any other text.
pub(super) fn from_text(text: &str) -> Option<i64> {
    let (year, rest) = text.split_at_checked(if text.starts_with(['+', '-']) { 7 } else { 4 })?;
    let year: i64 = year.parse().ok()?;
    // The year of this cycle that lies in the one of 2000.
    let date: Timestamp = format!("{}{rest}", 2000 + year.rem_euclid(CYCLE)).parse().ok()?;
    let cycles = year.div_euclid(CYCLE) - 2000 / CYCLE;
    let milliseconds = date.as_millisecond() + cycles * CYCLE_MILLISECONDS;
    (to_text(milliseconds)? == text).then_some(milliseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_formatted_as_in_javascript() {
        for (milliseconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
            (253_402_300_800_000, "+010000-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_234_567_890_123, "2009-02-13T23:31:30.123Z"),
            (8_640_000_000_000_000, "+275760-09-13T00:00:00.000Z"),
            (-8_640_000_000_000_000, "-271821-04-20T00:00:00.000Z"),
            (-62_198_755_200_000, "-000001-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(to_text(milliseconds).as_deref(), Some(text));
            assert_eq!(from_text(text), Some(milliseconds), "{text}");
        }
        for text in [
            "",
            "1970",
            "1970-01-01",
            "1970-13-01T00:00:00.000Z",
            "1970-01-01T00:00:00.000",
            "+1970-01-01T00:00:00.000Z",
            "1970-01-01T00:00:00.000ZZ",
            "1970-01-01T00:00:00Z",
            "1970-01-01T00:00:60.000Z",
            "1970-01-01T00:00:00.000+01:00",
            "1900-02-29T00:00:00.000Z",
            "-000000-01-01T00:00:00.000Z",
            "19é0-01-01T00:00:00.000Z",
        ] {
            assert_eq!(from_text(text), None, "{text}");
        }
    }
}
