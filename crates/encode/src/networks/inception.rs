//! Inception v3, <https://github.com/pytorch/vision/blob/main/torchvision/models/inception.py>; timm's has the same names.
//! Its auxiliary classifier is for training alone.

use tuwen_nn::{Padding, Window};

use super::{EPS, Layer, Plan, Step, bare, stage};

/// Blocks of one resolution: channels of a first convolution of 32, which others are in proportion to.
struct Parts {
    stem: usize,
}

/// A block's branch.
type Branch = Vec<Step<Layer>>;

/// A window of rows and columns around each pixel.
fn around(kernel: [usize; 2]) -> Window {
    Window { kernel, stride: 1, padding: Padding::Around(kernel.map(|side| side / 2)) }
}

impl Parts {
    /// So many channels where the first convolution has 32.
    fn of(&self, channels: usize) -> usize {
        channels * self.stem / 32
    }

    fn layer(&self, name: &str, [wide, out]: [usize; 2], window: Window) -> Step<Layer> {
        let wide = if wide == 3 { 3 } else { self.of(wide) };
        let (conv, norm) = (format!("{name}.conv"), format!("{name}.bn"));
        Layer::normed(&conv, &norm, [wide, self.of(out)], window, EPS[1]).step()
    }

    /// Convolutions one behind the other: of each its name in the block, the channels that it gives, its window.
    fn branch(&self, block: &str, from: usize, layers: &[(&str, usize, Window)]) -> Branch {
        let mut wide = from;
        let layer = |(name, out, window): &(&str, usize, Window)| {
            let layer = self.layer(&format!("{block}.{name}"), [wide, *out], *window);
            wide = *out;
            layer
        };
        layers.iter().map(layer).collect()
    }

    /// The mean around each pixel, and a convolution.
    fn pooled(&self, block: &str, from: usize, out: usize) -> Branch {
        let mut branch = vec![Step::Mean(around([3, 3]))];
        branch.extend(self.branch(block, from, &[("branch_pool", out, around([1, 1]))]));
        branch
    }

    fn a(&self, block: &str, from: usize, pool: usize) -> Step<Layer> {
        let [one, three, five] = [1, 3, 5].map(|side| around([side; 2]));
        Step::Beside(vec![
            self.branch(block, from, &[("branch1x1", 64, one)]),
            self.branch(block, from, &[("branch5x5_1", 48, one), ("branch5x5_2", 64, five)]),
            self.branch(
                block,
                from,
                &[
                    ("branch3x3dbl_1", 64, one),
                    ("branch3x3dbl_2", 96, three),
                    ("branch3x3dbl_3", 96, three),
                ],
            ),
            self.pooled(block, from, pool),
        ])
    }

    fn b(&self, block: &str, from: usize) -> Step<Layer> {
        let doubled = [
            ("branch3x3dbl_1", 64, around([1, 1])),
            ("branch3x3dbl_2", 96, around([3, 3])),
            ("branch3x3dbl_3", 96, bare(3, 2)),
        ];
        Step::Beside(vec![
            self.branch(block, from, &[("branch3x3", 384, bare(3, 2))]),
            self.branch(block, from, &doubled),
            vec![Step::Largest(bare(3, 2))],
        ])
    }

    fn c(&self, block: &str, inner: usize) -> Step<Layer> {
        let [one, row, column] = [[1, 1], [1, 7], [7, 1]].map(around);
        let single = [
            ("branch7x7_1", inner, one),
            ("branch7x7_2", inner, row),
            ("branch7x7_3", 192, column),
        ];
        let doubled = [
            ("branch7x7dbl_1", inner, one),
            ("branch7x7dbl_2", inner, column),
            ("branch7x7dbl_3", inner, row),
            ("branch7x7dbl_4", inner, column),
            ("branch7x7dbl_5", 192, row),
        ];
        Step::Beside(vec![
            self.branch(block, 768, &[("branch1x1", 192, one)]),
            self.branch(block, 768, &single),
            self.branch(block, 768, &doubled),
            self.pooled(block, 768, 192),
        ])
    }

    fn d(&self, block: &str) -> Step<Layer> {
        let [one, row, column] = [[1, 1], [1, 7], [7, 1]].map(around);
        let seven = [
            ("branch7x7x3_1", 192, one),
            ("branch7x7x3_2", 192, row),
            ("branch7x7x3_3", 192, column),
            ("branch7x7x3_4", 192, bare(3, 2)),
        ];
        Step::Beside(vec![
            self.branch(block, 768, &[("branch3x3_1", 192, one), ("branch3x3_2", 320, bare(3, 2))]),
            self.branch(block, 768, &seven),
            vec![Step::Largest(bare(3, 2))],
        ])
    }

    fn e(&self, block: &str, from: usize) -> Step<Layer> {
        let [one, three, row, column] = [[1, 1], [3, 3], [1, 3], [3, 1]].map(around);
        // Both see what the layers before them give.
        let split = |mut branch: Branch, from: usize, names: [&str; 2]| {
            let half = |name, window| self.branch(block, from, &[(name, 384, window)]);
            branch.push(Step::Beside(vec![half(names[0], row), half(names[1], column)]));
            branch
        };
        let single = self.branch(block, from, &[("branch3x3_1", 384, one)]);
        let doubled = self.branch(
            block,
            from,
            &[("branch3x3dbl_1", 448, one), ("branch3x3dbl_2", 384, three)],
        );
        Step::Beside(vec![
            self.branch(block, from, &[("branch1x1", 320, one)]),
            split(single, 384, ["branch3x3_2a", "branch3x3_2b"]),
            split(doubled, 384, ["branch3x3dbl_3a", "branch3x3dbl_3b"]),
            self.pooled(block, from, 192),
        ])
    }
}

/// A stem, eleven blocks, and the mean of the last grid.
pub(super) fn plan(stem: usize) -> Plan {
    let parts = Parts { stem };
    let first = vec![
        parts.layer("Conv2d_1a_3x3", [3, 32], bare(3, 2)),
        parts.layer("Conv2d_2a_3x3", [32, 32], bare(3, 1)),
        parts.layer("Conv2d_2b_3x3", [32, 64], around([3, 3])),
        Step::Largest(bare(3, 2)),
    ];
    let second = vec![
        parts.layer("Conv2d_3b_1x1", [64, 80], bare(1, 1)),
        parts.layer("Conv2d_4a_3x3", [80, 192], bare(3, 1)),
        Step::Largest(bare(3, 2)),
    ];
    let mut plan = vec![stage("stem", first), stage("Conv2d_4a_3x3", second)];
    let mut block = |name: &str, make: &dyn Fn(&str) -> Step<Layer>| {
        plan.push(stage(name, vec![make(name)]));
    };
    block("Mixed_5b", &|name| parts.a(name, 192, 32));
    block("Mixed_5c", &|name| parts.a(name, 256, 64));
    block("Mixed_5d", &|name| parts.a(name, 288, 64));
    block("Mixed_6a", &|name| parts.b(name, 288));
    block("Mixed_6b", &|name| parts.c(name, 128));
    block("Mixed_6c", &|name| parts.c(name, 160));
    block("Mixed_6d", &|name| parts.c(name, 160));
    block("Mixed_6e", &|name| parts.c(name, 192));
    block("Mixed_7a", &|name| parts.d(name));
    block("Mixed_7b", &|name| parts.e(name, 1280));
    block("Mixed_7c", &|name| parts.e(name, 2048));
    plan.push(stage("pool", vec![Step::MeanOfAll]));
    plan
}
