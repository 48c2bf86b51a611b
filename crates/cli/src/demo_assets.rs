//! The demo's pictures, drawn by ourselves (`assets/demo`), inside the program.

include!(concat!(env!("OUT_DIR"), "/demo_pictures.rs"));

const CAPTIONS: &str = include_str!("../../../assets/demo/captions.tsv");

/// File name and caption of every picture in one language, `en` or `zh`.
pub fn captions(language: &str) -> Vec<(&'static str, &'static str)> {
    let lines = CAPTIONS.lines().filter_map(|line| {
        let mut fields = line.split('\t');
        Some((fields.next()?, fields.next()?, fields.next()?))
    });
    let of = lines.filter(|(_, found, _)| *found == language);
    of.map(|(name, _, text)| (name, text)).collect()
}
