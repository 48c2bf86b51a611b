//! Captions that a decoder makes of pictures: which decoder belongs to a model, and its captions with what they are worth
//! by the decoder and by the dual encoder.

mod whole;
mod why;

use std::path::Path;

use tuwen_caption::{Control, Decoder, DecoderConfig, Said, Way};
use tuwen_encode::{Captioner, CpuEncoder, DATASET_TEXT, Encoder, WINDOW, arrays, builtin};
use tuwen_files::encoding::TextFile;
use tuwen_image::rng::Rng;
use tuwen_image::{Preprocess, RgbImage};

use crate::{Error, Result};
pub use why::Told;

/// File name of a decoder's configuration in its folder, or beside a model's.
pub const DECODER_CONFIG: &str = "decoder.json";
/// File name of its weights.
pub const DECODER_WEIGHTS: &str = "decoder.safetensors";
/// How much the dual encoder's cosine counts beside a caption's score where candidates are ranked by both.
pub const COSINE: f64 = 4.0;

/// What is asked of a decoder.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// The languages, by their names; none for all that the decoder speaks.
    pub languages: Vec<String>,
    /// How words are chosen.
    pub way: Way,
    /// What a caption may be.
    pub control: Control,
    /// How many captions of each language are wanted, the best first.
    pub candidates: usize,
    /// Whether the dual encoder has a say in which is best.
    pub rerank: bool,
    /// What is drawn is a function of it.
    pub seed: u64,
}

impl Default for Ask {
    fn default() -> Self {
        Self {
            languages: Vec::new(),
            way: Way::Beams(3),
            control: Control::default(),
            candidates: 1,
            rerank: false,
            seed: 0,
        }
    }
}

/// A caption that a machine made.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Made {
    /// Its language, such as `en`.
    pub language: String,
    /// The words.
    pub text: String,
    /// The natural logarithm of its probability.
    pub log_prob: f64,
    /// The dual encoder's cosine with the picture, where it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cosine: Option<f32>,
    /// What the words are to the decoder.
    #[serde(skip)]
    pub tokens: Vec<usize>,
}

/// A decoder that belongs to a model, or a captioning model of others that is whole in itself.
pub struct Describer {
    voice: Voice,
}

enum Voice {
    /// Over the rows of a dual encoder.
    Own(Box<Decoder<'static>>),
    /// With an image tower of its own (BLIP).
    Whole(Box<Captioner>),
}

impl Describer {
    /// The decoder of a model: that of `folder` where it is named, which may be a captioning model of others, else that
    /// beside the model's files (`model` is its name or folder), else, for the built-in model, the built-in one.
    ///
    /// # Errors
    /// There is none, it belongs to another model, or its files do not fit.
    pub fn open(encoder: &CpuEncoder, model: &str, folder: Option<&Path>) -> Result<Self> {
        if let Some(captioner) = folder.map(Captioner::open).transpose()?.flatten() {
            return Ok(Self { voice: Voice::Whole(Box::new(captioner)) });
        }
        let decoder = match folder {
            Some(folder) => open_decoder(folder)?,
            None if Path::new(model).join(DECODER_CONFIG).is_file() => {
                open_decoder(Path::new(model))?
            }
            None if model == builtin::BUILT_IN => built_in()?,
            None if encoder.fusion().is_some_and(|fusion| !fusion.both_ways) => {
                return Err(Error::Usage(format!(
                    "the model `{model}` is a BLIP for retrieval, which cannot caption: give one that captions, such as \
                     Salesforce/blip-image-captioning-base (--model, or its folder as --decoder)"
                )));
            }
            None => {
                return Err(Error::Usage(format!(
                    "there is no decoder of captions for the model `{model}`: `tuwen captions train` makes one, which \
                     is given as a folder (--decoder DIR) or lies beside the model's files; the model `{}` has one",
                    builtin::BUILT_IN
                )));
            }
        };
        decoder.check_model(plain(encoder.fingerprint()))?;
        Ok(Self { voice: Voice::Own(Box::new(decoder)) })
    }

    /// A captioning model of others by its name or folder; none where that is another kind of model.
    ///
    /// # Errors
    /// Its files do not fit.
    pub fn open_whole(model: &str) -> Result<Option<Self>> {
        let captioner = tuwen_hub::open_captioner(model)?;
        Ok(captioner.map(|captioner| Self { voice: Voice::Whole(Box::new(captioner)) }))
    }

    /// What the decoder is called.
    pub fn name(&self) -> &str {
        match &self.voice {
            Voice::Own(decoder) => &decoder.config().name,
            Voice::Whole(captioner) => captioner.name(),
        }
    }

    /// The languages that it speaks.
    pub fn languages(&self) -> Vec<&str> {
        match &self.voice {
            Voice::Own(decoder) => decoder.config().languages.iter().map(|l| &*l.name).collect(),
            Voice::Whole(_) => vec![whole::ENGLISH],
        }
    }

    /// How the pictures that it describes become pixels: as `encoder` says, unless it has an image tower of its own.
    ///
    /// # Errors
    /// There is no encoder and it needs one.
    pub fn preprocess<'p>(&'p self, encoder: Option<&'p CpuEncoder>) -> Result<&'p Preprocess> {
        match &self.voice {
            Voice::Own(_) => Ok(self.needed(encoder)?.preprocess()),
            Voice::Whole(captioner) => Ok(captioner.preprocess()),
        }
    }

    /// Whether the decoder can do what is asked, before anything is computed.
    ///
    /// # Errors
    /// What it cannot.
    pub fn check(&self, ask: &Ask) -> Result<()> {
        let longest = match &self.voice {
            Voice::Own(decoder) => {
                for language in &ask.languages {
                    decoder.config().language(language).map_err(usage)?;
                }
                decoder.config().longest
            }
            Voice::Whole(captioner) => {
                whole::check(captioner, ask)?;
                captioner.longest()
            }
        };
        ask.control.check(longest, ask.way).map_err(usage)?;
        let (Way::Beams(most) | Way::Nucleus { count: most, .. }) = ask.way;
        if !(1..=most).contains(&ask.candidates) {
            return Err(Error::Usage(format!(
                "{} candidates of {most} captions side by side: ask for 1 to as many",
                ask.candidates
            )));
        }
        Ok(())
    }

    /// Captions of a picture that [`Self::preprocess`] has brought to size, for each language the best first. A captioning
    /// model of others needs no encoder.
    ///
    /// # Errors
    /// What is asked for cannot be, or the tower fails.
    pub fn describe(
        &self,
        encoder: Option<&CpuEncoder>,
        picture: &RgbImage,
        ask: &Ask,
    ) -> Result<Vec<Made>> {
        self.check(ask)?;
        match &self.voice {
            Voice::Own(decoder) => by_rows(decoder, self.needed(encoder)?, picture, ask),
            Voice::Whole(captioner) => whole::describe(captioner, picture, ask),
        }
    }

    fn needed<'e>(&self, encoder: Option<&'e CpuEncoder>) -> Result<&'e CpuEncoder> {
        encoder.ok_or_else(|| {
            let name = self.name();
            Error::Usage(format!("the decoder `{name}` reads the rows of its model: give that"))
        })
    }
}

/// What a decoder says of the rows that a dual encoder's image tower gives.
fn by_rows(
    decoder: &Decoder<'_>,
    encoder: &CpuEncoder,
    picture: &RgbImage,
    ask: &Ask,
) -> Result<Vec<Made>> {
    let found = encoder.image_tokens(std::slice::from_ref(picture))?;
    let looked = decoder.look(&[&found.tokens.values]);
    let mut made = Vec::new();
    for (at, language) in decoder.config().languages.iter().enumerate() {
        if !ask.languages.is_empty() && !ask.languages.contains(&language.name) {
            continue;
        }
        let mut rng = Rng::new(&[ask.seed, at as u64]);
        let mut uniform = || rng.unit();
        let said = decoder.describe(&looked, at, ask.way, &ask.control, &mut uniform);
        let mut own = said.map_err(usage)?;
        // Words that differ may be written alike.
        let mut texts = std::collections::HashSet::new();
        own.retain(|said| texts.insert(language.write(&said.tokens)));
        let cosines = ask.rerank.then(|| cosines(encoder, &found.vectors, language, &own));
        let cosines = cosines.transpose()?;
        let mut all: Vec<(f64, Made)> = own
            .iter()
            .enumerate()
            .map(|(place, said)| {
                let cosine = cosines.as_ref().map(|all| all[place]);
                let worth = said.score(&ask.control) + COSINE * f64::from(cosine.unwrap_or(0.0));
                let text = language.write(&said.tokens);
                let language = language.name.clone();
                let tokens = said.tokens.clone();
                (worth, Made { language, text, log_prob: said.log_prob, cosine, tokens })
            })
            .collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        made.extend(all.into_iter().take(ask.candidates).map(|(_, made)| made));
    }
    Ok(made)
}

/// What the dual encoder thinks of captions.
fn cosines(
    encoder: &CpuEncoder,
    vector: &[f32],
    language: &tuwen_caption::Language,
    said: &[Said],
) -> Result<Vec<f32>> {
    let texts: Vec<String> = said.iter().map(|said| language.write(&said.tokens)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let rows = encoder.encode_texts(&texts)?;
    let cosine = |row: &[f32]| row.iter().zip(vector).map(|(a, b)| a * b).sum();
    Ok(rows.chunks_exact(vector.len()).map(cosine).collect())
}

/// Who asks for what cannot be is told so.
fn usage(error: tuwen_caption::Error) -> Error {
    match error {
        tuwen_caption::Error::Language { .. } | tuwen_caption::Error::Control(_) => {
            Error::Usage(error.to_string())
        }
        other => other.into(),
    }
}

/// The fingerprint without what a user chose for texts: a picture's rows do not depend on it.
fn plain(fingerprint: &str) -> &str {
    fingerprint.trim_end_matches(DATASET_TEXT).trim_end_matches(WINDOW)
}

/// A decoder in a folder.
///
/// # Errors
/// There is none, or its files do not fit.
pub fn open_decoder(folder: &Path) -> Result<Decoder<'static>> {
    let file = folder.join(DECODER_CONFIG);
    if !file.is_file() {
        let what = format!("there is no {DECODER_CONFIG} in it: `tuwen captions train` writes one");
        return Err(Error::place(folder, what));
    }
    let json = TextFile::read_document(&file)?;
    let of_file = |error| Error::place(&file, error);
    let config = DecoderConfig::parse(&json).map_err(of_file)?;
    Decoder::new(config, &arrays::read(&folder.join(DECODER_WEIGHTS))?).map_err(of_file)
}

const CONFIG: &str = include_str!("../../../models/tuwen-small-captions/decoder.json");
const WEIGHTS: &[u8] = include_bytes!("../../../models/tuwen-small-captions/decoder.safetensors");

/// The decoder inside the program.
fn built_in() -> Result<Decoder<'static>> {
    let weights = arrays::embedded(WEIGHTS, Path::new(DECODER_WEIGHTS))?;
    Ok(Decoder::new(DecoderConfig::parse(CONFIG)?, &weights)?)
}
