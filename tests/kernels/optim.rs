//! Optimizer updates against plain loops in f64.

use crate::common::optim::{DECAYS, Follow, KINDS, Kind, RATE, STEPS, Steps};
use crate::common::{Float, Rng, THREADS, assert_mentions, assert_same_bits, exact_sum, fma_execs, sequential_execs};
use roofline::{AdamState, Decay, Exec, MomentumForm, MomentumState, OptimizerState, RmsPropState, SgdState, Step};
use std::time::Instant;

both_types!(
    fifty_steps_follow_the_formulas,
    many_tensors_have_the_bits_of_one_at_a_time,
    clipping_scales_by_the_norm_of_all,
    norms_neither_overflow_nor_underflow,
    moments_without_gradient_become_zero,
    tiny_gradients_are_as_fast_as_others,
    moments_decay_as_fast_as_others_change,
    same_bits_on_any_threads_and_instruction_set,
);

fn fifty_steps_follow_the_formulas<T: Float>() {
    for exec in sequential_execs() {
        for (kind, decay) in KINDS.into_iter().flat_map(|kind| DECAYS.map(|decay| (kind, decay))) {
            for len in [1, 7, 16, 33, 100] {
                kind.with_state::<T>(len, decay, Follow { exec, seed: 51, steps: STEPS, len, kind, decay });
            }
        }
    }
}

/// The methods of one tensor are those rules.
#[test]
fn named_methods_are_their_rules() {
    let exec = Exec::sequential();
    let dw: Vec<f64> = Rng::new(54).values(20);
    let run = |step: &mut dyn FnMut(&mut [f64])| {
        let mut w: Vec<f64> = Rng::new(55).values(20);
        (0..3).for_each(|_| step(&mut w));
        w
    };
    let (mut a, mut b) = (MomentumState::new(20), MomentumState::new(20));
    b.form = MomentumForm::Nesterov;
    let nesterov = run(&mut |w| exec.nesterov(w, &dw, &mut a, RATE).unwrap());
    assert_eq!(nesterov, run(&mut |w| exec.momentum(w, &dw, &mut b, RATE).unwrap()));
    let (mut a, mut b) = (AdamState::new(20), AdamState::new(20));
    b.decay.decoupled = 0.1;
    let adamw = run(&mut |w| exec.adamw(w, &dw, &mut a, RATE, 0.1).unwrap());
    assert_eq!(adamw, run(&mut |w| exec.adam(w, &dw, &mut b, RATE).unwrap()));
    assert_eq!((a.steps(), b.steps()), (3, 3));
    let (mut a, mut b) = (RmsPropState::new(20), RmsPropState::new(20));
    let rmsprop = run(&mut |w| exec.rmsprop(w, &dw, &mut a, RATE).unwrap());
    assert_eq!(rmsprop, run(&mut |w| exec.update(&mut [Step { w, dw: &dw, state: &mut b }], RATE).unwrap()));
}

/// Five tensors by one call and by one each.
struct Many(Exec);

impl<T: Float> Steps<T> for Many {
    fn take<S: OptimizerState<T>>(self, new: impl Fn() -> S) {
        let mut rng = Rng::new(58);
        let mut together: Vec<[Vec<T>; 2]> = (0..5).map(|_| [rng.values(4000), rng.values(4000)]).collect();
        let mut apart = together.clone();
        let mut states: Vec<S> = together.iter().map(|_| new()).collect();
        for _ in 0..3 {
            let tensors = together.iter_mut().zip(&mut states);
            let mut steps: Vec<_> = tensors.map(|([w, dw], state)| Step { w, dw, state }).collect();
            self.0.update(&mut steps, RATE).unwrap();
        }
        for [w, dw] in &mut apart {
            let mut state = new();
            for _ in 0..3 {
                self.0.update(&mut [Step { w, dw, state: &mut state }], RATE).unwrap();
            }
        }
        assert!(together == apart, "{:?}", self.0);
    }
}

fn many_tensors_have_the_bits_of_one_at_a_time<T: Float>() {
    for exec in sequential_execs() {
        for threads in [1, 3] {
            for kind in KINDS {
                kind.with_state::<T>(4000, DECAYS[4], Many(exec.with_threads(threads).unwrap()));
            }
        }
        // Lengths of all sizes, none too, more than share a fork.
        let lengths: Vec<usize> = (0..75).map(|i| [0, 1, 5, 16, 33, 40_000][i % 6]).collect();
        let exec = exec.with_threads(2).unwrap();
        let mut rng = Rng::new(56);
        let (mut together, mut states): (Vec<Vec<T>>, Vec<_>) =
            lengths.iter().map(|&len| (rng.values(len), AdamState::new(len))).unzip();
        let dw: Vec<Vec<T>> = lengths.iter().map(|&len| rng.values(len)).collect();
        let mut apart = together.clone();
        let mut steps: Vec<_> =
            (together.iter_mut().zip(&dw).zip(&mut states)).map(|((w, dw), state)| Step { w, dw, state }).collect();
        exec.update(&mut steps, RATE).unwrap();
        for (w, dw) in apart.iter_mut().zip(&dw) {
            exec.adam(w, dw, &mut AdamState::new(dw.len()), RATE).unwrap();
        }
        assert!(together == apart, "{exec:?}");
    }
}

fn clipping_scales_by_the_norm_of_all<T: Float>() {
    for exec in sequential_execs() {
        let mut rng = Rng::new(57);
        let (dw, db): (Vec<T>, Vec<T>) = (rng.values(5000), rng.values(7));
        let squares: Vec<f64> = dw.iter().chain(&db).map(|x| x.to_f64() * x.to_f64()).collect();
        let exact = exact_sum(&squares).sqrt();
        for max_norm in [0.5 * exact, 2.0 * exact, 0.0] {
            let (mut w, mut b) = (vec![T::ZERO; 5000], vec![T::ZERO; 7]);
            let (mut of_w, mut of_b) = (SgdState::default(), SgdState::default());
            let mut steps =
                [Step { w: &mut w, dw: &dw, state: &mut of_w }, Step { w: &mut b, dw: &db, state: &mut of_b }];
            let norm = exec.update_clipped(&mut steps, 1.0, max_norm).unwrap();
            assert!((norm / exact - 1.0).abs() <= 16.0 * T::UNIT_ROUNDOFF, "{exec:?}: {norm} not {exact}");
            let (mut clipped_w, mut clipped_b) = (dw.clone(), db.clone());
            assert_eq!(exec.clip_norm(&mut [&mut clipped_w, &mut clipped_b], max_norm).unwrap(), norm);
            let factor = T::from_f64((max_norm / norm).min(1.0));
            for (k, &g) in dw.iter().chain(&db).enumerate() {
                let (step, in_place) = if k < 5000 { (w[k], clipped_w[k]) } else { (b[k - 5000], clipped_b[k - 5000]) };
                assert!(-step == factor * g && in_place == factor * g, "{exec:?}: {step}, {in_place} from {g}");
            }
        }
        for bad in [f64::NAN, f64::INFINITY] {
            let (mut w, mut dw, mut state) = ([T::ONE; 3], [T::ONE; 3], AdamState::new(3));
            dw[1] = T::from_f64(bad);
            let norm = exec.update_clipped(&mut [Step { w: &mut w, dw: &dw, state: &mut state }], 1.0, 1.0).unwrap();
            assert!(norm.is_nan() == bad.is_nan() && !norm.is_finite());
            assert_eq!((w, state.steps()), ([T::ONE; 3], 0), "no step is taken");
            assert!(!exec.clip_norm(&mut [&mut dw], 1.0).unwrap().is_finite());
            assert_eq!((dw[0], dw[2]), (T::ONE, T::ONE));
        }
    }
}

fn norms_neither_overflow_nor_underflow<T: Float>() {
    let (least, most) = if T::LANES == 16 { (1e-45, 1e38) } else { (5e-324, 1e307) };
    for exec in sequential_execs() {
        for size in [least, 1e-40, 1e-25, 1.0, 1e25, most] {
            let x = [T::from_f64(size); 9];
            let (norm, exact) = (exec.clip_norm(&mut [&mut x.clone()], f64::MAX).unwrap(), 3.0 * x[0].to_f64());
            assert!((norm / exact - 1.0).abs() <= 8.0 * T::UNIT_ROUNDOFF, "{exec:?}: {norm:e} not {exact:e}");
        }
        assert_eq!(exec.clip_norm::<T>(&mut [&mut [T::ZERO; 5], &mut []], 1.0).unwrap(), 0.0);
    }
}

/// They would decay to subnormal numbers and stay there: at most sixteen steps do so. Without gradient, what is left of a moment
/// would move a parameter that is 0.
fn moments_without_gradient_become_zero<T: Float>() {
    let least = if T::LANES == 16 { f64::from(f32::MIN_POSITIVE) } else { f64::MIN_POSITIVE };
    for exec in sequential_execs() {
        let (mut adam, mut momentum) = (AdamState::new(40), MomentumState::new(40));
        let (tiny, zero) = (vec![T::from_f64(least * 64.0); 40], vec![T::ZERO; 40]);
        let mut w = vec![T::ONE; 40];
        for t in 0..200 {
            let dw = if t == 0 { &tiny } else { &zero };
            exec.adam(&mut w, dw, &mut adam, RATE).unwrap();
            exec.momentum(&mut w, dw, &mut momentum, RATE).unwrap();
        }
        let (mut a, mut b) = (zero.clone(), zero.clone());
        exec.adam(&mut a, &zero, &mut adam, 1.0).unwrap();
        exec.momentum(&mut b, &zero, &mut momentum, 1.0).unwrap();
        assert!(a == zero && b == zero, "{exec:?}: {a:?} {b:?}");
    }
}

/// Bias correction: the first step is α·sign(dw), whatever the size of the gradient.
#[test]
fn the_first_adam_step_is_as_long_as_the_learning_rate() {
    for exec in sequential_execs() {
        let (mut w, mut state) = ([0.0_f64; 4], AdamState::new(4));
        exec.adam(&mut w, &[1e-3, -1.0, 1e6, 0.0], &mut state, 0.1).unwrap();
        for (w, expected) in w.iter().zip([-0.1, 0.1, -0.1, 0.0]) {
            assert!((w - expected).abs() < 1e-5, "{w} instead of {expected}");
        }
    }
}

#[test]
fn no_learning_rate_leaves_the_parameters_alone() {
    for exec in sequential_execs() {
        let before: Vec<f32> = Rng::new(52).values(50);
        let (dw, mut w) = (vec![3.0; 50], before.clone());
        exec.sgd(&mut w, &dw, 0.0).unwrap();
        exec.momentum(&mut w, &dw, &mut MomentumState::new(50), 0.0).unwrap();
        exec.adam(&mut w, &dw, &mut AdamState::new(50), 0.0).unwrap();
        assert_eq!(w, before);
    }
}

struct Stays(Exec);

impl<T: Float> Steps<T> for Stays {
    fn take<S: OptimizerState<T>>(self, new: impl Fn() -> S) {
        let before = [f64::INFINITY, f64::NEG_INFINITY, 3.0, 0.0].map(T::from_f64);
        let (mut w, mut state) = (before, new());
        for t in 1..=40 {
            self.0.update(&mut [Step { w: &mut w, dw: &[T::ZERO; 4], state: &mut state }], RATE).unwrap();
            assert_eq!(w, before, "step {t}, {:?}", self.0);
        }
    }
}

/// Without decay there is no 0·∞, whichever code the step takes.
#[test]
fn infinite_parameters_without_gradient_stay() {
    for exec in sequential_execs() {
        for kind in KINDS {
            kind.with_state::<f32>(4, Decay::default(), Stays(exec));
            kind.with_state::<f64>(4, Decay::default(), Stays(exec));
        }
    }
}

struct SameBits(Kind);

impl<T: Float> Steps<T> for SameBits {
    fn take<S: OptimizerState<T>>(self, new: impl Fn() -> S) {
        let dw: Vec<T> = Rng::new(53).values(LONG);
        let mut results = Vec::new();
        for exec in fma_execs() {
            for threads in THREADS {
                let (exec, mut w, mut state) = (exec.with_threads(threads).unwrap(), dw.clone(), new());
                for _ in 0..3 {
                    let step = Step { w: &mut w, dw: &dw, state: &mut state };
                    exec.update_clipped(&mut [step], 0.1, 100.0).unwrap();
                }
                results.push((exec, w));
            }
        }
        assert_same_bits(&format!("{:?}", self.0), &results);
    }
}

/// Enough for several parts.
const LONG: usize = (3 << 17) + 7;

fn same_bits_on_any_threads_and_instruction_set<T: Float>() {
    for kind in KINDS {
        kind.with_state::<T>(LONG, DECAYS[4], SameBits(kind));
        kind.with_state::<T>(LONG, DECAYS[0], SameBits(kind));
    }
}

#[test]
fn bad_input_is_refused_and_nothing_changed() {
    let exec = Exec::sequential();
    let (mut w, mut adam, mut momentum) = ([1.0_f32, 2.0], AdamState::new(2), MomentumState::new(3));
    let message = |result: Result<(), roofline::Error>| result.unwrap_err().to_string();
    assert_eq!(message(exec.sgd(&mut w, &[1.0], 0.1)), "sgd: dw: expected 2 elements, found 1");
    assert_eq!(message(exec.sgd(&mut w, &[1.0; 2], -0.5)), "learning_rate is -0.5, it must be finite and not negative");
    assert_eq!(
        message(exec.sgd(&mut w, &[1.0; 2], f64::NAN)),
        "learning_rate is NaN, it must be finite and not negative"
    );
    assert_eq!(
        message(exec.momentum(&mut w, &[1.0; 2], &mut momentum, 0.1)),
        "momentum: state: expected 2 elements, found 3"
    );
    adam.beta2 = 1.0;
    assert_eq!(message(exec.adam(&mut w, &[1.0; 2], &mut adam, 0.1)), "adam: beta2 is 1, it must be in [0, 1)");
    adam.beta2 = 0.999;
    adam.epsilon = 1e-60; // 0 as f32
    assert_eq!(
        message(exec.adam(&mut w, &[1.0; 2], &mut adam, 0.1)),
        format!("adam: epsilon is {}, it must be positive and finite, in the element type too", 1e-60)
    );
    adam.epsilon = 1e-8;
    adam.decay.l1 = -1.0;
    assert_mentions(&exec.adam(&mut w, &[1.0; 2], &mut adam, 0.1).unwrap_err(), &["decay: l1 is -1, it must be"]);
    adam.decay.l1 = 0.0;
    assert_mentions(&exec.adamw(&mut w, &[1.0; 2], &mut adam, 0.1, f64::NAN).unwrap_err(), &["decoupled is NaN"]);
    assert_eq!(adam.decay, Decay::default());
    let mut rmsprop = RmsPropState::new(2);
    rmsprop.beta = -0.5;
    assert_mentions(&exec.rmsprop(&mut w, &[1.0; 2], &mut rmsprop, 0.1).unwrap_err(), &["rmsprop: beta is -0.5"]);
    assert_mentions(&exec.clip_norm(&mut [&mut w], -1.0).unwrap_err(), &["max_norm is -1"]);
    // A bad one among good ones: none is changed.
    let (mut other, mut short) = ([5.0_f32], AdamState::new(2));
    let mut steps =
        [Step { w: &mut w, dw: &[1.0; 2], state: &mut adam }, Step { w: &mut other, dw: &[1.0], state: &mut short }];
    assert_mentions(&exec.update(&mut steps, 0.1).unwrap_err(), &["adam: state: expected 1 elements, found 2"]);
    assert_eq!((w, other, adam.steps()), ([1.0, 2.0], [5.0], 0));
}

/// A count that was restored may be at its end: the bias correction is 1 then, and stays so.
#[test]
fn counts_do_not_wrap() {
    let exec = Exec::sequential();
    let (mut adam, mut momentum, mut rmsprop) = (AdamState::new(1), MomentumState::new(1), RmsPropState::new(1));
    adam.restore(u64::MAX, &[0.5_f64], &[0.25]).unwrap();
    momentum.restore(u64::MAX, &[0.5]).unwrap();
    rmsprop.restore(u64::MAX, &[0.25]).unwrap();
    let mut w = [1.0];
    exec.adam(&mut w, &[0.5], &mut adam, RATE).unwrap();
    exec.momentum(&mut w, &[0.5], &mut momentum, RATE).unwrap();
    exec.rmsprop(&mut w, &[0.5], &mut rmsprop, RATE).unwrap();
    assert!((w[0] - (1.0 - RATE - 0.5 * RATE - RATE)).abs() < 1e-9, "{w:?}");
    assert_eq!([adam.steps(), momentum.steps(), rmsprop.steps()], [u64::MAX; 3]);
}

/// As in `activation::limits_are_as_fast_as_other_values`: gradients of classes that a network is sure of, whose squares are subnormal
/// numbers, after others.
fn tiny_gradients_are_as_fast_as_others<T: Float>() {
    let gradient = |x: f64| vec![T::from_f64(x); 1024];
    let tiny = gradient(if T::NAME == "f32" { 1e-20 } else { 1e-160 });
    for exec in fma_execs() {
        for rmsprop in [true, false] {
            let mut w = gradient(1.0);
            let (mut adam, mut average) = (AdamState::new(w.len()), RmsPropState::new(w.len()));
            let mut seconds = |dw: &[T]| {
                let start = Instant::now();
                let done = match rmsprop {
                    true => exec.rmsprop(&mut w, dw, &mut average, RATE),
                    false => exec.adam(&mut w, dw, &mut adam, RATE),
                };
                done.unwrap();
                start.elapsed().as_secs_f64()
            };
            let (mut ordinary, mut small) = (f64::INFINITY, f64::INFINITY);
            for _ in 0..15 {
                (ordinary, small) = (ordinary.min(seconds(&gradient(1e-3))), small.min(seconds(&tiny)));
            }
            assert!(small < 3.0 * ordinary, "{small:e} s, others {ordinary:e} s, RMSprop: {rmsprop}, on {exec:?}");
        }
    }
}

/// Moments that decay without a gradient: nothing becomes a subnormal number on the way to 0 for long, not even for sixteen steps.
struct Decays(Exec, Kind);

impl<T: Float> Steps<T> for Decays {
    fn take<S: OptimizerState<T>>(self, new: impl Fn() -> S) {
        let steps = if T::NAME == "f32" { 1200 } else { 8400 };
        let (mut w, mut state) = (vec![T::ONE; 256], new());
        let [some, none] = [1e-3, 0.0].map(|x| vec![T::from_f64(x); w.len()]);
        let mut seconds: Vec<f64> = Vec::new();
        for t in 0..steps {
            let start = Instant::now();
            let dw = if t == 0 { &some } else { &none };
            self.0.update(&mut [Step { w: &mut w, dw, state: &mut state }], RATE).unwrap();
            seconds.push(start.elapsed().as_secs_f64());
        }
        let least = seconds.chunks(16).map(|some| some.iter().copied().fold(f64::INFINITY, f64::min));
        let (mut ordinary, slowest) = (least.clone().collect::<Vec<_>>(), least.fold(0.0, f64::max));
        ordinary.sort_by(f64::total_cmp);
        let ordinary = ordinary[ordinary.len() / 2];
        assert!(
            slowest < 3.0 * ordinary,
            "{slowest:e} s, others {ordinary:e} s, {:?} of {} on {:?}",
            self.1,
            T::NAME,
            self.0
        );
    }
}

fn moments_decay_as_fast_as_others_change<T: Float>() {
    for exec in fma_execs() {
        for kind in KINDS {
            kind.with_state::<T>(256, Decay::default(), Decays(exec, kind));
        }
    }
}
