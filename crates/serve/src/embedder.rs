//! Words and pictures to vectors: gathered in two queues, one forward pass for what waits, and the last results
//! kept, so that a query that comes again costs nothing.

use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;
use tuwen_encode::{Batch, CpuEncoder, Encoder, Output};
use tuwen_image::{Limits, Picture, RgbImage, decode_then};
use tuwen_retrieve::Remark;

use crate::lru::Lru;
use crate::problem::Problem;
use crate::queue::Queue;
use crate::room::Room;
use crate::settings::Settings;

/// Texts of one forward pass; more would make those wait that come next.
const TEXTS: usize = 64;
/// Pictures of one forward pass.
const PICTURES: usize = 8;
/// Bytes of the vectors that are kept: those of some ten thousand queries.
const KEPT: usize = 32 << 20;

/// A text or picture after its tower.
pub(crate) struct Embedded {
    /// Of length 1, (D).
    pub vector: Vec<f32>,
    /// What a user should know of how words were read.
    pub remarks: Vec<Remark>,
    /// Of a text.
    pub tokens: usize,
    /// Width and height of a picture before it was fitted.
    pub size: Size,
}

impl Embedded {
    /// What has its vector already.
    pub fn of(vector: Vec<f32>) -> Self {
        Self { vector, remarks: Vec::new(), tokens: 0, size: (0, 0) }
    }
}

/// Width and height.
pub(crate) type Size = (u32, u32);

struct Input<T> {
    encoder: Arc<CpuEncoder>,
    content: T,
}

type Key = [u8; 32];
type Tower<T> = Queue<Input<T>, Arc<Embedded>>;

/// See the module.
pub(crate) struct Embedder {
    texts: Tower<String>,
    pictures: Tower<(RgbImage, Size)>,
    /// Where pictures that clients sent are decoded.
    decoding: Room,
    limits: Limits,
    kept: Mutex<Lru<Key, Arc<Embedded>>>,
}

impl Embedder {
    pub fn start(settings: &Settings) -> std::io::Result<Self> {
        let waiting = settings.waiting;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            texts: Queue::start("texts", waiting.texts, TEXTS, |inputs| by_model(inputs, texts))?,
            pictures: Queue::start("pictures", waiting.pictures, PICTURES, |inputs| {
                by_model(inputs, pictures)
            })?,
            decoding: Room::new("pictures to be decoded", threads, waiting.pictures),
            limits: settings.limits.picture,
            kept: Mutex::new(Lru::new(KEPT)),
        })
    }

    /// Texts and pictures that wait, for the metrics.
    pub fn waiting(&self) -> [(&'static str, usize); 3] {
        [
            ("texts", self.texts.len()),
            ("pictures", self.pictures.len()),
            ("decoding", self.decoding.len()),
        ]
    }

    /// The vectors of some texts, in their order.
    pub async fn texts(
        &self,
        encoder: &Arc<CpuEncoder>,
        texts: &[String],
    ) -> Result<Vec<Arc<Embedded>>, Problem> {
        let keys: Vec<Key> =
            texts.iter().map(|text| key(encoder, "text", text.as_bytes())).collect();
        let mut found: Vec<_> = keys.iter().map(|key| self.kept(key)).collect();
        let missing: Vec<usize> = (0..texts.len()).filter(|&at| found[at].is_none()).collect();
        // In parts: a long list takes its turns between the queries of others.
        for part in missing.chunks(TEXTS) {
            let input =
                |&at: &usize| Input { encoder: Arc::clone(encoder), content: texts[at].clone() };
            let embedded = self.texts.ask_all(part.iter().map(input).collect()).await?;
            for (&at, embedded) in part.iter().zip(embedded) {
                self.keep(keys[at], &embedded);
                found[at] = Some(embedded);
            }
        }
        Ok(found.into_iter().map(|one| one.expect("kept, or just embedded")).collect())
    }

    /// The vector of a picture's encoded bytes; `name` is what the client calls it.
    pub async fn picture(
        &self,
        encoder: &Arc<CpuEncoder>,
        name: String,
        bytes: Vec<u8>,
    ) -> Result<Arc<Embedded>, Problem> {
        let key = key(encoder, "picture", &bytes);
        if let Some(embedded) = self.kept(&key) {
            return Ok(embedded);
        }
        let (limits, fitting) = (self.limits, Arc::clone(encoder));
        let decode = move || {
            let fit = |picture: Picture| {
                let square = fitting.preprocess().fit(&picture);
                (square, picture.dimensions())
            };
            decode_then(&bytes, limits, fit).map_err(|error| Problem::picture(&name, &error))
        };
        let content = self.decoding.run(decode).await?;
        let embedded = self.fitted(encoder, content).await?;
        self.keep(key, &embedded);
        Ok(embedded)
    }

    /// The vector of a picture that is at the model's size already, with its own size.
    pub async fn fitted(
        &self,
        encoder: &Arc<CpuEncoder>,
        content: (RgbImage, Size),
    ) -> Result<Arc<Embedded>, Problem> {
        self.pictures.ask(Input { encoder: Arc::clone(encoder), content }).await
    }

    fn kept(&self, key: &Key) -> Option<Arc<Embedded>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(key)
    }

    fn keep(&self, key: Key, embedded: &Arc<Embedded>) {
        let words = |remark: &Remark| match remark {
            Remark::Unknown { words, .. } | Remark::Width(words) => words.len(),
            Remark::Rerank(said) => said.len(),
            Remark::Lost(_) => 0,
        };
        let own = 4 * embedded.vector.len() + embedded.remarks.iter().map(words).sum::<usize>();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // The maps' own share beside it.
        kept.put(key, Arc::clone(embedded), own + 256);
    }
}

/// Tells inputs apart without keeping them.
fn key(encoder: &CpuEncoder, what: &str, bytes: &[u8]) -> Key {
    let mut hasher = blake3::Hasher::new();
    hasher.update(encoder.fingerprint().as_bytes()).update(what.as_bytes()).update(b"\0");
    *hasher.update(bytes).finalize().as_bytes()
}

type Answers = Vec<Result<Arc<Embedded>, Problem>>;

/// Runs each model over its own inputs; answers stand where their inputs stood.
fn by_model<T>(inputs: Vec<Input<T>>, forward: impl Fn(&CpuEncoder, Vec<T>) -> Answers) -> Answers {
    let mut groups: Vec<(Arc<CpuEncoder>, Vec<usize>, Vec<T>)> = Vec::new();
    let count = inputs.len();
    for (at, Input { encoder, content }) in inputs.into_iter().enumerate() {
        match groups.iter_mut().find(|(of, ..)| Arc::ptr_eq(of, &encoder)) {
            Some((_, places, contents)) => {
                places.push(at);
                contents.push(content);
            }
            None => groups.push((encoder, vec![at], vec![content])),
        }
    }
    let mut answers: Vec<_> = (0..count).map(|_| None).collect();
    for (encoder, places, contents) in groups {
        let embedded = forward(&encoder, contents);
        places.into_iter().zip(embedded).for_each(|(at, one)| answers[at] = Some(one));
    }
    answers.into_iter().map(|one| one.expect("each is in a group")).collect()
}

fn texts(encoder: &CpuEncoder, texts: Vec<String>) -> Answers {
    let read = |text: &String| -> Result<_, Problem> {
        // As `Query::and_words` has it.
        let text = tuwen_text::visible(text);
        let text = text.trim();
        let remarks = Remark::on(encoder, text)?;
        Ok((encoder.tokenise(text).map_err(Problem::internal)?, remarks))
    };
    let read: Vec<_> = texts.par_iter().map(read).collect();
    let inputs: Vec<_> = read.iter().flatten().map(|(input, _)| input.clone()).collect();
    let mut rows = rows(encoder, Batch::Texts(&inputs), |at| Batch::Texts(&inputs[at..=at]));
    let embedded = |read: Result<(tuwen_encode::TextInput, _), Problem>| {
        let (input, remarks) = read?;
        let vector = rows.next().expect("a row for each text that was read")?;
        let tokens = input.pieces.iter().map(Vec::len).sum();
        Ok(Arc::new(Embedded { vector, remarks, tokens, size: (0, 0) }))
    };
    read.into_iter().map(embedded).collect()
}

fn pictures(encoder: &CpuEncoder, pictures: Vec<(RgbImage, Size)>) -> Answers {
    let (pictures, sizes): (Vec<RgbImage>, Vec<Size>) = pictures.into_iter().unzip();
    let rows = rows(encoder, Batch::Images(&pictures), |at| Batch::Images(&pictures[at..=at]));
    let embedded = |(vector, size): (Result<Vec<f32>, Problem>, Size)| {
        Ok(Arc::new(Embedded { vector: vector?, remarks: Vec::new(), tokens: 0, size }))
    };
    rows.zip(sizes).map(embedded).collect()
}

/// The rows of a batch. Where it fails as a whole, each input has a pass of its own, so that one that the model
/// cannot embed is not the failure of others.
fn rows<'b>(
    encoder: &CpuEncoder,
    batch: Batch<'b>,
    alone: impl Fn(usize) -> Batch<'b>,
) -> std::vec::IntoIter<Result<Vec<f32>, Problem>> {
    if batch.is_empty() {
        return Vec::new().into_iter();
    }
    let forward = |batch| encoder.forward(batch, Output::Embedding);
    let rows: Vec<_> = match forward(batch) {
        Ok(rows) => rows.chunks_exact(encoder.dim()).map(|row| Ok(row.to_vec())).collect(),
        Err(_) => {
            let one = |at| forward(alone(at)).map_err(Problem::internal);
            (0..batch.len()).map(one).collect()
        }
    };
    rows.into_iter()
}
