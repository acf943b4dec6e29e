//! The trainer: networks against plain loops, mini-batches, learning, and the same bits on any threads.

use crate::common::{Rng, fma_execs, sequential_execs};
use roofline::nn::{Dataset, MiniBatches, Mlp, MlpBuilder, Optimizer, Penalty};
use roofline::{Activation, Error, Exec, Mat, MatRef, RunningStatistics};

/// Sums of a few dozen terms around 1 in f64.
const TOLERANCE: f64 = 1e-13;

/// A plain forward and backward pass of 4-5-3 with tanh: cost and gradients of W¹ᵀ, b¹, W²ᵀ, b² in this order.
fn plain_step(theta: [&[f64]; 4], x: &[[f64; 4]], labels: &[usize]) -> (f64, Vec<f64>) {
    let [w1, b1, w2, b2] = theta;
    let m = x.len() as f64;
    let (mut cost, mut dw1, mut db1, mut dw2, mut db2) =
        (0.0, vec![0.0; 20], vec![0.0; 5], vec![0.0; 15], vec![0.0; 3]);
    for (x, &label) in x.iter().zip(labels) {
        let a: Vec<f64> = (0..5).map(|u| (b1[u] + (0..4).map(|i| x[i] * w1[u * 4 + i]).sum::<f64>()).tanh()).collect();
        let e: Vec<f64> = (0..3).map(|c| (b2[c] + (0..5).map(|u| a[u] * w2[c * 5 + u]).sum::<f64>()).exp()).collect();
        let sum: f64 = e.iter().sum();
        cost -= (e[label] / sum).ln() / m;
        let dz: Vec<f64> = (0..3).map(|c| (e[c] / sum - f64::from(c == label)) / m).collect();
        for u in 0..5 {
            let da: f64 = (0..3).map(|c| dz[c] * w2[c * 5 + u]).sum();
            (0..3).for_each(|c| dw2[c * 5 + u] += a[u] * dz[c]);
            let d = da * (1.0 - a[u] * a[u]);
            (0..4).for_each(|i| dw1[u * 4 + i] += x[i] * d);
            db1[u] += d;
        }
        (0..3).for_each(|c| db2[c] += dz[c]);
    }
    (cost, [dw1, db1, dw2, db2].concat())
}

/// Where W¹ᵀ, b¹, W²ᵀ, b² of 4-5-3 lie in f64: each begins a cache line of 8.
const RANGES: [std::ops::Range<usize>; 4] = [0..20, 24..29, 32..47, 48..51];

#[test]
fn a_step_is_what_plain_loops_compute() {
    for exec in sequential_execs() {
        for m in [1, 6, 40, 3] {
            let mut values = Rng::new(61);
            let x: Vec<[f64; 4]> =
                (0..m).map(|_| [values.value(), values.value(), values.value(), values.value()]).collect();
            let labels: Vec<usize> = (0..m).map(|i| i % 3).collect();
            let mut net =
                Mlp::<f64>::builder(4).dense(5, Activation::Tanh).softmax(3).seed(9).exec(exec).build().unwrap();
            net.parameters_mut()[RANGES[1].clone()].fill(0.25);
            let theta = net.parameters().to_vec();
            let (cost, gradient) = plain_step(RANGES.map(|range| &theta[range]), &x, &labels);
            let flat = x.concat();
            let x = MatRef::from_slice(&flat, m, 4).unwrap();
            net.forward(x).unwrap();
            assert!((net.backward(x, &labels).unwrap() - cost).abs() < TOLERANCE);
            let found = RANGES.map(|range| net.gradients()[range].to_vec()).concat();
            for (found, expected) in found.iter().zip(&gradient) {
                assert!((found - expected).abs() < TOLERANCE, "{exec:?} m = {m}: {found} instead of {expected}");
            }
        }
    }
}

/// Two spirals of points that no line separates.
fn spirals() -> Dataset<f32> {
    let point = |i: usize, j: usize| {
        let (angle, class) = ((i / 2) as f32 * 0.12, i % 2);
        let turn = angle + if class == 0 { 0.0 } else { std::f32::consts::PI };
        angle / 6.0 * if j == 0 { turn.cos() } else { turn.sin() }
    };
    Dataset::new(Mat::from_fn(100, 2, point), (0..100).map(|i| i % 2).collect(), 2).unwrap()
}

#[test]
fn each_optimizer_learns() {
    let data = spirals();
    for (name, mut optimizer, epochs) in [
        ("sgd", Optimizer::sgd(0.5), 600),
        ("momentum", Optimizer::momentum(0.5), 600),
        ("adam", Optimizer::adam(0.02), 200),
    ] {
        let builder = Mlp::<f32>::builder(2).dense(32, Activation::Tanh).dense(32, Activation::Tanh).softmax(2);
        let mut net = builder.seed(2).exec(Exec::sequential()).build().unwrap();
        let mut batches = MiniBatches::new(&data, 20).unwrap();
        for epoch in 0..epochs {
            batches.shuffle(3, epoch);
            while let Some(batch) = batches.next_batch() {
                net.forward(batch.x).unwrap();
                net.backward(batch.x, batch.labels()).unwrap();
                net.update(&mut optimizer).unwrap();
            }
        }
        let accuracy = net.accuracy(&data).unwrap();
        assert!(accuracy >= 0.95, "{name} reaches {accuracy}");
    }
}

/// Layers and batches so large that products fork, on every number of threads and instruction set with FMA.
#[test]
fn same_bits_on_any_threads_and_instruction_set() {
    let (m, inputs) = (256, 512);
    let mut values = Rng::new(62);
    let x = Mat::from_fn(m, inputs, |_, _| values.value::<f32>());
    let labels: Vec<usize> = (0..m).map(|i| i % 10).collect();
    let mut first: Option<(Vec<u64>, Vec<f32>)> = None;
    for exec in fma_execs() {
        for threads in [1, 2, 3] {
            let builder =
                Mlp::<f32>::builder(inputs).dense(520, Activation::Relu).dense(64, Activation::Sigmoid).softmax(10);
            let mut net = builder.seed(4).exec(exec.with_threads(threads).unwrap()).build().unwrap();
            let mut optimizer = Optimizer::adam(0.01);
            let costs: Vec<u64> = (0..5)
                .map(|_| {
                    net.forward(x.as_ref()).unwrap();
                    let cost = net.backward(x.as_ref(), &labels).unwrap();
                    net.update(&mut optimizer).unwrap();
                    cost.to_bits()
                })
                .collect();
            let (first_costs, parameters) = first.get_or_insert_with(|| (costs.clone(), net.parameters().to_vec()));
            assert!(*first_costs == costs && parameters == net.parameters(), "{exec:?} on {threads} threads");
        }
    }
}

/// Every example once an epoch, the last batch smaller, in an order that (seed, epoch) decide.
#[test]
fn mini_batches_partition_the_data() {
    let x = Mat::from_fn(23, 3, |i, j| (10 * i + j) as f32);
    let data = Dataset::new(x, (0..23).collect(), 23).unwrap();
    let order = |size, seed, epoch| {
        let mut batches = MiniBatches::new(&data, size).unwrap();
        batches.shuffle(7, 1); // an epoch before does not matter
        batches.shuffle(seed, epoch);
        let (mut order, mut sizes) = (Vec::new(), Vec::new());
        while let Some(batch) = batches.next_batch() {
            for (i, &label) in batch.labels().iter().enumerate() {
                assert_eq!(batch.x.get(i, 2), Some((10 * label + 2) as f32), "rows and labels stay together");
            }
            order.extend_from_slice(batch.labels());
            sizes.push(batch.len());
        }
        (order, sizes)
    };
    let (examples, sizes) = order(5, 1, 1);
    assert_eq!(sizes, [5, 5, 5, 5, 3]);
    let mut sorted = examples.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..23).collect::<Vec<_>>());
    assert_eq!(order(1, 1, 1).0, examples, "the order does not depend on the size");
    assert_eq!(order(100, 1, 1), (examples.clone(), vec![23]));
    assert_ne!(order(5, 1, 2).0, examples);
    assert_ne!(order(5, 2, 1).0, examples);
}

#[test]
fn a_split_keeps_every_example_once() {
    let data = Dataset::new(Mat::from_fn(50, 1, |i, _| i as f64), vec![0; 50], 1).unwrap();
    let (first, second) = data.split(20, 5).unwrap();
    let mut all: Vec<usize> = [&first, &second]
        .iter()
        .flat_map(|part| (0..part.len()).map(|i| part.x().get(i, 0).unwrap() as usize))
        .collect();
    assert_eq!((first.len(), second.len()), (20, 30));
    all.sort_unstable();
    assert_eq!(all, (0..50).collect::<Vec<_>>());
    assert_eq!(
        data.split(50, 5).unwrap_err().to_string(),
        "size of the first part is 50, it must be above 0 and below the number of examples"
    );
}

#[test]
fn bad_input_is_refused() {
    let text = |error: Error| error.to_string();
    assert_eq!(text(Mlp::<f32>::builder(3).build().unwrap_err()), "number of layers is 0, it must be at least 1");
    assert_eq!(
        text(Mlp::<f32>::builder(3).dense(0, Activation::Relu).softmax(2).build().unwrap_err()),
        "units of a layer is 0, it must be at least 1"
    );
    assert!(Mlp::<f32>::builder(usize::MAX).softmax(2).build().is_err());
    let x = || Mat::<f32>::zeros(2, 3);
    assert_eq!(
        text(Dataset::new(x(), vec![0, 5], 5).unwrap_err()),
        "label 5 of example 1 is not below the number of classes, 5"
    );
    assert_eq!(
        text(Dataset::new(x(), vec![0], 5).unwrap_err()),
        "labels (one an example): expected 2 elements, found 1"
    );
    assert!(Dataset::new(Mat::<f32>::zeros(0, 3), vec![], 5).is_err());
    let data = Dataset::new(x(), vec![0, 1], 2).unwrap();
    assert!(MiniBatches::new(&data, 0).is_err());

    let mut net = Mlp::<f32>::builder(3).softmax(2).build().unwrap();
    assert!(net.backward(x().as_ref(), &[0, 1]).is_err(), "backward before forward");
    net.forward(x().as_ref()).unwrap();
    let wrong = Mat::<f32>::zeros(2, 4);
    assert_eq!(
        text(net.forward(wrong.as_ref()).unwrap_err()),
        "network input (examples × inputs): expected 2×3, found 2×4"
    );
    assert_eq!(
        text(net.backward(Mat::zeros(1, 3).as_ref(), &[0]).unwrap_err()),
        "backward: x (as in the forward pass): expected 2×3, found 1×3"
    );
    let before = net.parameters().to_vec();
    assert!(net.backward(x().as_ref(), &[0, 2]).is_err());
    assert_eq!(net.parameters(), before);
}

/// More examples than inference takes at once: each is what it is alone, and means are those of all.
#[test]
fn inference_in_parts_is_that_of_the_whole() {
    let m = 600;
    let mut values = Rng::new(63);
    let x = Mat::from_fn(m, 4, |_, _| values.value::<f64>());
    let labels: Vec<usize> = (0..m).map(|i| i % 3).collect();
    let mut net = Mlp::<f64>::builder(4).dense(9, Activation::Silu).softmax(3).seed(5).build().unwrap();
    net.forward(x.as_ref()).unwrap();
    let cost = net.cost(&labels).unwrap();
    assert!((net.loss(x.as_ref(), &labels).unwrap() - cost).abs() < TOLERANCE);
    let y = net.predict(x.as_ref()).unwrap();
    let row = |y: MatRef<'_, f64>, i: usize| [0, 1, 2].map(|j| y.get(i, j).unwrap());
    let all: Vec<[f64; 3]> = (0..m).map(|i| row(y, i)).collect();
    for (i, expected) in all.iter().enumerate() {
        let alone = row(net.predict(x.as_ref().row_range(i, i + 1).unwrap()).unwrap(), 0);
        assert!((alone.iter().sum::<f64>() - 1.0).abs() < TOLERANCE);
        assert!(alone.iter().zip(expected).all(|(a, b)| (a - b).abs() < TOLERANCE), "{alone:?} not {expected:?}");
    }
    let most = |y: &[f64; 3]| (0..3).max_by(|&a, &b| y[a].total_cmp(&y[b])).unwrap();
    let right = all.iter().zip(&labels).filter(|(y, label)| most(y) == **label).count();
    let data = Dataset::new(x, labels, 3).unwrap();
    assert_eq!(net.accuracy(&data).unwrap(), right as f64 / m as f64);
}

/// A change of a builder.
type Change = fn(MlpBuilder<f32>) -> MlpBuilder<f32>;

#[test]
fn what_does_not_go_together_is_named_with_its_layer() {
    const RELU: Activation = Activation::Relu;
    let after_hidden = "layer 1 of the network: ";
    let cases: [(Change, &str); 14] = [
        (|b| b.batch_norm().softmax(2), "layer 0 of the network: batch_norm comes once, directly after a hidden layer"),
        (|b| b.dropout(0.5).softmax(2), "layer 0 of the network: dropout comes once, after a hidden layer"),
        (|b| b.softmax(2).dropout(0.5), "layer 1 of the network: dropout comes once, after a hidden layer"),
        (|b| b.linear(2).batch_norm(), "layer 1 of the network: batch_norm comes once"),
        (|b| b.dense(4, RELU).dropout(0.5).batch_norm().softmax(2), after_hidden),
        (|b| b.dense(4, RELU).batch_norm().batch_norm().softmax(2), after_hidden),
        (|b| b.dense(4, RELU).dropout(0.5).dropout(0.5).softmax(2), after_hidden),
        (|b| b.dense(4, RELU), "layer 1 of the network: the last is softmax, sigmoid or linear"),
        (|b| b.softmax(2).dense(3, RELU), "layer 1 of the network: nothing comes after the output layer"),
        (|b| b.sigmoid(2).linear(3), "layer 1 of the network: nothing comes after the output layer"),
        (|b| b.dense(4, RELU).dropout(0.0).softmax(2), "dropout: keep_prob is 0, it must be in [2^-16, 1]"),
        (|b| b.dense(4, RELU).dropout(1.5).softmax(2), "dropout: keep_prob is 1.5"),
        (|b| b.softmax(2).penalty(Penalty::L2(-1.0)), "penalty: lambda is -1, it must be in [0, inf)"),
        (|b| b.softmax(2).penalty(Penalty::L1(f64::NAN)), "penalty: lambda is NaN"),
    ];
    for (change, message) in cases {
        let text = change(Mlp::<f32>::builder(3)).build().unwrap_err().to_string();
        assert!(text.starts_with(message), "`{text}` does not begin `{message}`");
    }
}

#[test]
fn labels_that_an_output_does_not_learn_are_refused() {
    let x = Mat::<f32>::zeros(2, 3);
    let run = |builder: MlpBuilder<f32>| {
        let mut net = builder.build().unwrap();
        net.forward(x.as_ref()).unwrap();
        net
    };
    let text = |result: Result<f64, Error>| result.unwrap_err().to_string();
    let (mut softmax, mut sigmoid) = (run(Mlp::builder(3).softmax(2)), run(Mlp::builder(3).sigmoid(2)));
    let (mut one, mut linear) = (run(Mlp::builder(3).sigmoid(1)), run(Mlp::builder(3).linear(2)));
    let wide = Mat::zeros(2, 3);
    let message = "a sigmoid output learns a row of values an example, classes where it is one unit";
    assert_eq!(text(sigmoid.backward(x.as_ref(), &[0, 1])), message);
    assert_eq!(text(linear.cost(&[0, 1])), "a linear output learns a row of values an example, no classes");
    assert_eq!(text(one.cost(&[0, 2])), "label 2 of example 1 is not below the number of classes, 2");
    assert_eq!(text(one.cost(&[0])), "labels (one an example): expected 2 elements, found 1");
    for net in [&mut softmax, &mut sigmoid, &mut linear] {
        assert!(text(net.cost(wide.as_ref())).ends_with("expected 2×2, found 2×3"));
        assert!(net.loss(x.as_ref(), wide.as_ref()).is_err());
    }
    let twos = Mat::from_fn(2, 2, |_, _| 2.0);
    sigmoid.forward(x.as_ref()).unwrap();
    assert_eq!(text(sigmoid.cost(twos.as_ref())), "sigmoid_cross_entropy: y is 2, it must be in [0, 1]");
    assert_eq!(text(softmax.loss(x.as_ref(), &[0])), "labels (one an example): expected 2 elements, found 1");
    let data = Dataset::new(x.clone(), vec![0, 1], 2).unwrap();
    assert_eq!(text(linear.accuracy(&data)), "a linear output learns no choice of one class: see loss");
    assert!(sigmoid.accuracy(&data).is_err() && softmax.accuracy(&data).is_ok() && one.accuracy(&data).is_ok());
}

/// Backward needs a forward pass of training before it; batch norm two examples and its own statistics.
#[test]
fn passes_out_of_order_and_wrong_statistics_are_refused() {
    let x = Mat::<f64>::from_fn(4, 3, |i, j| (i * j) as f64);
    let mut net = Mlp::<f64>::builder(3).dense(5, Activation::Elu).batch_norm().softmax(2).build().unwrap();
    let labels = &[0, 1, 0, 1];
    let text = |error: Error| error.to_string();
    assert_eq!(text(net.cost(labels).unwrap_err()), "cost: outputs of a forward pass: expected 1×2, found 0×2");
    assert!(net.predict(x.as_ref()).is_ok(), "before training, with means 0 and variances 1");
    net.forward(x.as_ref()).unwrap();
    net.predict(x.as_ref()).unwrap();
    assert!(net.backward(x.as_ref(), labels).is_err(), "inference came between");
    assert_eq!(net.steps(), 1);
    let one = Mat::<f64>::zeros(1, 3);
    assert_eq!(
        text(net.forward(one.as_ref()).unwrap_err()),
        "number of examples of a mini-batch with batch norm is 1, it must be at least 2"
    );
    assert_eq!(net.steps(), 1, "a step that was refused is none");
    assert_eq!(net.predict(one.as_ref()).unwrap().rows(), 1);
    let statistics = |units| RunningStatistics::new(units, 0.5).unwrap();
    assert!(text(net.set_running_statistics(0, statistics(4)).unwrap_err()).contains("expected 5 elements, found 4"));
    let message = "layer 2 of the network: there is no batch norm to set statistics of";
    assert_eq!(text(net.set_running_statistics(1, statistics(2)).unwrap_err()), message);
    assert!(net.set_running_statistics(7, statistics(2)).is_err());
    let bad = RunningStatistics { beta: 1.0, ..statistics(5) };
    assert!(text(net.set_running_statistics(0, bad).unwrap_err()).contains("beta is 1"));
    net.set_running_statistics(0, statistics(5)).unwrap();
}

#[test]
fn nan_inputs_show_in_the_cost() {
    let x = Mat::from_fn(2, 3, |i, _| if i == 0 { f32::NAN } else { 1.0 });
    let mut net = Mlp::<f32>::builder(3).dense(4, Activation::Relu).softmax(2).build().unwrap();
    net.forward(x.as_ref()).unwrap();
    assert!(net.backward(x.as_ref(), &[0, 1]).unwrap().is_nan());
}
