//! Which vectors the processor has: asked once, here, by all that is compiled for several of them.
//!
//! [`simd!`] compiles one safe body for each width, which the compiler vectorises; kernels of their own
//! ask [`level`]. Where the baseline has the vectors already (NEON of every aarch64), the plain body is it.
//!
//! ```
//! use tuwen_simd::{Level, level};
//!
//! assert!(level() >= Level::Baseline);
//! ```

use std::sync::OnceLock;

/// The widest vectors that a processor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What the program is compiled for: SSE2 on x86-64, NEON on aarch64.
    Baseline,
    /// AVX2 and FMA.
    Avx2,
    /// AVX2 and FMA, and of AVX-512 F, BW, DQ and VL, which no server's or desktop's processor has without
    /// the others.
    Avx512,
}

/// That of this processor.
///
/// ```
/// use tuwen_simd::{Level, level, multiplies_bf16};
///
/// assert!(level() >= Level::Baseline);
/// assert!(!multiplies_bf16() || level() == Level::Avx512);
/// ```
#[inline]
pub fn level() -> Level {
    static LEVEL: OnceLock<Level> = OnceLock::new();
    *LEVEL.get_or_init(detect)
}

#[cfg(target_arch = "x86_64")]
fn detect() -> Level {
    if !(is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")) {
        return Level::Baseline;
    }
    let wide = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    if wide { Level::Avx512 } else { Level::Avx2 }
}

#[cfg(not(target_arch = "x86_64"))]
fn detect() -> Level {
    Level::Baseline
}

/// Whether a multiplication and an addition are one instruction with one rounding: with AVX2, and on every aarch64.
/// Without it `mul_add` is a call that takes as long as dozens of both.
///
/// ```
/// use tuwen_simd::{Level, fuses, level};
///
/// assert!(fuses() || level() == Level::Baseline);
/// ```
#[inline]
pub fn fuses() -> bool {
    cfg!(target_arch = "aarch64") || level() >= Level::Avx2
}

/// Whether the processor multiplies pairs of bf16: AVX512_BF16 besides [`Level::Avx512`].
pub fn multiplies_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return level() == Level::Avx512 && is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Whether the processor adds up products of bytes (unsigned by signed, four at a time) in vectors of a level:
/// AVX512_VNNI, AVX-VNNI.
///
/// ```
/// use tuwen_simd::{Level, level, multiplies_bytes};
///
/// assert!(!multiplies_bytes(Level::Avx512) || level() == Level::Avx512);
/// assert!(!multiplies_bytes(Level::Baseline));
/// ```
pub fn multiplies_bytes(of: Level) -> bool {
    #[cfg(target_arch = "x86_64")]
    return of <= level()
        && match of {
            Level::Avx512 => is_x86_feature_detected!("avx512vnni"),
            Level::Avx2 => is_x86_feature_detected!("avxvnni"),
            Level::Baseline => false,
        };
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = of;
        false
    }
}

/// Defines a function whose body is compiled for each [`Level`]. All variants are the same code and give the
/// same bits: the compiler joins no multiplication with an addition by itself.
///
/// ```
/// tuwen_simd::simd! {
///     /// `a += b`.
///     pub fn add(a: &mut [f32], b: &[f32]) {
///         a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
///     }
/// }
///
/// let mut sum = [1.0, 2.0];
/// add(&mut sum, &[0.5, 0.5]);
/// assert_eq!(sum, [1.5, 2.5]);
/// ```
#[macro_export]
macro_rules! simd {
    ($(#[$doc:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $out:ty)? $body:block) => {
        $(#[$doc])*
        #[allow(clippy::too_many_arguments, reason = "kernels take slices, not structs")]
        $vis fn $name($($arg: $ty),*) $(-> $out)? {
            #[inline(always)]
            #[allow(clippy::too_many_arguments, reason = "as above")]
            fn body($($arg: $ty),*) $(-> $out)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                #[allow(clippy::too_many_arguments, reason = "as above")]
                fn avx512($($arg: $ty),*) $(-> $out)? { body($($arg),*) }

                #[target_feature(enable = "avx2,fma")]
                #[allow(clippy::too_many_arguments, reason = "as above")]
                fn avx2($($arg: $ty),*) $(-> $out)? { body($($arg),*) }

                match $crate::level() {
                    // SAFETY: the processor has the features that `avx512` is compiled for.
                    $crate::Level::Avx512 => return unsafe { avx512($($arg),*) },
                    // SAFETY: the processor has the features that `avx2` is compiled for.
                    $crate::Level::Avx2 => return unsafe { avx2($($arg),*) },
                    $crate::Level::Baseline => {}
                }
            }
            body($($arg),*)
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    simd! {
        /// The sum of products, eight at a time.
        fn dot(a: &[f32], b: &[f32]) -> f32 {
            let mut sums = [0f32; 8];
            for (a, b) in a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0) {
                (0..8).for_each(|lane| sums[lane] += a[lane] * b[lane]);
            }
            sums.iter().sum()
        }
    }

    #[test]
    fn every_width_gives_the_bits_of_plain_code() {
        let values: Vec<f32> =
            (0..800).map(|i| ((i * 7919 % 1013) as f32 - 506.0) / 37.0).collect();
        let (a, b) = values.split_at(400);
        let mut sums = [0f32; 8];
        for (i, (a, b)) in a.iter().zip(b).enumerate() {
            sums[i % 8] += a * b;
        }
        assert_eq!(dot(a, b).to_bits(), sums.iter().sum::<f32>().to_bits());
    }

    #[test]
    fn bf16_needs_the_widest_vectors() {
        assert!(!multiplies_bf16() || level() == Level::Avx512);
    }
}
