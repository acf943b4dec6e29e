//! The trainer's optimizer: every rule and constant against plain loops in f64, clipping, and going on from a checkpoint.

use crate::common::{Float, Rng, assert_mentions, fma_execs, sequential_execs};
use crate::counting::ALLOCATIONS;
use roofline::nn::{Optimizer, Rule};
use roofline::{Decay, EpsilonPlace, Exec, MomentumForm};

const LEN: usize = 37;
const STEPS: usize = 50;
/// As in `tests/kernels/optim.rs`: each step rounds a few times; 50 steps of 1e-2 on weights below 2.
const MAX_EPSILONS: f64 = 200.0;
const RATE: f64 = 0.01;
const DECAY: Decay = Decay { l1: 0.1, l2: 0.2, decoupled: 0.3 };

both_types!(each_rule_follows_its_formula, a_resumed_training_has_the_bits_of_a_whole_one);

/// None with the constants of its default.
const RULES: [Rule; 8] = [
    Rule::Sgd,
    Rule::Momentum { beta: 0.8, form: MomentumForm::Average },
    Rule::Momentum { beta: 0.7, form: MomentumForm::Classic },
    Rule::Momentum { beta: 0.6, form: MomentumForm::Nesterov },
    Rule::RmsProp { beta: 0.8, epsilon: 1e-3, epsilon_place: EpsilonPlace::Outside },
    Rule::RmsProp { beta: 0.95, epsilon: 1e-2, epsilon_place: EpsilonPlace::Inside },
    Rule::Adam { beta1: 0.8, beta2: 0.99, epsilon: 1e-3, epsilon_place: EpsilonPlace::Outside },
    Rule::Adam { beta1: 0.5, beta2: 0.9, epsilon: 1e-2, epsilon_place: EpsilonPlace::Inside },
];

/// w, v and s of one parameter, in f64.
#[derive(Clone, Copy)]
struct Oracle {
    w: f64,
    v: f64,
    s: f64,
}

impl Oracle {
    fn step(&mut self, rule: Rule, decay: Decay, rate: f64, g: f64, t: i32) {
        let Oracle { w, v, s } = self;
        let sign = if *w == 0.0 { 0.0 } else { w.signum() };
        let g = g + decay.l2 * *w + decay.l1 * sign;
        let over_root = |x: f64, s: f64, epsilon: f64, place| match place {
            EpsilonPlace::Outside => x / (s.sqrt() + epsilon),
            EpsilonPlace::Inside => x / (s + epsilon).sqrt(),
        };
        let step = match rule {
            Rule::Sgd => g,
            Rule::Momentum { beta, form: MomentumForm::Average } => {
                *v = beta * *v + (1.0 - beta) * g;
                *v
            }
            Rule::Momentum { beta, form } => {
                *v = beta * *v + g;
                if form == MomentumForm::Classic { *v } else { g + beta * *v }
            }
            Rule::RmsProp { beta, epsilon, epsilon_place } => {
                *s = beta * *s + (1.0 - beta) * g * g;
                over_root(g, *s, epsilon, epsilon_place)
            }
            Rule::Adam { beta1, beta2, epsilon, epsilon_place } => {
                *v = beta1 * *v + (1.0 - beta1) * g;
                *s = beta2 * *s + (1.0 - beta2) * g * g;
                over_root(*v / (1.0 - beta1.powi(t)), *s / (1.0 - beta2.powi(t)), epsilon, epsilon_place)
            }
        };
        *w = (1.0 - rate * decay.decoupled) * *w - rate * step;
    }
}

/// Decay, clipping and the learning rate change on the way, as a schedule would have it.
fn each_rule_follows_its_formula<T: Float>() {
    for exec in sequential_execs() {
        for rule in RULES {
            let mut rng = Rng::new(81);
            let mut w: Vec<T> = rng.values(LEN);
            let mut exact: Vec<Oracle> = w.iter().map(|w| Oracle { w: w.to_f64(), v: 0.0, s: 0.0 }).collect();
            let mut optimizer = Optimizer::new(rule, RATE).decay(DECAY).clip_norm(3.0);
            for t in 1..=STEPS {
                if t == 20 {
                    (optimizer.decay, optimizer.clip_norm, optimizer.learning_rate) =
                        (Decay::default(), None, RATE / 2.0);
                }
                let dw: Vec<T> = rng.values(LEN);
                optimizer.step(&exec, &mut w, &dw).unwrap();
                let norm = dw.iter().map(|g| g.to_f64() * g.to_f64()).sum::<f64>().sqrt();
                let clip = if t < 20 { (3.0 / norm).min(1.0) } else { 1.0 };
                let found = optimizer.gradient_norm();
                assert!(found.is_none_or(|found| (found / norm - 1.0).abs() < 1e-6) && found.is_some() == (t < 20));
                assert!(norm > 2.0 && norm < 5.0, "clipping has something to do: {norm}");
                for (oracle, g) in exact.iter_mut().zip(&dw) {
                    oracle.step(rule, optimizer.decay, optimizer.learning_rate, clip * g.to_f64(), t as i32);
                }
            }
            for (w, exact) in w.iter().zip(&exact) {
                let error = (w.to_f64() - exact.w).abs();
                assert!(error <= MAX_EPSILONS * T::UNIT_ROUNDOFF, "{rule:?}: {w} not {}, {exec:?}", exact.w);
            }
            for (name, moment) in optimizer.moments() {
                for (found, exact) in moment.iter().zip(&exact) {
                    let exact = if name == "v" { exact.v } else { exact.s };
                    let error = (found.to_f64() - exact).abs();
                    assert!(error <= MAX_EPSILONS * T::UNIT_ROUNDOFF, "{rule:?}: {name} {found} not {exact}");
                }
            }
            assert_eq!((optimizer.steps(), optimizer.rule()), (STEPS as u64, rule));
        }
    }
}

fn run<T: Float>(exec: &Exec, optimizer: &mut Optimizer<T>, w: &mut [T], size: f64, steps: std::ops::Range<usize>) {
    for t in steps {
        let dw: Vec<T> = Rng::new(t as u64).values::<f64>(LEN).into_iter().map(|g| T::from_f64(size * g)).collect();
        optimizer.step(exec, w, &dw).unwrap();
    }
}

/// Also where v or s is subnormal, which every sixteenth step clears: the count matters to every rule.
fn a_resumed_training_has_the_bits_of_a_whole_one<T: Float>() {
    let least = if T::LANES == 16 { f64::from(f32::MIN_POSITIVE) } else { f64::MIN_POSITIVE };
    for exec in fma_execs() {
        for (size, decay) in [(1.0, DECAY), (least / 2.0, Decay::default()), (least.sqrt() / 2.0, Decay::default())] {
            for rule in RULES {
                resume_half_way::<T>(&exec, rule, size, decay);
            }
        }
    }
}

fn resume_half_way<T: Float>(exec: &Exec, rule: Rule, size: f64, decay: Decay) {
    let start: Vec<T> = Rng::new(82).values(LEN);
    let (mut whole, mut of_whole) = (start.clone(), Optimizer::new(rule, RATE).decay(decay).clip_norm(2.0));
    run(exec, &mut of_whole, &mut whole, size, 0..100);

    let (mut w, mut first) = (start, Optimizer::new(rule, RATE).decay(decay).clip_norm(2.0));
    run(exec, &mut first, &mut w, size, 0..50);
    let saved: Vec<(String, Vec<T>)> =
        first.moments().into_iter().rev().map(|(name, moment)| (name.to_owned(), moment.to_vec())).collect();
    let (steps, rule_text) = (first.steps(), first.rule().to_string());
    drop(first);

    let moments: Vec<(&str, &[T])> = saved.iter().map(|(name, moment)| (&name[..], &moment[..])).collect();
    let mut resumed = Optimizer::new(rule_text.parse().unwrap(), RATE).decay(decay).clip_norm(2.0);
    resumed.restore(steps, &moments).unwrap();
    run(exec, &mut resumed, &mut w, size, 50..100);
    assert!(w.iter().zip(&whole).all(|(a, b)| a.bits() == b.bits()), "{rule:?}: {exec:?}");
    assert_eq!((resumed.steps(), resumed.moments()), (100, of_whole.moments()), "{rule:?}, gradients of {size:e}");
}

#[test]
fn names_are_rules() {
    let place = EpsilonPlace::Outside;
    for (optimizer, rule) in [
        (Optimizer::<f32>::sgd(0.1), Rule::Sgd),
        (Optimizer::momentum(0.1), Rule::Momentum { beta: 0.9, form: MomentumForm::Average }),
        (Optimizer::nesterov(0.1), Rule::Momentum { beta: 0.9, form: MomentumForm::Nesterov }),
        (Optimizer::rmsprop(0.1), Rule::RmsProp { beta: 0.9, epsilon: 1e-8, epsilon_place: place }),
        (Optimizer::adam(0.1), Rule::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, epsilon_place: place }),
        (Optimizer::adamw(0.1, 0.0), Rule::adam()),
    ] {
        assert_eq!((optimizer.rule(), optimizer.learning_rate, optimizer.steps()), (rule, 0.1, 0));
        assert_eq!((optimizer.decay, optimizer.clip_norm, optimizer.gradient_norm()), (Decay::default(), None, None));
        assert!(optimizer.moments().is_empty());
    }
    let (mut w, mut by_method) = ([1.0, -2.0], [1.0, -2.0]);
    Optimizer::adamw(0.1, 0.01).step(&Exec::sequential(), &mut w, &[3.0, 4.0]).unwrap();
    let mut state = roofline::AdamState::new(2);
    Exec::sequential().adamw(&mut by_method, &[3.0, 4.0], &mut state, 0.1, 0.01).unwrap();
    assert_eq!(w, by_method);
}

#[test]
fn rules_read_back_as_written() {
    for rule in RULES.into_iter().chain([Rule::momentum(), Rule::nesterov(), Rule::rmsprop(), Rule::adam()]) {
        assert_eq!(rule.to_string().parse(), Ok(rule));
    }
    assert_eq!(Rule::adam().to_string(), "adam:beta1=0.9:beta2=0.999:epsilon=1e-8:place=outside");
    for (text, same) in [
        ("momentum", "momentum:0.9:average"),
        ("nesterov:0.8", "momentum:form=nesterov:beta=0.8"),
        ("rmsprop:place=inside", "rmsprop:0.9:1e-8:inside"),
        ("adam:epsilon=1e-6", "adam:0.9:0.999:1e-6:outside"),
    ] {
        assert_eq!(text.parse::<Rule>().unwrap(), same.parse().unwrap(), "{text}");
    }
    for text in ["", "Adam", "sgd:0.1", "adam:beta=0.9", "momentum:form=heavy", "rmsprop:place=0", "adam:1:2:3:4:5"] {
        assert_mentions(&text.parse::<Rule>().unwrap_err(), &[&format!("optimizer cannot be `{text}`"), "adam[:beta1"]);
    }
    assert_mentions(&"adam:beta1=1".parse::<Rule>().unwrap_err(), &["adam: beta1 is 1, it must be in [0, 1)"]);
    assert_mentions(&"rmsprop:epsilon=0".parse::<Rule>().unwrap_err(), &["rmsprop: epsilon is 0"]);
    for (rule, name, text) in [
        (Rule::momentum(), "beta", "momentum:beta=0.5"),
        (Rule::rmsprop(), "beta", "rmsprop:beta=0.5"),
        (Rule::rmsprop(), "epsilon", "rmsprop:epsilon=0.5"),
        (Rule::adam(), "beta1", "adam:beta1=0.5"),
        (Rule::adam(), "beta2", "adam:beta2=0.5"),
        (Rule::adam(), "epsilon", "adam:epsilon=0.5"),
    ] {
        assert_eq!(rule.with(name, 0.5), text.parse());
    }
    assert_mentions(&Rule::Sgd.with("beta", 0.5).unwrap_err(), &["cannot be `beta`"]);
    assert_mentions(&Rule::adam().with("beta2", f64::NAN).unwrap_err(), &["adam: beta2 is NaN"]);
}

#[test]
fn bad_input_is_refused_and_nothing_changed() {
    let exec = Exec::sequential();
    let mut w = [1.0_f32, 2.0];
    let dw = [1.0; 2];
    let refused = |mut optimizer: Optimizer<f32>, words: &str| {
        let mut w = [1.0_f32, 2.0];
        assert_mentions(&optimizer.step(&exec, &mut w, &dw).unwrap_err(), &[words]);
        assert_eq!((w, optimizer.steps(), optimizer.moments().len()), ([1.0, 2.0], 0, 0));
    };
    refused(Optimizer::sgd(-0.1), "learning_rate is -0.1");
    refused(Optimizer::new(Rule::Momentum { beta: 1.5, form: MomentumForm::Classic }, 0.1), "momentum: beta is 1.5");
    refused(Optimizer::adam(0.1).clip_norm(-1.0), "max_norm is -1");
    refused(Optimizer::adamw(0.1, -2.0), "decay: decoupled is -2");
    let place = EpsilonPlace::Outside;
    // Good in f64, 0 in f32.
    let tiny = Rule::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-60, epsilon_place: place };
    assert_eq!(tiny.check(), Ok(()));
    refused(Optimizer::new(tiny, 0.1), "adam: epsilon is");

    // A first step that fails does not settle the length.
    let mut optimizer = Optimizer::<f32>::adam(0.1);
    assert_mentions(
        &optimizer.step(&exec, &mut w, &[1.0; 3]).unwrap_err(),
        &["adam: dw: expected 2 elements, found 3"],
    );
    optimizer.step(&exec, &mut [1.0; 3], &[1.0; 3]).unwrap();
    assert_mentions(&optimizer.step(&exec, &mut w, &dw).unwrap_err(), &["adam: state: expected 2 elements, found 3"]);
    assert_eq!((w, optimizer.steps()), ([1.0, 2.0], 1));

    // A gradient without a direction takes no step.
    let mut optimizer = Optimizer::<f32>::sgd(0.1).clip_norm(1.0);
    optimizer.step(&exec, &mut w, &[1.0, f32::INFINITY]).unwrap();
    assert_eq!((w, optimizer.steps(), optimizer.gradient_norm()), ([1.0, 2.0], 0, Some(f64::INFINITY)));
}

#[test]
fn saved_moments_that_do_not_fit_are_refused() {
    let (v, s) = ([0.5_f64, 0.25], [0.125_f64, 1.0]);
    let mut adam = Optimizer::<f64>::adam(0.1);
    adam.restore(3, &[("s", &s), ("v", &v)]).unwrap();
    let before: Vec<_> = adam.moments().into_iter().map(|(name, moment)| (name, moment.to_vec())).collect();
    assert_eq!(before, [("v", v.to_vec()), ("s", s.to_vec())]);
    for (moments, words) in [
        (&[][..], "optimizer: saved moments: expected 2 elements, found 0"),
        (&[("v", &v[..])], "optimizer: saved moments: expected 2 elements, found 1"),
        (&[("v", &v[..]), ("s", &s[..]), ("x", &s[..])], "expected 2 elements, found 3"),
        (&[("v", &v[..]), ("v", &v[..])], "adam: saved s: expected 2 elements, found 0"),
        (&[("w", &v[..]), ("s", &s[..])], "adam: saved v: expected 2 elements, found 0"),
        (&[("v", &v[..]), ("s", &s[..1])], "adam: saved s: expected 2 elements, found 1"),
    ] {
        assert_mentions(&adam.restore(9, moments).unwrap_err(), &[words]);
        let now: Vec<_> = adam.moments().into_iter().map(|(name, moment)| (name, moment.to_vec())).collect();
        assert_eq!((adam.steps(), &now), (3, &before));
    }
    assert_mentions(
        &Optimizer::<f64>::sgd(0.1).restore(9, &[("v", &v)]).unwrap_err(),
        &["expected 0 elements, found 1"],
    );
    // Before the first step there is nothing to save.
    let nothing = Optimizer::<f64>::adam(0.1);
    adam.restore(nothing.steps(), &nothing.moments()).unwrap();
    assert_eq!((adam.steps(), adam.moments().len()), (0, 0));
}

#[test]
fn steps_after_the_first_allocate_nothing() {
    let (exec, dw) = (Exec::sequential(), vec![0.5_f32; 5000]);
    // A norm takes the workspace of the thread, which is made once.
    Optimizer::sgd(RATE).clip_norm(1.0).step(&exec, &mut vec![1.0; 5000], &dw).unwrap();
    for rule in RULES {
        let (mut w, mut optimizer) = (vec![1.0; 5000], Optimizer::new(rule, RATE).decay(DECAY));
        let before = ALLOCATIONS.get();
        optimizer.step(&exec, &mut w, &dw).unwrap();
        let first = ALLOCATIONS.get();
        assert_eq!(first > before, rule != Rule::Sgd, "the counter counts");
        optimizer.step(&exec, &mut w, &dw).unwrap();
        optimizer = optimizer.clip_norm(1.0);
        optimizer.step(&exec, &mut w, &dw).unwrap();
        assert_eq!(ALLOCATIONS.get(), first, "{rule:?}");
    }
}
