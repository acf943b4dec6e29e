//! Functions of elements, of rows and of whole slices.

use super::Operation;
use super::case::Case;
use crate::common::Float;
use roofline::{
    Activation, AdamState, Affine, AffineGradient, Decay, Dropout, Error, MatMut, MatRef, MomentumForm, MomentumState,
    Reduction, RmsPropState, SgdState, Statistics, Step, Targets,
};

type Done = Result<(), Error>;

/// y ← f(inputs) over slices; y holds numbers before, for functions that add to them.
fn slices<T: Float, const N: usize>(case: &mut Case<T>, f: impl FnOnce([&[T]; N], &mut [T]) -> Done) -> Done {
    let inputs = [(); N].map(|()| case.values(case.len));
    let mut y = case.values(case.len);
    f(inputs.each_ref().map(|x| &**x), &mut y)?;
    case.keep(&y);
    Ok(())
}

/// y ← f(inputs) over matrices of one shape.
fn matrices<T: Float, const N: usize>(
    case: &mut Case<T>,
    f: impl FnOnce([MatRef<'_, T>; N], MatMut<'_, T>) -> Result<f64, Error>,
) -> Done {
    let inputs = [(); N].map(|()| case.matrix(case.rows, case.cols));
    let mut y = case.matrix(case.rows, case.cols);
    let value = f(inputs.each_ref().map(|x| x.view()), y.view_mut())?;
    case.keep_value(value);
    case.keep_matrix(&y);
    Ok(())
}

fn dropout<T: Float>(case: &mut Case<T>) -> Dropout {
    Dropout { keep_prob: case.pick([0.5, 0.8, 0.93]), seed: case.below(1 << 30) as u64, step: case.below(99) as u64 }
}

/// An [`Operation`] of each method, whose body computes.
macro_rules! operations {
    ($($name:ident = |$exec:ident, $case:ident| $body:expr;)*) => {
        vec![$(Operation { name: stringify!($name), run: |$exec, $case| $body }),*]
    };
}

macro_rules! maps {
    ($($name:ident)*) => {
        operations! { $($name = |exec, case| slices(case, |[x], y| exec.$name(x, y));)* }
    };
}

macro_rules! activations {
    ($($forward:ident $inplace:ident $grad:ident)*) => {
        operations! {
            $($forward = |exec, case| slices(case, |[x], y| exec.$forward(x, y));
            $inplace = |exec, case| slices(case, |[], y| exec.$inplace(y));
            $grad = |exec, case| slices(case, |[z, dy], dx| exec.$grad(z, dy, dx));)*
        }
    };
}

pub fn elementwise<T: Float>() -> Vec<Operation<T>> {
    let mut all: Vec<Operation<T>> = maps! { exp exp_m1 log ln_1p erf erfc };
    all.extend::<Vec<Operation<T>>>(activations! {
        relu relu_inplace relu_grad
        leaky_relu leaky_relu_inplace leaky_relu_grad
        elu elu_inplace elu_grad
        sigmoid sigmoid_inplace sigmoid_grad
        tanh tanh_inplace tanh_grad
        gelu gelu_inplace gelu_grad
        gelu_tanh gelu_tanh_inplace gelu_tanh_grad
        silu silu_inplace silu_grad
        softplus softplus_inplace softplus_grad
    });
    all.extend::<Vec<Operation<T>>>(operations! {
        axpy = |exec, case| slices(case, |[x], y| exec.axpy(T::from_f64(0.3), x, y));
        axpy_sign = |exec, case| slices(case, |[x], y| exec.axpy_sign(T::from_f64(0.3), x, y));
        activation = |exec, case| { let f = case.pick(Activation::ALL); slices(case, |[x], y| exec.activation(f, x, y)) };
        activation_inplace = |exec, case| {
            let f = case.pick(Activation::ALL);
            slices(case, |[], y| exec.activation_inplace(f, y))
        };
        activation_grad_inplace = |exec, case| {
            let f = case.pick(Activation::ALL);
            slices(case, |[z], dy| exec.activation_grad_inplace(f, z, dy))
        };
        activation_grad_from_output_inplace = |exec, case| {
            let f = case.pick([Activation::Relu, Activation::Tanh, Activation::Sigmoid, Activation::Elu]);
            slices(case, |[y], dy| exec.activation_grad_from_output_inplace(f, y, dy))
        };
    });
    all.extend(dropouts());
    all
}

fn dropouts<T: Float>() -> Vec<Operation<T>> {
    operations! {
        dropout = |exec, case| { let mask = dropout(case); slices(case, |[x], y| exec.dropout(mask, x, y)) };
        dropout_inplace = |exec, case| { let mask = dropout(case); slices(case, |[], y| exec.dropout_inplace(mask, y)) };
        activation_dropout = |exec, case| {
            let (mask, f) = (dropout(case), case.pick(Activation::ALL));
            slices(case, |[x], y| exec.activation_dropout(f, mask, x, y))
        };
        activation_dropout_inplace = |exec, case| {
            let (mask, f) = (dropout(case), case.pick(Activation::ALL));
            slices(case, |[], y| exec.activation_dropout_inplace(f, mask, y))
        };
        activation_dropout_grad_inplace = |exec, case| {
            let (mask, f) = (dropout(case), case.pick(Activation::ALL));
            slices(case, |[z], dy| exec.activation_dropout_grad_inplace(f, mask, z, dy))
        };
        activation_dropout_grad_from_output_inplace = |exec, case| {
            let (mask, f) = (dropout(case), case.pick([Activation::Relu, Activation::Tanh, Activation::Sigmoid]));
            slices(case, |[y], dy| exec.activation_dropout_grad_from_output_inplace(f, mask, y, dy))
        };
    }
}

fn labels<T: Float>(case: &mut Case<T>) -> Vec<usize> {
    let (rows, cols) = (case.rows, case.cols);
    (0..rows).map(|_| case.below(cols)).collect()
}

pub fn rows<T: Float>() -> Vec<Operation<T>> {
    operations! {
        softmax = |exec, case| matrices(case, |[z], y| exec.softmax(z, y).map(|()| 0.0));
        softmax_inplace = |exec, case| matrices(case, |[], z| exec.softmax_inplace(z).map(|()| 0.0));
        softmax_grad = |exec, case| matrices(case, |[y, dy], dz| exec.softmax_grad(y, dy, dz).map(|()| 0.0));
        log_softmax = |exec, case| matrices(case, |[z], y| exec.log_softmax(z, y).map(|()| 0.0));
        log_softmax_inplace = |exec, case| matrices(case, |[], z| exec.log_softmax_inplace(z).map(|()| 0.0));
        log_softmax_grad = |exec, case| matrices(case, |[y, dy], dz| exec.log_softmax_grad(y, dy, dz).map(|()| 0.0));
        logsumexp = |exec, case| {
            let (z, mut y) = (case.matrix(case.rows, case.cols), case.room(case.rows));
            exec.logsumexp(z.view(), &mut y)?;
            case.keep(&y);
            Ok(())
        };
        softmax_cross_entropy = |exec, case| {
            let labels = labels(case);
            matrices(case, |[z], dz| exec.softmax_cross_entropy(z, &labels, dz))
        };
        softmax_cross_entropy_with = |exec, case| {
            let shares = case.shares(case.rows * case.cols);
            let weights = Targets::Probabilities(MatRef::from_slice(&shares, case.rows, case.cols)?);
            matrices(case, |[z], dz| exec.softmax_cross_entropy_with(z, weights, dz))
        };
        softmax_cross_entropy_inplace = |exec, case| {
            let (labels, smoothing) = (labels(case), case.pick([0.0, 0.1]));
            let targets = Targets::Smoothed { labels: &labels, smoothing };
            matrices(case, |[], z| exec.softmax_cross_entropy_inplace(z, targets))
        };
        squared_error = |exec, case| matrices(case, |[z, y], dz| exec.squared_error(z, y, dz));
        sigmoid_cross_entropy = |exec, case| {
            let shares = case.shares(case.rows * case.cols);
            let y = MatRef::from_slice(&shares, case.rows, case.cols)?;
            matrices(case, |[z], dz| exec.sigmoid_cross_entropy(z, y, dz))
        };
    }
}

/// A reduction of a matrix to `len` numbers, or to pairs of them.
fn reduced<T: Float>(
    case: &mut Case<T>,
    len: usize,
    f: impl FnOnce(MatRef<'_, T>, &mut [T], &mut [T]) -> Done,
) -> Done {
    let x = case.matrix(case.rows, case.cols);
    let (mut first, mut second) = (case.room(len), case.room(len));
    f(x.view(), &mut first, &mut second)?;
    case.keep(&first);
    case.keep(&second);
    Ok(())
}

pub fn reductions<T: Float>() -> Vec<Operation<T>> {
    operations! {
        reduce = |exec, case| {
            let x = case.values(case.len + 1);
            for reduction in Reduction::ALL {
                case.keep_numbers(&[exec.reduce(reduction, &x)?]);
            }
            Ok(())
        };
        dot = |exec, case| {
            let (x, y) = (case.values(case.len), case.values(case.len));
            case.keep_numbers(&[exec.dot(&x, &y)?]);
            Ok(())
        };
        argmax = |exec, case| { let x = case.values(case.len + 1); case.keep_indices(&[exec.argmax(&x)?]); Ok(()) };
        argmin = |exec, case| { let x = case.values(case.len + 1); case.keep_indices(&[exec.argmin(&x)?]); Ok(()) };
        argmax_rows = |exec, case| {
            let (x, mut places) = (case.matrix(case.rows, case.cols), vec![0; case.rows]);
            exec.argmax_rows(x.view(), &mut places)?;
            case.keep_indices(&places);
            Ok(())
        };
        reduce_rows = |exec, case| {
            let reduction = case.pick(Reduction::ALL);
            reduced(case, case.rows, |x, y, _| exec.reduce_rows(reduction, x, y))
        };
        reduce_columns = |exec, case| {
            let reduction = case.pick(Reduction::ALL);
            reduced(case, case.cols, |x, y, _| exec.reduce_columns(reduction, x, y))
        };
        moments = |exec, case| {
            let x = case.values(case.len + 1);
            let (mean, variance) = exec.moments(&x)?;
            case.keep_numbers(&[mean, variance]);
            Ok(())
        };
        moments_rows = |exec, case| reduced(case, case.rows, |x, mean, variance| exec.moments_rows(x, mean, variance));
        moments_columns = |exec, case| {
            reduced(case, case.cols, |x, mean, variance| exec.moments_columns(x, mean, variance))
        };
    }
}

/// Statistics of `len` columns or rows, with variances that are none of 0.
fn statistics<T: Float>(case: &mut Case<T>, len: usize) -> Statistics<T> {
    let (mean, variance) = (case.values(len).to_vec(), case.shares(len));
    Statistics { mean, variance: variance.iter().map(|&x| x + T::from_f64(0.5)).collect() }
}

fn normalised<T: Float>(
    case: &mut Case<T>,
    len: usize,
    f: impl FnOnce(MatRef<'_, T>, Affine<'_, T>, &mut Statistics<T>, MatMut<'_, T>) -> Done,
) -> Done {
    let (gamma, beta, mut statistics) = (case.values(case.cols), case.values(case.cols), statistics(case, len));
    let affine = Affine { gamma: &gamma, beta: &beta, epsilon: 1e-5 };
    let (x, mut y) = (case.matrix(case.rows, case.cols), case.room_for(case.rows, case.cols));
    f(x.view(), affine, &mut statistics, y.view_mut())?;
    case.keep_numbers(&statistics.mean);
    case.keep_numbers(&statistics.variance);
    case.keep_matrix(&y);
    Ok(())
}

fn normalised_back<T: Float>(
    case: &mut Case<T>,
    len: usize,
    f: impl FnOnce(
        (MatRef<'_, T>, MatRef<'_, T>),
        Affine<'_, T>,
        &Statistics<T>,
        MatMut<'_, T>,
        AffineGradient<'_, T>,
    ) -> Done,
) -> Done {
    let (gamma, beta, statistics) = (case.values(case.cols), case.values(case.cols), statistics(case, len));
    let affine = Affine { gamma: &gamma, beta: &beta, epsilon: 1e-5 };
    let (x, dy) = (case.matrix(case.rows, case.cols), case.matrix(case.rows, case.cols));
    let (mut dx, mut dgamma, mut dbeta) =
        (case.room_for(case.rows, case.cols), case.room(case.cols), case.room(case.cols));
    let gradient = AffineGradient { gamma: &mut dgamma, beta: &mut dbeta };
    f((x.view(), dy.view()), affine, &statistics, dx.view_mut(), gradient)?;
    case.keep_matrix(&dx);
    case.keep(&dgamma);
    case.keep(&dbeta);
    Ok(())
}

pub fn norms<T: Float>() -> Vec<Operation<T>> {
    operations! {
        statistics = |exec, case| {
            let x = case.matrix(case.rows, case.cols);
            let Statistics { mean, variance } = exec.statistics(x.view())?;
            case.keep_numbers(&mean);
            case.keep_numbers(&variance);
            Ok(())
        };
        standardize = |exec, case| {
            let statistics = statistics(case, case.cols);
            matrices(case, |[x], y| exec.standardize(&statistics, x, y).map(|()| 0.0))
        };
        standardize_inplace = |exec, case| {
            let statistics = statistics(case, case.cols);
            matrices(case, |[], x| exec.standardize_inplace(&statistics, x).map(|()| 0.0))
        };
        batch_norm = |exec, case| normalised(case, case.cols, |x, affine, to, y| exec.batch_norm(x, affine, to, y));
        batch_norm_inference = |exec, case| {
            normalised(case, case.cols, |x, affine, of, y| exec.batch_norm_inference(x, affine, of, y))
        };
        layer_norm = |exec, case| normalised(case, case.rows, |x, affine, to, y| exec.layer_norm(x, affine, to, y));
        batch_norm_grad = |exec, case| {
            normalised_back(case, case.cols, |pair, affine, of, dx, to| exec.batch_norm_grad(pair, affine, of, dx, to))
        };
        layer_norm_grad = |exec, case| {
            normalised_back(case, case.rows, |pair, affine, of, dx, to| exec.layer_norm_grad(pair, affine, of, dx, to))
        };
    }
}

/// Three steps of one rule, with a state that stays.
fn steps<T: Float>(case: &mut Case<T>, mut step: impl FnMut(&mut [T], &[T]) -> Done) -> Done {
    let (mut w, dw) = (case.values(case.len), case.values(case.len));
    for _ in 0..3 {
        step(&mut w, &dw)?;
    }
    case.keep(&w);
    Ok(())
}

pub fn updates<T: Float>() -> Vec<Operation<T>> {
    operations! {
        sgd = |exec, case| steps(case, |w, dw| exec.sgd(w, dw, 0.1));
        momentum = |exec, case| {
            let (mut state, form) = (MomentumState::new(case.len), case.pick([MomentumForm::Average, MomentumForm::Classic]));
            state.form = form;
            steps(case, |w, dw| exec.momentum(w, dw, &mut state, 0.1))
        };
        nesterov = |exec, case| {
            let mut state = MomentumState::new(case.len);
            steps(case, |w, dw| exec.nesterov(w, dw, &mut state, 0.1))
        };
        rmsprop = |exec, case| {
            let mut state = RmsPropState::new(case.len);
            steps(case, |w, dw| exec.rmsprop(w, dw, &mut state, 0.01))
        };
        adam = |exec, case| {
            let mut state = AdamState::new(case.len);
            steps(case, |w, dw| exec.adam(w, dw, &mut state, 0.01))
        };
        adamw = |exec, case| {
            let mut state = AdamState::new(case.len);
            steps(case, |w, dw| exec.adamw(w, dw, &mut state, 0.01, 0.1))
        };
        update = |exec, case| {
            let mut state = SgdState { decay: Decay { l1: 0.01, l2: 0.1, decoupled: 0.0 } };
            steps(case, |w, dw| exec.update(&mut [Step { w, dw, state: &mut state }], 0.1))
        };
        update_clipped = |exec, case| {
            let mut state = AdamState::new(case.len);
            let mut norms = Vec::new();
            steps(case, |w, dw| {
                norms.push(exec.update_clipped(&mut [Step { w, dw, state: &mut state }], 0.1, 0.7)?);
                Ok(())
            })?;
            norms.into_iter().for_each(|norm| case.keep_value(norm));
            Ok(())
        };
        clip_norm = |exec, case| {
            let (mut first, mut second) = (case.values(case.len), case.values(case.len / 3));
            let norm = exec.clip_norm(&mut [&mut first, &mut second], 0.5)?;
            case.keep_value(norm);
            case.keep(&first);
            case.keep(&second);
            Ok(())
        };
    }
}
