//! The explanation that was asked for: of a cosine, of the score of whoever looks again, or of a caption's words.

use std::path::Path;

use anyhow::{Context, Result, bail};
use tuwen_encode::{CpuEncoder, Encoder};
use tuwen_explain::{
    Explanation, Method, Rivals, Settings, Watch, Words, explain_against, explain_judge,
};
use tuwen_image::{Limits, Picture, Preprocess, RgbImage, Window, decode_file};
use tuwen_retrieve::describe::{Ask, Describer};
use tuwen_retrieve::rerank::{HeadJudge, Which};

use super::{Args, Score, Shown, usage};
use crate::progress::Long;
use crate::query::{Usage, open_model};

/// An explanation with what it is of.
pub struct Made {
    explanation: Explanation,
    picture: RgbImage,
    window: Window,
    text: String,
    against: Option<String>,
    model: String,
    score: &'static str,
}

impl Made {
    /// For whoever shows it.
    pub fn shown(&self) -> Shown<'_> {
        Shown {
            explanation: &self.explanation,
            picture: &self.picture,
            window: self.window,
            text: &self.text,
            against: self.against.as_deref(),
            model: &self.model,
            score: self.score,
        }
    }
}

/// What was asked for.
pub fn made(args: &Args) -> Result<Made> {
    if let Some(language) = &args.caption {
        return of_caption(args, language);
    }
    let text = args.text.clone().context("--text or --caption is needed")?;
    let encoder = open_model(&args.model, &args.text_args)?;
    let seen = Seen::read(&args.image, encoder.preprocess())?;
    let (explanation, against, score) = match args.score {
        Score::Cosine => of_cosine(args, &encoder, &seen, &text)?,
        Score::Late => of_head(args, &encoder, &seen, &text, Which::Late)?,
        Score::Itm => of_head(args, &encoder, &seen, &text, Which::Itm)?,
    };
    let Seen { picture, window, .. } = seen;
    let model = encoder.name().to_owned();
    Ok(Made { explanation, picture: picture.into_rgb(), window, text, against, model, score })
}

/// Settings of which a bar is told, and lines where no terminal shows it, as long as these settings live. Of a caption
/// nobody knows before how many words it has; all of them ask for the same pictures but with owen.
fn watched(settings: Settings, text: Option<&str>) -> Settings {
    let words = text.map_or(0, |text| Words::new(text).len());
    let [pictures, texts] = settings.asks(words);
    let progress = Long::new("pictures and texts through the model", pictures + texts);
    let watch = Watch::new(move |batch| {
        progress.step(batch);
        true
    });
    Settings { watch, ..settings }
}

/// A picture as it is, and as a model sees it.
struct Seen {
    picture: Picture,
    square: RgbImage,
    window: Window,
}

impl Seen {
    fn read(path: &Path, preprocess: &Preprocess) -> Result<Self> {
        let picture = decode_file(path, Limits::default());
        let picture = picture.with_context(|| path.display().to_string())?;
        let square = preprocess.fit(&picture);
        let (width, height) = picture.dimensions();
        Ok(Self { square, window: preprocess.window(width, height), picture })
    }
}

type Found = (Explanation, Option<String>, &'static str);

fn of_cosine(args: &Args, encoder: &CpuEncoder, seen: &Seen, text: &str) -> Result<Found> {
    let mut rivals = Vec::new();
    for path in &args.rival {
        let square = Seen::read(path, encoder.preprocess())?.square;
        if square == seen.square {
            bail!(Usage(format!(
                "--rival {}: it is the same picture as --image, and there is no difference to show: give another one",
                path.display()
            )));
        }
        rivals.push(square);
    }
    let vectors = match rivals.is_empty() {
        true => Vec::new(),
        false => encoder.encode_images(&rivals)?,
    };
    let method = args.method.unwrap_or_else(|| Method::usual(encoder.config()));
    let texts: Vec<&str> = args.against.as_deref().into_iter().collect();
    let against = Rivals { texts: &texts, pictures: &vectors };
    let settings = watched(args.how.noted(method, &seen.square), Some(text));
    let found = explain_against(encoder, &seen.square, text, against, &settings).map_err(usage)?;
    let names = args.rival.iter().map(|path| path.display().to_string());
    let names: Vec<String> = args.against.iter().cloned().chain(names).collect();
    let against = Some(names.join(", ")).filter(|names| !names.is_empty());
    Ok((found, against, "cosine"))
}

fn of_head(
    args: &Args,
    encoder: &CpuEncoder,
    seen: &Seen,
    text: &str,
    which: Which,
) -> Result<Found> {
    let judge = HeadJudge::open(encoder, &args.model, args.heads.as_deref(), which)?;
    let method = args.method.unwrap_or(Method::Occlusion);
    let settings = watched(args.how.noted(method, &seen.square), Some(text));
    let rival = args.against.as_deref();
    let found = explain_judge(&judge, &seen.square, text, rival, &settings).map_err(usage)?;
    Ok((found, args.against.clone(), if which == Which::Late { "late" } else { "itm" }))
}

fn of_caption(args: &Args, language: &str) -> Result<Made> {
    let (encoder, describer) = match Describer::open_whole(&args.model)? {
        Some(describer) => (None, describer),
        None => {
            let encoder = open_model(&args.model, &args.text_args)?;
            let describer = Describer::open(&encoder, &args.model, args.decoder.as_deref())?;
            (Some(encoder), describer)
        }
    };
    let preprocess = describer.preprocess(encoder.as_ref())?;
    let Seen { picture, square, window } = Seen::read(&args.image, preprocess)?;
    let ask = Ask { languages: vec![language.to_owned()], ..Ask::default() };
    let method = args.method.unwrap_or(Method::Occlusion);
    let settings = watched(args.how.noted(method, &square), None);
    let told = describer.explained(encoder.as_ref(), &square, &ask, &settings)?;
    let told = told.into_iter().next();
    let told = told.ok_or_else(|| Usage(format!("nothing is said of it in `{language}`")))?;
    Ok(Made {
        explanation: told.why,
        picture: picture.into_rgb(),
        window,
        text: told.made.text,
        against: None,
        model: describer.name().to_owned(),
        score: "log-probability",
    })
}
