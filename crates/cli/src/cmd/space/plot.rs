//! `tuwen space plot CONFIG --method NAME --out FOLDER`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use tuwen_markup::{Chart, ChartType, Dot, Layout, Scatter, Series, scatters};
use tuwen_space::deep::Epoch;
use tuwen_space::look::main_plane;
use tuwen_space::{Chain, Features, Pairs, Space, Step};

use super::train::learned;
use super::{Opened, stopped, stopper};
use crate::output::{Force, OutputFolder};
use crate::terminal::say;

/// Draw the test part before and after a method, coloured by class, and how the method learned
#[derive(clap::Args)]
pub struct Args {
    /// The configuration: set, protocol, methods
    config: PathBuf,
    /// The method, by its name in the configuration; may be given several times
    #[arg(long, required = true)]
    method: Vec<String>,
    /// The folder for the SVG files
    #[arg(long)]
    out: PathBuf,
    /// Of first values, order and the validation part
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    force: Force,
}

/// Learns and draws.
pub fn run(args: &Args) -> Result<ExitCode> {
    let mut out = OutputFolder::plan(&args.out, &[&args.config], args.force)?;
    let opened = Opened::load(&args.config)?;
    let stop = stopper("stopping; what is drawn stays")?;
    let (mut losses, mut scores) = (Vec::new(), Vec::new());
    for name in &args.method {
        let Some((space, curve)) = learned(&opened, name, args.seed, &stop)? else {
            return Ok(stopped());
        };
        let file = format!("{}.svg", plain(name));
        out.write(&file, planes(&opened.set.test, &space, name, &opened.set.classes).as_bytes())?;
        say!("{}", out.join(&file).display());
        if !curve.is_empty() {
            losses.push(series(name, &curve, |epoch| epoch.loss));
            scores.push(series(name, &curve, |epoch| epoch.valid));
        }
    }
    if !scores.is_empty() {
        for (file, title, series) in [
            ("loss.svg", "mean loss, as a share of the first epoch's, by epoch", shares(losses)),
            ("valid.svg", "mAP of the validation part by epoch", scores),
        ] {
            out.write(file, chart(title, &series).as_bytes())?;
            say!("{}", out.join(file).display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A name as a file's.
fn plain(name: &str) -> String {
    let sign = |c: char| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    name.chars().map(sign).collect()
}

/// Images alone, texts alone, and both in the space.
fn planes(pairs: &Pairs, space: &Space, method: &str, classes: &[String]) -> String {
    let dots = |features: &Features, ring: &dyn Fn(usize) -> bool| -> Vec<Dot> {
        let dot =
            |(at, place)| Dot { at: place, group: pairs.labels[at % pairs.len()], ring: ring(at) };
        main_plane(features).into_iter().enumerate().map(dot).collect()
    };
    let unit = |features: Features| Chain(vec![Step::Unit]).apply(&features);
    let images = unit(space.image.apply(&pairs.images));
    let texts = unit(space.text.apply(&pairs.texts));
    let both = Features { values: [images.values, texts.values].concat(), width: images.width };
    let panels = [
        Scatter { title: "images as given".into(), dots: dots(&pairs.images, &|_| false) },
        Scatter { title: "texts as given".into(), dots: dots(&pairs.texts, &|_| true) },
        Scatter { title: format!("both, {method}"), dots: dots(&both, &|at| at >= pairs.len()) },
    ];
    scatters(&panels, classes, &["disc: image", "ring: text"])
}

fn series(name: &str, curve: &[Epoch], of: impl Fn(&Epoch) -> f64) -> Series {
    let points = curve.iter().enumerate().map(|(at, epoch)| ((at + 1) as f64, of(epoch))).collect();
    Series { name: name.to_owned(), points }
}

/// Losses of several methods have nothing in common but how they fall.
fn shares(mut series: Vec<Series>) -> Vec<Series> {
    for one in &mut series {
        let first = one.points.first().map_or(1.0, |point| point.1.abs()).max(1e-12);
        one.points.iter_mut().for_each(|point| point.1 /= first);
    }
    series
}

fn chart(title: &str, series: &[Series]) -> String {
    let points = || series.iter().flat_map(|one| &one.points);
    let last = points().map(|point| point.0).fold(1.0, f64::max);
    let high = points().map(|point| point.1).fold(f64::MIN, f64::max);
    let low = points().map(|point| point.1).fold(0.0, f64::min);
    let label = |value: f64| (value, format!("{value:.2}"));
    Chart {
        title,
        chart_type: ChartType::Line,
        layout: Layout::Wide,
        series,
        x: 1.0..last.max(2.0),
        y: low..high.max(low + 1e-9),
        x_labels: vec![(1.0, "1".into()), (last, format!("{last:.0}"))],
        y_labels: vec![label(low), label((low + high) / 2.0), label(high)],
    }
    .to_svg()
}
