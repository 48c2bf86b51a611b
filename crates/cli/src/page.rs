//! A page of hits that opens without a network: small pictures are inside it.

use std::fmt::Write;
use std::path::Path;

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tuwen_image::{Limits, decode, encode_jpeg, read_file, shrink};
use tuwen_index::Modality;
use tuwen_markup::{escape, page_start};
use tuwen_retrieve::Hit;

use crate::output::OutputFile;
use crate::terminal::safe;

/// Longest side of a picture on the page.
const SIDE: u32 = 240;

pub const STYLE: &str = "body{font:15px/1.4 system-ui,'Noto Sans CJK SC',sans-serif;margin:2em auto;\
padding:0 1em;max-width:1100px;color:#222}h2{margin:1.4em 0 .4em;font-size:1.15em}.hits{display:flex;\
flex-wrap:wrap;gap:12px}figure{margin:0;width:170px}img{width:170px;height:170px;\
object-fit:contain;background:#f4f4f4;border-radius:6px}figcaption{font-size:12px;color:#555;\
overflow-wrap:anywhere}";

/// Writes one row of hits for each query.
///
/// # Errors
/// The file cannot be written. A picture that cannot be read is left blank.
pub fn write(output: &OutputFile, title: &str, rows: &[(String, Vec<Hit>)]) -> Result<()> {
    let mut out = page_start(title, STYLE);
    for (query, hits) in rows {
        let _ = writeln!(out, "<h2>{}</h2><div class=\"hits\">", escape(query));
        for hit in hits {
            let label = hit.text.clone().unwrap_or_else(|| hit.file.last());
            let picture = match hit.modality {
                Modality::Image | Modality::Fused => thumbnail(hit.file.as_path()),
                Modality::Text => String::new(),
            };
            let _ = writeln!(
                out,
                "<figure><a href=\"{}\">{picture}</a><figcaption>{}. {} <small>{}</small></figcaption>\
                 </figure>",
                escape(&hit.file.url()),
                hit.rank,
                escape(&safe(&label)),
                hit.score.map(|score| format!("{score:.3}")).unwrap_or_default()
            );
        }
        out.push_str("</div>\n");
    }
    output.write(out.as_bytes())
}

fn thumbnail(path: &Path) -> String {
    picture(read_file(path, Limits::default()).ok())
}

/// A small copy of a picture's file inside the page.
pub fn picture(bytes: Option<Vec<u8>>) -> String {
    let decoded = bytes.and_then(|bytes| decode(&bytes, Limits::default()).ok());
    let Some(picture) = decoded else { return "<img alt=\"not readable\">".into() };
    let picture = picture.into_rgb();
    let jpeg = encode_jpeg(&shrink(&picture, SIDE), 85);
    format!("<img alt=\"\" src=\"data:image/jpeg;base64,{}\">", STANDARD.encode(jpeg))
}
