//! What works on rows and columns: softmax, losses, norms, reductions.

use super::passes::Operation;
use super::{Case, Effort, Group, Limit, on};
use crate::common::values;
use roofline::{Affine, AffineGradient, Element, Exec, Isa, Mat, Reduction, Statistics};
use std::hint::black_box;

pub(super) fn groups(effort: Effort) -> Vec<Group> {
    let exec = on(Isa::best(), 1);
    let classes: Vec<(usize, usize)> = effort.choose(
        vec![(4, 10)],
        vec![(1024, 10), (256, 1000)],
        vec![(64, 10), (1024, 10), (1024, 128), (256, 1000)],
        vec![(64, 10), (1024, 10), (1024, 128), (256, 1000), (16, 32_000), (1, 4_000_000)],
    );
    let shapes: Vec<(usize, usize)> = effort.choose(
        vec![(4, 24)],
        vec![(256, 512)],
        vec![(64, 256), (256, 512), (1024, 784)],
        vec![(64, 128), (64, 256), (256, 512), (1024, 784), (65_536, 16), (8192, 1024)],
    );
    let mut groups = Vec::new();
    for (rows, cols) in classes {
        groups.push(Group::new(format!("softmax {rows}x{cols}"), move || softmax::<f32>(exec, rows, cols)));
    }
    for (rows, cols) in shapes {
        let size = format!("{rows}x{cols}");
        groups.push(Group::new(format!("loss {size}"), move || losses::<f32>(exec, rows, cols)));
        groups.push(Group::new(format!("norm {size}"), move || norms::<f32>(exec, rows, cols)));
        groups.push(Group::new(format!("reduce {size}"), move || reductions::<f32>(exec, rows, cols)));
        if effort.choose(false, false, false, true) {
            groups.push(Group::new(format!("norm {size}, f64"), move || norms::<f64>(exec, rows, cols)));
            groups.push(Group::new(format!("reduce {size}, f64"), move || reductions::<f64>(exec, rows, cols)));
        }
    }
    groups
}

fn mat<T: Element>(rows: usize, cols: usize, seed: u64) -> Mat<T> {
    let values = values(rows * cols, seed);
    Mat::from_fn(rows, cols, |i, j| T::from_f64(8.0 * values[i * cols + j]))
}

/// What is the same for all cases of one shape.
#[derive(Clone, Copy)]
struct Frame {
    exec: Exec,
    family: &'static str,
    rows: usize,
    cols: usize,
}

impl Frame {
    /// A kernel that does so many operations an element (counted in f32, on rows longer than a vector), and reads or writes each of so many matrices once.
    fn case<T: Element>(self, name: &str, flops: f64, matrices: f64, run: impl FnMut() + 'static) -> Case {
        let elements = self.rows * self.cols;
        let work = (flops * elements as f64, matrices * (elements * size_of::<T>()) as f64);
        let operation = if matrices > 1.0 { Operation::Update } else { Operation::Read };
        let limit = Limit::Either(operation, work.1 as usize);
        Case::new::<T>(self.exec, (self.family, name), &[self.rows, self.cols], work, limit, run)
    }
}

fn softmax<T: Element>(exec: Exec, rows: usize, cols: usize) -> Vec<Case> {
    let frame = Frame { exec, family: "softmax", rows, cols };
    let labels: Vec<usize> = (0..rows).map(|i| i % cols).collect();
    let (z, mut y) = (mat::<T>(rows, cols, 1), Mat::zeros(rows, cols));
    let plain = move || exec.softmax(black_box(&z).as_ref(), y.as_mut()).expect("one shape");
    let (z, mut y) = (mat::<T>(rows, cols, 1), Mat::zeros(rows, cols));
    let log = move || exec.log_softmax(black_box(&z).as_ref(), y.as_mut()).expect("one shape");
    let (z, mut dz) = (mat::<T>(rows, cols, 1), Mat::zeros(rows, cols));
    let loss = move || {
        black_box(exec.softmax_cross_entropy(black_box(&z).as_ref(), &labels, dz.as_mut()).expect("good labels"));
    };
    vec![
        frame.case::<T>("softmax", 28.0, 2.0, plain),
        frame.case::<T>("log_softmax", 30.0, 2.0, log),
        frame.case::<T>("softmax_cross_entropy", 28.0, 2.0, loss),
    ]
}

fn losses<T: Element>(exec: Exec, rows: usize, cols: usize) -> Vec<Case> {
    let frame = Frame { exec, family: "loss", rows, cols };
    let zero_or_one = || Mat::from_fn(rows, cols, |i, j| if (i + j) % 3 == 0 { T::ONE } else { T::ZERO });
    let (z, y, mut dz) = (mat::<T>(rows, cols, 1), zero_or_one(), Mat::zeros(rows, cols));
    let sigmoid = move || {
        black_box(exec.sigmoid_cross_entropy(black_box(&z).as_ref(), y.as_ref(), dz.as_mut()).expect("one shape"));
    };
    let (z, y, mut dz) = (mat::<T>(rows, cols, 1), zero_or_one(), Mat::zeros(rows, cols));
    let squares = move || {
        black_box(exec.squared_error(black_box(&z).as_ref(), y.as_ref(), dz.as_mut()).expect("one shape"));
    };
    vec![
        frame.case::<T>("sigmoid_cross_entropy", 93.0, 3.0, sigmoid),
        frame.case::<T>("squared_error", 5.0, 3.0, squares),
    ]
}

fn norms<T: Element>(exec: Exec, rows: usize, cols: usize) -> Vec<Case> {
    let frame = Frame { exec, family: "norm", rows, cols };
    vec![
        frame.case::<T>("batch_norm", 9.0, 2.0, forward::<T>(exec, rows, cols, true)),
        frame.case::<T>("batch_norm_grad", 10.0, 3.0, backward::<T>(exec, rows, cols, true)),
        frame.case::<T>("layer_norm", 9.0, 2.0, forward::<T>(exec, rows, cols, false)),
        frame.case::<T>("layer_norm_grad", 18.0, 3.0, backward::<T>(exec, rows, cols, false)),
    ]
}

fn forward<T: Element>(exec: Exec, rows: usize, cols: usize, of_columns: bool) -> impl FnMut() + 'static {
    let (x, mut y, ones) = (mat::<T>(rows, cols, 1), Mat::zeros(rows, cols), vec![T::ONE; cols]);
    let mut statistics = Statistics::new(if of_columns { cols } else { rows });
    move || {
        let affine = Affine { gamma: &ones, beta: &ones, epsilon: 1e-5 };
        let x = black_box(&x).as_ref();
        if of_columns {
            exec.batch_norm(x, affine, &mut statistics, y.as_mut()).expect("one shape");
        } else {
            exec.layer_norm(x, affine, &mut statistics, y.as_mut()).expect("one shape");
        }
    }
}

fn backward<T: Element>(exec: Exec, rows: usize, cols: usize, of_columns: bool) -> impl FnMut() + 'static {
    let (x, dy, mut dx) = (mat::<T>(rows, cols, 1), mat::<T>(rows, cols, 2), Mat::zeros(rows, cols));
    let ones = vec![T::ONE; cols];
    let (mut dgamma, mut dbeta) = (ones.clone(), ones.clone());
    let mut statistics = Statistics::new(if of_columns { cols } else { rows });
    let affine = Affine { gamma: &ones, beta: &ones, epsilon: 1e-5 };
    if of_columns {
        exec.batch_norm(x.as_ref(), affine, &mut statistics, dx.as_mut()).expect("one shape");
    } else {
        exec.layer_norm(x.as_ref(), affine, &mut statistics, dx.as_mut()).expect("one shape");
    }
    move || {
        let affine = Affine { gamma: &ones, beta: &ones, epsilon: 1e-5 };
        let gradient = AffineGradient { gamma: &mut dgamma, beta: &mut dbeta };
        let pair = (black_box(&x).as_ref(), dy.as_ref());
        if of_columns {
            exec.batch_norm_grad(pair, affine, &statistics, dx.as_mut(), gradient).expect("one shape");
        } else {
            exec.layer_norm_grad(pair, affine, &statistics, dx.as_mut(), gradient).expect("one shape");
        }
    }
}

fn reductions<T: Element>(exec: Exec, rows: usize, cols: usize) -> Vec<Case> {
    let frame = Frame { exec, family: "reduce", rows, cols };
    let (x, mut of_rows) = (mat::<T>(rows, cols, 1), vec![T::ZERO; rows]);
    let by_row = move || exec.reduce_rows(Reduction::Sum, black_box(&x).as_ref(), &mut of_rows).expect("one a row");
    let (x, mut of_columns) = (mat::<T>(rows, cols, 1), vec![T::ZERO; cols]);
    let by_column =
        move || exec.reduce_columns(Reduction::Sum, black_box(&x).as_ref(), &mut of_columns).expect("one a column");
    let (x, mut means) = (mat::<T>(rows, cols, 1), vec![T::ZERO; cols]);
    let mut variances = means.clone();
    let moments = move || {
        exec.moments_columns(black_box(&x).as_ref(), &mut means, &mut variances).expect("one a column");
    };
    vec![
        frame.case::<T>("sum of rows", 1.0, 1.0, by_row),
        frame.case::<T>("sum of columns", 1.0, 1.0, by_column),
        frame.case::<T>("moments of columns", 6.0, 1.0, moments),
    ]
}
