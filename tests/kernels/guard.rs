//! No byte past an operand is touched: every operand lies flush against an unmapped page, once with its end and once with
//! its beginning, on every path and instruction set. Results have the bits of the same call on ordinary memory.

#![cfg(unix)]

/// Not in `common`, which the fuzz targets share: they know no `libc`.
#[path = "../common/guard.rs"]
pub mod memory;

use crate::common::gemm::Case;
use crate::common::strided::{Layout, Strided};
use crate::common::{Float, Rng, promised_bits, sequential_execs};
use crate::operations::case::Place;
use crate::operations::operations;
use memory::{Flush, Guarded};
use roofline::{
    Activation, AdamState, Affine, AffineGradient, Dropout, Epilogue, Error, Exec, GemmPath, GemmStrides, MatMut,
    MatRef, MomentumState, PackedB, Packing, Reduction, RmsPropState, Statistics, Step, Targets,
};

both_types!(
    every_residue_of_a_tile,
    every_residue_of_a_dot_product,
    every_way_through_a_product,
    every_elementwise_function_and_length,
    every_row_function_and_width,
    every_reduction_and_width,
    every_normalisation_and_width,
    every_optimizer_and_length,
    every_listed_kernel,
);

const N: Layout = Layout::ROWS;
const T: Layout = Layout::COLS;

/// A matrix whose memory is guarded.
struct Matrix<T>(Guarded<T>, [usize; 2], [isize; 2]);

impl<T: Float> Matrix<T> {
    fn new(from: &Strided<T>, flush: Flush) -> Self {
        Self(Guarded::new(from.memory(), flush), [from.rows, from.cols], [from.row_stride, from.col_stride])
    }

    fn view(&self) -> MatRef<'_, T> {
        let Self(memory, [rows, cols], [row, col]) = self;
        MatRef::from_slice_with_strides(memory, *rows, *cols, *row, *col).expect("as it was")
    }

    fn view_mut(&mut self) -> MatMut<'_, T> {
        let Self(memory, [rows, cols], [row, col]) = self;
        MatMut::from_slice_with_strides(memory, *rows, *cols, *row, *col).expect("as it was")
    }
}

fn assert_same<T: Float>(expected: &[T], found: &[T], what: &dyn core::fmt::Debug) {
    let differs = |&i: &usize| promised_bits(expected[i]) != promised_bits(found[i]);
    assert_eq!((0..expected.len()).find(differs), None, "{what:?}");
}

/// Runs `case` on guarded memory, with the gradient of sigmoid from `outputs`, if there are any.
fn check<T: Float>(case: &Case<T>, outputs: Option<&Strided<T>>, exec: Exec) {
    let mut expected = case.c.clone();
    let epilogue = Epilogue {
        bias: case.bias.as_deref(),
        activation: case.activation,
        gradient: outputs.map(|outputs| (Activation::Sigmoid, outputs.view())),
    };
    exec.gemm_with(case.alpha, case.a.view(), case.b.view(), case.beta, expected.view_mut(), epilogue).unwrap();
    for flush in Flush::BOTH {
        let (a, b) = (Matrix::new(&case.a, flush), Matrix::new(&case.b, flush));
        let mut c = Matrix::new(&case.c, flush);
        let bias = case.bias.as_deref().map(|bias| Guarded::new(bias, flush));
        let outputs = outputs.map(|outputs| Matrix::new(outputs, flush));
        let gradient = outputs.as_ref().map(|outputs| (Activation::Sigmoid, outputs.view()));
        let epilogue = Epilogue { bias: bias.as_deref(), activation: case.activation, gradient };
        exec.gemm_with(case.alpha, a.view(), b.view(), case.beta, c.view_mut(), epilogue).unwrap();
        assert_same(expected.memory(), &c.0, &(case, exec, flush));
    }
}

fn every_residue_of_a_tile<T: Float>() {
    let mut rng = Rng::new(61);
    for n in 1..=2 * T::LANES + 1 {
        for (m, k) in [(1, 1), (3, 20), (9, 5)] {
            for layouts in [[N, N, N], [T, N, N], [N, T, T]] {
                let case = Case::<T>::new((m, n, k), layouts, &mut rng).scaled(-0.5, 1.0, &mut rng);
                sequential_execs().into_iter().for_each(|exec| check(&case, None, exec));
            }
        }
    }
}

fn every_residue_of_a_dot_product<T: Float>() {
    let mut rng = Rng::new(62);
    for k in 1..=4 * T::LANES + 1 {
        for (m, n) in [(1, 10), (2, 3), (5, 17)] {
            let case = Case::<T>::new((m, n, k), [N, T, N], &mut rng);
            sequential_execs().into_iter().for_each(|exec| check(&case, None, exec));
        }
    }
}

/// What a plan decides about which memory is read and written, and how.
type Way = (GemmPath, Packing, bool, bool, bool, bool);

fn way<T: Float>(case: &Case<T>, exec: &Exec) -> Way {
    let (a, b, c) = (&case.a, &case.b, &case.c);
    let strides = |matrix: &Strided<T>| (matrix.row_stride, matrix.col_stride);
    let strides = GemmStrides { a: strides(a), b: strides(b), c: strides(c) };
    let plan = exec.plan::<T>(c.rows, c.cols, a.cols, strides);
    (plan.path, plan.packing, plan.scatter, plan.streams_c, plan.kc < 300, plan.packs_a)
}

fn every_way_through_a_product<T: Float>() {
    let (mut rng, wide) = (Rng::new(63), 2048 * 4 / size_of::<T>());
    let gap = Layout { gap: 1, pad: 2, ..N };
    let page = 4096 / size_of::<T>();
    let flipped = Layout { flip_rows: true, flip_cols: true, ..N };
    let cases = [
        ((40, 20, 1700), [N, N, N]),
        ((64, 40, 100), [N, T, N]),
        ((3, 40, 201), [N, T, N]),
        ((40, 60, 600), [N, N, N]),
        ((128, 10, 64), [T, N, N]),
        ((70, 10, 256), [N, N, N]),
        ((33, 35, 70), [flipped, gap, gap]),
        ((33, 35, 600), [gap, flipped, flipped]),
        ((55, 261, 700), [Layout { pad: page - 55, ..T }, N, N]),
        ((55, 70, 700), [Layout { pad: page - 55, ..T }, N, N]),
        ((7, 9, 0), [N, N, N]),
        ((2, wide, 2049), [N, N, N]),
        ((2049, wide, 2), [N, N, N]),
    ];
    let mut ways = Vec::new();
    for (shape @ (m, n, _), layouts) in cases {
        let is_large = m * n > 1 << 14 || shape.2 * n > 1 << 16;
        let plain = Case::<T>::new(shape, layouts, &mut rng);
        for exec in sequential_execs() {
            ways.push(way(&plain, &exec));
            check(&plain, None, exec);
            if is_large {
                continue;
            }
            let scaled = plain.clone().scaled(2.0, -1.5, &mut rng).finished(Activation::Gelu, &mut rng);
            for layout in [N, T, gap] {
                check(&scaled, Some(&Strided::new(layout, m, n, |_, _| rng.value())), exec);
            }
            check_packed(&scaled, exec);
        }
        if let Ok(exec) = Exec::default().with_threads(2) {
            check(&plain, None, exec);
        }
    }
    let has = |test: fn(&Way) -> bool| ways.iter().any(test);
    assert!(has(|way| way.0 == GemmPath::Dots && way.1 == Packing::InPlace), "{ways:?}");
    assert!(has(|way| way.0 == GemmPath::Dots && way.1 == Packing::Before), "{ways:?}");
    assert!(has(|way| way.0 == GemmPath::Tiles && way.1 == Packing::InPlace), "{ways:?}");
    assert!(has(|way| way.0 == GemmPath::Tiles && way.1 == Packing::Before), "{ways:?}");
    assert!(has(|way| way.1 == Packing::OnTheWay), "{ways:?}");
    assert!(has(|way| way.2) && has(|way| way.3) && has(|way| way.4) && has(|way| way.5), "{ways:?}");
}

/// Packing B ahead reads no more than B; the product reads no more than A and C.
fn check_packed<T: Float>(case: &Case<T>, exec: Exec) {
    for flush in Flush::BOTH {
        let (a, b) = (Matrix::new(&case.a, flush), Matrix::new(&case.b, flush));
        let mut c = Matrix::new(&case.c, flush);
        let mut sums = Guarded::new(&vec![T::ZERO; case.c.cols], flush);
        let packed = PackedB::new(&exec, b.view());
        exec.gemm_packed(case.alpha, a.view(), &packed, case.beta, c.view_mut(), Epilogue::default()).unwrap();
        exec.gemm_column_sums(case.alpha, a.view(), b.view(), case.beta, c.view_mut(), &mut sums).unwrap();
    }
}

/// Calls `f` on guarded and on ordinary memory: `inputs` slices to read and one to write, all of each length.
fn check_slices<T: Float>(
    inputs: usize,
    mut f: impl FnMut(Exec, &[&[T]], &mut [T]) -> Result<(), Error>,
    what: &dyn core::fmt::Debug,
) {
    let mut rng = Rng::new(64);
    for exec in sequential_execs() {
        for len in (0..=3 * T::LANES + 1).chain([64, 65, 127, 128, 193]) {
            let values: Vec<Vec<T>> = (0..inputs).map(|_| rng.values(len)).collect();
            let mut expected: Vec<T> = rng.values(len);
            let before = expected.clone();
            f(exec, &values.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut expected).unwrap();
            for flush in Flush::BOTH {
                let from: Vec<_> = values.iter().map(|values| Guarded::new(values, flush)).collect();
                let mut to = Guarded::new(&before, flush);
                f(exec, &from.iter().map(|from| &**from).collect::<Vec<_>>(), &mut to).unwrap();
                assert_same(&expected, &to, &(what, exec, len, flush));
            }
        }
    }
}

fn every_elementwise_function_and_length<T: Float>() {
    type Function<T> = fn(&Exec, &[T], &mut [T]) -> Result<(), Error>;
    let functions: [(&str, Function<T>); 8] = [
        ("exp", |exec, x, y| exec.exp(x, y)),
        ("exp_m1", |exec, x, y| exec.exp_m1(x, y)),
        ("log", |exec, x, y| exec.log(x, y)),
        ("ln_1p", |exec, x, y| exec.ln_1p(x, y)),
        ("erf", |exec, x, y| exec.erf(x, y)),
        ("erfc", |exec, x, y| exec.erfc(x, y)),
        ("gelu", |exec, x, y| exec.gelu(x, y)),
        ("axpy", |exec, x, y| exec.axpy(T::ONE, x, y)),
    ];
    for (name, function) in functions {
        check_slices::<T>(1, |exec, x, y| function(&exec, x[0], y), &name);
    }
    for activation in Activation::ALL {
        check_slices::<T>(0, |exec, _, y| exec.activation_inplace(activation, y), &activation);
        check_slices::<T>(1, |exec, x, y| exec.activation_grad_inplace(activation, x[0], y), &activation);
    }
    check_slices::<T>(2, |exec, x, y| exec.silu_grad(x[0], x[1], y), &"silu_grad");
    let dropout = Dropout { keep_prob: 0.5, seed: 3, step: 1 };
    check_slices::<T>(1, |exec, x, y| exec.dropout(dropout, x[0], y), &"dropout");
    let relu = Activation::Relu;
    check_slices::<T>(1, |exec, x, y| exec.activation_dropout_grad_inplace(relu, dropout, x[0], y), &"with relu");
}

fn every_row_function_and_width<T: Float>() {
    // One row, few, and a full block of rows that are taken together with some more.
    for rows in [1, 3, 17] {
        check_slices::<T>(
            2,
            |exec, x, y| {
                let cols = x[0].len() / rows;
                if cols == 0 {
                    return Ok(());
                }
                let y = &mut y[..rows * cols];
                let [z, t] = [x[0], x[1]].map(|x| MatRef::from_slice(&x[..rows * cols], rows, cols));
                let (z, t) = (z?, t?);
                let labels = vec![cols - 1; rows];
                exec.softmax(z, MatMut::from_slice(y, rows, cols)?)?;
                exec.log_softmax(z, MatMut::from_slice(y, rows, cols)?)?;
                exec.softmax_grad(z, t, MatMut::from_slice(y, rows, cols)?)?;
                exec.log_softmax_grad(z, t, MatMut::from_slice(y, rows, cols)?)?;
                exec.softmax_cross_entropy(z, &labels, MatMut::from_slice(y, rows, cols)?)?;
                exec.softmax_cross_entropy_with(z, Targets::Probabilities(t), MatMut::from_slice(y, rows, cols)?)?;
                let smoothed = Targets::Smoothed { labels: &labels, smoothing: 0.1 };
                exec.softmax_cross_entropy_with(z, smoothed, MatMut::from_slice(y, rows, cols)?)?;
                exec.logsumexp(z, &mut y[..rows])
            },
            &rows,
        );
    }
}

fn every_reduction_and_width<T: Float>() {
    for rows in [1, 3, 17] {
        for reduction in Reduction::ALL {
            check_slices::<T>(
                1,
                |exec, x, y| {
                    let cols = x[0].len() / rows;
                    if cols == 0 {
                        return Ok(());
                    }
                    let x = &x[0][..rows * cols];
                    let matrix = MatRef::from_slice(x, rows, cols)?;
                    y[0] = exec.reduce(reduction, x)?;
                    y[0] = exec.dot(x, x)?;
                    exec.reduce_rows(reduction, matrix, &mut y[..rows])?;
                    exec.reduce_columns(reduction, matrix, &mut y[..cols])
                },
                &(reduction, rows),
            );
        }
        // Wide enough to be walked along.
        let (mut rng, cols) = (Rng::new(65), 1024 / size_of::<T>() + 3);
        let matrix = Strided::<T>::new(N, 9 * rows, cols, |_, _| rng.value());
        for exec in sequential_execs() {
            let mut expected = vec![T::ZERO; cols];
            exec.reduce_columns(Reduction::Sum, matrix.view(), &mut expected).unwrap();
            for flush in Flush::BOTH {
                let (x, mut y) = (Matrix::new(&matrix, flush), Guarded::new(&vec![T::ZERO; cols], flush));
                exec.reduce_columns(Reduction::Sum, x.view(), &mut y).unwrap();
                assert_same(&expected, &y, &(rows, exec, flush));
            }
        }
    }
}

fn every_normalisation_and_width<T: Float>() {
    for rows in [1, 3, 17] {
        check_slices::<T>(
            2,
            |exec, x, y| {
                let cols = x[0].len() / rows;
                if cols == 0 {
                    return Ok(());
                }
                let (size, len) = (rows * cols, y.len());
                let matrix = |x| MatRef::from_slice(x, rows, cols);
                // Everything of a number a column lies at the end of its memory too.
                let ends = |x: &'_ [T]| x.len() - cols;
                let affine = Affine { gamma: &x[0][ends(x[0])..], beta: &x[1][ends(x[1])..], epsilon: 0.5 };
                let (mut of_columns, mut of_rows) = (Statistics::new(cols), Statistics::new(rows));
                let pair = (matrix(&x[0][..size])?, matrix(&x[1][len - size..])?);
                let mut dgamma = vec![T::ZERO; cols];
                for to in [0..size, len - size..len] {
                    let y = &mut y[to];
                    let z = pair.0;
                    exec.layer_norm(z, affine, &mut of_rows, MatMut::from_slice(y, rows, cols)?)?;
                    exec.batch_norm(z, affine, &mut of_columns, MatMut::from_slice(y, rows, cols)?)?;
                    exec.standardize_inplace(&of_columns, MatMut::from_slice(y, rows, cols)?)?;
                    let mut dx = vec![T::ZERO; size];
                    let dx = MatMut::from_slice(&mut dx, rows, cols)?;
                    let gradient = AffineGradient { gamma: &mut dgamma, beta: &mut y[..cols] };
                    exec.batch_norm_grad(pair, affine, &of_columns, dx, gradient)?;
                    let mut dbeta = vec![T::ZERO; cols];
                    let gradient = AffineGradient { gamma: &mut dgamma, beta: &mut dbeta };
                    exec.layer_norm_grad(pair, affine, &of_rows, MatMut::from_slice(y, rows, cols)?, gradient)?;
                    exec.batch_norm_grad(
                        pair,
                        affine,
                        &of_columns,
                        MatMut::from_slice(y, rows, cols)?,
                        AffineGradient { gamma: &mut dgamma, beta: &mut dbeta },
                    )?;
                }
                Ok(())
            },
            &rows,
        );
    }
}

fn every_optimizer_and_length<T: Float>() {
    check_slices::<T>(1, |exec, dw, w| exec.sgd(w, dw[0], 0.1), &"sgd");
    check_slices::<T>(1, |exec, dw, w| exec.momentum(w, dw[0], &mut MomentumState::new(w.len()), 0.1), &"momentum");
    check_slices::<T>(1, |exec, dw, w| exec.adam(w, dw[0], &mut AdamState::new(w.len()), 0.1), &"adam");
    check_slices::<T>(1, |exec, dw, w| exec.rmsprop(w, dw[0], &mut RmsPropState::new(w.len()), 0.1), &"rmsprop");
    check_slices::<T>(
        1,
        |exec, dw, w| {
            let mut state = AdamState::new(w.len());
            state.decay.l1 = 0.1;
            let step = Step { w, dw: dw[0], state: &mut state };
            exec.update_clipped(&mut [step], 0.1, 0.5).map(drop)
        },
        &"adam with clipping and decay",
    );
}

/// All that the list has, in one case that is large enough for two threads and many that are not.
fn every_listed_kernel<T: Float>() {
    for operation in operations::<T>() {
        for exec in sequential_execs() {
            let two = exec.with_threads(2).unwrap_or(exec);
            for number in 0..16 {
                let exec = if number % 8 == 6 { two } else { exec };
                let expected = operation.digest(&exec, number, Place::Offset(0));
                for flush in Flush::BOTH {
                    let found = exec.region(|| operation.digest(&exec, number, Place::Flush(flush)));
                    assert_eq!(found, expected, "{} case {number} on {exec:?}", operation.name);
                }
            }
        }
    }
}
