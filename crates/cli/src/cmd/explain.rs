//! `tuwen explain`

mod figure;
pub mod file;
mod lines;
mod made;
mod matrix;
mod page;
mod print;
mod svg;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use tuwen_encode::builtin;
use tuwen_explain::{Error, Explanation, Fill, MOST_SAMPLES, Method, Settings};
use tuwen_image::{RgbImage, Window};

use super::by_name;
use crate::number;
use crate::output::{Force, OutputFile};
use crate::query::{TextArgs, Usage};
use crate::terminal::{note, say};
use file::{Kind, in_json};

/// Show which parts of a picture and which words of a text make their score
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    tuwen explain --image dog.jpg --text \"a dog on the beach\" --out why.png\n  \
    tuwen explain --image dog.jpg --text 沙滩上的狗 --method fixlip --out why.html\n  \
    tuwen explain --image cat.jpg --text \"a dog\" --against \"a cat\" --json\n  \
    tuwen explain --image dog.jpg --text \"a dog on the beach\" --rival cat.jpg\n  \
    tuwen explain --image dog.jpg --text \"a dog on the beach\" --score late --method occlusion --cells 4\n  \
    tuwen explain --image dog.jpg --caption en --cells 4 --out said.html\n\n\
    Without --method chefer is taken, which was most faithful for its time among those of one pass (docs/explanations.md). occlusion is the \
    plain one that hides parts one by one; fixlip is the careful one, with what each word has to do with each part. Scores of \
    --score late and itm, and the words of a caption, are explained by hiding: occlusion, lime, shap or owen.")]
pub struct Args {
    /// A picture
    #[arg(long)]
    image: PathBuf,
    /// A text
    #[arg(long, required_unless_present = "caption")]
    text: Option<String>,
    /// Why the text and not this one: what is shown is how much higher the first one's score is
    #[arg(long)]
    against: Option<String>,
    /// Why the picture and not this one: words weigh what they add to the first beyond what they add to these; give
    /// several
    #[arg(long, value_name = "FILE")]
    rival: Vec<PathBuf>,
    /// Which score: the cosine, that of late interaction (words look at patches), or of the matching head, as
    /// --rerank of `tuwen search` has them
    #[arg(long, default_value = "cosine", value_parser = by_name(&Score::NAMES))]
    score: Score,
    /// The folder of the heads, from `tuwen heads train`; without it those that belong to the model
    #[arg(long, value_name = "DIR")]
    heads: Option<PathBuf>,
    /// Instead of a text's score: which parts of the picture made each word of the caption that the decoder says of it,
    /// in this language, en or zh
    #[arg(long, value_name = "LANGUAGE", conflicts_with_all = ["text", "against", "rival", "score"])]
    caption: Option<String>,
    /// With --caption: the decoder's folder; without it the one that belongs to the model
    #[arg(long, value_name = "DIR", requires = "caption")]
    decoder: Option<PathBuf>,
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

/// Which score is explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Score {
    /// Of the two towers' vectors.
    Cosine,
    /// Late interaction.
    Late,
    /// The matching head.
    Itm,
}

impl Score {
    const NAMES: [(&'static str, Self); 3] =
        [("cosine", Self::Cosine), ("late", Self::Late), ("itm", Self::Itm)];
}

/// What methods leave open.
#[derive(Clone, clap::Args)]
pub struct How {
    /// Pictures with hidden parts that lime, shap, owen and fixlip look at, 512 without it
    #[arg(long, value_name = "SAMPLES", value_parser = number::whole(2..=MOST_SAMPLES as u64))]
    samples: Option<usize>,
    /// Parts along a side that are hidden; 7 without it; superpixels of lime are about as many
    #[arg(long, value_parser = number::whole(1..=64))]
    cells: Option<usize>,
    /// What stands where a part is hidden: grey, the blurred picture, its mean colour, or that of each part (own)
    #[arg(long, value_parser = by_name(&Fill::NAMES))]
    fill: Option<Fill>,
    /// Which masks are drawn
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
}

impl How {
    /// The settings of a method.
    pub fn settings(&self, method: Method) -> Settings {
        let usual = Settings::new(method);
        Settings {
            samples: self.samples.unwrap_or(usual.samples),
            cells: self.cells.unwrap_or(usual.cells),
            fill: self.fill.unwrap_or(usual.fill),
            seed: self.seed,
            ..usual
        }
    }

    /// The settings of the one method that is asked for; what it does not take is said.
    fn noted(&self, method: Method, square: &RgbImage) -> Settings {
        let given = [
            (
                "--samples",
                self.samples.is_some() && (!method.hides() || method == Method::Occlusion),
            ),
            ("--cells", self.cells.is_some() && !method.hides()),
            ("--fill", self.fill.is_some() && !method.hides()),
        ];
        let name = method.name();
        for (option, _) in given.iter().filter(|(_, given)| *given) {
            note!("note: {option}: {name} takes none, and it changes nothing");
        }
        let settings = self.settings(method);
        if self.cells.is_none() { settings.within(square) } else { settings }
    }
}

/// An explanation and what it is of.
pub struct Shown<'s> {
    pub explanation: &'s Explanation,
    pub picture: &'s RgbImage,
    pub window: Window,
    pub text: &'s str,
    /// What it is held against.
    pub against: Option<&'s str>,
    pub model: &'s str,
    /// What kind of score it is, such as `cosine`.
    pub score: &'s str,
}

impl Shown<'_> {
    /// What is explained and its score, in one line.
    pub fn title(&self) -> String {
        match self.against {
            Some(other) => {
                format!("{} – {other}: {:+.3}", self.text, self.explanation.score)
            }
            None => format!("{}: {:.3}", self.text, self.explanation.score),
        }
    }
}

/// How far an explanation that was fitted predicts scores, in a sentence without its end.
fn quality(found: &Explanation) -> Option<String> {
    let r2 = found.r2?;
    let unseen = match found.r2_left_out {
        Some(unseen) => format!(", and those that were left out of a fit with R2 {unseen:.2}"),
        None => String::new(),
    };
    Some(format!(
        "The explanation predicts the scores of the pictures with hidden parts that it was made of with R2 {r2:.2}{unseen}"
    ))
}

/// Explains, writes and prints.
pub fn run(args: &Args) -> Result<ExitCode> {
    check(args)?;
    let out = args.out.as_ref().map(|path| output(path, args)).transpose()?;
    let made = made::made(args)?;
    let shown = made.shown();
    if let Some((file, kind)) = &out {
        file.write(&kind.bytes(&shown, &args.image, args.font.as_deref())?)?;
    }
    shown.explanation.notes.iter().for_each(|remark| note!("note: {remark}"));
    if args.json {
        say!("{}", in_json(&shown, &args.image)?);
    } else {
        print::print(&shown);
        if let Some((file, _)) = &out {
            say!("written: {}", file.path().display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Refuses what cannot be before a model is read.
fn check(args: &Args) -> Result<()> {
    for text in args.text.iter().chain(&args.against) {
        if tuwen_text::visible(text).trim().is_empty() {
            bail!(Usage(format!("{text:?}: there is no word in it to explain")));
        }
    }
    let same = |other: &String| args.text.as_ref().is_some_and(|own| own.trim() == other.trim());
    if args.against.as_ref().is_some_and(same) {
        bail!(Usage(
            "--against is the same text, and there is no difference to show: give another one"
                .into()
        ));
    }
    if args.score != Score::Cosine && !args.rival.is_empty() {
        bail!(Usage(
            "--rival holds vectors against each other, and --score late and itm have none: leave one of both away"
                .into()
        ));
    }
    if args.decoder.is_some() && args.caption.is_none() {
        bail!(Usage(
            "--decoder: the score of a text needs none; give --caption instead of --text".into()
        ));
    }
    if args.heads.is_some() && args.score == Score::Cosine {
        bail!(Usage("--heads: the cosine needs none; give --score late or --score itm".into()));
    }
    Ok(())
}

/// What the user asked for and cannot have is wrong usage.
pub fn usage(error: Error) -> anyhow::Error {
    match error {
        Error::Refused(what) => Usage(what).into(),
        other => other.into(),
    }
}

fn output(path: &std::path::Path, args: &Args) -> Result<(OutputFile, Kind)> {
    let kind = Kind::of(path)?;
    let mut inputs = vec![args.image.as_path()];
    inputs.extend(args.rival.iter().map(PathBuf::as_path));
    inputs.extend(args.font.as_deref());
    Ok((OutputFile::plan(path, &inputs, args.force)?, kind))
}
