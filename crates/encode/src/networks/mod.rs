//! ImageNet's convolutional networks as data: which layers they have, in which order and under which names. Parameters
//! are read off such a plan, and `towers/network` runs it.
//!
//! Names of weights are torchvision's for ResNet, VGG and Inception, and timm's for EfficientNet.

mod efficient;
mod inception;
mod residual;
mod vgg;

use tuwen_nn::{Bend, Padding, Window};

use crate::config::Network;

/// A network until its feature: what lies behind the last stage is a row for each picture.
pub(crate) type Plan = Vec<Stage<Layer>>;

/// A part of a network whose result can be asked for.
pub(crate) struct Stage<L> {
    /// As people call it.
    pub(crate) name: String,
    pub(crate) steps: Vec<Step<L>>,
}

/// What happens to a square of pixels; `L` is a convolution.
pub(crate) enum Step<L> {
    Layer(L),
    /// The largest that the window sees.
    Largest(Window),
    /// The mean of what it sees.
    Mean(Window),
    /// All pixels become one.
    MeanOfAll,
    /// What these steps make is added to what they were given, which goes through a convolution where its size changes,
    /// and then bent.
    Residual {
        inner: Vec<Step<L>>,
        shortcut: Option<L>,
        bend: Bend,
    },
    /// The channels that several rows of steps make, side by side.
    Beside(Vec<Vec<Step<L>>>),
    /// Each channel times a gate that its mean and those of the others have set.
    Gate {
        down: L,
        up: L,
    },
}

/// A convolution, what follows it, and how it is bent.
pub(crate) struct Layer {
    /// Its weight is `NAME.weight`.
    pub(crate) name: String,
    pub(crate) behind: After,
    pub(crate) out: usize,
    /// Channels that a kernel has.
    pub(crate) wide: usize,
    pub(crate) window: Window,
    /// Whether each channel has its own kernel.
    pub(crate) each: bool,
    pub(crate) bend: Bend,
    /// Whether it ends a branch.
    pub(crate) silent: bool,
}

/// What follows a convolution.
pub(crate) enum After {
    /// A batch normalisation of this name and epsilon.
    Norm(String, f32),
    /// A bias, and then such a one.
    BiasAndNorm(String, f32),
    Bias,
}

/// PyTorch's for a batch normalisation, and TensorFlow's.
const EPS: [f32; 2] = [1e-5, 1e-3];

impl Network {
    /// Its layers.
    pub(crate) fn plan(&self) -> Plan {
        match *self {
            Self::Residual { stem, blocks, bottleneck } => residual::plan(stem, blocks, bottleneck),
            Self::Vgg { convolutions, widths, hidden, norm } => {
                vgg::plan(convolutions, widths, hidden, norm)
            }
            Self::Inception { stem } => inception::plan(stem),
            Self::Efficient { stem, head, stages, squeeze, tensorflow } => {
                efficient::plan([stem, head], &stages, squeeze, tensorflow)
            }
        }
    }

    /// Width of its feature.
    pub(crate) fn width(&self) -> usize {
        match *self {
            Self::Residual { stem, bottleneck, .. } => stem * if bottleneck { 32 } else { 8 },
            Self::Vgg { hidden, .. } => hidden[1],
            Self::Inception { stem } => 64 * stem,
            Self::Efficient { head, .. } => head,
        }
    }
}

impl Layer {
    /// A convolution of `[wide, out]` channels with a normalisation called `norm` behind it, and ReLU.
    fn normed(name: &str, norm: &str, [wide, out]: [usize; 2], window: Window, eps: f32) -> Self {
        let (name, behind) = (name.to_owned(), After::Norm(norm.to_owned(), eps));
        Self { name, behind, out, wide, window, each: false, bend: Bend::Relu, silent: false }
    }

    /// The same with a bias.
    fn biased(name: &str, channels: [usize; 2], window: Window) -> Self {
        Self { behind: After::Bias, ..Self::normed(name, "", channels, window, 0.0) }
    }

    fn bent(self, bend: Bend) -> Self {
        Self { bend, ..self }
    }

    /// The same at the end of a branch, where nothing is bent.
    fn last(self) -> Self {
        Self { silent: true, ..self.bent(Bend::None) }
    }

    fn step(self) -> Step<Self> {
        Step::Layer(self)
    }
}

impl<L> Step<L> {
    /// The same steps of other layers.
    pub(crate) fn map<M, E>(self, f: &mut impl FnMut(L) -> Result<M, E>) -> Result<Step<M>, E> {
        Ok(match self {
            Self::Layer(layer) => Step::Layer(f(layer)?),
            Self::Largest(window) => Step::Largest(window),
            Self::Mean(window) => Step::Mean(window),
            Self::MeanOfAll => Step::MeanOfAll,
            Self::Gate { down, up } => Step::Gate { down: f(down)?, up: f(up)? },
            Self::Residual { inner, shortcut, bend } => Step::Residual {
                inner: mapped(inner, f)?,
                shortcut: shortcut.map(&mut *f).transpose()?,
                bend,
            },
            Self::Beside(rows) => {
                Step::Beside(rows.into_iter().map(|row| mapped(row, f)).collect::<Result<_, E>>()?)
            }
        })
    }

    /// Every layer, in its order.
    pub(crate) fn layers(&self) -> Vec<&L> {
        match self {
            Self::Layer(layer) => vec![layer],
            Self::Largest(_) | Self::Mean(_) | Self::MeanOfAll => Vec::new(),
            Self::Residual { inner, shortcut, .. } => {
                inner.iter().flat_map(Self::layers).chain(shortcut).collect()
            }
            Self::Beside(rows) => rows.iter().flatten().flat_map(Self::layers).collect(),
            Self::Gate { down, up } => vec![down, up],
        }
    }
}

/// The same steps of other layers.
pub(crate) fn mapped<L, M, E>(
    steps: Vec<Step<L>>,
    f: &mut impl FnMut(L) -> Result<M, E>,
) -> Result<Vec<Step<M>>, E> {
    steps.into_iter().map(|step| step.map(f)).collect()
}

fn stage(name: impl Into<String>, steps: Vec<Step<Layer>>) -> Stage<Layer> {
    Stage { name: name.into(), steps }
}

/// A window without anything around the picture.
fn bare(side: usize, stride: usize) -> Window {
    Window { kernel: [side; 2], stride, padding: Padding::Around([0; 2]) }
}
