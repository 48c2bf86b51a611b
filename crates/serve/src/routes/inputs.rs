//! What several questions take: texts, pictures as data URIs and items of the gallery, read within limits and made
//! into vectors.

use std::sync::Arc;

use tuwen_encode::{CpuEncoder, Encoder};
use tuwen_eval::classify::Probability;

use crate::State;
use crate::data_uri::{bytes_of, is_data_uri};
use crate::embedder::Embedded;
use crate::extract::check_text;
use crate::problem::{Problem, ProblemType};
use crate::routes::given::{Given, KEPT, Many};
use crate::routes::parts::of_item;
use crate::settings::Limits;
use crate::shelf::Open;

/// One of them; `name` is what the client calls it.
pub(crate) struct Input {
    pub name: String,
    pub what: What,
}

/// See the module.
pub(crate) enum What {
    Text(String),
    /// A data URI.
    Picture(String),
    /// The bytes of a picture's file.
    Bytes(Vec<u8>),
    Item(i64),
}

impl Input {
    /// A text or a data URI.
    pub fn of_text(limits: &Limits, name: String, text: String) -> Result<Self, Problem> {
        match is_data_uri(&text) {
            true => Ok(Self { name, what: What::Picture(text) }),
            false => Self::of_words(limits, &name, text),
        }
    }

    /// A text, whatever it looks like.
    pub fn of_words(limits: &Limits, name: &str, text: String) -> Result<Self, Problem> {
        if tuwen_text::visible(&text).trim().is_empty() {
            return Err(Problem::value(format!("{name}: the text is empty")));
        }
        check_text(limits, name, &text)?;
        Ok(Self { name: name.to_owned(), what: What::Text(text) })
    }

    /// The same, or the number of an item.
    pub fn of_given(limits: &Limits, name: String, given: Given) -> Result<Self, Problem> {
        match given {
            Given::Text(text) => Self::of_text(limits, name, text),
            Given::Number(id) => Ok(Self { name, what: What::Item(id) }),
            Given::Other => {
                let cure = "send a text, a picture as `data:image/png;base64,…`, or an item's `id`";
                Err(Problem::value(format!("{name}: it is none of what can be compared: {cure}")))
            }
        }
    }

    /// Refuses a picture that is no data URI with base64.
    pub fn check(&self) -> Result<(), Problem> {
        match &self.what {
            What::Picture(uri) => bytes_of(&self.name, uri).map(drop),
            What::Text(_) | What::Bytes(_) | What::Item(_) => Ok(()),
        }
    }

    /// A list of them, which is neither empty nor beyond the limit.
    pub fn list(limits: &Limits, name: &str, given: Many<Given>) -> Result<Vec<Self>, Problem> {
        check_count(limits, name, given.count)?;
        let one = |(at, given)| Self::of_given(limits, format!("{name}[{at}]"), given);
        given.kept.into_iter().enumerate().map(one).collect()
    }

    /// A list of texts and data URIs alone.
    pub fn texts(limits: &Limits, name: &str, given: Many<Given>) -> Result<Vec<Self>, Problem> {
        check_count(limits, name, given.count)?;
        let one = |(at, given)| match given {
            Given::Text(text) => Self::of_text(limits, format!("{name}[{at}]"), text),
            _ => {
                let detail = "it is no text; lists of token numbers are not taken";
                Err(Problem::value(format!("{name}[{at}]: {detail}")))
            }
        };
        given.kept.into_iter().enumerate().map(one).collect()
    }
}

/// Refuses a list that is empty or too long.
pub(crate) fn check_count(limits: &Limits, name: &str, given: usize) -> Result<(), Problem> {
    // The list may hold fewer than are counted.
    if (1..=limits.inputs.min(KEPT)).contains(&given) {
        return Ok(());
    }
    let most = limits.inputs.min(KEPT);
    let detail = format!("{name}: {given} texts or pictures, between 1 and {most} are taken");
    Err(match given {
        0 => Problem::value(detail),
        _ => Problem::new(ProblemType::TooLarge, detail),
    })
}

/// Vectors of the gallery's own model, in the inputs' order. Texts share passes; items have their vector already.
pub(crate) async fn embed_all(
    state: &State,
    encoder: &Arc<CpuEncoder>,
    open: &Arc<Open>,
    inputs: Vec<Input>,
) -> Result<Vec<Arc<Embedded>>, Problem> {
    let mut all: Vec<Option<Arc<Embedded>>> = vec![None; inputs.len()];
    let (mut places, mut texts) = (Vec::new(), Vec::new());
    for (at, Input { name, what }) in inputs.into_iter().enumerate() {
        let bytes = match what {
            What::Text(text) => {
                places.push(at);
                texts.push(text);
                continue;
            }
            What::Item(id) => {
                let (_, vector) = of_item(state, open, id).await.map_err(|problem| Problem {
                    detail: format!("{name}: {}", problem.detail),
                    ..problem
                })?;
                all[at] = Some(Arc::new(Embedded::of(vector)));
                continue;
            }
            What::Picture(uri) => bytes_of(&name, &uri)?,
            What::Bytes(bytes) => bytes,
        };
        all[at] = Some(state.embedder.picture(encoder, name, bytes).await?);
    }
    let embedded = state.embedder.texts(encoder, &texts).await?;
    places.into_iter().zip(embedded).for_each(|(at, one)| all[at] = Some(one));
    Ok(all.into_iter().map(|one| one.expect("each was embedded")).collect())
}

/// All vectors as one matrix, (N, D).
pub(crate) fn matrix(embedded: &[Arc<Embedded>]) -> Vec<f32> {
    embedded.iter().flat_map(|one| one.vector.iter().copied()).collect()
}

/// How a model's cosines become probabilities, as it was trained.
pub(crate) fn probability(encoder: &CpuEncoder) -> Result<Probability, Problem> {
    let (scale, bias) = encoder.logits().map_err(Problem::internal)?;
    Ok(match encoder.config().is_sigmoid() {
        true => Probability::Sigmoid { scale, bias },
        false => Probability::Softmax { scale },
    })
}

/// The model of that name, that of the first gallery where none is named.
pub(crate) fn model(state: &State, name: Option<&str>) -> Result<Arc<CpuEncoder>, Problem> {
    let encoders =
        state.shelves.iter().map(|shelf| Arc::clone(shelf.current().engine.shared_encoder()));
    let encoders: Vec<_> = encoders.collect();
    let Some(name) = name else { return Ok(Arc::clone(&encoders[0])) };
    let found = encoders.iter().find(|encoder| encoder.name() == name);
    found.cloned().ok_or_else(|| {
        let mut names: Vec<&str> = encoders.iter().map(|encoder| encoder.name()).collect();
        names.dedup();
        let detail = format!("model: there is no {name:?} here, only {}", names.join(", "));
        Problem::new(ProblemType::UnknownModel, detail)
    })
}
