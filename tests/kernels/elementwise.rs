//! Elementary functions and axpy: special values, and independence of position and threads. Errors in ULP: `tests/accuracy.rs`.

use crate::common::{Rng, THREADS, fma_execs, sequential_execs};

#[test]
fn special_values() {
    for exec in sequential_execs() {
        let mut y = [0.0_f32; 5];
        exec.exp(&[0.0, f32::NEG_INFINITY, f32::INFINITY, 89.0, -104.0], &mut y).unwrap();
        assert_eq!(y, [1.0, 0.0, f32::INFINITY, f32::INFINITY, 0.0]);
        exec.log(&[1.0, 0.0, -0.0, f32::INFINITY, 1.0], &mut y).unwrap();
        assert_eq!(y, [0.0, f32::NEG_INFINITY, f32::NEG_INFINITY, f32::INFINITY, 0.0]);
        let mut nan = [0.0_f64; 3];
        exec.log(&[-1.0, f64::NEG_INFINITY, f64::NAN], &mut nan).unwrap();
        assert!(nan.iter().all(|x| x.is_nan()));
        exec.exp(&[f64::NAN; 3], &mut nan).unwrap();
        assert!(nan.iter().all(|x| x.is_nan()));
        exec.ln_1p(&[-1.5, f64::NEG_INFINITY, f64::NAN], &mut nan).unwrap();
        assert!(nan.iter().all(|x| x.is_nan()));
        let (x, mut y) = ([-0.0_f64, 5e-324, f64::NEG_INFINITY, f64::INFINITY, f64::NAN], [0.0; 5]);
        exec.exp_m1(&x, &mut y).unwrap();
        assert_eq!((&y[..4], y[0].is_sign_negative()), (&[-0.0, 5e-324, -1.0, f64::INFINITY][..], true));
        assert!(y[4].is_nan());
        exec.erf(&x, &mut y).unwrap();
        assert_eq!((&y[..4], y[0].is_sign_negative()), (&[-0.0, 5e-324, -1.0, 1.0][..], true));
        assert!(y[4].is_nan());
        exec.erfc(&x, &mut y).unwrap();
        assert_eq!(y[..4], [1.0, 1.0, 2.0, 0.0]);
        assert!(y[4].is_nan());
        let (x, mut y) = ([-0.0_f64, 5e-324, -1.0, f64::INFINITY], [0.0; 4]);
        exec.ln_1p(&x, &mut y).unwrap();
        assert_eq!((&y[..], y[0].is_sign_negative()), (&[-0.0, 5e-324, f64::NEG_INFINITY, f64::INFINITY][..], true));
    }
}

/// The value at an index depends on the input there alone: not on the length, the position or the neighbours.
#[test]
fn position_and_length_do_not_matter() {
    let x: Vec<f32> = Rng::new(22).values(100);
    for exec in sequential_execs() {
        let mut whole = vec![0.0; 100];
        exec.exp(&x, &mut whole).unwrap();
        for start in 0..17 {
            for len in 0..50 {
                let mut y = vec![f32::NAN; len + 2];
                exec.exp(&x[start..start + len], &mut y[1..=len]).unwrap();
                assert_eq!(y[1..=len], whole[start..start + len]);
                assert!(y[0].is_nan() && y[len + 1].is_nan(), "nothing is written beside the slice");
            }
        }
    }
}

/// Long enough for three threads (2¹⁹ elements each).
#[test]
fn same_bits_on_any_threads_and_instruction_set() {
    let x: Vec<f32> = Rng::new(23).values((3 << 19) + 5);
    let mut first: Option<Vec<f32>> = None;
    for exec in fma_execs() {
        for threads in THREADS {
            let mut y = vec![0.0; x.len()];
            exec.with_threads(threads).unwrap().exp(&x, &mut y).unwrap();
            assert!(first.get_or_insert_with(|| y.clone()) == &y, "{exec:?} on {threads} threads");
        }
    }
}

#[test]
fn axpy_rounds_once_and_lengths_must_agree() {
    for exec in fma_execs() {
        let mut y = [-1.0 - f32::EPSILON];
        exec.axpy(1.0 + f32::EPSILON, &[1.0 + f32::EPSILON], &mut y).unwrap();
        // (1 + ε)² − (1 + ε) = ε + ε², which two roundings would lose.
        assert_eq!(y, [f32::EPSILON + f32::EPSILON * f32::EPSILON]);
        let error = exec.axpy(1.0, &[1.0, 2.0], &mut y).unwrap_err();
        assert_eq!(error.to_string(), "axpy: y: expected 2 elements, found 1");
        let error = exec.exp(&[1.0_f32; 3], &mut y).unwrap_err();
        assert_eq!(error.to_string(), "exp: expected 3 elements, found 1");
    }
}

#[test]
fn axpy_sign_adds_the_sign_alone() {
    let x: Vec<f64> = [3.0, -1e-300, 0.0, -0.0, f64::INFINITY, f64::NAN].into_iter().cycle().take(77).collect();
    for exec in sequential_execs() {
        let mut y = vec![2.0; 77];
        exec.axpy_sign(0.5, &x, &mut y).unwrap();
        let expected = [2.5, 1.5, 2.0, 2.0, 2.5, 2.0].into_iter().cycle().take(77).collect::<Vec<_>>();
        assert_eq!(y, expected, "{exec:?}");
        let error = exec.axpy_sign(1.0, &[1.0; 3], &mut y).unwrap_err();
        assert_eq!(error.to_string(), "axpy_sign: y: expected 3 elements, found 77");
    }
}
