//! `tuwen explain`

mod figure;
mod page;
mod svg;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde_json::json;
use tuwen_encode::{CpuEncoder, Encoder, builtin};
use tuwen_explain::render::{range, share};
use tuwen_explain::{Error, Explanation, Fill, MOST_SAMPLES, Method, Settings, explain};
use tuwen_image::{Limits, RgbImage, Window, decode_file};

use super::by_name;
use crate::number;
use crate::output::{Force, OutputFile};
use crate::query::{TextArgs, Usage, open_model};
use crate::terminal::{note, say};
use crate::words::counted;

/// Show which parts of a picture and which words of a text make their score
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    tuwen explain --image dog.jpg --text \"a dog on the beach\" --out why.png\n  \
    tuwen explain --image dog.jpg --text 沙滩上的狗 --method fixlip --out why.html\n  \
    tuwen explain --image cat.jpg --text \"a dog\" --against \"a cat\" --json\n\n\
    Without --method chefer is taken, which was most faithful for its time among those of one pass (docs/explanations.md). occlusion is the \
    plain one that hides parts one by one; fixlip is the careful one, with what each word has to do with each part.")]
pub struct Args {
    /// A picture
    #[arg(long)]
    image: PathBuf,
    /// A text
    #[arg(long)]
    text: String,
    /// Why the text and not this one: what is shown is the difference of both
    #[arg(long)]
    against: Option<String>,
    /// How; one pass through the towers and back, but for those that hide parts: occlusion, lime, shap, owen, fixlip
    #[arg(long, value_parser = by_name(&Method::NAMES))]
    method: Option<Method>,
    /// A file for the picture with its map, the words and a legend: .png, .svg, .html or .json
    #[arg(long)]
    out: Option<PathBuf>,
    /// A font for a PNG's words, when the machine has none for their characters
    #[arg(long, requires = "out")]
    font: Option<PathBuf>,
    #[command(flatten)]
    how: How,
    /// A name of `tuwen model list`, a folder with weights, or a .pt file
    #[arg(long, default_value = builtin::BUILT_IN)]
    model: String,
    /// Print as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    force: Force,
    #[command(flatten)]
    text_args: TextArgs,
}

/// What methods leave open.
#[derive(Clone, clap::Args)]
pub struct How {
    /// Pictures with hidden parts that lime, shap, owen and fixlip look at
    #[arg(long, default_value_t = 512, value_parser = number::whole(2..=MOST_SAMPLES as u64))]
    pub samples: usize,
    /// Parts along a side that are hidden; superpixels of lime are about as many
    #[arg(long, default_value_t = 7, value_parser = number::whole(1..=64))]
    pub cells: usize,
    /// What stands where a part is hidden: grey, the blurred picture, its mean colour, or that of each part (own)
    #[arg(long, value_parser = by_name(&Fill::NAMES))]
    pub fill: Option<Fill>,
    /// Which masks are drawn
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
}

impl How {
    /// The settings of a method.
    pub fn settings(&self, method: Method) -> Settings {
        let usual = Settings::new(method);
        Settings {
            samples: self.samples,
            cells: self.cells,
            fill: self.fill.unwrap_or(usual.fill),
            seed: self.seed,
            ..usual
        }
    }
}

/// An explanation and what it is of.
pub struct Shown<'s> {
    pub explanation: &'s Explanation,
    pub picture: &'s RgbImage,
    pub window: Window,
    pub text: &'s str,
    pub against: Option<&'s str>,
    pub model: &'s str,
}

/// Explains, writes and prints.
pub fn run(args: &Args) -> Result<ExitCode> {
    for text in std::iter::once(&args.text).chain(&args.against) {
        if tuwen_text::visible(text).trim().is_empty() {
            bail!(Usage(format!("{text:?}: there is no word in it to explain")));
        }
    }
    if args.against.as_ref().is_some_and(|other| other.trim() == args.text.trim()) {
        bail!(Usage(
            "--against is the same text, and there is no difference to show: give another one"
                .into()
        ));
    }
    let out = args.out.as_ref().map(|path| output(path, args)).transpose()?;
    let encoder = open_model(&args.model, &args.text_args)?;
    let method = args.method.unwrap_or_else(|| Method::usual(encoder.config()));
    let settings = args.how.settings(method);
    let picture = decode_file(&args.image, Limits::default());
    let picture = picture.with_context(|| args.image.display().to_string())?;
    let square = encoder.preprocess().fit(&picture);
    let (width, height) = picture.dimensions();
    let window = encoder.preprocess().window(width, height);
    let explanation = explained(&encoder, &square, &args.text, args.against.as_deref(), &settings)?;
    let picture = picture.into_rgb();
    let shown = Shown {
        explanation: &explanation,
        picture: &picture,
        window,
        text: &args.text,
        against: args.against.as_deref(),
        model: encoder.name(),
    };
    if let Some((file, kind)) = &out {
        file.write(&kind.bytes(&shown, &args.image, args.font.as_deref())?)?;
    }
    explanation.notes.iter().for_each(|remark| note!("note: {remark}"));
    if args.json {
        say!("{}", in_json(&shown, &args.image)?);
    } else {
        print(&shown);
        if let Some((file, _)) = &out {
            say!("written: {}", file.path().display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// One text explained, or the difference of two: what a map says of a difference is the difference of the maps where
/// the method is linear in the score, as all that hide parts and gradient are.
pub fn explained(
    encoder: &CpuEncoder,
    square: &RgbImage,
    text: &str,
    against: Option<&str>,
    settings: &Settings,
) -> Result<Explanation> {
    let one = |text: &str| explain(encoder, square, text, settings).map_err(usage);
    let mut found = one(text)?;
    if let Some(other) = against {
        let other = one(other)?;
        found.score -= other.score;
        found.map.iter_mut().zip(&other.map).for_each(|(own, other)| *own -= other);
        // The other text has words of its own: what is left is which of this one's parts and words.
        found.pairs = None;
        found.r2 = None;
        found.calls = [0, 1].map(|at| found.calls[at] + other.calls[at]);
    }
    Ok(found)
}

/// What the user asked for and cannot have is wrong usage.
pub fn usage(error: Error) -> anyhow::Error {
    match error {
        Error::Refused(what) => Usage(what).into(),
        other => other.into(),
    }
}

/// What a file is.
enum Output {
    Png,
    Svg,
    Page,
    Json,
}

impl Output {
    fn of(path: &Path) -> Result<Self> {
        let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        Ok(match extension.as_deref() {
            Some("png") => Self::Png,
            Some("svg") => Self::Svg,
            Some("html" | "htm") => Self::Page,
            Some("json") => Self::Json,
            _ => bail!(Usage(format!(
                "{}: its name says not what to write: .png, .svg, .html or .json is needed",
                path.display()
            ))),
        })
    }

    fn bytes(&self, shown: &Shown<'_>, image: &Path, font: Option<&Path>) -> Result<Vec<u8>> {
        Ok(match self {
            Self::Png => figure::png(shown, font)?,
            Self::Svg => svg::whole(shown).into_bytes(),
            Self::Page => page::whole(shown).into_bytes(),
            Self::Json => (in_json(shown, image)? + "\n").into_bytes(),
        })
    }
}

fn output(path: &Path, args: &Args) -> Result<(OutputFile, Output)> {
    let kind = Output::of(path)?;
    let mut inputs = vec![args.image.as_path()];
    inputs.extend(args.font.as_deref());
    Ok((OutputFile::plan(path, &inputs, args.force)?, kind))
}

fn in_json(shown: &Shown<'_>, image: &Path) -> Result<String> {
    let mut whole = json!({
        "model": shown.model,
        "image": image.to_string_lossy(),
        "text": shown.text,
        "width": shown.picture.width(),
        "height": shown.picture.height(),
        // Where the map lies in the picture, in its pixels.
        "window": [shown.window.left, shown.window.top, shown.window.width, shown.window.height],
    });
    if let Some(against) = shown.against {
        whole["against"] = json!(against);
    }
    let found = serde_json::to_value(shown.explanation)?;
    if let (Some(whole), serde_json::Value::Object(found)) = (whole.as_object_mut(), found) {
        whole.extend(found);
    }
    Ok(whole.to_string())
}

/// From light to dark on paper, and so from little to much on a dark terminal.
const SHADES: [char; 10] = [' ', '.', ':', '-', '=', '+', '*', '#', '%', '@'];

/// For people: the score, the words, and the map in signs.
fn print(shown: &Shown<'_>) {
    let found = shown.explanation;
    let [pictures, texts] = found.calls;
    let of = match shown.against {
        Some(against) => format!("{:?} rather than {against:?}: {:+.4}", shown.text, found.score),
        None => format!("{:?}: {:.4}", shown.text, found.score),
    };
    say!(
        "{of} ({}, {}; {} and {} through the model)",
        shown.model,
        found.method.name(),
        counted(pictures, "picture"),
        counted(texts, "text")
    );
    if let Some(r2) = found.r2 {
        say!("the explanation predicts the scores of pictures with hidden parts with R2 {r2:.2}");
    }
    let by = if found.words_by == found.method { "" } else { ", each left out" };
    say!("words{by}:");
    for word in &found.words {
        say!("  {:+.4}  {}", word.weight, word.text);
    }
    let ends = range(&found.map);
    say!("parts, from {:.4} (blank) to {:.4} (@):", ends[0], ends[1]);
    // A map of superpixels is finer than a terminal.
    let step = found.across.div_ceil(28);
    for y in (0..found.across).step_by(step) {
        let line: String = (0..found.across)
            .step_by(step)
            .flat_map(|x| {
                let shade = share(found.map[y * found.across + x], ends) * 9.0;
                [SHADES[shade.round() as usize]; 2]
            })
            .collect();
        say!("  {line}");
    }
}
