//! `cargo bench --bench norm`: normalised inputs, batch norm and layer norm, forward and backward, one thread: ns an element, GB/s of
//! what is read and written at least once, and its share of the bandwidth of a pass in place over as much memory.

mod common;

use common::{alternate, is_test, is_wanted, read_modify_write, values};
use roofline::{Affine, AffineGradient, Element, Exec, Isa, Mat, Statistics};
use std::hint::black_box;

const SHAPES: [(usize, usize); 6] = [(64, 128), (64, 256), (256, 512), (1024, 784), (65_536, 16), (8192, 1024)];

fn main() {
    for isa in Isa::available().filter(|&isa| isa != Isa::Portable) {
        let exec = Exec::sequential().with_isa(isa).expect("it is available");
        table::<f32>(&exec);
        table::<f64>(&exec);
    }
}

fn table<T: Element>(exec: &Exec) {
    for (rows, cols) in SHAPES {
        let name = format!("{} {} {rows}x{cols}", exec.isa(), T::NAME);
        if !is_wanted(&name) || (is_test() && rows * cols > 1 << 20) {
            continue;
        }
        let numbers = values(rows * cols, 1);
        let x = Mat::from_fn(rows, cols, |i, j| T::from_f64(numbers[i * cols + j]));
        let dy = Mat::from_fn(rows, cols, |i, j| T::from_f64(numbers[(i * cols + j) / 2]));
        let ones = vec![T::ONE; cols];
        let affine = Affine { gamma: &ones, beta: &ones, epsilon: 1e-5 };
        let (mut of_columns, mut of_rows) = (Statistics::new(cols), Statistics::new(rows));
        let [mut dgamma, mut dbeta] = [ones.clone(), ones.clone()];
        let mut to = [(); 5].map(|()| Mat::zeros(rows, cols));
        let [standard, y, dx, layer_y, layer_dx] = &mut to;
        let mut copy = vec![0.0_f32; rows * cols * size_of::<T>() / 4];

        exec.batch_norm(x.as_ref(), affine, &mut of_columns, y.as_mut()).expect("one shape");
        exec.layer_norm(x.as_ref(), affine, &mut of_rows, layer_y.as_mut()).expect("one shape");
        let (batch, layer) = (of_columns.clone(), of_rows.clone());
        let (x, pair) = (x.as_ref(), (x.as_ref(), dy.as_ref()));
        let mut standardize = || exec.standardize(&batch, black_box(x), standard.as_mut()).expect("one shape");
        let mut forward = || exec.batch_norm(black_box(x), affine, &mut of_columns, y.as_mut()).expect("one shape");
        let mut backward = || {
            let gradient = AffineGradient { gamma: &mut dgamma, beta: &mut dbeta };
            exec.batch_norm_grad(black_box(pair), affine, &batch, dx.as_mut(), gradient).expect("one shape");
        };
        let mut layer_forward =
            || exec.layer_norm(black_box(x), affine, &mut of_rows, layer_y.as_mut()).expect("one shape");
        let (mut layer_dgamma, mut layer_dbeta) = (ones.clone(), ones.clone());
        let mut layer_backward = || {
            let gradient = AffineGradient { gamma: &mut layer_dgamma, beta: &mut layer_dbeta };
            exec.layer_norm_grad(black_box(pair), affine, &layer, layer_dx.as_mut(), gradient).expect("one shape");
        };
        let mut pass = || read_modify_write(&mut copy);
        let times = alternate(&mut [
            &mut standardize,
            &mut forward,
            &mut backward,
            &mut layer_forward,
            &mut layer_backward,
            &mut pass,
        ]);
        let bytes = (rows * cols * size_of::<T>()) as f64;
        let limit = 2.0 * bytes / times[5] / 1e9;
        let kernels = [
            ("standardize", 2.0),
            ("batch norm", 2.0),
            ("batch norm gradient", 3.0),
            ("layer norm", 2.0),
            ("layer norm gradient", 3.0),
        ];
        for ((kernel, passes), time) in kernels.into_iter().zip(times) {
            let (ns, rate) = (time / (rows * cols) as f64 * 1e9, passes * bytes / time / 1e9);
            let share = 100.0 * rate / limit;
            println!("{name:24} {kernel:20} {ns:7.3} ns/element {rate:7.1} GB/s {share:6.1} % of {limit:.1}");
        }
    }
}
