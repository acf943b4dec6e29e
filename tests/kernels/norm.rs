//! Batch norm, layer norm and normalised inputs against f64, and their gradients against differences.

use crate::common::norm::{Case, EPSILON, Norm, Results};
use crate::common::strided::{Layout, Strided};
use crate::common::{Float, Rng, THREADS, assert_mentions, assert_same_bits, fma_execs, sequential_execs};
use roofline::{Affine, AffineGradient, Exec, Mat, MatMut, MatRef, RunningStatistics, Statistics};

both_types!(
    batch_norm_matches_the_oracle,
    layer_norm_matches_the_oracle,
    strides_do_not_matter,
    same_bits_on_any_threads_and_instruction_set,
    inputs_become_standard_and_constant_columns_zero,
    nan_stays_in_its_column_or_row,
    running_statistics_are_bias_corrected,
    wrong_arguments_are_named,
);

const SHAPES: [(usize, usize); 14] = [
    (1, 1),
    (2, 1),
    (1, 7),
    (3, 5),
    (5, 16),
    (16, 10),
    (17, 33),
    (64, 15),
    (65, 17),
    (131, 40),
    (7, 300),
    (70, 520),
    (3, 5000),
    (900, 3),
];

/// Numbers around 0, and around 1000: Σ x²/n − μ² would have no digit in f32 there.
fn check_norm<T: Float>(norm: Norm) {
    let mut rng = Rng::new(91);
    for exec in sequential_execs() {
        for shape in SHAPES {
            for centre in [0.0, 1000.0] {
                let case = Case::<T>::new(norm, shape, centre, &mut rng);
                case.check(&exec, &case.run(&exec));
            }
        }
    }
}

fn batch_norm_matches_the_oracle<T: Float>() {
    check_norm::<T>(Norm::Batch);
    // With the statistics of the batch, inference gives what training gave.
    let case = Case::<T>::new(Norm::Batch, (35, 20), 2.0, &mut Rng::new(92));
    for exec in sequential_execs() {
        let mut y = Mat::zeros(35, 20);
        let expected = case.run(&exec);
        exec.batch_norm_inference(case.x.as_ref(), case.affine(), &expected.statistics, y.as_mut()).unwrap();
        assert_eq!(y.as_slice(), expected.y);
    }
}

fn layer_norm_matches_the_oracle<T: Float>() {
    check_norm::<T>(Norm::Layer);
}

/// d/dx Σ y ⊙ dy by central differences in f64, of γ and β too: the formulas of the oracle are not taken on trust.
#[test]
fn gradients_match_differences() {
    let (shape, step) = ((6, 5), 1e-5);
    for norm in [Norm::Batch, Norm::Layer] {
        for exec in sequential_execs() {
            let mut case = Case::<f64>::new(norm, shape, 0.3, &mut Rng::new(93));
            let found = case.run(&exec);
            let loss = |case: &Case<f64>| -> f64 {
                let y = case.run(&exec).y;
                y.iter().zip(case.dy.as_slice()).map(|(y, dy)| y * dy).sum()
            };
            type Parameter = fn(&mut Case<f64>) -> &mut [f64];
            let parameters: [(&str, Parameter, &[f64]); 3] = [
                ("x", |case| case.x.as_mut_slice(), &found.dx),
                ("gamma", |case| &mut case.gamma, &found.dgamma),
                ("beta", |case| &mut case.beta, &found.dbeta),
            ];
            for (name, parameter, gradient) in parameters {
                for (at, gradient) in gradient.iter().enumerate() {
                    let value = parameter(&mut case)[at];
                    let mut cost = |value: f64| {
                        parameter(&mut case)[at] = value;
                        loss(&case)
                    };
                    let difference = (cost(value + step) - cost(value - step)) / (2.0 * step);
                    cost(value);
                    assert!((difference - gradient).abs() < 1e-8, "{norm:?} {name} {at}: {gradient} not {difference}");
                }
            }
        }
    }
}

fn strides_do_not_matter<T: Float>() {
    for norm in [Norm::Batch, Norm::Layer] {
        let case = Case::<T>::new(norm, (21, 18), 0.0, &mut Rng::new(94));
        for exec in sequential_execs() {
            let expected = case.run(&exec);
            for layout in Layout::ALL {
                let copy = |of: &Mat<T>| Strided::new(layout, 21, 18, |i, j| of.as_slice()[i * 18 + j]);
                let (x, dy, zeros) = (copy(&case.x), copy(&case.dy), Mat::zeros(21, 18));
                let (mut y, mut dx) = (copy(&zeros), copy(&zeros));
                let found = case.run_on(&exec, (x.view(), dy.view()), y.view_mut(), dx.view_mut());
                assert_eq!((&found.statistics, y.to_vec()), (&expected.statistics, expected.y.clone()), "{layout:?}");
                assert_eq!((dx.to_vec(), &found.dgamma), (expected.dx.clone(), &expected.dgamma), "{layout:?}");
                assert_eq!(found.dbeta, expected.dbeta, "{layout:?}");
                assert!(y.gaps_untouched() && dx.gaps_untouched());
                let mut in_place = copy(&case.x);
                exec.standardize_inplace(&Statistics::new(18), in_place.view_mut()).unwrap();
                assert_eq!(in_place.to_vec(), x.to_vec(), "mean 0 and deviation 1 change nothing");
                assert!(in_place.gaps_untouched());
            }
        }
    }
}

fn same_bits_on_any_threads_and_instruction_set<T: Float>() {
    for norm in [Norm::Batch, Norm::Layer] {
        for shape in [(3, 7), (1030, 130), (40, 4100)] {
            let case = Case::<T>::new(norm, shape, 0.5, &mut Rng::new(95));
            let threads = |exec: Exec| THREADS.into_iter().filter_map(move |threads| exec.with_threads(threads).ok());
            let results: Vec<_> = (fma_execs().into_iter().flat_map(threads))
                .map(|exec| {
                    let Results { statistics, y, dx, dgamma, dbeta } = case.run(&exec);
                    (exec, [statistics.mean, statistics.variance, y, dx, dgamma, dbeta].concat())
                })
                .collect();
            assert_same_bits(&format!("{norm:?} {shape:?}"), &results);
        }
    }
}

fn inputs_become_standard_and_constant_columns_zero<T: Float>() {
    let mut rng = Rng::new(96);
    for exec in sequential_execs() {
        let (m, n) = (500, 21);
        let constant = |j: usize| j % 4 == 1;
        let value = |j: usize, x: f64| if constant(j) { 0.1 } else { 50.0 + 3.0 * x };
        let train = Mat::from_fn(m, n, |_, j| T::from_f64(value(j, rng.value())));
        let test = Mat::from_fn(9, n, |_, j| T::from_f64(value(j, rng.value())));
        let statistics = exec.statistics(train.as_ref()).unwrap();
        let mut standard = Mat::zeros(m, n);
        exec.standardize(&statistics, train.as_ref(), standard.as_mut()).unwrap();
        let after = exec.statistics(standard.as_ref()).unwrap();
        for j in 0..n {
            let expected: f64 = if constant(j) { 0.0 } else { 1.0 };
            assert!((after.variance[j].to_f64() - expected).abs() < 40.0 * T::UNIT_ROUNDOFF, "{j}: {after:?}");
            assert!(after.mean[j].to_f64().abs() < 60.0 * T::UNIT_ROUNDOFF, "{j}: {after:?}");
        }
        let mut applied = test.clone();
        exec.standardize_inplace(&statistics, applied.as_mut()).unwrap();
        for i in 0..9 {
            for j in 0..n {
                let (mean, deviation) = (statistics.mean[j].to_f64(), statistics.variance[j].to_f64().sqrt());
                let x = test.as_slice()[i * n + j].to_f64();
                let expected: f64 = if constant(j) { 0.0 } else { (x - mean) / deviation };
                let error: f64 = (applied.as_slice()[i * n + j].to_f64() - expected).abs();
                assert!(error <= 4.0 * T::UNIT_ROUNDOFF * expected.abs(), "{i} {j}: {error:e}");
            }
        }
    }
}

fn nan_stays_in_its_column_or_row<T: Float>() {
    for norm in [Norm::Batch, Norm::Layer] {
        for exec in sequential_execs() {
            let mut case = Case::<T>::new(norm, (20, 19), 0.0, &mut Rng::new(97));
            case.x.as_mut_slice()[3 * 19 + 4] = T::NAN;
            let found = case.run(&exec);
            for i in 0..20 {
                for j in 0..19 {
                    let expected = if norm == Norm::Batch { j == 4 } else { i == 3 };
                    assert_eq!(found.y[i * 19 + j].to_f64().is_nan(), expected, "{exec:?} {norm:?} y {i} {j}");
                    assert_eq!(found.dx[i * 19 + j].to_f64().is_nan(), expected, "{exec:?} {norm:?} dx {i} {j}");
                }
            }
        }
    }
}

/// The notes' v̂ₜ = vₜ/(1 − βᵗ): after one batch it is that batch, and the average of equal batches is each of them.
fn running_statistics_are_bias_corrected<T: Float>() {
    let batch = |mean: f64, variance: f64| Statistics {
        mean: vec![T::from_f64(mean); 3],
        variance: vec![T::from_f64(variance); 3],
    };
    let close = |found: T, expected: f64| (found.to_f64() - expected).abs() <= 8.0 * T::UNIT_ROUNDOFF * expected.abs();
    let mut running = RunningStatistics::<T>::new(3, 0.9).unwrap();
    assert_mentions(&running.statistics().unwrap_err(), &["batches needs 1"]);
    // The variance of the population is estimated with n − 1.
    running.update(&batch(4.0, 6.0), 4).unwrap();
    let first = running.statistics().unwrap();
    assert!(close(first.mean[2], 4.0) && close(first.variance[2], 8.0), "{first:?}");
    running.update(&batch(1.0, 3.0), 4).unwrap();
    let second = running.statistics().unwrap();
    // v = 0.09·4 + 0.1·1 over 1 − 0.81.
    assert!(close(second.mean[0], 0.46 / 0.19) && close(second.variance[0], (0.09 * 8.0 + 0.1 * 4.0) / 0.19));
    let mut constant = RunningStatistics::<T>::new(3, 0.99).unwrap();
    (0..1000).for_each(|_| constant.update(&batch(0.5, 2.0), 2).unwrap());
    assert!((constant.statistics().unwrap().mean[0].to_f64() - 0.5).abs() < 200.0 * T::UNIT_ROUNDOFF);

    let before = running.clone();
    assert_mentions(&running.update(&batch(1.0, 1.0), 1).unwrap_err(), &["needs 2", "has 1"]);
    assert_mentions(&running.update(&Statistics::new(4), 8).unwrap_err(), &["4", "3"]);
    assert_eq!(running, before, "nothing is half-taken");
    for beta in [1.0, -0.1, f64::NAN] {
        assert_mentions(&RunningStatistics::<T>::new(1, beta).unwrap_err(), &["beta", "[0, 1)"]);
    }
}

fn wrong_arguments_are_named<T: Float>() {
    let exec = Exec::sequential();
    let (x, mut y, v) = (Mat::<T>::zeros(4, 3), Mat::<T>::zeros(4, 3), [T::ONE; 4]);
    let affine = Affine { gamma: &v[..3], beta: &v[..3], epsilon: EPSILON };
    let (mut of_columns, mut of_rows) = (Statistics::<T>::new(3), Statistics::<T>::new(4));
    let short = Affine { beta: &v, ..affine };
    let error = exec.batch_norm(x.as_ref(), short, &mut of_columns, y.as_mut()).unwrap_err();
    assert_mentions(&error, &["beta", "3", "4"]);
    for epsilon in [-1.0, f64::NAN, f64::INFINITY] {
        let affine = Affine { epsilon, ..affine };
        let error = exec.layer_norm(x.as_ref(), affine, &mut of_rows, y.as_mut()).unwrap_err();
        assert_mentions(&error, &["epsilon", "[0, inf)"]);
    }
    let error = exec.batch_norm(x.as_ref(), affine, &mut of_rows, y.as_mut()).unwrap_err();
    assert_mentions(&error, &["one a column", "3", "4"]);
    let error = exec.layer_norm(x.as_ref(), affine, &mut of_columns, y.as_mut()).unwrap_err();
    assert_mentions(&error, &["one a row", "3", "4"]);
    let error = exec.batch_norm(x.as_ref(), affine, &mut of_columns, Mat::zeros(3, 3).as_mut()).unwrap_err();
    assert_mentions(&error, &["normalisation: y", "4×3", "3×3"]);
    let error = exec.standardize(&of_columns, x.as_ref(), Mat::zeros(4, 2).as_mut()).unwrap_err();
    assert_mentions(&error, &["4×3", "4×2"]);
    assert_mentions(&exec.standardize_inplace(&of_rows, y.as_mut()).unwrap_err(), &["one a column", "3", "4"]);
    let dy = Mat::<T>::zeros(4, 2);
    let (mut dgamma, mut dbeta) = ([T::ZERO; 3], [T::ZERO; 2]);
    let gradient = AffineGradient { gamma: &mut dgamma, beta: &mut dbeta };
    let pair = (x.as_ref(), dy.as_ref());
    let error = exec.batch_norm_grad(pair, affine, &of_columns, y.as_mut(), gradient).unwrap_err();
    assert_mentions(&error, &["dy", "4×3", "4×2"]);
    let gradient = AffineGradient { gamma: &mut dgamma, beta: &mut dbeta };
    let pair = (x.as_ref(), x.as_ref());
    let error = exec.layer_norm_grad(pair, affine, &of_rows, y.as_mut(), gradient).unwrap_err();
    assert_mentions(&error, &["dbeta", "3", "2"]);

    let none = Mat::<T>::zeros(0, 3);
    assert_mentions(&exec.statistics(none.as_ref()).unwrap_err(), &["needs 1", "has 0"]);
    let error = exec.batch_norm(none.as_ref(), affine, &mut of_columns, Mat::zeros(0, 3).as_mut()).unwrap_err();
    assert_mentions(&error, &["needs 1", "has 0"]);
    // Nothing in, nothing out.
    exec.batch_norm_inference(none.as_ref(), affine, &of_columns, Mat::zeros(0, 3).as_mut()).unwrap();
    exec.layer_norm(none.as_ref(), affine, &mut Statistics::new(0), Mat::zeros(0, 3).as_mut()).unwrap();
    let (empty, mut to) = (Mat::<T>::zeros(4, 0), Mat::zeros(4, 0));
    let affine = Affine { gamma: &[], beta: &[], epsilon: 0.0 };
    let error = exec.layer_norm(empty.as_ref(), affine, &mut of_rows, to.as_mut()).unwrap_err();
    assert_mentions(&error, &["needs 1", "has 0"]);
    exec.batch_norm(empty.as_ref(), affine, &mut Statistics::new(0), to.as_mut()).unwrap();
}

/// Without columns there may be any number of rows, which are not walked.
#[test]
fn no_columns_of_any_height_are_nothing_to_do() {
    let exec = Exec::default();
    let none = || MatMut::<f64>::from_slice_with_strides(&mut [], usize::MAX, 0, isize::MIN, 1).unwrap();
    let x = MatRef::<f64>::from_slice_with_strides(&[], usize::MAX, 0, isize::MIN, 1).unwrap();
    let (affine, mut statistics) = (Affine { gamma: &[], beta: &[], epsilon: EPSILON }, Statistics::new(0));
    exec.batch_norm(x, affine, &mut statistics, none()).unwrap();
    exec.batch_norm_inference(x, affine, &statistics, none()).unwrap();
    exec.standardize_inplace(&statistics, none()).unwrap();
    let gradient = AffineGradient { gamma: &mut [], beta: &mut [] };
    exec.batch_norm_grad((x, x), affine, &statistics, none(), gradient).unwrap();
}

/// Fields that anybody can set: counters at their end, averages that do not go together.
#[test]
fn running_statistics_of_any_fields_are_used_or_refused() {
    let batch = Statistics { mean: vec![1.0_f64; 2], variance: vec![2.0; 2] };
    let mut running = RunningStatistics { mean: vec![1.0; 2], variance: vec![4.0; 2], beta: 0.5, steps: u64::MAX };
    running.update(&batch, 2).unwrap();
    assert_eq!((running.steps, running.statistics().unwrap().variance), (u64::MAX, vec![4.0; 2]));
    running.variance.pop();
    assert_mentions(&running.statistics().unwrap_err(), &["variance", "expected 2", "found 1"]);
    running.beta = 1.0;
    running.variance.push(1.0);
    assert_mentions(&running.statistics().unwrap_err(), &["beta is 1"]);
}
