//! Explanations from one pass through the towers, with or without a backward pass.

use tuwen_encode::towers::Wanted;
use tuwen_encode::{CpuEncoder, Encoder, Trace, Vision};
use tuwen_image::RgbImage;

use crate::explain::pooled;
use crate::game::dots;
use crate::hide::Words;
use crate::{Error, Method, Result, Settings, attention, gradient};

/// Texts that say nothing of a picture: what patches have in common with these is no reason for a text.
const EMPTY: [&str; 8] = ["a photo", "a picture", "an image", "a", "图片", "照片", "一张图", "的"];

/// A picture that is looked at, and the text's unit vector.
pub(crate) struct Look<'l> {
    pub(crate) encoder: &'l CpuEncoder,
    pub(crate) picture: &'l RgbImage,
    pub(crate) toward: &'l [f32],
}

impl Look<'_> {
    /// Rows before the patches.
    fn classes(&self) -> usize {
        usize::from(self.encoder.config().vision != Vision::Probe)
    }

    /// The patches' map, (across, across), and the picture's unit vector.
    pub(crate) fn map(&self, settings: &Settings) -> Result<(Vec<f32>, Vec<f32>)> {
        let config = self.encoder.config();
        let (layers, probe) = (config.image.layers, config.vision == Vision::Probe);
        // A probe and a grid's pooling are attentions behind the last block.
        let last = if probe { layers } else { layers.saturating_sub(1) };
        let attention =
            |from: usize| Wanted { from: Some(from), attention: true, ..Wanted::default() };
        let pooled = pooled(self.encoder);
        let (rows, trace) = match settings.method {
            Method::Gradient => return self.gradient(),
            Method::Gradcam => {
                let trace = self.trace(&Wanted { from: Some(last), ..Wanted::default() })?;
                let width = self.encoder.config().image.width;
                let classes = match config.vision {
                    // The rows are those of the grid itself.
                    Vision::ResNet(_) => 0,
                    _ => self.classes(),
                };
                let skip = classes * width;
                let map = gradient::grad_cam(&trace.rows[skip..], &trace.gradient[skip..], width);
                return Ok((map, trace.vector));
            }
            Method::Rollout => {
                let trace = self.trace(&attention(0))?;
                (attention::rollout(&trace.attended, pooled), trace)
            }
            Method::Chefer => {
                let blocks = settings.blocks.clamp(1, layers.max(1));
                let from = if probe { layers + 1 - blocks } else { layers - blocks };
                let trace = self.trace(&attention(from))?;
                (attention::chefer(&trace.attended, pooled), trace)
            }
            Method::Legrad => {
                let wanted = Wanted { readouts: true, ..attention(0) };
                let trace = self.trace(&wanted)?;
                (attention::legrad(&trace.attended, probe), trace)
            }
            Method::GradEclip => {
                let trace = self.trace(&attention(last))?;
                let Some(attended) = trace.attended.last() else { return Err(no_attention()) };
                (attention::grad_eclip(attended, pooled), trace)
            }
            other => unreachable!("{} takes no single pass back", other.name()),
        };
        Ok((rows[self.classes().min(rows.len())..].to_vec(), trace.vector))
    }

    fn trace(&self, wanted: &Wanted) -> Result<Trace> {
        let trace = self.encoder.trace_image(self.picture, self.toward, wanted)?;
        match trace.score.is_finite() {
            true => Ok(trace),
            false => Err(Error::Refused(
                "the score is not finite (NaN or infinity): the model's weights are damaged".into(),
            )),
        }
    }

    fn gradient(&self) -> Result<(Vec<f32>, Vec<f32>)> {
        let trace = self.trace(&Wanted { input_gradient: true, ..Wanted::default() })?;
        let config = self.encoder.config();
        let side = config.preprocess.size as usize;
        let mut pixels = Vec::with_capacity(3 * side * side);
        config.preprocess.normalise_into(self.picture, &mut pixels);
        let map = gradient::on_patches(&pixels, &trace.gradient, side, side / config.patch);
        Ok((map, trace.vector))
    }

    /// Each patch's cosine with the text, and with each of its words alone, (words, patches).
    pub(crate) fn patches(&self, words: &Words, surgery: bool) -> Result<(Vec<f32>, Vec<f32>)> {
        let found = self.encoder.image_tokens(std::slice::from_ref(self.picture))?;
        let [way, _] = self.encoder.token_projections()?;
        let dim = self.encoder.dim();
        // The first row is the pooled feature.
        let patches = &found.tokens.values[found.width..];
        let mut projected = Vec::with_capacity(patches.len() / found.width * dim);
        for patch in patches.chunks_exact(found.width) {
            let rows = way.weight.chunks_exact(way.width).zip(&way.bias);
            let one = |(row, bias): (&[f32], &f32)| dots(patch, row)[0] + bias;
            let vector: Vec<f32> = rows.map(one).collect();
            let length = vector.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-12);
            projected.extend(vector.iter().map(|value| value / length));
        }
        let alone: Vec<&str> = (0..words.len()).map(|at| words.word(at)).collect();
        let alone = self.encoder.encode_texts(&alone)?;
        let common = match surgery {
            true => mean(&self.encoder.encode_texts(&EMPTY)?, dim),
            false => vec![0.0; dim],
        };
        let against = |vector: &[f32]| {
            let less: Vec<f32> = vector.iter().zip(&common).map(|(a, b)| a - b).collect();
            dots(&projected, &less)
        };
        let pairs = alone.chunks_exact(dim).flat_map(against).collect();
        Ok((against(self.toward), pairs))
    }
}

fn no_attention() -> Error {
    Error::Refused("the image tower has no attention".into())
}

/// The mean of rows.
fn mean(rows: &[f32], dim: usize) -> Vec<f32> {
    let mut sum = vec![0.0; dim];
    let count = (rows.len() / dim.max(1)).max(1) as f32;
    for row in rows.chunks_exact(dim.max(1)) {
        sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value / count);
    }
    sum
}

/// Gradient times input of a text's tokens, summed over each word; what a bag of words adds is its own share.
pub(crate) fn words(encoder: &CpuEncoder, words: &Words, toward: &[f32]) -> Result<Vec<f32>> {
    let input = encoder.tokenise(words.text())?;
    // Of a text in windows each counts the same.
    let share = 1.0 / input.pieces.len().max(1) as f32;
    let mut tokens = Vec::new();
    for ids in &input.pieces {
        let wanted = Wanted { from: Some(0), ..Wanted::default() };
        let found = encoder.trace_text(ids, toward, &wanted)?;
        let width = encoder.config().text.width;
        let rows = gradient::times_input(&found.trace.rows, &found.trace.gradient, width);
        let mut own = vec![0.0; ids.len()];
        for (origin, value) in found.origins.iter().zip(rows) {
            if let Some(at) = *origin {
                own[at] += value * share;
            }
        }
        own.iter_mut().zip(&found.bag).for_each(|(own, bag)| *own += bag * share);
        tokens.push((ids, own));
    }
    let [(ids, values)] = &tokens[..] else {
        return Err(Error::Refused(
            "the text is embedded in several windows: gradient has no words for it; use occlusion"
                .into(),
        ));
    };
    let ends = ends(encoder, words, ids)?;
    // What a text without words has too, is before the first one.
    let empty = encoder.tokenise("")?;
    let empty = empty.pieces.first().map_or(&[][..], Vec::as_slice);
    let mut start = empty.iter().zip(*ids).take_while(|(a, b)| a == b).count().min(ids.len());
    let mut weights = Vec::with_capacity(ends.len());
    for end in ends {
        weights.push(values[start..end.max(start)].iter().sum());
        start = end.max(start);
    }
    Ok(weights)
}

/// Behind which of a text's ids each word ends: so far as the text up to there has the same ids.
fn ends(encoder: &CpuEncoder, words: &Words, ids: &[u32]) -> Result<Vec<usize>> {
    // The end of the text, or what fills it.
    let last = match encoder.config().pad {
        Some(pad) => ids.iter().rposition(|&id| id != pad).map_or(0, |at| at + 1),
        None => ids.len().saturating_sub(1),
    };
    let mut ends = Vec::with_capacity(words.len());
    for span in words.spans() {
        let part = encoder.tokenise(&words.text()[..span.end])?;
        let part = part.pieces.first().map_or(&[][..], Vec::as_slice);
        let same = part.iter().zip(ids).take_while(|(a, b)| a == b).count();
        ends.push(same.min(last));
    }
    if let Some(end) = ends.last_mut() {
        *end = last;
    }
    Ok(ends)
}
