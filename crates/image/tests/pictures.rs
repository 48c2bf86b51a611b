//! Pictures as people have them: every kind of AVIF as Pillow reads it, JPEGs with junk, files that claim
//! or unpack to gigabytes, and other media by their names.

use std::path::{Path, PathBuf};

use tuwen_files::Error;
use tuwen_image::{
    Decoded, Decoding, Filter, Limits, Picture, Preprocess, RgbImage, decode, decode_file,
    decode_for, decode_then, encode_jpeg, encode_png, resize,
};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn read(name: &str) -> Picture {
    let bytes = std::fs::read(golden(name)).expect("goldens are committed");
    decode(&bytes, Limits::default()).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [name, data].concat();
    let sum = crc32fast::hash(&body).to_be_bytes();
    [&(data.len() as u32).to_be_bytes()[..], &body, &sum].concat()
}

/// zlib, without compression.
fn stored(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    for (at, part) in data.chunks(65_535).enumerate() {
        let last = (at + 1) * 65_535 >= data.len();
        let length = part.len() as u16;
        out.push(u8::from(last));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(part);
    }
    let (a, b) = data.iter().fold((1u32, 0u32), |(a, b), &byte| {
        let a = (a + u32::from(byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    out.extend((b << 16 | a).to_be_bytes());
    out
}

/// A PNG of that size, bit depth and colour type, from its rows with their filter bytes.
fn png(width: u32, height: u32, depth: u8, colour: u8, rows: &[u8], more: &[u8]) -> Vec<u8> {
    let head =
        [&width.to_be_bytes()[..], &height.to_be_bytes(), &[depth, colour, 0, 0, 0]].concat();
    let parts = [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(b"IHDR", &head),
        more.to_vec(),
        chunk(b"IDAT", &stored(rows)),
        chunk(b"IEND", b""),
    ];
    parts.concat()
}

#[test]
fn avif_of_every_kind_is_pillows() {
    let mut names: Vec<String> = std::fs::read_dir(golden("avif"))
        .expect("goldens are committed")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter_map(|name| name.strip_suffix(".avif").map(str::to_owned))
        .collect();
    names.sort_unstable();
    assert_eq!(names.len(), 15);
    for name in names {
        let found = read(&format!("avif/{name}.avif"));
        let wanted = read(&format!("avif/{name}.png"));
        assert_eq!(found.dimensions(), wanted.dimensions(), "{name}");
        assert_eq!(
            matches!(found, Picture::Rgba(_)),
            matches!(wanted, Picture::Rgba(_)),
            "{name}: opacity"
        );
        let (found, wanted) = (found.into_rgb(), wanted.into_rgb());
        let differences = found.as_raw().iter().zip(wanted.as_raw()).map(|(a, b)| a.abs_diff(*b));
        let worst = differences.clone().max().expect("pixels");
        let mean = differences.map(f64::from).sum::<f64>() / found.as_raw().len() as f64;
        assert!(
            worst <= 5 && mean < 1.0,
            "{name}: differs by up to {worst}, {mean:.2} in the mean"
        );
    }
}

#[test]
fn damaged_avif_is_an_error() {
    let whole = std::fs::read(golden("avif/alpha.avif")).expect("goldens are committed");
    for cut in (12..whole.len()).step_by(7) {
        assert!(decode(&whole[..cut], Limits::default()).is_err(), "{cut} bytes");
    }
    let small = Limits { pixels: 100, ..Limits::default() };
    let error = decode(&whole, small).expect_err("too many pixels").to_string();
    assert!(error.contains("45x31") || error.contains("AVIF"), "{error}");
}

#[test]
fn junk_between_the_segments_of_a_jpeg_changes_nothing() {
    let values = (0..40 * 24 * 3).map(|at| (at / 9) as u8).collect();
    let picture = RgbImage::from_raw(40, 24, values).expect("as many values as that");
    let clean = encode_jpeg(&picture, 90);
    let mut junk = clean.clone();
    let segment = 4 + usize::from(u16::from_be_bytes([clean[4], clean[5]]));
    junk.splice(segment..segment, *b"\0\x01 junk \xff\0\x02");
    junk.extend(b"and something behind the end");
    let [clean, found] = [clean, junk].map(|bytes| decode(&bytes, Limits::default()));
    let clean = clean.expect("a JPEG").into_rgb();
    assert_eq!(found.expect("read as Pillow reads it").into_rgb(), clean);
}

#[test]
fn a_profile_that_unpacks_to_gigabytes_is_not_unpacked() {
    // The profile's checksum is wrong, and so is its stream: it is not even looked at.
    let bomb =
        [chunk(b"iCCP", b"icc\0\0no stream at all"), chunk(b"zTXt", b"k\0\0no stream")].concat();
    let rows = [0, 1, 2, 3, 0, 4, 5, 6];
    let picture = png(1, 2, 8, 2, &rows, &bomb);
    let found = decode(&picture, Limits::default()).expect("the picture").into_rgb();
    assert_eq!(found.as_raw(), &[1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_png_that_claims_more_than_a_decoder_can_is_too_large() {
    for side in [100_000, i32::MAX as u32, u32::MAX] {
        let error = decode(&png(side, side, 8, 2, &[0; 4], &[]), Limits::default());
        let error = error.map(|_| ()).expect_err("refused");
        assert!(matches!(error, Error::TooLong { width, .. } if width == side), "{error}");
    }
}

#[test]
fn sixteen_bits_become_eight_and_threads_wait_for_each_other() {
    let rows: Vec<u8> = (0..300u32)
        .flat_map(|y| std::iter::once(0).chain((0..200u32).flat_map(move |x| [x as u8, y as u8])))
        .collect();
    let picture = png(200, 300, 16, 0, &rows, &[]);
    let one = decode(&picture, Limits::default()).expect("a picture").into_rgb();
    assert_eq!(one.get_pixel(77, 5).0, [77; 3]);
    let all: Vec<RgbImage> = std::thread::scope(|scope| {
        let read = || decode_then(&picture, Limits::default(), Picture::into_rgb);
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(read)).collect();
        threads.into_iter().map(|t| t.join().expect("no panic").expect("a picture")).collect()
    });
    assert!(all.iter().all(|other| *other == one));
}

#[test]
fn only_regular_files_of_a_limited_size_are_read() {
    let error = |path: &Path, limits| decode_file(path, limits).expect_err("refused");
    assert!(error(Path::new("/dev/zero"), Limits::default()).to_string().contains("device"));
    let small = Limits { bytes: 100, ..Limits::default() };
    let found = error(&golden("pictures/rgb.png"), Limits { bytes: 10, ..small });
    assert!(matches!(found, Error::TooManyBytes { limit: 10, .. }), "{found}");
}

#[test]
fn other_media_are_named() {
    for (bytes, wanted) in [
        (&b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"[..], "HEIC"),
        (b"\xff\x0a\xfa\x1f\x41", "JPEG XL"),
        (b"8BPS\0\x01", "PSD"),
        (b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>", "SVG"),
        (b"%PDF-1.7\n", "PDF"),
        (b"II*\0\x10\0\0\0CR\x02\0", "RAW"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp41", "MP4"),
    ] {
        let error = decode(bytes, Limits::default()).expect_err("not read");
        assert!(matches!(error, Error::Unsupported { kind } if kind == wanted), "{error}");
        assert!(error.to_string().contains(wanted), "{error}");
    }
    let error = decode(b"words, and no picture", Limits::default()).expect_err("not read");
    assert!(error.to_string().contains("unknown format"), "{error}");
}

/// Pixels of a large picture with edges and colours.
fn large(width: u32, height: u32) -> RgbImage {
    let small = read("pictures/rgb.png").into_rgb();
    resize(&small, width, height, Filter::Bicubic)
}

/// What a model of `preprocess` is handed, and the sizes of what was decoded and of the file's picture.
fn reduced(bytes: &[u8], preprocess: &Preprocess) -> (RgbImage, [(u32, u32); 2]) {
    let fit = |Decoded { picture, size }| (preprocess.fit(&picture), [picture.dimensions(), size]);
    decode_for(bytes, Limits::default(), preprocess, Decoding::Reduced, fit).expect("a picture")
}

#[test]
fn of_a_large_jpeg_no_more_is_decoded_than_is_needed() {
    let preprocess = Preprocess::squash(64);
    for (size, decoded) in [
        ((1024, 1024), (128, 128)),
        ((2000, 1023), (500, 256)),
        ((1600, 300), (800, 150)),
        ((255, 900), (255, 900)),
    ] {
        let jpeg = encode_jpeg(&large(size.0, size.1), 95);
        let (fitted, sizes) = reduced(&jpeg, &preprocess);
        assert_eq!(sizes, [decoded, size]);
        let exact = preprocess.decode(&jpeg, Limits::default()).expect("a picture");
        let pairs = fitted.as_raw().iter().zip(exact.as_raw());
        let away: f64 = pairs.map(|(a, b)| f64::from(a.abs_diff(*b))).sum();
        let mean = away / exact.as_raw().len() as f64;
        assert!(mean < 3.0, "{size:?}: {mean}");
        assert_eq!(sizes[0] == sizes[1], fitted == exact);
    }
    let png = encode_png(&large(1024, 1024));
    assert_eq!(reduced(&png, &preprocess).1, [(1024, 1024); 2], "only JPEG has less to give");
}

#[test]
fn a_jpeg_on_its_side_is_reduced_by_what_it_is_upright() {
    // Orientation 6: turned to the right. Of 2:1 upright, of which a model of squares takes the middle.
    let exif = [
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01".as_slice(),
        b"\0\x06\0\0\0\0\0\0",
    ]
    .concat();
    let jpeg = encode_jpeg(&large(512, 1024), 95);
    let length = (exif.len() as u16 + 2).to_be_bytes();
    let turned = [&jpeg[..2], b"\xff\xe1", &length, &exif, &jpeg[2..]].concat();
    let squash = Preprocess::squash(32);
    assert_eq!(reduced(&turned, &squash).1, [(128, 64), (1024, 512)]);
    let wide = Preprocess { resize: tuwen_image::Resize::To(256, 32), ..squash };
    let wide = Preprocess { geometry: tuwen_image::Geometry::CentreCrop, ..wide };
    assert_eq!(reduced(&turned, &wide).1, [(512, 256), (1024, 512)]);
}

#[test]
fn a_cut_jpeg_is_the_same_error_when_less_is_decoded() {
    let jpeg = encode_jpeg(&large(1024, 1024), 95);
    let cut = &jpeg[..jpeg.len() / 2];
    let preprocess = Preprocess::squash(64);
    let size = |decoding| {
        let fit = |decoded: Decoded| decoded.picture.dimensions();
        decode_for(cut, Limits::default(), &preprocess, decoding, fit).map_err(|e| e.to_string())
    };
    let exact = size(Decoding::Exact);
    assert_eq!(size(Decoding::Reduced).is_ok(), exact.is_ok());
    assert_eq!(size(Decoding::Reduced).err(), exact.err());
}
