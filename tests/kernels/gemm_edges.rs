//! GEMM at the edges of its contract: empty operands, special factors, special values, raw pointers, bad input.

use crate::common::gemm::Case;
use crate::common::strided::{Layout, Strided};
use crate::common::{Float, Rng, assert_mentions, execs, is_nan, sequential_execs};
use roofline::{Activation, Element, Epilogue, Error, Exec, Mat, MatMut, MatRef, gemm};

both_types!(
    empty_products,
    every_pair_of_factors,
    beta_zero_does_not_read_c,
    alpha_zero_does_not_read_a_or_b,
    k_zero_scales_c,
    k_zero_with_infinite_alpha,
    negative_zero_factors,
    special_values_stay_in_their_rows_and_columns,
    repeated_operands,
    raw_pointers,
    raw_pointers_may_dangle,
    default_exec,
    refused_calls_do_not_touch_c,
);

const ROWS: [Layout; 3] = [Layout::ROWS; 3];
const FACTORS: [f64; 4] = [0.0, 1.0, -0.5, 2.0];

fn number<T: Element>(x: f64) -> T {
    T::from_f64(x)
}

/// Each of m, n, k zero or not: the slices of an empty operand are empty, their pointers dangle.
fn empty_products<T: Float>() {
    let mut rng = Rng::new(1);
    for bits in 0..8 {
        let [m, n, k] = [0, 1, 2].map(|at| if bits >> at & 1 == 1 { 3 } else { 0 });
        for layouts in [ROWS, [Layout::COLS; 3], [Layout { gap: 1, flip_rows: true, ..Layout::ROWS }; 3]] {
            for (alpha, beta) in [(1.0, 0.0), (2.0, -0.5)] {
                let case = Case::<T>::new((m, n, k), layouts, &mut rng).scaled(alpha, beta, &mut rng);
                case.verify(&execs());
                case.finished(Activation::Tanh, &mut rng).verify(&execs());
            }
        }
    }
}

/// α and β, on whole and masked tiles, on one block of k and on two. Where β is 0, C holds NaN.
fn every_pair_of_factors<T: Float>() {
    let mut rng = Rng::new(2);
    for alpha in FACTORS {
        for beta in FACTORS {
            for shape in [(1, 1, 1), (6, 4 * T::LANES, 20), (7, 2 * T::LANES + 1, 32 * T::LANES + 2), (3, 5, 600)] {
                for c in [Layout::ROWS, Layout::COLS, Layout { gap: 1, ..Layout::ROWS }] {
                    for b in [Layout::ROWS, Layout::COLS] {
                        let layouts = [Layout::ROWS, b, c];
                        let case = Case::<T>::new(shape, layouts, &mut rng).scaled(alpha, beta, &mut rng);
                        case.verify(&sequential_execs());
                    }
                }
            }
        }
    }
}

/// Neither NaN nor infinity of the old C comes through β = 0, on any edge and any path.
fn beta_zero_does_not_read_c<T: Float>() {
    let mut rng = Rng::new(3);
    for poison in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for alpha in FACTORS {
            for m in 1..=9 {
                for n in [1, 2, T::LANES - 1, T::LANES, T::LANES + 1, 3 * T::LANES + 2] {
                    for k in [0, 1, 33, 32 * T::LANES + 1] {
                        let c = if (m + n) % 2 == 0 { Layout::ROWS } else { Layout::COLS };
                        let mut case = Case::<T>::new((m, n, k), [Layout::ROWS, Layout::COLS, c], &mut rng);
                        case.alpha = number(alpha);
                        case.c = Strided::new(c, m, n, |_, _| number(poison));
                        for exec in sequential_execs() {
                            let result = case.run(exec).to_vec();
                            assert!(result.iter().all(|x| x.to_f64().is_finite()), "{case:?} on {exec:?}: {result:?}");
                        }
                    }
                }
            }
        }
    }
}

fn alpha_zero_does_not_read_a_or_b<T: Float>() {
    let mut rng = Rng::new(4);
    let poison = |at: usize| number([f64::NAN, f64::INFINITY, f64::NEG_INFINITY][at % 3]);
    for beta in FACTORS {
        for b in [Layout::ROWS, Layout::COLS] {
            let (m, n, k) = (5, 2 * T::LANES + 3, 700);
            let mut case = Case::<T>::new((m, n, k), [Layout::ROWS, b, Layout::ROWS], &mut rng);
            case = case.scaled(0.0, beta, &mut rng);
            case.a = Strided::new(Layout::ROWS, m, k, |i, p| poison(i + p));
            case.b = Strided::new(b, k, n, |p, j| poison(p + 2 * j));
            case.verify(&execs());
            case.finished(Activation::Relu, &mut rng).verify(&execs());
        }
    }
}

fn k_zero_scales_c<T: Float>() {
    let mut rng = Rng::new(5);
    for alpha in FACTORS {
        for beta in FACTORS {
            let case = Case::<T>::new((4, 2 * T::LANES + 1, 0), ROWS, &mut rng).scaled(alpha, beta, &mut rng);
            for exec in execs() {
                let result = case.run(exec);
                for i in 0..4 {
                    for j in 0..result.cols {
                        let exact = if beta == 0.0 { T::ZERO } else { case.c.get(i, j) * case.beta };
                        assert!(result.get(i, j) == exact, "{case:?} on {exec:?}, element ({i}, {j})");
                    }
                }
            }
        }
    }
}

/// An empty sum times α is nothing, not NaN: k = 0 only scales C, as in the reference BLAS.
fn k_zero_with_infinite_alpha<T: Float>() {
    let mut rng = Rng::new(6);
    for beta in FACTORS {
        for alpha in [f64::INFINITY, f64::NAN] {
            let case = Case::<T>::new((3, 5, 0), ROWS, &mut rng).scaled(1.0, beta, &mut rng);
            Case { alpha: number(alpha), ..case }.verify(&execs());
        }
    }
}

/// −0 is zero: it does not read either.
fn negative_zero_factors<T: Float>() {
    let mut rng = Rng::new(7);
    let mut case = Case::<T>::new((3, T::LANES + 1, 9), ROWS, &mut rng);
    case.beta = number(-0.0);
    case.verify(&execs());
    case = case.scaled(1.0, 2.0, &mut rng);
    case.alpha = number(-0.0);
    case.a.set(1, 1, number(f64::NAN));
    case.verify(&execs());
}

/// A NaN or an infinity in A reaches its row of C and no other element, in B its column; an infinity times zero is NaN.
fn special_values_stay_in_their_rows_and_columns<T: Float>() {
    let mut rng = Rng::new(8);
    for special in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for shape @ (m, n, k) in [(1, 1, 1), (5, T::LANES + 3, 40), (9, 2 * T::LANES, 32 * T::LANES + 5), (3, 3, 300)] {
            for layouts in [ROWS, [Layout::ROWS, Layout::COLS, Layout::ROWS], [Layout::COLS; 3]] {
                let mut case = Case::<T>::new(shape, layouts, &mut rng);
                let (row, col) = (rng.below(m), rng.below(n));
                case.a.set(row, rng.below(k), number(special));
                case.verify(&sequential_execs());
                case.b.set(rng.below(k), col, T::ZERO);
                case.b.set(rng.below(k), col, number(special));
                case.verify(&sequential_execs());
                let others = case.run(Exec::sequential());
                assert!((0..m).all(|i| (0..n).all(|j| i == row || j == col || !is_nan(others.get(i, j)))));
                let bias = (0..n).map(|j| number(if j == col { special } else { 1.0 })).collect();
                Case { bias: Some(bias), activation: Activation::Relu, ..case }.verify(&sequential_execs());
            }
        }
    }
}

/// Operands that are read may use an element many times: strides of zero, and rows that overlap.
fn repeated_operands<T: Float>() {
    let mut rng = Rng::new(9);
    let (m, n, k) = (6, 2 * T::LANES + 1, 21);
    let (a, b): (Vec<T>, Vec<T>) = (rng.values(k + m), rng.values(k + n));
    for (a_row, a_col) in [(0, 1), (1, 0), (0, 0), (1, 1)] {
        for (b_row, b_col) in [(0, 1), (1, 0), (0, 0), (1, 1)] {
            let element = |x: &[T], i: usize, j: usize, (row, col)| x[i * row + j * col];
            let mut case = Case::<T>::new((m, n, k), ROWS, &mut rng);
            case.a = Strided::new(Layout::ROWS, m, k, |i, p| element(&a, i, p, (a_row, a_col)));
            case.b = Strided::new(Layout::ROWS, k, n, |p, j| element(&b, p, j, (b_row, b_col)));
            let a = MatRef::from_slice_with_strides(&a, m, k, a_row as isize, a_col as isize).unwrap();
            let b = MatRef::from_slice_with_strides(&b, k, n, b_row as isize, b_col as isize).unwrap();
            for exec in sequential_execs() {
                let mut c = case.c.clone();
                exec.gemm(T::ONE, a, b, T::ZERO, c.view_mut()).unwrap();
                case.check(exec, &c);
            }
        }
    }
}

/// The same call by addresses, with every layout of C and both signs of the strides.
fn raw_pointers<T: Float>() {
    let mut rng = Rng::new(10);
    for layout in Layout::ALL {
        for layouts in [[layout; 3], [layout, Layout::ROWS, Layout::ROWS], [Layout::ROWS, layout, Layout::COLS]] {
            let (m, n, k) = (7, T::LANES + 5, 19);
            let case = Case::<T>::new((m, n, k), layouts, &mut rng).scaled(0.5, -0.5, &mut rng);
            for exec in execs() {
                case.check(exec, &case.run_raw(exec));
            }
        }
    }
}

/// Nothing is read through a pointer that the product does not need.
fn raw_pointers_may_dangle<T: Float>() {
    let nowhere = core::ptr::null_mut::<T>();
    for exec in execs() {
        let mut c = [T::ONE; 6];
        let pc = c.as_mut_ptr();
        let half: T = number(0.5);
        // SAFETY: empty operands, and A and B under α = 0, are not read; C has 6 elements.
        unsafe {
            exec.gemm_raw(2, 3, 0, T::ONE, nowhere, 1, 1, nowhere, 3, 1, half, pc, 3, 1).unwrap();
            exec.gemm_raw(2, 3, 5, T::ZERO, nowhere, 5, 1, nowhere, 3, 1, half, pc, 3, 1).unwrap();
            exec.gemm_raw(0, 3, 5, T::ONE, nowhere, 5, 1, nowhere, 3, 1, half, nowhere, 3, 1).unwrap();
            exec.gemm_raw(2, 0, 5, T::ONE, nowhere, 5, 1, nowhere, 0, 1, half, nowhere, 0, 1).unwrap();
        }
        assert!(c == [number(0.25); 6]);
    }
}

#[test]
fn raw_pointers_are_checked_for_overflow_and_overlap() {
    let exec = Exec::sequential();
    let mut x = [1.0_f32; 4];
    let p = x.as_mut_ptr();
    // SAFETY: refused before anything is read.
    let (a, b, c, overlap) = unsafe {
        (
            exec.gemm_raw(2, 2, 2, 1.0, p, isize::MIN, 1, p, 2, 1, 0.0, p, 2, 1).unwrap_err(),
            exec.gemm_raw(2, 2, 2, 1.0, p, 2, 1, p, 2, isize::MAX, 0.0, p, 2, 1).unwrap_err(),
            exec.gemm_raw(2, 2, 2, 1.0, p, 2, 1, p, 2, 1, 0.0, p, isize::MAX, 1).unwrap_err(),
            exec.gemm_raw(2, 3, 2, 1.0, p, 2, 1, p, 2, 1, 0.0, p, 2, -1).unwrap_err(),
        )
    };
    assert_mentions(&a, &["2×2", &isize::MIN.to_string()]);
    assert_mentions(&b, &["2×2", &isize::MAX.to_string()]);
    assert_mentions(&c, &["2×2", &isize::MAX.to_string()]);
    assert!(matches!(overlap, Error::SelfOverlap { rows: 2, cols: 3, row_stride: 2, col_stride: -1 }), "{overlap}");
    assert_eq!(x, [1.0; 4]);
}

/// The free function and the default `Exec`, on the pool of this process.
fn default_exec<T: Float>() {
    let mut rng = Rng::new(11);
    let case = Case::<T>::new((33, 47, 29), ROWS, &mut rng).scaled(2.0, 1.0, &mut rng);
    let mut c = case.c.clone();
    gemm(case.alpha, case.a.view(), case.b.view(), case.beta, c.view_mut()).unwrap();
    case.check(Exec::default(), &c);
    case.verify(&[Exec::default(), Exec::sequential()]);
}

/// Wrong shapes of each operand and of the bias: an error with the numbers, and C as it was.
fn refused_calls_do_not_touch_c<T: Float>() {
    let mat = |rows, cols| Mat::<T>::from_fn(rows, cols, |_, _| T::ONE);
    let refuse = |a: Mat<T>, b: Mat<T>, bias: Option<&[T]>| {
        let mut c = mat(3, 4);
        let epilogue = Epilogue { bias, ..Epilogue::default() };
        let error = Exec::default()
            .gemm_with(T::ONE, a.as_ref(), b.as_ref(), T::ZERO, c.as_mut(), epilogue)
            .expect_err("the shapes do not agree");
        assert!(c.as_slice().iter().all(|&x| x == T::ONE));
        error
    };
    // C is 3×4 and the right k is 5.
    let rows_of_a = refuse(mat(2, 5), mat(5, 4), None);
    assert!(matches!(rows_of_a, Error::Shape { expected: (3, 5), found: (2, 5), .. }), "{rows_of_a}");
    assert_mentions(&rows_of_a, &["gemm: A", "3×5", "2×5"]);
    let inner = refuse(mat(3, 6), mat(5, 4), None);
    assert!(matches!(inner, Error::Shape { expected: (6, 4), found: (5, 4), .. }), "{inner}");
    assert_mentions(&inner, &["gemm: B", "6×4", "5×4"]);
    let columns_of_b = refuse(mat(3, 5), mat(5, 7), None);
    assert_mentions(&columns_of_b, &["gemm: B", "5×4", "5×7"]);
    for len in [0, 3, 5] {
        let bias = refuse(mat(3, 5), mat(5, 4), Some(&vec![T::ONE; len]));
        assert!(matches!(bias, Error::Length { expected: 4, found, .. } if found == len), "{bias}");
        assert_mentions(&bias, &["bias", "4 elements", &format!("found {len}")]);
    }
    assert_mentions(&refuse(mat(0, 5), mat(5, 4), None), &["3×5", "0×5"]);
    assert_mentions(&refuse(mat(3, 0), mat(5, 4), None), &["0×4", "5×4"]);
}

/// C and A of one length never go through as each other's transposes.
#[test]
fn transposed_shapes_are_refused() {
    let (a, b) = ([1.0; 6], [1.0; 6]);
    let mut c = [0.0; 4];
    let (a, b) = (MatRef::from_slice(&a, 2, 3).unwrap(), MatRef::from_slice(&b, 3, 2).unwrap());
    for (a, b) in [(a.t(), b), (a, b.t()), (b, a)] {
        let out = MatMut::from_slice(&mut c, 2, 2).unwrap();
        assert!(matches!(gemm(1.0, a, b, 0.0, out), Err(Error::Shape { .. })), "{a:?}·{b:?}");
    }
    assert_eq!(c, [0.0; 4]);
}
