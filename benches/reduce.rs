//! `cargo bench --bench reduce`: reductions of a slice, and of the rows and columns of matrices, one thread: ns an element, GB/s, and
//! the share of the bandwidth at which the same memory is read.

mod common;

use common::{alternate, is_test, is_wanted, values};
use roofline::{Element, Exec, Mat, Reduction};
use std::hint::black_box;

const SHAPES: [(usize, usize); 7] =
    [(1024, 10), (64, 128), (256, 256), (1024, 784), (64, 4096), (65_536, 16), (8192, 1024)];

fn main() {
    table::<f32>();
    table::<f64>();
}

fn table<T: Element>() {
    let exec = Exec::sequential();
    for (rows, cols) in SHAPES {
        let numbers = values(rows * cols, 1);
        let x = Mat::from_fn(rows, cols, |i, j| T::from_f64(numbers[i * cols + j]));
        let limit = exec.read_bandwidth(x.as_slice(), if is_test() { 1 } else { 15 });
        let [mut of_rows, mut of_columns, mut variances] = [rows, cols, cols].map(|len| vec![T::ZERO; len]);
        let mut means = of_columns.clone();
        let name = format!("{} {rows}x{cols}", T::NAME);
        if !is_wanted(&name) {
            continue;
        }
        for reduction in [Reduction::Sum, Reduction::Norm2, Reduction::Max] {
            let (x, slice) = (x.as_ref(), x.as_slice());
            let mut whole = || drop(black_box(exec.reduce(reduction, black_box(slice))));
            let mut by_row = || exec.reduce_rows(reduction, black_box(x), &mut of_rows).expect("one a row");
            let mut by_column = || exec.reduce_columns(reduction, black_box(x), &mut of_columns).expect("one a column");
            let times = alternate(&mut [&mut whole, &mut by_row, &mut by_column]);
            for (part, time) in ["whole", "rows", "columns"].into_iter().zip(times) {
                print::<T>(&format!("{name} {reduction:?} of {part}"), rows * cols, time, limit);
            }
        }
        let mut moments = || {
            exec.moments_columns(black_box(x.as_ref()), &mut means, &mut variances).expect("one a column");
        };
        let [time] = alternate(&mut [&mut moments]);
        print::<T>(&format!("{name} moments of columns"), rows * cols, time, limit);
    }
}

fn print<T: Element>(name: &str, elements: usize, time: f64, limit: f64) {
    let rate = (elements * size_of::<T>()) as f64 / time / 1e9;
    let (ns, share) = (time / elements as f64 * 1e9, 100.0 * rate / limit);
    println!("{name:34} {ns:7.3} ns/element {rate:7.1} GB/s {share:6.1} % of {limit:.1}");
}
