//! Softmax with cross-entropy: loss and gradient against f64, for every kind of target.

use crate::common::softmax::{cross_entropy, weights};
use crate::common::{Float, Rng, THREADS, assert_mentions, fma_execs, promised_bits, sequential_execs};
use roofline::{Error, Exec, Mat, MatRef, Targets};

both_types!(
    loss_and_gradient_match_the_oracle,
    one_hot_targets_have_the_bits_of_labels,
    strides_and_places_do_not_matter,
    impossible_classes_count_only_with_weight,
    same_bits_on_any_threads_and_instruction_set,
);

/// Every kind of target for m rows of n classes.
fn kinds<'a, T: Float>(labels: &'a [usize], soft: MatRef<'a, T>) -> [Targets<'a, T>; 5] {
    [
        Targets::Labels(labels),
        Targets::Smoothed { labels, smoothing: 0.1 },
        Targets::Smoothed { labels, smoothing: 0.0 },
        Targets::Smoothed { labels, smoothing: 1.0 },
        Targets::Probabilities(soft),
    ]
}

fn problem<T: Float>(m: usize, n: usize) -> (Vec<T>, Vec<usize>, Mat<T>) {
    let mut rng = Rng::new(42);
    let z = (0..m * n).map(|_| T::from_f64(6.0 * rng.value::<f64>())).collect();
    let labels = (0..m).map(|i| (5 * i + n - 1) % n).collect();
    let soft = Mat::from_fn(m, n, |_, _| T::from_f64(rng.value::<f64>().abs() / n as f64));
    (z, labels, soft)
}

fn loss_and_gradient_match_the_oracle<T: Float>() {
    for exec in sequential_execs() {
        for (m, n) in [(9, 13), (1, 1), (65, 2), (3, 16), (20, 17), (150, 10), (6, 130), (2, 5000), (2, 20_001)] {
            let (z, labels, soft) = problem::<T>(m, n);
            for targets in kinds(&labels, soft.as_ref()) {
                let (expected, gradient) = cross_entropy(&z, &weights(targets, m, n), n);
                let mut dz = Mat::zeros(m, n);
                let view = MatRef::from_slice(&z, m, n).unwrap();
                let loss = exec.softmax_cross_entropy_with(view, targets, dz.as_mut()).unwrap();
                let epsilon = 2.0 * T::UNIT_ROUNDOFF;
                assert!(
                    (loss - expected).abs() <= 20.0 * epsilon * expected.max(1.0),
                    "{exec:?} {m}×{n}: {loss} not {expected}"
                );
                for (found, exact) in dz.as_slice().iter().zip(&gradient) {
                    let error = (found.to_f64() - exact).abs();
                    assert!(error <= 30.0 * epsilon / m as f64, "{exec:?} {m}×{n}: {found} not {exact}");
                }
            }
        }
    }
}

#[test]
fn the_gradient_is_the_slope_of_the_loss() {
    let (m, n, step) = (9, 13, 1e-6);
    let (mut z, labels, soft) = problem::<f64>(m, n);
    for exec in sequential_execs() {
        for targets in kinds(&labels, soft.as_ref()) {
            let loss = |z: &[f64]| {
                let mut dz = Mat::zeros(m, n);
                let z = MatRef::from_slice(z, m, n).unwrap();
                (exec.softmax_cross_entropy_with(z, targets, dz.as_mut()).unwrap(), dz)
            };
            let (_, dz) = loss(&z);
            for at in 0..m * n {
                let old = z[at];
                z[at] = old + step;
                let above = loss(&z).0;
                z[at] = old - step;
                let below = loss(&z).0;
                z[at] = old;
                let slope = (above - below) / (2.0 * step);
                assert!((dz.as_slice()[at] - slope).abs() < 1e-9, "{exec:?}: {} not {slope}", dz.as_slice()[at]);
            }
        }
    }
}

fn one_hot_targets_have_the_bits_of_labels<T: Float>() {
    for exec in sequential_execs() {
        for (m, n) in [(70, 10), (5, 200), (2, 20_000)] {
            let (z, labels, _) = problem::<T>(m, n);
            let one_hot = Mat::from_fn(m, n, |i, j| if labels[i] == j { T::ONE } else { T::ZERO });
            let (z, mut a, mut b) = (MatRef::from_slice(&z, m, n).unwrap(), Mat::zeros(m, n), Mat::zeros(m, n));
            let one = exec.softmax_cross_entropy(z, &labels, a.as_mut()).unwrap();
            let two = exec.softmax_cross_entropy_with(z, Targets::Probabilities(one_hot.as_ref()), b.as_mut()).unwrap();
            assert_eq!((one.to_bits(), a.as_slice()), (two.to_bits(), b.as_slice()), "{exec:?} {m}×{n}");
        }
    }
}

/// Columns apart in any of the three, and the gradient in place of the logits.
fn strides_and_places_do_not_matter<T: Float>() {
    for exec in sequential_execs() {
        for (m, n) in [(7, 11), (2, 20_000)] {
            let (z, labels, soft) = problem::<T>(m, n);
            let z = Mat::from_fn(m, n, |i, j| z[i * n + j]);
            let transposed = |x: &Mat<T>| Mat::from_fn(n, m, |j, i| x.as_ref().get(i, j).unwrap());
            let (z_t, soft_t) = (transposed(&z), transposed(&soft));
            for (targets, apart) in kinds(&labels, soft.as_ref()).into_iter().zip(kinds(&labels, soft_t.as_ref().t())) {
                let mut dz = Mat::zeros(m, n);
                let loss = exec.softmax_cross_entropy_with(z.as_ref(), targets, dz.as_mut()).unwrap().to_bits();
                let (mut found, mut dz_t) = (Mat::zeros(m, n), Mat::zeros(n, m));
                let check = |name: &str, found_loss: f64, found: MatRef<'_, T>| {
                    let same = |at: usize| found.get(at / n, at % n) == Some(dz.as_slice()[at]);
                    assert!(found_loss.to_bits() == loss && (0..m * n).all(same), "{name} {exec:?} {m}×{n}");
                };
                let by_columns = exec.softmax_cross_entropy_with(z_t.as_ref().t(), apart, found.as_mut()).unwrap();
                check("logits by columns", by_columns, found.as_ref());
                let by_columns = exec.softmax_cross_entropy_with(z.as_ref(), apart, dz_t.as_mut().t()).unwrap();
                check("gradient by columns", by_columns, dz_t.as_ref().t());
                let mut in_place = z.clone();
                let loss_in_place = exec.softmax_cross_entropy_inplace(in_place.as_mut(), targets).unwrap();
                check("in place", loss_in_place, in_place.as_ref());
                let mut in_place = z_t.clone();
                let loss_in_place = exec.softmax_cross_entropy_inplace(in_place.as_mut().t(), apart).unwrap();
                check("in place by columns", loss_in_place, in_place.as_ref().t());
            }
        }
    }
}

fn impossible_classes_count_only_with_weight<T: Float>() {
    for exec in sequential_execs() {
        for n in [4, 40, 20_000] {
            let z = Mat::from_fn(1, n, |_, j| T::from_f64(if j == 1 { f64::NEG_INFINITY } else { 0.5 }));
            let mut dz = Mat::zeros(1, n);
            let mut loss = |targets| exec.softmax_cross_entropy_with(z.as_ref(), targets, dz.as_mut()).unwrap();
            let expected = (n as f64 - 1.0).ln();
            let sure = Mat::from_fn(1, n, |_, j| if j == 2 { T::ONE } else { T::ZERO });
            for targets in [Targets::Labels(&[2]), Targets::Probabilities(sure.as_ref())] {
                assert!((loss(targets) - expected).abs() <= 8.0 * T::UNIT_ROUNDOFF * expected);
            }
            assert_eq!(loss(Targets::Labels(&[1])), f64::INFINITY);
            assert_eq!(loss(Targets::Smoothed { labels: &[2], smoothing: 0.1 }), f64::INFINITY);
            assert!(dz.as_slice().iter().all(|dz| dz.to_f64().is_finite()));
        }
        // NaN, +∞ and −∞ alone: the loss is NaN, the gradients of other rows are not.
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let z = Mat::from_fn(3, 20, |i, j| T::from_f64(if i == 1 { bad } else { j as f64 }));
            let mut dz = Mat::zeros(3, 20);
            assert!(exec.softmax_cross_entropy(z.as_ref(), &[0, 1, 2], dz.as_mut()).unwrap().is_nan(), "{bad}");
            assert!((0..60).all(|at| dz.as_slice()[at].to_f64().is_nan() == (at / 20 == 1)), "{bad}");
        }
    }
}

fn same_bits_on_any_threads_and_instruction_set<T: Float>() {
    for (m, n) in [(40_003, 10), (301, 1000), (2, 200_003)] {
        let (z, labels, soft) = problem::<T>(m, n);
        for (kind, targets) in kinds(&labels, soft.as_ref()).into_iter().enumerate() {
            let mut first: Option<(u64, Vec<u64>)> = None;
            for exec in fma_execs() {
                for threads in THREADS {
                    let (exec, mut dz) = (exec.with_threads(threads).unwrap(), Mat::zeros(m, n));
                    let z = MatRef::from_slice(&z, m, n).unwrap();
                    let loss = exec.softmax_cross_entropy_with(z, targets, dz.as_mut()).unwrap().to_bits();
                    let bits: Vec<u64> = dz.as_slice().iter().map(|&dz| promised_bits(dz)).collect();
                    let (expected, gradient) = first.get_or_insert_with(|| (loss, bits.clone()));
                    assert!(*expected == loss && *gradient == bits, "{exec:?} {m}×{n}, target {kind}");
                }
            }
        }
    }
}

#[test]
fn bad_input_is_refused_and_nothing_written() {
    let exec = Exec::sequential();
    let z = Mat::<f32>::zeros(2, 3);
    let mut dz = Mat::from_fn(2, 3, |_, _| 7.0);
    let mut error = |z: &Mat<f32>, targets: Targets<'_, f32>| {
        exec.softmax_cross_entropy_with(z.as_ref(), targets, dz.as_mut()).unwrap_err()
    };
    use Targets::Labels;
    assert_mentions(&error(&z, Labels(&[0, 3])), &["label 3 of example 1 is not below the number of classes, 3"]);
    assert_mentions(&error(&z, Labels(&[0])), &["labels (one a row): expected 2 elements, found 1"]);
    let wide = Mat::<f32>::zeros(2, 4);
    assert_mentions(&error(&wide, Labels(&[0, 1])), &["softmax_cross_entropy: dz: expected 2×4, found 2×3"]);
    assert_mentions(&error(&z, Targets::Probabilities(wide.as_ref())), &["probabilities: expected 2×3, found 2×4"]);
    for smoothing in [-0.1, 1.5, f64::NAN] {
        let error = error(&z, Targets::Smoothed { labels: &[0, 1], smoothing });
        assert_mentions(&error, &[&format!("smoothing is {smoothing}, it must be in [0, 1]")]);
    }
    assert_eq!(dz.as_slice(), [7.0; 6]);
    for (m, n) in [(0, 3), (3, 0)] {
        let (empty, labels) = (Mat::<f32>::zeros(m, n), vec![0; m]);
        let error = exec.softmax_cross_entropy(empty.as_ref(), &labels, Mat::zeros(m, n).as_mut()).unwrap_err();
        assert!(matches!(error, Error::Shape { found, .. } if found == (m, n)), "{error}");
        let error = exec.softmax_cross_entropy_inplace(Mat::<f32>::zeros(m, n).as_mut(), Labels(&labels)).unwrap_err();
        assert!(matches!(error, Error::Shape { found, .. } if found == (m, n)), "{error}");
    }
}
