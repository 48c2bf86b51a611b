//! `tuwen features image --kind KIND PATHS --output FILE.npy`

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use anyhow::{Result, bail};
use serde_json::json;
use tuwen_encode::builtin;
use tuwen_features::image::{ImageModel, Keypoint, Plane, orb, sift};
use tuwen_space::table::npy_bytes;

use super::images::{Fitted, ImageLayer, Images, KINDS, Name, Rows, surf};
use super::pictures::{Named, Unread, Watch, below, each, listed};
use crate::cmd::{by_name, stop_flag};
use crate::output::{Force, OutputFile};
use crate::query::{TextArgs, Usage};
use crate::terminal::{safe, say};
use crate::walk::WalkArgs;
use crate::{progress, stop};

/// Features of pictures, a row each: colours, textures, gradients, words of SIFT, a tower's vectors
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  tuwen features image --kind hog photos --output hog.npy --names hog.txt\n  \
    tuwen features image --kind sift-words photos --output train-images.npy --save words.model\n  \
    tuwen features image --model words.model images --output test-images.npy  with the same words\n  \
    tuwen features image --kind sift dog.jpg --output dog.npy --keypoints dog.tsv\n  \
    tuwen features image --kind tower --tower resnet50-0676ba61.pth --layer layer3 photos --output r.npy\n\n\
    A blank picture is its one colour, zeros of gradients, and has no keypoint."
)]
pub struct Args {
    /// Pictures and folders; with --list one folder or tar archive
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// `colour-hsv`, `colour-lab`: histograms; `lbp`: local binary patterns; `hog`: gradients; `gist`: energies of Gabor
    /// filters; `sift-words`, `vlad`, `fisher`: dense SIFT by a codebook that is learned from these pictures; `sift`,
    /// `orb`: descriptors of keypoints, a row each; `tower`: a model's vectors
    #[arg(long, value_parser = by_name(&KINDS), required_unless_present = "model")]
    kind: Option<Name>,
    /// Apply what --save wrote
    #[arg(long, conflicts_with = "kind")]
    model: Option<PathBuf>,
    /// The .npy file for the rows
    #[arg(long)]
    output: PathBuf,
    /// Take the pictures of this list, one name a line, in its order, such as `features text --names` writes it
    #[arg(long)]
    list: Option<PathBuf>,
    /// Keep what was learned, for other parts of the set
    #[arg(long)]
    save: Option<PathBuf>,
    /// Write the picture of each row, one a line
    #[arg(long)]
    names: Option<PathBuf>,
    /// `sift`, `orb`: write picture, x, y, size, angle, response and octave of each row
    #[arg(long)]
    keypoints: Option<PathBuf>,
    /// `sift-words`, `vlad`, `fisher`: words, or Gaussians; 500, 16 and 16 where nothing is said
    #[arg(long)]
    words: Option<usize>,
    /// `sift-words`, `vlad`, `fisher`: descriptors that the codebook is learned from
    #[arg(long, default_value_t = Images::sample())]
    sample: usize,
    /// `sift-words`, `vlad`, `fisher`: pixels between two descriptors
    #[arg(long, default_value_t = Images::step())]
    step: usize,
    /// `sift`, `orb`: keypoints of a picture; all of SIFT and 500 of ORB where nothing is said
    #[arg(long)]
    most: Option<usize>,
    /// Of everything random
    #[arg(long, default_value_t = Images::seed())]
    seed: u64,
    /// `tower`: a name of `tuwen model list`, a folder with weights, or a file of torchvision's or timm's networks of
    /// ImageNet (ResNet, VGG, Inception v3, EfficientNet, ViT)
    #[arg(long, default_value = builtin::BUILT_IN)]
    tower: String,
    /// `tower`: its vector in the common space (`embedding`), its own feature before (`feature`), or what lies inside: a
    /// transformer's block by its number, a network's stage such as `layer3`, by name or number
    #[arg(long, default_value = "embedding")]
    layer: ImageLayer,
    #[command(flatten)]
    walk: WalkArgs,
    #[command(flatten)]
    text_args: TextArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    force: Force,
}

/// Computes and writes. A picture that cannot be read is noted and has no row, and the exit code is 1; with a list,
/// whose rows belong to others, it is an error.
pub fn run(args: &Args) -> Result<ExitCode> {
    if args.kind == Some(Name::Surf) {
        bail!(surf());
    }
    let is_sparse = matches!(args.kind, Some(Name::Sift | Name::Orb));
    if args.keypoints.is_some() && !is_sparse {
        bail!(Usage("--keypoints: sift and orb alone have keypoints".into()));
    }
    if args.save.is_some() && (is_sparse || args.kind == Some(Name::Tower)) {
        bail!(Usage("--save: nothing is learned from these pictures by this kind".into()));
    }
    let mut inputs: Vec<&Path> = args.paths.iter().map(PathBuf::as_path).collect();
    inputs.extend([&args.model, &args.list].into_iter().flatten().map(PathBuf::as_path));
    let plan = |path: &PathBuf| OutputFile::plan(path, &inputs, args.force);
    let output = plan(&args.output)?;
    let [save, names, keypoints] =
        [&args.save, &args.names, &args.keypoints].map(|path| path.as_ref().map(plan).transpose());
    let (save, names, keypoints) = (save?, names?, keypoints?);
    let (pictures, unread) = pictures(args)?;
    let flag = stop_flag("stopping; nothing is written")?;
    let stop = move || flag.load(Relaxed);
    let bar = progress::bar(Some(pictures.len()), "pictures");
    let watch = Watch { stop: &stop, done: &|count| bar.set_position(count as u64), unread };
    let made = match is_sparse {
        true => sparse(args, &pictures, &watch)?,
        false => dense(args, &pictures, &watch)?,
    };
    let Some(made) = made else { return Ok(ExitCode::from(stop::CODE)) };
    bar.finish_and_clear();
    output.write(&npy_bytes(&made.values, made.width))?;
    if let (Some(file), Some(model)) = (save, &made.model) {
        file.write(&model.to_bytes()?)?;
    }
    if let Some(file) = keypoints {
        file.write(made.keypoints.as_bytes())?;
    }
    if let Some(file) = names {
        let read = pictures.iter().zip(&made.read).filter(|(_, read)| **read);
        let lines: String = read.map(|(one, _)| format!("{}\n", one.name)).collect();
        file.write(lines.as_bytes())?;
    }
    let (count, read) = (made.values.len() / made.width, made.read.iter().filter(|r| **r).count());
    let skipped = pictures.len() - read;
    match args.json {
        true => say!(
            "{}",
            json!({ "pictures": read, "skipped": skipped, "rows": count, "width": made.width,
                "seconds": made.seconds })
        ),
        false => say!(
            "done: {count} rows of {} values from {read} pictures in {}",
            made.width,
            args.output.display()
        ),
    }
    Ok(if skipped > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What was computed.
struct Made {
    values: Vec<f32>,
    width: usize,
    /// Which pictures could be read.
    read: Vec<bool>,
    model: Option<Box<ImageModel>>,
    keypoints: String,
    /// To read the pictures and to compute, without learning.
    seconds: f64,
}

/// The pictures, and what of those that cannot be read.
fn pictures(args: &Args) -> Result<(Vec<Named>, Unread)> {
    match (&args.list, args.paths.as_slice()) {
        (None, paths) => Ok((below(paths, &args.walk)?, Unread::Note)),
        (Some(list), [root]) => Ok((listed(root, list)?, Unread::Error)),
        _ => bail!(Usage("--list: give the one folder or archive that it speaks of".into())),
    }
}

/// One row for each picture.
fn dense(args: &Args, pictures: &[Named], watch: &Watch<'_>) -> Result<Option<Made>> {
    let Some(fitted) = fitted(args, pictures, watch)? else { return Ok(None) };
    let begin = Instant::now();
    let Some(Rows { features, read }) = fitted.rows(pictures, watch)? else { return Ok(None) };
    let seconds = begin.elapsed().as_secs_f64();
    let model = match fitted {
        Fitted::Model(model) => Some(model),
        Fitted::Tower(..) => None,
    };
    let (values, width) = (features.values, features.width);
    Ok(Some(Made { values, width, read, model, keypoints: String::new(), seconds }))
}

fn fitted(args: &Args, pictures: &[Named], watch: &Watch<'_>) -> Result<Option<Fitted>> {
    if let Some(path) = &args.model {
        return Ok(Some(Fitted::Model(Box::new(ImageModel::load(path)?))));
    }
    let Some(kind) = args.kind else { unreachable!("one of the two is required") };
    let settings = Images {
        kind,
        words: args.words,
        sample: args.sample,
        step: args.step,
        seed: args.seed,
        tower: args.tower.clone(),
        layer: args.layer.clone(),
    };
    settings.fit(pictures, &args.text_args, watch)
}

/// A row for each keypoint.
fn sparse(args: &Args, pictures: &[Named], watch: &Watch<'_>) -> Result<Option<Made>> {
    let begin = Instant::now();
    let settings = sift::Settings { most: args.most.unwrap_or(0), ..sift::Settings::default() };
    let is_orb = args.kind == Some(Name::Orb);
    let found = each(pictures, watch, |picture| {
        let grey = Plane::grey(&picture);
        if is_orb {
            let (keypoints, bytes) = orb::orb(&grey, args.most.unwrap_or(500));
            return (keypoints, bytes.into_iter().map(f32::from).collect::<Vec<f32>>());
        }
        sift::sift(&grey, settings)
    })?;
    let Some(found) = found else { return Ok(None) };
    let seconds = begin.elapsed().as_secs_f64();
    let read: Vec<bool> = found.iter().map(Option::is_some).collect();
    if !read.contains(&true) {
        bail!("none of the pictures can be read");
    }
    let mut keypoints = String::from("image\tx\ty\tsize\tangle\tresponse\toctave\n");
    let mut values = Vec::new();
    for (picture, (points, rows)) in
        pictures.iter().zip(found).filter_map(|(one, found)| Some((one, found?)))
    {
        values.extend(rows);
        let name = safe(&picture.name).replace('\t', " ");
        for Keypoint { x, y, size, angle, response, octave } in points {
            let _ = writeln!(keypoints, "{name}\t{x}\t{y}\t{size}\t{angle}\t{response}\t{octave}");
        }
    }
    let width = if is_orb { orb::WIDTH } else { sift::WIDTH };
    Ok(Some(Made { values, width, read, model: None, keypoints, seconds }))
}
