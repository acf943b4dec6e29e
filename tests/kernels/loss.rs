//! Binary cross-entropy of sigmoid outputs and the squared error against f64.

use crate::common::loss::{losses, oracle};
use crate::common::{Float, Rng, THREADS, assert_mentions, exact_sum, fma_execs, promised_bits, sequential_execs};
use roofline::{Error, Exec, Mat, MatMut, MatRef};

both_types!(
    costs_and_gradients_match_the_oracle,
    logits_of_any_size_have_the_cost_of_the_formula,
    strides_do_not_matter,
    same_bits_on_any_threads_and_instruction_set,
);

/// Logits, and values of which some are 0 and some are 1.
fn problem<T: Float>(m: usize, n: usize) -> (Mat<T>, Mat<T>) {
    let mut rng = Rng::new(71);
    let z = Mat::from_fn(m, n, |_, _| T::from_f64(6.0 * rng.value::<f64>()));
    let y = Mat::from_fn(m, n, |_, _| T::from_f64((rng.value::<f64>() + 0.5).clamp(0.0, 1.0)));
    (z, y)
}

fn costs_and_gradients_match_the_oracle<T: Float>() {
    for exec in sequential_execs() {
        for (m, n) in [(1, 1), (9, 1), (3, 17), (64, 10), (7, 1500)] {
            let (z, y) = problem::<T>(m, n);
            for (name, loss) in losses() {
                let mut dz = Mat::zeros(m, n);
                let found = loss(&exec, z.as_ref(), y.as_ref(), dz.as_mut()).unwrap();
                let each: Vec<_> =
                    (0..m * n).map(|at| oracle(name, z.as_slice()[at].to_f64(), y.as_slice()[at].to_f64())).collect();
                let expected = exact_sum(&each.iter().map(|each| each.0).collect::<Vec<_>>()) / m as f64;
                let u = T::UNIT_ROUNDOFF;
                assert!(
                    (found - expected).abs() <= 40.0 * u * expected,
                    "{name} {exec:?} {m}×{n}: {found}, {expected}"
                );
                for (at, &(_, slope)) in each.iter().enumerate() {
                    let (found, slope) = (dz.as_slice()[at].to_f64(), slope / m as f64);
                    // σ and the logits are of the order of 1 and 6.
                    assert!((found - slope).abs() <= 16.0 * u / m as f64, "{name} {exec:?}: {found} not {slope}");
                }
            }
        }
    }
}

/// Neither σ nor a logarithm overflows or vanishes, and the cost of a right answer keeps its digits.
fn logits_of_any_size_have_the_cost_of_the_formula<T: Float>() {
    let greatest = T::from_f64(if T::LANES == 16 { 3e38 } else { 1e308 });
    for exec in sequential_execs() {
        let cost = |z: T, y: f64| {
            let (z, y) = (Mat::from_fn(1, 1, |_, _| z), Mat::from_fn(1, 1, |_, _| T::from_f64(y)));
            let mut dz = Mat::zeros(1, 1);
            let cost = exec.sigmoid_cross_entropy(z.as_ref(), y.as_ref(), dz.as_mut()).unwrap();
            (cost, dz.as_slice()[0].to_f64())
        };
        assert_eq!(cost(greatest, 1.0), (0.0, 0.0));
        assert_eq!(cost(greatest, 0.0), (greatest.to_f64(), 1.0));
        assert_eq!(cost(-greatest, 1.0), (greatest.to_f64(), -1.0));
        assert_eq!(cost(-greatest, 0.0), (0.0, 0.0));
        for z in [20.0, 60.0] {
            let (found, expected) = (cost(T::from_f64(z), 1.0).0, (-z).exp());
            assert!((found / expected - 1.0).abs() < 8.0 * T::UNIT_ROUNDOFF + expected, "{z}: {found} not {expected}");
        }
        assert!(cost(T::NAN, 1.0).0.is_nan());
    }
}

/// The same bits for operands by columns, and in wider rows: they are copied, and the gradient back.
fn strides_do_not_matter<T: Float>() {
    let (m, n) = (7, 11);
    let (z, y) = problem::<T>(m, n);
    let transposed = |x: &Mat<T>| Mat::from_fn(n, m, |j, i| x.as_ref().get(i, j).unwrap());
    let (z_t, y_t) = (transposed(&z), transposed(&y));
    let wide: Vec<T> =
        (0..m * 20).map(|at| if at % 20 < n { y.as_slice()[at / 20 * n + at % 20] } else { T::CANARY }).collect();
    let wide = MatRef::from_slice_with_strides(&wide, m, n, 20, 1).unwrap();
    for exec in sequential_execs() {
        for (name, loss) in losses() {
            let mut dz = Mat::zeros(m, n);
            let expected = loss(&exec, z.as_ref(), y.as_ref(), dz.as_mut()).unwrap().to_bits();
            let (mut apart, mut rows) = (Mat::zeros(n, m), vec![T::CANARY; m * 20]);
            let found = loss(&exec, z_t.as_ref().t(), y_t.as_ref().t(), apart.as_mut().t()).unwrap();
            assert_eq!((found.to_bits(), transposed_back(&apart)), (expected, dz.as_slice().to_vec()), "{name}");
            let to = MatMut::from_slice_with_strides(&mut rows, m, n, 20, 1).unwrap();
            assert_eq!(loss(&exec, z.as_ref(), wide, to).unwrap().to_bits(), expected, "{name}");
            for (at, found) in rows.iter().enumerate() {
                let (i, j) = (at / 20, at % 20);
                let expected = if j < n { dz.as_slice()[i * n + j] } else { T::CANARY };
                assert_eq!(found.bits(), expected.bits(), "{name}: element ({i}, {j})");
            }
        }
    }
}

fn transposed_back<T: Float>(x: &Mat<T>) -> Vec<T> {
    let (n, m) = (x.rows(), x.cols());
    (0..m * n).map(|at| x.as_ref().get(at % n, at / n).unwrap()).collect()
}

fn same_bits_on_any_threads_and_instruction_set<T: Float>() {
    for (m, n) in [(300_003, 1), (301, 1000)] {
        let (z, y) = problem::<T>(m, n);
        for (name, loss) in losses() {
            let mut first: Option<(u64, Vec<u64>)> = None;
            for exec in fma_execs() {
                for threads in THREADS {
                    let (exec, mut dz) = (exec.with_threads(threads).unwrap(), Mat::zeros(m, n));
                    let found = loss(&exec, z.as_ref(), y.as_ref(), dz.as_mut()).unwrap().to_bits();
                    let bits: Vec<u64> = dz.as_slice().iter().map(|&dz| promised_bits(dz)).collect();
                    let (expected, gradient) = first.get_or_insert_with(|| (found, bits.clone()));
                    assert!(*expected == found && *gradient == bits, "{name} {exec:?} {m}×{n}");
                }
            }
        }
    }
}

#[test]
fn bad_input_is_refused_and_nothing_written() {
    let exec = Exec::sequential();
    let (z, wide) = (Mat::<f32>::zeros(2, 3), Mat::<f32>::zeros(2, 4));
    for (name, loss) in losses() {
        let mut dz = Mat::from_fn(2, 3, |_, _| 7.0);
        let error = loss(&exec, z.as_ref(), wide.as_ref(), dz.as_mut()).unwrap_err();
        assert_mentions(&error, &[name, "y: expected 2×3, found 2×4"]);
        let error = loss(&exec, wide.as_ref(), wide.as_ref(), dz.as_mut()).unwrap_err();
        assert_mentions(&error, &[name, "dz: expected 2×4, found 2×3"]);
        assert_eq!(dz.as_slice(), [7.0; 6]);
        for (m, n) in [(0, 3), (3, 0)] {
            let empty = Mat::<f32>::zeros(m, n);
            let error = loss(&exec, empty.as_ref(), empty.as_ref(), Mat::zeros(m, n).as_mut()).unwrap_err();
            assert!(matches!(error, Error::Shape { found, .. } if found == (m, n)), "{error}");
        }
    }
    let mut dz = Mat::from_fn(2, 3, |_, _| 7.0);
    for bad in [-0.25, 1.5, f32::NAN] {
        let y = Mat::from_fn(2, 3, |i, j| if (i, j) == (1, 2) { bad } else { 0.5 });
        let error = exec.sigmoid_cross_entropy(z.as_ref(), y.as_ref(), dz.as_mut()).unwrap_err();
        assert_mentions(&error, &["sigmoid_cross_entropy: y", &bad.to_string(), "in [0, 1]"]);
    }
    assert_eq!(dz.as_slice(), [7.0; 6]);
}
