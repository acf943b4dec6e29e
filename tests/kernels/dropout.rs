//! Dropout: its masks against a scalar generator, their statistics, and the fused forms against two passes.

use crate::common::dropout::{philox, stays};
use crate::common::{Float, Rng, THREADS, assert_mentions, assert_same_bits, fma_execs, sequential_execs};
use roofline::{Activation, Dropout, Exec};

both_types!(
    masks_are_those_of_the_generator,
    elements_that_fall_are_zero_whatever_they_were,
    keeping_all_is_the_identity,
    fused_activations_equal_two_passes,
    same_bits_on_any_threads_and_instruction_set,
    wrong_arguments_are_named,
);

const HALF: Dropout = Dropout { keep_prob: 0.5, seed: 1, step: 0 };

/// The known answers that come with the authors' library Random123.
#[test]
fn the_scalar_generator_is_philox() {
    assert_eq!(philox([0; 4], [0; 2]), [0x5f6f_b709, 0x0d89_3f64, 0x4f12_1f81, 0x4f73_0a48]);
    assert_eq!(philox([!0; 4], [!0; 2]), [0x5207_ddc2, 0x4516_5e59, 0x4d8e_e751, 0x8c52_f662]);
    let (counter, key) = ([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]);
    assert_eq!(philox(counter, key), [0x4dfc_caba, 0x190a_87f0, 0xc473_62ba, 0xb6b5_242a]);
}

fn masks_are_those_of_the_generator<T: Float>() {
    let lengths = (0..140).chain([191, 192, 193, 255, 256, 257, 1000, 4099]);
    let probabilities = [0.5, 0.8, 1.0 / 65536.0, 0.25, 0.999, 1.0 - 1.0 / 65536.0];
    for exec in sequential_execs() {
        for (at, len) in lengths.clone().enumerate() {
            let keep_prob = probabilities[at % probabilities.len()];
            let (seed, step) = (0x1234_5678_9abc_def0 ^ at as u64, (at as u64) << 31);
            let dropout = Dropout { keep_prob, seed, step };
            let scale = T::from_f64(65536.0 / (keep_prob * 65536.0).round());
            let x: Vec<T> = (0..len).map(|i| T::from_f64(i as f64 + 1.0)).collect();
            let (mut y, mut in_place) = (vec![T::CANARY; len], x.clone());
            exec.dropout(dropout, &x, &mut y).unwrap();
            exec.dropout_inplace(dropout, &mut in_place).unwrap();
            for i in 0..len {
                let expected = if stays(dropout, i as u64) { x[i] * scale } else { T::ZERO };
                assert_eq!(y[i], expected, "{exec:?} {dropout:?}, element {i} of {len}");
                assert_eq!(in_place[i], expected, "{exec:?} {dropout:?}, element {i} of {len} in place");
            }
        }
    }
}

/// Σ of n independent flags is within 5 deviations of its mean; so are neighbours, steps and seeds of each other.
#[test]
fn masks_look_independent() {
    let n = 1_usize << 20;
    let mask = |dropout: Dropout| {
        let mut x = vec![1.0_f32; n];
        Exec::sequential().dropout_inplace(dropout, &mut x).unwrap();
        x.into_iter().map(|x| x > 0.0).collect::<Vec<_>>()
    };
    let near = |count: usize, probability: f64, what: &str| {
        let deviations =
            (count as f64 - n as f64 * probability) / (n as f64 * probability * (1.0 - probability)).sqrt();
        assert!(deviations.abs() < 5.0, "{what}: {count} of {n}, {deviations} deviations off");
    };
    let count = |flags: &mut dyn Iterator<Item = bool>| flags.filter(|&flag| flag).count();
    for keep_prob in [0.1, 0.5, 0.8, 0.99] {
        let first = mask(Dropout { keep_prob, ..HALF });
        near(count(&mut first.iter().copied()), keep_prob, "stay");
        for lag in [1, 2, 8, 15, 16, 17, 32, 48, 64, 128, 784, 1024] {
            let pairs = &mut (0..n).map(|i| first[i] && first[(i + lag) % n]);
            near(count(pairs), keep_prob * keep_prob, &format!("both of {lag} apart"));
        }
        for (seed, step) in [(1, 1), (2, 0), (1 << 32, 0), (1, 1 << 32), (0, 0)] {
            let other = mask(Dropout { keep_prob, seed, step });
            let pairs = &mut first.iter().zip(other).map(|(&a, b)| a && b);
            near(count(pairs), keep_prob * keep_prob, &format!("both of seed {seed} and step {step}"));
        }
    }
}

fn elements_that_fall_are_zero_whatever_they_were<T: Float>() {
    for exec in sequential_execs() {
        let mut x = vec![T::NAN; 200];
        exec.dropout_inplace(HALF, &mut x).unwrap();
        for (i, x) in x.iter().enumerate() {
            assert_eq!(x.to_f64().is_nan(), stays(HALF, i as u64));
            assert!(x.to_f64().is_nan() || x.bits() == 0);
        }
    }
}

fn keeping_all_is_the_identity<T: Float>() {
    let all = Dropout { keep_prob: 1.0, ..HALF };
    for exec in sequential_execs() {
        let mut rng = Rng::new(101);
        let mut x: Vec<T> = rng.values(100);
        (x[3], x[5], x[7]) = (T::NAN, T::from_f64(-0.0), T::from_f64(f64::INFINITY));
        let bits = |x: &[T]| x.iter().map(|x| x.bits()).collect::<Vec<_>>();
        let (mut y, mut in_place) = (vec![T::CANARY; 100], x.clone());
        exec.dropout(all, &x, &mut y).unwrap();
        exec.dropout_inplace(all, &mut in_place).unwrap();
        assert_eq!((bits(&x), bits(&x)), (bits(&y), bits(&in_place)));
        let mut expected = x.clone();
        exec.relu_inplace(&mut expected).unwrap();
        exec.activation_dropout_inplace(Activation::Relu, all, &mut x).unwrap();
        assert_eq!(bits(&expected), bits(&x));
    }
}

fn fused_activations_equal_two_passes<T: Float>() {
    let mut rng = Rng::new(102);
    for exec in sequential_execs() {
        for (len, keep_prob) in [(77, 0.75), (300, 0.5), (301, 0.9)] {
            let dropout = Dropout { keep_prob, seed: 5, step: 9 };
            let z: Vec<T> = (0..len).map(|_| T::from_f64(3.0 * rng.value::<f64>())).collect();
            let dy: Vec<T> = rng.values(len);
            for activation in Activation::ALL {
                let (mut y, mut fused) = (z.clone(), z.clone());
                exec.activation_inplace(activation, &mut y).unwrap();
                let value = y.clone();
                exec.dropout_inplace(dropout, &mut y).unwrap();
                exec.activation_dropout_inplace(activation, dropout, &mut fused).unwrap();
                assert_eq!(y, fused, "{activation}");
                fused.fill(T::CANARY);
                exec.activation_dropout(activation, dropout, &z, &mut fused).unwrap();
                assert_eq!(y, fused, "{activation} beside z");

                let (mut dz, mut fused) = (dy.clone(), dy.clone());
                exec.activation_grad_inplace(activation, &z, &mut dz).unwrap();
                exec.dropout_inplace(dropout, &mut dz).unwrap();
                exec.activation_dropout_grad_inplace(activation, dropout, &z, &mut fused).unwrap();
                assert_eq!(dz, fused, "{activation}");

                let mut fused = dy.clone();
                let found = exec.activation_dropout_grad_from_output_inplace(activation, dropout, &y, &mut fused);
                if !activation.output_determines_gradient() {
                    assert_mentions(&found.unwrap_err(), &[activation.name()]);
                    assert_eq!(fused, dy, "nothing was touched");
                    continue;
                }
                found.unwrap();
                let mut dz = dy.clone();
                exec.activation_grad_from_output_inplace(activation, &value, &mut dz).unwrap();
                exec.dropout_inplace(dropout, &mut dz).unwrap();
                for i in 0..len {
                    // y·keep_prob is the value but for two roundings.
                    let bound = 8.0 * T::UNIT_ROUNDOFF * dy[i].to_f64().abs() / keep_prob;
                    let error = (dz[i].to_f64() - fused[i].to_f64()).abs();
                    assert!(error <= bound, "{activation} of {}: {} not {}", z[i], fused[i], dz[i]);
                }
            }
        }
    }
}

fn same_bits_on_any_threads_and_instruction_set<T: Float>() {
    let x: Vec<T> = Rng::new(103).values(200_003);
    let threads = |exec: Exec| THREADS.into_iter().filter_map(move |threads| exec.with_threads(threads).ok());
    let results: Vec<_> = (fma_execs().into_iter().flat_map(threads))
        .map(|exec| {
            let mut y = x.clone();
            exec.activation_dropout_inplace(Activation::Tanh, HALF, &mut y).unwrap();
            (exec, y)
        })
        .collect();
    assert_same_bits("dropout", &results);
}

fn wrong_arguments_are_named<T: Float>() {
    let exec = Exec::sequential();
    let mut y = [T::ONE; 3];
    for keep_prob in [0.0, -0.5, 1.5, f64::NAN, 1e-9] {
        let dropout = Dropout { keep_prob, ..HALF };
        let error = exec.dropout_inplace(dropout, &mut y).unwrap_err();
        assert_mentions(&error, &["keep_prob", "in [2^-16, 1]"]);
        assert_eq!(y, [T::ONE; 3], "nothing was touched");
    }
    assert_mentions(&exec.dropout(HALF, &[T::ONE; 4], &mut y).unwrap_err(), &["4", "3"]);
    let error = exec.activation_dropout(Activation::Relu, HALF, &[T::ONE; 4], &mut y).unwrap_err();
    assert_mentions(&error, &["activation_dropout: y", "4", "3"]);
    let error = exec.activation_dropout_grad_inplace(Activation::Relu, HALF, &[T::ONE; 4], &mut y).unwrap_err();
    assert_mentions(&error, &["dy", "4", "3"]);
}
