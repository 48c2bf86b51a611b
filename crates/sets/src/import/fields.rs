//! Under which names the field's tables keep a picture's name, a caption and a text's id: one list of
//! synonyms for every format with named columns or keys. What is none of them is metadata.

use super::CaptionFile;

/// Names of the picture's column or key, in the order in which they count.
pub(crate) const IMAGES: [&str; 20] = [
    "image",
    "image_id",
    "image_path",
    "filepath",
    "file_path",
    "file_name",
    "filename",
    "file",
    "path",
    "image_name",
    "img",
    "img_path",
    "图片",
    "图像",
    "图片名称",
    "image_file",
    "image_ids",
    "url",
    "image_url",
    "文件",
];
/// The same of the caption's.
pub(crate) const CAPTIONS: [&str; 12] = [
    "caption",
    "captions",
    "text",
    "texts",
    "sentence",
    "sentences",
    "raw",
    "title",
    "description",
    "标题",
    "描述",
    "文本",
];
/// The same of the id of a text, which may have several pictures.
pub(super) const TEXT_IDS: [&str; 2] = ["text_id", "text_ids"];

/// Whether a name is one of a list, whatever its case.
fn is_one(name: &str, list: &[&str]) -> bool {
    list.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether these are the columns or keys of a captioned set.
pub(super) fn are_a_sets<'n>(names: impl Iterator<Item = &'n str> + Clone) -> bool {
    names.clone().any(|name| is_one(name.trim(), &IMAGES))
        && names.clone().any(|name| is_one(name.trim(), &CAPTIONS))
}

/// Positions among `names` of the columns that may hold the picture's name, the likeliest first. `wanted`
/// is what the user said, or the first synonym where he said nothing.
pub(super) fn image_places(names: &[&str], wanted: &CaptionFile) -> Vec<usize> {
    places(names, &wanted.image_field, &IMAGES)
}

/// The same of the caption.
pub(super) fn caption_place(names: &[&str], wanted: &CaptionFile) -> Option<usize> {
    places(names, &wanted.caption_field, &CAPTIONS).first().copied()
}

/// Of the text's id.
pub(super) fn text_id_place(names: &[&str]) -> Option<usize> {
    places(names, TEXT_IDS[0], &TEXT_IDS).first().copied()
}

/// The same of any list, the first of which stands for all of it.
pub(crate) fn places(names: &[&str], wanted: &str, synonyms: &[&str]) -> Vec<usize> {
    let exact = names.iter().position(|name| *name == wanted);
    let any_case = |known: &str| names.iter().position(|name| name.eq_ignore_ascii_case(known));
    let first = exact.or_else(|| any_case(wanted));
    let known = is_one(wanted, synonyms);
    let others = synonyms.iter().filter(|_| known).filter_map(|synonym| any_case(synonym));
    let mut found: Vec<usize> = Vec::new();
    for place in first.into_iter().chain(others) {
        if !found.contains(&place) {
            found.push(place);
        }
    }
    found
}

/// What was chosen, in words.
pub(super) fn chosen(image: &str, caption: &str, others: &str) -> String {
    format!("the picture's name is `{image}`, the caption `{caption}`{others}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn synonyms_count_in_their_order_whatever_their_case() {
        let usual = CaptionFile::new(Path::new("x"));
        let names = ["Title", "TEXT", "url", "Image_ID", "path"];
        assert_eq!(image_places(&names, &usual), [3, 4, 2]);
        assert_eq!(caption_place(&names, &usual), Some(1));
        assert_eq!(image_places(&["n", "file", "path"], &usual), [1, 2]);
        let named = CaptionFile { caption_field: "Title".into(), ..usual.clone() };
        assert_eq!(caption_place(&names, &named), Some(0));
        let strange = CaptionFile { caption_field: "label".into(), ..usual };
        assert_eq!(caption_place(&names, &strange), None);
        assert!(are_a_sets(["x", " 描述", "FilePath"].into_iter()));
        assert!(!are_a_sets(["image", "label"].into_iter()));
        assert!(are_a_sets(["File", "text"].into_iter()));
    }
}
