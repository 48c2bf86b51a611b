//! How the grounds of scenes are drawn: few shapes, colours that vary a little, as in children's books. Heights and
//! places are shares of the side; `horizon` is where sky or wall ends.

use tuwen_image::RgbImage;
use tuwen_image::canvas::{Canvas, Colour, Spot, mixed};
use tuwen_image::rng::Rng;

const WHITE: Colour = [255; 3];

/// A colour near another one.
pub(super) fn near(rng: &mut Rng, colour: Colour) -> Colour {
    let change = rng.range(-14.0, 14.0);
    colour.map(|c| (f32::from(c) + change + rng.range(-7.0, 7.0)).clamp(0.0, 255.0) as u8)
}

fn spot(x: f32, y: f32) -> Spot {
    Spot { x, y }
}

/// Sky down to the horizon, some clouds in it.
fn day(canvas: &mut Canvas, rng: &mut Rng, horizon: f32) {
    let top = near(rng, [110, 184, 240]);
    canvas.band(0.0, horizon, top, mixed(top, WHITE, 0.6));
    for _ in 0..rng.below(4) {
        cloud(canvas, rng, horizon * 0.7, WHITE);
    }
}

fn cloud(canvas: &mut Canvas, rng: &mut Rng, lowest: f32, colour: Colour) {
    let centre = spot(rng.range(0.0, 1.0), rng.range(0.05, lowest.max(0.06)));
    let size = rng.range(0.03, 0.07);
    for part in [-1.4, -0.5, 0.5, 1.4f32] {
        let wide = size * (1.3 - part.abs() * 0.3);
        let at = spot(centre.x + part * size, centre.y + rng.range(-0.01, 0.01));
        canvas.ellipse(at, wide, wide * 0.6, colour);
    }
}

/// A waved line around a height.
fn wave(rng: &mut Rng, height: f32, swing: f32) -> impl Fn(f32) -> f32 + use<> {
    let (phase, pace) = (rng.range(0.0, 6.3), rng.range(4.0, 9.0));
    move |x| height + swing * (phase + pace * x).sin()
}

/// Short strokes of a ground's own colour, larger where they are nearer.
fn tufts(canvas: &mut Canvas, rng: &mut Rng, horizon: f32, colour: Colour) {
    for _ in 0..40 {
        let at = spot(rng.range(0.0, 1.0), rng.range(horizon + 0.04, 1.0));
        let size = 0.008 + 0.03 * (at.y - horizon);
        let blade =
            |lean: f32| [spot(at.x - size * 0.3, at.y), spot(at.x + lean, at.y - size * 1.6)];
        for lean in [-size, 0.0, size] {
            let [foot, tip] = blade(lean);
            canvas.polygon(&[foot, tip, spot(foot.x + size * 0.6, foot.y)], colour);
        }
    }
}

fn green_ground(canvas: &mut Canvas, rng: &mut Rng, horizon: f32) {
    let green = near(rng, [122, 190, 88]);
    canvas.below(wave(rng, horizon, 0.02), green);
    tufts(canvas, rng, horizon, mixed(green, [30, 110, 40], 0.35));
}

pub(super) fn grass(canvas: &mut Canvas, rng: &mut Rng, horizon: f32) {
    day(canvas, rng, horizon + 0.03);
    green_ground(canvas, rng, horizon);
}

pub(super) fn meadow(canvas: &mut Canvas, rng: &mut Rng, horizon: f32) {
    grass(canvas, rng, horizon);
    let petals: [Colour; 5] =
        [[240, 90, 110], [250, 210, 70], [255, 255, 255], [180, 120, 220], [250, 150, 190]];
    for _ in 0..70 {
        let at = spot(rng.range(0.0, 1.0), rng.range(horizon + 0.05, 1.0));
        let size = 0.006 + 0.025 * (at.y - horizon);
        let petal = petals[rng.below(petals.len())];
        for turn in 0..5 {
            let angle = turn as f32 * 1.2566;
            let leaf = spot(at.x + size * angle.cos(), at.y + size * angle.sin());
            canvas.ellipse(leaf, size * 0.7, size * 0.7, petal);
        }
        canvas.ellipse(at, size * 0.6, size * 0.6, [250, 190, 40]);
    }
}

pub(super) fn forest(canvas: &mut Canvas, rng: &mut Rng, horizon: f32) {
    day(canvas, rng, horizon + 0.06);
    for row in 0..2 {
        let green = near(rng, [[70, 128, 84], [46, 104, 62]][row]);
        let foot = horizon + 0.02 + 0.02 * row as f32;
        for tree in 0..12 {
            let x = (tree as f32 + rng.range(0.0, 1.0)) / 12.0;
            let (tall, wide) = (rng.range(0.2, 0.34), rng.range(0.05, 0.08));
            let trunk = spot(x - 0.01, foot - 0.06);
            canvas.rectangle(trunk, spot(x + 0.01, foot), [110, 80, 56]);
            for layer in 0..3 {
                let low = foot - 0.04 - tall * 0.26 * layer as f32;
                let half = wide * (1.0 - 0.22 * layer as f32);
                let tip = spot(x, low - tall * 0.45);
                canvas.polygon(&[spot(x - half, low), tip, spot(x + half, low)], green);
            }
        }
    }
    green_ground(canvas, rng, horizon + 0.02);
}

pub(super) fn mountains(canvas: &mut Canvas, rng: &mut Rng, horizon: f32) {
    day(canvas, rng, horizon + 0.03);
    let rock = near(rng, [132, 140, 160]);
    for peak in 0..4 {
        let x = (peak as f32 + rng.range(0.0, 1.0)) / 4.0;
        let (tall, wide) = (rng.range(0.2, 0.36).min(horizon - 0.05), rng.range(0.2, 0.32));
        let tip = spot(x, horizon - tall);
        let foot = horizon + 0.04;
        let colour = mixed(rock, [80, 88, 110], rng.unit() * 0.6);
        canvas.polygon(&[spot(x - wide, foot), tip, spot(x + wide, foot)], colour);
        let snow =
            |side: f32, down: f32| spot(x + wide * down * side, tip.y + (tall + 0.04) * down);
        let edge = [
            snow(-1.0, 0.28),
            tip,
            snow(1.0, 0.28),
            snow(0.4, 0.2),
            snow(0.0, 0.3),
            snow(-0.4, 0.2),
        ];
        canvas.polygon(&edge, [246, 248, 252]);
    }
    green_ground(canvas, rng, horizon);
}

pub(super) fn hills(canvas: &mut Canvas, rng: &mut Rng, horizon: f32) {
    day(canvas, rng, horizon + 0.1);
    for (lower, colour) in [(-0.04, [150, 204, 120]), (0.02, [120, 186, 96])] {
        let colour = near(rng, colour);
        canvas.below(wave(rng, horizon + lower, 0.06), colour);
    }
    tufts(canvas, rng, horizon + 0.1, [84, 150, 70]);
}

pub(super) fn snow(canvas: &mut Canvas, rng: &mut Rng, horizon: f32) {
    let top = near(rng, [150, 180, 214]);
    canvas.band(0.0, horizon + 0.04, top, [214, 226, 240]);
    canvas.below(wave(rng, horizon, 0.03), [226, 234, 244]);
    canvas.below(wave(rng, horizon + 0.12, 0.02), [242, 246, 251]);
}

pub(super) fn desert(canvas: &mut Canvas, rng: &mut Rng, horizon: f32) {
    let top = near(rng, [136, 196, 236]);
    canvas.band(0.0, horizon + 0.06, top, [252, 236, 200]);
    let sand = near(rng, [232, 196, 130]);
    canvas.below(wave(rng, horizon, 0.04), sand);
    canvas.below(wave(rng, horizon + 0.14, 0.03), mixed(sand, [200, 150, 90], 0.35));
    canvas.below(wave(rng, horizon + 0.3, 0.02), mixed(sand, [250, 220, 160], 0.4));
}

/// Water with light on it.
fn water(canvas: &mut Canvas, rng: &mut Rng, top: f32, bottom: f32, colour: Colour) {
    canvas.band(top, bottom, mixed(colour, WHITE, 0.15), mixed(colour, [10, 50, 110], 0.35));
    for _ in 0..26 {
        let at = spot(rng.range(0.0, 1.0), rng.range(top + 0.02, bottom.max(top + 0.03)));
        let near = 0.3 + (at.y - top);
        canvas.ellipse(at, 0.07 * near, 0.006 * near + 0.003, mixed(colour, WHITE, 0.45));
    }
}

pub(super) fn sea(canvas: &mut Canvas, rng: &mut Rng, horizon: f32) {
    day(canvas, rng, horizon);
    let blue = near(rng, [52, 128, 200]);
    water(canvas, rng, horizon, 1.0, blue);
}

pub(super) fn lake(canvas: &mut Canvas, rng: &mut Rng, horizon: f32) {
    day(canvas, rng, horizon);
    let green = near(rng, [98, 160, 88]);
    canvas.below(wave(rng, horizon - 0.07, 0.02), green);
    let blue = near(rng, [90, 166, 206]);
    water(canvas, rng, horizon, 1.0, blue);
    let shore = mixed(green, [60, 120, 60], 0.4);
    canvas.below(wave(rng, 0.95, 0.015), shore);
}

pub(super) fn beach(canvas: &mut Canvas, rng: &mut Rng, horizon: f32) {
    let far = horizon - 0.12;
    day(canvas, rng, far);
    let blue = near(rng, [60, 150, 206]);
    water(canvas, rng, far, horizon + 0.05, blue);
    let edge = wave(rng, horizon + 0.01, 0.012);
    canvas.below(&edge, [240, 248, 250]);
    let sand = near(rng, [240, 216, 160]);
    canvas.below(|x| edge(x) + 0.018, sand);
    for _ in 0..40 {
        let at = spot(rng.range(0.0, 1.0), rng.range(horizon + 0.06, 1.0));
        canvas.ellipse(at, 0.005, 0.003, mixed(sand, [150, 110, 60], 0.4));
    }
}

pub(super) fn under_water(canvas: &mut Canvas, rng: &mut Rng, _horizon: f32) {
    let blue = near(rng, [70, 170, 220]);
    canvas.band(0.0, 1.0, blue, mixed(blue, [10, 40, 110], 0.75));
    canvas.below(wave(rng, 0.88, 0.02), [206, 186, 136]);
    for _ in 0..6 {
        let (x, tall) = (rng.range(0.0, 1.0), rng.range(0.1, 0.25));
        let green = near(rng, [50, 130, 90]);
        for lean in [-0.04, 0.0, 0.04] {
            let tip = spot(x + lean, 0.93 - tall);
            canvas.polygon(&[spot(x - 0.012, 0.93), tip, spot(x + 0.012, 0.93)], green);
        }
    }
    for _ in 0..14 {
        let at = spot(rng.range(0.0, 1.0), rng.range(0.0, 0.85));
        let size = rng.range(0.005, 0.014);
        canvas.ellipse(at, size, size, mixed(blue, WHITE, 0.5));
    }
}

pub(super) fn sky(canvas: &mut Canvas, rng: &mut Rng, _horizon: f32) {
    let top = near(rng, [92, 168, 236]);
    canvas.band(0.0, 1.0, top, mixed(top, WHITE, 0.55));
    for _ in 0..3 + rng.below(4) {
        cloud(canvas, rng, 0.95, WHITE);
    }
}

pub(super) fn night(canvas: &mut Canvas, rng: &mut Rng, horizon: f32) {
    let top = near(rng, [18, 24, 62]);
    canvas.band(0.0, horizon + 0.05, top, mixed(top, [80, 90, 150], 0.5));
    for _ in 0..60 {
        let at = spot(rng.range(0.0, 1.0), rng.range(0.0, horizon));
        let size = rng.range(0.002, 0.007);
        let ray = |dx: f32, dy: f32| spot(at.x + size * dx, at.y + size * dy);
        let corners = [ray(-2.0, 0.0), ray(0.0, -2.0), ray(2.0, 0.0), ray(0.0, 2.0)];
        canvas.polygon(&corners, [255, 246, 200]);
    }
    let ground = near(rng, [44, 66, 70]);
    canvas.below(wave(rng, horizon, 0.03), ground);
    tufts(canvas, rng, horizon, mixed(ground, [90, 120, 110], 0.4));
}

pub(super) fn sunset(canvas: &mut Canvas, rng: &mut Rng, horizon: f32) {
    let top = near(rng, [116, 84, 160]);
    canvas.band(0.0, horizon * 0.5, top, [238, 124, 100]);
    canvas.band(horizon * 0.5, horizon + 0.05, [238, 124, 100], [254, 206, 110]);
    let sun = spot(rng.range(0.15, 0.85), horizon - 0.01);
    canvas.ellipse(sun, 0.1, 0.1, [255, 236, 150]);
    for _ in 0..rng.below(4) {
        cloud(canvas, rng, horizon * 0.6, [248, 168, 150]);
    }
    let ground = near(rng, [104, 92, 84]);
    canvas.below(wave(rng, horizon, 0.015), ground);
    tufts(canvas, rng, horizon, mixed(ground, [60, 50, 50], 0.5));
}

pub(super) fn rainy(canvas: &mut Canvas, rng: &mut Rng, horizon: f32) {
    let top = near(rng, [128, 142, 158]);
    canvas.band(0.0, horizon + 0.05, top, [184, 194, 204]);
    for _ in 0..5 {
        cloud(canvas, rng, horizon * 0.5, [104, 114, 128]);
    }
    let ground = near(rng, [104, 142, 102]);
    canvas.below(wave(rng, horizon, 0.015), ground);
    for _ in 0..4 {
        let at = spot(rng.range(0.0, 1.0), rng.range(horizon + 0.12, 0.97));
        canvas.ellipse(at, rng.range(0.06, 0.13), 0.018, [150, 172, 186]);
    }
}

pub(super) fn street(canvas: &mut Canvas, rng: &mut Rng, horizon: f32) {
    day(canvas, rng, horizon);
    let mut x = -0.05;
    while x < 1.0 {
        let (wide, tall) = (rng.range(0.13, 0.22), rng.range(0.2, 0.42).min(horizon - 0.06));
        let walls: [Colour; 5] =
            [[206, 170, 148], [176, 186, 200], [222, 204, 166], [190, 150, 140], [168, 184, 170]];
        let wall = walls[rng.below(walls.len())];
        canvas.rectangle(spot(x, horizon - tall), spot(x + wide, horizon), near(rng, wall));
        for row in 0..(tall / 0.075) as usize {
            for column in 0..3 {
                let left = x + wide * (0.12 + 0.29 * column as f32);
                let top = horizon - tall + 0.025 + 0.075 * row as f32;
                let end = spot(left + wide * 0.17, top + 0.035);
                canvas.rectangle(spot(left, top), end, [112, 132, 156]);
            }
        }
        x += wide + 0.006;
    }
    canvas.rectangle(spot(0.0, horizon), spot(1.0, horizon + 0.08), [198, 196, 190]);
    canvas.rectangle(spot(0.0, horizon + 0.08), spot(1.0, 1.0), near(rng, [108, 110, 116]));
    let dashes = (horizon + 1.0) * 0.5 + 0.04;
    for dash in 0..6 {
        let left = dash as f32 * 0.18 + 0.03;
        canvas.rectangle(spot(left, dashes), spot(left + 0.09, dashes + 0.016), [238, 236, 224]);
    }
}

pub(super) fn room(canvas: &mut Canvas, rng: &mut Rng, horizon: f32) {
    let walls: [Colour; 5] =
        [[246, 230, 204], [206, 224, 232], [232, 214, 222], [218, 230, 208], [240, 240, 236]];
    let wall = walls[rng.below(walls.len())];
    let wall = near(rng, wall);
    canvas.rectangle(spot(0.0, 0.0), spot(1.0, horizon), wall);
    if rng.chance(0.6) {
        let left = rng.range(0.05, 0.65);
        canvas.rectangle(spot(left, 0.1), spot(left + 0.28, 0.38), WHITE);
        let pane = near(rng, [160, 208, 242]);
        for [x, y] in [[0.02, 0.02], [0.15, 0.02], [0.02, 0.15], [0.15, 0.15]] {
            let corner = spot(left + x, 0.1 + y);
            canvas.rectangle(corner, spot(corner.x + 0.11, corner.y + 0.11), pane);
        }
    }
    let board = mixed(wall, WHITE, 0.6);
    canvas.rectangle(spot(0.0, horizon - 0.025), spot(1.0, horizon), board);
    let floor = near(rng, [190, 146, 104]);
    canvas.rectangle(spot(0.0, horizon), spot(1.0, 1.0), floor);
    let mut line = horizon + 0.06;
    while line < 1.0 {
        canvas.rectangle(spot(0.0, line), spot(1.0, line + 0.006), mixed(floor, [90, 60, 40], 0.4));
        line += 0.05 + 0.3 * (line - horizon);
    }
}

pub(super) fn table(canvas: &mut Canvas, rng: &mut Rng, horizon: f32) {
    let walls: [Colour; 4] = [[236, 228, 212], [204, 218, 222], [226, 208, 196], [212, 220, 200]];
    let wall = walls[rng.below(walls.len())];
    let wall = near(rng, wall);
    canvas.rectangle(spot(0.0, 0.0), spot(1.0, 1.0), wall);
    let wood = near(rng, [184, 130, 82]);
    let (far, close) = (rng.range(0.06, 0.12), 0.93);
    let top = [spot(far, horizon), spot(1.0 - far, horizon), spot(1.02, close), spot(-0.02, close)];
    canvas.polygon(&top, wood);
    let edge = mixed(wood, [80, 50, 30], 0.45);
    canvas.rectangle(spot(0.0, close), spot(1.0, 1.0), edge);
    for grain in 1..4 {
        let y = horizon + (close - horizon) * grain as f32 / 4.0;
        let left = far * (1.0 - grain as f32 / 4.0) + 0.03;
        canvas.rectangle(spot(left, y), spot(1.0 - left, y + 0.005), mixed(wood, edge, 0.4));
    }
}

/// Streaks of rain.
pub(super) fn rain(picture: &mut RgbImage, rng: &mut Rng) {
    let side = picture.width();
    for _ in 0..90 {
        let (x, y) = (rng.below(side as usize) as u32, rng.below(side as usize) as u32);
        for step in 0..side / 24 {
            lighten(picture, x + step / 3, y + step, 0.45);
        }
    }
}

/// Flakes of snow.
pub(super) fn flakes(picture: &mut RgbImage, rng: &mut Rng) {
    let side = picture.width();
    for _ in 0..60 {
        let (x, y) = (rng.below(side as usize) as u32, rng.below(side as usize) as u32);
        let size = 1 + side / 160;
        for at in 0..size * size {
            lighten(picture, x + at % size, y + at / size, 0.8);
        }
    }
}

fn lighten(picture: &mut RgbImage, x: u32, y: u32, share: f32) {
    if let Some(pixel) = picture.get_pixel_mut_checked(x, y) {
        pixel.0 = mixed(pixel.0, [232, 240, 248], share);
    }
}
