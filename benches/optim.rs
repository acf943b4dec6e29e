//! `cargo bench --bench optim`: updates of 235,146 and of 10 million parameters, one thread: ns a parameter, GB/s of the
//! memory that an update must move, and the share of a plain in-place pass.

mod common;

use common::{alternate, is_wanted, read_modify_write, values};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use roofline::{AdamState, Exec, MomentumState};

/// Bytes that an update reads and writes for each f32 parameter: w twice, dw once, each state array twice.
const BYTES: [(&str, usize); 3] = [("sgd", 12), ("momentum", 20), ("adam", 28)];

fn optim(c: &mut Criterion) {
    let exec = Exec::sequential();
    for len in [235_146, 10_000_000] {
        let dw: Vec<f32> = values(len, 1).into_iter().map(|x| 1e-2 * x as f32).collect();
        let mut weights = [dw.clone(), dw.clone(), dw.clone()];
        let [w1, w2, w3] = &mut weights;
        let (mut momentum, mut adam) = (MomentumState::new(len), AdamState::new(len));
        let mut memory = vec![0.0_f32; 5 * len];
        let mut updates: [&mut dyn FnMut(); 4] = [
            &mut || exec.sgd(w1, &dw, 1e-3).expect("equal lengths"),
            &mut || exec.momentum(w2, &dw, &mut momentum, 1e-3).expect("equal lengths"),
            &mut || exec.adam(w3, &dw, &mut adam, 1e-3).expect("equal lengths"),
            &mut || read_modify_write(&mut memory),
        ];
        if is_wanted(&format!("f32 {len}")) {
            let [sgd, with_momentum, with_adam, plain] = alternate(&mut updates);
            let limit = 40.0 * len as f64 / plain / 1e9;
            for ((name, bytes), time) in BYTES.into_iter().zip([sgd, with_momentum, with_adam]) {
                let (ns, rate) = (time / len as f64 * 1e9, (bytes * len) as f64 / time / 1e9);
                let share = 100.0 * rate / limit;
                println!("f32 {name:9} {len:9} {ns:7.3} ns/parameter {rate:7.1} GB/s {share:6.1} % of {limit:.1}");
            }
        }
        let mut group = c.benchmark_group(format!("f32 {len}"));
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
