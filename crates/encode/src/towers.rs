//! Both towers: pixels or token ids to features, and gradients from the features' gradients.
//!
//! A batch is cut into chunks that stay in the cache; each chunk runs through the whole tower on
//! one thread. Gradients are summed in a fixed order, so that a run does not depend on the number
//! of threads.

use std::ops::Range;

use rayon::prelude::*;
use tuwen_data::token::unpadded;

use crate::arrays::Arrays;
use crate::block::{BlockTape, Linear, Stack};
use crate::math;
use crate::{ModelConfig, Result};

/// Sequences of one chunk are gathered until they have this many rows.
const CHUNK_ROWS: usize = 800;
/// Gradient accumulators; fixed, so that the order of summation is.
const ACCUMULATORS: usize = 4;

/// Features of a batch, and what the way back needs.
pub struct Pass {
    /// (B, W) of the tower.
    pub features: Vec<f32>,
    chunks: Vec<Chunk>,
}

struct Chunk {
    items: Range<usize>,
    spans: Vec<Range<usize>>,
    /// Unfolded patches, kept for the patch projection's gradient.
    patches: Vec<f32>,
    tapes: Vec<BlockTape>,
    /// The rows that the final LayerNorm saw, and its statistics.
    last: Vec<f32>,
    stats: Vec<[f32; 2]>,
}

/// What a forward pass should remember.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// Nothing: there is no way back.
    No,
    /// All from this block on; 0 includes the embedding.
    From(usize),
}

/// The image tower on the CPU.
pub struct ImageTower<'a> {
    stack: Stack<'a>,
    patch_embed: Linear<'a>,
    cls_token: &'a [f32],
    pos_embed: &'a [f32],
    config: &'a ModelConfig,
}

/// The text tower on the CPU.
pub struct TextTower<'a> {
    stack: Stack<'a>,
    token_embed: &'a [f32],
    pos_embed: &'a [f32],
    width: usize,
}

impl<'a> ImageTower<'a> {
    /// A view of the weights under `image.`.
    ///
    /// # Errors
    /// A weight is missing.
    pub fn new(config: &'a ModelConfig, arrays: &'a Arrays) -> Result<Self> {
        Ok(Self {
            stack: Stack::new(&config.image, arrays, "image")?,
            patch_embed: Linear::find(arrays, "image.patch_embed")?,
            cls_token: &arrays.get("image.cls_token")?.data,
            pos_embed: &arrays.get("image.pos_embed")?.data,
            config,
        })
    }

    /// # Shapes
    /// `pixels`: B * 3 * R * R; `keep`: for each picture the patches to keep, all when `None`.
    pub fn forward(&self, pixels: &[f32], keep: Option<&[Vec<usize>]>, record: Record) -> Pass {
        let size = self.config.preprocess.size as usize;
        let items = pixels.len() / (3 * size * size);
        let all: Vec<usize> = (0..self.config.patches()).collect();
        let kept = |item: usize| keep.map_or(&all[..], |keep| &keep[item]);
        let rows: Vec<usize> = (0..items).map(|item| kept(item).len() + 1).collect();
        run(cut(&rows), |items| {
            let (mut x, patches, spans) = self.embed(pixels, items.clone(), kept);
            // Only the class tokens leave the tower; the way back wants whole blocks.
            let first_only = record == Record::No;
            let tapes = self.stack.forward(&mut x, &spans, first_taped(record), first_only);
            let last = if first_only { x } else { self.stack.first_rows(&x, &spans) };
            let (features, stats) = self.stack.finish(&last);
            let patches = if record == Record::From(0) { patches } else { Vec::new() };
            (Chunk { items, spans, patches, tapes, last, stats }, features)
        })
    }

    fn embed<'k>(
        &self,
        pixels: &[f32],
        items: Range<usize>,
        kept: impl Fn(usize) -> &'k [usize],
    ) -> (Vec<f32>, Vec<f32>, Vec<Range<usize>>) {
        let width = self.config.image.width;
        let mut patches = Vec::new();
        for item in items.clone() {
            self.unfold(pixels, item, kept(item), &mut patches);
        }
        let mut embedded = Vec::new();
        self.patch_embed.forward(&patches, &mut embedded);
        let (mut x, mut spans) = (Vec::with_capacity(embedded.len()), Vec::new());
        let mut rows = embedded.chunks_exact(width);
        for item in items {
            let start = x.len() / width;
            x.extend(self.cls_token.iter().zip(self.pos_embed).map(|(c, p)| c + p));
            for &patch in kept(item) {
                let row = rows.next().expect("one row for each kept patch");
                let pos = &self.pos_embed[(patch + 1) * width..];
                x.extend(row.iter().zip(pos).map(|(r, p)| r + p));
            }
            spans.push(start..x.len() / width);
        }
        (x, patches, spans)
    }

    /// Appends each kept patch as 3 * patch * patch values, channel by channel.
    fn unfold(&self, pixels: &[f32], item: usize, kept: &[usize], out: &mut Vec<f32>) {
        let size = self.config.preprocess.size as usize;
        let patch = self.config.patch;
        let side = size / patch;
        let picture = &pixels[item * 3 * size * size..][..3 * size * size];
        for &at in kept {
            let corner = at / side * patch * size + at % side * patch;
            for channel in picture.chunks_exact(size * size) {
                for row in 0..patch {
                    out.extend_from_slice(&channel[corner + row * size..][..patch]);
                }
            }
        }
    }

    /// Gradients by parameter name from those of the features, (B, W). `keep` as in `forward`.
    pub fn backward(&self, pass: Pass, keep: Option<&[Vec<usize>]>, dfeatures: &[f32]) -> Arrays {
        let width = self.config.image.width;
        let (grads, _) = collect(&pass.chunks, |chunk, grads| {
            let grad = &dfeatures[chunk.items.start * width..chunk.items.end * width];
            let dlast = self.stack.finish_backward((&chunk.last, &chunk.stats), grad, grads);
            let rows = chunk.spans.last().map_or(0, |span| span.end);
            let mut dx = vec![0.0; rows * width];
            for (span, row) in chunk.spans.iter().zip(dlast.chunks_exact(width)) {
                dx[span.start * width..][..width].copy_from_slice(row);
            }
            let dx = self.stack.backward(&chunk.tapes, &chunk.spans, dx, grads);
            if !chunk.patches.is_empty() {
                self.embed_backward(chunk, keep, &dx, grads);
            }
        });
        grads
    }

    fn embed_backward(
        &self,
        chunk: &Chunk,
        keep: Option<&[Vec<usize>]>,
        dx: &[f32],
        grads: &mut Arrays,
    ) {
        let width = self.config.image.width;
        let mut dembedded = Vec::with_capacity(dx.len());
        for (item, span) in chunk.items.clone().zip(&chunk.spans) {
            let rows = &dx[span.start * width..span.end * width];
            let (first, rest) = rows.split_at(width);
            math::add(grads.slot("image.cls_token", &[1, 1, width]), first);
            let shape = [1, self.config.patches() + 1, width];
            let dpos = grads.slot("image.pos_embed", &shape);
            math::add(&mut dpos[..width], first);
            for (index, row) in rest.chunks_exact(width).enumerate() {
                let patch = keep.map_or(index, |keep| keep[item][index]);
                math::add(&mut dpos[(patch + 1) * width..][..width], row);
            }
            dembedded.extend_from_slice(rest);
        }
        self.patch_embed.backward(&chunk.patches, &dembedded, "image.patch_embed", grads);
    }
}

impl<'a> TextTower<'a> {
    /// A view of the weights under `text.`.
    ///
    /// # Errors
    /// A weight is missing.
    pub fn new(config: &'a ModelConfig, arrays: &'a Arrays) -> Result<Self> {
        Ok(Self {
            stack: Stack::new(&config.text, arrays, "text")?,
            token_embed: &arrays.get("text.token_embed.weight")?.data,
            pos_embed: &arrays.get("text.pos_embed")?.data,
            width: config.text.width,
        })
    }

    /// # Shapes
    /// `texts`: B lists of ids, unpadded or padded with 0 at the end.
    pub fn forward(&self, texts: &[&[u32]], record: Record) -> Pass {
        let width = self.width;
        let texts: Vec<&[u32]> = texts.iter().map(|ids| unpadded(ids)).collect();
        let rows: Vec<usize> = texts.iter().map(|ids| ids.len()).collect();
        run(cut(&rows), |items| {
            let (mut x, mut spans) = (Vec::new(), Vec::new());
            for ids in &texts[items.clone()] {
                let start = x.len() / width;
                for (&id, pos) in ids.iter().zip(self.pos_embed.chunks_exact(width)) {
                    let token = &self.token_embed[id as usize * width..];
                    x.extend(pos.iter().zip(token).map(|(p, t)| p + t));
                }
                spans.push(start..x.len() / width);
            }
            let tapes = self.stack.forward(&mut x, &spans, first_taped(record), false);
            let mut means = vec![0.0; spans.len() * width];
            for (mean, span) in means.chunks_exact_mut(width).zip(&spans) {
                math::add_columns(&x[span.start * width..span.end * width], mean);
                mean.iter_mut().for_each(|value| *value /= span.len() as f32);
            }
            let (features, stats) = self.stack.finish(&means);
            (Chunk { items, spans, patches: Vec::new(), tapes, last: means, stats }, features)
        })
    }

    /// Gradients by parameter name from those of the features, (B, W).
    pub fn backward(&self, pass: Pass, texts: &[&[u32]], dfeatures: &[f32]) -> Arrays {
        let width = self.width;
        let (mut grads, rows) = collect(&pass.chunks, |chunk, grads| {
            let grad = &dfeatures[chunk.items.start * width..chunk.items.end * width];
            let dmeans = self.stack.finish_backward((&chunk.last, &chunk.stats), grad, grads);
            let mut dx = Vec::new();
            for (span, row) in chunk.spans.iter().zip(dmeans.chunks_exact(width)) {
                let share: Vec<f32> = row.iter().map(|value| value / span.len() as f32).collect();
                (0..span.len()).for_each(|_| dx.extend_from_slice(&share));
            }
            self.stack.backward(&chunk.tapes, &chunk.spans, dx, grads)
        });
        // Here and not above: a table of the whole vocabulary for each accumulator costs more than
        // the few rows that a batch touches.
        let shape = [self.token_embed.len() / width, width];
        let tokens = texts.iter().flat_map(|ids| unpadded(ids));
        let rows = || rows.iter().flat_map(|rows| rows.chunks_exact(width));
        let dtoken = grads.slot("text.token_embed.weight", &shape);
        for (&id, row) in tokens.zip(rows()) {
            math::add(&mut dtoken[id as usize * width..][..width], row);
        }
        let dpos = grads.slot("text.pos_embed", &[self.pos_embed.len() / width, width]);
        let places = texts.iter().flat_map(|ids| 0..unpadded(ids).len());
        for (at, row) in places.zip(rows()) {
            math::add(&mut dpos[at * width..][..width], row);
        }
        grads
    }
}

fn first_taped(record: Record) -> usize {
    match record {
        Record::No => usize::MAX,
        Record::From(block) => block,
    }
}

/// Neighbouring items, cut where a chunk has enough rows.
fn cut(rows: &[usize]) -> Vec<Range<usize>> {
    let (mut chunks, mut start, mut sum) = (Vec::new(), 0, 0);
    for (item, rows) in rows.iter().enumerate() {
        if sum > 0 && sum + rows > CHUNK_ROWS {
            chunks.push(start..item);
            (start, sum) = (item, 0);
        }
        sum += rows;
    }
    if sum > 0 {
        chunks.push(start..rows.len());
    }
    chunks
}

fn run(
    chunks: Vec<Range<usize>>,
    forward: impl Fn(Range<usize>) -> (Chunk, Vec<f32>) + Sync + Send,
) -> Pass {
    let done: Vec<_> = chunks.into_par_iter().map(forward).collect();
    let mut pass = Pass { features: Vec::new(), chunks: Vec::with_capacity(done.len()) };
    for (chunk, features) in done {
        pass.features.extend(features);
        pass.chunks.push(chunk);
    }
    pass
}

/// Gradients of the chunks, summed, and for each chunk whatever else `backward` gave.
fn collect<T: Send>(
    chunks: &[Chunk],
    backward: impl Fn(&Chunk, &mut Arrays) -> T + Sync + Send,
) -> (Arrays, Vec<T>) {
    let group = chunks.len().div_ceil(ACCUMULATORS).max(1);
    let parts: Vec<(Arrays, Vec<T>)> = chunks
        .par_chunks(group)
        .map(|group| {
            let mut grads = Arrays::default();
            let rest = group.iter().map(|chunk| backward(chunk, &mut grads)).collect();
            (grads, rest)
        })
        .collect();
    let (mut sum, mut all) = (Arrays::default(), Vec::with_capacity(chunks.len()));
    for (grads, rest) in parts {
        sum.accumulate(grads);
        all.extend(rest);
    }
    (sum, all)
}
