//! `tuwen features`: features that no network is trained for, of pictures and of texts, as files for `tuwen space`.

mod image;
mod images;
mod ladder;
mod pictures;
mod text;
mod texts;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use serde::{Deserialize, Serialize};
use tuwen_encode::Output;
use tuwen_features::Error;

/// Compute classical features of pictures (colours, HOG, SIFT, …) and texts (TF-IDF, LDA, Word2Vec, …) as .npy files
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  tuwen features text --kind tfidf captions.csv --output texts.npy\n  \
    tuwen features image --kind hog photos --output images.npy\n  \
    tuwen features ladder configs/features/flickr8k-cn.toml\n\n\
    `tuwen space` learns a common space of any two such files. docs/common-space.md has what each kind is."
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Text(Box<text::Args>),
    Image(Box<image::Args>),
    Ladder(ladder::Args),
}

/// Does what is asked for.
pub fn run(args: &Args) -> Result<ExitCode> {
    match &args.command {
        Command::Text(args) => text::run(args),
        Command::Image(args) => image::run(args),
        Command::Ladder(args) => ladder::run(args),
    }
}

/// What of a tower is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Layer {
    /// The vector in the common space.
    #[default]
    Embedding,
    /// The tower's own, before it is brought there.
    Feature,
}

impl Layer {
    const NAMES: [(&'static str, Self); 2] =
        [("embedding", Self::Embedding), ("feature", Self::Feature)];

    fn output(self) -> Output {
        match self {
            Self::Embedding => Output::Embedding,
            Self::Feature => Output::Feature,
        }
    }
}

/// None where somebody asked for the end; any other failure stays one.
fn unless_stopped<T>(done: tuwen_features::Result<T>) -> Result<Option<T>> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(Error::Stopped) => Ok(None),
        Err(other) => Err(other.into()),
    }
}
