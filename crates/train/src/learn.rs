//! A small network's training: steps of AdamW on named weights, with warm-up, clipping and a moving average. What a step's
//! gradients are, who calls says.

use std::collections::HashMap;

use tuwen_encode::{Array, Arrays};

use crate::heads::Schedule;
use crate::optim::{self, Decays, Group, State};
use crate::stop::{Stop, go_on};
use crate::{Error, Result};

/// Steps between two lines about the loss.
const LINE: usize = 50;
const BETAS: [f32; 2] = [0.9, 0.98];
/// Decay of the moving average, which is what is kept.
const AVERAGE: f32 = 0.99;
const CLIP: f32 = 1.0;

/// How it learns, and who follows.
pub(crate) struct Learning<'l> {
    /// Steps and rates.
    pub(crate) schedule: &'l Schedule,
    /// Which weights learn, by their names.
    pub(crate) learns: &'l dyn Fn(&str) -> bool,
    /// Asked whether to stop.
    pub(crate) stop: &'l Stop<'l>,
    /// Told the step and the mean loss of the last ones.
    pub(crate) tell: &'l dyn Fn(usize, f32),
}

/// Steps with the gradients that `gradients` gives for weights and the number of a step; the moving average stays.
///
/// # Errors
/// The loss is no number, the user stops it, or what `gradients` ends it with.
pub(crate) fn learn(
    learning: Learning<'_>,
    weights: &mut Arrays,
    mut gradients: impl FnMut(&Arrays, usize) -> Result<(f32, Arrays)>,
) -> Result<()> {
    let Learning { schedule, learns, stop, tell } = learning;
    let mut state = State::new(weights.clone());
    let group = |(name, array): (&String, &Array)| {
        let decay = if array.shape.len() > 1 { schedule.weight_decay } else { 0.0 };
        learns(name).then(|| (name.clone(), Group { lr: schedule.lr, decay }))
    };
    let groups: HashMap<String, Group> = weights.0.iter().filter_map(group).collect();
    let (mut sum, mut count) = (0.0, 0);
    for step in 0..schedule.steps {
        go_on(stop)?;
        let (loss, mut grads) = gradients(&state.weights, step)?;
        grads.0.retain(|name, _| groups.contains_key(name));
        if !loss.is_finite() {
            let before = sum / count.max(1) as f32;
            let pictures = String::from("of the last batch");
            return Err(Error::Diverged { step, loss, before, pictures });
        }
        optim::clip(&mut grads, CLIP);
        let factor = optim::schedule(step, schedule.steps, schedule.warmup);
        let decays = Decays { betas: BETAS, ema: AVERAGE };
        optim::update(&mut state, &grads, decays, &groups, factor);
        (sum, count) = (sum + loss, count + 1);
        if (step + 1) % LINE == 0 || step + 1 == schedule.steps {
            tell(step + 1, sum / count as f32);
            (sum, count) = (0.0, 0);
        }
    }
    *weights = state.ema;
    Ok(())
}
