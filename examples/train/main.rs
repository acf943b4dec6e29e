//! `cargo run --release --example train`: checks the gradients of a multi-layer perceptron, trains it on real images, and
//! measures what each mini-batch size costs.

#[path = "../support/files.rs"]
mod files;
mod options;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use options::Options;
use roofline::nn::{Dataset, MiniBatches, Mlp, Optimizer, gradient_check};
use roofline::{Activation, Backend, Element, Exec};
use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const CLASSES: usize = 10;
/// Digits that are kept from training to measure the error on.
const DEV_EXAMPLES: usize = 360;
/// The gradient check costs two forward passes a parameter, and its rounding noise grows with their number: it takes a
/// network of the same depth and activation, but with layers this narrow, and this many examples.
const CHECK_UNITS: usize = 16;
const CHECK_EXAMPLES: usize = 16;
/// How long each mini-batch size is measured.
const SWEEP_TIME: Duration = Duration::from_millis(300);

/// What to learn from, what to measure the error on, and what that second part is called.
struct Data {
    train: Dataset<f32>,
    dev: Dataset<f32>,
    dev_name: &'static str,
}

/// FMA peak in GFLOP/s of as many threads as are used.
struct Peak(f64);

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let exec = options.exec()?;
    let data = load(options)?;
    let peak = print_machine(&exec);
    println!(
        "data     {} examples to train on, {} {} examples, {} inputs",
        data.train.len(),
        data.dev.len(),
        data.dev_name,
        data.train.inputs()
    );

    check_gradients(options, &data.train)?;
    let mut net = network::<f32>(options, &options.layers, data.train.inputs(), exec)?;
    train(options, &mut net, &data, &peak)?;
    sweep(options, &data.train, exec, &peak)?;

    println!("{} accuracy {:.1} %", data.dev_name, 100.0 * net.accuracy(&data.dev)?);
    Ok(())
}

fn load(options: &Options) -> Result<Data, Box<dyn Error>> {
    let Some(dir) = &options.data else {
        let (images, labels) = files::digits()?;
        let all = Dataset::from_images(&images, &labels, CLASSES, 16)?;
        let (dev, train) = all.split(DEV_EXAMPLES, options.seed)?;
        return Ok(Data { train, dev, dev_name: "dev" });
    };
    let set = files::load(dir)?;
    let train = Dataset::from_images(set.train_images.images(), &set.train_labels, CLASSES, 255)?;
    let dev = Dataset::from_images(set.test_images.images(), &set.test_labels, CLASSES, 255)?;
    Ok(Data { train, dev, dev_name: "test" })
}

fn print_machine(exec: &Exec) -> Peak {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let peak = exec.fma_peak::<f32>(20);
    println!("machine  {}", name.map_or(std::env::consts::ARCH, |(_, name)| name));
    println!(
        "kernels  {}, {} thread(s), FMA peak {peak:.1} GFLOP/s a thread (f32, measured)",
        exec.isa(),
        exec.threads()
    );
    if exec.backend() != Backend::Native {
        println!("products {}", exec.backend());
    }
    Peak(peak * exec.threads() as f64)
}

fn network<T: Element>(
    options: &Options,
    units: &[usize],
    inputs: usize,
    exec: Exec,
) -> Result<Mlp<T>, roofline::Error> {
    let activation = Activation::from(options.activation);
    let builder = units.iter().fold(Mlp::<T>::builder(inputs), |builder, &units| builder.dense(units, activation));
    builder.softmax(CLASSES).seed(options.seed).exec(exec).build()
}

fn check_gradients(options: &Options, data: &Dataset<f32>) -> Result<(), Box<dyn Error>> {
    let narrow: Vec<usize> = options.layers.iter().map(|&units| units.min(CHECK_UNITS)).collect();
    let sample = data.head(CHECK_EXAMPLES).cast::<f64>()?;
    let exec = options.exec()?;
    let exec = Exec::sequential().with_isa(exec.isa())?.with_backend(exec.backend())?;
    let mut net = network::<f64>(options, &narrow, data.inputs(), exec)?;
    let start = Instant::now();
    let report = gradient_check(&mut net.objective(sample.x(), sample.labels()))?;
    println!(
        "\ngradient check (f64, two-sided, ε = 1e-7, {} examples, layers of at most {CHECK_UNITS} units, {:.1} s)",
        sample.len(),
        start.elapsed().as_secs_f64()
    );
    println!("{report}");
    Ok(())
}

fn train(options: &Options, net: &mut Mlp<f32>, data: &Data, peak: &Peak) -> Result<(), Box<dyn Error>> {
    let (mut optimizer, exec) = (options.optimizer(), options.exec()?);
    let mut batches = MiniBatches::new(&data.train, options.batch_size)?;
    let style = ProgressStyle::with_template("epoch {msg} [{bar:30}] {pos}/{len}")?.progress_chars("=> ");
    println!("epoch  cost            train error  {:>4} error   samples/s  GFLOP/s  of peak", data.dev_name);
    for epoch in 1..=options.epochs {
        let bar = ProgressBar::new(batches.count() as u64).with_style(style.clone()).with_message(epoch.to_string());
        batches.shuffle(options.seed, epoch as u64);
        let start = Instant::now();
        // One region: the threads that a step forks to stay awake for the next one.
        let cost = exec.region(|| run_epoch(net, &mut optimizer, &mut batches, data.train.len(), &bar))?;
        let rate = Rate::new(data.train.len(), net.step_flops(), start.elapsed());
        bar.finish_and_clear();
        let error = |accuracy: f64| 100.0 * (1.0 - accuracy);
        let (train, dev) = (error(net.accuracy(&data.train)?), error(net.accuracy(&data.dev)?));
        println!("{epoch:5}  {cost:.12}  {train:9.2} %  {dev:8.2} %  {}", rate.show(peak));
    }
    Ok(())
}

/// Forward, backward, update, for every mini-batch; gives back the mean cost of the epoch.
fn run_epoch(
    net: &mut Mlp<f32>,
    optimizer: &mut Optimizer<f32>,
    batches: &mut MiniBatches<'_, f32>,
    examples: usize,
    bar: &ProgressBar,
) -> Result<f64, roofline::Error> {
    let mut cost = 0.0;
    while let Some(batch) = batches.next_batch() {
        net.forward(batch.x)?;
        cost += net.backward(batch.x, batch.labels())? * batch.len() as f64;
        net.update(optimizer)?;
        bar.inc(1);
    }
    Ok(cost / examples as f64)
}

/// The same network and optimizer at mini-batch sizes 1, 2, 4 … 1024: what vectorisation over examples is worth.
fn sweep(options: &Options, data: &Dataset<f32>, exec: Exec, peak: &Peak) -> Result<(), Box<dyn Error>> {
    println!("\nmini-batch   samples/s  GFLOP/s  of peak");
    let sizes = (0..=10).map(|power| 1_usize << power).filter(|&size| size <= data.len());
    for size in sizes {
        let mut net = network::<f32>(options, &options.layers, data.inputs(), exec)?;
        let mut optimizer = options.optimizer();
        let mut batches = MiniBatches::new(data, size)?;
        let (mut examples, mut time, mut epoch) = (0, Duration::ZERO, 0);
        let mut step = |net: &mut Mlp<f32>| -> Result<usize, roofline::Error> {
            loop {
                if let Some(batch) = batches.next_batch() {
                    net.forward(batch.x)?;
                    net.backward(batch.x, batch.labels())?;
                    net.update(&mut optimizer)?;
                    return Ok(batch.len());
                }
                epoch += 1;
                batches.shuffle(options.seed, epoch);
            }
        };
        step(&mut net)?; // makes the buffers
        while time < SWEEP_TIME {
            let start = Instant::now();
            examples += step(&mut net)?;
            time += start.elapsed();
        }
        println!("{size:10}  {}", Rate::new(examples, net.step_flops(), time).show(peak));
    }
    println!();
    Ok(())
}

/// How fast training went.
struct Rate {
    samples: f64,
    gflops: f64,
}

impl Rate {
    fn new(examples: usize, flops: usize, time: Duration) -> Self {
        let samples = examples as f64 / time.as_secs_f64();
        Self { samples, gflops: samples * flops as f64 / 1e9 }
    }

    fn show(&self, peak: &Peak) -> String {
        format!("{:10.0}  {:7.1}  {:5.1} %", self.samples, self.gflops, 100.0 * self.gflops / peak.0)
    }
}
