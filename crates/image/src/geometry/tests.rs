//! What geometry does, on pictures that a reader can draw.

use super::*;

const GEOMETRIES: [Geometry; 4] =
    [Geometry::Squash, Geometry::CentreCrop, Geometry::TwoToOne, Geometry::Pad];

fn stripes(width: u32, height: u32) -> Picture {
    Picture::Rgb(RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, 0])))
}

fn preprocess(geometry: Geometry) -> Preprocess {
    Preprocess { geometry, ..Preprocess::squash(8) }
}

#[test]
fn every_geometry_gives_the_square_for_any_shape() {
    for geometry in GEOMETRIES {
        for (width, height) in [(1, 1), (200, 1), (1, 200), (8, 8), (33, 57)] {
            let fitted = preprocess(geometry).fit(&stripes(width, height));
            assert_eq!(fitted.dimensions(), (8, 8), "{geometry:?} of {width}x{height}");
        }
    }
}

/// A picture whose red and green say where a pixel is: the square shows them where the window says.
#[test]
fn a_window_is_what_the_square_shows() {
    let crops = [Resize::Side, Resize::Shortest(50), Resize::To(60, 48), Resize::Not];
    let crops = crops.map(|resize| (Geometry::CentreCrop, resize));
    let others = [Geometry::Squash, Geometry::TwoToOne, Geometry::Pad];
    for (geometry, resize) in others.map(|g| (g, Resize::Side)).into_iter().chain(crops) {
        for (width, height) in [(200, 90), (90, 200), (250, 100), (40, 31), (32, 32)] {
            let p = Preprocess { resize, fill: 0, geometry, ..Preprocess::squash(32) };
            let window = p.window(width, height);
            let fitted = p.fit(&stripes(width, height));
            for (u, v) in [(4, 4), (16, 16), (27, 9), (12, 28)] {
                let x = window.left + (f64::from(u) + 0.5) * window.width / 32.0 - 0.5;
                let y = window.top + (f64::from(v) + 0.5) * window.height / 32.0 - 0.5;
                let inside = |at: f64, len: u32| (1.0..f64::from(len) - 2.0).contains(&at);
                if inside(x, width) && inside(y, height) {
                    let [red, green, _] = fitted.get_pixel(u, v).0.map(f64::from);
                    let close = (red - x).abs() < 2.0 && (green - y).abs() < 2.0;
                    assert!(
                        close,
                        "{geometry:?} {resize:?} {width}x{height} at {u},{v}: {x} {y} is {red} {green}"
                    );
                }
            }
        }
    }
}

/// A line's short edge becomes the square's, and then it is as long as a hundred thousand squares.
#[test]
fn lines_cost_no_more_memory_than_other_pictures() {
    for geometry in GEOMETRIES {
        for filter in [Filter::Bicubic, Filter::Nearest] {
            for (width, height) in [(1, 60_000), (60_000, 1)] {
                let line = RgbImage::from_pixel(width, height, Rgb([7, 77, 177]));
                let p = Preprocess { filter, ..preprocess(geometry) };
                let fitted = p.fit(&Picture::Rgb(line.clone()));
                let shown = fitted.pixels().any(|pixel| pixel.0 == [7, 77, 177]);
                assert!(shown, "{geometry:?} {filter:?}");
            }
        }
    }
}

/// What is computed of the centre alone is what the whole picture has there.
#[test]
fn a_centre_is_that_of_the_whole_resized_picture() {
    let sizes = [(90, 31), (31, 90), (33, 57), (8, 40), (40, 8), (7, 7)];
    let filters = [Filter::Nearest, Filter::Bilinear, Filter::Bicubic, Filter::Lanczos];
    for ((width, height), filter) in sizes.into_iter().flat_map(|s| filters.map(|f| (s, f))) {
        for resize in [Resize::Side, Resize::Shortest(13), Resize::To(width, 20)] {
            let p = Preprocess { resize, filter, ..preprocess(Geometry::CentreCrop) };
            let noise = |x: u32, y: u32| ((x * 7919) ^ (y * 104_729)) as u8;
            let rgba = image::RgbaImage::from_fn(width, height, |x, y| {
                image::Rgba([noise(x, y), noise(y, x), noise(x, 1), noise(3, y)])
            });
            for picture in [stripes(width, height), Picture::Rgba(rgba)] {
                let to = match resize {
                    Resize::Side => shortest_edge(width, height, 8),
                    Resize::Shortest(side) => shortest_edge(width, height, side),
                    _ => (width, 20),
                };
                let whole = p.middle(&picture.resize(to.0, to.1, filter));
                let centre = p.resized_middle(&picture, to.0, to.1);
                assert_eq!(centre, whole, "{width}x{height} {resize:?} {filter:?}");
            }
        }
    }
}

#[test]
fn two_to_one_keeps_the_centre() {
    let fitted = preprocess(Geometry::TwoToOne).fit(&stripes(100, 10));
    let reds: Vec<u8> = fitted.rows().next().expect("a row").map(|p| p[0]).collect();
    assert!(reds[0] >= 40 && reds[7] < 60, "{reds:?} lies outside columns 40..60");
    let squashed = preprocess(Geometry::TwoToOne).fit(&stripes(20, 10));
    assert_eq!(squashed, preprocess(Geometry::Squash).fit(&stripes(20, 10)));
}

#[test]
fn what_is_smaller_than_the_square_lies_in_its_middle() {
    let white = Picture::Rgb(RgbImage::from_pixel(16, 8, Rgb([255; 3])));
    let padded = Preprocess { fill: 7, ..preprocess(Geometry::Pad) }.fit(&white);
    let column: Vec<u8> = (0..8).map(|y| padded.get_pixel(3, y)[0]).collect();
    assert_eq!(column, [7, 7, 255, 255, 255, 255, 7, 7]);
    let crop = Preprocess { resize: Resize::Not, ..preprocess(Geometry::CentreCrop) };
    let small = Picture::Rgb(RgbImage::from_pixel(5, 11, Rgb([255; 3])));
    let starts = |centre: Centre| {
        let fitted = Preprocess { centre, ..crop.clone() }.fit(&small);
        (0..8).position(|x| fitted.get_pixel(x, 0)[0] == 255)
    };
    // Three columns are missing: torchvision fills one of them on the left, transformers two.
    assert_eq!([Centre::Even, Centre::First].map(starts), [Some(1), Some(2)]);
    let red = |resize: Resize| {
        let fitted = Preprocess { resize, ..crop.clone() }.fit(&stripes(100, 50));
        fitted.get_pixel(0, 0)[0]
    };
    assert_eq!(red(Resize::Not), 46);
    assert!(red(Resize::To(8, 8)) < 8 && red(Resize::Shortest(16)) > red(Resize::Side));
}

#[test]
fn offsets_round_like_python() {
    assert_eq!([0, 1, 2, 3, 4, 5].map(half_to_even), [0, 0, 1, 2, 2, 2]);
    assert_eq!(shortest_edge(500, 333, 224), (336, 224));
}

#[test]
fn normalise_maps_bytes_to_minus_one_and_one() {
    let mut out = Vec::new();
    let picture = RgbImage::from_fn(8, 8, |_, _| Rgb([0, 255, 51]));
    preprocess(Geometry::Squash).normalise_into(&picture, &mut out);
    assert_eq!((out.len(), out[0], out[64]), (192, -1.0, 1.0));
    assert!((out[128] - -0.6).abs() < 1e-6);
}
