//! Checkpoints: a run goes on with the same bits; files are whole, and what is not one is refused.

mod files;
mod hostile;
mod memory;
mod python;
mod resume;

use roofline::nn::checkpoint::{Checkpoint, Position};
use roofline::nn::{Dataset, ExponentialAverage, MiniBatches, Mlp, Normalization, Optimizer, Penalty, Rule};
use roofline::{Activation, Element, Exec, Mat};

/// 23 examples of 3 inputs and 2 classes.
fn data<T: Element>() -> Dataset<T> {
    let x = Mat::from_fn(23, 3, |i, j| T::from_f64(((i * 7 + j * 5) % 11) as f64 * 0.37 + j as f64));
    Dataset::new(x, (0..23).map(|i| (i * i) % 7 % 2).collect(), 2).unwrap()
}

/// A network with everything that remembers something.
fn network<T: Element>(penalty: Penalty) -> Mlp<T> {
    let builder = Mlp::builder(3).dense(6, Activation::Gelu).batch_norm().dropout(0.75).dense(4, Activation::Relu);
    builder.dropout(0.9).softmax(2).penalty(penalty).seed(u64::MAX - 5).exec(Exec::sequential()).build().unwrap()
}

/// A small run with all parts of a checkpoint, after two steps.
fn small<T: Element>(rule: Rule) -> Checkpoint<T> {
    let mut data = data::<T>();
    let normalization = Normalization::fit(&Exec::sequential(), &data).unwrap();
    normalization.apply(&mut data).unwrap();
    let mut net = Mlp::builder(3).dense(2, Activation::Tanh).batch_norm().dropout(0.5).softmax(2);
    net = net.penalty(Penalty::L2(0.25)).seed(7).exec(Exec::sequential());
    let (mut net, mut optimizer) = (net.build().unwrap(), Optimizer::new(rule, 0.1).clip_norm(3.5));
    let mut batches = MiniBatches::new(&data, 5).unwrap();
    let mut average = ExponentialAverage::new(0.9).unwrap();
    batches.shuffle(3, 4);
    for _ in 0..2 {
        let batch = batches.next_batch().unwrap();
        net.forward(batch.x).unwrap();
        average.add(net.backward(batch.x, batch.y).unwrap());
        net.update(&mut optimizer).unwrap();
    }
    let mut checkpoint = Checkpoint::of(&net, Some(&optimizer)).unwrap();
    checkpoint.position = Some(Position::of(&batches, 3, 4));
    checkpoint.normalization = Some(normalization);
    checkpoint.classes = vec!["no \"quotes\"".into(), "ja, \u{e4}\n".into()];
    checkpoint.average = Some(average);
    checkpoint.configuration.insert("epochs".into(), "5".into());
    checkpoint
}
