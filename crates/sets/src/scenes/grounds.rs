//! The grounds of scenes: what each is called, what may stand, swim or fly there, and how it is drawn
//! ([`super::backdrop`]).

use tuwen_image::RgbImage;
use tuwen_image::canvas::{Canvas, Colour};
use tuwen_image::rng::Rng;

use Backdrop::Drawn;

use super::backdrop as draw;
use super::things::ThingKind::{self, *};

/// Where a thing is on a ground.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// Its lower edge is on the ground, below the horizon.
    Stands,
    /// The whole of it is above the horizon.
    Flies,
    /// Anywhere: under water, or on a plain colour.
    Anywhere,
}

/// What a ground looks like.
#[derive(Clone, Copy)]
pub enum Backdrop {
    /// Drawn, with the horizon at a height.
    Drawn(fn(&mut Canvas, &mut Rng, f32)),
    /// One colour.
    Plain(Colour),
}

/// A ground with its words: a place that follows a noun in English, and that stands before 有 in Chinese.
pub struct Ground {
    /// Its wordings of a place for what stands there: `on the grass`, 草地上.
    pub words: &'static [[&'static str; 2]],
    /// The same for what flies above it; none where nothing does.
    pub sky: Option<[&'static str; 2]>,
    /// What stands, or swims, on it.
    pub stands: &'static [ThingKind],
    /// What flies above it.
    pub flies: &'static [ThingKind],
    /// What is anywhere in it.
    pub anywhere: &'static [ThingKind],
    /// Where sky, or wall, ends, as shares of the height: least and most.
    pub horizon: [f32; 2],
    /// How often it is drawn, beside the others.
    pub weight: f32,
    /// What it looks like.
    pub backdrop: Backdrop,
    /// What is drawn over everything, such as rain.
    pub over: Option<fn(&mut RgbImage, &mut Rng)>,
}

impl Ground {
    /// What may be at a place of it.
    pub fn kinds(&self, place: Place) -> &'static [ThingKind] {
        match place {
            Place::Stands => self.stands,
            Place::Flies => self.flies,
            Place::Anywhere => self.anywhere,
        }
    }
}

const OUTSIDE: &[ThingKind] =
    &[Animal, Animal, Bird, Person, Plant, Building, Vehicle, Toy, Flower, Swimmer];
const WILD: &[ThingKind] = &[Animal, Animal, Bird, Person, Plant, Building, Vehicle];
const AIR: &[ThingKind] = &[Flyer, Aircraft, Sky];
const THINGS: &[ThingKind] = &[Food, Food, Object, Toy, Wear, Flower];
const ALL: &[ThingKind] = &[
    Animal, Bird, Flyer, Swimmer, Fish, Person, Vehicle, Boat, Aircraft, Building, Plant, Flower,
    Food, Furniture, Object, Toy, Wear, Sky, Moon,
];
const NONE: &[ThingKind] = &[];

/// What most grounds have in common.
const OPEN: Ground = Ground {
    words: &[],
    sky: Some(["in the sky", "天空中"]),
    stands: OUTSIDE,
    flies: AIR,
    anywhere: NONE,
    horizon: [0.42, 0.6],
    weight: 1.0,
    backdrop: Drawn(draw::grass),
    over: None,
};

/// All grounds but the plain colours ([`PLAINS`]).
pub const GROUNDS: &[Ground] = &[
    Ground {
        words: &[
            ["on the grass", "草地上"],
            ["on green grass", "绿色的草地上"],
            ["in a field", "田野里"],
        ],
        weight: 2.2,
        ..OPEN
    },
    Ground {
        words: &[
            ["in a meadow full of flowers", "开满花的草地上"],
            ["among flowers", "花丛中"],
            ["in a flower field", "花田里"],
        ],
        backdrop: Drawn(draw::meadow),
        ..OPEN
    },
    Ground {
        words: &[["in front of a forest", "树林前"], ["at the edge of the woods", "森林边"]],
        sky: Some(["above the forest", "森林上空"]),
        backdrop: Drawn(draw::forest),
        ..OPEN
    },
    Ground {
        words: &[["in the mountains", "山里"], ["in front of mountains", "群山前"]],
        sky: Some(["above the mountains", "群山上空"]),
        backdrop: Drawn(draw::mountains),
        ..OPEN
    },
    Ground {
        words: &[["on a hill", "山坡上"], ["in the hills", "山丘上"]],
        stands: WILD,
        backdrop: Drawn(draw::hills),
        ..OPEN
    },
    Ground {
        words: &[["in the snow", "雪地里"], ["on snowy ground", "雪地上"]],
        stands: WILD,
        backdrop: Drawn(draw::snow),
        over: Some(draw::flakes),
        ..OPEN
    },
    Ground {
        words: &[["in the desert", "沙漠里"], ["on the sand in the desert", "沙漠的沙地上"]],
        stands: WILD,
        sky: Some(["above the desert", "沙漠上空"]),
        backdrop: Drawn(draw::desert),
        ..OPEN
    },
    Ground {
        words: &[["on the beach", "沙滩上"], ["on a sandy beach by the sea", "海边的沙滩上"]],
        stands: &[Animal, Bird, Person, Toy, Plant, Fish, Vehicle],
        sky: Some(["above the beach", "沙滩上空"]),
        backdrop: Drawn(draw::beach),
        weight: 1.3,
        ..OPEN
    },
    Ground {
        words: &[
            ["on the sea", "海面上"],
            ["on the blue sea", "蓝色的大海上"],
            ["on the water", "水面上"],
        ],
        stands: &[Boat, Boat, Swimmer],
        sky: Some(["above the sea", "大海上空"]),
        backdrop: Drawn(draw::sea),
        weight: 1.4,
        ..OPEN
    },
    Ground {
        words: &[["on a lake", "湖面上"], ["on the lake", "湖上"]],
        stands: &[Boat, Swimmer, Swimmer],
        sky: Some(["above the lake", "湖面上空"]),
        backdrop: Drawn(draw::lake),
        weight: 0.8,
        ..OPEN
    },
    Ground {
        words: &[
            ["under water", "水下"],
            ["in the sea", "海里"],
            ["at the bottom of the sea", "海底"],
        ],
        sky: None,
        stands: NONE,
        flies: NONE,
        anywhere: &[Fish],
        backdrop: Drawn(draw::under_water),
        ..OPEN
    },
    Ground {
        words: &[["in the sky", "天空中"], ["in the blue sky among clouds", "有白云的蓝天上"]],
        stands: NONE,
        flies: NONE,
        anywhere: &[Flyer, Aircraft, Aircraft, Sky],
        sky: None,
        backdrop: Drawn(draw::sky),
        weight: 1.2,
        ..OPEN
    },
    Ground {
        words: &[["under the stars at night", "星空下"], ["at night", "夜里"]],
        sky: Some(["in the night sky", "夜空中"]),
        flies: &[Flyer, Aircraft, Moon, Moon],
        backdrop: Drawn(draw::night),
        weight: 1.2,
        ..OPEN
    },
    Ground {
        words: &[["at sunset", "夕阳下"], ["under a red evening sky", "晚霞下"]],
        sky: Some(["in the evening sky", "晚霞中"]),
        flies: &[Flyer, Aircraft],
        backdrop: Drawn(draw::sunset),
        ..OPEN
    },
    Ground {
        words: &[["in the rain", "雨中"], ["on a rainy day", "雨天里"]],
        stands: WILD,
        sky: Some(["in a rainy sky", "下雨的天空中"]),
        flies: &[Flyer, Aircraft],
        backdrop: Drawn(draw::rainy),
        over: Some(draw::rain),
        ..OPEN
    },
    Ground {
        words: &[
            ["on the street", "街上"],
            ["on a street in the city", "城市的街道上"],
            ["on the road", "马路上"],
        ],
        stands: &[Vehicle, Vehicle, Person, Animal],
        sky: Some(["above the city", "城市上空"]),
        horizon: [0.55, 0.66],
        backdrop: Drawn(draw::street),
        weight: 1.6,
        ..OPEN
    },
    Ground {
        words: &[
            ["in a room", "房间里"],
            ["on the floor of a room", "房间的地板上"],
            ["indoors", "屋里"],
        ],
        stands: &[Furniture, Furniture, Person, Animal, Object, Toy, Wear, Flower],
        sky: None,
        flies: NONE,
        horizon: [0.55, 0.66],
        backdrop: Drawn(draw::room),
        weight: 2.0,
        ..OPEN
    },
    Ground {
        words: &[
            ["on a table", "桌子上"],
            ["on a wooden table", "木桌上"],
            ["on the table", "餐桌上"],
        ],
        stands: THINGS,
        sky: None,
        flies: NONE,
        horizon: [0.45, 0.6],
        backdrop: Drawn(draw::table),
        weight: 2.4,
        ..OPEN
    },
];

const fn plain(words: &'static [[&'static str; 2]], colour: Colour, weight: f32) -> Ground {
    let backdrop = Backdrop::Plain(colour);
    Ground { words, backdrop, weight, sky: None, stands: NONE, flies: NONE, anywhere: ALL, ..OPEN }
}

/// Plain colours.
pub const PLAINS: &[Ground] = &[
    plain(&[["on a white background", "白色背景上"]], [252, 252, 252], 2.0),
    plain(&[["on a light blue background", "浅蓝色背景上"]], [196, 224, 246], 0.6),
    plain(&[["on a blue background", "蓝色背景上"]], [84, 144, 220], 0.5),
    plain(&[["on a green background", "绿色背景上"]], [132, 196, 120], 0.5),
    plain(&[["on a yellow background", "黄色背景上"]], [250, 226, 110], 0.5),
    plain(&[["on a pink background", "粉色背景上"]], [248, 196, 210], 0.5),
    plain(&[["on a grey background", "灰色背景上"]], [190, 192, 196], 0.5),
    plain(&[["on a black background", "黑色背景上"]], [24, 24, 28], 0.4),
];
