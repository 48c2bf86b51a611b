//! The fields of a picture, from plain facts about its file: the one place that fills [`KNOWN`](super::KNOWN).

use std::path::{Component, Path};

use super::{Fields, Period};

/// What is known of a picture and its file. Whoever reads files fills it in; what is not known is left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct PictureFacts<'a> {
    /// Where the file lies; absolute, so that folders above it are known.
    pub path: Option<&'a Path>,
    /// Width and height in pixels, as the picture is shown.
    pub size: Option<(u32, u32)>,
    /// Size of the file.
    pub bytes: Option<u64>,
    /// `jpeg`, `png`, …
    pub format: Option<&'a str>,
    /// When it was taken, as `2020-05-17T21:30:15`.
    pub taken: Option<&'a str>,
    /// Maker and model.
    pub camera: Option<&'a str>,
    /// Maker and model.
    pub lens: Option<&'a str>,
    /// Latitude and longitude in degrees.
    pub place: Option<(f64, f64)>,
    /// Metres above the sea.
    pub altitude: Option<f64>,
    /// The program that wrote the file.
    pub software: Option<&'a str>,
    /// What the file says in words.
    pub description: Option<&'a str>,
    /// Keywords.
    pub tags: &'a [String],
}

impl PictureFacts<'_> {
    /// The facts as fields.
    ///
    /// ```
    /// use tuwen_index::filter::{PictureFacts, Value};
    /// let path = std::path::Path::new("/photos/2020/beach.JPG");
    /// let facts = PictureFacts { path: Some(path), size: Some((6000, 4000)), ..Default::default() };
    /// let fields = facts.fields();
    /// assert_eq!(fields.of("orientation").next(), Some(&Value::Text("landscape".into())));
    /// assert_eq!(fields.of("folder").count(), 3); // photos, 2020, /photos/2020
    /// ```
    pub fn fields(&self) -> Fields {
        let mut fields = Fields::default();
        self.file(&mut fields);
        if let Some((width, height)) = self.size {
            shape(width, height, &mut fields);
        }
        if let Some(taken) = self.taken.and_then(Period::parse) {
            fields.date(taken.start);
        }
        let texts = [
            ("camera", self.camera),
            ("lens", self.lens),
            ("software", self.software),
            ("description", self.description),
        ];
        for (name, text) in texts {
            text.into_iter().for_each(|text| fields.text(name, text));
        }
        if let Some((latitude, longitude)) = self.place {
            fields.number("latitude", latitude);
            fields.number("longitude", longitude);
        }
        self.altitude.into_iter().for_each(|metres| fields.number("altitude", metres));
        self.tags.iter().for_each(|tag| fields.text("tag", tag));
        fields
    }

    fn file(&self, fields: &mut Fields) {
        self.bytes.into_iter().for_each(|bytes| fields.number("bytes", bytes as f64));
        self.format.into_iter().for_each(|format| fields.text("format", format));
        let Some(path) = self.path else { return };
        // Names that are no UTF-8 are found by the rest of them.
        let text = |part: &std::ffi::OsStr| part.to_string_lossy().into_owned();
        // With and without its extension, as people write it.
        path.file_stem().into_iter().for_each(|name| fields.text("name", &text(name)));
        path.file_name().into_iter().for_each(|name| fields.text("name", &text(name)));
        path.extension().into_iter().for_each(|end| fields.text("extension", &text(end)));
        let Some(folder) = path.parent() else { return };
        for part in folder.components() {
            if let Component::Normal(part) = part {
                fields.text("folder", &text(part));
            }
        }
        fields.text("folder", &text(folder.as_os_str()));
    }
}

fn shape(width: u32, height: u32, fields: &mut Fields) {
    fields.number("width", f64::from(width));
    fields.number("height", f64::from(height));
    // Two digits behind the point: 24.16, as cameras are sold.
    let megapixels = f64::from(width) * f64::from(height) / 1e6;
    fields.number("megapixels", (megapixels * 100.0).round() / 100.0);
    let orientation = match width.cmp(&height) {
        std::cmp::Ordering::Greater => "landscape",
        std::cmp::Ordering::Less => "portrait",
        std::cmp::Ordering::Equal => "square",
    };
    fields.text("orientation", orientation);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fact_becomes_a_field_of_its_type() {
        let tags = ["狗".to_owned(), "beach".to_owned()];
        let facts = PictureFacts {
            path: Some(Path::new("/home/小明/Photos/a.b.jpg")),
            size: Some((3000, 4000)),
            bytes: Some(5),
            format: Some("jpeg"),
            taken: Some("2020-05-17T21:30:15"),
            camera: Some("SONY ILCE-7M4"),
            place: Some((1.5, -2.5)),
            altitude: Some(f64::NAN),
            tags: &tags,
            ..PictureFacts::default()
        };
        let mut fields = facts.fields();
        for (name, value) in [("Price", "12.5"), ("tag", "2020"), ("year", "soon")] {
            fields.push_as_known(name, value);
        }
        let of = |name: &str| {
            fields.of(name).map(ToString::to_string).collect::<Vec<String>>().join("|")
        };
        for (name, wanted) in [
            ("name", "a.b|a.b.jpg"),
            ("extension", "jpg"),
            ("folder", "home|小明|Photos|/home/小明/Photos"),
            ("megapixels", "12"),
            ("orientation", "portrait"),
            ("date", "2020-05-17T21:30:15"),
            ("year", "2020"),
            ("hour", "21"),
            ("longitude", "-2.5"),
            ("altitude", ""),
            ("tag", "狗|beach|2020"),
            ("price", "12.5"),
        ] {
            assert_eq!(of(name), wanted, "{name}");
        }
        for field in fields.iter() {
            let known = super::super::KNOWN.iter().find(|known| known.name == field.name);
            assert!(known.is_none_or(|known| known.kind == field.value.kind()), "{field:?}");
        }
    }
}
