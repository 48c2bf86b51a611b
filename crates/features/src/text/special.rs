//! Two functions of Dirichlet distributions, for positive arguments, to about 1e-13.

/// Where the asymptotic series begins to be exact enough.
const FAR: f64 = 10.0;

/// The logarithm of the gamma function: Stirling's series (Abramowitz and Stegun 6.1.40), brought near by recurrence.
pub fn ln_gamma(mut x: f64) -> f64 {
    let mut product = 1.0;
    while x < FAR {
        product *= x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let series = 1.0 / 12.0
        - square
            * (1.0 / 360.0 - square * (1.0 / 1260.0 - square * (1.0 / 1680.0 - square / 1188.0)));
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series / x - product.ln()
}

/// Its derivative (6.3.18).
pub fn digamma(mut x: f64) -> f64 {
    let mut below = 0.0;
    while x < FAR {
        below += 1.0 / x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let series = square
        * (1.0 / 12.0
            - square
                * (1.0 / 120.0 - square * (1.0 / 252.0 - square * (1.0 / 240.0 - square / 132.0))));
    x.ln() - 0.5 / x - series - below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        // Euler's constant, and (n - 1)!.
        assert!((digamma(1.0) + 0.577_215_664_901_532_9).abs() < 1e-12);
        assert!((digamma(0.5) + 1.963_510_026_021_423_5).abs() < 1e-12);
        assert!((ln_gamma(0.5) - std::f64::consts::PI.sqrt().ln()).abs() < 1e-12);
        assert!((ln_gamma(6.0) - 120f64.ln()).abs() < 1e-12);
        assert!((ln_gamma(1e-3) - 6.907_178_885_383_853).abs() < 1e-11);
        assert!((ln_gamma(300.0) - 1_409.202_067_470_412).abs() < 1e-9);
    }
}
