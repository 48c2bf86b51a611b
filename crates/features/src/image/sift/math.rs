//! OpenCV's approximations, in a form that compilers make vectors of.

/// Added and taken away again it rounds to a whole number, which then stands in the lowest bits.
const MAGIC: f32 = 12_582_912.0;

/// A float's nearest whole number.
#[inline(always)]
pub fn nearest(x: f32) -> i32 {
    (x + MAGIC).to_bits() as i32 - MAGIC.to_bits() as i32
}

/// e to a number from -80 to 80, to 1e-6 of it.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let shifted = x * std::f32::consts::LOG2_E + MAGIC;
    let power = shifted - MAGIC;
    let rest = x - power * 0.693_359_4 + power * 2.121_944_4e-4;
    let series = 1.0
        + rest
            * (1.0
                + rest
                    * (0.5
                        + rest
                            * (0.166_666_65
                                + rest
                                    * (0.041_665_795 + rest * (0.008_333_452 + rest * 0.001_39)))));
    series * f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000))
}

/// OpenCV's `fastAtan2`: degrees from 0 to 360, to 0.01 of one.
#[inline(always)]
pub fn atan2(y: f32, x: f32) -> f32 {
    const DEGREES: f32 = 57.295_78;
    const P1: f32 = 0.999_787_85 * DEGREES;
    const P3: f32 = -0.325_808_4 * DEGREES;
    const P5: f32 = 0.155_578_66 * DEGREES;
    const P7: f32 = -0.044_326_555 * DEGREES;
    let (ax, ay) = (x.abs(), y.abs());
    let (small, large) = if ax >= ay { (ay, ax) } else { (ax, ay) };
    let c = small / (large + f32::EPSILON * f32::EPSILON);
    let square = c * c;
    let near = (((P7 * square + P5) * square + P3) * square + P1) * c;
    let first = if ax >= ay { near } else { 90.0 - near };
    let half = if x < 0.0 { 180.0 - first } else { first };
    if y < 0.0 { 360.0 - half } else { half }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn approximations_are_near() {
        for at in -800..=0 {
            let x = at as f32 / 10.0;
            assert!((exp(x) / x.exp() - 1.0).abs() < 2e-6, "{x}");
        }
        for at in 0..360 {
            let angle = at as f32 + 0.5;
            let (sin, cos) = angle.to_radians().sin_cos();
            assert!((atan2(sin * 3.0, cos * 3.0) - angle).abs() < 0.02, "{angle}");
        }
        assert_eq!(atan2(0.0, 0.0), 0.0);
        assert_eq!([-1.6, -1.4, 0.0, 2.5, 3.5, 1000.2].map(nearest), [-2, -1, 0, 2, 4, 1000]);
    }
}
