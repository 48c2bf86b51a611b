//! Lists the demo's pictures so that they end up inside the program.

use std::fmt::Write;
use std::path::Path;

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/demo/png");
    println!("cargo::rerun-if-changed={}", folder.display());
    let entries = std::fs::read_dir(&folder).expect("the demo's pictures are part of the source");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("a readable folder").file_name().into_string().expect("ASCII"))
        .filter(|name| name.ends_with(".png"))
        .collect();
    names.sort();
    let mut code = String::from("/// File name and content of every picture.\n");
    let _ = writeln!(code, "pub const PICTURES: [(&str, &[u8]); {}] = [", names.len());
    for name in names {
        let path = folder.join(&name);
        let _ = writeln!(code, "    ({name:?}, include_bytes!({path:?})),");
    }
    code.push_str("];\n");
    let out = std::env::var("OUT_DIR").expect("cargo sets it");
    std::fs::write(Path::new(&out).join("demo_pictures.rs"), code).expect("a writable folder");
}
