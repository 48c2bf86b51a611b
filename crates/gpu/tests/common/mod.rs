//! What the tests of the card share.
#![allow(dead_code, reason = "each test file uses its part")]

use std::sync::{Arc, OnceLock};

use tuwen_nn::Executor;

/// The card of this system, or a program in its place; says so where there is neither.
pub fn card() -> Option<Arc<dyn Executor>> {
    static CARD: OnceLock<Option<Arc<dyn Executor>>> = OnceLock::new();
    let open = || match tuwen_gpu::open() {
        Ok(found) => {
            println!("on {}", found.executor.name());
            Some(found.executor)
        }
        Err(why) => {
            println!("NOT RUN: {why} (a program in its place: Debian's mesa-vulkan-drivers)");
            None
        }
    };
    CARD.get_or_init(open).clone()
}

/// Values between -1 and 1 that look like chance.
pub fn wave(count: usize, seed: f64) -> Vec<f32> {
    let one = |at: usize| ((at as f64 + 1.0) * 12.9898 + seed * 78.233).sin() * 43_758.545;
    (0..count)
        .map(|at| (one(at).fract() * 2.0 - if one(at) < 0.0 { -1.0 } else { 1.0 }) as f32)
        .collect()
}

/// Asserts that values differ by so little, of what is about 1.
pub fn close(what: &str, found: &[f32], wanted: &[f32], bound: f32) {
    assert_eq!(found.len(), wanted.len(), "{what}: how many");
    let apart = |(a, b): (&f32, &f32)| match (a - b).abs() {
        apart if apart.is_finite() => apart / b.abs().max(1.0),
        _ => f32::INFINITY,
    };
    let most = found.iter().zip(wanted).map(apart).fold(0.0, f32::max);
    assert!(most <= bound, "{what}: {most} apart, {bound} allowed");
}
