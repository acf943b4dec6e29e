//! GEMM against the oracle, on every instruction set of the machine.

mod support;

use support::{Product, Strides, THREADS, Values, same_bits, sequential};
use roofline::{Activation, Element, Epilogue, Exec, Mat, MatMut, MatRef};

/// Steps of k in one block: 512 `f32` or 256 `f64`.
fn kc<T: Element>() -> usize {
    32 * T::LANES
}

/// α and β with every meaning of their own.
const SCALARS: [(f64, f64); 7] = [(1.0, 0.0), (1.0, 1.0), (-0.5, 2.0), (2.0, 0.0), (0.0, 0.0), (0.0, 1.0), (0.0, -0.5)];

/// One product with strides, scalars and bias drawn from `values`: checked against the oracle, and every element of memory
/// that is no element of C must keep its bits. Where β = 0, C holds NaN before.
fn check<T: Element>(exec: &Exec, (m, n, k): (usize, usize, usize), values: &mut Values) {
    let mut strides = |shape| {
        let (step, gap) = ([1, 1, 1, 2, 3][values.below(5)], values.below(4));
        let negative = (values.below(6) == 0, values.below(6) == 0);
        Strides::new(shape, values.below(2) == 1, gap, step, negative)
    };
    let (sa, sb, sc) = (strides((m, k)), strides((k, n)), strides((m, n)));
    let (alpha, beta) = SCALARS[values.below(SCALARS.len())];
    let (alpha, beta) = (T::from_f64(alpha), T::from_f64(beta));
    let (a, b) = (values.vec::<T>(sa.len), values.vec::<T>(sb.len));
    let before = if beta == T::ZERO { vec![T::from_f64(f64::NAN); sc.len] } else { values.vec::<T>(sc.len) };
    let bias = values.vec::<T>(n);
    let bias = (values.below(2) == 1).then_some(&bias[..]);

    let mut after = before.clone();
    let (va, vb) = (sa.view(&a, m, k), sb.view(&b, k, n));
    let epilogue = Epilogue { bias, activation: Activation::Identity };
    exec.gemm_with(alpha, va, vb, beta, sc.view_mut(&mut after, m, n), epilogue).expect("the shapes agree");

    let what = format!("{} {exec:?} {m}×{n}×{k} α {alpha} β {beta} A {sa:?} B {sb:?} C {sc:?}", T::NAME);
    Product { alpha, a: va, b: vb, beta, before: sc.view(&before, m, n), bias }.assert(sc.view(&after, m, n), &what);
    let mut gaps = after;
    let mut old = before;
    for data in [&mut gaps, &mut old] {
        let mut elements = sc.view_mut(data, m, n);
        for i in 0..m {
            (0..n).for_each(|j| elements.set(i, j, T::ZERO).expect("inside"));
        }
    }
    for (at, (x, y)) in gaps.iter().zip(&old).enumerate() {
        assert_eq!(x.to_f64().to_bits(), y.to_f64().to_bits(), "{what}: element {at} of memory is none of C");
    }
}

fn every_edge<T: Element>() {
    let mut values = Values::new(1);
    let columns: Vec<usize> =
        (1..=3 * T::LANES + 1).chain([4, 5, 6, 7, 8, 9, 12, 13].map(|v| v * T::LANES - 3)).collect();
    for exec in sequential() {
        for m in 1..=17 {
            for &n in &columns {
                check::<T>(&exec, (m, n, 1 + values.below(20)), &mut values);
            }
        }
    }
}

#[test]
fn every_row_and_column_edge_of_every_tile() {
    every_edge::<f32>();
    every_edge::<f64>();
}

fn every_block<T: Element>() {
    let mut values = Values::new(2);
    let (kc, lanes) = (kc::<T>(), T::LANES);
    let ks = [0, 1, 2, lanes - 1, lanes, lanes + 1, 16, 17, kc - 1, kc, kc + 1, 2 * kc - 1, 2 * kc, 2 * kc + 1];
    for exec in sequential() {
        for k in ks {
            for (m, n) in [(1, 1), (1, 70), (70, 1), (3, 33), (13, 10), (33, 31), (130, 20), (6, 400)] {
                check::<T>(&exec, (m, n, k), &mut values);
                check::<T>(&exec, (m, n, k), &mut values);
            }
        }
    }
}

#[test]
fn every_block_boundary_of_k() {
    every_block::<f32>();
    every_block::<f64>();
}

/// Large enough for packing and for more than one block of columns.
#[test]
fn packed_blocks() {
    let mut values = Values::new(3);
    for exec in sequential() {
        for shape in [(130, 1024, 520), (140, 800, 700), (40, 512, 300), (33, 65, 257)] {
            check::<f32>(&exec, shape, &mut values);
            check::<f64>(&exec, shape, &mut values);
        }
    }
}

#[test]
fn a_long_chain_keeps_the_bound() {
    let k = 100_000;
    let mut values = Values::new(4);
    for exec in sequential() {
        for (m, n) in [(1, 1), (2, 17), (9, 3)] {
            check::<f32>(&exec, (m, n, k), &mut values);
        }
    }
}

/// Products and sums of small integers are exact, in any order.
#[test]
fn integers_are_exact() {
    let (m, n, k) = (37, 41, 1000);
    let a = Mat::<f32>::from_fn(m, k, |i, p| ((i * 7 + p * 3) % 17) as f32 - 8.0);
    let b = Mat::<f32>::from_fn(k, n, |p, j| ((p * 5 + j) % 13) as f32 - 6.0);
    for exec in sequential() {
        let mut c = Mat::zeros(m, n);
        exec.gemm(1.0, a.as_ref(), b.as_ref(), 0.0, c.as_mut()).unwrap();
        for i in 0..m {
            for j in 0..n {
                let exact: f32 = (0..k).map(|p| a.as_slice()[i * k + p] * b.as_slice()[p * n + j]).sum();
                assert_eq!(c.as_slice()[i * n + j], exact, "{exec:?} ({i}, {j})");
            }
        }
    }
}

#[test]
fn nothing_is_computed_without_elements() {
    for exec in sequential() {
        for (m, n, k) in [(0, 0, 0), (0, 5, 3), (5, 0, 3), (5, 3, 0), (0, 5, 0), (5, 0, 0), (0, 0, 7)] {
            check::<f64>(&exec, (m, n, k), &mut Values::new(5));
        }
    }
}

/// α = 0 or k = 0: A and B are not read, so NaN and ∞ in them do not reach C.
#[test]
fn alpha_zero_does_not_read_a_or_b() {
    let poison = [f32::NAN, f32::INFINITY, f32::NAN, f32::NAN, f32::NEG_INFINITY, f32::NAN];
    for exec in sequential() {
        let (a, b) = (MatRef::from_slice(&poison, 2, 3).unwrap(), MatRef::from_slice(&poison, 3, 2).unwrap());
        let mut c = [1.0, 2.0, 3.0, 4.0];
        exec.gemm(0.0, a, b, 0.5, MatMut::from_slice(&mut c, 2, 2).unwrap()).unwrap();
        assert_eq!(c, [0.5, 1.0, 1.5, 2.0]);
        exec.gemm(0.0, a, b, 0.0, MatMut::from_slice(&mut c, 2, 2).unwrap()).unwrap();
        assert_eq!(c, [0.0; 4]);
    }
}

#[test]
fn nan_and_infinity_propagate() {
    for exec in sequential() {
        let a = Mat::from_fn(9, 40, |i, p| if (i, p) == (4, 20) { f64::NAN } else { 1.0 });
        let b = Mat::from_fn(40, 21, |p, j| if (p, j) == (7, 13) { f64::INFINITY } else { 1.0 });
        let mut c = Mat::zeros(9, 21);
        exec.gemm(1.0, a.as_ref(), b.as_ref(), 0.0, c.as_mut()).unwrap();
        for (at, &x) in c.as_slice().iter().enumerate() {
            match (at / 21, at % 21) {
                (4, _) => assert!(x.is_nan()),
                (_, 13) => assert_eq!(x, f64::INFINITY),
                _ => assert_eq!(x, 40.0),
            }
        }
    }
}

/// The epilogue gives what the functions give one after the other, to the bit.
#[test]
fn epilogue_is_product_then_bias_then_activation() {
    let mut values = Values::new(6);
    for exec in sequential() {
        for (m, n, k) in [(1, 10, 784), (7, 33, 20), (64, 50, 600), (3, 130, 5)] {
            let (a, b) = (values.vec::<f32>(m * k), values.vec::<f32>(k * n));
            let bias = values.vec::<f32>(n);
            let (a, b) = (MatRef::from_slice(&a, m, k).unwrap(), MatRef::from_slice(&b, k, n).unwrap());
            let mut plain = Mat::zeros(m, n);
            exec.gemm(0.1, a, b, 0.0, plain.as_mut()).unwrap();
            let shifted = Mat::from_fn(m, n, |i, j| plain.as_slice()[i * n + j] + bias[j]);
            for activation in [Activation::Identity, Activation::Relu, Activation::Sigmoid, Activation::Tanh] {
                let mut expected = shifted.clone();
                exec.activation_inplace(activation, expected.as_mut_slice()).unwrap();
                let epilogue = Epilogue { bias: Some(&bias), activation };
                let mut rows = Mat::zeros(m, n);
                exec.gemm_with(0.1, a, b, 0.0, rows.as_mut(), epilogue).unwrap();
                let mut cols = Mat::zeros(n, m);
                exec.gemm_with(0.1, a, b, 0.0, cols.as_mut().t(), epilogue).unwrap();
                for i in 0..m {
                    for j in 0..n {
                        let (row, col) = (rows.as_slice()[i * n + j], cols.as_slice()[j * m + i]);
                        assert_eq!(row, expected.as_slice()[i * n + j], "{exec:?} {activation:?} ({i}, {j})");
                        assert!((col - row).abs() <= 1e-4, "{exec:?} {activation:?} column-major ({i}, {j})");
                    }
                }
            }
        }
    }
}

/// Work enough to fork (2 · 2²⁴ multiply–adds), cut by rows and by columns, packed and not, tiles and dot products.
#[test]
fn same_bits_on_any_threads_and_instruction_set() {
    for (m, n, k) in [(330, 352, 300), (2100, 16, 1000), (16, 2100, 1000), (2, 4200, 4097)] {
        let mut values = Values::new(7);
        let (a, b) = (values.vec::<f32>(m * k), values.vec::<f32>(n * k));
        for (ta, tb) in [(false, false), (true, false), (false, true)] {
            let view = |data, rows, cols, transposed| {
                if transposed {
                    MatRef::from_slice(data, cols, rows).unwrap().t()
                } else {
                    MatRef::from_slice(data, rows, cols).unwrap()
                }
            };
            let mut first: Option<Mat<f32>> = None;
            for exec in same_bits() {
                for threads in THREADS {
                    let exec = exec.with_threads(threads).unwrap();
                    let mut c = Mat::zeros(m, n);
                    exec.gemm(1.5, view(&a[..], m, k, ta), view(&b[..], k, n, tb), 0.0, c.as_mut()).unwrap();
                    let first = first.get_or_insert_with(|| c.clone());
                    assert!(first.as_slice() == c.as_slice(), "{exec:?} {m}×{n}×{k} {ta} {tb}");
                }
            }
        }
    }
}

/// A result depends neither on where its operands begin nor on what lies around them.
#[test]
fn same_bits_at_any_address() {
    let (m, n, k) = (13, 37, 50);
    let mut values = Values::new(8);
    let (a, b) = (values.vec::<f64>(m * k), values.vec::<f64>(k * n));
    for exec in sequential() {
        let mut first: Option<Vec<f64>> = None;
        for offset in 0..16 {
            let shift = |data: &[f64]| [vec![f64::NAN; offset], data.to_vec()].concat();
            let (a, b, mut c) = (shift(&a), shift(&b), vec![f64::NAN; offset + m * n]);
            let (va, vb) =
                (MatRef::from_slice(&a[offset..], m, k).unwrap(), MatRef::from_slice(&b[offset..], k, n).unwrap());
            exec.gemm(1.0, va, vb, 0.0, MatMut::from_slice(&mut c[offset..], m, n).unwrap()).unwrap();
            let c = c.split_off(offset);
            assert_eq!(first.get_or_insert_with(|| c.clone()), &c, "{exec:?} offset {offset}");
        }
    }
}

#[test]
fn raw_pointers_with_negative_strides() {
    let (a, b) = ([1.0, 2.0, 3.0, 4.0], [10.0, 20.0, 30.0, 40.0]);
    let mut c = [0.0; 4];
    for exec in sequential() {
        // A's rows upside down: [3 4; 1 2] · [10 20; 30 40].
        // SAFETY: all addresses lie within the arrays.
        unsafe {
            let a = a.as_ptr().add(2);
            exec.gemm_raw(2, 2, 2, 1.0, a, -2, 1, b.as_ptr(), 2, 1, 0.0, c.as_mut_ptr(), 2, 1).unwrap();
        }
        assert_eq!(c, [150.0, 220.0, 70.0, 100.0]);
    }
}
