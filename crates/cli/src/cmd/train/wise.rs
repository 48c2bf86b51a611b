//! `tuwen train wise`

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering::Relaxed;

use anyhow::Result;
use tuwen_markup::{ChartType, Series};
use tuwen_train::{Point, TrainConfig};

use crate::chart::svg;
use crate::output::{Force, OutputFile};
use crate::terminal::say;

/// Which run.
#[derive(clap::Args)]
pub struct Args {
    /// The configuration of a run that is done
    config: PathBuf,
    /// Places to measure, start and end among them
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u8).range(2..=101))]
    points: u8,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// Measures, prints, draws the curve and keeps the best.
pub fn run(args: &Args) -> Result<ExitCode> {
    let config = TrainConfig::load(&args.config)?;
    let tell = |point: &Point| {
        let other = point.other.map_or(String::new(), |other| format!(", other set {other:.2}"));
        if !args.json {
            say!("share {:.2}: validation {:.2}{other}", point.alpha, point.valid);
        }
    };
    let stop = super::super::stop_flag("stopping; the same command begins anew")?;
    let points = usize::from(args.points);
    let points = match tuwen_train::wise(&config, points, &|| stop.load(Relaxed), &tell) {
        Err(tuwen_train::Error::Stopped) => return Ok(ExitCode::from(crate::stop::CODE)),
        done => done?,
    };
    if args.json {
        say!("{}", serde_json::to_string(&points)?);
    }
    let line = |name: &str, value: fn(&Point) -> Option<f64>| Series {
        name: name.to_owned(),
        points: points
            .iter()
            .filter_map(|point| Some((f64::from(point.alpha), value(point)?)))
            .collect(),
    };
    let both = [line("validation", |p| Some(p.valid)), line("other set", |p| p.other)];
    let ends = [(0.0, "start".to_owned()), (1.0, "fine-tuned".to_owned())];
    let path = config.out.join("wise.svg");
    let title = "mean recall between the start and the fine-tuned model, %";
    let output = OutputFile::plan(&path, &[], Force::OWN_FOLDER)?;
    output.write(svg(title, ChartType::Line, &both, &ends).as_bytes())?;
    if !args.json {
        say!(
            "the best lies in {}, the curve in {}",
            config.out.join("wise").display(),
            path.display()
        );
    }
    Ok(ExitCode::SUCCESS)
}
