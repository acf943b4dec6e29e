//! Optimizer updates against plain loops in f64.

mod common;

use common::{Rng, THREADS, fma_execs, sequential_execs};
use roofline::{AdamState, Element, Exec, MomentumState};

const STEPS: usize = 50;
/// Each step rounds a few times; 50 steps of 1e-2 on weights below 2.
const MAX_EPSILONS: f64 = 200.0;

/// One parameter's history under a rule: gradients in, weights out.
trait Rule {
    fn step(&mut self, w: f64, dw: f64) -> f64;
}

struct Sgd;
struct Momentum(f64);
struct Adam {
    t: i32,
    v: f64,
    s: f64,
}

const RATE: f64 = 0.01;

impl Rule for Sgd {
    fn step(&mut self, w: f64, dw: f64) -> f64 {
        w - RATE * dw
    }
}

impl Rule for Momentum {
    fn step(&mut self, w: f64, dw: f64) -> f64 {
        self.0 = 0.9 * self.0 + (1.0 - 0.9) * dw;
        w - RATE * self.0
    }
}

impl Rule for Adam {
    fn step(&mut self, w: f64, dw: f64) -> f64 {
        self.t += 1;
        self.v = 0.9 * self.v + (1.0 - 0.9) * dw;
        self.s = 0.999 * self.s + (1.0 - 0.999) * dw * dw;
        let (v, s) = (self.v / (1.0 - 0.9_f64.powi(self.t)), self.s / (1.0 - 0.999_f64.powi(self.t)));
        w - RATE * v / (s.sqrt() + 1e-8)
    }
}

fn follow<T: Element>(len: usize, mut update: impl FnMut(&mut [T], &[T]), mut rule: impl FnMut() -> Box<dyn Rule>) {
    let mut values = Rng::new(51);
    let mut w: Vec<T> = values.values(len);
    let mut exact: Vec<(f64, Box<dyn Rule>)> = w.iter().map(|w| (w.to_f64(), rule())).collect();
    for _ in 0..STEPS {
        let dw: Vec<T> = values.values(len);
        update(&mut w, &dw);
        for ((w, rule), dw) in exact.iter_mut().zip(&dw) {
            *w = rule.step(*w, dw.to_f64());
        }
    }
    for (found, (exact, _)) in w.iter().zip(&exact) {
        let error = (found.to_f64() - exact).abs();
        assert!(error <= MAX_EPSILONS * T::UNIT_ROUNDOFF, "{found} instead of {exact}, {}", T::NAME);
    }
}

fn follow_all<T: Element>() {
    for exec in sequential_execs() {
        for len in [1, 7, 16, 33, 100] {
            follow::<T>(len, |w, dw| exec.sgd(w, dw, RATE).unwrap(), || Box::new(Sgd));
            let mut state = MomentumState::new(len);
            follow::<T>(len, |w, dw| exec.momentum(w, dw, &mut state, RATE).unwrap(), || Box::new(Momentum(0.0)));
            let mut state = AdamState::new(len);
            follow::<T>(
                len,
                |w, dw| exec.adam(w, dw, &mut state, RATE).unwrap(),
                || Box::new(Adam { t: 0, v: 0.0, s: 0.0 }),
            );
            assert_eq!(state.steps(), STEPS as u64);
        }
    }
}

#[test]
fn fifty_steps_follow_the_formulas() {
    follow_all::<f32>();
    follow_all::<f64>();
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

#[test]
fn same_bits_on_any_threads_and_instruction_set() {
    let len = (3 << 19) + 7;
    let dw: Vec<f32> = Rng::new(53).values(len);
    let mut first: Option<Vec<f32>> = None;
    for exec in fma_execs() {
        for threads in THREADS {
            let (mut w, mut state) = (dw.clone(), AdamState::new(len));
            for _ in 0..3 {
                exec.with_threads(threads).unwrap().adam(&mut w, &dw, &mut state, 0.1).unwrap();
            }
            assert!(first.get_or_insert_with(|| w.clone()) == &w, "{exec:?} on {threads} threads");
        }
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
        format!("adam: epsilon is {}, it must be positive and finite", 1e-60)
    );
    assert_eq!((w, adam.steps()), ([1.0, 2.0], 0));
}
