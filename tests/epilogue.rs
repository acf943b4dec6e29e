//! The gradient epilogue: to the bit, the product and then the pass over it, on every path, layout and number of threads.

#[macro_use]
mod common;

use common::gemm::Case;
use common::strided::{Layout, Strided};
use common::{Float, Rng, assert_mentions, execs};
use roofline::{Activation, Epilogue, Error, Exec, Mat};

both_types!(the_gradient_is_the_product_and_then_the_pass, outputs_of_another_shape_are_refused);

const ACTIVATIONS: [Activation; 4] = [Activation::Identity, Activation::Relu, Activation::Sigmoid, Activation::Tanh];

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
            for activation in ACTIVATIONS {
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
