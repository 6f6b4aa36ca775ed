//! Proof by simulation that the statistics keep their promises, and that the naive ones do not.
//!
//! Every test here draws windows from noise like that of a busy machine, hands them to the same public functions that
//! judge real runs, and counts how often these are wrong. All seeds are fixed, so a test cannot fail by luck; the
//! bands are wide enough that a seed was not picked to pass either: with 2 000 trials, a rate of 5 % has a
//! standard error of 0.5 %. No server, no clock, no load.

use pgstrata_stats::noise::{Autoregressive, MEASURED_CORRELATION, MEASURED_SPREAD, standard_normal};
use pgstrata_stats::{
    Better, Comparison, ControlVerdict, LatencyHistogram, Pair, PairOrder, Settings, Step, StoppingRule, Verdict,
    compare, judge_control, quantile_estimate, schedule,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Simulated runs for each rate.
const TRIALS: u64 = 2_000;

/// The correlations of adjacent windows that are tried: the measured one, and a worse one.
const CORRELATIONS: [f64; 2] = [MEASURED_CORRELATION, 0.8];

/// The share of false positives that a nominal 5 % may have: 5 % ± 3.
const BAND: std::ops::RangeInclusive<f64> = 0.02..=0.08;

/// Makes of a trial's seed a second one, for randomness that must not follow the noise.
const OTHER_STREAM: u64 = 0x5EED_0000_0000;

/// A machine that runs one window after the other, and two arms on it.
struct Machine {
    noise: Autoregressive,
    coins: ChaCha8Rng,
    /// Throughput of the candidate divided by that of the baseline.
    effect: f64,
    /// Throughput of the second window of a pair divided by that of the first.
    place_effect: f64,
}

impl Machine {
    fn new(correlation: f64, spread: f64, effect: f64, seed: u64) -> Self {
        let coins = ChaCha8Rng::seed_from_u64(seed ^ OTHER_STREAM);
        Self { noise: Autoregressive::new(correlation, spread, seed), coins, effect, place_effect: 1.0 }
    }

    /// Operations per second in the next window.
    fn window(&mut self, arm_effect: f64) -> f64 {
        20_000.0 * arm_effect * self.noise.draw().exp()
    }

    /// The next pair, its windows in the order that the schedule gives.
    fn pairs(&mut self, count: usize) -> Vec<Pair> {
        let orders = schedule(count, &mut self.coins);
        let run = |order| match order {
            PairOrder::BaselineFirst => {
                let baseline = self.window(1.0);
                Pair { baseline, candidate: self.window(self.effect) * self.place_effect }
            }
            PairOrder::CandidateFirst => {
                let candidate = self.window(self.effect);
                Pair { baseline: self.window(1.0) * self.place_effect, candidate }
            }
        };
        orders.into_iter().map(run).collect()
    }

    fn comparison(&mut self, pairs: usize) -> Comparison {
        compare(&self.pairs(pairs), &Settings::new(Better::Higher)).expect("windows are above zero")
    }
}

/// The share of trials for which `happens`.
fn rate(trials: u64, happens: impl FnMut(u64) -> bool) -> f64 {
    let seeds = 1..=trials;
    seeds.map(happens).filter(|&happened| happened).count() as f64 / trials as f64
}

fn excludes_one(comparison: &Comparison) -> bool {
    !comparison.interval.contains(1.0)
}

#[test]
fn identical_arms_are_told_apart_in_five_percent_of_runs_whatever_the_noise() {
    for correlation in CORRELATIONS {
        for pairs in [8, 20] {
            let found = rate(TRIALS, |seed| {
                excludes_one(&Machine::new(correlation, MEASURED_SPREAD, 1.0, seed).comparison(pairs))
            });
            assert!(BAND.contains(&found), "{found} at correlation {correlation}, {pairs} pairs");
        }
    }
}

#[test]
fn identical_arms_on_a_machine_that_stalls_are_not_told_apart_more_often() {
    let found = rate(TRIALS, |seed| {
        let mut stalls = ChaCha8Rng::seed_from_u64(seed);
        // One window in ten gets a third of its work done.
        let mut stalled = |figure: f64| if stalls.random_bool(0.1) { figure * 0.3 } else { figure };
        let pairs: Vec<Pair> = Machine::new(0.8, MEASURED_SPREAD, 1.0, seed)
            .pairs(12)
            .into_iter()
            .map(|pair| Pair { baseline: stalled(pair.baseline), candidate: stalled(pair.candidate) })
            .collect();
        excludes_one(&compare(&pairs, &Settings::new(Better::Higher)).expect("windows are above zero"))
    });
    assert!(BAND.contains(&found), "{found}");
}

#[test]
fn a_favour_for_the_second_window_of_a_pair_is_not_taken_for_a_difference_of_the_arms() {
    let found = rate(TRIALS, |seed| {
        let mut machine = Machine::new(MEASURED_CORRELATION, MEASURED_SPREAD, 1.0, seed);
        machine.place_effect = 1.5;
        excludes_one(&machine.comparison(20))
    });
    assert!(BAND.contains(&found), "{found}");
}

/// What a benchmark script does: all windows of one arm, all of the other, Welch's test of the means.
fn naive_test_tells_apart(machine: &mut Machine, windows: usize) -> bool {
    /// The 97.5 % point of Student's t for 60 and more degrees of freedom is at most this.
    const CRITICAL: f64 = 2.01;
    let mut run = || -> (f64, f64) {
        let figures: Vec<f64> = (0..windows).map(|_| machine.window(1.0).ln()).collect();
        let n = windows as f64;
        let mean = figures.iter().sum::<f64>() / n;
        (mean, figures.iter().map(|figure| (figure - mean).powi(2)).sum::<f64>() / (n - 1.0) / n)
    };
    let ((first, first_variance), (second, second_variance)) = (run(), run());
    (first - second).abs() > CRITICAL * (first_variance + second_variance).sqrt()
}

#[test]
fn running_one_arm_after_the_other_tells_identical_arms_apart_in_more_than_fifteen_percent_of_runs() {
    let found = CORRELATIONS.map(|correlation| {
        rate(TRIALS, |seed| naive_test_tells_apart(&mut Machine::new(correlation, MEASURED_SPREAD, 1.0, seed), 60))
    });
    assert!(found[0] > 0.15, "{found:?}");
    assert!(found[1] > 0.40, "{found:?}");
    // The simulation itself is not to blame: without correlation the same test is right.
    let independent =
        rate(TRIALS, |seed| naive_test_tells_apart(&mut Machine::new(0.0, MEASURED_SPREAD, 1.0, seed), 60));
    assert!(BAND.contains(&independent), "{independent}");
}

/// The percentile bootstrap of the mean log-ratio: what [`compare`] would be, had it not been tried.
fn percentile_bootstrap_excludes_one(pairs: &[Pair], random: &mut ChaCha8Rng) -> bool {
    const RESAMPLES: usize = 400;
    let logs: Vec<f64> = pairs.iter().map(|pair| (pair.candidate / pair.baseline).ln()).collect();
    let mut draw = || logs.iter().map(|_| logs[random.random_range(0..logs.len())]).sum::<f64>();
    let above = (0..RESAMPLES).filter(|_| draw() > 0.0).count();
    // 2.5 % of the resamples on either side.
    !(RESAMPLES / 40..=RESAMPLES - RESAMPLES / 40).contains(&above)
}

#[test]
fn the_percentile_bootstrap_misses_the_truth_too_often_with_eight_pairs() {
    let found = rate(TRIALS / 2, |seed| {
        let pairs = Machine::new(MEASURED_CORRELATION, MEASURED_SPREAD, 1.0, seed).pairs(8);
        percentile_bootstrap_excludes_one(&pairs, &mut ChaCha8Rng::seed_from_u64(seed))
    });
    assert!(found > 0.09, "{found}");
}

#[test]
fn the_interval_holds_the_true_ratio_in_ninety_five_percent_of_runs() {
    for (effect, pairs) in [(1.0, 8), (0.9, 12), (1.42, 20), (240.0, 12)] {
        let held = rate(TRIALS, |seed| {
            let mut machine = Machine::new(MEASURED_CORRELATION, MEASURED_SPREAD, effect, seed);
            machine.comparison(pairs).interval.contains(effect)
        });
        assert!((0.935..=0.965).contains(&held), "{held} at a ratio of {effect}, {pairs} pairs");
    }
}

#[test]
fn a_slowdown_of_ten_percent_is_found_in_eighty_percent_of_runs() {
    // (correlation, spread, pairs): the measured machine, one with slower noise, and a quiet one.
    for (correlation, spread, pairs) in
        [(MEASURED_CORRELATION, MEASURED_SPREAD, 80), (0.8, MEASURED_SPREAD, 34), (0.5, 0.1, 12)]
    {
        let found = rate(TRIALS / 4, |seed| {
            Machine::new(correlation, spread, 0.9, seed).comparison(pairs).verdict == Verdict::Slower
        });
        assert!(found >= 0.80, "{found} with {pairs} pairs at correlation {correlation}, spread {spread}");
    }
}

#[test]
fn the_minimal_detectable_effect_is_found_in_four_of_five_runs() {
    const PAIRS: usize = 20;
    let compared = |effect, seed| Machine::new(MEASURED_CORRELATION, MEASURED_SPREAD, effect, seed).comparison(PAIRS);
    let printed = (1..=200).map(|seed| compared(1.0, seed).minimal_detectable_effect).sum::<f64>() / 200.0;
    let found = rate(TRIALS / 2, |seed| compared(1.0 + printed, seed).verdict == Verdict::Faster);
    assert!((0.76..=0.86).contains(&found), "{found} for an effect of {printed}");
}

#[test]
fn arms_that_differ_by_the_margin_are_called_equivalent_in_at_most_five_percent_of_runs() {
    let margin = 1.0 + pgstrata_stats::EQUIVALENCE_MARGIN;
    for effect in [margin, margin.recip()] {
        let wrong = rate(TRIALS, |seed| {
            Machine::new(MEASURED_CORRELATION, 0.05, effect, seed).comparison(20).verdict == Verdict::Equivalent
        });
        assert!(wrong <= 0.065, "{wrong} at a ratio of {effect}");
        // Not because it never says so.
        let right = rate(TRIALS / 4, |seed| {
            Machine::new(MEASURED_CORRELATION, 0.05, 1.0, seed).comparison(20).verdict == Verdict::Equivalent
        });
        assert!(right > 0.9, "{right}");
    }
}

#[test]
fn the_control_convicts_a_planted_bias_and_almost_never_a_sound_set_up() {
    let convicted = |effect: f64, trials| {
        rate(trials, |seed| {
            let pairs = Machine::new(MEASURED_CORRELATION, 0.1, effect, seed).pairs(20);
            let control = judge_control(&pairs, &Settings::new(Better::Higher)).expect("windows are above zero");
            control.verdict == ControlVerdict::Biased
        })
    };
    let biased = convicted(1.1, TRIALS / 4);
    assert!(biased > 0.85, "{biased}");
    let sound = convicted(1.0, TRIALS);
    assert!((0.003..=0.02).contains(&sound), "{sound}");
}

#[test]
fn stopping_by_the_width_of_the_interval_keeps_the_share_of_false_positives() {
    let settings = Settings::new(Better::Higher);
    // Narrow, middle and wide targets: they stop at the cap, after about twenty pairs, and at the first look.
    for half_width in [0.05, 0.15, 0.40] {
        let rule = StoppingRule { half_width, cap: 40 };
        for correlation in CORRELATIONS {
            let found = rate(TRIALS / 2, |seed| {
                let mut machine = Machine::new(correlation, MEASURED_SPREAD, 1.0, seed);
                let mut pairs = Vec::new();
                while let Step::Run { pairs: more } = rule.next(&pairs, &settings).expect("windows are above zero") {
                    pairs.extend(machine.pairs(more));
                }
                excludes_one(&compare(&pairs, &settings).expect("windows are above zero"))
            });
            assert!(BAND.contains(&found), "{found} for ±{half_width} at correlation {correlation}");
        }
    }
}

/// The spread of the logarithm of latency within a window.
const REQUEST_SPREAD: f64 = 0.5;

/// The median latency, nanoseconds: short, because an unoptimised build walks through every bucket below.
const MEDIAN_NS: f64 = 2_000.0;

/// Windows of lognormal latencies whose level moves with the machine.
fn latencies(correlation: f64, windows: usize, seed: u64) -> Vec<LatencyHistogram> {
    const REQUESTS: usize = 60;
    let mut random = ChaCha8Rng::seed_from_u64(seed ^ OTHER_STREAM);
    let window = |level: f64| {
        let mut histogram = LatencyHistogram::new();
        for _ in 0..REQUESTS {
            let latency_ns = MEDIAN_NS * (level + REQUEST_SPREAD * standard_normal(&mut random)).exp();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a positive number of nanoseconds"
            )]
            histogram.record_ns(latency_ns as u64);
        }
        histogram
    };
    Autoregressive::new(correlation, MEASURED_SPREAD, seed).take(windows).map(window).collect()
}

/// The order statistics between which a quantile lies if every request is a fact of its own.
fn interval_by_requests(windows: &[LatencyHistogram], quantile: f64) -> Option<(u64, u64)> {
    let all = LatencyHistogram::merged(windows);
    let reach = 1.96 * (quantile * (1.0 - quantile) / all.count() as f64).sqrt();
    all.quantile_ns(quantile - reach).zip(all.quantile_ns(quantile + reach))
}

#[test]
fn latency_quantiles_by_windows_hold_the_truth_where_those_by_requests_do_not() {
    const RUNS: u64 = 150;
    // (quantile, its standard normal score, how often windows held the truth, how often requests did)
    let mut results = [(0.5, 0.0, 0, 0), (0.95, 1.644_854, 0, 0)];
    for seed in 1..=RUNS {
        let run = latencies(0.25, 20, seed);
        for (quantile, score, by_windows, by_requests) in &mut results {
            // Level and request are both normal on the logarithm, so their sum is, and the true quantile is known.
            let truth = MEDIAN_NS * (*score * MEASURED_SPREAD.hypot(REQUEST_SPREAD)).exp();
            let holds = |(low, high): (u64, u64)| (low as f64..=high as f64).contains(&truth);
            let estimate = quantile_estimate(&run, *quantile).expect("latencies were counted");
            *by_windows += u64::from(estimate.interval_ns.is_some_and(holds));
            *by_requests += u64::from(interval_by_requests(&run, *quantile).is_some_and(holds));
        }
    }
    for (quantile, _, by_windows, by_requests) in results {
        let share = |held: u64| held as f64 / RUNS as f64;
        assert!((0.88..=0.98).contains(&share(by_windows)), "{} for quantile {quantile}", share(by_windows));
        assert!(share(by_requests) < 0.65, "{} for quantile {quantile}", share(by_requests));
    }
}
