//! Damaged copies of files, for the tests of every crate that reads files.

use tuwen_image::rng::Rng;

/// A damaged copy: some bytes changed, cut out, doubled, or the end cut off.
pub fn damaged(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for _ in 0..1 + rng.below(4) {
        if out.is_empty() {
            break;
        }
        let at = rng.below(out.len());
        let len = 1 + rng.below(16).min(out.len() - at - 1);
        match rng.below(6) {
            0 => out[at] ^= 1 << rng.below(8),
            1 => out[at] = [0, 0xff, b'9', b'"', b'\n', 0x80][rng.below(6)],
            2 => drop(out.drain(at..at + len)),
            3 => {
                let part = out[at..at + len].to_vec();
                out.splice(at..at, part);
            }
            4 => out.truncate(at),
            _ => out[at..at + len].fill(b'9'),
        }
    }
    out
}

/// How many damaged copies of each file are tried; by hand `TUWEN_MUTATIONS=1000000` for a while.
pub fn rounds(usual: usize) -> usize {
    std::env::var("TUWEN_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}
