//! One call of every function.

use super::draw::Draw;
use core::hint::black_box;
use roofline::{
    AdamState, Affine, AffineGradient, Backend, Epilogue, Exec, GemmStrides, Mat, MatMut, MatRef, MomentumState,
    PackedB, RmsPropState, RunningStatistics, SgdState, Statistics, Step, Targets,
};

/// Functions by `file::name`, and a call of them.
pub type Call = (&'static str, fn(&mut Draw));

/// Both element types.
macro_rules! both {
    ($call:ident) => {
        |draw| {
            $call::<f32>(draw);
            $call::<f64>(draw);
        }
    };
}

pub const CALLS: [Call; 19] = [
    (
        "exec::sequential exec::with_threads exec::with_isa exec::with_backend exec::backend exec::isa exec::threads \
      exec::region backend::available",
        how_a_call_runs,
    ),
    (
        "matrix::from_slice matrix::from_slice_with_strides matrix::get matrix::t matrix::row_range matrix::set \
      matrix::as_ref matrix::reborrow matrix::rows matrix::cols matrix::row_stride matrix::col_stride matrix::as_slice \
      matrix::as_mut_slice matrix::as_mut",
        both!(views),
    ),
    ("gemm::gemm gemm::gemm_with gemm::gemm_column_sums", both!(products)),
    (
        "gemm/packed::new gemm/packed::repack gemm/packed::rows gemm/packed::cols gemm/packed::gemm_packed",
        both!(packed),
    ),
    ("gemm::plan gemm::row_major gemm::with_a_transposed gemm::with_b_transposed", both!(plans)),
    (
        "elementwise::exp elementwise::log elementwise::exp_m1 elementwise::ln_1p elementwise::erf elementwise::erfc \
      elementwise::axpy elementwise::axpy_sign",
        both!(elementwise),
    ),
    (
        "activation::relu activation::relu_inplace activation::relu_grad activation::leaky_relu \
      activation::leaky_relu_inplace activation::leaky_relu_grad activation::elu activation::elu_inplace \
      activation::elu_grad activation::sigmoid activation::sigmoid_inplace activation::sigmoid_grad activation::tanh \
      activation::tanh_inplace activation::tanh_grad activation::gelu activation::gelu_inplace activation::gelu_grad \
      activation::gelu_tanh activation::gelu_tanh_inplace activation::gelu_tanh_grad activation::silu \
      activation::silu_inplace activation::silu_grad activation::softplus activation::softplus_inplace \
      activation::softplus_grad",
        both!(activations),
    ),
    (
        "activation::activation_inplace activation::activation activation::activation_grad_inplace \
      activation::activation_grad_from_output_inplace",
        both!(chosen_activations),
    ),
    (
        "dropout::dropout dropout::dropout_inplace dropout::activation_dropout_inplace dropout::activation_dropout \
      dropout::activation_dropout_grad_inplace dropout::activation_dropout_grad_from_output_inplace",
        both!(dropout),
    ),
    (
        "softmax::softmax softmax::softmax_inplace softmax::softmax_grad softmax::log_softmax softmax::log_softmax_inplace \
      softmax::log_softmax_grad softmax::logsumexp",
        both!(softmax),
    ),
    (
        "softmax::softmax_cross_entropy softmax::softmax_cross_entropy_with softmax::softmax_cross_entropy_inplace",
        both!(cross_entropy),
    ),
    ("loss::sigmoid_cross_entropy loss::squared_error", both!(losses)),
    (
        "reduce::reduce reduce::dot reduce/argument::argmax reduce/argument::argmin reduce/matrix::moments",
        both!(reductions_of_slices),
    ),
    (
        "reduce/argument::argmax_rows reduce/matrix::reduce_rows reduce/matrix::reduce_columns \
      reduce/matrix::moments_rows reduce/matrix::moments_columns",
        both!(reductions_of_matrices),
    ),
    (
        "norm/batch::batch_norm norm/batch::batch_norm_inference norm/batch::batch_norm_grad norm/layer::layer_norm \
      norm/layer::layer_norm_grad",
        both!(normalisations),
    ),
    (
        "norm/statistics::new norm/statistics::update norm/statistics::statistics norm/statistics::statistics_to \
      norm/statistics::standardize norm/statistics::standardize_inplace",
        both!(statistics),
    ),
    ("optim::sgd optim::momentum optim::nesterov optim::rmsprop optim::adam optim::adamw", both!(updates)),
    ("optim/state::new optim/state::steps optim/state::v optim/state::s optim/state::restore", both!(states)),
    ("optim/update::update optim/update::update_clipped optim/update::clip_norm", both!(updates_of_many)),
];

use crate::common::Float;

fn how_a_call_runs(draw: &mut Draw) {
    let exec = Exec::sequential().with_threads(draw.count() as usize).unwrap_or_default();
    for isa in roofline::Isa::ALL {
        assert!(exec.with_isa(isa).map_or(true, |exec| exec.isa() == isa));
    }
    for backend in Backend::available() {
        assert_eq!(exec.with_backend(backend).map(|exec| exec.backend()), Ok(backend));
    }
    assert!(exec.threads() >= 1);
    assert_eq!(exec.region(|| exec.threads()), exec.threads());
}

fn views<T: Float>(draw: &mut Draw) {
    let (mut memory, (rows, cols, row, col)) = (draw.memory::<T>(), draw.layout());
    let (start, end) = (draw.count() as usize % 12, draw.count() as usize);
    for view in
        [MatRef::from_slice(&memory, rows, cols), MatRef::from_slice_with_strides(&memory, rows, cols, row, col)]
    {
        let Ok(view) = view else { continue };
        assert_eq!((view.rows(), view.cols()), (view.t().cols(), view.t().rows()));
        assert_eq!((view.row_stride(), view.col_stride()), (view.t().col_stride(), view.t().row_stride()));
        assert_eq!(view.get(start, end).is_some(), start < rows && end < cols);
        assert_eq!(view.row_range(start, end).is_ok(), start <= end && end <= rows);
    }
    let value = draw.number::<T>();
    for contiguous in [true, false] {
        let view = if contiguous {
            MatMut::from_slice(&mut memory, rows, cols)
        } else {
            MatMut::from_slice_with_strides(&mut memory, rows, cols, row, col)
        };
        let Ok(mut view) = view else { continue };
        assert_eq!(view.set(start, end, value).is_ok(), view.get(start, end).is_some());
        assert_eq!(view.as_ref().rows(), view.reborrow().t().cols());
        assert_eq!(view.row_range(start, end).is_ok(), start <= end && end <= rows);
    }
    let mut mat = Mat::<T>::zeros(rows % 20, cols % 20);
    assert_eq!(mat.as_mut().t().rows(), mat.cols());
    assert_eq!((mat.rows() * mat.cols(), mat.as_ref().row_stride()), (mat.as_mut_slice().len(), mat.cols() as isize));
    assert_eq!(mat.as_slice().len(), mat.rows() * mat.cols());
}

/// The least k that no product could walk: such products would not be refused, but take years.
const ENDLESS: usize = 1 << 30;

fn products<T: Float>(draw: &mut Draw) {
    let (of_a, of_b, of_outputs) = (draw.memory::<T>(), draw.memory(), draw.memory());
    let (exec, alpha, beta, bias) = (draw.exec(), draw.number(), draw.number(), draw.of_columns());
    let (a, b, outputs) = (draw.view(&of_a), draw.view(&of_b), draw.view(&of_outputs));
    if a.cols().max(b.rows()) > ENDLESS {
        return;
    }
    draw.matrix_out(|_, c| roofline::gemm(alpha, a, b, beta, c));
    draw.matrix_out(|_, c| exec.gemm(alpha, a, b, beta, c));
    draw.matrix_out(|draw, c| {
        let gradient = (draw.count() % 2 == 0).then(|| (draw.activation(), outputs));
        let bias = (draw.count() % 2 == 0).then_some(&bias[..]);
        exec.gemm_with(alpha, a, b, beta, c, Epilogue { bias, activation: draw.activation(), gradient })
    });
    let sums = draw.of_columns();
    draw.matrix_out(|draw, c| draw.out(sums, |_, sums| exec.gemm_column_sums(alpha, a, b, beta, c, sums)));
    // Shapes that agree.
    let (square, mut c) = (Mat::<T>::from_fn(7, 7, |_, _| draw.number()), Mat::zeros(7, 7));
    exec.gemm(alpha, square.as_ref(), square.as_ref().t(), beta, c.as_mut()).expect("one shape");
}

fn packed<T: Float>(draw: &mut Draw) {
    let (of_a, of_b, exec) = (draw.memory::<T>(), draw.memory(), draw.exec());
    let (a, b, other) = (draw.view(&of_a), draw.view(&of_b), draw.view(&of_b));
    let is_empty = b.rows() == 0 || b.cols() == 0;
    if !is_empty && b.rows().max(b.cols()) > ENDLESS {
        // The copy is as large as the view: as documented, a panic.
        return;
    }
    let mut packed = PackedB::new(&exec, b);
    assert_eq!((packed.rows(), packed.cols()), (b.rows(), b.cols()));
    let same = (other.rows(), other.cols()) == (b.rows(), b.cols());
    assert_eq!(packed.repack(&exec, other).is_ok(), same);
    let (another, alpha) = (draw.exec(), draw.number());
    if a.cols() <= ENDLESS {
        draw.matrix_out(|_, c| another.gemm_packed(alpha, a, &packed, T::ZERO, c, Epilogue::default()));
    }
}

fn plans<T: Float>(draw: &mut Draw) {
    let [m, n, k] =
        [(); 3].map(|()| if draw.count().is_multiple_of(2) { draw.count() as usize } else { draw.layout().1 });
    let (_, _, row, col) = draw.layout();
    let plain = GemmStrides::row_major(n, k);
    let strides =
        [plain, plain.with_a_transposed(m), plain.with_b_transposed(k), GemmStrides { a: (row, col), ..plain }];
    for strides in strides {
        black_box(draw.exec().plan::<T>(m, n, k, strides));
    }
}

/// Calls functions of slices: inputs drawn alike, an output.
macro_rules! slices {
    ($draw:ident, $exec:ident: $($f:ident($($arg:expr),*);)*) => {$({
        let output = $draw.slice::<T>();
        black_box($draw.out(output, |_, y| $exec.$f($($arg,)* y))).ok();
    })*};
}

fn elementwise<T: Float>(draw: &mut Draw) {
    let (exec, x, alpha) = (draw.exec(), draw.slice::<T>(), draw.number::<T>());
    slices! { draw, exec:
        exp(&x); log(&x); exp_m1(&x); ln_1p(&x); erf(&x); erfc(&x); axpy(alpha, &x); axpy_sign(alpha, &x);
    }
}

fn activations<T: Float>(draw: &mut Draw) {
    let (exec, z, dy) = (draw.exec(), draw.slice::<T>(), draw.slice::<T>());
    slices! { draw, exec:
        relu(&z); relu_inplace(); relu_grad(&z, &dy); leaky_relu(&z); leaky_relu_inplace(); leaky_relu_grad(&z, &dy);
        elu(&z); elu_inplace(); elu_grad(&z, &dy); sigmoid(&z); sigmoid_inplace(); sigmoid_grad(&z, &dy);
        tanh(&z); tanh_inplace(); tanh_grad(&z, &dy); gelu(&z); gelu_inplace(); gelu_grad(&z, &dy);
        gelu_tanh(&z); gelu_tanh_inplace(); gelu_tanh_grad(&z, &dy); silu(&z); silu_inplace(); silu_grad(&z, &dy);
        softplus(&z); softplus_inplace(); softplus_grad(&z, &dy);
    }
}

fn chosen_activations<T: Float>(draw: &mut Draw) {
    let (exec, z, f) = (draw.exec(), draw.slice::<T>(), draw.activation());
    slices! { draw, exec:
        activation(f, &z); activation_inplace(f); activation_grad_inplace(f, &z);
        activation_grad_from_output_inplace(f, &z);
    }
}

fn dropout<T: Float>(draw: &mut Draw) {
    let (exec, z, f, mask) = (draw.exec(), draw.slice::<T>(), draw.activation(), draw.dropout());
    slices! { draw, exec:
        dropout(mask, &z); dropout_inplace(mask); activation_dropout_inplace(f, mask); activation_dropout(f, mask, &z);
        activation_dropout_grad_inplace(f, mask, &z); activation_dropout_grad_from_output_inplace(f, mask, &z);
    }
}

fn softmax<T: Float>(draw: &mut Draw) {
    let (of_z, of_dy, exec) = (draw.memory::<T>(), draw.memory(), draw.exec());
    let (z, dy) = (draw.view(&of_z), draw.view(&of_dy));
    draw.matrix_out(|_, y| exec.softmax(z, y));
    draw.matrix_out(|_, y: MatMut<'_, T>| exec.softmax_inplace(y));
    draw.matrix_out(|_, dz| exec.softmax_grad(z, dy, dz));
    draw.matrix_out(|_, y| exec.log_softmax(z, y));
    draw.matrix_out(|_, y: MatMut<'_, T>| exec.log_softmax_inplace(y));
    draw.matrix_out(|_, dz| exec.log_softmax_grad(z, dy, dz));
    let sums = draw.of_rows();
    draw.out(sums, |_, y| exec.logsumexp(z, y)).ok();
}

fn cross_entropy<T: Float>(draw: &mut Draw) {
    let (of_z, of_t, exec) = (draw.memory::<T>(), draw.memory(), draw.exec());
    let (z, t, labels, smoothing) = (draw.view(&of_z), draw.view(&of_t), draw.labels(), draw.constant());
    let smoothed = Targets::Smoothed { labels: &labels, smoothing };
    for targets in [Targets::Labels(&labels), smoothed, Targets::Probabilities(t)] {
        draw.matrix_out(|_, dz| exec.softmax_cross_entropy_with(z, targets, dz));
        draw.matrix_out(|_, z| exec.softmax_cross_entropy_inplace(z, targets));
    }
    draw.matrix_out(|_, dz| exec.softmax_cross_entropy(z, &labels, dz));
}

fn losses<T: Float>(draw: &mut Draw) {
    let (of_z, of_y, exec) = (draw.memory::<T>(), draw.memory(), draw.exec());
    let (z, y) = (draw.view(&of_z), draw.view(&of_y));
    draw.matrix_out(|_, dz| exec.sigmoid_cross_entropy(z, y, dz));
    draw.matrix_out(|_, dz| exec.squared_error(z, y, dz));
}

fn reductions_of_slices<T: Float>(draw: &mut Draw) {
    let (exec, x, y, reduction) = (draw.exec(), draw.slice::<T>(), draw.slice(), draw.reduction());
    assert!(exec.reduce(reduction, &x).is_ok() || x.is_empty());
    assert_eq!(exec.dot(&x, &y).is_ok(), x.len() == y.len());
    for place in [exec.argmax(&x), exec.argmin(&x)] {
        assert!(place.map_or(x.is_empty(), |at| at < x.len()));
    }
    assert_eq!(exec.moments(&x).is_ok(), !x.is_empty());
}

fn reductions_of_matrices<T: Float>(draw: &mut Draw) {
    let (of_x, exec, reduction) = (draw.memory::<T>(), draw.exec(), draw.reduction());
    let x = draw.view(&of_x);
    let mut places = vec![usize::MAX; x.rows().min(30)];
    if exec.argmax_rows(x, &mut places).is_ok() {
        assert!(places.iter().all(|&at| at < x.cols()));
    }
    let (rows, columns) = (draw.of_rows(), draw.of_columns());
    draw.out(rows.clone(), |_, y| exec.reduce_rows(reduction, x, y)).ok();
    draw.out(columns.clone(), |_, y| exec.reduce_columns(reduction, x, y)).ok();
    draw.out(rows, |draw, mean| {
        let variance = draw.of_rows();
        draw.out(variance, |_, variance| exec.moments_rows(x, mean, variance))
    })
    .ok();
    draw.out(columns, |draw, mean| {
        let variance = draw.of_columns();
        draw.out(variance, |_, variance| exec.moments_columns(x, mean, variance))
    })
    .ok();
}

fn normalisations<T: Float>(draw: &mut Draw) {
    let (of_x, of_dy, exec) = (draw.memory::<T>(), draw.memory(), draw.exec());
    let (x, dy) = (draw.view(&of_x), draw.view(&of_dy));
    let (gamma, beta, epsilon) = (draw.of_columns(), draw.of_columns(), draw.constant());
    let affine = Affine { gamma: &gamma, beta: &beta, epsilon };
    let mut of_columns = Statistics { mean: draw.of_columns(), variance: draw.of_columns() };
    let mut of_rows = Statistics { mean: draw.of_rows(), variance: draw.of_rows() };
    draw.matrix_out(|_, y| exec.batch_norm_inference(x, affine, &of_columns, y));
    let gradients = [(); 2].map(|()| (draw.of_columns(), draw.of_columns()));
    for (at, (mut dgamma, mut dbeta)) in gradients.into_iter().enumerate() {
        draw.matrix_out(|_, dx| {
            let gradient = AffineGradient { gamma: &mut dgamma, beta: &mut dbeta };
            match at {
                0 => exec.batch_norm_grad((x, dy), affine, &of_columns, dx, gradient),
                _ => exec.layer_norm_grad((x, dy), affine, &of_rows, dx, gradient),
            }
        });
    }
    draw.matrix_out(|_, y| exec.batch_norm(x, affine, &mut of_columns, y));
    draw.matrix_out(|_, y| exec.layer_norm(x, affine, &mut of_rows, y));
}

fn statistics<T: Float>(draw: &mut Draw) {
    let (of_x, exec) = (draw.memory::<T>(), draw.exec());
    let x = draw.view(&of_x);
    if x.cols() <= of_x.len() {
        // There is a number a column to give back: those of more columns than there is memory would be an abort, as of `Vec`.
        assert!(exec.statistics(x).map_or(true, |statistics| statistics.mean.len() == x.cols()));
    }
    let statistics = Statistics { mean: draw.of_columns(), variance: draw.of_columns() };
    draw.matrix_out(|_, y| exec.standardize(&statistics, x, y));
    draw.matrix_out(|_, x| exec.standardize_inplace(&statistics, x));
    let (mean, variance) = (draw.of_columns(), draw.of_columns());
    let mut running = RunningStatistics { mean, variance, beta: draw.constant(), steps: draw.count() };
    running.update(&statistics, draw.count() as usize).ok();
    let mut to = Statistics::new(draw.of_columns::<T>().len());
    assert_eq!(
        running.statistics_to(&mut to).is_ok(),
        running.statistics().is_ok() && to.mean.len() == running.mean.len()
    );
    assert_eq!(RunningStatistics::<T>::new(3, running.beta).is_ok(), (0.0..1.0).contains(&running.beta));
}

/// States with any constants.
fn drawn_states<T: Float>(draw: &mut Draw) -> (SgdState, MomentumState<T>, RmsPropState<T>, AdamState<T>) {
    let len = draw.slice::<T>().len();
    let (mut momentum, mut rmsprop, mut adam) = (MomentumState::new(len), RmsPropState::new(len), AdamState::new(len));
    momentum.beta = draw.constant();
    (rmsprop.beta, rmsprop.epsilon) = (draw.constant(), draw.constant());
    (adam.beta1, adam.beta2, adam.epsilon) = (draw.constant(), draw.constant(), draw.constant());
    let mut sgd = SgdState::default();
    sgd.decay.l1 = draw.constant();
    adam.decay.l2 = draw.constant();
    (sgd, momentum, rmsprop, adam)
}

fn updates<T: Float>(draw: &mut Draw) {
    let (exec, dw, rate, weight_decay) = (draw.exec(), draw.slice::<T>(), draw.constant(), draw.constant());
    let (_, mut momentum, mut rmsprop, mut adam) = drawn_states::<T>(draw);
    momentum.restore(draw.count(), &draw.slice::<T>()).ok();
    adam.restore(draw.count(), &draw.slice::<T>(), &draw.slice::<T>()).ok();
    let parameters = draw.slice::<T>();
    let mut run = |update: &mut dyn FnMut(&mut [T]) -> Result<(), roofline::Error>| {
        draw.out(parameters.clone(), |_, w| update(w)).ok();
    };
    run(&mut |w| exec.sgd(w, &dw, rate));
    run(&mut |w| exec.momentum(w, &dw, &mut momentum, rate));
    run(&mut |w| exec.nesterov(w, &dw, &mut momentum, rate));
    run(&mut |w| exec.rmsprop(w, &dw, &mut rmsprop, rate));
    run(&mut |w| exec.adam(w, &dw, &mut adam, rate));
    run(&mut |w| exec.adamw(w, &dw, &mut adam, rate, weight_decay));
}

fn states<T: Float>(draw: &mut Draw) {
    let (_, mut momentum, mut rmsprop, mut adam) = drawn_states::<T>(draw);
    let (steps, v, s) = (draw.count(), draw.slice::<T>(), draw.slice::<T>());
    let (of_v, of_s) = (v.len() == momentum.v().len(), s.len() == adam.s().len());
    assert_eq!(momentum.restore(steps, &v).is_ok(), of_v);
    assert_eq!(rmsprop.restore(steps, &s).is_ok(), of_s && s.len() == rmsprop.s().len());
    assert_eq!(adam.restore(steps, &v, &s).is_ok(), of_s && v.len() == adam.v().len());
    assert_eq!(momentum.steps(), if of_v { steps } else { 0 });
    assert_eq!((rmsprop.steps(), adam.steps()), (if of_s { steps } else { 0 }, if of_s && of_v { steps } else { 0 }));
}

fn updates_of_many<T: Float>(draw: &mut Draw) {
    let (exec, rate, norm) = (draw.exec(), draw.constant(), draw.constant());
    let (mut sgd, _, _, mut adam) = drawn_states::<T>(draw);
    let (dw, of_one, of_other) = (draw.slice::<T>(), draw.slice::<T>(), draw.slice::<T>());
    draw.out(of_one.clone(), |draw, one| {
        draw.out(of_other.clone(), |_, other| {
            let mut second = SgdState::default();
            let first = Step { w: one, dw: &dw, state: &mut sgd };
            exec.update(&mut [first, Step { w: other, dw: &dw, state: &mut second }], rate)
        })
    })
    .ok();
    draw.out(of_one, |_, w| exec.update_clipped(&mut [Step { w, dw: &dw, state: &mut adam }], rate, norm)).ok();
    draw.out(of_other, |_, dw| exec.clip_norm(&mut [dw, &mut [T::ONE; 3]], norm)).ok();
}
