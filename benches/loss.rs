//! `cargo bench --bench loss`: binary cross-entropy and squared error with their gradients, one thread: ns an element, GB/s, and the
//! share of the bandwidth of a pass in place over as much memory as they move: z and y twice, dz once.

mod common;

use common::{alternate, is_wanted, read_modify_write, values};
use roofline::{Element, Exec, Isa, Mat};
use std::hint::black_box;

const SHAPES: [(usize, usize); 4] = [(64, 1), (1024, 10), (256, 784), (4096, 1000)];

fn main() {
    for isa in Isa::available().filter(|&isa| isa != Isa::Portable) {
        let exec = Exec::sequential().with_isa(isa).expect("it is available");
        for shape in SHAPES {
            line::<f32>(&exec, shape);
            line::<f64>(&exec, shape);
        }
    }
}

fn line<T: Element>(exec: &Exec, (rows, cols): (usize, usize)) {
    let name = format!("{} {} {rows}x{cols}", exec.isa(), T::NAME);
    if !is_wanted(&name) {
        return;
    }
    let matrix = |seed, map: fn(f64) -> f64| {
        let values = values(rows * cols, seed);
        Mat::from_fn(rows, cols, |i, j| T::from_f64(map(values[i * cols + j])))
    };
    let (z, y) = (matrix(1, |x| 8.0 * x), matrix(2, |x| f64::from(u8::from(x > 0.0))));
    let (mut dz, mut other) = (Mat::zeros(rows, cols), Mat::zeros(rows, cols));
    let mut memory = vec![1.0_f32; 5 * rows * cols * size_of::<T>() / 8];
    let mut sigmoid = || {
        let cost = exec.sigmoid_cross_entropy(black_box(z.as_ref()), y.as_ref(), dz.as_mut()).expect("one shape");
        black_box(cost);
    };
    let mut squares = || {
        black_box(exec.squared_error(black_box(z.as_ref()), y.as_ref(), other.as_mut()).expect("one shape"));
    };
    let mut pass = || read_modify_write(&mut memory);
    let times = alternate(&mut [&mut sigmoid, &mut squares, &mut pass]);
    let (elements, bytes) = ((rows * cols) as f64, (5 * rows * cols * size_of::<T>()) as f64);
    let limit = bytes / times[2] / 1e9;
    for (kernel, time) in ["sigmoid_cross_entropy", "squared_error"].into_iter().zip(times) {
        let (ns, rate) = (time / elements * 1e9, bytes / time / 1e9);
        println!(
            "{name:22} {kernel:22} {ns:7.3} ns/element {rate:7.1} GB/s {:6.1} % of {limit:.1}",
            100.0 * rate / limit
        );
    }
}
