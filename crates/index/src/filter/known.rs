//! The fields that tuwen itself fills, with their types. Any other name is a field of a caption file and
//! typed by its values.

use super::Type;

/// A field that every picture may have.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Its name.
    pub name: &'static str,
    /// Its Chinese name, which is read as well.
    pub chinese: &'static str,
    /// The type of its values.
    pub kind: Type,
    /// What it holds, for `--help`.
    pub what: &'static str,
}

const fn known(name: &'static str, chinese: &'static str, kind: Type, what: &'static str) -> Known {
    Known { name, chinese, kind, what }
}

/// | name | Chinese | type | holds |
/// |---|---|---|---|
/// | `width`, `height` | 宽, 高 | number | pixels, as the picture is shown |
/// | `megapixels` | 百万像素 | number | millions of pixels |
/// | `bytes` | 字节 | number | size of the file |
/// | `orientation` | 方向 | text | `landscape`, `portrait` or `square` |
/// | `format` | 格式 | text | `jpeg`, `png`, … by the content |
/// | `name`, `extension` | 文件名, 扩展名 | text | of the file |
/// | `folder` | 文件夹 | text | the name of each folder above the file, and its whole path |
/// | `date` | 日期 | date | when it was taken |
/// | `year`, `month`, `day`, `hour` | 年, 月, 日, 时 | number | parts of that date |
/// | `camera`, `lens` | 相机, 镜头 | text | maker and model |
/// | `latitude`, `longitude` | 纬度, 经度 | number | degrees, north and east positive |
/// | `altitude` | 海拔 | number | metres above the sea |
/// | `tag` | 标签 | text | keywords of the file and of caption files; several |
/// | `software`, `description` | 软件, 说明 | text | as the file says |
pub const KNOWN: [Known; 22] = [
    known("width", "宽", Type::Number, "pixels, as the picture is shown"),
    known("height", "高", Type::Number, "pixels, as the picture is shown"),
    known("megapixels", "百万像素", Type::Number, "millions of pixels"),
    known("bytes", "字节", Type::Number, "size of the file"),
    known("orientation", "方向", Type::Text, "landscape, portrait or square"),
    known("format", "格式", Type::Text, "jpeg, png, … by the content"),
    known("name", "文件名", Type::Text, "of the file, with and without its extension"),
    known("extension", "扩展名", Type::Text, "of the file, without the dot"),
    known("folder", "文件夹", Type::Text, "each folder above the file, and the whole path"),
    known("date", "日期", Type::Date, "when it was taken"),
    known("year", "年", Type::Number, "of that date"),
    known("month", "月", Type::Number, "of that date, 1 to 12"),
    known("day", "日", Type::Number, "of that date, 1 to 31"),
    known("hour", "时", Type::Number, "of that date, 0 to 23"),
    known("camera", "相机", Type::Text, "maker and model"),
    known("lens", "镜头", Type::Text, "maker and model"),
    known("latitude", "纬度", Type::Number, "degrees, north is positive"),
    known("longitude", "经度", Type::Number, "degrees, east is positive"),
    known("altitude", "海拔", Type::Number, "metres above the sea"),
    known("tag", "标签", Type::Text, "keywords; several"),
    known("software", "软件", Type::Text, "that wrote the file"),
    known("description", "说明", Type::Text, "as the file says"),
];

/// The field of captions that a decoder made: its name. It comes with such a caption as the columns of a file do, and is
/// asked for also where there is none.
pub const MADE_BY: &str = "made_by";

/// The field of a name, English or Chinese.
pub(super) fn find(name: &str) -> Option<&'static Known> {
    let simple = super::key(name);
    KNOWN.iter().find(|field| field.name == name || field.chinese == simple)
}

/// The name under which a field is kept, of how a person writes it: in any case, full width, or in Chinese where
/// tuwen fills it.
///
/// ```
/// assert_eq!(tuwen_index::filter::field_name("标签"), "tag");
/// assert_eq!(tuwen_index::filter::field_name("Price"), "price");
/// ```
pub fn field_name(written: &str) -> String {
    let name = super::folded(written.trim());
    find(&name).map_or(name, |known| known.name.to_owned())
}
