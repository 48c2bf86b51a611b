//! The one stream by which many pictures become vectors: read -> forward -> store, overlapping.
//!
//! Reading (files, decoding, fitting) runs on all threads while the network runs over the batch before it, and
//! what is stored (a commit, a file) is stored while both go on. Items keep their order. Memory holds
//! `AHEAD` + 2 batches of fitted pictures, however many items there are.

use std::marker::PhantomData;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Scope;

use crate::Encoder;
use rayon::prelude::*;
use tuwen_files::Error;
use tuwen_image::RgbImage;

/// Pictures of one forward pass.
pub const BATCH: usize = 32;
/// Texts of one forward pass.
const TEXTS: usize = 64;
/// Batches that are read ahead.
const AHEAD: usize = 2;
/// Batches that are in the network, or wait for it.
const WAITING: usize = 2;

/// What is embedded, and what becomes of the vectors. All of it runs on the caller's thread.
pub trait Job {
    /// What stands for a picture before it is read.
    type Item: Send;
    /// What was read.
    type Read: Send;
    /// What stands for a picture while the network runs.
    type Kept: Send;
    /// What the network takes of a picture.
    type Input: Send;
    /// What ends the stream.
    type Error: From<Error>;

    /// The next item; nothing at the end.
    ///
    /// # Errors
    /// Whatever ends the stream.
    fn next(&mut self) -> Result<Option<Self::Item>, Self::Error>;

    /// Looks at what was read; nothing where it is not to be embedded.
    ///
    /// # Errors
    /// Whatever ends the stream.
    #[allow(clippy::type_complexity, reason = "both halves have names of their own")]
    fn keep(&mut self, read: Self::Read) -> Result<Option<(Self::Kept, Self::Input)>, Self::Error>;

    /// Takes a batch's vectors, (B, D).
    ///
    /// # Errors
    /// Whatever ends the stream.
    fn store(&mut self, kept: Vec<Self::Kept>, vectors: &[f32]) -> Result<(), Self::Error>;
}

/// Runs a job: `read` on all threads, `forward` (B inputs to B rows) in one batch after the other.
///
/// # Errors
/// The first error of the job or of `forward`; batches before it are stored.
pub fn run<J: Job>(
    read: impl Fn(J::Item) -> J::Read + Sync,
    forward: impl Fn(&[J::Input]) -> Result<Vec<f32>, Error> + Sync,
    job: &mut J,
) -> Result<(), J::Error> {
    std::thread::scope(|scope| {
        let read_all =
            |items: Vec<J::Item>| -> Vec<J::Read> { items.into_par_iter().map(&read).collect() };
        let forward_all = |(kept, inputs): (Vec<J::Kept>, Vec<J::Input>)| (kept, forward(&inputs));
        let (to_read, was_read) = worker(scope, read_all);
        let (to_forward, was_forwarded) = worker(scope, forward_all);
        let (mut reading, mut forwarding) = (0, 0);
        loop {
            while reading < AHEAD
                && let Some(items) = some(job)?
            {
                to_read.send(items).expect("the worker lives as long as its queue");
                reading += 1;
            }
            if reading > 0 && forwarding < WAITING {
                let batch = keep(job, received(&was_read))?;
                reading -= 1;
                if !batch.0.is_empty() {
                    to_forward.send(batch).expect("the worker lives as long as its queue");
                    forwarding += 1;
                }
            } else if forwarding > 0 {
                let (kept, vectors) = received(&was_forwarded);
                forwarding -= 1;
                job.store(kept, &vectors?)?;
            } else {
                return Ok(());
            }
        }
    })
}

/// A batch of items; nothing at the end.
fn some<J: Job>(job: &mut J) -> Result<Option<Vec<J::Item>>, J::Error> {
    let mut items = Vec::with_capacity(BATCH);
    while items.len() < BATCH
        && let Some(item) = job.next()?
    {
        items.push(item);
    }
    Ok((!items.is_empty()).then_some(items))
}

type Kept<J> = (Vec<<J as Job>::Kept>, Vec<<J as Job>::Input>);

fn keep<J: Job>(job: &mut J, read: Vec<J::Read>) -> Result<Kept<J>, J::Error> {
    let mut batch = (Vec::new(), Vec::new());
    for one in read {
        if let Some((kept, input)) = job.keep(one)? {
            batch.0.push(kept);
            batch.1.push(input);
        }
    }
    Ok(batch)
}

/// A thread that answers what it is sent, in order, until the queue is dropped.
fn worker<'s, I: Send + 's, O: Send + 's>(
    scope: &'s Scope<'s, '_>,
    work: impl Fn(I) -> O + Send + 's,
) -> (Sender<I>, Receiver<O>) {
    let (to_worker, inputs) = channel::<I>();
    let (outputs, from_worker) = channel();
    scope.spawn(move || {
        for input in inputs {
            // Nobody listens any more once the stream has ended early.
            if outputs.send(work(input)).is_err() {
                return;
            }
        }
    });
    (to_worker, from_worker)
}

/// The worker's answer. Where it panicked, the scope passes that on once this thread ends as well.
fn received<T>(from: &Receiver<T>) -> T {
    from.recv().expect("the worker answers what it is sent")
}

/// Embeds pictures one after the other: `read` brings each to the model's size, `each` gets its vector (D), or
/// why there is none.
///
/// # Errors
/// What `each` ends with, or the encoder's own failure.
pub fn each<T: Send, E: From<Error>, F: Send>(
    encoder: &dyn Encoder,
    items: impl IntoIterator<Item = T>,
    read: impl Fn(&T) -> Result<RgbImage, F> + Sync,
    each: impl FnMut(T, Result<&[f32], F>) -> Result<(), E>,
) -> Result<(), E> {
    let read = |item: T| {
        let picture = read(&item);
        (item, picture)
    };
    let mut job = Each { items: items.into_iter(), each, dim: encoder.dim(), types: PhantomData };
    run(read, |pictures: &[RgbImage]| encoder.encode_images(pictures), &mut job)
}

/// See [`each`].
struct Each<I, C, E, F> {
    items: I,
    each: C,
    dim: usize,
    types: PhantomData<fn() -> (E, F)>,
}

impl<I, C, E, F> Job for Each<I, C, E, F>
where
    I: Iterator<Item: Send>,
    C: FnMut(I::Item, Result<&[f32], F>) -> Result<(), E>,
    E: From<Error>,
    F: Send,
{
    type Item = I::Item;
    type Read = (I::Item, Result<RgbImage, F>);
    type Kept = I::Item;
    type Input = RgbImage;
    type Error = E;

    fn next(&mut self) -> Result<Option<Self::Item>, E> {
        Ok(self.items.next())
    }

    fn keep(&mut self, (item, picture): Self::Read) -> Result<Option<(Self::Kept, RgbImage)>, E> {
        match picture {
            Ok(picture) => Ok(Some((item, picture))),
            Err(error) => (self.each)(item, Err(error)).map(|()| None),
        }
    }

    fn store(&mut self, kept: Vec<Self::Kept>, vectors: &[f32]) -> Result<(), E> {
        let mut rows = kept.into_iter().zip(vectors.chunks_exact(self.dim));
        rows.try_for_each(|(item, vector)| (self.each)(item, Ok(vector)))
    }
}

/// Embeds texts in batches: `each` gets a batch's vectors (B, D).
///
/// # Errors
/// What `each` ends with, or the encoder's own failure.
pub fn texts<E: From<Error>>(
    encoder: &dyn Encoder,
    texts: &[&str],
    mut each: impl FnMut(&[f32]) -> Result<(), E>,
) -> Result<(), E> {
    texts.chunks(TEXTS).try_for_each(|batch| each(&encoder.encode_texts(batch)?))
}
