//! `cargo bench --bench train_step`: forward, backward and update of 784-256-128-10, ReLU, Adam, f32, at mini-batches of 1
//! to 4096: samples/s, GFLOP/s of the matrix products, their share of the FMA peak, and the share of the roofline model: its time over
//! that of the step, where
//!
//! ```text
//! time of the model = flops/peak + bytes/bandwidth
//! flops     = 2·n⁽ˡ⁻¹⁾·n⁽ˡ⁾ for each product of the step, for each example (Mlp::step_flops)
//! bytes     = 8·4 for each parameter, whatever the batch: w, dw, v and s are read once and written once
//! peak      = that of FMA, on one thread, measured in the same rounds
//! bandwidth = of a plain pass that reads and writes in place as many bytes, on one thread, measured in the same rounds
//! ```
//!
//! Contestants take turns. The first steps of a turn are not counted: helpers fell asleep in the others', and in training, step after
//! step, they do not. On N threads the model takes an N-th of its time. Activations, cost and inputs are not in it.
//! `benches/peers/pytorch.py train_step` prints the samples/s of PyTorch, `benches/burn` those of burn.

mod common;

use common::{alternate_after, is_wanted, read_modify_write, values};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use roofline::nn::{Mlp, Optimizer};
use roofline::{Activation, Exec, Mat};
use std::hint::black_box;
use std::time::Duration;

const BATCHES: [usize; 12] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096];
/// How long the steps of a turn are not counted.
const WAKING: Duration = Duration::from_millis(5);
/// w, dw, v and s.
const ARRAYS: usize = 4;

struct Step {
    net: Mlp<f32>,
    optimizer: Optimizer<f32>,
    x: Mat<f32>,
    labels: Vec<usize>,
}

impl Step {
    fn new(batch: usize, exec: Exec) -> Self {
        let builder = Mlp::<f32>::builder(784).dense(256, Activation::Relu).dense(128, Activation::Relu).softmax(10);
        let pixels = values(batch * 784, 1);
        let x = Mat::from_fn(batch, 784, |i, j| pixels[i * 784 + j] as f32);
        let labels = (0..batch).map(|i| i % 10).collect();
        Self { net: builder.exec(exec).build().expect("a good network"), optimizer: Optimizer::adam(1e-4), x, labels }
    }

    /// The cost before the update.
    fn run(&mut self) -> f64 {
        self.net.forward(self.x.as_ref()).expect("784 inputs");
        let cost = self.net.backward(self.x.as_ref(), &self.labels).expect("good labels");
        self.net.update(&mut self.optimizer).expect("as many gradients as parameters");
        cost
    }
}

/// One line: a step on one thread and on all of them, the peak, and the pass over memory, in turn.
fn line(batch: usize) {
    let [mut one, mut all] = [Exec::sequential(), Exec::default()].map(|exec| {
        let mut step = Step::new(batch, exec);
        let first = step.run();
        let last = (0..20).map(|_| step.run()).last().expect("20 steps");
        assert!(last < first, "batch {batch}: the cost rose from {first} to {last}");
        step
    });
    let flops = one.net.step_flops() as f64;
    let mut memory = vec![0.0_f32; ARRAYS * one.net.parameters().len()];
    let mut peak = 0.0_f64;
    let times = alternate_after(
        WAKING,
        &mut [
            &mut || {
                black_box(one.run());
            },
            &mut || {
                black_box(all.run());
            },
            &mut || peak = peak.max(Exec::sequential().fma_peak::<f32>(1)),
            &mut || read_modify_write(&mut memory),
        ],
    );
    let model = batch as f64 * flops / (peak * 1e9) + times[3];
    print!("batch {batch:5}");
    for (name, threads, time) in [("one thread", 1, times[0]), ("all threads", Exec::default().threads(), times[1])] {
        let (samples, share) = (batch as f64 / time, 100.0 * model / threads as f64 / time);
        let (gflops, peak) = (samples * flops / 1e9, peak * threads as f64);
        print!("   {name} {samples:9.0} samples/s {gflops:7.1} GFLOP/s {:5.1} % of {peak:.1}", 100.0 * gflops / peak);
        print!(" {share:5.1} % of model");
    }
    println!();
}

fn train_step(c: &mut Criterion) {
    BATCHES.into_iter().filter(|batch| is_wanted(&format!("batch {batch}"))).for_each(line);
    let mut group = c.benchmark_group("train_step");
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(2));
    for (threads, exec) in [("one thread", Exec::sequential()), ("all threads", Exec::default())] {
        for batch in BATCHES {
            let mut step = Step::new(batch, exec);
            group.throughput(Throughput::Elements(batch as u64));
            group.sample_size(10);
            group.bench_function(format!("{threads} {batch}"), |bencher| bencher.iter(|| step.run()));
        }
    }
    group.finish();
}

criterion_group!(benches, train_step);
criterion_main!(benches);
