//! The training step of burn on its backend `flex`: 784-256-128-10, ReLU, softmax cross-entropy, Adam, f32, at mini-batches of 1
//! to 4096, in thousand samples/s, to put beside `cargo bench --bench train_step`.
//!
//! ```sh
//! cargo run --release --manifest-path benches/burn/Cargo.toml                  # on one thread
//! cargo run --release --manifest-path benches/burn/Cargo.toml -- --threads 2
//! ```
//!
//! A step is forward, backward and update, as a user writes it; the examples are in memory. What is printed is the median over
//! 15 turns of about 50 ms, and of at least three steps. That the cost falls is checked first. The threads are those of the
//! global rayon pool, which burn-flex and gemm take; the main thread is one of them.

use burn::module::Module;
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Distribution, Int, Tensor};
use clap::Parser;
use std::hint::black_box;
use std::time::Instant;

/// Examples in a step.
const BATCHES: [usize; 12] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096];
/// Of Adam.
const LEARNING_RATE: f64 = 1e-4;
/// Steps in which the cost falls, and which warm everything up.
const FIRST_STEPS: usize = 20;
/// Their median counts.
const TURNS: usize = 15;
/// Seconds that the steps of a turn fill.
const TURN: f64 = 50e-3;
/// The fewest steps in a turn.
const MIN_STEPS: usize = 3;

/// The training step of burn, in thousand samples/s
#[derive(Parser)]
struct Options {
    /// Threads of the rayon pool that burn works on
    #[arg(long, default_value_t = 1)]
    threads: usize,
}

/// 784-256-128-10.
#[derive(Module, Debug)]
struct Mlp {
    /// ReLU after all but the last.
    layers: [Linear; 3],
}

impl Mlp {
    /// With the weights that burn chooses.
    fn new(device: &Device) -> Self {
        let sizes = [(784, 256), (256, 128), (128, 10)];
        Self { layers: sizes.map(|(inputs, outputs)| LinearConfig::new(inputs, outputs).init(device)) }
    }

    /// The logits.
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let [first, second, last] = &self.layers;
        last.forward(relu(second.forward(relu(first.forward(x)))))
    }
}

/// A network, what updates it, and the mini-batch of all its steps.
struct Training {
    /// What learns.
    net: Mlp,
    /// Adam.
    optimizer: ModuleOptimizer,
    /// Mean over the mini-batch.
    loss: CrossEntropyLoss,
    /// batch×784, in [−1, 1).
    x: Tensor<2>,
    /// One for each example.
    labels: Tensor<1, Int>,
}

impl Training {
    /// Examples do not change from step to step.
    fn new(x: Tensor<2>, labels: Tensor<1, Int>, device: &Device) -> Self {
        let loss = CrossEntropyLossConfig::new().init(device);
        Self { net: Mlp::new(device), optimizer: AdamConfig::new().init(), loss, x, labels }
    }

    /// Forward.
    fn cost(&self) -> Tensor<1> {
        self.loss.forward(self.net.forward(self.x.clone()), self.labels.clone())
    }

    /// Forward, backward and update.
    fn step(mut self) -> Self {
        let gradients = GradientsParams::from_grads(self.cost().backward(), &self.net);
        self.net = self.optimizer.step(LEARNING_RATE, self.net, gradients);
        self
    }

    /// So many of them.
    fn steps(self, count: usize) -> Self {
        (0..count).fold(self, |training, _| training.step())
    }

    /// So many of them, and the seconds of one.
    fn time(self, count: usize) -> (Self, f64) {
        let start = Instant::now();
        let training = self.steps(count);
        (training, start.elapsed().as_secs_f64() / count as f64)
    }
}

/// Median seconds of a step.
fn measure(training: Training) -> f64 {
    let first: f32 = training.cost().into_scalar();
    let training = training.steps(FIRST_STEPS);
    let last: f32 = training.cost().into_scalar();
    assert!(last < first, "the cost rose from {first} to {last}");
    let (mut training, once) = training.time(MIN_STEPS);
    let steps = MIN_STEPS.max((TURN / once) as usize);
    let mut times = [0.0; TURNS];
    for time in &mut times {
        (training, *time) = training.time(steps);
    }
    times.sort_by(f64::total_cmp);
    times[TURNS / 2]
}

/// All mini-batches begin at the first of the same examples.
fn measure_all() {
    let device = Device::flex().autodiff();
    device.seed(1);
    let most = BATCHES[BATCHES.len() - 1];
    let pixels = Tensor::<2>::random([most, 784], Distribution::Uniform(-1.0, 1.0), &device);
    let labels = Tensor::<1, Int>::arange(0..most as i64, &device).remainder_scalar(10);
    for batch in BATCHES {
        let (x, labels) = (pixels.clone().narrow(0, 0, batch), labels.clone().narrow(0, 0, batch));
        let seconds = measure(Training::new(x, labels, &device));
        println!("batch {batch:5} {:9.1} ksamples/s", batch as f64 / seconds / 1e3);
    }
}

/// The allocator of glibc maps large blocks anew each time and gives free memory back, above thresholds that rise to the size
/// of the largest such block freed so far, 32 MiB at most. Without this most steps of up to 128 examples take two to
/// five times as long, in page faults.
fn keep_freed_memory() {
    drop(black_box(vec![0_u8; 31 << 20]));
}

fn main() -> Result<(), rayon::ThreadPoolBuildError> {
    let threads = Options::parse().threads;
    rayon::ThreadPoolBuilder::new().num_threads(threads).use_current_thread().build_global()?;
    println!("burn, backend flex, threads: {}", rayon::current_num_threads());
    keep_freed_memory();
    measure_all();
    Ok(())
}
