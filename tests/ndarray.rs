//! Arrays and views of `ndarray` as operands: the same elements, at the same addresses, whatever their strides.

#[macro_use]
mod common;

use common::{Float, Rng, assert_mentions, sequential_execs};
use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2, Axis, CowArray, ShapeBuilder, s};
use roofline::nn::Mlp;
use roofline::{Activation, Error, MatMut, MatRef, gemm};
use roofline_instances as _;

both_types!(
    views_show_the_same_elements,
    products_of_views,
    results_in_views,
    empty_views,
    broadcast_views,
    overlapping_views_to_write_are_refused,
    every_kind_of_array,
);

fn array<T: Float>(rows: usize, cols: usize, seed: u64) -> Array2<T> {
    let mut rng = Rng::new(seed);
    Array2::from_shape_simple_fn((rows, cols), || rng.integer())
}

/// What a product with β = 0 overwrites.
fn nan<T: Float>(rows: usize, cols: usize) -> Array2<T> {
    Array2::from_elem((rows, cols), T::CANARY)
}

/// Views of 6×4 out of one array of 13×13: whole steps, every sign, transposed, a corner.
fn views<T: Float>(whole: &Array2<T>) -> Vec<ArrayView2<'_, T>> {
    vec![
        whole.slice(s![..6, ..4]),
        whole.slice(s![7.., 9..]),
        whole.slice(s![..;-1, ..]).slice_move(s![..6, 3..7]),
        whole.slice(s![2..8, 1..9;2]),
        whole.slice(s![1..13;-2, 0..12;-3]),
        whole.slice(s![..4, 1..7]).reversed_axes(),
        whole.slice(s![..12;3, ..;-2]).slice_move(s![.., 1..]).reversed_axes(),
    ]
}

fn product<T: Float>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>) -> Array2<T> {
    let dot = |i, j| (0..a.ncols()).map(|p| a[[i, p]] * b[[p, j]]).fold(T::ZERO, |sum, x| sum + x);
    Array2::from_shape_fn((a.nrows(), b.ncols()), |(i, j)| dot(i, j))
}

fn views_show_the_same_elements<T: Float>() {
    let mut whole = array::<T>(13, 13, 1);
    for view in views(&whole) {
        let mat = MatRef::try_from(view).unwrap();
        assert_eq!((mat.rows(), mat.cols()), view.dim());
        assert_eq!([mat.row_stride(), mat.col_stride()], view.strides());
        for ((i, j), &x) in view.indexed_iter() {
            assert_eq!(mat.get(i, j), Some(x), "{mat:?} at ({i}, {j})");
        }
        assert_eq!(mat.get(view.nrows(), 0), None);
    }
    let mut reversed = whole.slice_mut(s![..;-1, ..;-3]);
    let expected = array(13, 5, 2);
    let mut mat = MatMut::try_from(&mut reversed).unwrap();
    assert_eq!((mat.row_stride(), mat.col_stride()), (-13, -3));
    for ((i, j), &x) in expected.indexed_iter() {
        mat.set(i, j, x).unwrap();
    }
    assert_eq!(reversed, expected);
}

/// Sums of integers: one value, whatever the order.
fn products_of_views<T: Float>() {
    let (left, right) = (array::<T>(13, 13, 3), array::<T>(13, 13, 4));
    for a in views(&left) {
        for b in views(&right) {
            let expected = product(a, b.t());
            for exec in sequential_execs() {
                let mut c = nan(6, 6);
                let (a, b) = (MatRef::try_from(a).unwrap(), MatRef::try_from(b.t()).unwrap());
                exec.gemm(T::ONE, a, b, T::ZERO, MatMut::try_from(&mut c).unwrap()).unwrap();
                assert_eq!(c, expected, "{a:?}·{b:?} on {exec:?}");
            }
        }
    }
}

/// The elements of the view get the product, all others stay.
fn results_in_views<T: Float>() {
    let (a, b) = (array::<T>(4, 7, 5), array::<T>(7, 3, 6));
    let expected = product(a.view(), b.view());
    type Slicing<T> = fn(&mut Array2<T>) -> ArrayViewMut2<'_, T>;
    let slicings: [Slicing<T>; 5] = [
        |whole| whole.slice_mut(s![2..6, 3..6]),
        |whole| whole.slice_mut(s![..8;2, 1..9;3]),
        |whole| whole.slice_mut(s![..;-3, 1..7;-2]),
        |whole| whole.slice_mut(s![..3, ..4]).reversed_axes(),
        |whole| whole.slice_mut(s![..6;-2, ..;-3]).reversed_axes(),
    ];
    for slicing in slicings {
        let old = array::<T>(10, 10, 7);
        let (mut wanted, mut whole) = (old.clone(), old);
        let mut part = slicing(&mut wanted);
        part.zip_mut_with(&expected, |c, &x| *c = x - *c);
        let minus = -T::ONE;
        let (a, b) = (MatRef::try_from(&a).unwrap(), MatRef::try_from(&b).unwrap());
        gemm(T::ONE, a, b, minus, slicing(&mut whole).try_into().unwrap()).unwrap();
        assert_eq!(whole, wanted);
    }
}

fn empty_views<T: Float>() {
    let x = array::<T>(5, 5, 8);
    for (rows, cols) in [(0, 0), (0, 5), (5, 0)] {
        let mat = MatRef::try_from(x.slice(s![..rows, ..cols])).unwrap();
        assert_eq!((mat.rows(), mat.cols(), mat.get(0, 0)), (rows, cols, None));
    }
    let (none, whole) = (x.slice(s![..0, ..]), MatRef::try_from(&x).unwrap());
    let mut c = nan::<T>(0, 5);
    gemm(T::ONE, none.try_into().unwrap(), whole, T::ZERO, (&mut c).try_into().unwrap()).unwrap();
    let mut c = array::<T>(5, 5, 9);
    let none = MatRef::try_from(none).unwrap();
    gemm(T::ONE, none.t(), none, T::ZERO, c.view_mut().try_into().unwrap()).unwrap();
    assert_eq!(c, Array2::from_elem((5, 5), T::ZERO), "a product with k = 0");
}

/// Stride 0 in one direction and in both: to read only.
fn broadcast_views<T: Float>() {
    let (row, one, b) = (array::<T>(1, 9, 10), array::<T>(1, 1, 11), array::<T>(9, 4, 12));
    for a in [row.broadcast((6, 9)).unwrap(), one.broadcast((6, 9)).unwrap()] {
        assert_eq!(a.strides()[0], 0);
        let mut c = nan(6, 4);
        gemm(T::ONE, a.try_into().unwrap(), (&b).try_into().unwrap(), T::ZERO, (&mut c).try_into().unwrap()).unwrap();
        assert_eq!(c, product(a, b.view()));
    }
    let ones = Array1::from_elem(1, T::ONE);
    let ones = ones.broadcast((1, 9)).unwrap();
    let mut c = nan(1, 4);
    gemm(T::ONE, ones.try_into().unwrap(), (&b).try_into().unwrap(), T::ZERO, (&mut c).try_into().unwrap()).unwrap();
    assert_eq!(c.row(0), b.fold_axis(Axis(0), T::ZERO, |&sum, &x| sum + x), "sums of columns");
    // More elements than memory has, each of them the same one.
    let endless = one.broadcast((isize::MAX as usize, 1)).unwrap();
    assert_eq!(MatRef::try_from(endless).unwrap().get(isize::MAX as usize - 1, 0), Some(one[[0, 0]]));
}

/// `ndarray` refuses to make one itself, in builds with debug assertions even for unsafe code; `src/ndarray.rs` tests the
/// check behind this one in every build.
fn overlapping_views_to_write_are_refused<T: Float>() {
    let mut data = vec![T::ONE; 16];
    for (row_stride, col_stride) in [(0, 1), (1, 0), (1, 1), (2, 1)] {
        let shape = (3, 3).strides((row_stride, col_stride));
        assert!(ArrayViewMut2::from_shape(shape, &mut data).is_err());
        if cfg!(debug_assertions) {
            continue;
        }
        // SAFETY: for the test: the elements are in `data`, and none is reached through the view.
        let view = unsafe { ArrayViewMut2::from_shape_ptr(shape, data.as_mut_ptr()) };
        let error = MatMut::try_from(view).unwrap_err();
        assert!(matches!(error, Error::SelfOverlap { .. }), "{error}");
        assert_mentions(&error, &["3×3", &format!("({row_stride}, {col_stride})")]);
    }
}

fn every_kind_of_array<T: Float>() {
    let mut owned = array::<T>(3, 4, 13);
    let (shared, cow) = (owned.to_shared(), CowArray::from(owned.view()));
    let [a, b, c] = [(&owned).try_into(), (&shared).try_into(), (&cow).try_into()].map(|mat| {
        let mat: MatRef<'_, T> = mat.unwrap();
        mat.get(2, 3)
    });
    assert_eq!([a, b, c], [Some(owned[[2, 3]]); 3]);
    let mut other = owned.to_shared();
    MatMut::try_from(&mut other).unwrap().set(0, 0, T::from_f64(100.0)).unwrap();
    assert_ne!(owned[[0, 0]], other[[0, 0]], "a shared array is copied before it is written");
    MatMut::try_from(&mut owned).unwrap().set(0, 0, T::from_f64(100.0)).unwrap();
    assert_eq!(owned, other);
    // Column-major memory.
    let columns = Array2::from_shape_vec((2, 3).f(), (0..6).map(|x| T::from_f64(x.into())).collect()).unwrap();
    let mat = MatRef::try_from(&columns).unwrap();
    assert_eq!((mat.row_stride(), mat.col_stride(), mat.get(1, 2)), (1, 2, Some(T::from_f64(5.0))));
}

/// The trainer and the row-wise functions take views too.
#[test]
fn other_functions_take_views() {
    let x = array::<f32>(10, 8, 14);
    let mut net = Mlp::<f32>::builder(4).dense(5, Activation::Relu).softmax(3).build().unwrap();
    let every_second = MatRef::try_from(x.slice(s![.., ..;2])).unwrap();
    let copied = x.slice(s![.., ..;2]).to_owned();
    let logits = |net: &mut Mlp<f32>, x| net.forward(x).map(|logits| logits.get(9, 2)).unwrap();
    assert_eq!(logits(&mut net, every_second), logits(&mut net, (&copied).try_into().unwrap()));
    let mut y = Array2::zeros((8, 10));
    let softmax = roofline::Exec::default().softmax(MatRef::try_from(x.t()).unwrap(), (&mut y).try_into().unwrap());
    softmax.unwrap();
    assert!(y.sum_axis(Axis(1)).iter().all(|sum: &f32| (sum - 1.0).abs() < 1e-6));
}
