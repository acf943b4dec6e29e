//! Operands that are packed ahead: within the bound, and the same bits for every layout, instruction set and thread count.

use crate::common::gemm::Case;
use crate::common::strided::Layout;
use crate::common::{Float, Rng, assert_mentions, assert_same_bits, execs, sequential_execs};
use roofline::{Activation, Epilogue, Error, Exec, Isa, Mat, MatMut, MatRef, PackedB};

both_types!(
    every_layout_and_batch,
    one_pack_serves_both_ways_through_a_layer,
    shapes_of_other_paths,
    wrong_operands_are_refused
);

fn every_layout_and_batch<T: Float>() {
    let mut rng = Rng::new(41);
    for (m, n, k) in [(1, 37, 29), (5, 10, 128), (64, 200, 31), (9, 209, 1100), (150, 260, 500), (3, 4, 0), (0, 4, 4)] {
        for (b, c) in [(Layout::ROWS, Layout::ROWS), (Layout::COLS, Layout::COLS), (Layout::ALL[8], Layout::ALL[9])] {
            let case = Case::<T>::new((m, n, k), [Layout::ROWS, b, c], &mut rng).scaled(0.5, -1.0, &mut rng);
            let case = case.finished(Activation::Tanh, &mut rng);
            let mut results = Vec::new();
            for exec in execs() {
                let packed = PackedB::new(&exec, case.b.view());
                let mut result = case.c.clone();
                let (bias, activation) = (case.bias.as_deref(), case.activation);
                let epilogue = Epilogue { bias, activation, ..Epilogue::default() };
                let call =
                    || exec.gemm_packed(case.alpha, case.a.view(), &packed, case.beta, result.view_mut(), epilogue);
                exec.region(call).unwrap();
                if exec.threads() == 1 {
                    case.check(exec, &result);
                }
                results.push((exec, result.to_vec()));
            }
            assert_same_bits("a packed operand", &results);
        }
    }
}

/// X·W and dZ·Wᵀ with one W, before and after it changed.
fn one_pack_serves_both_ways_through_a_layer<T: Float>() {
    let mut rng = Rng::new(42);
    let exec = Exec::default();
    let mut weights = |inputs, outputs| Mat::<T>::from_fn(inputs, outputs, |_, _| rng.value());
    let (first, second) = (weights(70, 90), weights(70, 90));
    let (mut forward, mut backward) = (PackedB::new(&exec, first.as_ref()), PackedB::new(&exec, first.as_ref().t()));
    for w in [&first, &second] {
        forward.repack(&exec, w.as_ref()).unwrap();
        backward.repack(&exec, w.as_ref().t()).unwrap();
        for (packed, view) in [(&forward, w.as_ref()), (&backward, w.as_ref().t())] {
            let a = Mat::<T>::from_fn(33, view.rows(), |i, j| T::from_f64((i * 3 + j) as f64 / 64.0));
            let (mut found, mut expected) = (Mat::<T>::zeros(33, view.cols()), Mat::<T>::zeros(33, view.cols()));
            exec.gemm_packed(T::ONE, a.as_ref(), packed, T::ZERO, found.as_mut(), Epilogue::default()).unwrap();
            let tiled = PackedB::new(&Exec::sequential(), view);
            Exec::sequential()
                .gemm_packed(T::ONE, a.as_ref(), &tiled, T::ZERO, expected.as_mut(), Epilogue::default())
                .unwrap();
            assert!(found.as_slice() == expected.as_slice());
        }
    }
}

/// Few steps of k, and a B that no cache holds: products that go other ways where nothing is packed.
fn shapes_of_other_paths<T: Float>() {
    let mut rng = Rng::new(43);
    let large = if T::LANES == 16 { 2100 } else { 1500 };
    for (m, n, k) in [(9, 64, 1), (9, 100, 2), (9, 131, 3), (9, 256, 4), (9, 70, 5), (2, large, large)] {
        let case = Case::<T>::new((m, n, k), [Layout::ROWS; 3], &mut rng);
        for exec in sequential_execs() {
            let (packed, mut result) = (PackedB::new(&exec, case.b.view()), case.c.clone());
            let epilogue = Epilogue::default();
            exec.gemm_packed(T::ONE, case.a.view(), &packed, T::ZERO, result.view_mut(), epilogue).unwrap();
            case.check(exec, &result);
        }
    }
}

fn wrong_operands_are_refused<T: Float>() {
    let exec = Exec::sequential();
    let mat = |rows, cols| Mat::<T>::from_fn(rows, cols, |_, _| T::ONE);
    let mut packed = PackedB::new(&exec, mat(5, 4).as_ref());
    assert_eq!((packed.rows(), packed.cols()), (5, 4));
    let mut c = mat(3, 4);
    let multiply = |exec: &Exec, a: Mat<T>, c: &mut Mat<T>| {
        exec.gemm_packed(T::ONE, a.as_ref(), &packed, T::ZERO, c.as_mut(), Epilogue::default()).unwrap_err()
    };
    assert_mentions(&multiply(&exec, mat(3, 6), &mut c), &["gemm: B", "6×4", "5×4"]);
    for isa in Isa::available().filter(|&isa| isa != exec.isa()) {
        let error = multiply(&exec.with_isa(isa).unwrap(), mat(3, 5), &mut c);
        assert!(matches!(error, Error::PackedFor { .. }), "{error}");
        assert_mentions(&error, &[exec.isa().name(), isa.name()]);
    }
    assert!(c.as_slice().iter().all(|&x| x == T::ONE), "refused calls leave C alone");
    assert_mentions(&packed.repack(&exec, mat(4, 5).as_ref()).unwrap_err(), &["repack", "5×4", "4×5"]);
}

/// Without rows there may be any number of columns.
#[test]
fn nothing_of_any_width_is_packed() {
    let exec = Exec::sequential();
    let b = MatRef::<f32>::from_slice_with_strides(&[], 0, usize::MAX, 1, 1).unwrap();
    let packed = PackedB::new(&exec, b);
    assert_eq!((packed.rows(), packed.cols()), (0, usize::MAX));
    let a = MatRef::<f32>::from_slice(&[], 0, 0).unwrap();
    let c = MatMut::from_slice_with_strides(&mut [], 0, usize::MAX, 1, 1).unwrap();
    exec.gemm_packed(1.0, a, &packed, 0.0, c, Epilogue::default()).unwrap();
}
