//! Reductions of slices, rows and columns against f64.

use crate::common::reduce::{MAX_SUM_ROUNDOFFS, check};
use crate::common::{
    Float, Rng, THREADS, assert_mentions, assert_same_bits, exact_sum, fma_execs, is_nan, promised_bits,
    sequential_execs,
};
use roofline::{Error, Exec, Mat, MatRef, Reduction};

both_types!(
    slices_match_the_oracle,
    rows_and_columns_match_the_oracle,
    dot_products_match_the_oracle,
    moments_keep_the_digits_that_numbers_share,
    sizes_near_the_limits_do_not_overflow,
    nan_wins_and_the_first_of_equals_is_found,
    strides_do_not_matter,
    same_bits_on_any_threads_and_instruction_set,
);

fn slices_match_the_oracle<T: Float>() {
    let mut rng = Rng::new(81);
    for exec in sequential_execs() {
        for len in (0..=70).chain([255, 1000, 4095, 4096, 4097, 100_003]) {
            let x: Vec<T> = rng.values(len);
            for reduction in Reduction::ALL {
                match exec.reduce(reduction, &x) {
                    Ok(found) => check(&exec, reduction, &x, found),
                    Err(error) => {
                        assert!(len == 0 && [Reduction::Mean, Reduction::Max, Reduction::Min].contains(&reduction));
                        assert_mentions(&error, &["reduce: x needs 1 elements, the slice has 0"]);
                    }
                }
            }
        }
    }
}

fn rows_and_columns_match_the_oracle<T: Float>() {
    let mut rng = Rng::new(82);
    for exec in sequential_execs() {
        let shapes = [
            (1, 1),
            (1, 40),
            (40, 1),
            (3, 10),
            (17, 16),
            (35, 17),
            (300, 10),
            (5, 300),
            (19, 301),
            (530, 261),
            (1000, 70),
            (2, 9000),
            (4, 129),
        ];
        for (m, n) in shapes {
            let x: Vec<T> = rng.values(m * n);
            let view = MatRef::from_slice(&x, m, n).unwrap();
            for reduction in Reduction::ALL {
                let (mut rows, mut columns) = (vec![T::ZERO; m], vec![T::ZERO; n]);
                exec.reduce_rows(reduction, view, &mut rows).unwrap();
                exec.reduce_columns(reduction, view, &mut columns).unwrap();
                (0..m).for_each(|i| check(&exec, reduction, &x[i * n..][..n], rows[i]));
                for j in 0..n {
                    let column: Vec<T> = (0..m).map(|i| x[i * n + j]).collect();
                    check(&exec, reduction, &column, columns[j]);
                }
            }
        }
    }
}

fn dot_products_match_the_oracle<T: Float>() {
    let mut rng = Rng::new(83);
    for exec in sequential_execs() {
        for len in [0, 1, 15, 16, 17, 100, 5000] {
            let (x, y): (Vec<T>, Vec<T>) = (rng.values(len), rng.values(len));
            let products: Vec<f64> = x.iter().zip(&y).map(|(x, y)| x.to_f64() * y.to_f64()).collect();
            let size = exact_sum(&products.iter().map(|p| p.abs()).collect::<Vec<_>>());
            let (found, exact) = (exec.dot(&x, &y).unwrap().to_f64(), exact_sum(&products));
            assert!(
                (found - exact).abs() <= MAX_SUM_ROUNDOFFS * T::UNIT_ROUNDOFF * size,
                "{exec:?} {len}: {found} not {exact}"
            );
        }
    }
}

/// A mean of 10⁶ and a deviation of 1: in f32 the difference of Σ x²/n and mean² has no digit.
fn moments_keep_the_digits_that_numbers_share<T: Float>() {
    let mut rng = Rng::new(84);
    for exec in sequential_execs() {
        for (m, n) in [(5000, 1), (1, 5000), (1000, 33), (33, 1000)] {
            let x = Mat::from_fn(m, n, |_, _| T::from_f64(1e6 + 2.0 * rng.value::<f64>()));
            let exact = |x: &[f64]| {
                let mean = exact_sum(x) / x.len() as f64;
                let squares: Vec<f64> = x.iter().map(|x| (x - mean) * (x - mean)).collect();
                (mean, exact_sum(&squares) / x.len() as f64)
            };
            let check = |found: (T, T), x: &[f64]| {
                let (mean, variance) = exact(x);
                // The mean is rounded: its error d adds d² to the variance.
                let rounding = T::UNIT_ROUNDOFF * mean;
                assert!((found.0.to_f64() - mean).abs() <= 2.0 * rounding, "{exec:?}: {} not {mean}", found.0);
                let bound = 60.0 * T::UNIT_ROUNDOFF * variance + 4.0 * rounding * rounding;
                assert!((found.1.to_f64() - variance).abs() <= bound, "{exec:?}: {} not {variance}", found.1);
            };
            let values: Vec<f64> = x.as_slice().iter().map(|x| x.to_f64()).collect();
            check(exec.moments(x.as_slice()).unwrap(), &values);
            let (mut mean, mut variance) = (vec![T::ZERO; m], vec![T::ZERO; m]);
            exec.moments_rows(x.as_ref(), &mut mean, &mut variance).unwrap();
            (0..m).for_each(|i| check((mean[i], variance[i]), &values[i * n..][..n]));
            let (mut mean, mut variance) = (vec![T::ZERO; n], vec![T::ZERO; n]);
            exec.moments_columns(x.as_ref(), &mut mean, &mut variance).unwrap();
            for j in 0..n {
                check((mean[j], variance[j]), &(0..m).map(|i| values[i * n + j]).collect::<Vec<_>>());
            }
        }
    }
}

fn sizes_near_the_limits_do_not_overflow<T: Float>() {
    let (least, most) = if T::LANES == 16 { (1e-44, 1e38) } else { (5e-323, 1e307) };
    for exec in sequential_execs() {
        for size in [least, most] {
            let x = Mat::from_fn(9, 9, |_, _| T::from_f64(size));
            let size = x.as_slice()[0].to_f64();
            let (mut rows, mut columns) = ([T::ZERO; 9], [T::ZERO; 9]);
            let near = |found: T, exact: f64| {
                // Next to 0 a unit in the last place is a part of the number.
                let bound = 8.0 * T::UNIT_ROUNDOFF * exact + T::MIN_POSITIVE.to_f64();
                assert!((found.to_f64() - exact).abs() <= bound, "{exec:?}: {found:e} not {exact:e}");
            };
            exec.reduce_rows(Reduction::Norm2, x.as_ref(), &mut rows).unwrap();
            exec.reduce_columns(Reduction::Norm2, x.as_ref(), &mut columns).unwrap();
            rows.iter().chain(&columns).for_each(|&found| near(found, 3.0 * size));
            near(exec.reduce(Reduction::Norm2, &x.as_slice()[..9]).unwrap(), 3.0 * size);
            exec.reduce_rows(Reduction::Mean, x.as_ref(), &mut rows).unwrap();
            exec.reduce_columns(Reduction::Mean, x.as_ref(), &mut columns).unwrap();
            rows.iter().chain(&columns).for_each(|&found| near(found, size));
            near(exec.reduce(Reduction::Mean, x.as_slice()).unwrap(), size);
        }
    }
}

fn nan_wins_and_the_first_of_equals_is_found<T: Float>() {
    for exec in sequential_execs() {
        for len in [1, 16, 40, 5000] {
            for at in [0, len / 2, len - 1] {
                let mut x = vec![T::ONE; len];
                x[at] = T::from_f64(f64::NAN);
                for reduction in Reduction::ALL {
                    assert!(is_nan(exec.reduce(reduction, &x).unwrap()), "{exec:?} {reduction:?} {at} of {len}");
                    let mut result = [T::ZERO];
                    exec.reduce_rows(reduction, MatRef::from_slice(&x, 1, len).unwrap(), &mut result).unwrap();
                    assert!(is_nan(result[0]), "{exec:?} {reduction:?} {at} of {len}, row");
                    exec.reduce_columns(reduction, MatRef::from_slice(&x, len, 1).unwrap(), &mut result).unwrap();
                    assert!(is_nan(result[0]), "{exec:?} {reduction:?} {at} of {len}, column");
                }
                let mut index = [0];
                exec.argmax_rows(MatRef::from_slice(&x, 1, len).unwrap(), &mut index).unwrap();
                assert_eq!((exec.argmax(&x).unwrap(), exec.argmin(&x).unwrap(), index), (at, at, [at]));
                x[at] = T::from_f64(2.0);
                assert_eq!(exec.argmax(&x).unwrap(), at);
                exec.argmax_rows(MatRef::from_slice(&x, 1, len).unwrap(), &mut index).unwrap();
                assert_eq!(index, [at]);
                x[at] = T::from_f64(-2.0);
                x[len - 1] = T::from_f64(-2.0);
                assert_eq!(exec.argmin(&x).unwrap(), at);
            }
        }
    }
}

fn strides_do_not_matter<T: Float>() {
    let (m, n) = (7, 19);
    let x: Vec<T> = Rng::new(85).values(m * n);
    let plain = MatRef::from_slice(&x, m, n).unwrap();
    for exec in sequential_execs() {
        for (row, col) in [(25, 1), (-25, 1), (40, 2), (1, 8), (-1, -9)] {
            let mut memory = vec![T::from_f64(f64::NAN); 400];
            let mut view = roofline::MatMut::from_slice_with_strides(&mut memory, m, n, row, col).unwrap();
            for (at, &x) in x.iter().enumerate() {
                view.set(at / n, at % n, x).unwrap();
            }
            let view = MatRef::from_slice_with_strides(&memory, m, n, row, col).unwrap();
            for reduction in Reduction::ALL {
                let run = |x| {
                    let (mut rows, mut columns) = (vec![T::ZERO; m], vec![T::ZERO; n]);
                    exec.reduce_rows(reduction, x, &mut rows).unwrap();
                    exec.reduce_columns(reduction, x, &mut columns).unwrap();
                    rows.extend(columns);
                    rows
                };
                assert!(run(view) == run(plain), "{exec:?} {reduction:?}, strides ({row}, {col})");
            }
        }
    }
}

fn same_bits_on_any_threads_and_instruction_set<T: Float>() {
    for (m, n) in [(70_001, 10), (501, 700), (3, 150_001)] {
        let x: Vec<T> = Rng::new(86).values(m * n);
        let view = MatRef::from_slice(&x, m, n).unwrap();
        for reduction in Reduction::ALL {
            let mut results = Vec::new();
            for exec in fma_execs() {
                for threads in THREADS {
                    let exec = exec.with_threads(threads).unwrap();
                    let (mut rows, mut columns) = (vec![T::ZERO; m], vec![T::ZERO; n]);
                    exec.reduce_rows(reduction, view, &mut rows).unwrap();
                    exec.reduce_columns(reduction, view, &mut columns).unwrap();
                    rows.extend(columns);
                    rows.push(exec.reduce(reduction, &x).unwrap());
                    rows.push(exec.dot(&x, &x).unwrap());
                    results.push((exec, rows));
                }
            }
            assert_same_bits(&format!("{reduction:?} of {m}×{n}"), &results);
        }
        let moments =
            fma_execs().into_iter().flat_map(|exec| THREADS.map(|threads| exec.with_threads(threads).unwrap()));
        let mut bits = moments.map(|exec| {
            let (mean, variance) = exec.moments(&x).unwrap();
            (promised_bits(mean), promised_bits(variance))
        });
        let first = bits.next().unwrap();
        assert!(bits.all(|bits| bits == first), "moments of {m}×{n}");
    }
}

#[test]
fn bad_input_is_refused() {
    let exec = Exec::sequential();
    let (x, empty) = (Mat::<f32>::zeros(2, 3), Mat::<f32>::zeros(2, 0));
    assert_mentions(&exec.dot(&[1.0], &[1.0, 2.0]).unwrap_err(), &["dot: y: expected 1 elements, found 2"]);
    let error = exec.reduce_rows(Reduction::Sum, x.as_ref(), &mut [0.0; 3]).unwrap_err();
    assert_mentions(&error, &["reduce_rows: y (one a row): expected 2 elements, found 3"]);
    let error = exec.reduce_columns(Reduction::Sum, x.as_ref(), &mut [0.0; 2]).unwrap_err();
    assert_mentions(&error, &["reduce_columns: y (one a column): expected 3 elements, found 2"]);
    let error = exec.reduce_rows(Reduction::Max, empty.as_ref(), &mut [0.0; 2]).unwrap_err();
    assert_mentions(&error, &["reduce_rows: x needs 1 elements"]);
    let error = exec.reduce_columns(Reduction::Mean, empty.as_ref().t(), &mut [0.0; 2]).unwrap_err();
    assert_mentions(&error, &["reduce_columns: x needs 1 elements"]);
    assert_mentions(&exec.argmax::<f32>(&[]).unwrap_err(), &["argmax: x needs 1 elements"]);
    assert_mentions(&exec.argmin::<f32>(&[]).unwrap_err(), &["argmin: x needs 1 elements"]);
    assert_mentions(&exec.argmax_rows(empty.as_ref(), &mut [0; 2]).unwrap_err(), &["argmax_rows: x needs 1"]);
    assert_mentions(&exec.moments::<f64>(&[]).unwrap_err(), &["needs 1 elements"]);
    let error = exec.moments_columns(x.as_ref(), &mut [0.0; 3], &mut [0.0; 2]).unwrap_err();
    assert_mentions(&error, &["variance (one a column): expected 3 elements, found 2"]);
    // Sums of nothing are 0.
    let mut y = [7.0; 2];
    exec.reduce_rows(Reduction::Norm2, empty.as_ref(), &mut y).unwrap();
    exec.reduce_columns(Reduction::Sum, Mat::<f32>::zeros(0, 2).as_ref(), &mut y).unwrap();
    assert_eq!(y, [0.0; 2]);
}

/// A view with strides of 0 may have more elements than any memory: what would be copied, or kept for each strip, is refused. 16 times
/// 2⁶⁰ is 0 in 64 bits.
#[test]
fn copies_beyond_any_memory_are_refused() {
    let (exec, x, many) = (Exec::sequential(), [1.0_f64], 1_usize << 60);
    let refused = |error: Error| assert!(matches!(error, Error::WorkingMemory { .. }), "{error}");
    let (mut y, mut variance, mut places) = ([7.0; 16], [7.0; 16], [7; 16]);
    let wide = MatRef::from_slice_with_strides(&x, 16, many, 0, 0).unwrap();
    refused(exec.reduce_rows(Reduction::Sum, wide, &mut y).unwrap_err());
    refused(exec.moments_rows(wide, &mut y, &mut variance).unwrap_err());
    refused(exec.argmax_rows(wide, &mut places).unwrap_err());
    refused(exec.logsumexp(wide, &mut y).unwrap_err());
    for col_stride in [0, 1] {
        let x = [1.0; 16];
        let high = MatRef::from_slice_with_strides(&x, many, 16, 0, col_stride).unwrap();
        refused(exec.reduce_columns(Reduction::Norm2, high, &mut y).unwrap_err());
        refused(exec.moments_columns(high, &mut y, &mut variance).unwrap_err());
        refused(exec.statistics(high).unwrap_err());
    }
    assert_eq!((y, variance, places), ([7.0; 16], [7.0; 16], [7; 16]), "nothing is written");
    let error = Error::WorkingMemory { elements: usize::MAX };
    assert_mentions(&error, &["no memory", &usize::MAX.to_string()]);
}
