//! The drawn pictures that scenes are made of, by thing.

use std::collections::BTreeMap;

use tuwen_image::rng::Rng;
use tuwen_image::{Cutout, Picture};

use super::colours::colour;
use super::things::{Thing, ThingKind, all, find};
use super::words::ColourWord;

/// One picture of a thing.
#[derive(Clone, Debug)]
pub struct Actor {
    /// What it is a picture of.
    pub thing: &'static Thing,
    /// The thing without its ground.
    pub cutout: Cutout,
    /// Its colour, where a word for it is true and helps.
    pub colour: Option<ColourWord>,
}

/// Why a picture is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Its name is of no thing that belongs into scenes.
    Name,
    /// It has neither transparency nor white paper around the thing, or hardly anything is on it.
    Ground,
}

/// All pictures.
#[derive(Debug, Default)]
pub struct Stock {
    /// By the thing's place in the table, so that an order of adding decides nothing but the pictures' own.
    things: BTreeMap<usize, Vec<Actor>>,
}

impl Stock {
    /// The thing of an English name.
    ///
    /// # Errors
    /// It is none of [`super::things`].
    pub fn thing(name: &str) -> Result<&'static Thing, Unfit> {
        find(name).ok_or(Unfit::Name)
    }

    /// A thing cut out of its picture.
    ///
    /// # Errors
    /// The picture has a ground of its own.
    pub fn actor(thing: &'static Thing, picture: &Picture) -> Result<Actor, Unfit> {
        let cutout = Cutout::new(picture).ok_or(Unfit::Ground)?;
        let colour = if says_colour(thing) { colour(&cutout) } else { None };
        Ok(Actor { thing, cutout, colour })
    }

    /// Adds a picture.
    pub fn add(&mut self, actor: Actor) {
        let place = all().iter().position(|thing| std::ptr::eq(thing, actor.thing));
        let place = place.expect("things are those of the table");
        self.things.entry(place).or_default().push(actor);
    }

    /// How many pictures, and of how many things.
    pub fn counts(&self) -> [usize; 2] {
        [self.things.values().map(Vec::len).sum(), self.things.len()]
    }

    /// All pictures of a thing of one of the kinds, each kind as likely as it is often named, each thing of it as
    /// likely as any other. None where there is no such thing.
    pub fn draw(
        &self,
        kinds: &[ThingKind],
        fits: impl Fn(&Thing) -> bool,
        rng: &mut Rng,
    ) -> Option<&[Actor]> {
        let of = |kind: ThingKind| {
            let fits = &fits;
            let things = self.things.values().map(Vec::as_slice);
            things.filter(move |actors| actors[0].thing.kind == kind && fits(actors[0].thing))
        };
        let there: Vec<ThingKind> =
            kinds.iter().copied().filter(|&kind| of(kind).next().is_some()).collect();
        if there.is_empty() {
            return None;
        }
        let things: Vec<_> = of(there[rng.below(there.len())]).collect();
        Some(things[rng.below(things.len())])
    }
}

/// Whether a word for a colour says anything of such a thing, and its name has none yet.
fn says_colour(thing: &Thing) -> bool {
    const NAMED: [&str; 6] = ["red", "green", "black", "white", "fried", "orange"];
    let first = thing.english.split(' ').next().unwrap_or_default();
    let kind = matches!(
        thing.kind,
        ThingKind::Vehicle
            | ThingKind::Boat
            | ThingKind::Aircraft
            | ThingKind::Flower
            | ThingKind::Food
            | ThingKind::Furniture
            | ThingKind::Object
            | ThingKind::Toy
            | ThingKind::Wear
            | ThingKind::Bird
            | ThingKind::Flyer
    );
    kind && !NAMED.contains(&first) && !thing.english.contains(" of ")
}
