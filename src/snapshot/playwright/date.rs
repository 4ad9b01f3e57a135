//! Converts dates between JavaScript's `toJSON` and milliseconds since 1970.

/// Days from 1970-01-01 to a date of the Gregorian calendar, and back: Howard Hinnant's algorithm.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month, of_year - (153 * shifted + 2) / 5 + 1)
}

/// `2001-02-03T04:05:06.007Z`; a year that does not have four digits gets a sign and six digits.
pub(super) fn to_text(milliseconds: i64) -> String {
    const DAY: i64 = 86_400_000;
    let (year, month, day) = civil_from_days(milliseconds.div_euclid(DAY));
    let rest = milliseconds.rem_euclid(DAY);
    let year = match year {
        0..=9999 => format!("{year:04}"),
        _ => format!("{}{:06}", if year < 0 { '-' } else { '+' }, year.abs()),
    };
    let (hour, minute, second) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60);
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", rest % 1000)
}

/// Parses the output of [`to_text`]; `None` for any other text.
pub(super) fn from_text(text: &str) -> Option<i64> {
    let (year, rest) = text.split_at_checked(if text.starts_with(['+', '-']) { 7 } else { 4 })?;
    let number = |from: usize, to: usize| {
        let digits = rest.get(from..to)?;
        digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse::<i64>().ok())?
    };
    let digits = year.strip_prefix(['+', '-']).unwrap_or(year);
    let year: i64 = digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| year.parse().ok())??;
    let (month, day, hour) = (number(1, 3)?, number(4, 6)?, number(7, 9)?);
    let (minute, second, milli) = (number(10, 12)?, number(13, 15)?, number(16, 19)?);
    let days = days_from_civil(year, month, day);
    let read = days * 86_400_000 + hour * 3_600_000 + minute * 60_000 + second * 1000 + milli;
    (to_text(read) == text).then_some(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_formatted_as_in_javascript() {
        for (milliseconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_234_567_890_123, "2009-02-13T23:31:30.123Z"),
            (8_640_000_000_000_000, "+275760-09-13T00:00:00.000Z"),
            (-8_640_000_000_000_000, "-271821-04-20T00:00:00.000Z"),
            (-62_198_755_200_000, "-000001-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(to_text(milliseconds), text);
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
            "19é0-01-01T00:00:00.000Z",
        ] {
            assert_eq!(from_text(text), None, "{text}");
        }
    }
}
