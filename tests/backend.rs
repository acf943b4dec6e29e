//! The contract of GEMM on every backend of this build, and what the others answer. Rounding is theirs: the promise of the same
//! bits is not asked of them, so each `Exec` is verified alone.

#[macro_use]
mod common;

use common::gemm::Case;
use common::strided::{Layout, Strided};
use common::{Float, Rng, THREADS, assert_mentions, is_nan};
use roofline::nn::{Dataset, MiniBatches, Mlp, Optimizer};
use roofline::{Activation, Backend, Epilogue, Error, Exec, Isa, Mat, MatMut, MatRef, PackedB};
use roofline_instances as _;

both_types!(
    every_layout,
    blocks_and_parts,
    vectors,
    factors,
    epilogues,
    gradients_and_packed_operands,
    nothing_to_multiply,
    special_values_stay_in_their_rows_and_columns,
    raw_pointers,
    strides_of_single_rows_and_columns,
    strides_that_cblas_has_not,
);

const ROWS: [Layout; 3] = [Layout::ROWS; 3];

/// Every backend of this build on several numbers of threads, each on its own.
fn each_exec(mut run: impl FnMut(Exec)) {
    for backend in Backend::available() {
        let exec = Exec::sequential().with_backend(backend).unwrap();
        THREADS.into_iter().filter_map(|threads| exec.with_threads(threads).ok()).for_each(&mut run);
    }
}

/// The gradient is the product and then the pass, to the bit; an operand packed for our tiles is refused by the others.
fn gradients_and_packed_operands<T: Float>() {
    let (a, b) = (
        Mat::<T>::from_fn(7, 9, |i, j| T::from_f64((i + 2 * j) as f64 / 8.0)),
        Mat::<T>::from_fn(9, 33, |i, j| T::from_f64(i as f64 - j as f64)),
    );
    let y = Mat::<T>::from_fn(7, 33, |i, j| T::from_f64((i * j % 5) as f64 / 4.0 - 0.5));
    each_exec(|exec| {
        let (mut fused, mut plain) = (Mat::<T>::zeros(7, 33), Mat::<T>::zeros(7, 33));
        let epilogue = Epilogue { gradient: Some((Activation::Tanh, y.as_ref())), ..Epilogue::default() };
        exec.gemm_with(T::ONE, a.as_ref(), b.as_ref(), T::ZERO, fused.as_mut(), epilogue).unwrap();
        exec.gemm(T::ONE, a.as_ref(), b.as_ref(), T::ZERO, plain.as_mut()).unwrap();
        exec.activation_grad_from_output_inplace(Activation::Tanh, y.as_slice(), plain.as_mut_slice()).unwrap();
        assert!(fused.as_slice() == plain.as_slice(), "{exec:?}");
        let packed = PackedB::new(&exec, b.as_ref());
        let result = exec.gemm_packed(T::ONE, a.as_ref(), &packed, T::ZERO, fused.as_mut(), Epilogue::default());
        match exec.backend() {
            Backend::Native => result.unwrap(),
            backend => assert_mentions(&result.unwrap_err(), &["gemm_packed", backend.name()]),
        }
    });
}

/// CBLAS knows padding, but neither negative strides nor gaps within rows.
fn takes(exec: Exec, layouts: [Layout; 3]) -> bool {
    let dense = |layout: Layout| layout.gap == 0 && !layout.flip_rows && !layout.flip_cols;
    exec.backend() != Backend::Blas || layouts.into_iter().all(dense)
}

fn every_layout<T: Float>() {
    let mut rng = Rng::new(1);
    for a in Layout::ALL {
        for b in Layout::ALL {
            for c in Layout::ALL {
                for (shape, alpha, beta) in [((5, 2 * T::LANES + 3, 4), 1.0, 0.0), ((19, 3, 18), 2.0, -0.5)] {
                    let case = Case::<T>::new(shape, [a, b, c], &mut rng).scaled(alpha, beta, &mut rng);
                    each_exec(|exec| {
                        if takes(exec, [a, b, c]) {
                            case.verify(&[exec]);
                        } else {
                            let mut result = case.c.clone();
                            let error =
                                exec.gemm(case.alpha, case.a.view(), case.b.view(), case.beta, result.view_mut());
                            assert!(matches!(error, Err(Error::UnsupportedStrides { .. })), "{case:?} on {exec:?}");
                            assert!(result.gaps_untouched());
                            for (old, new) in case.c.to_vec().into_iter().zip(result.to_vec()) {
                                assert_eq!(old.bits(), new.bits(), "{case:?} on {exec:?} touched C");
                            }
                        }
                    });
                }
            }
        }
    }
}

/// Sizes beyond the blocks of the libraries, and work for several threads by rows and by columns.
fn blocks_and_parts<T: Float>() {
    let mut rng = Rng::new(2);
    for shape in [(64, 64, 64), (33, 70, 515), (130, 1103, 97), (1203, 67, 150), (3, 5, 5000)] {
        for [a, b, c] in [ROWS, [Layout::COLS, Layout::ROWS, Layout { pad: 3, ..Layout::COLS }], [Layout::COLS; 3]] {
            let case = Case::<T>::new(shape, [a, b, c], &mut rng).scaled(-0.5, 2.0, &mut rng);
            let case = case.finished(Activation::Tanh, &mut rng);
            each_exec(|exec| case.verify_sample(&[exec], 100, &mut rng));
        }
    }
}

fn vectors<T: Float>() {
    let mut rng = Rng::new(3);
    for shape in [(1, 1, 1), (1, 30, 20), (30, 1, 20), (1, 1, 300), (20, 30, 1), (1, 7, 1), (7, 1, 1)] {
        for bits in 0..8 {
            let layout = |at: u32| if bits >> at & 1 == 1 { Layout::COLS } else { Layout { pad: 2, ..Layout::ROWS } };
            let case = Case::<T>::new(shape, [layout(0), layout(1), layout(2)], &mut rng);
            let case = case.scaled(-0.5, 2.0, &mut rng);
            each_exec(|exec| case.verify(&[exec]));
        }
    }
}

/// Where β is 0, C holds NaN; where α is, A and B do.
fn factors<T: Float>() {
    let mut rng = Rng::new(4);
    for alpha in [0.0, -0.0, 1.0, -0.5] {
        for beta in [0.0, -0.0, 1.0, -0.5] {
            for (shape, c) in [((7, 2 * T::LANES + 1, 40), Layout::ROWS), ((66, 40, 300), Layout::COLS)] {
                let mut case = Case::<T>::new(shape, [Layout::ROWS, Layout::COLS, c], &mut rng);
                case = case.scaled(alpha, beta, &mut rng);
                case.beta = T::from_f64(beta);
                if alpha == 0.0 {
                    case.a.set(1, 2, T::CANARY);
                    case.b.set(3, 4, T::from_f64(f64::INFINITY));
                }
                each_exec(|exec| case.verify(&[exec]));
            }
        }
    }
}

/// A pass of its own, on every kind of C that the backend has.
fn epilogues<T: Float>() {
    let mut rng = Rng::new(5);
    for activation in [Activation::Identity, Activation::Relu, Activation::Sigmoid, Activation::Tanh] {
        for c in Layout::ALL {
            for shape in [(9, 2 * T::LANES + 5, 0), (T::LANES + 2, 11, 40), (40, 5, 300)] {
                let case = Case::<T>::new(shape, [Layout::ROWS, Layout::ROWS, c], &mut rng);
                let case = case.scaled(0.5, -0.5, &mut rng).finished(activation, &mut rng);
                each_exec(|exec| {
                    if takes(exec, [Layout::ROWS, Layout::ROWS, c]) {
                        Case { bias: None, ..case.clone() }.verify(&[exec]);
                        case.verify(&[exec]);
                    }
                });
            }
        }
    }
}

/// Each of m, n, k zero or not, in layouts that no library would be asked for.
fn nothing_to_multiply<T: Float>() {
    let mut rng = Rng::new(6);
    for bits in 0..7 {
        let [m, n, k] = [0, 1, 2].map(|at| if bits >> at & 1 == 1 { 3 } else { 0 });
        for layouts in [ROWS, [Layout::COLS; 3], [Layout { gap: 1, flip_rows: true, ..Layout::ROWS }; 3]] {
            for (alpha, beta) in [(1.0, 0.0), (f64::INFINITY, -0.5)] {
                let case = Case::<T>::new((m, n, k), layouts, &mut rng).scaled(alpha, beta, &mut rng);
                let finished = case.clone().finished(Activation::Tanh, &mut rng);
                each_exec(|exec| [&case, &finished].into_iter().for_each(|case| case.verify(&[exec])));
            }
        }
    }
}

fn special_values_stay_in_their_rows_and_columns<T: Float>() {
    let mut rng = Rng::new(7);
    for special in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for shape @ (m, n, k) in [(5, T::LANES + 3, 40), (70, 2 * T::LANES, 300), (3, 3, 300)] {
            let mut case = Case::<T>::new(shape, [Layout::ROWS, Layout::COLS, Layout::ROWS], &mut rng);
            let (row, col) = (rng.below(m), rng.below(n));
            case.a.set(row, rng.below(k), T::from_f64(special));
            case.b.set(rng.below(k), col, T::from_f64(special));
            each_exec(|exec| {
                case.verify(&[exec]);
                let result = case.run(exec);
                assert!((0..m).all(|i| (0..n).all(|j| i == row || j == col || !is_nan(result.get(i, j)))));
            });
        }
    }
}

fn raw_pointers<T: Float>() {
    let mut rng = Rng::new(8);
    let (m, n, k) = (7, T::LANES + 5, 19);
    let layouts = [Layout::COLS, Layout { pad: 3, ..Layout::ROWS }, Layout { pad: 1, ..Layout::COLS }];
    let case = Case::<T>::new((m, n, k), layouts, &mut rng).scaled(0.5, -0.5, &mut rng);
    each_exec(|exec| case.check(exec, &case.run_raw(exec)));
}

/// The stride of a single row or column is never used, and may be anything; a row or column may have any positive stride.
fn strides_of_single_rows_and_columns<T: Float>() {
    let mut rng = Rng::new(9);
    let (a, b) = (rng.values::<T>(25), rng.values::<T>(25));
    for single in [isize::MIN, -1, 0, 1, isize::MAX] {
        // A row times a column, with and without a stride; then a column times a row.
        for ((m, n, k), (rsa, csa), (rsb, csb), (rsc, csc)) in [
            ((1, 1, 8), (single, 3), (3, single), (single, single)),
            ((1, 1, 8), (single, 1), (1, single), (single, single)),
            ((5, 1, 4), (4, 1), (2, single), (3, single)),
            ((1, 5, 4), (single, 2), (5, 1), (single, 3)),
            ((4, 5, 1), (3, single), (single, 2), (6, 1)),
        ] {
            let mut case = Case::<T>::new((m, n, k), ROWS, &mut rng);
            let at = |i: usize, j: usize, rs: isize, cs: isize, (rows, cols): (usize, usize)| {
                let step = |at: usize, len: usize, stride: isize| if len == 1 { 0 } else { at * stride as usize };
                step(i, rows, rs) + step(j, cols, cs)
            };
            case.a = Strided::new(Layout::ROWS, m, k, |i, p| a[at(i, p, rsa, csa, (m, k))]);
            case.b = Strided::new(Layout::ROWS, k, n, |p, j| b[at(p, j, rsb, csb, (k, n))]);
            let (a, b) = (
                MatRef::from_slice_with_strides(&a, m, k, rsa, csa).unwrap(),
                MatRef::from_slice_with_strides(&b, k, n, rsb, csb).unwrap(),
            );
            each_exec(|exec| {
                let mut memory = [T::CANARY; 30];
                let c = MatMut::from_slice_with_strides(&mut memory, m, n, rsc, csc).unwrap();
                exec.gemm(T::ONE, a, b, T::ZERO, c).unwrap();
                let result = Strided::new(Layout::ROWS, m, n, |i, j| memory[at(i, j, rsc, csc, (m, n))]);
                case.check(exec, &result);
                let written = memory.iter().filter(|x| x.bits() != T::CANARY.bits()).count();
                assert_eq!(written, m * n);
            });
        }
    }
}

/// Each operand in turn: an error with its name and numbers. A library that takes any strides takes them.
fn strides_that_cblas_has_not<T: Float>() {
    let x = vec![T::ONE; 64];
    let dense = (8, 1);
    for bad @ (row, col) in [(-8, 1), (1, -8), (8, -1), (-1, 8), (8, 2), (2, 8), (0, 1), (1, 0), (0, 0), (1, 1), (2, 1)]
    {
        for (at, name) in ["A", "B", "C"].into_iter().enumerate() {
            let strides = [0, 1, 2].map(|operand| if operand == at { bad } else { dense });
            let view = |(row, col)| MatRef::from_slice_with_strides(&x, 3, 3, row, col).unwrap();
            each_exec(|exec| {
                let mut memory = vec![T::ONE; 64];
                let (row_stride, col_stride) = strides[2];
                let Ok(c) = MatMut::from_slice_with_strides(&mut memory, 3, 3, row_stride, col_stride) else { return };
                let result = exec.gemm(T::ONE, view(strides[0]), view(strides[1]), T::ONE, c);
                if exec.backend() == Backend::Blas {
                    let error = result.expect_err("no such stride in CBLAS");
                    assert_mentions(&error, &["blas", name, &format!("({row}, {col})"), "3×3", "2147483647"]);
                    assert!(memory.iter().all(|&x| x == T::ONE));
                } else {
                    result.unwrap();
                    assert_eq!(memory.iter().filter(|&&x| x == T::from_f64(4.0)).count(), 9);
                }
            });
        }
    }
}

#[cfg(feature = "blas")]
#[test]
fn sizes_beyond_cblas_are_refused() {
    let exec = Exec::sequential().with_backend(Backend::Blas).unwrap();
    let (large, far) = (i32::MAX as usize + 1, i32::MAX as isize + 1);
    let p = core::ptr::NonNull::<f32>::dangling().as_ptr();
    // SAFETY: refused before anything is read.
    let errors = unsafe {
        [
            (exec.gemm_raw(large, 1, 1, 1.0, p, 1, 1, p, 1, 1, 0.0, p, 1, 1), "m is 2147483648"),
            (exec.gemm_raw(1, large, 1, 1.0, p, 1, 1, p, 1, 1, 0.0, p, 1, 1), "n is 2147483648"),
            (exec.gemm_raw(1, 1, large, 1.0, p, 1, 1, p, 1, 1, 0.0, p, 1, 1), "k is 2147483648"),
            (exec.gemm_raw(2, 2, 2, 1.0, p, far, 1, p, 2, 1, 0.0, p, 2, 1), "A: strides (2147483648, 1)"),
            (exec.gemm_raw(2, 2, 2, 1.0, p, 2, 1, p, 1, far, 0.0, p, 2, 1), "B: strides (1, 2147483648)"),
            (exec.gemm_raw(2, 2, 2, 1.0, p, 2, 1, p, 2, 1, 0.0, p, far, 1), "C: strides (2147483648, 1)"),
        ]
    };
    for (result, text) in errors {
        assert_mentions(&result.unwrap_err(), &[text, "at most 2147483647"]);
    }
}

#[test]
fn an_unavailable_backend_names_its_feature() {
    assert_eq!(Backend::available().next(), Some(Backend::Native));
    assert_eq!(Exec::default().backend(), Backend::default());
    let built = [
        (Backend::Native, true),
        (Backend::MatrixMultiply, cfg!(feature = "matrixmultiply")),
        (Backend::Blas, cfg!(feature = "blas")),
    ];
    for (backend, built) in built {
        let result = Exec::sequential().with_backend(backend);
        assert_eq!((result.is_ok(), Backend::available().any(|available| available == backend)), (built, built));
        match result {
            Ok(exec) => {
                let exec = exec.with_isa(Isa::Portable).unwrap().with_threads(1).unwrap();
                assert_eq!(exec.backend(), backend, "other choices keep it");
                assert_eq!(format!("{exec:?}").contains(backend.name()), backend != Backend::Native);
            }
            Err(error) => {
                assert!(matches!(error, Error::UnavailableBackend { backend: found } if found == backend));
                assert_mentions(&error, &[&format!("without the feature `{backend}`")]);
            }
        }
    }
}

#[test]
fn names_are_read_back() {
    for backend in Backend::ALL {
        assert_eq!(backend.to_string().to_uppercase().parse::<Backend>(), Ok(backend));
    }
    assert_mentions(&"mkl".parse::<Backend>().unwrap_err(), &["`mkl`", "native, matrixmultiply, blas"]);
}

/// Two interleaved rings; the first gradient is the same on every backend but for rounding.
#[test]
fn a_network_learns_on_every_backend() {
    let point = |i: usize, j: usize| {
        let (angle, radius) = (i as f64 * 0.3, 0.5 + (i % 2) as f64 * 0.6);
        radius * if j == 0 { angle.cos() } else { angle.sin() }
    };
    let data = Dataset::new(Mat::from_fn(120, 2, point), (0..120).map(|i| i % 2).collect(), 2).unwrap();
    let mut native: Option<Vec<f64>> = None;
    each_exec(|exec| {
        let builder = Mlp::<f64>::builder(2).dense(24, Activation::Tanh).dense(8, Activation::Relu).softmax(2);
        let mut net = builder.seed(3).exec(exec).build().unwrap();
        let mut optimizer = Optimizer::adam(0.01);
        let mut batches = MiniBatches::new(&data, 25).unwrap();
        let mut first = None;
        for epoch in 0..60 {
            batches.shuffle(5, epoch);
            while let Some(batch) = batches.next_batch() {
                net.forward(batch.x).unwrap();
                net.backward(batch.x, batch.labels()).unwrap();
                net.update(&mut optimizer).unwrap();
                first.get_or_insert_with(|| net.gradients().to_vec());
            }
        }
        assert!(net.accuracy(&data).unwrap() >= 0.95, "{exec:?} reaches {}", net.accuracy(&data).unwrap());
        let first = first.unwrap();
        let native = native.get_or_insert_with(|| first.clone());
        let distance = first.iter().zip(native).map(|(x, y)| (x - *y).abs()).fold(0.0, f64::max);
        assert!(distance < 1e-14, "{exec:?}: the first gradient is off by {distance}");
    });
}
