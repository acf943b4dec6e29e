//! GEMM swept: every size of tile, every block boundary, every layout; and promise 2, the same bits.

use crate::common::gemm::{Case, Expected};
use crate::common::strided::{Layout, Strided};
use crate::common::{Float, Rng, assert_same_bits, execs, sequential_execs};
use roofline::{Activation, Element, Mat, MatMut, MatRef};

both_types!(
    every_size_of_tile,
    every_boundary_of_k,
    every_block_of_columns,
    rows_of_a_large_c_are_as_alone,
    rows_of_a_scattered_c,
    tall_products,
    every_layout,
    packed_operands,
    copied_columns_of_a,
    vectors,
    few_steps,
    long_k,
    integers_are_exact,
    epilogues,
    same_bits_by_columns,
    same_bits_by_rows,
    same_bits_where_a_part_is_one_row,
    same_bits_of_streamed_operands,
    same_bits_of_dot_products,
    same_bits_at_every_offset,
);

/// Steps of k in one FMA chain, as `src/kernels/gemm/blocking.rs` has it.
fn kc<T: Element>() -> usize {
    if T::LANES == 16 { 512 } else { 384 }
}

/// Multiply–adds from which a call is cut for its threads whether or not they are awake, as `src/parallel/crew.rs` has it.
const WORK_TO_CUT: usize = 1 << 24;

/// The layouts of A, B and C with each of them transposed or not.
fn transpositions() -> impl Iterator<Item = [Layout; 3]> {
    let layout = |by_columns: bool| if by_columns { Layout::COLS } else { Layout::ROWS };
    (0..8).map(move |bits: u32| [0, 1, 2].map(|operand| layout(bits >> operand & 1 == 1)))
}

/// The first `rows` × `cols` of a dense matrix, in memory of exactly that size.
fn corner<T: Float>(layout: Layout, rows: usize, cols: usize, whole: &Strided<T>) -> Strided<T> {
    Strided::new(layout, rows, cols, |i, j| whole.get(i, j))
}

/// Each product of m ≤ 17 rows by n ≤ 13 vectors and one column, so that every tile runs whole and masked: all of them are
/// corners of one product, and so of one oracle. Where β is 0, C holds NaN.
fn every_size_of_tile<T: Float>() {
    let mut rng = Rng::new(1);
    // Short chains take other tiles than long ones, and small products another way.
    for (k, alpha, beta) in [(3, 1.0, 0.0), (65, -0.5, 2.0)] {
        let whole = Case::<T>::new((17, 13 * T::LANES + 1, k), [Layout::ROWS; 3], &mut rng);
        let whole = whole.scaled(alpha, beta, &mut rng);
        let expected: Vec<Vec<Expected>> =
            (0..whole.c.rows).map(|i| (0..whole.c.cols).map(|j| whole.expected(i, j)).collect()).collect();
        for m in 1..=whole.c.rows {
            for n in 1..=whole.c.cols {
                for [a, b, c] in transpositions() {
                    let case = Case {
                        a: corner(a, m, k, &whole.a),
                        b: corner(b, k, n, &whole.b),
                        c: corner(c, m, n, &whole.c),
                        ..whole.clone()
                    };
                    for exec in sequential_execs() {
                        let result = case.run(exec);
                        for i in 0..m {
                            for j in 0..n {
                                case.check_element(exec, &result, (i, j), expected[i][j]);
                            }
                        }
                    }
                }
            }
        }
    }
}

fn every_boundary_of_k<T: Float>() {
    let (kc, mut rng) = (kc::<T>(), Rng::new(2));
    let one_step = [0, 1, 2, T::LANES - 1, T::LANES, T::LANES + 1];
    for k in one_step.into_iter().chain([kc - 1, kc, kc + 1, 2 * kc, 2 * kc + 1]) {
        for (m, n) in [(1, 1), (1, 19), (3, 2), (7, 33), (13, 26)] {
            for layouts in transpositions() {
                let (alpha, beta) = if k % 2 == 0 { (1.0, 0.0) } else { (-0.5, 2.0) };
                Case::<T>::new((m, n, k), layouts, &mut rng).scaled(alpha, beta, &mut rng).verify(&sequential_execs());
            }
        }
    }
}

/// B is taken in blocks of at most 384 columns.
fn every_block_of_columns<T: Float>() {
    let mut rng = Rng::new(3);
    for n in [335, 336, 337, 383, 384, 385, 767, 768, 769] {
        for (m, k) in [(7, 5), (9, kc::<T>() + 1)] {
            for b in [Layout::ROWS, Layout::COLS] {
                let layouts = [Layout::ROWS, b, Layout::ROWS];
                let case = Case::<T>::new((m, n, k), layouts, &mut rng).scaled(2.0, 1.0, &mut rng);
                case.verify_sample(&sequential_execs(), 100, &mut rng);
            }
        }
    }
}

/// From 2 MiB on, rows of C go through all of k some at a time: they come out as those of a small product do.
fn rows_of_a_large_c_are_as_alone<T: Float>() {
    let (n, k, mut rng) = (8 * T::LANES + 1, kc::<T>() + 3, Rng::new(17));
    let m = (2 << 20) / (n * size_of::<T>()) + 7;
    let case = Case::<T>::new((m, n, k), [Layout::ROWS; 3], &mut rng).scaled(0.5, 2.0, &mut rng);
    case.clone().finished(Activation::Tanh, &mut rng).verify_sample(&sequential_execs(), 200, &mut rng);
    let [a, b] = [&case.a, &case.b].map(|x| Mat::from_fn(x.rows, x.cols, |i, j| x.get(i, j)));
    for exec in sequential_execs() {
        let (mut whole, mut sums) = (Mat::zeros(m, n), vec![T::ZERO; n]);
        exec.gemm_column_sums(T::ONE, a.as_ref(), b.as_ref(), T::ZERO, whole.as_mut(), &mut sums).unwrap();
        let (mut part, mut sums_of_part) = (Mat::zeros(100, n), vec![T::ZERO; n]);
        for first in (0..m - 100).step_by(100).chain([m - 100]) {
            let (rows, one) = (a.as_ref().row_range(first, first + 100).unwrap(), T::ONE);
            exec.gemm_column_sums(one, rows, b.as_ref(), T::ZERO, part.as_mut(), &mut sums_of_part).unwrap();
            assert_eq!(part.as_slice(), &whole.as_slice()[first * n..][..100 * n], "{exec:?}, rows from {first}");
            assert_eq!(sums, sums_of_part, "{exec:?}");
        }
    }
}

/// A large C without unit stride, computed in scratch memory, some rows at a time: from C and back to it.
fn rows_of_a_scattered_c<T: Float>() {
    let mut rng = Rng::new(31);
    let apart = Layout { gap: 1, pad: 2, ..Layout::ROWS };
    for b in [Layout::ROWS, Layout::COLS] {
        for (m, n) in [(500, 600), (245, 1100)] {
            let case = Case::<T>::new((m, n, kc::<T>() + 3), [Layout::ROWS, b, apart], &mut rng);
            let case = case.scaled(0.5, 2.0, &mut rng).finished(Activation::Tanh, &mut rng);
            case.verify_sample(&sequential_execs(), 200, &mut rng);
        }
    }
}

/// Few columns, and more of A than the caches hold: tiles and dot products that ask for rows ahead, and those for blocks of rows at a time.
fn tall_products<T: Float>() {
    let mut rng = Rng::new(23);
    for (n, k) in
        [(10, 100), (10, 37), (T::LANES, 101), (4 * T::LANES - 3, 45), (3 * T::LANES, kc::<T>() + 9), (10, 300)]
    {
        let m = (2 << 20) / (k * size_of::<T>()) + 29;
        for a in [Layout::ROWS, Layout { pad: 5, flip_rows: true, ..Layout::ROWS }] {
            let case = Case::<T>::new((m, n, k), [a, Layout::ROWS, Layout::ROWS], &mut rng);
            case.verify_sample(&sequential_execs(), 200, &mut rng);
            case.scaled(0.5, 2.0, &mut rng).verify_sample(&execs(), 200, &mut rng);
        }
    }
}

/// A transposed A whose columns lie a multiple of 4 KiB apart is copied, 384 rows at a time: groups of whole tiles, a part of one, and rows
/// fewer than a tile; for all blocks of columns of B (384 or fewer); and more of A than 8 MiB of scratch memory hold. For few columns of B it is
/// read by few steps at a time. Any transposed A is copied where B is wide and C large.
fn copied_columns_of_a<T: Float>() {
    let (k, page, mut rng) = (kc::<T>() + 200, 4096 / size_of::<T>(), Rng::new(19));
    for (m, n) in [(401_usize, 261), (48, 261), (5, 261), (1, 261), (101, 401), (4099, 261), (97, 131), (260, 770)] {
        let a = Layout { pad: if n < 768 { m.next_multiple_of(page) - m } else { 0 }, ..Layout::COLS };
        for c in [Layout::ROWS, Layout { pad: 7, ..Layout::ROWS }] {
            let case = Case::<T>::new((m, n, k), [a, Layout::ROWS, c], &mut rng).scaled(0.5, 2.0, &mut rng);
            case.verify_sample(&execs(), 200, &mut rng);
            case.finished(Activation::Tanh, &mut rng).verify_sample(&sequential_execs(), 200, &mut rng);
        }
    }
}

/// Padding, negative strides and no unit stride, in every combination over A, B and C; canaries lie in the gaps.
fn every_layout<T: Float>() {
    let mut rng = Rng::new(4);
    for a in Layout::ALL {
        for b in Layout::ALL {
            for c in Layout::ALL {
                for (shape, beta) in [((5, 2 * T::LANES + 3, 4), 0.0), ((T::LANES + 1, 3, 18), -0.5)] {
                    Case::<T>::new(shape, [a, b, c], &mut rng).scaled(2.0, beta, &mut rng).verify(&sequential_execs());
                }
            }
        }
    }
}

/// The shapes and strides for which B is copied first.
fn packed_operands<T: Float>() {
    let mut rng = Rng::new(5);
    let elements = |bytes: usize| bytes / size_of::<T>();
    let aliased = |cols: usize| Layout { pad: elements(4096) - cols, ..Layout::ROWS };
    let cases = [
        // Narrow tiles over more than 64 KiB of B.
        ((33, T::LANES + 3, elements(4096)), Layout::ROWS),
        // Rows of B a multiple of 4 KiB apart.
        ((32, 100, 70), aliased(100)),
        ((40, 17, kc::<T>() + 3), aliased(17)),
        // A B of 2 MiB or more, and one without unit stride.
        ((128, elements(4096), kc::<T>() + 9), Layout::ROWS),
        ((33, 130, 90), Layout { gap: 1, ..Layout::ROWS }),
        ((33, 131, 90), Layout { flip_rows: true, ..Layout::COLS }),
    ];
    for (shape, b) in cases {
        for c in [Layout::ROWS, Layout { pad: 7, ..Layout::COLS }, Layout { gap: 1, ..Layout::ROWS }] {
            let case = Case::<T>::new(shape, [Layout::ROWS, b, c], &mut rng).scaled(0.75, 1.0, &mut rng);
            case.verify_sample(&sequential_execs(), 200, &mut rng);
        }
    }
}

/// A row, a column, both: where the rival paths (dot products, one-row tiles) lie close together.
fn vectors<T: Float>() {
    let mut rng = Rng::new(6);
    for (m, n, k) in [(1, 300, 200), (300, 1, 200), (1, 1, 3000), (200, 300, 1), (4, 1, 999), (1, 5, 999)] {
        for layouts in transpositions() {
            let case = Case::<T>::new((m, n, k), layouts, &mut rng).scaled(-0.5, 2.0, &mut rng);
            case.verify_sample(&sequential_execs(), 100, &mut rng);
        }
    }
}

/// Outer products, with whole vectors to a row and without, and the widths and depths beside theirs.
fn few_steps<T: Float>() {
    let mut rng = Rng::new(9);
    for k in 1..=5 {
        for n in [4 * T::LANES - 1, 4 * T::LANES, 4 * T::LANES + 3, 131] {
            for layouts in transpositions() {
                Case::<T>::new((9, n, k), layouts, &mut rng).verify(&sequential_execs());
            }
            let padded = [Layout::ROWS, Layout { pad: 3, ..Layout::ROWS }, Layout { pad: 5, ..Layout::ROWS }];
            Case::<T>::new((7, n, k), padded, &mut rng).verify(&sequential_execs());
        }
    }
}

fn long_k<T: Float>() {
    let mut rng = Rng::new(7);
    for layouts in transpositions() {
        Case::<T>::new((3, 5, 100_000), layouts, &mut rng).verify(&sequential_execs());
    }
}

/// Sums below 2²⁴ have one value, whatever the order.
fn integers_are_exact<T: Float>() {
    let mut rng = Rng::new(8);
    for (m, n, k) in [(6, 6, 6), (31, 50, 600), (100, 10, 1030)] {
        for layouts @ [a, b, c] in transpositions() {
            let mut case = Case::<T>::new((m, n, k), layouts, &mut rng).scaled(-0.5, 2.0, &mut rng);
            case.a = Strided::new(a, m, k, |_, _| rng.integer());
            case.b = Strided::new(b, k, n, |_, _| rng.integer());
            case.c = Strided::new(c, m, n, |_, _| rng.integer());
            for exec in sequential_execs() {
                let result = case.run(exec);
                for _ in 0..100 {
                    let (i, j) = (rng.below(m), rng.below(n));
                    let exact = Expected { bound: 0.0, ..case.expected(i, j) };
                    case.check_element(exec, &result, (i, j), exact);
                }
            }
        }
    }
}

/// Bias and activation, over one block of k and over two, on every kind of C.
fn epilogues<T: Float>() {
    let mut rng = Rng::new(9);
    let activations = [Activation::Identity, Activation::Relu, Activation::Sigmoid, Activation::Tanh];
    for activation in activations {
        for c in Layout::ALL {
            for b in [Layout::ROWS, Layout::COLS] {
                for shape in [(1, 1, 1), (9, 2 * T::LANES + 5, 0), (T::LANES + 2, 11, 40), (4, 37, kc::<T>() + 1)] {
                    let case = Case::<T>::new(shape, [Layout::ROWS, b, c], &mut rng);
                    let case = case.scaled(0.5, -0.5, &mut rng).finished(activation, &mut rng);
                    Case { bias: None, ..case.clone() }.verify(&sequential_execs());
                    case.verify(&sequential_execs());
                }
            }
        }
    }
}

/// Enough columns that threads share them out; work enough for seven.
fn same_bits_by_columns<T: Float>() {
    let mut rng = Rng::new(10);
    let shape @ (m, n, k) = (251, 1103, 431);
    assert!(m * n * k >= 7 * WORK_TO_CUT);
    let plain = Case::<T>::new(shape, [Layout::ROWS; 3], &mut rng);
    plain.verify_sample(&execs(), 200, &mut rng);
    let layouts = [Layout::COLS, Layout { pad: 1, ..Layout::COLS }, Layout { pad: 5, ..Layout::ROWS }];
    let full = Case::<T>::new(shape, layouts, &mut rng).scaled(-0.5, 2.0, &mut rng);
    full.finished(Activation::Tanh, &mut rng).verify_sample(&execs(), 200, &mut rng);
}

/// Few columns: threads share rows.
fn same_bits_by_rows<T: Float>() {
    let mut rng = Rng::new(11);
    let shape @ (m, n, k) = (1777, 67, 997);
    assert!(m * n * k >= 7 * WORK_TO_CUT);
    for c in [Layout::ROWS, Layout { gap: 1, ..Layout::COLS }] {
        let case = Case::<T>::new(shape, [Layout::ROWS, Layout::ROWS, c], &mut rng);
        case.finished(Activation::Relu, &mut rng).verify_sample(&execs(), 200, &mut rng);
    }
}

/// The last part is a single row, fewer than the tile has that packs B on its way.
fn same_bits_where_a_part_is_one_row<T: Float>() {
    let mut rng = Rng::new(14);
    let shape @ (m, n, k) = (97, 256, 701);
    assert!(m * n * k >= WORK_TO_CUT);
    let b = Layout { pad: 768, ..Layout::ROWS };
    let case = Case::<T>::new(shape, [Layout::ROWS, b, Layout::ROWS], &mut rng);
    let execs = sequential_execs().into_iter().flat_map(|exec| [Some(exec), exec.with_threads(17).ok()]);
    case.verify_sample(&execs.flatten().collect::<Vec<_>>(), 200, &mut rng);
}

/// A B of 16 MiB, read by whole rows for few rows of A, or copied by blocks of half the steps for some more.
fn same_bits_of_streamed_operands<T: Float>() {
    let mut rng = Rng::new(15);
    let (n, k) = (2049, (16 << 20) / size_of::<T>() / 2049 + 1);
    for m in [1, 5, 33] {
        let case = Case::<T>::new((m, n, k), [Layout::ROWS; 3], &mut rng).scaled(0.5, -2.0, &mut rng);
        case.finished(Activation::Relu, &mut rng).verify_sample(&execs(), 60, &mut rng);
    }
}

/// Few rows against contiguous columns; work enough for three.
fn same_bits_of_dot_products<T: Float>() {
    let mut rng = Rng::new(12);
    let shape @ (m, n, k) = (7, 1301, 5600);
    assert!(m * n * k >= WORK_TO_CUT);
    let case = Case::<T>::new(shape, [Layout::ROWS, Layout::COLS, Layout::ROWS], &mut rng);
    case.finished(Activation::Sigmoid, &mut rng).verify_sample(&execs(), 200, &mut rng);
}

/// The same operands at every distance from a cache line.
fn same_bits_at_every_offset<T: Float>() {
    let mut rng = Rng::new(13);
    for (m, n, k) in [(7, 41, 33), (3, 9, 100), (97, 128, 260)] {
        for b_by_columns in [false, true] {
            let (a, b): (Vec<T>, Vec<T>) = (rng.values(m * k), rng.values(k * n));
            let (b_row, b_col) = if b_by_columns { (1, k as isize) } else { (n as isize, 1) };
            let mut results = Vec::new();
            for offset in 0..16 {
                let shifted = |x: &[T]| [&vec![T::CANARY; offset], x].concat();
                let (a, b, mut c) = (shifted(&a), shifted(&b), vec![T::CANARY; offset + m * n]);
                for exec in sequential_execs() {
                    let a = MatRef::from_slice(&a[offset..], m, k).unwrap();
                    let b = MatRef::from_slice_with_strides(&b[offset..], k, n, b_row, b_col).unwrap();
                    let out = MatMut::from_slice(&mut c[offset..], m, n).unwrap();
                    exec.gemm(T::from_f64(0.3), a, b, T::ZERO, out).unwrap();
                    assert!(c[..offset].iter().all(|x| x.bits() == T::CANARY.bits()), "wrote before C");
                    results.push((exec, c[offset..].to_vec()));
                }
            }
            assert_same_bits("shifted operands", &results);
        }
    }
}
