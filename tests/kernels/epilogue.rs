//! Epilogues beside the activation: the gradient is, to the bit, the product and then the pass over it, on every path, layout
//! and number of threads; column sums are those of B.

use crate::common::gemm::Case;
use crate::common::strided::{Layout, Strided};
use crate::common::{Float, Rng, assert_mentions, execs};
use roofline::{Activation, Epilogue, Error, Exec, Mat};

both_types!(
    the_gradient_is_the_product_and_then_the_pass,
    every_activation_is_the_product_and_then_the_pass,
    outputs_of_another_shape_are_refused,
    outputs_that_do_not_tell_the_gradient_are_refused,
    column_sums_are_exact_beside_any_product,
    products_beside_column_sums_have_the_bits_that_they_have_alone,
    column_sums_of_another_length_are_refused,
);

/// Tiles, several blocks of k, dot products, packed operands, scattered results; large enough to be cut.
fn the_gradient_is_the_product_and_then_the_pass<T: Float>() {
    let mut rng = Rng::new(31);
    let layouts = |b, c| [Layout::ROWS, b, c];
    let cases = [
        ((9, 70, 17), layouts(Layout::ROWS, Layout::ROWS)),
        ((5, 33, 1100), layouts(Layout::ROWS, Layout::COLS)),
        ((8, 40, 200), layouts(Layout::COLS, Layout::ROWS)),
        ((40, 10, 128), layouts(Layout::ROWS, Layout::ROWS)),
        ((40, 30, 20), layouts(Layout::COLS, Layout { gap: 1, ..Layout::ROWS })),
        ((130, 260, 500), layouts(Layout::COLS, Layout::ROWS)),
    ];
    for (case, (shape @ (m, n, _), layouts)) in cases.into_iter().enumerate() {
        for output_layout in if case == 0 { &Layout::ALL[..] } else { &[Layout::ROWS, Layout::COLS] } {
            let plain = Case::<T>::new(shape, layouts, &mut rng).scaled(0.5, -1.5, &mut rng);
            let output = Strided::<T>::new(*output_layout, m, n, |_, _| rng.value());
            for activation in Activation::ALL.into_iter().filter(|f| f.output_determines_gradient()) {
                let y = row_major(&output);
                for exec in execs() {
                    let mut expected = row_major(&plain.run(exec));
                    exec.activation_grad_from_output_inplace(activation, &y, &mut expected).unwrap();
                    let mut c = plain.c.clone();
                    let epilogue = Epilogue { gradient: Some((activation, output.view())), ..Epilogue::default() };
                    let (a, b) = (plain.a.view(), plain.b.view());
                    exec.region(|| exec.gemm_with(plain.alpha, a, b, plain.beta, c.view_mut(), epilogue)).unwrap();
                    assert!(row_major(&c) == expected, "case {case}, {activation:?}, {output_layout:?} on {exec:?}");
                    assert!(c.gaps_untouched());
                }
            }
        }
    }
}

fn row_major<T: Float>(matrix: &Strided<T>) -> Vec<T> {
    (0..matrix.rows).flat_map(|i| (0..matrix.cols).map(move |j| matrix.get(i, j))).collect()
}

fn outputs_of_another_shape_are_refused<T: Float>() {
    let mat = |rows, cols| Mat::<T>::from_fn(rows, cols, |_, _| T::ONE);
    let (a, b, outputs, mut c) = (mat(3, 5), mat(5, 4), mat(4, 3), mat(3, 4));
    let epilogue = Epilogue { gradient: Some((Activation::Relu, outputs.as_ref())), ..Epilogue::default() };
    let error = Exec::default().gemm_with(T::ONE, a.as_ref(), b.as_ref(), T::ZERO, c.as_mut(), epilogue).unwrap_err();
    assert!(matches!(error, Error::Shape { expected: (3, 4), found: (4, 3), .. }), "{error}");
    assert_mentions(&error, &["gradient", "3×4", "4×3"]);
    assert!(c.as_slice().iter().all(|&x| x == T::ONE));
}

/// Small integers, so that every sum is exact: in place, packed on the way and before, turned, as dot products, cut in parts,
/// over several blocks of k, with nothing to multiply. The product itself has the bits that it has alone.
fn column_sums_are_exact_beside_any_product<T: Float>() {
    let mut rng = Rng::new(34);
    let shapes = [(9, 70, 17), (70, 10, 40), (128, 10, 128), (8, 40, 200), (600, 100, 1100), (200, 300, 700)];
    for (m, n, k) in shapes.into_iter().chain([(0, 5, 3), (4, 5, 0), (1, 1, 1)]) {
        for [a, b, c] in
            [[Layout::ROWS; 3], [Layout::COLS, Layout::ROWS, Layout::ROWS], [Layout::ROWS, Layout::COLS, Layout::COLS]]
        {
            let a = Strided::<T>::new(a, m, k, |_, _| rng.integer());
            let b = Strided::<T>::new(b, k, n, |_, _| rng.integer());
            let old = Strided::<T>::new(c, m, n, |_, _| rng.integer());
            for alpha in [T::ONE, T::ZERO] {
                for exec in execs() {
                    let (mut plain, mut c, mut sums) = (old.clone(), old.clone(), vec![T::CANARY; n]);
                    exec.gemm(alpha, a.view(), b.view(), T::ONE, plain.view_mut()).unwrap();
                    exec.region(|| {
                        exec.gemm_column_sums(alpha, a.view(), b.view(), T::ONE, c.view_mut(), &mut sums).unwrap();
                    });
                    let expected = |j| (0..k).map(|p| b.get(p, j).to_f64()).sum::<f64>();
                    let wrong = (0..n).find(|&j| sums[j].to_f64() != expected(j));
                    assert_eq!(wrong, None, "{m}×{n}×{k} on {exec:?}: {sums:?}");
                    assert!(row_major(&c) == row_major(&plain) && c.gaps_untouched(), "{m}×{n}×{k} on {exec:?}");
                }
            }
        }
    }
}

/// Also where C lies by columns, and where its transpose is a small product, one of a row among them.
fn products_beside_column_sums_have_the_bits_that_they_have_alone<T: Float>() {
    let mut rng = Rng::new(35);
    for (m, n, k) in [(27, 1, 154), (20, 2, 100), (30, 5, 60), (64, 8, 100), (128, 10, 33), (70, 90, 80)] {
        for a in [Layout::ROWS, Layout::COLS] {
            for c in [Layout::ROWS, Layout::COLS, Layout { pad: 5, ..Layout::COLS }] {
                let case = Case::<T>::new((m, n, k), [a, Layout::ROWS, c], &mut rng).scaled(-0.5, 2.0, &mut rng);
                for exec in execs() {
                    let (alone, mut beside, mut sums) = (case.run(exec), case.c.clone(), vec![T::ZERO; n]);
                    let (a, b) = (case.a.view(), case.b.view());
                    exec.gemm_column_sums(case.alpha, a, b, case.beta, beside.view_mut(), &mut sums).unwrap();
                    assert!(row_major(&beside) == row_major(&alone), "{case:?} on {exec:?}");
                }
            }
        }
    }
}

fn column_sums_of_another_length_are_refused<T: Float>() {
    let (a, b) = (Mat::<T>::zeros(3, 5), Mat::<T>::zeros(5, 4));
    let (mut c, mut sums) = (Mat::from_fn(3, 4, |_, _| T::ONE), [T::ONE; 3]);
    let exec = Exec::default();
    let error = exec.gemm_column_sums(T::ONE, a.as_ref(), b.as_ref(), T::ZERO, c.as_mut(), &mut sums).unwrap_err();
    assert_mentions(&error, &["column sums", "expected 4", "found 3"]);
    assert!(c.as_slice().iter().chain(&sums).all(|&x| x == T::ONE), "nothing is written");
}

fn every_activation_is_the_product_and_then_the_pass<T: Float>() {
    let mut rng = Rng::new(34);
    let (a, b) = (Mat::<T>::from_fn(9, 17, |_, _| rng.value()), Mat::<T>::from_fn(17, 70, |_, _| T::ONE));
    for activation in Activation::ALL {
        for exec in execs() {
            let (mut expected, mut c) = (Mat::zeros(9, 70), Mat::zeros(9, 70));
            exec.gemm(T::ONE, a.as_ref(), b.as_ref(), T::ZERO, expected.as_mut()).unwrap();
            exec.activation_inplace(activation, expected.as_mut_slice()).unwrap();
            let epilogue = Epilogue { activation, ..Epilogue::default() };
            exec.gemm_with(T::ONE, a.as_ref(), b.as_ref(), T::ZERO, c.as_mut(), epilogue).unwrap();
            assert!(c.as_slice() == expected.as_slice(), "{activation} on {exec:?}");
        }
    }
}

fn outputs_that_do_not_tell_the_gradient_are_refused<T: Float>() {
    let mat = |rows, cols| Mat::<T>::from_fn(rows, cols, |_, _| T::ONE);
    let (a, b, outputs, mut c) = (mat(3, 5), mat(5, 4), mat(3, 4), mat(3, 4));
    for activation in [Activation::Gelu, Activation::GeluTanh, Activation::Silu] {
        let epilogue = Epilogue { gradient: Some((activation, outputs.as_ref())), ..Epilogue::default() };
        let result = Exec::default().gemm_with(T::ONE, a.as_ref(), b.as_ref(), T::ZERO, c.as_mut(), epilogue);
        assert_eq!(result, Err(Error::NoGradientFromOutput { activation }));
    }
    assert!(c.as_slice().iter().all(|&x| x == T::ONE));
}
