//! What a person sees while a run goes on: a panel that is drawn again in its place, and lines that stay.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use tuwen_train::{Event, Reports};

use crate::terminal::{note, say};

/// Characters of a curve.
const WIDTH: usize = 48;
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Between two lines about how far it is, where there is no terminal.
const EVERY: Duration = Duration::from_secs(10);

/// The panel. Without a terminal lines are written: what stays, and now and then how far it is.
pub struct Dashboard {
    bar: ProgressBar,
    history: Mutex<History>,
}

#[derive(Default)]
struct History {
    losses: Vec<f64>,
    speed: f64,
    /// For each source of captions its text-to-image R@5, and the step of the best.
    recalls: Vec<(String, Vec<f64>)>,
    best: Option<usize>,
    pace: Option<Pace>,
}

/// How far a part of the run is.
struct Pace {
    begun: Instant,
    /// Where it began, and where it ends.
    first: u64,
    last: u64,
    /// When it was last told.
    told: Option<Instant>,
}

impl Pace {
    fn new(first: u64, last: u64) -> Self {
        Self { begun: Instant::now(), first, last, told: None }
    }

    /// How far it is at `at`, with the time that is left, when it is time to tell.
    fn line(&mut self, at: u64) -> Option<String> {
        if self.told.is_some_and(|told| told.elapsed() < EVERY) {
            return None;
        }
        self.told = Some(Instant::now());
        let done = at.saturating_sub(self.first).max(1) as f64;
        let left = self.last.saturating_sub(at) as f64;
        let left = self.begun.elapsed().mul_f64(left / done);
        Some(format!("{at}/{}, {} left", self.last, HumanDuration(left)))
    }
}

impl Dashboard {
    /// An empty panel.
    pub fn new() -> Result<Self> {
        let bar = ProgressBar::new(0);
        bar.set_style(ProgressStyle::with_template(
            "{bar:48} {pos}/{len} steps\n{elapsed_precise} gone, {eta_precise} left{msg}",
        )?);
        Ok(Self { bar, history: Mutex::default() })
    }

    /// Takes the panel away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Shows what has happened.
    pub fn show(&self, event: Event<'_>) {
        let bar = &self.bar;
        let mut history = self.history.lock().expect("no panic while drawing");
        match event {
            Event::Note(text) => bar.suspend(|| say!("note: {text}")),
            Event::Data { train, valid } => {
                say!("{train} pictures to learn from, {valid} to measure on");
            }
            Event::Trainable { trainable, all } => {
                let (trainable, all) = (trainable as f64 / 1e6, all as f64 / 1e6);
                say!("{trainable:.2} million values learn, the model has {all:.2}");
            }
            Event::Caching(share) => {
                let percent = (100.0 * share) as u64;
                bar.set_length(100);
                bar.set_position(percent);
                bar.set_message("\nfeatures of the frozen image tower");
                let pace = history.pace.get_or_insert_with(|| Pace::new(0, 100));
                if let Some(far) = pace.line(percent).filter(|_| bar.is_hidden()) {
                    note!("features of the frozen image tower: {far}");
                }
            }
            Event::Start { step, steps } => {
                bar.set_length(steps as u64);
                bar.set_position(step as u64);
                bar.reset_eta();
                history.pace = Some(Pace::new(step as u64, steps as u64));
            }
            Event::Step { step, loss, speed } => {
                history.losses.push(f64::from(loss));
                history.speed = speed;
                bar.set_position(step as u64);
                bar.set_message(history.panel());
                let far = history.pace.as_mut().and_then(|pace| pace.line(step as u64));
                if let Some(far) = far.filter(|_| bar.is_hidden()) {
                    note!("step {far}: loss {loss:.3}, {speed:.1} pictures/s");
                }
            }
            Event::Valid { step, reports, named, best } => {
                history.measured(step, reports, best);
                bar.suspend(|| {
                    lines(step, reports, best);
                    lines(step, named, false);
                });
            }
        }
    }
}

impl History {
    fn measured(&mut self, step: usize, reports: &Reports, best: bool) {
        for (source, report) in reports {
            let at = self.recalls.iter().position(|(known, _)| known == source);
            let at = at.unwrap_or_else(|| {
                self.recalls.push((source.clone(), Vec::new()));
                self.recalls.len() - 1
            });
            self.recalls[at].1.push(report.text_to_image.recall[1]);
        }
        if best {
            self.best = Some(step);
        }
    }

    /// The lines below the bar.
    fn panel(&self) -> String {
        let memory = memory().map_or(String::new(), |mb| format!(", {mb} MB at most"));
        let mut out = format!(", {:.1} pictures/s{memory}", self.speed);
        let ends = (self.losses.first(), self.losses.last());
        if let (Some(first), Some(last)) = ends {
            out += &format!("\nloss {} {first:.3} to {last:.3}", curve(&self.losses));
        }
        for (source, recalls) in &self.recalls {
            let (last, best) = (recalls.last().unwrap_or(&0.0), self.best.unwrap_or(0));
            let drawn = curve(recalls);
            out += &format!("\nR@5  {drawn} {last:.1} by {source}, best model at step {best}");
        }
        out
    }
}

/// Lines that stay: recall both ways, a star for the best.
fn lines(step: usize, reports: &Reports, best: bool) {
    for (source, report) in reports {
        let three = |recall: [f64; 3]| recall.map(|value| format!("{value:.1}")).join("/");
        let star = if best { " *" } else { "" };
        say!(
            "step {step}: {source}: R@1/5/10 text-to-image {}, image-to-text {}{star}",
            three(report.text_to_image.recall),
            three(report.image_to_text.recall)
        );
    }
}

/// Values as blocks, at most [`WIDTH`] of them: each the mean of its part.
fn curve(values: &[f64]) -> String {
    let count = values.len().min(WIDTH);
    let part = |at: usize| &values[at * values.len() / count..(at + 1) * values.len() / count];
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let means: Vec<f64> = (0..count).map(|at| mean(part(at))).collect();
    let low = means.iter().copied().fold(f64::INFINITY, f64::min);
    let range = means.iter().copied().fold(f64::NEG_INFINITY, f64::max) - low;
    let block = |value: f64| match range > 0.0 {
        true => BLOCKS[((value - low) / range * 7.0).round() as usize],
        false => BLOCKS[0],
    };
    means.into_iter().map(block).collect()
}

/// The most that this process ever had in memory, in MB, where the system says so.
fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_it_is_is_told_at_once_and_not_all_the_time() {
        let mut pace = Pace::new(10, 20);
        pace.begun -= Duration::from_secs(60);
        assert_eq!(pace.line(15).as_deref(), Some("15/20, 60 seconds left"));
        assert_eq!(pace.line(16), None);
        pace.told = Some(Instant::now() - 2 * EVERY);
        assert!(pace.line(20).is_some_and(|line| line.starts_with("20/20, 0 seconds")));
    }

    #[test]
    fn curves_go_from_lowest_to_highest_and_have_room() {
        assert_eq!(curve(&[]), "");
        assert_eq!(curve(&[2.0, 2.0]), "▁▁");
        assert_eq!(curve(&[0.0, 1.0, 7.0]), "▁▂█");
        let falling: Vec<f64> = (0..1000).map(|at| -f64::from(at)).collect();
        let drawn: Vec<char> = curve(&falling).chars().collect();
        assert_eq!((drawn.len(), drawn[0], drawn[WIDTH - 1]), (WIDTH, '█', '▁'));
    }
}
