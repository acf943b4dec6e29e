//! The training step: forward, backward, update.

use super::passes::Operation;
use super::{Case, Effort, Group, Limit, on};
use crate::common::values;
use roofline::nn::{Mlp, Optimizer};
use roofline::{Activation, Exec, Isa, Mat};
use std::hint::black_box;

const INPUTS: usize = 784;
const NETWORK: &str = "784-256-128-10";
/// w, dw, and the two moments of Adam: each is read once and written once in a step, whatever the batch.
const ARRAYS: usize = 4;

pub(super) fn groups(effort: Effort) -> Vec<Group> {
    let batches: Vec<usize> = effort.choose(
        vec![1, 8],
        vec![1, 8, 32, 64, 256],
        vec![1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024],
        vec![1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096],
    );
    let threads = Exec::default().threads();
    let counts = if threads > 1 { vec![1, threads] } else { vec![1] };
    let group = |threads: usize, batch: usize| {
        let name = format!("training step, batch {batch}, threads: {threads}");
        Group::new(name, move || vec![case(batch, threads)])
    };
    counts.iter().flat_map(|&threads| batches.iter().map(move |&batch| group(threads, batch))).collect()
}

/// Its limit is the roofline model of `benches/train_step.rs`: flops/peak + bytes/bandwidth.
fn case(batch: usize, threads: usize) -> Case {
    let exec = on(Isa::best(), threads);
    let builder = Mlp::<f32>::builder(INPUTS).dense(256, Activation::Relu).dense(128, Activation::Relu).softmax(10);
    let mut net = builder.exec(exec).build().expect("a good network");
    let mut optimizer = Optimizer::adam(1e-4);
    let pixels = values(batch * INPUTS, 1);
    let x = Mat::from_fn(batch, INPUTS, |i, j| pixels[i * INPUTS + j] as f32);
    let labels: Vec<usize> = (0..batch).map(|i| i % 10).collect();
    let held = 4 * ARRAYS * net.parameters().len();
    let work = ((batch * net.step_flops()) as f64, 2.0 * held as f64);
    let limit = Limit::Both(Operation::Update, held);
    Case::new::<f32>(exec, ("train_step", NETWORK), &[batch], work, limit, move || {
        net.forward(black_box(&x).as_ref()).expect("784 inputs");
        net.backward(x.as_ref(), &labels).expect("good labels");
        net.update(&mut optimizer).expect("as many gradients as parameters");
    })
}
