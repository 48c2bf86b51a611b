//! EXIF 2.32's tags (<https://www.cipa.jp/std/documents/download_e.html?DC-008-Translation-2019-E>) that
//! people search by: of the first directory, EXIF's and GPS's.

use super::super::directory::{Entry, Tiff};
use super::{DateTime, Exif, Place, text};

const DESCRIPTION: u16 = 0x010e;
const MAKE: u16 = 0x010f;
const MODEL: u16 = 0x0110;
const SOFTWARE: u16 = 0x0131;
const CHANGED: u16 = 0x0132;
const EXIF: u16 = 0x8769;
const GPS: u16 = 0x8825;
const TAKEN: u16 = 0x9003;
const DIGITIZED: u16 = 0x9004;
/// Windows' keywords: UTF-16, divided by semicolons.
const KEYWORDS: u16 = 0x9c9e;
const LENS_MAKE: u16 = 0xa433;
const LENS_MODEL: u16 = 0xa434;

/// Reads a TIFF's tags.
pub(super) fn read(bytes: &[u8], exif: &mut Exif) {
    let tiff = Tiff::new(bytes);
    let first = tiff.first();
    let below = |tag| get(&first, tag).map_or(Vec::new(), |entry| tiff.directory(entry.long));
    let (detail, gps) = (below(EXIF), below(GPS));
    let text_of =
        |directory: &[Entry], tag| get(directory, tag).and_then(|entry| text(tiff.bytes_of(entry)));
    let date = |directory: &[Entry], tag| text_of(directory, tag).and_then(|text| date(&text));
    exif.taken =
        date(&detail, TAKEN).or_else(|| date(&detail, DIGITIZED)).or_else(|| date(&first, CHANGED));
    exif.camera = named(text_of(&first, MAKE), text_of(&first, MODEL));
    exif.lens = named(text_of(&detail, LENS_MAKE), text_of(&detail, LENS_MODEL));
    exif.software = text_of(&first, SOFTWARE);
    exif.description = text_of(&first, DESCRIPTION).filter(|text| !is_default(text));
    exif.place = place(&tiff, &gps);
    if let Some(entry) = get(&first, KEYWORDS) {
        let (units, _) = tiff.bytes_of(entry).as_chunks::<2>();
        let units: Vec<u16> = units.iter().map(|&unit| u16::from_le_bytes(unit)).collect();
        let words = String::from_utf16_lossy(&units);
        words.split([';', '\0']).for_each(|word| exif.tag(word));
    }
}

fn get(directory: &[Entry], tag: u16) -> Option<&Entry> {
    directory.iter().find(|entry| entry.tag == tag)
}

/// Maker and model as people say it: `Canon EOS R5`, not `Canon Canon EOS R5`.
fn named(make: Option<String>, model: Option<String>) -> Option<String> {
    match (make, model) {
        (Some(make), Some(model)) => {
            let first = |text: &str| text.split_whitespace().next().map(str::to_lowercase);
            let known = first(&make) == first(&model);
            Some(if known { model } else { format!("{make} {model}") })
        }
        (make, model) => model.or(make),
    }
}

/// What cameras write where nobody wrote anything.
fn is_default(text: &str) -> bool {
    const DEFAULTS: [&str; 6] = [
        "OLYMPUS DIGITAL CAMERA",
        "DIGITAL CAMERA",
        "SONY DSC",
        "SAMSUNG",
        "DCIM",
        "KONICA MINOLTA DIGITAL CAMERA",
    ];
    DEFAULTS.iter().any(|default| default.eq_ignore_ascii_case(text))
}

/// `2020:05:17 21:30:15`, with any single signs between; a clock that was never set writes zeros.
fn date(text: &str) -> Option<DateTime> {
    let numbers: Vec<u16> = text
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .map_while(|part| part.parse().ok())
        .collect();
    let &[year, month, day, ref time @ ..] = numbers.as_slice() else { return None };
    let part = |at: usize| time.get(at).copied().unwrap_or(0);
    let (hour, minute, second) = (part(0), part(1), part(2));
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=9999).contains(&year) || !(1..=days).contains(&day) {
        return None;
    }
    // A leap second is the one before.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let [month, day, hour, minute, second] =
        [month, day, hour, minute, second.min(59)].map(|part| part as u8);
    Some(DateTime { year, month, day, hour, minute, second })
}

fn place(tiff: &Tiff<'_>, gps: &[Entry]) -> Option<Place> {
    let letter = |tag| get(gps, tag).and_then(|entry| tiff.bytes_of(entry).first().copied());
    let degrees = |reference: u16, tag: u16, back: u8| {
        let parts = tiff.fractions(get(gps, tag)?, 3);
        let &[degrees, ref rest @ ..] = parts.as_slice() else { return None };
        let rest = rest.iter().zip([60.0, 3600.0]).map(|(part, of)| part / of);
        let degrees = degrees + rest.sum::<f64>();
        Some(if letter(reference)?.eq_ignore_ascii_case(&back) { -degrees } else { degrees })
    };
    let (latitude, longitude) = (degrees(1, 2, b'S')?, degrees(3, 4, b'W')?);
    // Without a signal some phones write zeros.
    let is_known = (latitude, longitude) != (0.0, 0.0);
    if !is_known || latitude.abs() > 90.0 || longitude.abs() > 180.0 {
        return None;
    }
    let altitude = get(gps, 6).and_then(|entry| tiff.fractions(entry, 1).first().copied());
    let altitude = altitude.map(|metres| if letter(5) == Some(1) { -metres } else { metres });
    Some(Place { latitude, longitude, altitude })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exif::trimmed;

    #[test]
    fn dates_of_no_calendar_are_none() {
        let read = |text: &str| date(text).map(|date| date.to_string());
        assert_eq!(read("2020:05:17 21:30:15").as_deref(), Some("2020-05-17T21:30:15"));
        assert_eq!(read("2020-05-17T21:30:15+08:00").as_deref(), Some("2020-05-17T21:30:15"));
        assert_eq!(read("2016:12:31 23:59:60").as_deref(), Some("2016-12-31T23:59:59"));
        assert_eq!(read("2024/02/29").as_deref(), Some("2024-02-29T00:00:00"));
        for text in [
            "0000:00:00 00:00:00",
            "    :  :     :  :  ",
            "2023:02:29",
            "2020:13:01",
            "99999:1:1",
            "1999:12:31 24:00:00",
            "1999:12:31 12:60:00",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_maker_is_said_once() {
        let of = |make: &str, model: &str| named(trimmed(make), trimmed(model));
        assert_eq!(of("Canon", "Canon EOS R5").as_deref(), Some("Canon EOS R5"));
        assert_eq!(of("NIKON CORPORATION", "NIKON D850").as_deref(), Some("NIKON D850"));
        assert_eq!(of("SONY", "ILCE-7M4").as_deref(), Some("SONY ILCE-7M4"));
        assert_eq!(of(" ", "X").as_deref(), Some("X"));
        assert_eq!(of("", ""), None);
    }
}
