//! Views, owned matrices and the choice of how a call runs: what they accept, and the numbers in what they refuse.

use crate::common::strided::{Layout, Strided};
use crate::common::{Float, Rng, assert_mentions};
use proptest::prelude::*;
use roofline::{Error, Exec, Isa, Mat, MatMut, MatRef};
use std::collections::HashSet;

both_types!(
    views_read_their_elements,
    views_write_their_elements,
    row_ranges,
    owned_matrices,
    short_slices_are_refused,
    addresses_that_overflow_are_refused,
    empty_views_take_any_strides,
);

const MIN: isize = isize::MIN;
const MAX: isize = isize::MAX;
const HUGE: usize = usize::MAX;

fn views_read_their_elements<T: Float>() {
    let mut rng = Rng::new(1);
    for layout in Layout::ALL {
        for (rows, cols) in [(1, 1), (3, 5), (4, 1), (1, 6)] {
            let mat = Strided::<T>::new(layout, rows, cols, |_, _| rng.value());
            let view = mat.view();
            assert_eq!((view.rows(), view.cols()), (rows, cols));
            assert_eq!((view.row_stride(), view.col_stride()), (mat.row_stride, mat.col_stride));
            assert_eq!((view.t().rows(), view.t().cols()), (cols, rows));
            assert_eq!((view.t().row_stride(), view.t().col_stride()), (mat.col_stride, mat.row_stride));
            for i in 0..rows {
                for j in 0..cols {
                    assert_eq!(view.get(i, j), Some(mat.get(i, j)), "{layout:?} ({i}, {j})");
                    assert_eq!(view.t().get(j, i), Some(mat.get(i, j)), "{layout:?} ({i}, {j})");
                }
            }
            for (i, j) in [(rows, 0), (0, cols), (rows, cols), (HUGE, 0), (0, HUGE), (HUGE, HUGE)] {
                assert_eq!(view.get(i, j), None);
            }
        }
    }
}

fn views_write_their_elements<T: Float>() {
    for layout in Layout::ALL {
        let (rows, cols) = (3, 5);
        let value = |i: usize, j: usize| T::from_f64((10 * i + j) as f64);
        let mut mat = Strided::new(layout, rows, cols, |_, _| T::ZERO);
        let mut view = mat.view_mut();
        for i in 0..rows {
            for j in 0..cols {
                view.reborrow().t().set(j, i, value(i, j)).unwrap();
                assert_eq!(view.get(i, j), Some(value(i, j)));
            }
        }
        assert_mentions(&view.set(3, 0, T::ONE).unwrap_err(), &["row is 3"]);
        assert_mentions(&view.set(0, 5, T::ONE).unwrap_err(), &["column is 5"]);
        assert_eq!(view.as_ref().get(2, 4), Some(value(2, 4)));
        assert_eq!(view.get(3, 0), None);
        assert!((0..rows).all(|i| (0..cols).all(|j| mat.get(i, j) == value(i, j))));
        assert!(mat.gaps_untouched(), "{layout:?}");
    }
}

fn row_ranges<T: Float>() {
    for layout in Layout::ALL {
        let mut mat = Strided::new(layout, 6, 3, |i, j| T::from_f64((10 * i + j) as f64));
        for (start, end) in [(0, 6), (0, 0), (2, 5), (5, 6), (6, 6)] {
            let part = mat.view().row_range(start, end).unwrap();
            assert_eq!((part.rows(), part.cols()), (end - start, 3));
            assert!((start..end).all(|i| part.get(i - start, 2) == Some(mat.get(i, 2))), "{layout:?} {start}..{end}");
            assert_eq!(part.get(end - start, 0), None);
        }
        let mut part = mat.view_mut().row_range(1, 3).unwrap();
        part.set(1, 1, T::ONE).unwrap();
        assert_mentions(&part.set(2, 1, T::ONE).unwrap_err(), &["row", "2"]);
        assert_eq!(mat.get(2, 1), T::ONE);
        assert_mentions(&mat.view().row_range(0, 7).unwrap_err(), &["end", "7"]);
        assert_mentions(&mat.view().row_range(4, 2).unwrap_err(), &["start", "4"]);
        assert_mentions(&mat.view_mut().row_range(7, 7).unwrap_err(), &["7"]);
    }
}

fn owned_matrices<T: Float>() {
    for (rows, cols) in [(0, 0), (0, 3), (3, 0), (1, 1), (3, 5), (17, 9)] {
        let mut mat = Mat::<T>::from_fn(rows, cols, |i, j| T::from_f64((100 * i + j) as f64));
        assert_eq!((mat.rows(), mat.cols(), mat.as_slice().len()), (rows, cols, rows * cols));
        assert!(mat.as_slice().is_empty() || mat.as_slice().as_ptr().addr().is_multiple_of(64));
        for i in 0..rows {
            for j in 0..cols {
                assert_eq!(mat.as_ref().get(i, j), Some(T::from_f64((100 * i + j) as f64)));
                let element = mat.as_mut().get(i, j);
                assert_eq!(element, Some(mat.as_slice()[i * cols + j]));
            }
        }
        let copy = mat.clone();
        mat.as_mut_slice().fill(T::ONE);
        assert!(copy.as_slice().iter().skip(2).all(|&x| x != T::ONE));
        assert!(Mat::<T>::zeros(rows, cols).as_slice().iter().all(|&x| x == T::ZERO));
    }
}

/// One element less than the view spans.
fn short_slices_are_refused<T: Float>() {
    let mut data = [T::ZERO; 100];
    for (rows, cols, row, col, needed) in
        [(2, 3, 3, 1, 6), (2, 3, 10, 1, 13), (3, 2, 1, 5, 8), (2, 3, -10, -1, 13), (4, 4, 7, -2, 28), (9, 1, 0, 0, 1)]
    {
        let view = MatRef::from_slice_with_strides(&data[..needed], rows, cols, row, col);
        assert!(view.is_ok(), "{rows}×{cols} ({row}, {col})");
        let error = MatRef::from_slice_with_strides(&data[..needed - 1], rows, cols, row, col).unwrap_err();
        assert_eq!(error, Error::TooShort { what: "matrix", needed, found: needed - 1 });
        assert_mentions(&error, &[&format!("needs {needed}"), &format!("has {}", needed - 1)]);
        if row != 0 {
            let error = MatMut::from_slice_with_strides(&mut data[..needed - 1], rows, cols, row, col).unwrap_err();
            assert_mentions(&error, &["output", &needed.to_string()]);
        }
    }
    let error = MatRef::from_slice(&data, 10, 11).unwrap_err();
    assert_mentions(&error, &["needs 110", "has 100"]);
    assert_mentions(&MatMut::from_slice(&mut data[..7], 2, 4).unwrap_err(), &["needs 8", "has 7"]);
    assert!(MatRef::<T>::from_slice(&[], 1, 1).is_err());
}

/// Shapes and strides near the ends of their types: refused, without overflow on the way.
fn addresses_that_overflow_are_refused<T: Float>() {
    let mut data = [T::ZERO; 4];
    let strides = [MIN, MIN + 1, -1, 1, MAX - 1, MAX];
    for rows in [2, 1 << 32, HUGE / 2, HUGE - 1, HUGE] {
        for cols in [1, 2, 1 << 32, HUGE / 2 + 1, HUGE - 1, HUGE] {
            for row in strides {
                for col in strides {
                    let extent = |len: usize, stride: isize| (len as u128 - 1) * stride.unsigned_abs() as u128;
                    let fits = extent(rows, row).saturating_add(extent(cols, col)) < 4;
                    let view = MatRef::from_slice_with_strides(&data, rows, cols, row, col);
                    assert_eq!(view.is_ok(), fits, "{rows}×{cols} with strides ({row}, {col})");
                    let view = MatMut::from_slice_with_strides(&mut data, rows, cols, row, col);
                    assert!(fits || view.is_err(), "{rows}×{cols} with strides ({row}, {col})");
                }
            }
        }
    }
    assert!(MatRef::from_slice(&data, HUGE, HUGE).is_err());
    assert!(MatRef::from_slice(&data, HUGE / 2 + 1, 2).is_err(), "the product wraps to 0");
    assert!(MatRef::from_slice(&data, 2, HUGE / 2 + 1).is_err());
    let error = MatRef::from_slice_with_strides(&data, 3, 1, MIN, 1).unwrap_err();
    assert_eq!(error, Error::Overflow { rows: 3, cols: 1, row_stride: MIN, col_stride: 1 });
    assert_mentions(&error, &["3×1", &MIN.to_string()]);
}

fn empty_views_take_any_strides<T: Float>() {
    for (rows, cols) in [(0, 0), (0, 5), (5, 0), (0, HUGE), (HUGE, 0)] {
        for (row, col) in [(0, 0), (5, 1), (MIN, MAX), (MAX, MIN)] {
            let view = MatRef::<T>::from_slice_with_strides(&[], rows, cols, row, col).unwrap();
            assert_eq!((view.rows(), view.cols(), view.get(0, 0)), (rows, cols, None));
            assert!(MatMut::<T>::from_slice_with_strides(&mut [], rows, cols, row, col).is_ok());
            // A range of rows without columns has no addresses either.
            for start in [0, rows / 2, rows] {
                let part = view.row_range(start, rows).unwrap();
                assert_eq!((part.rows(), part.cols()), (rows - start, cols));
            }
        }
    }
    // A stride that is never walked may be anything.
    let data = [T::ONE; 3];
    let row = MatRef::from_slice_with_strides(&data, 1, 3, MIN, 1).unwrap();
    assert_eq!(row.get(0, 2), Some(T::ONE));
    assert_eq!(row.row_range(1, 1).unwrap().rows(), 0);
}

/// Whether two elements share an address, by trying them all.
fn overlaps(rows: usize, cols: usize, row: isize, col: isize) -> bool {
    let mut seen = HashSet::new();
    (0..rows as isize).any(|i| (0..cols as isize).any(|j| !seen.insert(i * row + j * col)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn outputs_overlap_exactly_where_two_elements_share_an_address(
        rows in 0_usize..9, cols in 0_usize..9, row in -12_isize..13, col in -12_isize..13,
    ) {
        let mut data = [0.0_f32; 200];
        let view = MatMut::from_slice_with_strides(&mut data, rows, cols, row, col);
        if overlaps(rows, cols, row, col) {
            let error = view.unwrap_err();
            let expected = Error::SelfOverlap { rows, cols, row_stride: row, col_stride: col };
            prop_assert_eq!(&error, &expected);
            assert_mentions(&error, &[&format!("{rows}×{cols}"), &format!("({row}, {col})")]);
        } else {
            prop_assert!(view.is_ok());
        }
    }
}

#[test]
fn outputs_without_strides_have_one_element() {
    for (rows, cols) in (0..4).flat_map(|rows| (0..4).map(move |cols| (rows, cols))) {
        let is_ok = MatMut::from_slice_with_strides(&mut [0.0], rows, cols, 0, 0).is_ok();
        assert_eq!(is_ok, rows * cols <= 1, "{rows}×{cols}");
    }
}

/// Rows that lie between each other's elements but never meet: the test must be exact, not a comparison of extents.
#[test]
fn interleaved_outputs_are_accepted() {
    for (rows, cols, row, col) in [(3, 2, 2, 3), (2, 5, 1, 2), (3, 3, 3, 10), (4, 3, 3, 4), (4, 3, -3, 4)] {
        let mut data = [0.0; 40];
        let mut view = MatMut::from_slice_with_strides(&mut data, rows, cols, row, col).unwrap();
        for i in 0..rows {
            (0..cols).for_each(|j| view.set(i, j, (1 + i * cols + j) as f64).unwrap());
        }
        for i in 0..rows {
            (0..cols).for_each(|j| assert_eq!(view.get(i, j), Some((1 + i * cols + j) as f64)));
        }
    }
    let product = |row, col| {
        let mut c = [f64::NAN; 8];
        let (a, b) = ([1.0, 2.0, 3.0], [10.0, 20.0]);
        let (a, b) = (MatRef::from_slice(&a, 3, 1).unwrap(), MatRef::from_slice(&b, 1, 2).unwrap());
        let out = MatMut::from_slice_with_strides(&mut c, 3, 2, row, col).unwrap();
        roofline::gemm(1.0, a, b, 0.0, out).unwrap();
        c
    };
    let found = product(2, 3);
    assert_eq!([found[0], found[2], found[4]], [10.0, 20.0, 30.0]);
    assert_eq!([found[3], found[5], found[7]], [20.0, 40.0, 60.0]);
    assert!(found[1].is_nan() && found[6].is_nan());
}

#[test]
fn threads() {
    let error = Exec::default().with_threads(0).unwrap_err();
    assert!(matches!(error, Error::OutOfRange { value: 0.0, .. }), "{error}");
    assert_mentions(&error, &["threads is 0", "at least 1"]);
    assert_eq!(Exec::sequential().threads(), 1);
    assert_eq!(Exec::default().with_threads(1).unwrap().threads(), 1);
    for threads in [2, 7, usize::MAX] {
        match Exec::sequential().with_threads(threads) {
            Ok(exec) => assert_eq!((exec.threads(), cfg!(feature = "parallel")), (threads, true)),
            Err(error) => {
                assert_eq!((&error, cfg!(feature = "parallel")), (&Error::NotParallel { threads }, false));
                assert_mentions(&error, &[&threads.to_string(), "`parallel`"]);
            }
        }
    }
    assert!(Exec::default().threads() >= 1);
}

#[test]
fn instruction_sets() {
    let available: Vec<Isa> = Isa::available().collect();
    assert_eq!(available.first(), Some(&Isa::best()));
    assert_eq!(available.last(), Some(&Isa::Portable));
    for isa in Isa::ALL {
        assert_eq!(isa.name().parse(), Ok(isa));
        assert_eq!(isa.to_string().to_uppercase().parse(), Ok(isa));
        match Exec::default().with_isa(isa) {
            Ok(exec) => assert_eq!((exec.isa(), available.contains(&isa)), (isa, true)),
            Err(error) => {
                assert_eq!(error, Error::UnavailableIsa { isa, best: Isa::best() });
                assert!(!available.contains(&isa));
            }
        }
    }
    let error = "avx9".parse::<Isa>().unwrap_err();
    assert_eq!(error, Error::UnknownIsa { name: "avx9".into() });
    assert_mentions(&error, &["`avx9`", "avx512", "avx2", "portable"]);
    // Whatever this machine has, the text names both.
    let error = Error::UnavailableIsa { isa: Isa::Avx512, best: Isa::Portable };
    assert_mentions(&error, &["avx512", "portable"]);
}

#[test]
fn choices_are_independent() {
    let exec = Exec::sequential().with_isa(Isa::Portable).unwrap();
    assert_eq!((exec.isa(), exec.threads()), (Isa::Portable, 1));
    let exec = exec.with_threads(1).unwrap();
    assert_eq!(exec.isa(), Isa::Portable);
    assert_eq!(format!("{exec:?}"), "Exec(portable, 1 threads)");
    assert!(format!("{:?}", Exec::default()).contains("pool"));
}

#[test]
fn debug_shows_shape_and_strides() {
    let view = MatRef::from_slice_with_strides(&[0.0_f32; 10], 2, 3, -4, 2).unwrap();
    assert_eq!(format!("{view:?}"), "MatRef<f32>(2×3, strides (-4, 2))");
    assert_eq!(format!("{:?}", Mat::<f64>::zeros(2, 3)), "Mat<f64>(2×3)");
}
