//! Promise 2 for whole runs: SHA-256 of 100 steps with each optimizer, interrupted in the middle or not, over instruction sets and
//! numbers of threads, against the digests of `digests.txt`. This writes them anew:
//!
//! ```sh
//! ROOFLINE_BLESS=1 cargo test --release --test training -- --ignored digest
//! ```

use crate::common::{Float, THREADS, fma_execs};
use roofline::nn::checkpoint::{Checkpoint, Position};
use roofline::nn::{Dataset, MiniBatches, Mlp, Optimizer, Penalty};
use roofline::{Activation, Decay, Exec, Mat};
use sha2::{Digest, Sha256};

/// One line a rule and type.
const DIGESTS: &str = include_str!("digests.txt");

const STEPS: u64 = 100;
const BATCH: usize = 48;
const SEED: u64 = 5;

const RULES: [&str; 8] = [
    "sgd",
    "momentum",
    "momentum:form=classic",
    "nesterov",
    "rmsprop",
    "rmsprop:place=inside",
    "adam",
    "adam:beta2=0.99:place=inside",
];

fn data<T: Float>() -> Dataset<T> {
    let x = Mat::from_fn(500, 60, |i, j| T::from_f64(((i * 31 + j * 17) % 37) as f64 / 18.5 - 1.0));
    Dataset::new(x, (0..500).map(|i| i * i % 11 % 7).collect(), 7).unwrap()
}

/// Layers wide enough that steps are cut for threads, with everything that has a state or draws.
fn network<T: Float>(exec: Exec) -> Mlp<T> {
    let builder = Mlp::builder(60).dense(150, Activation::Gelu).batch_norm().dropout(0.8).dense(90, Activation::Tanh);
    builder.dense(40, Activation::Relu).softmax(7).penalty(Penalty::L2(0.1)).seed(SEED).exec(exec).build().unwrap()
}

fn optimizer<T: Float>(rule: &str) -> Optimizer<T> {
    let mut optimizer = Optimizer::new(rule.parse().unwrap(), 0.01).clip_norm(2.0);
    optimizer.decay = Decay { l1: 1e-5, l2: 0.0, decoupled: 0.01 };
    optimizer
}

/// Takes steps `from` to `to`; the costs go into the digest.
fn train<T: Float>(
    (net, optimizer, batches): (&mut Mlp<T>, &mut Optimizer<T>, &mut MiniBatches<'_, T>),
    (from, to): (u64, u64),
    digest: &mut Sha256,
) -> u64 {
    let epoch = |step: u64| step / batches_of_an_epoch();
    for step in from..to {
        if step.is_multiple_of(batches_of_an_epoch()) {
            batches.shuffle(SEED, epoch(step));
        }
        let batch = batches.next_batch().unwrap();
        net.forward(batch.x).unwrap();
        digest.update(net.backward(batch.x, batch.y).unwrap().to_bits().to_le_bytes());
        net.update(optimizer).unwrap();
    }
    epoch(to - 1)
}

fn batches_of_an_epoch() -> u64 {
    500_u64.div_ceil(BATCH as u64)
}

/// The digest of a run: its costs, parameters, moments and running statistics. `cut` is the step after which it goes on from a file.
fn run<T: Float>(data: &Dataset<T>, rule: &str, exec: Exec, cut: Option<u64>) -> String {
    let (mut net, mut optimizer, mut digest) = (network::<T>(exec), optimizer::<T>(rule), Sha256::new());
    let mut batches = MiniBatches::new(data, BATCH).unwrap();
    let mut from = 0;
    if let Some(cut) = cut {
        let epoch = train((&mut net, &mut optimizer, &mut batches), (0, cut), &mut digest);
        let mut checkpoint = Checkpoint::of(&net, Some(&optimizer)).unwrap();
        checkpoint.position = Some(Position::of(&batches, SEED, epoch));
        let read = Checkpoint::<T>::from_bytes(&checkpoint.to_bytes().unwrap()).unwrap();
        (net, optimizer) = (read.network(exec).unwrap(), read.optimizer().unwrap());
        batches = MiniBatches::new(data, BATCH).unwrap();
        read.position.unwrap().seek(&mut batches).unwrap();
        from = cut;
    }
    train((&mut net, &mut optimizer, &mut batches), (from, STEPS), &mut digest);
    let moments = optimizer.moments();
    let statistics = net.running_statistics(0).unwrap();
    let parts = [net.parameters(), &statistics.mean, &statistics.variance];
    for part in parts.into_iter().chain(moments.iter().map(|(_, moment)| &**moment)) {
        part.iter().for_each(|x| digest.update(x.to_f64().to_bits().to_le_bytes()));
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The lines of these rules; each run has the same digest in every way to run it.
fn lines<T: Float>(rules: &[&str], threads: &[usize]) -> Vec<String> {
    let data = data::<T>();
    let line = |rule: &&str| {
        let mut found = Vec::new();
        for exec in fma_execs() {
            for exec in threads.iter().filter_map(|&threads| exec.with_threads(threads).ok()) {
                for cut in [None, Some(47)] {
                    found.push((exec, cut, run(&data, rule, exec, cut)));
                }
            }
        }
        let (_, _, first) = found.first()?;
        for (exec, cut, digest) in &found {
            assert_eq!(digest, first, "{rule} on {exec:?}, cut after {cut:?}, against {:?}", found[0]);
        }
        Some(format!("{rule} {} {first}", T::NAME))
    };
    rules.iter().filter_map(line).collect()
}

fn check(lines: &[String]) {
    let others: Vec<_> = lines.iter().filter(|line| !DIGESTS.lines().any(|known| known == *line)).collect();
    assert!(others.is_empty(), "other digests than those of digests.txt: {others:#?}");
}

#[test]
fn two_rules_have_their_digests() {
    check(&lines::<f32>(&["adam"], &[1, 2]));
    check(&lines::<f64>(&["momentum"], &[1, 3]));
}

/// `cargo test --release --test training -- --ignored digest`
#[test]
#[ignore = "eight rules, two types, 24 runs each: for release builds"]
fn every_rule_has_its_digest() {
    let lines = [lines::<f32>(&RULES, &THREADS), lines::<f64>(&RULES, &THREADS)].concat();
    if std::env::var_os("ROOFLINE_BLESS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/training/digests.txt");
        return std::fs::write(path, lines.join("\n") + "\n").unwrap();
    }
    check(&lines);
}
