//! The same numbers as PyTorch and NumPy, from a file that `tests/parity/make.py` made: the versions are in both.

use crate::common::{Float, sequential_execs};
use roofline::{
    Activation, AdamState, Affine, AffineGradient, Decay, EpsilonPlace, Error, Exec, Mat, MatRef, MomentumForm,
    MomentumState, OptimizerState, Reduction, RmsPropState, RunningStatistics, SgdState, Statistics, Step, Targets,
};
use safetensors::SafeTensors;
use std::sync::LazyLock;

both_types!(
    activations_and_elementary_functions,
    softmax_and_cross_entropy,
    batch_and_layer_norm,
    running_statistics_and_inputs,
    optimizers_over_100_steps,
    reductions,
);

static FILE: LazyLock<SafeTensors<'static>> =
    LazyLock::new(|| SafeTensors::deserialize(include_bytes!("../parity/data.safetensors")).expect("a whole file"));

/// An array of the file, and the length of its rows.
fn array(name: &str) -> (Vec<f64>, usize) {
    let tensor = FILE.tensor(name).unwrap_or_else(|error| panic!("{name}: {error}"));
    let numbers = tensor.data().chunks_exact(8).map(|bytes| f64::from_le_bytes(bytes.try_into().expect("8 bytes")));
    (numbers.collect(), tensor.shape().last().copied().unwrap_or(1))
}

fn input<T: Float>(name: &str) -> Vec<T> {
    array(name).0.into_iter().map(T::from_f64).collect()
}

fn matrix<T: Float>(name: &str) -> Mat<T> {
    let (numbers, cols) = array(name);
    Mat::from_fn(numbers.len() / cols, cols, |i, j| T::from_f64(numbers[i * cols + j]))
}

/// Results agree within so many units roundoff of the expected number, or of `size` where that is greater: of the terms that were
/// added up.
#[track_caller]
fn agree<T: Float>(name: &str, found: &[T], roundoffs: f64, size: f64) {
    let expected = array(name).0;
    assert_eq!(expected.len(), found.len(), "{name}");
    for (i, (&expected, found)) in expected.iter().zip(found).enumerate() {
        let bound = roundoffs * T::UNIT_ROUNDOFF * expected.abs().max(size);
        let error = (found.to_f64() - expected).abs();
        assert!(error <= bound, "{name} {i}: {found:e}, not {expected:e}: {error:e} is more than {bound:e}");
    }
}

/// PyTorch's own errors are of the size of 1 where it composes a function, as GELU from erf.
fn activations_and_elementary_functions<T: Float>() {
    let (x, dy, positive): (Vec<T>, Vec<T>, Vec<T>) =
        (input("activation_x"), input("activation_dy"), input("positive"));
    for exec in sequential_execs() {
        for activation in Activation::ALL.into_iter().filter(|&activation| activation != Activation::Identity) {
            let (mut y, mut dz) = (x.clone(), dy.clone());
            exec.activation_inplace(activation, &mut y).unwrap();
            exec.activation_grad_inplace(activation, &x, &mut dz).unwrap();
            agree(activation.name(), &y, 8.0, 1.0);
            agree(&format!("{activation}_grad"), &dz, 16.0, 4.0);
        }
        type Function<T> = fn(&Exec, &[T], &mut [T]) -> Result<(), Error>;
        let functions: [(&str, &[T], Function<T>); 6] = [
            ("exp", &x, Exec::exp),
            ("exp_m1", &x, Exec::exp_m1),
            ("log", &positive, Exec::log),
            ("ln_1p", &positive, Exec::ln_1p),
            ("erf", &x, Exec::erf),
            ("erfc", &x, Exec::erfc),
        ];
        for (name, x, function) in functions {
            let mut y = vec![T::ZERO; x.len()];
            function(&exec, x, &mut y).unwrap();
            agree(name, &y, 8.0, T::MIN_NORMAL.to_f64());
        }
    }
}

fn softmax_and_cross_entropy<T: Float>() {
    let (z, dy, soft) = (matrix::<T>("z"), matrix::<T>("softmax_dy"), matrix::<T>("soft"));
    let labels: Vec<usize> = array("labels").0.into_iter().map(|label| label as usize).collect();
    let (m, n) = (z.rows(), z.cols());
    for exec in sequential_execs() {
        let (mut y, mut dz, mut sums) = (Mat::zeros(m, n), Mat::zeros(m, n), vec![T::ZERO; m]);
        exec.softmax(z.as_ref(), y.as_mut()).unwrap();
        exec.softmax_grad(y.as_ref(), dy.as_ref(), dz.as_mut()).unwrap();
        agree("softmax", y.as_slice(), 32.0, 0.0);
        agree("softmax_grad", dz.as_slice(), 32.0, 1.0);
        exec.log_softmax(z.as_ref(), y.as_mut()).unwrap();
        exec.log_softmax_grad(y.as_ref(), dy.as_ref(), dz.as_mut()).unwrap();
        agree("log_softmax", y.as_slice(), 16.0, 4.0);
        agree("log_softmax_grad", dz.as_slice(), 32.0, 8.0);
        exec.logsumexp(z.as_ref(), &mut sums).unwrap();
        agree("logsumexp", &sums, 8.0, 1.0);
        let targets = [
            ("labels", Targets::Labels(&labels)),
            ("smoothed", Targets::Smoothed { labels: &labels, smoothing: 0.1 }),
            ("probabilities", Targets::Probabilities(soft.as_ref())),
        ];
        for (name, targets) in targets {
            let loss = exec.softmax_cross_entropy_with(z.as_ref(), targets, dz.as_mut()).unwrap();
            agree(&format!("loss_{name}"), &[T::from_f64(loss)], 16.0, 1.0);
            agree(&format!("loss_{name}_grad"), dz.as_slice(), 16.0, 1.0 / m as f64);
        }
    }
}

fn batch_and_layer_norm<T: Float>() {
    let (x, dy) = (matrix::<T>("norm_x"), matrix::<T>("norm_dy"));
    let (gamma, beta): (Vec<T>, Vec<T>) = (input("norm_gamma"), input("norm_beta"));
    let affine = Affine { gamma: &gamma, beta: &beta, epsilon: 1e-5 };
    let (m, n, pair) = (x.rows(), x.cols(), (x.as_ref(), dy.as_ref()));
    for exec in sequential_execs() {
        for name in ["batch", "layer"] {
            let (mut y, mut dx, mut dgamma, mut dbeta) =
                (Mat::zeros(m, n), Mat::zeros(m, n), gamma.clone(), beta.clone());
            let gradient = AffineGradient { gamma: &mut dgamma, beta: &mut dbeta };
            if name == "batch" {
                let mut statistics = Statistics::new(n);
                exec.batch_norm(x.as_ref(), affine, &mut statistics, y.as_mut()).unwrap();
                exec.batch_norm_grad(pair, affine, &statistics, dx.as_mut(), gradient).unwrap();
            } else {
                let mut statistics = Statistics::new(m);
                exec.layer_norm(x.as_ref(), affine, &mut statistics, y.as_mut()).unwrap();
                exec.layer_norm_grad(pair, affine, &statistics, dx.as_mut(), gradient).unwrap();
            }
            agree(&format!("{name}_y"), y.as_slice(), 16.0, 4.0);
            agree(&format!("{name}_dx"), dx.as_slice(), 16.0, 4.0);
            agree(&format!("{name}_dgamma"), &dgamma, 16.0, m as f64);
            agree(&format!("{name}_dbeta"), &dbeta, 16.0, m as f64);
        }
    }
}

fn running_statistics_and_inputs<T: Float>() {
    let batches = matrix::<T>("norm_batches");
    let (x, n) = (matrix::<T>("norm_x"), batches.cols());
    let (gamma, beta): (Vec<T>, Vec<T>) = (input("norm_gamma"), input("norm_beta"));
    let affine = Affine { gamma: &gamma, beta: &beta, epsilon: 1e-5 };
    for exec in sequential_execs() {
        let mut running = RunningStatistics::new(n, 0.9).unwrap();
        for batch in batches.as_slice().chunks(x.rows() * n) {
            let batch = MatRef::from_slice(batch, x.rows(), n).unwrap();
            running.update(&exec.statistics(batch).unwrap(), x.rows()).unwrap();
        }
        let statistics = running.statistics().unwrap();
        agree("running_mean", &statistics.mean, 16.0, 4.0);
        agree("running_variance", &statistics.variance, 16.0, 4.0);
        let mut y = Mat::zeros(x.rows(), n);
        exec.batch_norm_inference(x.as_ref(), affine, &statistics, y.as_mut()).unwrap();
        agree("inference_y", y.as_slice(), 16.0, 4.0);
        exec.standardize(&exec.statistics(x.as_ref()).unwrap(), x.as_ref(), y.as_mut()).unwrap();
        agree("standard", y.as_slice(), 16.0, 4.0);
    }
}

/// Each step rounds the weights and what is added to them.
fn optimizers_over_100_steps<T: Float>() {
    let (none, inside) = (Decay::default(), EpsilonPlace::Inside);
    let (l1, l2) = (Decay { l1: 0.1, ..none }, Decay { l2: 0.1, ..none });
    let decoupled = Decay { decoupled: 0.1, ..none };
    let len = input::<T>("w").len();
    let momentum = |form| with(MomentumState::<T>::new(len), |state| state.form = form);
    let rmsprop = |place| {
        with(RmsPropState::<T>::new(len), |state| (state.beta, state.epsilon, state.epsilon_place) = (0.9, 1e-8, place))
    };
    let adam = |decay| with(AdamState::<T>::new(len), |state| state.decay = decay);
    for exec in sequential_execs() {
        follow::<T, _>(&exec, "sgd", SgdState { decay: none }, None);
        follow::<T, _>(&exec, "sgd_l2", SgdState { decay: l2 }, None);
        follow::<T, _>(&exec, "sgd_l1", SgdState { decay: l1 }, None);
        follow::<T, _>(&exec, "sgd_clipped", SgdState { decay: none }, Some(50.0));
        follow::<T, _>(&exec, "momentum_average", momentum(MomentumForm::Average), None);
        follow::<T, _>(&exec, "momentum_classic", momentum(MomentumForm::Classic), None);
        follow::<T, _>(&exec, "nesterov", momentum(MomentumForm::Nesterov), None);
        follow::<T, _>(&exec, "rmsprop", rmsprop(EpsilonPlace::Outside), None);
        follow::<T, _>(&exec, "rmsprop_inside", rmsprop(inside), None);
        follow::<T, _>(&exec, "adam", adam(none), None);
        follow::<T, _>(&exec, "adam_l2", adam(l2), None);
        follow::<T, _>(&exec, "adam_inside", with(adam(none), |state| state.epsilon_place = inside), None);
        follow::<T, _>(&exec, "adamw", adam(decoupled), None);
    }
}

fn with<S>(mut state: S, change: impl FnOnce(&mut S)) -> S {
    change(&mut state);
    state
}

/// The weights of every tenth step.
#[track_caller]
fn follow<T: Float, S: OptimizerState<T>>(exec: &Exec, name: &str, mut state: S, max_norm: Option<f64>) {
    let (mut w, mut found): (Vec<T>, Vec<T>) = (input("w"), Vec::new());
    let gradients: Vec<T> = input("dw");
    for (t, dw) in gradients.chunks(w.len()).enumerate() {
        let steps = &mut [Step { w: &mut w, dw, state: &mut state }];
        match max_norm {
            Some(norm) => drop(exec.update_clipped(steps, 0.01, norm).unwrap()),
            None => exec.update(steps, 0.01).unwrap(),
        }
        if t % 10 == 9 {
            found.extend(&w);
        }
    }
    agree(name, &found, 200.0, 1.0);
}

fn reductions<T: Float>() {
    let x = matrix::<T>("reduce_x");
    let (m, n) = (x.rows(), x.cols());
    for exec in sequential_execs() {
        let rows = |reduction| {
            let mut y = vec![T::ZERO; m];
            exec.reduce_rows(reduction, x.as_ref(), &mut y).unwrap();
            y
        };
        agree("sum", &[exec.reduce(Reduction::Sum, x.as_slice()).unwrap()], 16.0, 0.0);
        agree("norm1", &[exec.reduce(Reduction::Norm1, x.as_slice()).unwrap()], 16.0, 0.0);
        agree("dot", &[exec.dot(&x.as_slice()[..n], &x.as_slice()[n..2 * n]).unwrap()], 16.0, 0.0);
        agree("row_sums", &rows(Reduction::Sum), 16.0, 0.0);
        agree("row_means", &rows(Reduction::Mean), 16.0, 0.0);
        agree("norms", &rows(Reduction::Norm2), 16.0, 0.0);
        agree("row_maxima", &rows(Reduction::Max), 0.0, 0.0);
        let (mut sums, mut variances, mut at) = (vec![T::ZERO; n], vec![T::ZERO; n], vec![0; m]);
        exec.reduce_columns(Reduction::Sum, x.as_ref(), &mut sums).unwrap();
        agree("column_sums", &sums, 16.0, 0.0);
        exec.moments_columns(x.as_ref(), &mut sums, &mut variances).unwrap();
        agree("column_variances", &variances, 64.0, 0.0);
        exec.argmax_rows(x.as_ref(), &mut at).unwrap();
        agree("row_argmaxima", &at.into_iter().map(|at| T::from_f64(at as f64)).collect::<Vec<_>>(), 0.0, 0.0);
    }
}
