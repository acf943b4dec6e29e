//! Softmax, log-softmax, their gradients and logsumexp by rows, against f64.

use crate::common::softmax::{check, epsilon};
use crate::common::{Float, Rng, THREADS, assert_mentions, assert_same_bits, fma_execs, sequential_execs};
use roofline::{Error, Exec, Mat, MatMut, MatRef};

both_types!(
    probabilities_and_their_logarithms_match_the_oracle,
    long_rows_match_the_oracle,
    gradients_match_the_oracle,
    strides_do_not_matter,
    in_place_is_the_same,
    rows_do_not_depend_on_their_neighbours,
    infinities_and_nan_are_as_documented,
    same_bits_on_any_threads_and_instruction_set,
);

/// Logits from a scale and a shift.
fn logits<T: Float>(rng: &mut Rng, len: usize, scale: f64, shift: f64) -> Vec<T> {
    rng.values::<f64>(len).iter().map(|z| T::from_f64(scale * z + shift)).collect()
}

/// Widths around one vector, several, and those at which rows are taken together otherwise; full blocks of rows, and rests.
fn probabilities_and_their_logarithms_match_the_oracle<T: Float>() {
    let mut rng = Rng::new(41);
    for exec in sequential_execs() {
        for cols in (1..=70).chain([127, 128, 129, 300, 1000, 4097]) {
            for (m, scale, shift) in [(3, 1.0, 0.0), (17, 30.0, 0.0), (5, 5.0, 1e4), (1, 5.0, -1e4)] {
                check(&exec, &logits::<T>(&mut rng, m * cols, scale, shift), cols);
            }
        }
    }
}

/// Rows that are cut into chunks: whole ones, a rest, the greatest element in the first, the last or a middle one.
fn long_rows_match_the_oracle<T: Float>() {
    let mut rng = Rng::new(45);
    for exec in sequential_execs() {
        for cols in [8192, 16384, 20_000, 100_003] {
            for peak in [0, 9000, cols - 1] {
                let mut z = logits::<T>(&mut rng, 2 * cols, 8.0, 0.0);
                z[peak.min(cols - 1)] = T::from_f64(30.0);
                check(&exec, &z, cols);
            }
        }
    }
}

fn gradients_match_the_oracle<T: Float>() {
    let mut rng = Rng::new(46);
    for exec in sequential_execs() {
        for (m, cols) in [(1, 1), (3, 2), (17, 10), (5, 16), (4, 33), (2, 129), (3, 1000), (1, 20_000)] {
            let z = logits::<T>(&mut rng, m * cols, 4.0, 0.0);
            let dy: Vec<T> = rng.values(m * cols);
            let view = |x| MatRef::from_slice(x, m, cols).unwrap();
            let (mut y, mut log) = (Mat::zeros(m, cols), Mat::zeros(m, cols));
            let (mut dz, mut dz_log) = (Mat::zeros(m, cols), Mat::zeros(m, cols));
            exec.softmax(view(&z), y.as_mut()).unwrap();
            exec.log_softmax(view(&z), log.as_mut()).unwrap();
            exec.softmax_grad(y.as_ref(), view(&dy), dz.as_mut()).unwrap();
            exec.log_softmax_grad(log.as_ref(), view(&dy), dz_log.as_mut()).unwrap();
            for i in 0..m {
                let row = |x: &[T]| -> Vec<f64> { x[i * cols..][..cols].iter().map(|x| x.to_f64()).collect() };
                let (y, log, dy) = (row(y.as_slice()), row(log.as_slice()), row(&dy));
                let dot: f64 = y.iter().zip(&dy).map(|(y, dy)| y * dy).sum();
                let (sum, size): (f64, f64) = (dy.iter().sum(), dy.iter().map(|dy| dy.abs()).sum());
                for j in 0..cols {
                    let at = i * cols + j;
                    let (found, exact) = (dz.as_slice()[at].to_f64(), y[j] * (dy[j] - dot));
                    assert!(
                        (found - exact).abs() <= 16.0 * epsilon::<T>() * y[j],
                        "{exec:?} {cols}: {found} not {exact}"
                    );
                    let (found, exact) = (dz_log.as_slice()[at].to_f64(), dy[j] - log[j].exp() * sum);
                    let bound = 16.0 * epsilon::<T>() * (dy[j].abs() + log[j].exp() * size);
                    assert!((found - exact).abs() <= bound, "{exec:?} {cols}: {found} not {exact}");
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

/// The functions from z to y.
type Function<T> = fn(&Exec, MatRef<'_, T>, MatMut<'_, T>) -> Result<(), Error>;

fn functions<T: Float>() -> [(&'static str, Function<T>); 4] {
    [
        ("softmax", |exec, z, y| exec.softmax(z, y)),
        ("log_softmax", |exec, z, y| exec.log_softmax(z, y)),
        ("softmax_grad", |exec, z, y| exec.softmax_grad(z, z, y)),
        ("log_softmax_grad", |exec, z, y| exec.log_softmax_grad(z, z, y)),
    ]
}

/// Columns apart, rows upside down, gaps, of z and of y: the same bits as the plain matrix, and nothing written between.
fn strides_do_not_matter<T: Float>() {
    const GAP: f64 = -77.0;
    let (m, n) = (5, 11);
    let z: Vec<T> = Rng::new(43).values(m * n);
    for exec in sequential_execs() {
        for (name, function) in functions::<T>() {
            let mut plain = Mat::zeros(m, n);
            function(&exec, MatRef::from_slice(&z, m, n).unwrap(), plain.as_mut()).unwrap();
            for (row, col) in [(13, 1), (-13, 1), (2 * 12, 2), (1, 6), (-1, -7)] {
                let gap = T::from_f64(GAP);
                let (mut y, mut strided) = (vec![gap; 200], vec![gap; 200]);
                let mut view = MatMut::from_slice_with_strides(&mut strided, m, n, row, col).unwrap();
                for (at, &z) in z.iter().enumerate() {
                    view.set(at / n, at % n, z).unwrap();
                }
                let view = MatMut::from_slice_with_strides(&mut y, m, n, row, col).unwrap();
                let from = MatRef::from_slice_with_strides(&strided, m, n, row, col).unwrap();
                function(&exec, from, view).unwrap();
                let view = MatRef::from_slice_with_strides(&y, m, n, row, col).unwrap();
                for (at, &p) in plain.as_slice().iter().enumerate() {
                    assert_eq!(view.get(at / n, at % n), Some(p), "{name} {exec:?} strides ({row}, {col})");
                }
                assert_eq!(y.iter().filter(|&&y| y == gap).count(), 200 - m * n, "gaps stay as they were");
            }
        }
    }
}

fn in_place_is_the_same<T: Float>() {
    for exec in sequential_execs() {
        for (m, n) in [(20, 10), (5, 300), (1, 20_000)] {
            let z = Mat::from_fn(m, n, |i, j| T::from_f64(((7 * i + 3 * j) % 23) as f64 / 3.0));
            let (mut y, mut log) = (Mat::zeros(m, n), Mat::zeros(m, n));
            exec.softmax(z.as_ref(), y.as_mut()).unwrap();
            exec.log_softmax(z.as_ref(), log.as_mut()).unwrap();
            let (mut a, mut b) = (z.clone(), z.clone());
            exec.softmax_inplace(a.as_mut()).unwrap();
            exec.log_softmax_inplace(b.as_mut()).unwrap();
            assert!(a.as_slice() == y.as_slice() && b.as_slice() == log.as_slice(), "{exec:?} {m}×{n}");
            // Columns apart: a copy that is read and written.
            let mut by_columns = Mat::from_fn(n, m, |j, i| z.as_ref().get(i, j).unwrap());
            exec.log_softmax_inplace(by_columns.as_mut().t()).unwrap();
            assert!((0..m * n).all(|at| by_columns.as_ref().get(at % n, at / n) == Some(log.as_slice()[at])));
        }
    }
}

/// A row has the same bits alone and among others, at any place in a block.
fn rows_do_not_depend_on_their_neighbours<T: Float>() {
    for exec in sequential_execs() {
        for n in [2, 10, 16, 17, 64, 200, 5000] {
            let m = 19;
            let z: Vec<T> = Rng::new(47).values(m * n);
            for (name, function) in functions::<T>() {
                let mut all = Mat::zeros(m, n);
                function(&exec, MatRef::from_slice(&z, m, n).unwrap(), all.as_mut()).unwrap();
                for i in 0..m {
                    let mut one = Mat::zeros(1, n);
                    function(&exec, MatRef::from_slice(&z[i * n..][..n], 1, n).unwrap(), one.as_mut()).unwrap();
                    assert!(one.as_slice() == &all.as_slice()[i * n..][..n], "{name} {exec:?}, row {i} of {m}×{n}");
                }
            }
        }
    }
}

fn infinities_and_nan_are_as_documented<T: Float>() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    for exec in sequential_execs() {
        for n in [3, 16, 40, 500, 20_000] {
            // Rows of 1, but for some elements: what logsumexp is, and whether softmax is a number.
            type Row = (fn(usize, usize) -> f64, f64, bool);
            let all_but_one = (n as f64 - 1.0).ln() + 1.0;
            let rows: [Row; 7] = [
                (|_, _| 1.0, (n as f64).ln() + 1.0, true),
                (|j, _| if j == 2 { f64::NAN } else { 1.0 }, nan, false),
                (|j, n| if j == n - 1 { f64::INFINITY } else { 1.0 }, inf, false),
                (|j, _| if j == 0 { f64::NEG_INFINITY } else { 1.0 }, all_but_one, true),
                (|_, _| f64::NEG_INFINITY, -inf, false),
                (|j, _| [f64::INFINITY, f64::NAN, 1.0][j.min(2)], nan, false),
                (|j, _| [f64::NEG_INFINITY, f64::INFINITY, f64::NEG_INFINITY][j.min(2)], inf, false),
            ];
            let z = Mat::from_fn(rows.len(), n, |i, j| T::from_f64(rows[i].0(j, n)));
            let (mut y, mut log) = (Mat::zeros(rows.len(), n), Mat::zeros(rows.len(), n));
            let mut lse = vec![T::ZERO; rows.len()];
            exec.softmax(z.as_ref(), y.as_mut()).unwrap();
            exec.log_softmax(z.as_ref(), log.as_mut()).unwrap();
            exec.logsumexp(z.as_ref(), &mut lse).unwrap();
            for (i, (value, expected, is_number)) in rows.into_iter().enumerate() {
                let found = lse[i].to_f64();
                let close = found == expected || (found - expected).abs() <= 4.0 * epsilon::<T>() * expected.abs();
                assert!(
                    close || (found.is_nan() && expected.is_nan()),
                    "{exec:?} row {i} of {n}: {found} not {expected}"
                );
                for j in 0..n {
                    let (p, l) = (y.as_slice()[i * n + j].to_f64(), log.as_slice()[i * n + j].to_f64());
                    assert_eq!(p.is_nan(), !is_number, "{exec:?} row {i} of {n}: {p}");
                    assert_eq!(l.is_nan(), !is_number, "{exec:?} row {i} of {n}: log {l}");
                    if value(j, n) == -inf && is_number {
                        assert_eq!((p, l), (0.0, -inf), "an impossible class");
                    }
                }
            }
        }
    }
}

fn same_bits_on_any_threads_and_instruction_set<T: Float>() {
    for (m, n) in [(40_003, 10), (301, 1000), (2, 200_003)] {
        let z: Vec<T> = Rng::new(44).values(m * n);
        for (name, function) in functions::<T>() {
            let mut results = Vec::new();
            for exec in fma_execs() {
                for threads in THREADS {
                    let exec = exec.with_threads(threads).unwrap();
                    let (mut y, mut lse) = (Mat::zeros(m, n), vec![T::ZERO; m]);
                    function(&exec, MatRef::from_slice(&z, m, n).unwrap(), y.as_mut()).unwrap();
                    exec.logsumexp(MatRef::from_slice(&z, m, n).unwrap(), &mut lse).unwrap();
                    lse.extend(y.as_slice());
                    results.push((exec, lse));
                }
            }
            assert_same_bits(name, &results);
        }
    }
}

#[test]
fn bad_input_is_refused_and_nothing_written() {
    let exec = Exec::sequential();
    let (z, wide, empty) = (Mat::<f32>::zeros(2, 3), Mat::<f32>::zeros(2, 4), Mat::<f32>::zeros(2, 0));
    let mut y = Mat::from_fn(2, 3, |_, _| 7.0);
    let shape = "expected 2×4, found 2×3";
    assert_mentions(&exec.softmax(wide.as_ref(), y.as_mut()).unwrap_err(), &["softmax", shape]);
    assert_mentions(&exec.log_softmax(wide.as_ref(), y.as_mut()).unwrap_err(), &["log_softmax", shape]);
    let error = exec.softmax_grad(wide.as_ref(), z.as_ref(), Mat::zeros(2, 4).as_mut()).unwrap_err();
    assert_mentions(&error, &["softmax_grad: dy", shape]);
    let error = exec.log_softmax_grad(wide.as_ref(), wide.as_ref(), y.as_mut()).unwrap_err();
    assert_mentions(&error, &["log_softmax_grad: dz", shape]);
    let error = exec.logsumexp(z.as_ref(), &mut [7.0; 3]).unwrap_err();
    assert_mentions(&error, &["logsumexp: y (one a row): expected 2 elements, found 3"]);
    assert_eq!(y.as_slice(), [7.0; 6]);

    // Rows without classes have no softmax; no rows are nothing to do.
    let no_columns = "expected 2×1, found 2×0";
    assert_mentions(&exec.softmax(empty.as_ref(), Mat::zeros(2, 0).as_mut()).unwrap_err(), &[no_columns]);
    assert_mentions(&exec.softmax_inplace(Mat::<f64>::zeros(2, 0).as_mut()).unwrap_err(), &[no_columns]);
    assert_mentions(&exec.log_softmax_inplace(Mat::<f64>::zeros(2, 0).as_mut()).unwrap_err(), &[no_columns]);
    assert_mentions(&exec.logsumexp(empty.as_ref(), &mut [0.0; 2]).unwrap_err(), &[no_columns]);
    let error = exec.softmax_grad(empty.as_ref(), empty.as_ref(), Mat::zeros(2, 0).as_mut()).unwrap_err();
    assert_mentions(&error, &[no_columns]);
    exec.softmax(Mat::<f32>::zeros(0, 3).as_ref(), Mat::zeros(0, 3).as_mut()).unwrap();
    exec.logsumexp(Mat::<f32>::zeros(0, 3).as_ref(), &mut []).unwrap();
}

/// Without rows there may be any number of columns, for which no memory is taken.
#[test]
fn no_rows_of_any_width_are_nothing_to_do() {
    let exec = Exec::default();
    for (row, col) in [(0, 1), (1, 2)] {
        let none =
            |memory: &'static mut [f32]| MatMut::from_slice_with_strides(memory, 0, usize::MAX, row, col).unwrap();
        let z = MatRef::<f32>::from_slice_with_strides(&[], 0, usize::MAX, row, col).unwrap();
        exec.softmax(z, none(&mut [])).unwrap();
        exec.log_softmax_inplace(none(&mut [])).unwrap();
        exec.softmax_grad(z, z, none(&mut [])).unwrap();
        exec.logsumexp(z, &mut []).unwrap();
    }
}
