//! `cargo bench --bench activation`: elementwise kernels in L2 and out of cache, one thread on each instruction set, then two:
//! ns an element, GB/s, and the share of a plain in-place pass of one thread over the same memory.

mod common;

use common::{alternate_after, is_test, is_wanted, read_modify_write, values};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use roofline::{Element, Exec, Isa};
use std::hint::black_box;
use std::time::Duration;

type Kernel<T> = fn(&Exec, &[T], &mut [T]) -> Result<(), roofline::Error>;

/// Gradients take x for dy too: a read more, from memory that is at hand.
fn kernels<T: Element>() -> Vec<(&'static str, Kernel<T>)> {
    macro_rules! kernels {
        ($($plain:ident)*; $($gradient:ident)*) => {
            vec![
                $((stringify!($plain), (|exec, x, y| exec.$plain(x, y)) as Kernel<T>),)*
                $((stringify!($gradient), |exec, x, y| exec.$gradient(x, x, y)),)*
            ]
        };
    }
    kernels! {
        relu leaky_relu exp exp_m1 log ln_1p erf erfc sigmoid tanh elu gelu gelu_tanh silu softplus;
        sigmoid_grad tanh_grad elu_grad gelu_grad gelu_tanh_grad silu_grad softplus_grad
    }
}

/// In which a helper comes that fell asleep.
const WAKE: Duration = Duration::from_millis(10);

/// Instruction sets on one thread, and two threads where there are cores for them.
fn ways() -> Vec<(String, Exec)> {
    let isas = Isa::available().filter(|&isa| isa != Isa::Portable);
    let on = |isa: Isa| (isa.to_string(), Exec::sequential().with_isa(isa).expect("it is available"));
    let two = Exec::default().with_threads(2).ok().filter(|_| Exec::default().threads() > 1);
    isas.map(on).chain(two.map(|exec| ("2 threads".into(), exec))).collect()
}

fn table<T: Element>(way: &str, exec: Exec, len: usize) {
    // Logarithms give NaN for the negative ones, in the same time.
    let x: Vec<T> = values(len, 1).into_iter().map(|x| T::from_f64(8.0 * x)).collect();
    let (mut y, mut memory) = (x.clone(), vec![0.0_f32; 2 * len * size_of::<T>() / 4]);
    let wake = if exec.threads() > 1 && !is_test() { WAKE } else { Duration::ZERO };
    for (name, kernel) in kernels::<T>() {
        let name = format!("{way} {} {name} {len}", T::NAME);
        if !is_wanted(&name) {
            continue;
        }
        let mut ours = || kernel(&exec, black_box(&x), &mut y).expect("equal lengths");
        let mut limit = || read_modify_write(&mut memory);
        let [time, plain] = alternate_after(wake, &mut [&mut ours, &mut limit]);
        let (bytes, limit_bytes) = ((2 * len * size_of::<T>()) as f64, (4 * len * size_of::<T>()) as f64);
        let (rate, limit) = (bytes / time / 1e9, limit_bytes / plain / 1e9);
        let share = 100.0 * rate / limit;
        println!("{name:34} {:7.3} ns/element {rate:7.1} GB/s {share:6.1} % of {limit:.1}", time / len as f64 * 1e9);
    }
}

fn activation(c: &mut Criterion) {
    for (way, exec) in ways() {
        for len in [1 << 12, 1 << 16, 1 << 18, 1 << 23].into_iter().take(if is_test() { 1 } else { 4 }) {
            table::<f32>(&way, exec, len);
            table::<f64>(&way, exec, len);
        }
    }
    let (len, exec) = (1 << 16, Exec::sequential());
    let x: Vec<f32> = values(len, 2).into_iter().map(|x| x as f32).collect();
    let mut y = x.clone();
    let mut group = c.benchmark_group("activation f32 65536");
    group.throughput(Throughput::ElementsAndBytes { elements: len as u64, bytes: 8 * len as u64 });
    for (name, kernel) in kernels::<f32>() {
        group.bench_function(name, |bencher| bencher.iter(|| kernel(&exec, black_box(&x), &mut y)));
    }
    group.finish();
}

criterion_group!(benches, activation);
criterion_main!(benches);
