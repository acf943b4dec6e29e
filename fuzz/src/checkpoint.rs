//! Checkpoints of any bytes: refused, or a run that goes on and is saved as the same file.

use super::memory::bounded;
use arbitrary::Arbitrary;
use roofline::nn::checkpoint::{Checkpoint, Plan as RatePlan, Position};
use roofline::nn::{ExponentialAverage, Mlp, Normalization, Optimizer, Penalty, Rule, Schedule};
use roofline::{Activation, Element, Exec, Mat};
use std::sync::LazyLock;

/// Bytes that are held at most for each byte of a file, as the tests hold it.
const MAX_MULTIPLE: usize = 16;

/// Good files: every rule in `f32`, and one in `f64`.
static GOOD: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let rules = [Rule::Sgd, Rule::momentum(), Rule::rmsprop(), Rule::adam()];
    rules.into_iter().map(good::<f32>).chain([good::<f64>(Rule::adam())]).collect()
});

#[derive(Arbitrary, Debug)]
pub struct Plan<'a> {
    double: bool,
    file: File<'a>,
}

#[derive(Arbitrary, Debug)]
enum File<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// A header with its length before it, and so many zeros for tensors.
    Header(u16, &'a [u8]),
    /// A good file with changed bytes, and cut, or a few bytes longer.
    Changed { good: u8, cut: Option<u16>, bytes: [Option<(u16, u8)>; 6], more: u8 },
    /// A good file in whose header one text is another.
    Replaced { good: u8, at: u16, len: u8, by: &'a str },
}

impl Plan<'_> {
    /// Panics unless the file is refused or goes.
    pub fn run(&self) {
        let file = self.file.bytes();
        if self.double { check::<f64>(&file) } else { check::<f32>(&file) }
    }
}

impl File<'_> {
    fn bytes(&self) -> Vec<u8> {
        let with_header =
            |header: &[u8], tensors: &[u8]| [&(header.len() as u64).to_le_bytes(), header, tensors].concat();
        let chosen = |good: u8| &GOOD[good as usize % GOOD.len()];
        match *self {
            File::Bytes(bytes) => bytes.to_vec(),
            File::Header(zeros, header) => with_header(header, &vec![0; zeros as usize]),
            File::Changed { good, cut, bytes, more } => {
                let mut file = chosen(good).clone();
                let len = file.len();
                bytes.into_iter().flatten().for_each(|(at, byte)| file[at as usize % len] ^= byte);
                file.truncate(cut.map_or(len, |cut| cut as usize % len));
                file.resize(file.len() + more as usize % 4, 0);
                file
            }
            File::Replaced { good, at, len, by } => {
                let (size, rest) = chosen(good).split_at(8);
                let size = u64::from_le_bytes(size.try_into().expect("eight bytes")) as usize;
                let (mut header, tensors) = (rest[..size].to_vec(), &rest[size..]);
                let start = at as usize % size;
                header.splice(start..(start + len as usize).min(size), by.bytes());
                with_header(&header, tensors)
            }
        }
    }
}

fn check<T: Element>(file: &[u8]) {
    match bounded(file.len(), MAX_MULTIPLE, || Checkpoint::<T>::from_bytes(file)) {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(checkpoint) => {
            let saved = checkpoint.to_bytes().expect("it was read");
            let again = Checkpoint::<T>::from_bytes(&saved).expect("it was saved");
            assert_eq!(again.to_bytes().expect("it was read"), saved, "not the same file");
            go_on(&checkpoint);
        }
    }
}

/// One step of training, as far as the optimizer and the output have one.
fn go_on<T: Element>(checkpoint: &Checkpoint<T>) {
    let mut net = checkpoint.network(Exec::sequential()).expect("the file has its parameters");
    let x = Mat::from_fn(2, net.inputs(), |i, j| T::from_f64((i + j) as f64));
    net.forward(x.as_ref()).expect("as many inputs");
    if net.output().name() == "softmax" {
        net.backward(x.as_ref(), &[0, net.outputs() - 1][..]).expect("labels of the network");
        if let Some(mut optimizer) = checkpoint.optimizer() {
            net.update(&mut optimizer).expect("moments of the network");
        }
    }
}

/// A small run with all parts of a checkpoint, after a step.
fn good<T: Element>(rule: Rule) -> Vec<u8> {
    let net = Mlp::<T>::builder(3).dense(2, Activation::Tanh).batch_norm().dropout(0.5).softmax(2);
    let mut net = net.penalty(Penalty::L2(0.25)).seed(7).exec(Exec::sequential()).build().expect("a network");
    let mut optimizer = Optimizer::new(rule, 0.1).clip_norm(3.5);
    let x = Mat::from_fn(5, 3, |i, j| T::from_f64(((3 * i + j) % 5) as f64));
    net.forward(x.as_ref()).expect("three inputs");
    net.backward(x.as_ref(), &[0, 1, 1, 0, 1][..]).expect("two classes");
    net.update(&mut optimizer).expect("its own gradient");
    let mut average = ExponentialAverage::new(0.9).expect("a weight");
    average.add(0.5);
    let mut checkpoint = Checkpoint::of(&net, Some(&optimizer)).expect("its own moments");
    let schedule = Schedule::Cosine { warmup: 2, floor: 0.1 };
    checkpoint.plan = Some(RatePlan { schedule, learning_rate: 0.1, total_steps: 50 });
    checkpoint.position = Some(Position { seed: 3, epoch: 4, batch: 1, batch_size: 5 });
    let ones = vec![T::ONE; 3];
    checkpoint.normalization = Some(Normalization::new(ones.clone(), ones).expect("three inputs"));
    checkpoint.classes = vec!["no \"quotes\"".into(), "ja, \u{e4}\n".into()];
    checkpoint.average = Some(average);
    checkpoint.configuration.insert("epochs".into(), "5".into());
    checkpoint.to_bytes().expect("finite numbers")
}
