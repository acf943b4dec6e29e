//! `cargo bench --bench gemv`: products of a single row (batch 1), which can be no faster than W comes from its level of the
//! caches, as a share of the bandwidth at which the same rounds read W. `-- --test` runs everything once.

mod common;

use common::{alternate, is_wanted, values};
use roofline::{Element, Exec, Mat};
use std::hint::black_box;

/// Shapes of W, k×n, and what holds it on a machine with 32 KiB, 1 MiB and 32 MiB of caches, in `f32`.
const SHAPES: [(usize, usize, &str); 7] = [
    (64, 64, "L1"),
    (256, 128, "L2"),
    (512, 256, "L2"),
    (784, 512, "L3"),
    (1024, 1024, "L3"),
    (2048, 1024, "L3"),
    (4096, 4096, "memory"),
];

fn line<T: Element>(k: usize, n: usize, level: &str) {
    let name = format!("{} {k}x{n}", T::NAME);
    if !is_wanted(&name) {
        return;
    }
    let exec = Exec::sequential();
    let row = |len: usize, seed| {
        let values = values(len, seed);
        Mat::from_fn(1, len, |_, j| T::from_f64(values[j]))
    };
    let (x, dz) = (row(k, 1), row(n, 2));
    let w = Mat::from_fn(k, n, |i, j| T::from_f64(((i + j) % 7) as f64));
    let (mut z, mut dx) = (Mat::zeros(1, n), Mat::zeros(1, k));
    let mut bandwidths = Vec::new();
    let [forward, backward, _] = alternate(&mut [
        &mut || exec.gemm(T::ONE, black_box(x.as_ref()), w.as_ref(), T::ZERO, z.as_mut()).expect("shapes agree"),
        &mut || exec.gemm(T::ONE, black_box(dz.as_ref()), w.as_ref().t(), T::ZERO, dx.as_mut()).expect("shapes agree"),
        &mut || bandwidths.push(exec.read_bandwidth(w.as_slice(), 1)),
    ]);
    bandwidths.sort_by(f64::total_cmp);
    let read = bandwidths[bandwidths.len() / 2];
    let [forward, backward] = [forward, backward].map(|seconds| size_of_val(w.as_slice()) as f64 / seconds / 1e9);
    println!(
        "{name:14} {level:6} {read:6.1} GB/s read   X.W {forward:6.1} ({:3.0} %)   dZ.Wt {backward:6.1} ({:3.0} %)",
        100.0 * forward / read,
        100.0 * backward / read
    );
}

fn main() {
    println!("one thread, {}", Exec::sequential().isa());
    for (k, n, level) in SHAPES {
        line::<f32>(k, n, level);
    }
    for (k, n, level) in SHAPES {
        line::<f64>(k, n / 2, level);
    }
}
