//! What pictures' files say about them, in every container and byte order, and when they are damaged.

use std::path::Path;
use std::time::{Duration, Instant};

use tuwen_image::rng::Rng;
use tuwen_image::{Exif, Place};

/// An entry: tag, type, number of values, their bytes.
type Entry = (u16, u16, u32, Vec<u8>);

/// Writes numbers in one order.
#[derive(Clone, Copy)]
struct Order {
    little: bool,
}

impl Order {
    fn short(self, value: u16) -> [u8; 2] {
        if self.little { value.to_le_bytes() } else { value.to_be_bytes() }
    }

    fn long(self, value: u32) -> [u8; 4] {
        if self.little { value.to_le_bytes() } else { value.to_be_bytes() }
    }

    fn text(self, tag: u16, text: &[u8]) -> Entry {
        (tag, 2, text.len() as u32 + 1, [text, b"\0"].concat())
    }

    fn fractions(self, tag: u16, values: &[(u32, u32)]) -> Entry {
        let bytes = values.iter().flat_map(|&(a, b)| [self.long(a), self.long(b)].concat());
        (tag, 5, values.len() as u32, bytes.collect())
    }

    fn pointer(self, tag: u16, to: usize) -> Entry {
        (tag, 4, 1, self.long(to as u32).to_vec())
    }

    /// A directory that begins at `start`, and behind it its values.
    fn directory(self, start: usize, entries: &[Entry]) -> Vec<u8> {
        let mut head = self.short(entries.len() as u16).to_vec();
        let (mut values, behind) = (Vec::<u8>::new(), start + 2 + 12 * entries.len() + 4);
        for (tag, kind, count, bytes) in entries {
            head.extend([self.short(*tag), self.short(*kind)].concat());
            head.extend(self.long(*count));
            if bytes.len() <= 4 {
                head.extend(bytes.iter().chain(&[0; 4]).take(4));
            } else {
                head.extend(self.long((behind + values.len()) as u32));
                values.extend(bytes);
            }
        }
        head.extend([0; 4]);
        head.extend(values);
        head
    }

    /// The EXIF that the tests expect of every container.
    fn tiff(self) -> Vec<u8> {
        let detail = [
            self.text(0x9003, b"2020:05:17 21:30:15"),
            self.text(0xa434, "FE 24-70mm F2.8 GM".as_bytes()),
        ];
        let gps = [
            self.text(1, b"S"),
            self.fractions(2, &[(33, 1), (51, 1), (3600, 100)]),
            self.text(3, b"E"),
            self.fractions(4, &[(151, 1), (12, 1), (0, 1)]),
            (5, 1, 1, vec![1]),
            self.fractions(6, &[(25, 10)]),
        ];
        let keywords: Vec<u8> = "草地;dog\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let first = |detail, gps| {
            [
                self.text(0x010e, "一只狗".as_bytes()),
                self.text(0x010f, b"SONY"),
                self.text(0x0110, b"ILCE-7M4"),
                self.text(0x0132, b"2024:01:01 00:00:00"),
                self.pointer(0x8769, detail),
                self.pointer(0x8825, gps),
                (0x9c9e, 1, keywords.len() as u32, keywords.clone()),
            ]
        };
        let length = self.directory(8, &first(0, 0)).len();
        let detail = self.directory(8 + length, &detail);
        let gps = self.directory(8 + length + detail.len(), &gps);
        let mark: &[u8] = if self.little { b"II*\0\x08\0\0\0" } else { b"MM\0*\0\0\0\x08" };
        let first = self.directory(8, &first(8 + length, 8 + length + detail.len()));
        [mark, &first, &detail, &gps].concat()
    }
}

const XMP: &str = "<x:xmpmeta><dc:subject><rdf:Bag><rdf:li>海滩</rdf:li><rdf:li>dog</rdf:li></rdf:Bag>\
                   </dc:subject></x:xmpmeta>";

fn segment(marker: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = (content.len() as u16 + 2).to_be_bytes();
    [&[0xff, marker], &length[..], &content].concat()
}

fn jpeg(tiff: &[u8]) -> Vec<u8> {
    let keyword = [&[0x1c, 2, 25, 0, 6][..], "黄昏".as_bytes()].concat();
    let length = (keyword.len() as u32).to_be_bytes();
    let photoshop =
        [&b"8BIM\x03\xed\0\0\0\0\0\x01x\08BIM\x04\x04\0\0"[..], &length, &keyword].concat();
    [
        b"\xff\xd8".to_vec(),
        segment(0xe0, &[b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"]),
        segment(0xe1, &[b"Exif\0\0", tiff]),
        segment(0xe1, &[b"http://ns.adobe.com/xap/1.0/\0", XMP.as_bytes()]),
        segment(0xed, &[b"Photoshop 3.0\0", &photoshop]),
        b"\xff\xda\0\x02\xff\xd9".to_vec(),
    ]
    .concat()
}

fn png(tiff: &[u8]) -> Vec<u8> {
    let chunk = |name: &[u8], content: &[u8]| {
        [&(content.len() as u32).to_be_bytes()[..], name, content, b"\0\0\0\0"].concat()
    };
    let xmp = [b"XML:com.adobe.xmp\0\0\0\0\0", XMP.as_bytes()].concat();
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"iTXt", &xmp), chunk(b"eXIf", tiff), chunk(b"IEND", b"")]
        .concat()
}

fn webp(tiff: &[u8]) -> Vec<u8> {
    let chunk = |name: &[u8], content: &[u8]| {
        let fill = &b"\0"[..content.len() % 2];
        [name, &(content.len() as u32).to_le_bytes(), content, fill].concat()
    };
    let chunks = [chunk(b"VP8X", &[0; 10]), chunk(b"EXIF", tiff), chunk(b"XMP ", XMP.as_bytes())];
    let chunks = chunks.concat();
    [b"RIFF", &(chunks.len() as u32 + 4).to_le_bytes()[..], b"WEBP", &chunks].concat()
}

fn avif(tiff: &[u8]) -> Vec<u8> {
    let whole = |kind: &[u8], content: &[u8]| {
        [&(content.len() as u32 + 8).to_be_bytes()[..], kind, content].concat()
    };
    let content = [&6u32.to_be_bytes()[..], b"Exif\0\0", tiff].concat();
    let infe = whole(b"infe", b"\x02\0\0\0\0\x01\0\0Exif\0");
    let iinf = whole(b"iinf", &[b"\0\0\0\0\0\x01", &infe[..]].concat());
    // Version 1, so that the bytes lie in `idat`: item 1, one part from 0.
    let length = (content.len() as u32).to_be_bytes();
    let place = [b"\x01\0\0\0\x44\0\0\x01\0\x01\0\x01\0\0\0\x01\0\0\0\0", &length[..]].concat();
    let meta = [whole(b"iinf", &[]), whole(b"iloc", &place), whole(b"idat", &content)];
    let meta = [&b"\0\0\0\0"[..], &iinf, &meta[1], &meta[2]].concat();
    [whole(b"ftyp", b"avif\0\0\0\0avif"), whole(b"meta", &meta)].concat()
}

fn all() -> Vec<(&'static str, Vec<u8>, Vec<&'static str>)> {
    let mut files = Vec::new();
    for little in [true, false] {
        let tiff = Order { little }.tiff();
        files.push(("JPEG", jpeg(&tiff), vec!["草地", "dog", "黄昏", "海滩"]));
        files.push(("PNG", png(&tiff), vec!["草地", "dog", "海滩"]));
        files.push(("WebP", webp(&tiff), vec!["草地", "dog", "海滩"]));
        files.push(("AVIF", avif(&tiff[..]), vec!["草地", "dog"]));
        files.push(("TIFF", tiff, vec!["草地", "dog"]));
    }
    files
}

#[test]
fn every_container_says_the_same() {
    for (name, file, tags) in all() {
        let exif = Exif::read(&file);
        let taken = exif.taken.map(|taken| taken.to_string());
        assert_eq!(taken.as_deref(), Some("2020-05-17T21:30:15"), "{name}");
        assert_eq!(exif.camera.as_deref(), Some("SONY ILCE-7M4"), "{name}");
        assert_eq!(exif.lens.as_deref(), Some("FE 24-70mm F2.8 GM"), "{name}");
        assert_eq!(exif.description.as_deref(), Some("一只狗"), "{name}");
        let Some(Place { latitude, longitude, altitude }) = exif.place else { panic!("{name}") };
        assert!((latitude + 33.86).abs() < 1e-9, "{name}: {latitude}");
        assert!((longitude - 151.2).abs() < 1e-9, "{name}: {longitude}");
        assert_eq!(altitude, Some(-2.5), "{name}");
        assert_eq!(exif.tags, tags, "{name}");
    }
}

#[test]
fn what_pillow_writes_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/exif");
    for format in ["jpeg", "png", "webp", "avif"] {
        let file = std::fs::read(folder.join(format!("pillow.{format}"))).expect("a golden");
        let exif = Exif::read(&file);
        let taken = exif.taken.map(|taken| taken.to_string());
        assert_eq!(taken.as_deref(), Some("2021-12-31T23:59:58"), "{format}");
        assert_eq!(exif.camera.as_deref(), Some("Canon EOS R5"), "{format}");
        assert_eq!(exif.lens.as_deref(), Some("RF24-70mm F2.8 L IS USM"), "{format}");
        assert_eq!(exif.software.as_deref(), Some("Pillow"), "{format}");
        let Some(Place { latitude, longitude, altitude }) = exif.place else { panic!("{format}") };
        assert!((latitude - 39.907_533).abs() < 1e-6, "{format}: {latitude}");
        assert!((longitude + 116.390_833).abs() < 1e-6, "{format}: {longitude}");
        assert_eq!(altitude, Some(43.5), "{format}");
        let has_xmp = ["jpeg", "webp"].contains(&format);
        assert_eq!(exif.tags, if has_xmp { vec!["dog", "海滩"] } else { Vec::new() }, "{format}");
        assert_eq!(tuwen_image::format(&file), Some(format));
    }
}

#[test]
fn a_text_of_an_older_encoding_is_read_where_it_is_clear() {
    let order = Order { little: true };
    // GBK, as Chinese programs wrote it before UTF-8.
    let (gbk, _, _) = encoding_rs::GBK.encode("一只金毛犬在海边的沙滩上奔跑，夕阳西下。");
    let first = order.directory(8, &[order.text(0x010e, &gbk)]);
    let tiff = [b"II*\0\x08\0\0\0", &first[..]].concat();
    let read = Exif::read(&jpeg(&tiff)).description;
    assert_eq!(read.as_deref(), Some("一只金毛犬在海边的沙滩上奔跑，夕阳西下。"));
}

#[test]
fn damaged_files_are_read_quickly_and_never_a_panic() {
    let start = Instant::now();
    let mut rng = Rng::new(&[14]);
    let mut reads = 0u32;
    for (_, file, _) in all() {
        for end in 0..file.len() {
            let _ = Exif::read(&file[..end]);
            reads += 1;
        }
        for _ in 0..3000 {
            let mut damaged = file.clone();
            for _ in 0..1 + rng.below(6) {
                let at = rng.below(damaged.len());
                damaged[at] = match rng.below(3) {
                    0 => 0xff,
                    1 => 0,
                    _ => rng.below(256) as u8,
                };
            }
            let _ = Exif::read(&damaged);
            reads += 1;
        }
    }
    let mean = start.elapsed() / reads;
    println!("{reads} damaged files, {mean:?} each");
    assert!(mean < Duration::from_millis(2), "{mean:?}");
}

#[test]
fn directories_within_each_other_cost_nothing() {
    // Every entry says that it has 65,535 entries, and is EXIF's and GPS's directory.
    let order = Order { little: true };
    let entry = [order.short(0x8769), order.short(4)].concat();
    let mut file = b"II*\0\x08\0\0\0\xff\xff".to_vec();
    while file.len() < 8 << 20 {
        file.extend(&entry);
        file.extend([0xff, 0xff, 0, 0, 8, 0, 0, 0]);
    }
    let start = Instant::now();
    assert_eq!(Exif::read(&file), Exif::default());
    assert!(start.elapsed() < Duration::from_millis(50), "{:?}", start.elapsed());
}

#[test]
fn a_clock_and_a_receiver_that_were_not_set_say_nothing() {
    let order = Order { little: false };
    let gps = [
        order.text(1, b"N"),
        order.fractions(2, &[(0, 1), (0, 1), (0, 1)]),
        order.text(3, b"E"),
        order.fractions(4, &[(0, 1), (0, 1), (0, 1)]),
    ];
    let first = |gps| [order.text(0x0132, b"0000:00:00 00:00:00"), order.pointer(0x8825, gps)];
    let length = order.directory(8, &first(0)).len();
    let tiff = [
        &b"MM\0*\0\0\0\x08"[..],
        &order.directory(8, &first(8 + length)),
        &order.directory(8 + length, &gps),
    ];
    assert_eq!(Exif::read(&tiff.concat()), Exif::default());
}
