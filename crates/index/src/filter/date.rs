//! Dates of filters and fields: seconds of the clock on the wall, and the stretch that a written date covers.
//!
//! Cameras write the time of the place and no zone, so a zone that somebody does write (`Z`, `+08:00`) is
//! read and not converted: the same photo is found by the same digits.

/// A written date as a half-open range of seconds: `2020-05` is all of May.
///
/// ```
/// use tuwen_index::filter::Period;
/// let may = Period::parse("2020-05").unwrap();
/// let evening = Period::parse("2020-05-17 21:30").unwrap();
/// assert!(may.start <= evening.start && evening.end <= may.end);
/// assert_eq!(evening.end - evening.start, 60);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// First second, counted from 1970 without zones.
    pub start: i64,
    /// The second behind the last one.
    pub end: i64,
}

impl Period {
    /// Reads `2020`, `2020-05`, `2020-05-17`, with a time behind a space or `T` (`12:30`, `12:30:05`);
    /// `/` or EXIF's `:` may stand for `-`, and `2020年5月17日` is read as well. `None` where it is no
    /// date of the calendar.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > 64 {
            return None;
        }
        let (day, time) = match text.split_once(['T', 't', ' ']) {
            Some((day, time)) => (day, Some(time.trim_start())),
            None => (text, None),
        };
        let day = day.replace(['年', '月'], "-");
        let day = day.trim_end_matches(['日', '号', '-']);
        let mut parts = day.split(['-', '/', ':']).map(|part| digits(part, 4));
        let year = parts.next()??;
        if day.len() < 4 || !day.as_bytes()[..4].iter().all(u8::is_ascii_digit) {
            return None;
        }
        let (month, number) = (parts.next(), parts.next());
        if parts.next().is_some() {
            return None;
        }
        match (month, number, time) {
            (None, None, None) => {
                Some(Self { start: seconds(year, 1, 1)?, end: seconds(year + 1, 1, 1)? })
            }
            (Some(month), None, None) => {
                let month = month?;
                let (next_year, next) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
                Some(Self { start: seconds(year, month, 1)?, end: seconds(next_year, next, 1)? })
            }
            (Some(month), Some(number), time) => {
                let start = seconds(year, month?, number?)?;
                let (from, length) = time.map_or(Some((0, DAY)), clock)?;
                Some(Self { start: start + from, end: start + from + length })
            }
            _ => None,
        }
    }
}

const DAY: i64 = 86_400;

/// A number of at most `longest` digits and nothing else.
fn digits(text: &str, longest: usize) -> Option<i64> {
    let fits = (1..=longest).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| text.parse().ok())?
}

/// A time of the day: its first second and how many it covers.
fn clock(text: &str) -> Option<(i64, i64)> {
    let text = text.trim_end_matches(['Z', 'z']);
    let text = text.split_once(['+', '-']).map_or(text, |(time, _zone)| time);
    let mut parts = text.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next(), parts.next());
    if parts.next().is_some() {
        return None;
    }
    let whole = second.map(|second| second.split_once('.').map_or(second, |(whole, _)| whole));
    let part = |text: Option<&str>, limit: i64| match text {
        None => Some(0),
        Some(text) => digits(text, 2).filter(|&number| number < limit),
    };
    let hour = part(Some(hour), 24)?;
    let length = if second.is_some() {
        1
    } else if minute.is_some() {
        60
    } else {
        3600
    };
    // A leap second counts as the last second of its minute.
    Some((hour * 3600 + part(minute, 60)? * 60 + part(whole, 61)?.min(59), length))
}

/// Seconds from 1970 to the beginning of a day of the Gregorian calendar; `None` where there is no such day.
fn seconds(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(0..=10_000).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !(1..=longest).contains(&day) {
        return None;
    }
    // Hinnant's `days_from_civil` (https://howardhinnant.github.io/date_algorithms.html): years begin in
    // March, so that the leap day is the last one.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(days * DAY)
}

/// A second as `2020-05-17T12:30:05`.
///
/// ```
/// assert_eq!(tuwen_index::filter::date_text(0), "1970-01-01T00:00:00");
/// ```
pub fn date_text(second: i64) -> String {
    let [year, month, day, hour, minute, second] = civil(second);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

/// Year, month, day, hour, minute and second (Hinnant's `civil_from_days`).
fn civil(second: i64) -> [i64; 6] {
    let (days, of_day) = (second.div_euclid(DAY) + 719_468, second.rem_euclid(DAY));
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let of_era = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * of_era + of_era / 4 - of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = of_era + era * 400 + i64::from(month <= 2);
    let number = of_year - (153 * shifted + 2) / 5 + 1;
    [year, month, number, of_day / 3600, of_day / 60 % 60, of_day % 60]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_count_as_in_the_calendar() {
        let start = |text: &str| Period::parse(text).expect(text).start;
        assert_eq!(start("1970"), 0);
        assert_eq!(start("2000-03-01"), 951_868_800);
        assert_eq!(start("2024-02-29 23:59:59"), 1_709_251_199);
        assert_eq!(start("1969-12-31"), -DAY);
        for day in (-800_000..800_000).step_by(97) {
            let text = date_text(day * DAY);
            let known = Period::parse(&text);
            if (0..=9999).contains(&civil(day * DAY)[0]) {
                assert_eq!(known.expect(&text).start, day * DAY, "{text}");
            }
        }
    }

    #[test]
    fn precision_is_what_is_written() {
        let length = |text: &str| Period::parse(text).map(|p| (p.end - p.start) / 60);
        assert_eq!(length("2020"), Some(366 * 1440));
        assert_eq!(length("2021-02"), Some(28 * 1440));
        assert_eq!(length("2020-12"), Some(31 * 1440));
        assert_eq!(length("2020/5/7"), Some(1440));
        assert_eq!(length("2020:05:17 08:09:10"), Some(0));
        assert_eq!(length("2020-05-17T08"), Some(60));
        assert_eq!(length("2020年5月"), Some(31 * 1440));
        assert_eq!(Period::parse("2020年5月17日"), Period::parse("2020-05-17"));
        assert_eq!(Period::parse("2020年"), Period::parse("2020"));
        let zoned = Period::parse("2020-05-17T08:09:10.25+08:00");
        assert_eq!(zoned, Period::parse("2020-05-17 08:09:10"));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "20",
            "202",
            "20200",
            "2020-13",
            "2020-02-30",
            "2021-02-29",
            "2020-5-1-1",
            "x2020",
            "2020-05-17 25:00",
            "2020-05-17 10:61",
            "2020 10:00",
            "2020-05 10:00",
            "-2020",
            "2020-",
            "狗年",
            "2020-05-17 ",
            "99999999999999999999",
        ] {
            let trimmed = ["2020-", "2020-05-17 "].contains(&text);
            assert_eq!(Period::parse(text).is_some(), trimmed, "{text:?}");
        }
    }
}
