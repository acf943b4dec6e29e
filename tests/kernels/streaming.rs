//! Results of 16 MiB and more with few steps of k, which go past the caches: whole and masked tiles, on cache lines or not,
//! with C read or not, on any threads.

use crate::common::{Float, execs};
use roofline::{Element, Epilogue, Exec, GemmStrides, Mat, MatMut};

/// Rows and columns of values that repeat, all small integers: every sum is exact.
const PERIODS: (usize, usize) = (7, 5);

fn a<T: Element>(i: usize, p: usize) -> T {
    T::from_f64(((i % PERIODS.0 + 3 * p) % 7) as f64 - 3.0)
}

fn b<T: Element>(p: usize, j: usize) -> T {
    T::from_f64(((2 * p + j % PERIODS.1) % 5) as f64 - 2.0)
}

/// C ← A·B + beta·C in columns `first`… of a matrix whose rows are whole cache lines.
fn check<T: Float>(exec: Exec, (m, n, k): (usize, usize, usize), first: usize, beta: f64) {
    let (a, b) = (Mat::from_fn(m, k, a::<T>), Mat::from_fn(k, n, b::<T>));
    let stride = (first + n).next_multiple_of(64 / size_of::<T>());
    let mut memory = Mat::from_fn(m, stride, |_, _| T::from_f64(if beta == 0.0 { f64::NAN } else { 3.0 }));
    let c = MatMut::from_slice_with_strides(&mut memory.as_mut_slice()[first..], m, n, stride as isize, 1).unwrap();
    exec.gemm_with(T::ONE, a.as_ref(), b.as_ref(), T::from_f64(beta), c, Epilogue::default()).unwrap();
    let sum = |i, j| (0..k).map(|p| self::a::<f64>(i, p) * self::b::<f64>(p, j)).sum::<f64>();
    let expected: Vec<f64> = (0..35).map(|q| 3.0 * beta + sum(q / PERIODS.1, q % PERIODS.1)).collect();
    for i in 0..m {
        let row = &memory.as_slice()[i * stride..(i + 1) * stride];
        let expected = &expected[i % PERIODS.0 * PERIODS.1..];
        let wrong = (0..n).find(|&j| row[first + j].to_f64() != expected[j % PERIODS.1]);
        assert_eq!(wrong, None, "row {i} of {m}×{n}×{k} from column {first}, beta {beta}: {exec:?}");
        let mut gaps = row[..first].iter().chain(&row[first + n..]);
        assert!(gaps.all(|x| (x.to_f64() == 3.0) == (beta != 0.0)), "a gap was written");
    }
}

fn all<T: Float>(cols: usize) {
    let lines = 64 / size_of::<T>();
    for exec in execs() {
        let streams = |n, k| exec.plan::<T>(2049, n, k, GemmStrides::row_major(n, k)).streams_c;
        assert!(streams(cols, 3) && streams(cols, 32) && !streams(cols, 33) && !streams(cols / 2, 3));
        check::<T>(exec, (2049, cols, 3), 0, 0.0);
        check::<T>(exec, (2049, cols + 5, 17), lines, 0.0);
        check::<T>(exec, (2049, cols, 2), 3, 0.0);
        check::<T>(exec, (2049, cols, 1), lines, 1.0);
    }
}

#[test]
fn single() {
    all::<f32>(2048);
}

#[test]
fn double() {
    all::<f64>(1024);
}
