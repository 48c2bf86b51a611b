//! One score's backward pass: a picture or a text goes through its tower once, and the gradient of its cosine with a given
//! vector goes back through it. Explanations are made of what is met there.

use tuwen_image::RgbImage;
use tuwen_nn::{Attended, Linear, Tape, Value, grads};

use super::CpuEncoder;
use crate::params::Part;
use crate::towers::{AnyImageTower, PassGradients, Record, Wanted};
use crate::{Error, Result};

/// A score and what led to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// The cosine with the given vector.
    pub score: f32,
    /// The unit vector that has it, (D).
    pub vector: Vec<f32>,
    /// (rows, W) behind the block of [`Wanted::from`], as the tower orders them.
    pub rows: Vec<f32>,
    /// The gradient of these rows, or of the pixels, (3 R R), with [`Wanted::input_gradient`].
    pub gradient: Vec<f32>,
    /// With [`Wanted::attention`], of each attention that was passed in the backward pass.
    pub attended: Vec<Attended>,
}

/// The same of a text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextTrace {
    /// See [`Trace`]; `rows` are tokens.
    pub trace: Trace,
    /// Which of the text's ids each row is; None for a prefix that the tower adds.
    pub origins: Vec<Option<usize>>,
    /// What each id adds to the score through a bag of words; empty without one.
    pub bag: Vec<f32>,
}

impl CpuEncoder {
    /// A picture of R x R on its way to its cosine with `toward`, a unit vector (D), and back. With
    /// [`Wanted::readouts`] the sum of the cosines of all readouts is what goes back.
    ///
    /// # Errors
    /// What the tower does not give, or a file that cannot be read.
    pub fn trace_image(
        &self,
        picture: &RgbImage,
        toward: &[f32],
        wanted: &Wanted,
    ) -> Result<Trace> {
        wanted.check(&self.config, Part::Image)?;
        self.one_grid("explanations of pictures")?;
        let pixels = self.pixels(std::slice::from_ref(picture)).map_err(Error::Data)?;
        let (tower, head) = self.image_side(&self.traced_image, true)?;
        if let (AnyImageTower::ResNet(_), true) = (tower, wanted.input_gradient) {
            return Err(Error::NotGiven {
                tower: format!("the image tower of {}", self.config.name),
                what: "gradient of its pixels".into(),
                cure: "ask for that of its last grid".into(),
            });
        }
        let pass = tower.forward_with(&pixels, None, Record::All, wanted);
        let found = cosine(&pass.features, head.as_ref(), toward);
        let readout = |features: &Vec<f32>| cosine(features, head.as_ref(), toward).dfeature;
        let readouts: Vec<Vec<f32>> = pass.readouts.iter().map(readout).collect();
        let rows = pass.from.as_ref().map_or_else(Vec::new, |from| from.values.clone());
        // What a readout is wanted of ends where the tower's last block does.
        let features = if wanted.readouts { &[][..] } else { &found.dfeature };
        let of = PassGradients { features, readouts: &readouts, ..Default::default() };
        let told = tower.tell_from(pass, of);
        Ok(Trace {
            score: found.score,
            vector: found.vector,
            rows,
            gradient: told.gradient.unwrap_or_default(),
            attended: told.attended.into_iter().flatten().collect(),
        })
    }

    /// A text's ids, one piece of [`crate::TextInput::pieces`], on their way to their cosine with `toward` and back.
    ///
    /// # Errors
    /// As [`Self::trace_image`].
    pub fn trace_text(&self, ids: &[u32], toward: &[f32], wanted: &Wanted) -> Result<TextTrace> {
        wanted.check(&self.config, Part::Text)?;
        let (tower, head) = self.text_side(&self.traced_text, true)?;
        let way = self.way_of(ids.len());
        let pass = tower.try_told(&[ids], wanted)?;
        let found = cosine_of(&pass.features, toward, |tape, features| {
            head.project_by(tape, features, way)
        });
        let rows = pass.from.as_ref().map_or_else(Vec::new, |from| from.values.clone());
        let (told, mut bags) = tower.tell_from(pass, &[ids], &found.dfeature);
        let trace = Trace {
            score: found.score,
            vector: found.vector,
            rows,
            gradient: told.gradient.unwrap_or_default(),
            attended: told.attended.into_iter().flatten().collect(),
        };
        Ok(TextTrace { trace, origins: tower.origins(ids), bag: bags.pop().unwrap_or_default() })
    }
}

/// The cosine of a feature, (W), with a unit vector.
struct Cosine {
    score: f32,
    /// The feature in the common space.
    vector: Vec<f32>,
    /// The cosine's gradient.
    dfeature: Vec<f32>,
}

fn cosine<'w>(feature: &[f32], head: Option<&'w Linear<'w>>, toward: &[f32]) -> Cosine {
    cosine_of(feature, toward, |tape, feature| match head {
        Some(head) => tape.linear(feature, head),
        None => feature.clone(),
    })
}

fn cosine_of<'w>(
    feature: &[f32],
    toward: &[f32],
    project: impl FnOnce(&mut Tape<'w>, &Value) -> Value,
) -> Cosine {
    let mut tape = Tape::recording();
    let leaf = tape.leaf(feature.to_vec(), feature.len(), true);
    let projected = project(&mut tape, &leaf);
    let unit = tape.normalise(&projected);
    let score = unit.iter().zip(toward).map(|(a, b)| a * b).sum();
    let (_, mut found) = grads::collect(vec![tape], |tape, grads| {
        tape.backward(vec![(&unit, toward.to_vec())], grads).take(&leaf)
    });
    let dfeature = found.pop().flatten().unwrap_or_else(|| vec![0.0; feature.len()]);
    Cosine { score, vector: unit.into_vec(), dfeature }
}
