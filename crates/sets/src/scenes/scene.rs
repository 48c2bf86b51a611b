//! One scene: a ground, what happens on it, its picture and its captions.

use tuwen_image::RgbImage;
use tuwen_image::canvas::{Canvas, mixed};
use tuwen_image::rng::Rng;

use super::captions::{Captions, Facts};
use super::grounds::{Backdrop, GROUNDS, Ground, PLAINS, Place};
use super::layout::{Pick, Placed, Room, SMALLEST};
use super::stock::{Actor, Stock};
use super::things::{Thing, ThingKind};
use super::words::{MOST, Phrase, Relation, SizeWord};

/// So often a scene is begun again before there is none: what was drawn may not fit together.
const TRIES: usize = 500;
/// Share of the scenes that are on a plain colour.
const PLAIN: f32 = 0.16;

/// How much larger a thing is that is alone.
const ALONE: f32 = 1.3;

/// A drawn scene.
pub struct Scene<'s> {
    /// What is seen, a square.
    pub picture: RgbImage,
    /// What is said.
    pub captions: Captions,
    /// What is there, as it is spoken of.
    pub phrases: Vec<Phrase>,
    /// How the first thing lies to the second.
    pub relation: Option<Relation>,
    /// Where everything is, in the order of drawing; with a relation the second thing comes first.
    pub placed: Vec<Placed<'s>>,
    /// What is seen at each pixel, line by line: 0 for the ground, else one more than the place in `placed` of the thing
    /// that lies over all others there.
    pub seen: Vec<u8>,
}

/// Draws scene `number` of a seed, `side` x `side` pixels, from what is in stock; the same for the same
/// arguments. None where nothing in stock goes anywhere, which an empty stock is the case of.
///
/// # Panics
/// When `side` is 0.
pub fn scene(stock: &Stock, side: u32, seed: u64, number: u64) -> Option<Scene<'_>> {
    let mut rng = Rng::new(&[seed, number]);
    (0..TRIES).find_map(|_| {
        let plan = Plan::draw(stock, &mut rng)?;
        let (picture, seen) = plan.paint(side, &mut rng);
        let facts =
            Facts { phrases: plan.phrases.clone(), relation: plan.relation, place: plan.words };
        let Plan { phrases, relation, placed, .. } = plan;
        Some(Scene { picture, captions: facts.say(&mut rng), phrases, relation, placed, seen })
    })
}

/// What a scene is going to be.
struct Plan<'s> {
    ground: &'static Ground,
    horizon: f32,
    words: [&'static str; 2],
    phrases: Vec<Phrase>,
    relation: Option<Relation>,
    placed: Vec<Placed<'s>>,
}

/// What is drawn for a scene: pictures in groups, each with its phrase.
struct Cast<'s> {
    phrases: Vec<Phrase>,
    picks: Vec<Pick<'s>>,
}

impl<'s> Plan<'s> {
    fn draw(stock: &'s Stock, rng: &mut Rng) -> Option<Self> {
        let ground = weighted(if rng.chance(PLAIN) { PLAINS } else { GROUNDS }, rng);
        let places = [Place::Stands, Place::Stands, Place::Stands, Place::Flies, Place::Anywhere];
        let places: Vec<Place> =
            places.into_iter().filter(|&place| !ground.kinds(place).is_empty()).collect();
        let place = places[rng.below(places.len())];
        let horizon = rng.range(ground.horizon[0], ground.horizon[1]);
        let room = Room { place, horizon };
        let words = match (place, ground.sky) {
            (Place::Flies, Some(sky)) => sky,
            _ => ground.words[rng.below(ground.words.len())],
        };
        let related = place != Place::Flies && rng.chance(0.34);
        let (cast, relation, placed) = if related {
            let relation = Relation::ALL[rng.below(Relation::ALL.len())];
            let cast = Cast::pair(stock, ground, place, relation, rng)?;
            let placed = room.related(relation, [cast.picks[0], cast.picks[1]], rng)?;
            (cast, Some(relation), placed)
        } else {
            let cast = Cast::groups(stock, ground.kinds(place), rng)?;
            let placed = room.rows(&cast.picks, rng)?;
            (cast, None, placed)
        };
        if cast.is_uneven() && !differ(&placed) {
            return None;
        }
        Some(Self { ground, horizon, words, phrases: cast.phrases, relation, placed })
    }

    /// The picture, and what is seen at each pixel.
    fn paint(&self, side: u32, rng: &mut Rng) -> (RgbImage, Vec<u8>) {
        let mut picture = match self.ground.backdrop {
            Backdrop::Plain(colour) => Canvas::new(side, colour).finish(),
            Backdrop::Drawn(draw) => {
                let mut canvas = Canvas::new(side, [255; 3]);
                draw(&mut canvas, rng, self.horizon);
                canvas.finish()
            }
        };
        let mut seen = vec![0; side as usize * side as usize];
        let pixels = |share: f32| share * side as f32;
        for (number, placed) in (1..).zip(&self.placed) {
            if placed.place == Place::Stands {
                shadow(&mut picture, placed);
            }
            let size =
                [placed.width, placed.height].map(|share| (pixels(share).round() as u32).max(1));
            let mut thing = placed.actor.cutout.resized(size[0], size[1]);
            if placed.actor.thing.kind != ThingKind::Wear && rng.chance(0.5) {
                thing = thing.mirrored();
            }
            let factor = rng.range(0.94, 1.06);
            let thing = thing.tinted([(); 3].map(|()| factor * rng.range(0.97, 1.03)));
            let corner = [placed.left, placed.top].map(|share| pixels(share).round() as i64);
            thing.draw(&mut picture, corner[0], corner[1]);
            for [x, y] in thing.covered(side, corner[0], corner[1]) {
                seen[(y * side + x) as usize] = number;
            }
        }
        if let Some(over) = self.ground.over {
            over(&mut picture, rng);
        }
        (picture, seen)
    }
}

impl<'s> Cast<'s> {
    /// One to three things, or several of one, or a big one and a small one.
    fn groups(stock: &'s Stock, kinds: &[ThingKind], rng: &mut Rng) -> Option<Self> {
        let counts: &[usize] = match rng.unit() {
            share if share < 0.22 => &[1],
            share if share < 0.6 => &[1, 1],
            share if share < 0.7 => &[1, 1, 1],
            share if share < 0.76 => &[1, 2],
            share if share < 0.82 => return Self::big_and_small(stock, kinds, rng),
            _ => return Self::several(stock, kinds, 2 + rng.below(7).saturating_sub(2), rng),
        };
        let mut cast = Self { phrases: Vec::new(), picks: Vec::new() };
        for &count in counts {
            let other = |thing: &Thing| {
                (count == 1 || thing.plural.is_some())
                    && !cast.phrases.iter().any(|p| alike(p.thing, thing))
            };
            let actors = stock.draw(kinds, other, rng)?;
            cast.add(actors, count, rng);
        }
        if let [alone] = &mut cast.picks[..] {
            alone.longest = (alone.longest * ALONE).min(0.8);
        }
        Some(cast)
    }

    fn several(stock: &'s Stock, kinds: &[ThingKind], count: usize, rng: &mut Rng) -> Option<Self> {
        let actors = stock.draw(kinds, |thing| thing.plural.is_some(), rng)?;
        let mut cast = Self { phrases: Vec::new(), picks: Vec::new() };
        cast.add(actors, count.min(MOST), rng);
        Some(cast)
    }

    fn big_and_small(stock: &'s Stock, kinds: &[ThingKind], rng: &mut Rng) -> Option<Self> {
        // 大大象 and 小小鸡 are not said.
        let named = |thing: &Thing| thing.chinese.starts_with(['大', '小', '老', '长', '巨']);
        let fits = |thing: &Thing| {
            thing.plural.is_some() && !thing.english.contains(" of ") && !named(thing)
        };
        let actors = stock.draw(kinds, fits, rng)?;
        let actor = &actors[rng.below(actors.len())];
        let of = |size| Phrase { size: Some(size), ..Phrase::one(actor.thing) };
        let (big, small) = (rng.range(0.46, 0.56), rng.range(SMALLEST, 0.25));
        let mut picks = [big, small].map(|longest| Pick { actor, longest }).to_vec();
        rng.shuffle(&mut picks);
        Some(Self { phrases: vec![of(SizeWord::Big), of(SizeWord::Small)], picks })
    }

    /// Two different things of kinds between which a relation is usual.
    fn pair(
        stock: &'s Stock,
        ground: &Ground,
        place: Place,
        relation: Relation,
        rng: &mut Rng,
    ) -> Option<Self> {
        let there = ground.kinds(place);
        let over = if place == Place::Stands { ground.flies } else { there };
        let among = |kinds: &[ThingKind], wanted: &[ThingKind]| -> Vec<ThingKind> {
            kinds.iter().copied().filter(|kind| wanted.contains(kind)).collect()
        };
        let tree = relation == Relation::Under && rng.chance(0.5);
        let second: Vec<ThingKind> = match relation {
            Relation::NextTo => there.to_vec(),
            Relation::Above => among(there, NOT_IN_THE_AIR),
            Relation::Under if tree => among(there, &[ThingKind::Plant]),
            Relation::Under => among(over, IN_THE_AIR),
            Relation::InFrontOf => among(there, LARGE),
            Relation::On => among(there, FLAT),
        };
        let first: Vec<ThingKind> = match relation {
            Relation::NextTo => there.to_vec(),
            Relation::Above => among(over, IN_THE_AIR),
            Relation::Under => among(there, NOT_IN_THE_AIR),
            Relation::InFrontOf => among(there, IN_FRONT),
            Relation::On => among(there, ON_TOP),
        };
        let mut cast = Self { phrases: Vec::new(), picks: Vec::new() };
        let actors = stock.draw(&second, |thing| !tree || thing.english.ends_with("tree"), rng)?;
        let lower = actors[0].thing;
        let others = stock.draw(&first, |thing| !alike(thing, lower), rng)?;
        cast.add(others, 1, rng);
        cast.add(actors, 1, rng);
        Some(cast)
    }

    /// So many of a thing: mostly the same picture again, sometimes others of it.
    fn add(&mut self, actors: &'s [Actor], count: usize, rng: &mut Rng) {
        let first = &actors[rng.below(actors.len())];
        let [small, large] = first.thing.kind.size();
        let (longest, same) = (rng.range(small, large), rng.chance(0.7));
        let mut picks = vec![Pick { actor: first, longest }];
        for _ in 1..count {
            let actor = if same { first } else { &actors[rng.below(actors.len())] };
            picks.push(Pick { actor, longest: longest * rng.range(0.92, 1.0) });
        }
        let colour =
            first.colour.filter(|&word| picks.iter().all(|pick| pick.actor.colour == Some(word)));
        let colour = colour.filter(|_| rng.chance(0.6));
        self.phrases.push(Phrase { count, colour, ..Phrase::one(first.thing) });
        self.picks.extend(picks);
    }

    fn is_uneven(&self) -> bool {
        self.phrases.iter().any(|phrase| phrase.size.is_some())
    }
}

const IN_THE_AIR: &[ThingKind] =
    &[ThingKind::Flyer, ThingKind::Aircraft, ThingKind::Sky, ThingKind::Moon];
const NOT_IN_THE_AIR: &[ThingKind] = &[
    ThingKind::Animal,
    ThingKind::Bird,
    ThingKind::Person,
    ThingKind::Vehicle,
    ThingKind::Boat,
    ThingKind::Building,
    ThingKind::Plant,
    ThingKind::Swimmer,
    ThingKind::Flower,
    ThingKind::Toy,
];
const LARGE: &[ThingKind] = &[
    ThingKind::Building,
    ThingKind::Building,
    ThingKind::Plant,
    ThingKind::Vehicle,
    ThingKind::Furniture,
];
const IN_FRONT: &[ThingKind] = &[
    ThingKind::Animal,
    ThingKind::Bird,
    ThingKind::Person,
    ThingKind::Toy,
    ThingKind::Object,
    ThingKind::Flower,
];
const FLAT: &[ThingKind] = &[ThingKind::Furniture, ThingKind::Furniture, ThingKind::Object];
const ON_TOP: &[ThingKind] = &[
    ThingKind::Animal,
    ThingKind::Bird,
    ThingKind::Food,
    ThingKind::Toy,
    ThingKind::Object,
    ThingKind::Flower,
];

/// Whether two things could be taken for each other by their names: `apple` and `red apple`.
fn alike(a: &Thing, b: &Thing) -> bool {
    let contains =
        |a: &Thing, b: &Thing| a.english.contains(b.english) || a.chinese.contains(b.chinese);
    contains(a, b) || contains(b, a)
}

/// Whether one of two things is clearly the larger one.
fn differ(placed: &[Placed<'_>]) -> bool {
    let size = |placed: &Placed<'_>| placed.width.max(placed.height);
    let sizes =
        placed.iter().map(size).fold([1f32, 0f32], |[least, most], s| [least.min(s), most.max(s)]);
    sizes[1] >= 1.7 * sizes[0]
}

fn weighted(grounds: &'static [Ground], rng: &mut Rng) -> &'static Ground {
    let total: f32 = grounds.iter().map(|ground| ground.weight).sum();
    let mut left = rng.range(0.0, total);
    let found = grounds.iter().find(|ground| {
        left -= ground.weight;
        left < 0.0
    });
    found.unwrap_or(&grounds[0])
}

/// A shadow where a thing stands, so that it is seen to stand.
fn shadow(picture: &mut RgbImage, placed: &Placed<'_>) {
    let side = picture.width() as f32;
    let (across, down) = (placed.width * 0.45, 0.022);
    let [first, last] =
        [placed.base() - down, placed.base() + down].map(|y| (y * side).max(0.0) as u32);
    for y in first..last.min(picture.height()) {
        for x in 0..picture.width() {
            let dx = ((x as f32 + 0.5) / side - placed.middle()) / across;
            let dy = ((y as f32 + 0.5) / side - placed.base()) / down;
            let near = 1.0 - dx * dx - dy * dy;
            if near > 0.0 {
                let pixel = picture.get_pixel_mut(x, y);
                pixel.0 = mixed(pixel.0, [20, 24, 30], 0.3 * near.min(0.6) / 0.6);
            }
        }
    }
}
