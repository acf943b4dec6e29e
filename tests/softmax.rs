//! Softmax, log-softmax and cross-entropy by rows, against f64.

mod common;

use common::{Rng, THREADS, fma_execs, sequential_execs};
use roofline::{Error, Exec, Mat, MatMut, MatRef};

/// e^(z − max) inherits the rounding of z − max: (3 + |z − max|)·ε, see the notes of the kernels' family.
const SOFTMAX_EPSILONS: f64 = 4.0;
const MAX_ROW_SUM_EPSILONS: f32 = 8.0;

fn oracle(z: &[f32]) -> (Vec<f64>, f64) {
    let max = z.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = z.iter().map(|&z| (f64::from(z) - f64::from(max)).exp()).sum();
    (z.iter().map(|&z| (f64::from(z) - f64::from(max)).exp() / sum).collect(), f64::from(max) + sum.ln())
}

#[test]
fn probabilities_and_their_logarithms_match_the_oracle() {
    let mut values = Rng::new(41);
    for exec in sequential_execs() {
        for cols in 1..=70 {
            for (scale, shift) in [(1.0, 0.0), (30.0, 0.0), (5.0, 1e4), (5.0, -1e4)] {
                let z: Vec<f32> = values.values::<f32>(3 * cols).iter().map(|z| scale * z + shift).collect();
                let z = MatRef::from_slice(&z, 3, cols).unwrap();
                let (mut y, mut log) = (Mat::zeros(3, cols), Mat::zeros(3, cols));
                exec.softmax(z, y.as_mut()).unwrap();
                exec.log_softmax(z, log.as_mut()).unwrap();
                for i in 0..3 {
                    let row: Vec<f32> = (0..cols).map(|j| z.get(i, j).unwrap()).collect();
                    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    let (expected, log_sum) = oracle(&row);
                    let mut sum = 0.0;
                    for j in 0..cols {
                        let (p, l) = (y.as_slice()[i * cols + j], log.as_slice()[i * cols + j]);
                        let distance = f64::from(max - row[j]);
                        let bound = (SOFTMAX_EPSILONS + distance) * f64::from(f32::EPSILON);
                        assert!(
                            (f64::from(p) / expected[j] - 1.0).abs() <= bound,
                            "{exec:?} {cols} columns: {p} not {}",
                            expected[j]
                        );
                        let exact = f64::from(row[j]) - log_sum;
                        assert!(
                            (f64::from(l) - exact).abs() <= bound * (1.0 + distance),
                            "{exec:?} log {l} not {exact}"
                        );
                        sum += p;
                    }
                    assert!((sum - 1.0).abs() <= MAX_ROW_SUM_EPSILONS * f32::EPSILON, "{exec:?} sum {sum}");
                }
            }
        }
    }
}

#[test]
fn the_example_of_the_course_notes() {
    let z = [5.0, 2.0, -1.0, 3.0];
    for exec in sequential_execs() {
        let mut y = [0.0_f64; 4];
        exec.softmax(MatRef::from_slice(&z, 1, 4).unwrap(), MatMut::from_slice(&mut y, 1, 4).unwrap()).unwrap();
        assert_eq!(y.map(|y| (y * 1000.0).round() / 1000.0), [0.842, 0.042, 0.002, 0.114]);
    }
}

#[test]
fn cross_entropy_is_the_mean_loss_and_its_slope() {
    let (m, classes, step) = (9, 13, 1e-6);
    let mut z: Vec<f64> = Rng::new(42).values(m * classes);
    let labels: Vec<usize> = (0..m).map(|i| (5 * i) % classes).collect();
    for exec in sequential_execs() {
        let loss = |z: &[f64]| {
            let mut dz = Mat::zeros(m, classes);
            let loss =
                exec.softmax_cross_entropy(MatRef::from_slice(z, m, classes).unwrap(), &labels, dz.as_mut()).unwrap();
            (loss, dz)
        };
        let (cost, dz) = loss(&z);
        let expected: f64 = (0..m)
            .map(|i| {
                let row = &z[i * classes..][..classes];
                row.iter().map(|z| z.exp()).sum::<f64>().ln() - row[labels[i]]
            })
            .sum();
        assert!((cost - expected / m as f64).abs() < 1e-14, "{exec:?}: {cost}");
        for at in 0..m * classes {
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

/// Columns apart, rows upside down, gaps: the same bits as the plain matrix, and nothing written between.
#[test]
fn strides_do_not_matter() {
    let (m, n) = (5, 11);
    let z: Vec<f32> = Rng::new(43).values(m * n);
    for exec in sequential_execs() {
        let mut plain = Mat::zeros(m, n);
        exec.softmax(MatRef::from_slice(&z, m, n).unwrap(), plain.as_mut()).unwrap();
        for (row, col) in [(13, 1), (-13, 1), (2 * 12, 2), (1, 6), (-1, -7)] {
            let mut y = vec![-1.0; 200];
            let view = MatMut::from_slice_with_strides(&mut y, m, n, row, col).unwrap();
            exec.softmax(MatRef::from_slice(&z, m, n).unwrap(), view).unwrap();
            let view = MatRef::from_slice_with_strides(&y, m, n, row, col).unwrap();
            for (at, &p) in plain.as_slice().iter().enumerate() {
                assert_eq!(view.get(at / n, at % n), Some(p), "{exec:?} strides ({row}, {col})");
            }
            assert_eq!(y.iter().filter(|&&y| y == -1.0).count(), 200 - m * n, "gaps stay as they were");
        }
    }
}

#[test]
fn nan_propagates_and_other_rows_do_not_see_it() {
    for exec in sequential_execs() {
        let z = Mat::from_fn(3, 20, |i, j| if (i, j) == (1, 17) { f32::NAN } else { j as f32 });
        let mut y = Mat::zeros(3, 20);
        exec.softmax(z.as_ref(), y.as_mut()).unwrap();
        assert!(y.as_slice()[20..40].iter().all(|y| y.is_nan()));
        assert!(y.as_slice()[..20].iter().chain(&y.as_slice()[40..]).all(|y| y.is_finite()));
        let mut dz = Mat::zeros(3, 20);
        assert!(exec.softmax_cross_entropy(z.as_ref(), &[0, 1, 2], dz.as_mut()).unwrap().is_nan());
    }
}

#[test]
fn same_bits_on_any_threads_and_instruction_set() {
    let (m, n) = (40_003, 10);
    let z: Vec<f32> = Rng::new(44).values(m * n);
    let labels: Vec<usize> = (0..m).map(|i| i % n).collect();
    let mut first: Option<(u64, Mat<f32>)> = None;
    for exec in fma_execs() {
        for threads in THREADS {
            let exec = exec.with_threads(threads).unwrap();
            let mut dz = Mat::zeros(m, n);
            let loss = exec.softmax_cross_entropy(MatRef::from_slice(&z, m, n).unwrap(), &labels, dz.as_mut()).unwrap();
            let (bits, gradient) = first.get_or_insert_with(|| (loss.to_bits(), dz.clone()));
            assert!(*bits == loss.to_bits() && gradient.as_slice() == dz.as_slice(), "{exec:?}");
        }
    }
}

#[test]
fn bad_input_is_refused_and_nothing_written() {
    let exec = Exec::sequential();
    let z = Mat::<f32>::zeros(2, 3);
    let mut dz = Mat::from_fn(2, 3, |_, _| 7.0);
    let mut message = |z: MatRef<'_, f32>, labels: &[usize]| {
        exec.softmax_cross_entropy(z, labels, dz.as_mut()).unwrap_err().to_string()
    };
    assert_eq!(message(z.as_ref(), &[0, 3]), "label 3 of example 1 is not below the number of classes, 3");
    assert_eq!(message(z.as_ref(), &[0]), "softmax_cross_entropy: labels (one a row): expected 2 elements, found 1");
    let wide = Mat::<f32>::zeros(2, 4);
    assert_eq!(message(wide.as_ref(), &[0, 1]), "softmax_cross_entropy: dz: expected 2×4, found 2×3");
    assert_eq!(dz.as_slice(), [7.0; 6]);
    let error =
        exec.softmax_cross_entropy(Mat::<f32>::zeros(0, 3).as_ref(), &[], Mat::zeros(0, 3).as_mut()).unwrap_err();
    assert!(matches!(error, Error::Shape { found: (0, 3), .. }), "{error}");
    exec.softmax(Mat::<f32>::zeros(0, 3).as_ref(), Mat::zeros(0, 3).as_mut()).unwrap();
}
