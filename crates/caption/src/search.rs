//! Which words are said: the most probable one each time, several captions side by side (beams), or words drawn from the
//! most probable ones (nucleus, Holtzman et al. 2020, <https://arxiv.org/abs/1904.09751>).

use crate::decoder::Decoder;
use crate::saying::Looked;
use crate::speaker::{Speaker, Voice};
use crate::{Error, Result};

/// More captions side by side than anybody can use.
pub const MOST_BEAMS: usize = 64;

/// What a caption may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Control {
    /// Fewest words.
    pub least: usize,
    /// Most words.
    pub most: usize,
    /// No run of so many words is said twice; 0 lets all be.
    pub no_repeat: usize,
    /// Captions of several lengths compare by their log-probability over their length to this power: 0 for the
    /// log-probability itself, which prefers short ones (Wu et al. 2016, <https://arxiv.org/abs/1609.08144>).
    pub length: f32,
}

/// How words are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    /// So many captions grow side by side, always the most probable ones; 1 takes the most probable word each time.
    Beams(usize),
    /// Words are drawn.
    Nucleus {
        /// How many captions.
        count: usize,
        /// Logits are divided by it: below 1 for the more probable words.
        temperature: f32,
        /// Only the most probable words that have this probability together.
        share: f32,
    },
}

/// A caption.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    /// Its words, without the tokens at its ends.
    pub tokens: Vec<usize>,
    /// The natural logarithm of its probability, its end included.
    pub log_prob: f64,
}

impl Said {
    /// What captions of several lengths compare by.
    pub fn score(&self, control: &Control) -> f64 {
        self.log_prob / ((self.tokens.len() + 1) as f64).powf(f64::from(control.length))
    }
}

impl Default for Control {
    fn default() -> Self {
        Self { least: 1, most: 24, no_repeat: 3, length: 0.7 }
    }
}

impl Control {
    /// Whether a decoder whose longest caption has so many words can do so.
    ///
    /// # Errors
    /// What it cannot.
    pub fn check(&self, longest: usize, way: Way) -> Result<()> {
        let refuse = |what: String| Err(Error::Control(what));
        if self.most == 0 || self.most > longest || self.least > self.most {
            return refuse(format!(
                "captions of {} to {} words: this decoder says 1 to {longest}, the fewest first",
                self.least, self.most
            ));
        }
        if !(self.length.is_finite() && self.length >= 0.0) {
            return refuse(format!("a length exponent of {}: give a number from 0", self.length));
        }
        match way {
            Way::Beams(count) | Way::Nucleus { count, .. }
                if !(1..=MOST_BEAMS).contains(&count) =>
            {
                refuse(format!("{count} captions side by side: give 1 to {MOST_BEAMS}"))
            }
            Way::Nucleus { temperature, share, .. }
                if !(temperature > 0.0
                    && temperature.is_finite()
                    && share > 0.0
                    && share <= 1.0) =>
            {
                refuse(format!(
                    "a temperature of {temperature} and a share of {share}: give a temperature above 0 and a share \
                     above 0 and up to 1"
                ))
            }
            _ => Ok(()),
        }
    }

    /// Makes log-probabilities of what may not come next minus infinity.
    fn forbid(&self, speaker: &impl Speaker, log_probs: &mut [f32], before: &[usize]) {
        let end = speaker.end();
        speaker.never().iter().for_each(|&token| log_probs[token] = f32::NEG_INFINITY);
        if before.len() >= self.most {
            let ended = log_probs[end];
            log_probs.fill(f32::NEG_INFINITY);
            log_probs[end] = ended;
            return;
        }
        if before.len() < self.least {
            log_probs[end] = f32::NEG_INFINITY;
        }
        let Some(known) = self.no_repeat.checked_sub(1).filter(|&known| known <= before.len())
        else {
            return;
        };
        let last = &before[before.len() - known..];
        for run in before.windows(self.no_repeat).filter(|run| run[..known] == *last) {
            log_probs[run[known]] = f32::NEG_INFINITY;
        }
    }
}

/// The most probable token; of equals the first.
pub fn greedy(log_probs: &[f32]) -> usize {
    let larger = |best: usize, (at, value): (usize, &f32)| {
        if *value > log_probs[best] { at } else { best }
    };
    log_probs.iter().enumerate().fold(0, larger)
}

impl Decoder<'_> {
    /// Describes the first of the pictures that were looked at, the best caption first. `uniform` gives numbers from 0 to
    /// below 1, which only a nucleus asks for.
    ///
    /// # Errors
    /// What is asked for cannot be.
    pub fn describe(
        &self,
        looked: &Looked,
        language: usize,
        way: Way,
        control: &Control,
        uniform: &mut dyn FnMut() -> f32,
    ) -> Result<Vec<Said>> {
        let longest = self.config().longest;
        describe(&Voice { decoder: self, looked, language }, longest, way, control, uniform)
    }

    /// Captions of pictures side by side, each word as `choose` says of the logarithms of their probabilities.
    pub fn together(
        &self,
        looked: &Looked,
        language: usize,
        pictures: Vec<usize>,
        control: &Control,
        choose: &mut dyn FnMut(&[f32]) -> usize,
    ) -> Vec<Said> {
        together(&Voice { decoder: self, looked, language }, pictures, control, choose)
    }
}

/// Describes the first of the pictures that a speaker has looked at, the best caption first. `longest` is what it can say;
/// `uniform` gives numbers from 0 to below 1, which only a nucleus asks for.
///
/// # Errors
/// What is asked for cannot be.
pub fn describe(
    speaker: &impl Speaker,
    longest: usize,
    way: Way,
    control: &Control,
    uniform: &mut dyn FnMut() -> f32,
) -> Result<Vec<Said>> {
    control.check(longest, way)?;
    let mut said = match way {
        Way::Beams(width) => beams(speaker, width, control),
        Way::Nucleus { count, temperature, share } => {
            let mut draw = |log_probs: &[f32]| nucleus(log_probs, temperature, share, uniform());
            together(speaker, vec![0; count], control, &mut draw)
        }
    };
    said.sort_by(|a, b| b.score(control).total_cmp(&a.score(control)));
    let mut seen = std::collections::HashSet::new();
    said.retain(|one| seen.insert(one.tokens.clone()));
    Ok(said)
}

fn together(
    speaker: &impl Speaker,
    pictures: Vec<usize>,
    control: &Control,
    choose: &mut dyn FnMut(&[f32]) -> usize,
) -> Vec<Said> {
    let mut said = vec![Said::default(); pictures.len()];
    let mut going = vec![true; pictures.len()];
    // The token before the first word is one of them.
    let mut saying = speaker.start(pictures, control.most + 1);
    let mut tokens = vec![speaker.begin(); said.len()];
    while going.contains(&true) {
        let mut logits = speaker.say(&mut saying, &tokens);
        let width = logits.len() / said.len();
        for (at, row) in logits.chunks_exact_mut(width).enumerate() {
            if !going[at] {
                continue;
            }
            log_softmax(row);
            control.forbid(speaker, row, &said[at].tokens);
            let token = choose(row);
            said[at].log_prob += f64::from(row[token]);
            match token == speaker.end() {
                true => going[at] = false,
                false => said[at].tokens.push(token),
            }
            tokens[at] = token;
        }
    }
    said
}

fn beams(speaker: &impl Speaker, width: usize, control: &Control) -> Vec<Said> {
    let mut saying = speaker.start(vec![0], control.most + 1);
    let mut live = vec![Said::default()];
    let (mut tokens, mut done) = (vec![speaker.begin()], Vec::new());
    loop {
        let logits = speaker.say(&mut saying, &tokens);
        let next = continued(speaker, &live, logits, 2 * width, control);
        let mut from = Vec::new();
        let mut longer = Vec::new();
        for (place, (beam, token, log_prob)) in next.into_iter().enumerate() {
            let mut tokens = live[beam].tokens.clone();
            match token == speaker.end() {
                // What ends further down would not have been a beam.
                true if place < width => done.push(Said { tokens, log_prob }),
                true => {}
                false if longer.len() < width => {
                    tokens.push(token);
                    longer.push(Said { tokens, log_prob });
                    from.push(beam);
                }
                false => {}
            }
        }
        if done.len() >= width || longer.is_empty() {
            return done;
        }
        speaker.reorder(&mut saying, &from);
        tokens = longer.iter().map(|said| *said.tokens.last().expect("just said")).collect();
        live = longer;
    }
}

/// The `count` most probable ways to go on: which beam, which token, the logarithm of the probability of it all.
fn continued(
    speaker: &impl Speaker,
    live: &[Said],
    mut logits: Vec<f32>,
    count: usize,
    control: &Control,
) -> Vec<(usize, usize, f64)> {
    let width = logits.len() / live.len();
    let mut all = Vec::new();
    for ((beam, said), row) in live.iter().enumerate().zip(logits.chunks_exact_mut(width)) {
        log_softmax(row);
        control.forbid(speaker, row, &said.tokens);
        let possible = row.iter().enumerate().filter(|(_, value)| **value > f32::NEG_INFINITY);
        all.extend(possible.map(|(token, value)| (beam, token, said.log_prob + f64::from(*value))));
    }
    let order = |a: &(usize, usize, f64), b: &(usize, usize, f64)| {
        b.2.total_cmp(&a.2).then(a.0.cmp(&b.0)).then(a.1.cmp(&b.1))
    };
    if all.len() > count {
        all.select_nth_unstable_by(count, order);
        all.truncate(count);
    }
    all.sort_by(order);
    all
}

/// The logarithm of a token's probability, of the logits of all.
pub fn log_prob(logits: &[f32], token: usize) -> f32 {
    logits[token] - log_sum(logits)
}

fn log_sum(logits: &[f32]) -> f32 {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    most + logits.iter().map(|value| (value - most).exp()).sum::<f32>().ln()
}

/// Logits to logarithms of probabilities.
fn log_softmax(row: &mut [f32]) {
    let log_sum = log_sum(row);
    row.iter_mut().for_each(|value| *value -= log_sum);
}

/// One of the most probable tokens that have this share of the probability together; `at` is a number from 0 to below 1.
fn nucleus(log_probs: &[f32], temperature: f32, share: f32, at: f32) -> usize {
    let first = greedy(log_probs);
    let weight = |value: f32| f64::from((value - log_probs[first]) / temperature).exp();
    let mut all: Vec<(usize, f64)> =
        log_probs.iter().enumerate().map(|(token, value)| (token, weight(*value))).collect();
    all.retain(|(_, weight)| *weight > 0.0);
    all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let total: f64 = all.iter().map(|(_, weight)| weight).sum();
    let mut sum = 0.0;
    let kept = all.iter().take_while(|(_, weight)| {
        let before = sum;
        sum += weight;
        before < f64::from(share) * total
    });
    let kept: Vec<(usize, f64)> = kept.copied().collect();
    let wanted = f64::from(at) * kept.iter().map(|(_, weight)| weight).sum::<f64>();
    let mut sum = 0.0;
    let reached = |(_, weight): &&(usize, f64)| {
        sum += weight;
        sum > wanted
    };
    kept.iter().find(reached).map_or(first, |(token, _)| *token)
}
