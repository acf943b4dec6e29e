//! Products: squares, transposed operands, the three of a dense layer, and a grid of m and n.

use super::passes::Operation;
use super::{Case, Effort, Group, Limit, on};
use crate::common::values;
use crate::document::names::{GRID, LAYER, LAYOUTS};
use roofline::{Element, Exec, Isa, Mat};
use std::hint::black_box;

/// The side up to which instruction sets without FMA are measured: they are slow.
const MOST_PORTABLE: usize = 512;
/// Steps of the products of the grid.
const GRID_K: usize = 256;
/// Inputs and outputs of the layer.
const INPUTS: usize = 784;
const OUTPUTS: usize = 512;
/// Products of which one side is at most this have so few operations for each byte that memory may be the limit.
const SKINNY: usize = 32;

/// C (m×n) ← A·B over k steps, with operands that are stored transposed where `ta` and `tb` say so.
#[derive(Clone, Copy)]
struct Shape {
    name: &'static str,
    m: usize,
    n: usize,
    k: usize,
    ta: bool,
    tb: bool,
}

pub(super) fn groups(effort: Effort) -> Vec<Group> {
    let all = Exec::default().threads();
    let squares: Vec<usize> = effort.choose(
        vec![16, 40],
        vec![16, 64, 256, 512],
        vec![16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024],
        vec![16, 24, 31, 32, 48, 64, 96, 100, 128, 192, 256, 333, 384, 511, 512, 768, 1000, 1024, 1536, 2048],
    );
    let batches: Vec<usize> = effort.choose(
        vec![1, 8],
        vec![1, 8, 64, 256],
        vec![1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
        vec![1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024],
    );
    let sides: Vec<usize> = effort.choose(
        vec![1, 8],
        vec![1, 4, 16, 64, 256, 512],
        vec![1, 2, 4, 8, 10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512],
        vec![1, 2, 3, 4, 6, 7, 8, 10, 12, 16, 24, 31, 32, 48, 64, 96, 100, 128, 192, 256, 384, 512, 768, 1024],
    );
    let mut groups: Vec<Group> =
        squares.iter().map(|&n| Group::new(format!("gemm {n}³"), move || squares_of(effort, n))).collect();
    groups.extend(batches.iter().map(|&batch| Group::new(format!("gemm, batch {batch}"), move || layer(batch, 1))));
    groups.extend(sides.clone().into_iter().map(|m| {
        let sides = sides.clone();
        Group::new(format!("gemm, {m} rows"), move || row(m, &sides))
    }));
    if all > 1 {
        let name = |what: String| format!("gemm {what}, {all} threads");
        let large = squares.into_iter().filter(|&n| n >= 32);
        groups.extend(large.map(|n| Group::new(name(format!("{n}³")), move || on_threads(n, all))));
        groups.extend(
            batches.into_iter().map(|batch| Group::new(name(format!("batch {batch}")), move || layer(batch, all))),
        );
    }
    groups
}

fn square(n: usize, layout: usize) -> Shape {
    Shape { name: LAYOUTS[layout], m: n, n, k: n, ta: layout & 2 != 0, tb: layout & 1 != 0 }
}

/// One size, on one thread: both types on each instruction set, and each layout.
fn squares_of(effort: Effort, n: usize) -> Vec<Case> {
    let mut cases = Vec::new();
    for isa in Isa::available() {
        let is_slow = isa == Isa::Portable && Isa::available().count() > 1;
        if is_slow && n > effort.choose(0, 64, MOST_PORTABLE, MOST_PORTABLE) {
            continue;
        }
        cases.push(case::<f32>(on(isa, 1), square(n, 0), Limit::Peak));
        cases.push(case::<f64>(on(isa, 1), square(n, 0), Limit::Peak));
    }
    cases.extend((1..LAYOUTS.len()).map(|layout| case::<f32>(on(Isa::best(), 1), square(n, layout), Limit::Peak)));
    cases
}

fn on_threads(n: usize, threads: usize) -> Vec<Case> {
    let exec = on(Isa::best(), threads);
    vec![case::<f32>(exec, square(n, 0), Limit::Peak), case::<f64>(exec, square(n, 0), Limit::Peak)]
}

/// X·W, dZ·Wᵀ and Xᵀ·dZ of one mini-batch. Of a small one, what is not small sets the limit: W that is read, dW that is written.
fn layer(batch: usize, threads: usize) -> Vec<Case> {
    let exec = on(Isa::best(), threads);
    let shapes = [
        Shape { name: LAYER[0], m: batch, n: OUTPUTS, k: INPUTS, ta: false, tb: false },
        Shape { name: LAYER[1], m: batch, n: INPUTS, k: OUTPUTS, ta: false, tb: true },
        Shape { name: LAYER[2], m: INPUTS, n: OUTPUTS, k: batch, ta: true, tb: false },
    ];
    let limit = |operation| if batch <= SKINNY { Limit::Either(operation, 4 * INPUTS * OUTPUTS) } else { Limit::Peak };
    let operations = [Operation::Read, Operation::Read, Operation::Write];
    shapes.into_iter().zip(operations).map(|(shape, operation)| case::<f32>(exec, shape, limit(operation))).collect()
}

fn row(m: usize, columns: &[usize]) -> Vec<Case> {
    let case = |n: usize| {
        // A power of two, so that few different passes take part.
        let held = (4 * (m * GRID_K + GRID_K * n + m * n)).next_power_of_two();
        let limit = if m.min(n) <= SKINNY { Limit::Either(Operation::Read, held) } else { Limit::Peak };
        case::<f32>(on(Isa::best(), 1), Shape { name: GRID, m, n, k: GRID_K, ta: false, tb: false }, limit)
    };
    columns.iter().map(|&n| case(n)).collect()
}

fn case<T: Element>(exec: Exec, shape: Shape, limit: Limit) -> Case {
    let Shape { name, m, n, k, ta, tb } = shape;
    let stored = |rows: usize, cols: usize, transposed: bool, seed: u64| {
        let (rows, cols) = if transposed { (cols, rows) } else { (rows, cols) };
        let values = values(rows * cols, seed);
        Mat::<T>::from_fn(rows, cols, |i, j| T::from_f64(values[i * cols + j]))
    };
    let (a, b, mut c) = (stored(m, k, ta, 1), stored(k, n, tb, 2), Mat::<T>::zeros(m, n));
    let flops = 2.0 * m as f64 * n as f64 * k as f64;
    let bytes = (size_of::<T>() * (m * k + k * n + m * n)) as f64;
    Case::new::<T>(exec, ("gemm", name), &[m, n, k], (flops, bytes), limit, move || {
        let (a, b) = (black_box(&a).as_ref(), b.as_ref());
        let (a, b) = (if ta { a.t() } else { a }, if tb { b.t() } else { b });
        exec.gemm(T::ONE, a, b, T::ZERO, c.as_mut()).expect("shapes agree");
    })
}
