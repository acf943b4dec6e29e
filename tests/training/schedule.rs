//! Learning-rate schedules, regimes of gradient descent and exponentially weighted averages, by their formulas and the course
//! notes' numbers.

use crate::common::{Rng, assert_mentions};
use roofline::nn::{ExponentialAverage, Progress, Regime, Schedule};

fn rate(schedule: Schedule, alpha0: f64, epoch: u64, step: u64, total_steps: u64) -> f64 {
    schedule.learning_rate(alpha0, Progress { epoch, step, total_steps }).unwrap()
}

fn assert_near(found: f64, exact: f64) {
    assert!((found - exact).abs() <= 1e-14 * exact.abs(), "{found} not {exact}");
}

#[test]
fn inverse_decay_is_the_table_of_the_notes() {
    let schedule = Schedule::Inverse { decay_rate: 1.0 };
    for (epoch, table) in [(1, 0.1), (2, 0.0667), (3, 0.05), (4, 0.04)] {
        let found = rate(schedule, 0.2, epoch, 999, 0);
        assert!((found - table).abs() < 5e-5, "epoch {epoch}: {found} not {table}");
        assert_near(found, 0.2 / (1.0 + epoch as f64));
    }
    assert_eq!(rate(schedule, 0.2, 0, 0, 0), 0.2);
}

#[test]
fn each_schedule_is_its_formula() {
    for n in 1..200_u64 {
        let x = n as f64;
        let (by_epoch, by_step) = (|schedule| rate(schedule, 0.3, n, 777, 0), |schedule| rate(schedule, 0.3, 5, n, 0));
        assert_eq!(by_epoch(Schedule::Constant), 0.3);
        assert_near(by_epoch(Schedule::Inverse { decay_rate: 0.25 }), 0.3 / (1.0 + 0.25 * x));
        assert_near(by_epoch(Schedule::Exponential { base: 0.95 }), 0.3 * 0.95_f64.powf(x));
        assert_near(by_epoch(Schedule::SqrtEpoch { k: 2.0 }), 2.0 / x.sqrt() * 0.3);
        assert_near(by_step(Schedule::SqrtStep { k: 0.5 }), 0.5 / x.sqrt() * 0.3);
        let stairs = (1..n).filter(|epoch| epoch % 7 == 0).fold(0.3, |rate, _| rate * 0.5);
        assert_near(by_epoch(Schedule::Staircase { factor: 0.5, epochs: 7 }), stairs);
    }
}

/// 0 is before the first epoch and update.
#[test]
fn no_schedule_divides_by_0() {
    for (schedule, expected) in [
        (Schedule::Constant, 0.3),
        (Schedule::Inverse { decay_rate: 1.0 }, 0.3),
        (Schedule::Exponential { base: 0.5 }, 0.3),
        (Schedule::SqrtEpoch { k: 2.0 }, 0.6),
        (Schedule::SqrtStep { k: 2.0 }, 0.6),
        (Schedule::Staircase { factor: 0.5, epochs: 1 }, 0.3),
        (Schedule::Cosine { warmup: 4, floor: 0.1 }, 0.075),
        (Schedule::Cosine { warmup: 0, floor: 0.1 }, 0.3),
    ] {
        assert_near(rate(schedule, 0.3, 0, 0, 10), expected);
    }
}

#[test]
fn warm_up_rises_in_a_line_then_a_cosine_falls_to_the_floor() {
    let (warmup, total, floor) = (100, 1100, 0.01);
    let at = |step| rate(Schedule::Cosine { warmup, floor }, 0.2, 1, step, total);
    for step in 1..=warmup {
        assert_near(at(step), 0.2 * step as f64 / warmup as f64);
    }
    for step in warmup + 1..=total + 1 {
        let p = (step - 1 - warmup) as f64 / (total - warmup) as f64;
        let exact = 0.2 * (floor + (1.0 - floor) * (1.0 + (std::f64::consts::PI * p).cos()) / 2.0);
        assert!((at(step) - exact).abs() < 1e-15, "step {step}: {} not {exact}", at(step));
        assert!(at(step) <= at(step - 1), "step {step}");
    }
    assert_eq!((at(100), at(101), at(total + 1), at(u64::MAX)), (0.2, 0.2, 0.2 * floor, 0.2 * floor));
    assert_near(at(601), 0.2 * (1.0 + floor) / 2.0);
    let bare = Schedule::Cosine { warmup: 0, floor: 0.0 };
    assert_eq!(rate(bare, 0.2, 1, 1, 1), 0.2, "a single update is not wasted");
    assert!(rate(bare, 0.2, 1, 50, 50) > 0.0, "nor is the last");
    // Shorter than the warm-up.
    let long = Schedule::Cosine { warmup: 10, floor: 0.5 };
    assert_eq!([rate(long, 0.2, 1, 5, 5), rate(long, 0.2, 1, 10, 5), rate(long, 0.2, 1, 11, 5)], [0.1, 0.2, 0.1]);
}

/// Numbers that other platforms must give too: products, correctly rounded roots and a polynomial.
#[test]
fn schedules_have_the_same_bits_everywhere() {
    let found = [
        rate(Schedule::Exponential { base: 0.95 }, 0.1, 37, 0, 0),
        rate(Schedule::SqrtStep { k: 1.5 }, 0.1, 0, 12_345, 0),
        rate(Schedule::Staircase { factor: 0.3, epochs: 4 }, 0.1, 30, 0, 0),
        rate(Schedule::Cosine { warmup: 10, floor: 0.05 }, 0.1, 0, 77, 200),
        rate(Schedule::Cosine { warmup: 10, floor: 0.05 }, 0.1, 0, 177, 200),
    ];
    assert_eq!(found.map(f64::to_bits), SAME_BITS, "{found:?}");
}

/// Computed by the same operations in Python.
const SAME_BITS: [u64; 5] =
    [0x3f8e_b290_ef4d_93c4, 0x3f56_1e77_53a3_3df9, 0x3ef6_eeae_f4ca_97be, 0x3fb3_0cc6_ce62_e95d, 0x3f81_ccb6_08fe_ebd7];

#[test]
fn schedules_read_back_as_written() {
    for (text, schedule) in [
        ("constant", Schedule::Constant),
        ("inverse:0.1", Schedule::Inverse { decay_rate: 0.1 }),
        ("inverse:1e-9", Schedule::Inverse { decay_rate: 1e-9 }),
        ("exponential:0.95", Schedule::Exponential { base: 0.95 }),
        ("sqrt-epoch:1", Schedule::SqrtEpoch { k: 1.0 }),
        ("sqrt-step:2.5", Schedule::SqrtStep { k: 2.5 }),
        ("staircase:0.5:10", Schedule::Staircase { factor: 0.5, epochs: 10 }),
        ("cosine:warmup=100:floor=0.01", Schedule::Cosine { warmup: 100, floor: 0.01 }),
        ("staircase:0.1:18446744073709551615", Schedule::Staircase { factor: 0.1, epochs: u64::MAX }),
        ("inverse:0.30000000000000004", Schedule::Inverse { decay_rate: 0.1 + 0.2 }),
    ] {
        assert_eq!(text.parse(), Ok(schedule));
        assert_eq!(schedule.to_string(), text);
    }
    for (text, same) in [
        ("inverse", "inverse:decay_rate=1"),
        ("exponential", "exponential:base=0.95"),
        ("sqrt-epoch", "sqrt-epoch:k=1"),
        ("staircase", "staircase:epochs=10:factor=0.5"),
        ("staircase:epochs=3", "staircase:0.5:3"),
        ("cosine:100", "cosine:warmup=100:floor=0"),
        ("cosine:floor=0.1", "cosine:0:0.1"),
    ] {
        assert_eq!(text.parse::<Schedule>().unwrap(), same.parse().unwrap(), "{text}");
    }
    for text in [
        "",
        "Constant",
        "constant:1",
        "inverse:",
        "inverse:x",
        "inverse:1:2",
        "cosine:warmup=-1",
        "cosine:warmup=1.5",
        "cosine:warmup=1:warmup=2",
        "cosine:5:warmup=2",
        "cosine:speed=1",
        "staircase:0.5:10:",
        "inverse:=1",
    ] {
        let error = text.parse::<Schedule>().unwrap_err();
        assert_mentions(&error, &[&format!("learning-rate schedule cannot be `{text}`"), "cosine[:warmup"]);
    }
}

#[test]
fn constants_out_of_range_are_refused() {
    for (text, message) in [
        ("inverse:-1", "inverse: decay_rate is -1, it must be finite and not negative"),
        ("inverse:inf", "inverse: decay_rate is inf"),
        ("exponential:0", "exponential: base is 0, it must be above 0 and at most 1"),
        ("exponential:1.5", "exponential: base is 1.5"),
        ("sqrt-epoch:0", "sqrt-epoch: k is 0"),
        ("sqrt-epoch:inf", "sqrt-epoch: k is inf, it must be positive and finite"),
        ("sqrt-step:0", "sqrt-step: k is 0"),
        ("sqrt-step:NaN", "sqrt-step: k is NaN"),
        ("staircase:0", "staircase: factor is 0, it must be above 0 and at most 1"),
        ("staircase:2", "staircase: factor is 2"),
        ("staircase:0.5:0", "staircase: epochs is 0, it must be at least 1"),
        ("cosine:floor=1.1", "cosine: floor is 1.1, it must be in [0, 1]"),
    ] {
        assert_mentions(&text.parse::<Schedule>().unwrap_err(), &[message]);
    }
    let start = Progress { epoch: 1, step: 1, total_steps: 0 };
    let stairs = Schedule::Staircase { factor: 0.5, epochs: 0 };
    assert_mentions(&stairs.learning_rate(0.1, start).unwrap_err(), &["epochs is 0"]);
    let cosine = Schedule::Cosine { warmup: 0, floor: 0.0 };
    assert_mentions(&cosine.learning_rate(0.1, start).unwrap_err(), &["total_steps is 0"]);
}

#[test]
fn progress_counts_from_1() {
    let epochs: Vec<u64> = (1..=9).map(|step| Progress::at(step, 3, 3).epoch).collect();
    assert_eq!(epochs, [1, 1, 1, 2, 2, 2, 3, 3, 3]);
    assert_eq!(Progress::at(9, 3, 3), Progress { epoch: 3, step: 9, total_steps: 9 });
    assert_eq!(Progress::at(0, 0, 0), Progress { epoch: 1, step: 0, total_steps: 0 });
}

#[test]
fn a_regime_is_a_size() {
    for (regime, sizes) in [
        (Regime::Batch, [1, 10, 5000]),
        (Regime::MiniBatch(10), [1, 10, 10]),
        (Regime::MiniBatch(64), [1, 10, 64]),
        (Regime::Stochastic, [1, 1, 1]),
    ] {
        assert_eq!([1, 10, 5000].map(|m| regime.size(m).unwrap()), sizes, "{regime}");
        assert_eq!(regime.to_string().parse(), Ok(regime));
        assert_mentions(&regime.size(0).unwrap_err(), &["number of examples is 0"]);
    }
    assert_mentions(&Regime::MiniBatch(0).size(10).unwrap_err(), &["mini-batch size is 0, it must be at least 1"]);
    assert_eq!("128".parse(), Ok(Regime::MiniBatch(128)));
    for text in ["", "0", "mini-batch", "mini-batch:0", "-5", "64.0", "batch:3", "Batch"] {
        assert_mentions(&text.parse::<Regime>().unwrap_err(), &[&format!("batch size cannot be `{text}`")]);
    }
    assert_eq!([1, 2500].map(Regime::advised), [Regime::Batch; 2]);
    for m in [2501, 60_000, 5_000_000] {
        let Regime::MiniBatch(size) = Regime::advised(m) else { panic!("{m} examples are many") };
        assert!(Regime::TYPICAL.contains(&size) && size < m);
    }
    assert!(Regime::TYPICAL.iter().all(|size| size.is_power_of_two() && (64..=1024).contains(size)));
}

fn average_of(beta: f64, values: &[f64]) -> ExponentialAverage {
    let mut average = ExponentialAverage::new(beta).unwrap();
    values.iter().for_each(|&theta| average.add(theta));
    average
}

/// β = 0.98: v₂ = 0.0196·θ₁ + 0.02·θ₂, 1 − β² = 0.0396, corrected 0.49·θ₁ + 0.5·θ₂ (0.4949 and 0.5051).
#[test]
fn the_worked_example_of_the_notes() {
    let (first, second) = (average_of(0.98, &[1.0, 0.0]), average_of(0.98, &[0.0, 1.0]));
    assert!((first.v() - 0.0196).abs() < 1e-15 && (second.v() - 0.02).abs() < 1e-15);
    let (a, b) = (first.value().unwrap(), second.value().unwrap());
    assert!((a - 0.0196 / 0.0396).abs() < 1e-13 && (b - 0.02 / 0.0396).abs() < 1e-13);
    assert!((first.v() / a - 0.0396).abs() < 1e-15, "the correction is 1 − β²");
    assert!((a - 0.49).abs() < 0.01 && (b - 0.5).abs() < 0.01, "as the notes round");
    let one = average_of(0.98, &[25.0]);
    assert!((one.v() - 0.02 * 25.0).abs() < 1e-14 && (one.value().unwrap() - 25.0).abs() < 1e-13);
}

#[test]
fn averages_are_weighted_sums() {
    let values = Rng::new(71).values::<f64>(300);
    for beta in [0.0, 0.5, 0.9, 0.98, 0.999] {
        for n in [1, 2, 10, 100, 300] {
            let average = average_of(beta, &values[..n]);
            let weight = |k: usize| (1.0 - beta) * beta.powi((n - 1 - k) as i32);
            let v: f64 = (0..n).map(|k| weight(k) * values[k]).sum();
            let corrected = v / (0..n).map(weight).sum::<f64>();
            assert!((average.v() - v).abs() < 1e-14, "{beta} {n}: {} not {v}", average.v());
            let found = average.value().unwrap();
            assert!((found - corrected).abs() < 1e-12, "{beta} {n}: {found} not {corrected}");
            assert_eq!((average.count(), average.beta()), (n as u64, beta));
        }
    }
    for (beta, window) in [(0.9_f64, 10.0), (0.98, 50.0), (0.5, 2.0)] {
        let found = average_of(beta, &[]).window();
        assert!((found - window).abs() < 1e-10);
        // Asymptotically 1/e; 1/4 for β = 1/2.
        assert!((beta.powf(found) - (-1.0_f64).exp()).abs() < 0.12 && beta.powf(found) < (-1.0_f64).exp());
    }
}

#[test]
fn averages_go_on_from_their_state() {
    let values = Rng::new(72).values::<f64>(50);
    let (mut whole, first) = (average_of(0.95, &values), average_of(0.95, &values[..20]));
    let mut resumed = ExponentialAverage::from_state(first.beta(), first.v(), first.count()).unwrap();
    values[20..].iter().for_each(|&theta| resumed.add(theta));
    assert_eq!(resumed, whole);
    assert_eq!(ExponentialAverage::new(0.9).unwrap().value(), None);
    whole.add(f64::NAN);
    whole.add(1.0);
    assert!(whole.value().unwrap().is_nan());
    for beta in [1.0, -0.1, f64::NAN] {
        assert_mentions(&ExponentialAverage::new(beta).unwrap_err(), &["average: beta is", "in [0, 1)"]);
    }
    assert_mentions(&ExponentialAverage::from_state(0.9, 0.5, 0).unwrap_err(), &["v of no values is 0.5"]);
}
