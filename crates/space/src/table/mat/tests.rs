use std::io::Write;

use super::*;

fn element(kind: u32, data: &[u8]) -> Vec<u8> {
    let mut out = [kind.to_le_bytes(), (data.len() as u32).to_le_bytes()].concat();
    out.extend(data);
    out.resize(out.len().next_multiple_of(8), 0);
    out
}

fn variable(name: &str, class: u8, sizes: [i32; 2], kind: u32, data: &[u8]) -> Vec<u8> {
    let sizes: Vec<u8> = sizes.iter().flat_map(|size| size.to_le_bytes()).collect();
    let parts = [
        element(6, &[class, 0, 0, 0, 0, 0, 0, 0]),
        element(5, &sizes),
        element(1, name.as_bytes()),
        element(kind, data),
    ];
    element(MATRIX, &parts.concat())
}

fn compressed(inner: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(inner).expect("memory");
    let packed = packer.finish().expect("memory");
    [&COMPRESSED.to_le_bytes()[..], &(packed.len() as u32).to_le_bytes(), &packed].concat()
}

fn file(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut out = vec![b' '; 124];
    out.extend([0, 1, b'I', b'M']);
    out.extend(parts.concat());
    out
}

fn doubles(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[test]
fn plain_compressed_and_whole_numbers_stored_as_bytes() {
    let plain = variable("a", 6, [2, 3], 9, &doubles(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
    let bytes = compressed(&variable("labels", 6, [3, 1], 2, &[7, 8, 9]));
    let both = file(&[plain, bytes]);
    let a = parse(&both, Some("a")).expect("read");
    assert_eq!((a.rows, a.columns, a.values), (2, 3, vec![1.0, 3.0, 5.0, 2.0, 4.0, 6.0]));
    assert_eq!(parse(&both, Some("labels")).expect("read").values, [7.0, 8.0, 9.0]);
    let several = parse(&both, None).expect_err("two");
    assert!(several.contains("a (2 x 3), labels (3 x 1)"), "{several}");
    assert!(
        parse(&both, Some("b")).expect_err("none").contains("no variable b; there is a (2 x 3)")
    );
}

#[test]
fn cells_structs_objects_and_other_formats_are_refused_by_name() {
    for (class, word) in
        [(1, "a cell array"), (2, "a struct"), (3, "an object"), (4, "text"), (5, "sparse")]
    {
        let bytes = file(&[variable("x", class, [1, 1], 9, &doubles(&[1.0]))]);
        let why = parse(&bytes, Some("x")).expect_err("refused");
        assert!(why.contains("variable x") && why.contains(word), "{why}");
        assert!(parse(&bytes, None).expect_err("nothing numeric").contains("no numeric matrix"));
    }
    let mut new = file(&[]);
    new.resize(512, 0);
    new.extend(b"\x89HDF\r\n");
    assert!(parse(&new, None).expect_err("HDF5").contains("v7.3"));
    assert!(parse(b"hello", None).expect_err("no file").contains("no MATLAB"));
}

#[test]
fn hostile_lengths_are_errors_and_take_no_memory() {
    let good = file(&[variable("a", 6, [1, 2], 9, &doubles(&[1.0, 2.0]))]);
    // Cut anywhere, it is an error or nothing; never a panic.
    for end in 0..good.len() {
        assert!(parse(&good[..end], Some("a")).is_err(), "cut at {end}");
    }
    let sizes = file(&[variable("a", 6, [i32::MAX, i32::MAX], 9, &doubles(&[1.0, 2.0]))]);
    assert!(parse(&sizes, Some("a")).expect_err("too many").contains("2 values for"));
    let negative = file(&[variable("a", 6, [-1, 2], 9, &doubles(&[1.0, 2.0]))]);
    assert!(parse(&negative, Some("a")).expect_err("negative").contains("negative"));
    let mut bomb = vec![0; 8];
    bomb[0] = MATRIX as u8;
    bomb[4..].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(
        parse(&file(&[compressed(&bomb)]), None).expect_err("a lie").contains("hold 4294967295")
    );
    // Every byte of a compressed file may be damaged.
    let packed = file(&[compressed(&variable("a", 6, [1, 2], 9, &doubles(&[1.0, 2.0])))]);
    for at in HEADER..packed.len() {
        let mut broken = packed.clone();
        broken[at] ^= 0x55;
        let _ = parse(&broken, Some("a"));
    }
}
