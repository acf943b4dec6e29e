//! `cargo bench --bench optim`: every update rule on one thread, from 1,024 to 10 million parameters: ns a parameter, GB/s of the
//! memory that an update must move, and the share of a plain pass that reads and writes as many arrays in place.

mod common;

use common::{alternate, is_wanted, values};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use roofline::{AdamState, Exec, MomentumState, RmsPropState};
use std::hint::black_box;

/// Bytes that an update reads and writes for each f32 parameter: w twice, dw once, each moment twice.
const BYTES: [(&str, usize); 6] =
    [("sgd", 12), ("momentum", 20), ("nesterov", 20), ("rmsprop", 20), ("adam", 28), ("adamw", 28)];

/// Reads `read` and reads and writes `written` in place: what an update can hope for. Plain code, which the compiler turns into
/// vectors of the build target.
fn pass<const N: usize>(read: &[f32], mut written: [&mut [f32]; N]) {
    for i in 0..read.len() {
        for array in &mut written {
            array[i] -= read[i];
        }
    }
}

fn optim(c: &mut Criterion) {
    let exec = Exec::sequential();
    for len in [1024, 65_536, 235_146, 10_000_000] {
        let dw: Vec<f32> = values(len, 1).into_iter().map(|x| 1e-2 * x as f32).collect();
        let mut weights: [Vec<f32>; 6] = core::array::from_fn(|_| dw.clone());
        let [w1, w2, w3, w4, w5, w6] = &mut weights;
        let (mut momentum, mut nesterov, mut rmsprop) =
            (MomentumState::new(len), MomentumState::new(len), RmsPropState::new(len));
        let (mut adam, mut adamw) = (AdamState::new(len), AdamState::new(len));
        let mut memory: [Vec<f32>; 3] = core::array::from_fn(|_| vec![0.0_f32; len]);
        let memory = std::cell::RefCell::new(&mut memory);
        let (mut of_sgd, mut of_momentum, mut of_adam) = (
            || pass(black_box(&dw), [&mut memory.borrow_mut()[0][..len]]),
            || {
                let [a, b, _] = &mut **memory.borrow_mut();
                pass(black_box(&dw), [&mut a[..len], &mut b[..len]]);
            },
            || {
                let [a, b, c] = &mut **memory.borrow_mut();
                pass(black_box(&dw), [&mut a[..len], &mut b[..len], &mut c[..len]]);
            },
        );
        let mut updates: [&mut dyn FnMut(); 9] = [
            &mut || exec.sgd(w1, &dw, 1e-3).expect("equal lengths"),
            &mut || exec.momentum(w2, &dw, &mut momentum, 1e-3).expect("equal lengths"),
            &mut || exec.nesterov(w3, &dw, &mut nesterov, 1e-3).expect("equal lengths"),
            &mut || exec.rmsprop(w4, &dw, &mut rmsprop, 1e-3).expect("equal lengths"),
            &mut || exec.adam(w5, &dw, &mut adam, 1e-3).expect("equal lengths"),
            &mut || exec.adamw(w6, &dw, &mut adamw, 1e-3, 1e-2).expect("equal lengths"),
            &mut of_sgd,
            &mut of_momentum,
            &mut of_adam,
        ];
        if is_wanted(&format!("f32 {len}")) {
            let [times @ .., sgd, two, three] = alternate(&mut updates);
            let times: [f64; 6] = times;
            for ((name, bytes), time) in BYTES.into_iter().zip(times) {
                let plain = [sgd, two, three][(bytes - 12) / 8];
                let (ns, rate) = (time / len as f64 * 1e9, (bytes * len) as f64 / time / 1e9);
                let (share, limit) = (100.0 * plain / time, (bytes * len) as f64 / plain / 1e9);
                println!("f32 {name:9} {len:9} {ns:7.3} ns/parameter {rate:7.1} GB/s {share:6.1} % of {limit:.1}");
            }
        }
        let mut group = c.benchmark_group(format!("optim f32 {len}"));
        group.sample_size(10);
        for ((name, bytes), update) in BYTES.into_iter().zip(&mut updates) {
            group.throughput(Throughput::ElementsAndBytes { elements: len as u64, bytes: (bytes * len) as u64 });
            group.bench_function(name, |bencher| bencher.iter(&mut **update));
        }
        group.finish();
    }
}

criterion_group!(benches, optim);
criterion_main!(benches);
