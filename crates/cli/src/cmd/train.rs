//! `tuwen train CONFIG.toml`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use tuwen_train::{Engine, Event, TrainConfig, train};

/// Train a dual encoder; the same command resumes an interrupted run
#[derive(clap::Args)]
#[command(after_help = "Example:\n  tuwen train configs/train/tuwen-tiny.toml\n\n\
    The run folder (`out`) receives config.toml, log.jsonl, curves.svg, a checkpoint and the best \
    model, which `--model FOLDER` opens.")]
pub struct Args {
    /// The run's configuration
    pub config: PathBuf,
    /// Where to compute: the CPU, or a GPU in a program built with `--features gpu`
    #[arg(long, default_value = "cpu", value_parser = ["cpu", "gpu"])]
    pub device: String,
}

/// Trains.
pub fn run(args: &Args) -> Result<ExitCode> {
    let config = TrainConfig::load(&args.config)?;
    let engine = match args.device.as_str() {
        "gpu" => Engine::Burn(tuwen_model::gpu::device()?),
        _ => Engine::Cpu,
    };
    let stop = super::stop_flag("stopping after this step; the same command goes on from there")?;
    let bar = ProgressBar::new(0);
    bar.set_style(ProgressStyle::with_template(
        "{bar:30} {pos}/{len} steps, {elapsed_precise} gone, {eta_precise} left, {msg}",
    )?);
    let complete = train(&config, &engine, &stop, &|event| show(&bar, event))?;
    bar.finish_and_clear();
    if complete {
        println!("done: the best model lies in {}", config.out.display());
    } else {
        println!("stopped; run the same command to go on");
    }
    Ok(ExitCode::SUCCESS)
}

fn show(bar: &ProgressBar, event: Event<'_>) {
    match event {
        Event::Data { train, valid } => {
            println!("{train} pictures to learn from, {valid} to measure on");
        }
        Event::Caching(share) => {
            bar.set_length(100);
            bar.set_position((100.0 * share) as u64);
            bar.set_message("features of the frozen image tower");
        }
        Event::Start { step, steps } => {
            bar.set_length(steps as u64);
            bar.set_position(step as u64);
            bar.reset_eta();
        }
        Event::Step { step, loss } => {
            bar.set_position(step as u64);
            bar.set_message(format!("loss {loss:.3}"));
        }
        Event::Valid { step, reports, best } => bar.suspend(|| {
            for (source, report) in reports {
                let [r1, r5, r10] = report.text_to_image.recall;
                let star = if best { " *" } else { "" };
                println!(
                    "step {step}: {source}: text-to-image R@1/5/10 {r1:.1}/{r5:.1}/{r10:.1}{star}"
                );
            }
        }),
    }
}
