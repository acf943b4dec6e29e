//! `cargo bench --bench softmax`: rows of 10 to 4 million classes, one thread: ns an element and GB/s.

mod common;

use common::{alternate, is_wanted, values};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use roofline::{Exec, Mat};
use std::hint::black_box;

const SHAPES: [(usize, usize); 6] = [(64, 10), (1024, 10), (1024, 128), (256, 1000), (16, 32_000), (1, 4_000_000)];

fn softmax(c: &mut Criterion) {
    let exec = Exec::sequential();
    let mut group = c.benchmark_group("softmax, cross-entropy, f32");
    for (rows, cols) in SHAPES {
        let logits = values(rows * cols, 1);
        let z = Mat::from_fn(rows, cols, |i, j| 8.0 * logits[i * cols + j] as f32);
        let labels: Vec<usize> = (0..rows).map(|i| i % cols).collect();
        let (mut y, mut dz) = (Mat::zeros(rows, cols), Mat::zeros(rows, cols));
        exec.softmax(z.as_ref(), y.as_mut()).expect("one shape");
        for row in y.as_slice().chunks(cols) {
            assert!(
                (row.iter().map(|&p| f64::from(p)).sum::<f64>() - 1.0).abs() < 1e-5,
                "a row of probabilities sums to 1"
            );
        }
        let name = format!("f32 {rows}x{cols}");
        if is_wanted(&name) {
            let mut plain = || exec.softmax(black_box(z.as_ref()), y.as_mut()).expect("one shape");
            let mut loss = || {
                black_box(
                    exec.softmax_cross_entropy(black_box(z.as_ref()), &labels, dz.as_mut()).expect("good labels"),
                );
            };
            let [plain, loss] = alternate(&mut [&mut plain, &mut loss]);
            let elements = (rows * cols) as f64;
            for (kernel, time) in [("softmax", plain), ("with cross-entropy", loss)] {
                let (ns, rate) = (time / elements * 1e9, 8.0 * elements / time / 1e9);
                println!("{name:14} {kernel:20} {ns:7.3} ns/element {rate:7.1} GB/s");
            }
        }
        let elements = (rows * cols) as u64;
        group.throughput(Throughput::ElementsAndBytes { elements, bytes: 8 * elements });
        group.bench_function(format!("{rows}x{cols}"), |bencher| {
            bencher.iter(|| exec.softmax_cross_entropy(black_box(z.as_ref()), &labels, dz.as_mut()));
        });
    }
    group.finish();
}

criterion_group!(benches, softmax);
criterion_main!(benches);
