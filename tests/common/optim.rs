//! Optimizer updates as plain loops in `f64`.

use super::Rng;
use roofline::{
    AdamState, Decay, Element, EpsilonPlace, Exec, MomentumForm, MomentumState, OptimizerState, RmsPropState, SgdState,
    Step,
};

/// Most steps that [`Follow`] takes.
pub const STEPS: usize = 50;
/// Each step rounds a few times; 50 steps of 1e-2 on weights below 2.
const MAX_EPSILONS: f64 = 200.0;
pub const RATE: f64 = 0.01;
/// Large enough to see at bounds of `MAX_EPSILONS` in f32.
const EPSILON: f64 = 1e-3;

/// One parameter's update by a rule, from g and t: written out in `f64`.
type Rule = Box<dyn FnMut(f64, i32) -> f64>;

/// The rules of this crate, each with the oracle of its step: what is taken from w, over α.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Sgd,
    Momentum(MomentumForm),
    RmsProp(EpsilonPlace),
    Adam(EpsilonPlace),
}

pub const KINDS: [Kind; 8] = [
    Kind::Sgd,
    Kind::Momentum(MomentumForm::Average),
    Kind::Momentum(MomentumForm::Classic),
    Kind::Momentum(MomentumForm::Nesterov),
    Kind::RmsProp(EpsilonPlace::Outside),
    Kind::RmsProp(EpsilonPlace::Inside),
    Kind::Adam(EpsilonPlace::Outside),
    Kind::Adam(EpsilonPlace::Inside),
];

pub const DECAYS: [Decay; 5] = [
    Decay { l1: 0.0, l2: 0.0, decoupled: 0.0 },
    Decay { l1: 0.1, l2: 0.0, decoupled: 0.0 },
    Decay { l1: 0.0, l2: 0.2, decoupled: 0.0 },
    Decay { l1: 0.0, l2: 0.0, decoupled: 0.3 },
    Decay { l1: 0.1, l2: 0.2, decoupled: 0.3 },
];

fn root(place: EpsilonPlace, s: f64) -> f64 {
    match place {
        EpsilonPlace::Outside => s.sqrt() + EPSILON,
        EpsilonPlace::Inside => (s + EPSILON).sqrt(),
    }
}

impl Kind {
    fn rule(self) -> Rule {
        let (mut v, mut s) = (0.0, 0.0);
        match self {
            Kind::Sgd => Box::new(|g, _| g),
            Kind::Momentum(form) => Box::new(move |g, _| {
                v = 0.9 * v + if form == MomentumForm::Average { (1.0 - 0.9) * g } else { g };
                if form == MomentumForm::Nesterov { g + 0.9 * v } else { v }
            }),
            Kind::RmsProp(place) => Box::new(move |g, _| {
                s = 0.9 * s + (1.0 - 0.9) * g * g;
                g / root(place, s)
            }),
            Kind::Adam(place) => Box::new(move |g, t| {
                v = 0.9 * v + (1.0 - 0.9) * g;
                s = 0.999 * s + (1.0 - 0.999) * g * g;
                v / (1.0 - 0.9_f64.powi(t)) / root(place, s / (1.0 - 0.999_f64.powi(t)))
            }),
        }
    }

    /// Runs `f` with a new state of this kind.
    pub fn with_state<T: Element>(self, len: usize, decay: Decay, f: impl Steps<T>) {
        match self {
            Kind::Sgd => f.take(|| SgdState { decay }),
            Kind::Momentum(form) => f.take(|| {
                let mut state = MomentumState::new(len);
                (state.form, state.decay) = (form, decay);
                state
            }),
            Kind::RmsProp(place) => f.take(|| {
                let mut state = RmsPropState::new(len);
                (state.epsilon, state.epsilon_place, state.decay) = (EPSILON, place, decay);
                state
            }),
            Kind::Adam(place) => f.take(|| {
                let mut state = AdamState::new(len);
                (state.epsilon, state.epsilon_place, state.decay) = (EPSILON, place, decay);
                state
            }),
        }
    }
}

/// What is to be done with states of any kind.
pub trait Steps<T: Element> {
    fn take<S: OptimizerState<T>>(self, new: impl Fn() -> S);
}

/// Some steps by a rule and by its oracle, from random parameters and gradients.
pub struct Follow {
    pub exec: Exec,
    pub seed: u64,
    pub steps: usize,
    pub len: usize,
    pub kind: Kind,
    pub decay: Decay,
}

impl<T: Element> Steps<T> for Follow {
    fn take<S: OptimizerState<T>>(self, new: impl Fn() -> S) {
        let Self { exec, seed, steps, len, kind, decay } = self;
        let (mut values, mut state) = (Rng::new(seed), new());
        let mut w: Vec<T> = values.values(len);
        let mut exact: Vec<(f64, Rule)> = w.iter().map(|w| (w.to_f64(), kind.rule())).collect();
        for t in 1..=steps as i32 {
            let dw: Vec<T> = values.values(len);
            exec.update(&mut [Step { w: &mut w, dw: &dw, state: &mut state }], RATE).unwrap();
            for ((w, rule), dw) in exact.iter_mut().zip(&dw) {
                let sign = if *w == 0.0 { 0.0 } else { w.signum() };
                let g = dw.to_f64() + decay.l2 * *w + decay.l1 * sign;
                *w = (1.0 - RATE * decay.decoupled) * *w - RATE * rule(g, t);
            }
        }
        for (found, (exact, _)) in w.iter().zip(&exact) {
            let error = (found.to_f64() - exact).abs();
            assert!(
                error <= MAX_EPSILONS * T::UNIT_ROUNDOFF,
                "{kind:?} {decay:?}: {found} not {exact}, {exec:?} {}",
                T::NAME
            );
        }
    }
}
