//! Quantiles of Student's t distribution for whole degrees of freedom.
//!
//! Exact finite sums instead of a dependency: a comparison needs two quantiles, and its degrees of freedom are
//! the number of pairs less one.

use std::f64::consts::FRAC_2_PI;

/// Bisection steps: the bracket of 2^17 shrinks below the resolution of an `f64`.
const BISECTIONS: u32 = 80;

/// The quantile of Student's t distribution with `freedom` degrees of freedom.
///
/// `probability` lies in [0.5, 1); the lower half follows by symmetry and nobody needs it. Values beyond
/// 131 072 are cut off there, which one degree of freedom reaches at a probability of 0.999 997.
pub(crate) fn t_quantile(probability: f64, freedom: u32) -> f64 {
    debug_assert!((0.5..1.0).contains(&probability) && freedom > 0);
    let central = 2.0 * probability - 1.0;
    let (mut low, mut high) = (0.0, 131_072.0);
    for _ in 0..BISECTIONS {
        let middle = f64::midpoint(low, high);
        if central_probability(middle, freedom) < central {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// The probability that |T| ≤ t, by the finite sums of Abramowitz & Stegun, *Handbook of Mathematical Functions*,
/// 26.7.3 (odd degrees of freedom) and 26.7.4 (even).
fn central_probability(t: f64, freedom: u32) -> f64 {
    let angle = (t / f64::from(freedom).sqrt()).atan();
    let (sine, cosine) = angle.sin_cos();
    let odd = freedom % 2 == 1;
    let mut term = if odd { cosine } else { 1.0 };
    let mut sum = if freedom == 1 { 0.0 } else { term };
    let mut power = if odd { 3 } else { 2 };
    while power + 2 <= freedom {
        term *= cosine * cosine * f64::from(power - 1) / f64::from(power);
        sum += term;
        power += 2;
    }
    if odd { FRAC_2_PI * (angle + sine * sum) } else { sine * sum }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_agree_with_the_printed_tables() {
        let check = |probability, freedom, expected: f64| {
            let quantile = t_quantile(probability, freedom);
            assert!((quantile - expected).abs() < 6e-4, "t({probability}, {freedom}) = {quantile}, not {expected}");
        };
        check(0.975, 1, 12.706);
        check(0.975, 2, 4.303);
        check(0.975, 3, 3.182);
        check(0.975, 7, 2.365);
        check(0.975, 19, 2.093);
        check(0.975, 120, 1.980);
        check(0.95, 10, 1.812);
        check(0.80, 9, 0.883);
        check(0.995, 4, 4.604);
        check(0.5, 5, 0.0);
    }

    #[test]
    fn quantiles_of_many_degrees_of_freedom_approach_the_normal_ones() {
        assert!((t_quantile(0.975, 100_000) - 1.959_964).abs() < 1e-4);
    }
}
