//! `cargo bench --bench activation`: elementwise kernels in L2 and out of cache, one thread: ns an element, GB/s, and the
//! share of a plain in-place pass over the same memory.

mod common;

use common::{alternate, is_wanted, read_modify_write, values};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use roofline::{Element, Exec};
use std::hint::black_box;

type Kernel<T> = fn(&Exec, &[T], &mut [T]) -> Result<(), roofline::Error>;

fn kernels<T: Element>() -> [(&'static str, Kernel<T>); 5] {
    [
        ("relu", |exec, x, y| exec.relu(x, y)),
        ("exp", |exec, x, y| exec.exp(x, y)),
        ("log", |exec, x, y| exec.log(x, y)),
        ("sigmoid", |exec, x, y| exec.sigmoid(x, y)),
        ("tanh", |exec, x, y| exec.tanh(x, y)),
    ]
}

fn table<T: Element>(len: usize) {
    let x: Vec<T> = values(len, 1).into_iter().map(|x| T::from_f64(4.0 * x.abs() + 0.1)).collect();
    let (mut y, mut memory) = (x.clone(), vec![0.0_f32; 2 * len * size_of::<T>() / 4]);
    let exec = Exec::sequential();
    for (name, kernel) in kernels::<T>() {
        let name = format!("{} {name} {len}", T::NAME);
        if !is_wanted(&name) {
            continue;
        }
        let mut ours = || kernel(&exec, black_box(&x), &mut y).expect("equal lengths");
        let mut limit = || read_modify_write(&mut memory);
        let [time, plain] = alternate(&mut [&mut ours, &mut limit]);
        let (bytes, limit_bytes) = ((2 * len * size_of::<T>()) as f64, (4 * len * size_of::<T>()) as f64);
        let (rate, limit) = (bytes / time / 1e9, limit_bytes / plain / 1e9);
        let share = 100.0 * rate / limit;
        println!("{name:24} {:7.3} ns/element {rate:7.1} GB/s {share:6.1} % of {limit:.1}", time / len as f64 * 1e9);
    }
}

fn activation(c: &mut Criterion) {
    for len in [1 << 14, 1 << 23] {
        table::<f32>(len);
        table::<f64>(len);
    }
    let (len, exec) = (1 << 16, Exec::sequential());
    let x: Vec<f32> = values(len, 2).into_iter().map(|x| x as f32).collect();
    let mut y = x.clone();
    let mut group = c.benchmark_group("f32 65536");
    group.throughput(Throughput::ElementsAndBytes { elements: len as u64, bytes: 8 * len as u64 });
    for (name, kernel) in kernels::<f32>() {
        group.bench_function(name, |bencher| bencher.iter(|| kernel(&exec, black_box(&x), &mut y)));
    }
    group.finish();
}

criterion_group!(benches, activation);
criterion_main!(benches);
