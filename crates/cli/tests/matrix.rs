//! What is read: every layout of a captioned set in every encoding, through the program. The table in
//! `docs/formats.md` is what this test prints.

mod common;

use std::fmt::Write as _;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::{demo_pictures, tuwen};
use encoding_rs::{BIG5, GB18030};

const CAPTIONS: [&str; 2] = ["一隻狗在草地上奔跑，後面有兩個人", "這是我們的學校，天上有雲"];

/// Text to bytes.
type Encode = fn(&str) -> Vec<u8>;

const ENCODINGS: [(&str, Encode); 6] = [
    ("UTF-8", |text| text.as_bytes().to_vec()),
    ("UTF-8 with mark", |text| format!("\u{feff}{text}").into_bytes()),
    ("UTF-16LE", |text| utf16(text, u16::to_le_bytes)),
    ("UTF-16BE", |text| utf16(text, u16::to_be_bytes)),
    ("GB18030 (GBK)", |text| GB18030.encode(text).0.into_owned()),
    ("Big5", |text| BIG5.encode(text).0.into_owned()),
];

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(bytes).collect()
}

/// Writes a set into a folder and says what to open.
type Layout = fn(&Path, Encode) -> &'static str;

const LAYOUTS: [(&str, Layout); 15] = [
    ("CSV, commas", |at, encode| table(at, encode, ',')),
    ("CSV, tabs", |at, encode| table(at, encode, '\t')),
    ("CSV, semicolons", |at, encode| table(at, encode, ';')),
    ("CSV, bars", |at, encode| table(at, encode, '|')),
    ("JSON lines", |at, encode| {
        let line = |(name, text)| format!("{{\"image\": \"{name}\", \"caption\": \"{text}\"}}\n");
        file(at, "c.jsonl", encode(&pairs().map(line).concat()))
    }),
    ("JSON array (LAVIS, ALBEF, BLIP)", |at, encode| {
        let entry = |(name, text)| format!("{{\"image\": \"{name}\", \"caption\": [\"{text}\"]}}");
        file(at, "c.json", encode(&format!("[{}]", pairs().map(entry).join(", "))))
    }),
    ("COCO captions", |at, encode| {
        let images =
            "[{\"id\": 1, \"file_name\": \"a.png\"}, {\"id\": 2, \"file_name\": \"b.png\"}]";
        let [one, two] = CAPTIONS;
        let json = format!(
            "{{\"images\": {images}, \"annotations\": [{{\"image_id\": 1, \"caption\": \"{one}\"}}, \
             {{\"image_id\": 2, \"caption\": \"{two}\"}}]}}"
        );
        file(at, "c.json", encode(&json))
    }),
    ("Karpathy's splits", |at, encode| {
        let entry = |(name, text)| {
            format!("{{\"filename\": \"{name}\", \"sentences\": [{{\"raw\": \"{text}\"}}]}}")
        };
        file(at, "c.json", encode(&format!("{{\"images\": [{}]}}", pairs().map(entry).join(", "))))
    }),
    ("Flickr token file", |at, encode| {
        file(
            at,
            "c.txt",
            encode(&pairs().map(|(name, text)| format!("{name}#0\t{text}\n")).concat()),
        )
    }),
    ("Chinese-CLIP, TSV and JSON lines", |at, encode| {
        let picture = STANDARD.encode(picture());
        file(at, "s/train_imgs.tsv", format!("1\t{picture}\n2\t{picture}\n").into_bytes());
        let line = |(id, text)| {
            format!("{{\"text_id\": {id}, \"text\": \"{text}\", \"image_ids\": [{id}]}}\n")
        };
        let [one, two] = CAPTIONS;
        file(at, "s/train_texts.jsonl", encode(&[(1, one), (2, two)].map(line).concat()));
        "s"
    }),
    ("folder, `.txt` beside each picture", |at, encode| {
        for (name, text) in pairs() {
            file(at, &format!("s/{name}"), picture());
            file(at, &format!("s/{}", name.replace("png", "txt")), encode(text));
        }
        "s"
    }),
    ("list of pictures, `.txt` beside each", |at, encode| {
        for (name, text) in pairs() {
            file(at, &name.replace("png", "txt"), encode(text));
        }
        file(at, "c.txt", encode(&pairs().map(|(name, _)| format!("{name}\n")).concat()))
    }),
    ("webdataset, `.txt`", |at, encode| shard(at, "txt", &|text| encode(text))),
    ("webdataset, `.json`", |at, encode| {
        shard(at, "json", &|text| encode(&format!("{{\"caption\": \"{text}\"}}")))
    }),
    ("webdataset in `.tar.gz`", |at, encode| {
        shard(at, "txt", &|text| encode(text));
        let tar = std::fs::read(at.join("s.tar")).expect("an archive");
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gz, &tar).expect("into memory");
        file(at, "s.tar.gz", gz.finish().expect("into memory"))
    }),
];

fn pairs() -> [(&'static str, &'static str); 2] {
    [("a.png", CAPTIONS[0]), ("b.png", CAPTIONS[1])]
}

fn picture() -> Vec<u8> {
    std::fs::read(demo_pictures().join("ship.png")).expect("a demo picture")
}

fn file(at: &Path, name: &str, bytes: Vec<u8>) -> &'static str {
    let path = at.join(name);
    std::fs::create_dir_all(path.parent().expect("inside a folder")).expect("a folder");
    std::fs::write(path, bytes).expect("a file");
    ["c.csv", "c.jsonl", "c.json", "c.txt", "s.tar", "s.tar.gz"]
        .into_iter()
        .find(|known| *known == name)
        .unwrap_or_default()
}

fn table(at: &Path, encode: Encode, between: char) -> &'static str {
    let rows = pairs().map(|(name, text)| format!("{name}{between}{text}\n")).concat();
    file(at, "c.csv", encode(&format!("image{between}caption\n{rows}")))
}

fn shard(at: &Path, end: &str, encode: &dyn Fn(&str) -> Vec<u8>) -> &'static str {
    let mut builder = tar::Builder::new(Vec::new());
    let mut add = |name: String, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, bytes).expect("into memory");
    };
    for (name, text) in pairs() {
        add(name.into(), &picture());
        add(name.replace("png", end), &encode(text));
    }
    file(at, "s.tar", builder.into_inner().expect("into memory"))
}

/// What the program makes of it: `yes`, or what went wrong.
fn cell(layout: Layout, encode: Encode) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    for (name, _) in pairs() {
        file(at, name, picture());
    }
    let open = layout(at, encode);
    let out = tuwen(at, &["data", "sample", open, "-n", "2", "--json"]);
    let text = String::from_utf8_lossy(&out.stdout);
    if CAPTIONS.iter().all(|caption| text.contains(caption)) {
        return "yes".into();
    }
    format!("{text}{}", String::from_utf8_lossy(&out.stderr))
}

#[test]
fn the_table_of_what_is_read_is_true() {
    let mut printed = format!("| layout | {} |\n", ENCODINGS.map(|(name, _)| name).join(" | "));
    let _ = writeln!(printed, "|---|{}", "---|".repeat(ENCODINGS.len()));
    for (name, layout) in LAYOUTS {
        let cells = ENCODINGS.map(|(_, encode)| cell(layout, encode));
        let _ = writeln!(printed, "| {name} | {} |", cells.join(" | "));
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats.md");
    let page = std::fs::read_to_string(page).expect("the page");
    assert!(page.contains(&printed), "docs/formats.md should have this table:\n{printed}");
}
