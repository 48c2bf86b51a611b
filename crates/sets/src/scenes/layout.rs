//! Where the things of a scene are, and how large: boxes in shares of the side, from the upper left corner.

use tuwen_image::rng::Rng;

use super::grounds::Place;
use super::stock::Actor;
use super::words::Relation;

/// The longest side of a thing is at least so much of the scene's, so that it can be recognised.
pub const SMALLEST: f32 = 0.23;
/// Room at the edges.
const EDGE: f32 = 0.02;

/// A thing in its place.
#[derive(Clone, Copy, Debug)]
pub struct Placed<'s> {
    /// Which picture.
    pub actor: &'s Actor,
    /// Its left edge.
    pub left: f32,
    /// Its upper edge.
    pub top: f32,
    /// Its width.
    pub width: f32,
    /// Its height.
    pub height: f32,
    /// Whether it stands or flies.
    pub place: Place,
}

impl<'s> Placed<'s> {
    /// A thing with its longest side as wanted, or as large as there is room. None where that is too small.
    fn fit(actor: &'s Actor, longest: f32, room: [f32; 2], place: Place) -> Option<Self> {
        let (width, height) = actor.cutout.dimensions();
        let (width, height) = (width as f32, height as f32);
        let scale = (longest / width.max(height)).min(room[0] / width).min(room[1] / height);
        let (width, height) = (width * scale, height * scale);
        let fits = width.max(height) >= SMALLEST;
        fits.then_some(Self { actor, left: 0.0, top: 0.0, width, height, place })
    }

    /// With its middle and its lower edge there, moved into the picture where it would leave it.
    fn at(mut self, middle: f32, base: f32) -> Self {
        self.left = (middle - self.width / 2.0).clamp(EDGE, (1.0 - EDGE - self.width).max(EDGE));
        self.top = (base - self.height).max(EDGE);
        self
    }

    /// Its lower edge.
    pub fn base(&self) -> f32 {
        self.top + self.height
    }

    /// Its middle from the left.
    pub fn middle(&self) -> f32 {
        self.left + self.width / 2.0
    }

    /// Whether both share some of the width.
    fn overlaps_in_width(&self, other: &Self) -> bool {
        self.left < other.left + other.width && other.left < self.left + self.width
    }
}

/// Whether what a relation says is true of two boxes, the first of which is drawn later.
pub fn is_true(relation: Relation, first: &Placed<'_>, second: &Placed<'_>) -> bool {
    let gap = (first.left - second.left - second.width).max(second.left - first.left - first.width);
    match relation {
        Relation::NextTo => {
            first.place == second.place
                && (-0.03..0.2).contains(&gap)
                && (first.base() - second.base()).abs() < 0.1
        }
        Relation::InFrontOf => {
            first.base() > second.base() + 0.02 && gap < -0.1 && first.top > second.top
        }
        Relation::Under => {
            first.top > second.top + 0.1 && first.base() > second.base() && gap < -0.03
        }
        Relation::Above => first.base() <= second.top + 1e-3 && first.overlaps_in_width(second),
        Relation::On => {
            let inside = (second.left..second.left + second.width).contains(&first.middle());
            inside && first.base() >= second.top && first.base() < second.top + second.height * 0.3
        }
    }
}

/// Where the things of one ground may be.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Where they stand, fly or are.
    pub place: Place,
    /// Where the sky ends.
    pub horizon: f32,
}

impl Room {
    /// The lowest and highest lower edge, and the height above the lowest.
    fn bases(self) -> [f32; 2] {
        match self.place {
            Place::Stands => [self.horizon + 0.1, 0.96],
            Place::Flies => [0.3, self.horizon - 0.04],
            Place::Anywhere => [0.5, 0.96],
        }
    }

    /// Things in a row, or in two where they are many; farther ones come first. None where there is no room.
    pub fn rows<'s>(self, actors: &[Pick<'s>], rng: &mut Rng) -> Option<Vec<Placed<'s>>> {
        let [first, last] = self.bases();
        let rows = if actors.len() > 3 { 2 } else { 1 };
        if self.place == Place::Flies && rows > 1 {
            return None;
        }
        let columns = actors.len().div_ceil(rows);
        let room = match (self.place, rows) {
            (Place::Flies, _) => last - 0.04,
            (_, 1) => 0.8,
            _ => 0.44,
        };
        let mut out = Vec::new();
        for (row, actors) in actors.chunks(columns).enumerate() {
            let slot = (1.0 - 2.0 * EDGE) / actors.len() as f32;
            let base = match (rows, self.place) {
                (1, Place::Anywhere) => rng.range(0.6, 0.9),
                (1, _) => rng.range(first.min(last), last),
                (_, Place::Stands) => [first + 0.06, last][row],
                _ => [0.48, 0.96][row],
            };
            for (at, pick) in actors.iter().enumerate() {
                let placed =
                    Placed::fit(pick.actor, pick.longest, [slot * 0.98, room], self.place)?;
                let free = slot - placed.width;
                let middle = EDGE + slot * (at as f32 + 0.5) + free * rng.range(-0.35, 0.35);
                out.push(placed.at(middle, (base + rng.range(-0.03, 0.03)).min(0.98)));
            }
        }
        out.sort_by(|a, b| a.base().total_cmp(&b.base()));
        Some(out)
    }

    /// Two things, the second first, so that the relation is true. None where there is no room for that.
    pub fn related<'s>(
        self,
        relation: Relation,
        pair: [Pick<'s>; 2],
        rng: &mut Rng,
    ) -> Option<Vec<Placed<'s>>> {
        let [first, second] = pair;
        let place = self.place;
        let (middle, lowest) = (rng.range(0.35, 0.65), rng.range(0.86, 0.95));
        let fit = |pick: Pick<'s>, room, place| Placed::fit(pick.actor, pick.longest, room, place);
        let out = match relation {
            Relation::NextTo => {
                let side = [0.47, 0.8];
                let (a, b) = (fit(first, side, place)?, fit(second, side, place)?);
                let left = 0.5 - (a.width + b.width) / 2.0;
                let [low, high] = self.bases();
                let base = rng.range(low.max(high - 0.2), high);
                let mut pair = [
                    a.at(left + a.width / 2.0, base),
                    b.at(left + a.width + b.width / 2.0 + 0.02, base),
                ];
                if rng.chance(0.5) {
                    pair = [
                        a.at(left + b.width + a.width / 2.0 + 0.02, base),
                        b.at(left + b.width / 2.0, base),
                    ];
                }
                pair
            }
            Relation::InFrontOf => {
                let b = Pick { longest: second.longest.max(0.62), ..second };
                let b = fit(b, [0.92, 0.72], place)?.at(middle, lowest - rng.range(0.1, 0.16));
                // Half of what is behind is seen at least.
                let a = Pick { longest: first.longest.min(0.34), ..first };
                let a = fit(a, [b.width * 0.55, 0.34], place)?;
                let aside = if rng.chance(0.5) { 0.24 } else { -0.24 };
                [a.at(b.middle() + b.width * aside, lowest), b]
            }
            Relation::Under if second.actor.thing.english.ends_with("tree") => {
                let b = fit(second, [0.9, 0.8], place)?.at(middle, lowest - 0.04);
                let a =
                    fit(Pick { longest: first.longest.min(0.32), ..first }, [0.4, 0.34], place)?;
                let aside = if rng.chance(0.5) { 0.28 } else { -0.28 };
                [a.at(b.middle() + b.width * aside, lowest), b]
            }
            Relation::Under | Relation::Above => {
                let high = if relation == Relation::Above { first } else { second };
                let low = if relation == Relation::Above { second } else { first };
                let under = fit(low, [0.6, 0.48], place)?.at(middle, lowest);
                let far = if place == Place::Stands { Place::Flies } else { place };
                let over = fit(high, [0.5, (under.top - 0.06).max(0.01)], far)?;
                let highest = over.height + EDGE;
                let base = rng.range(highest.min(under.top - 0.03), under.top - 0.03);
                let over = over.at(under.middle() + rng.range(-0.08, 0.08), base);
                if relation == Relation::Above { [over, under] } else { [under, over] }
            }
            Relation::On => {
                let b = fit(second, [0.8, 0.5], place)?.at(middle, lowest);
                let [from, to, top] = flat_top(b.actor)?;
                let wide = (to - from) * b.width;
                let a = Pick { longest: first.longest.min(0.36), ..first };
                let a = fit(a, [wide * 1.15, (b.top - EDGE).max(0.01)], place)?;
                [a.at(b.left + (from + to) / 2.0 * b.width, b.top + top * b.height + 0.012), b]
            }
        };
        is_true(relation, &out[0], &out[1]).then(|| vec![out[1], out[0]])
    }
}

/// A picture with the size that is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Pick<'s> {
    /// Which picture.
    pub actor: &'s Actor,
    /// Its longest side.
    pub longest: f32,
}

/// Where a thing is flat on top: from and to as shares of its width, and how far down as a share of its height.
/// None where it is not.
fn flat_top(actor: &Actor) -> Option<[f32; 3]> {
    let tops = actor.cutout.tops();
    let height = actor.cutout.dimensions().1 as f32;
    let middle = &tops[tops.len() / 5..tops.len() * 4 / 5];
    let (least, most) = (*middle.iter().min()? as f32, *middle.iter().max()? as f32);
    (most - least <= 0.07 * height && least < 0.25 * height).then_some([0.2, 0.8, most / height])
}
