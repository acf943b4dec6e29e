//! A network with everything in it against plain loops in f64: cost, gradients, running statistics, inference.

use crate::common::{Rng, fma_execs, oracle, sequential_execs};
use roofline::nn::{Dataset, Labels, Mlp, MlpBuilder, Optimizer, Output, Penalty};
use roofline::{Activation, Dropout, Element, Exec, Mat, MatRef};

const INPUTS: usize = 5;
const OUTPUTS: usize = 3;
const M: usize = 9;
const SEED: u64 = 21;
const STEPS: usize = 3;
/// Sums of a few dozen terms of the order of 1, through six layers, relative to the greatest gradient.
const TOLERANCE_F64: f64 = 1e-12;
const TOLERANCE_F32: f64 = 3e-4;

/// Units, activation, batch norm, `keep_prob` of each hidden layer: what needs U or not, with and without norm and dropout.
const HIDDEN: [(usize, Activation, bool, f64); 6] = [
    (7, Activation::Gelu, true, 0.75),
    (6, Activation::Relu, false, 0.5),
    (8, Activation::Silu, false, 1.0),
    (6, Activation::Tanh, true, 1.0),
    (7, Activation::GeluTanh, false, 0.75),
    (6, Activation::Sigmoid, true, 0.75),
];

fn builder<T: Element>(output: Output, penalty: Penalty) -> MlpBuilder<T> {
    let mut builder = Mlp::<T>::builder(INPUTS);
    for (units, activation, batch_norm, keep_prob) in HIDDEN {
        builder = builder.dense(units, activation);
        builder = if batch_norm { builder.batch_norm() } else { builder };
        builder = builder.dropout(keep_prob);
    }
    let builder = match output {
        Output::Softmax => builder.softmax(OUTPUTS),
        Output::Sigmoid => builder.sigmoid(OUTPUTS),
        _ => builder.linear(OUTPUTS),
    };
    builder.penalty(penalty).seed(SEED)
}

type Matrix = Vec<Vec<f64>>;

/// A layer of plain loops.
#[derive(Clone)]
struct Plain {
    w: Matrix,
    /// b, or β.
    shift: Vec<f64>,
    gamma: Option<Vec<f64>>,
    activation: Activation,
    keep_prob: f64,
    /// Averages of means and variances; the mask seed.
    running: (Vec<f64>, Vec<f64>),
    seed: u64,
}

/// What a forward pass leaves: A⁽ˡ⁻¹⁾, Z, U, the statistics and the mask of a layer.
struct Kept {
    input: Matrix,
    z: Matrix,
    u: Matrix,
    mean: Vec<f64>,
    variance: Vec<f64>,
    mask: Matrix,
}

fn g(activation: Activation, z: f64) -> (f64, f64) {
    let wide = match activation {
        Activation::Identity => return (z, 1.0),
        Activation::Relu => return (z.max(0.0), f64::from(u8::from(z > 0.0))),
        Activation::Gelu => (oracle::gelu(z), oracle::gelu_grad(z)),
        Activation::GeluTanh => (oracle::gelu_tanh(z), oracle::gelu_tanh_grad(z)),
        Activation::Silu => (oracle::silu(z), oracle::silu_grad(z)),
        Activation::Sigmoid => (oracle::sigmoid(z), oracle::sigmoid_grad(z)),
        Activation::Tanh => (oracle::tanh(z), oracle::tanh_grad(z)),
        other => unreachable!("{other} is not in the network"),
    };
    (wide.0.to_f64(), wide.1.to_f64())
}

fn matrix(rows: usize, cols: usize, f: impl Fn(usize, usize) -> f64) -> Matrix {
    (0..rows).map(|i| (0..cols).map(|j| f(i, j)).collect()).collect()
}

impl Plain {
    /// All layers, with the parameters of a network.
    fn layers<T: Element>(net: &Mlp<T>) -> Vec<Plain> {
        let mut layers: Vec<Plain> = Vec::new();
        for tensor in net.tensors() {
            let values: Vec<f64> = net.parameters()[tensor.range].iter().map(|x| x.to_f64()).collect();
            if tensor.name.ends_with("weight") {
                let (l, n, inputs) = (layers.len(), tensor.shape[0], tensor.shape[1]);
                let (activation, keep_prob) = HIDDEN.get(l).map_or((Activation::Identity, 1.0), |h| (h.1, h.3));
                let w = matrix(inputs, n, |i, j| values[j * inputs + i]);
                let running = (vec![0.0; n], vec![0.0; n]);
                let seed = SEED ^ (l as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                layers.push(Plain { w, shift: Vec::new(), gamma: None, activation, keep_prob, running, seed });
            } else if let Some(layer) = layers.last_mut() {
                if tensor.name.ends_with("gamma") { layer.gamma = Some(values) } else { layer.shift = values }
            }
        }
        layers
    }

    /// A⁽ˡ⁾; in training with the masks of `step`, else with the running statistics after so many batches.
    fn forward(&self, input: Matrix, step: Option<u64>, batches: i32) -> (Matrix, Kept) {
        let (m, n) = (input.len(), self.shift.len());
        let dot = |i: usize, j: usize| (0..self.w.len()).map(|k| input[i][k] * self.w[k][j]).sum::<f64>();
        let z = matrix(m, n, dot);
        let column = |j: usize, f: &dyn Fn(f64) -> f64| z.iter().map(|row| f(row[j])).sum::<f64>() / m as f64;
        let (mut mean, mut variance) = (vec![0.0; n], vec![0.0; n]);
        for j in 0..n {
            mean[j] = column(j, &|z| z);
            variance[j] = column(j, &|z| (z - mean[j]).powi(2));
            if step.is_none() {
                let weight = 1.0 - 0.9_f64.powi(batches);
                (mean[j], variance[j]) = (self.running.0[j] / weight, self.running.1[j] / weight);
            }
        }
        let u = matrix(m, n, |i, j| match &self.gamma {
            None => z[i][j] + self.shift[j],
            Some(gamma) => gamma[j] * (z[i][j] - mean[j]) / (variance[j] + 1e-5).sqrt() + self.shift[j],
        });
        let mut mask = vec![1.0; m * n];
        if let Some(step) = step {
            let dropout = Dropout { keep_prob: self.keep_prob, seed: self.seed, step };
            Exec::sequential().dropout_inplace(dropout, &mut mask).unwrap();
        }
        let mask = matrix(m, n, |i, j| mask[i * n + j]);
        let a = matrix(m, n, |i, j| mask[i][j] * g(self.activation, u[i][j]).0);
        (a, Kept { input, z, u, mean, variance, mask })
    }

    /// Takes the statistics of a batch into the running ones.
    fn update(&mut self, kept: &Kept) {
        let m = kept.z.len() as f64;
        for j in 0..self.shift.len() {
            self.running.0[j] = 0.9 * self.running.0[j] + 0.1 * kept.mean[j];
            self.running.1[j] = 0.9 * self.running.1[j] + 0.1 * kept.variance[j] * m / (m - 1.0);
        }
    }

    /// dA⁽ˡ⁻¹⁾, and dW, dγ, d(b or β) one after the other, from dA⁽ˡ⁾.
    fn backward(&self, da: &Matrix, kept: &Kept, penalty: Penalty) -> (Matrix, Vec<f64>) {
        let (m, n) = (da.len(), self.shift.len());
        let du = matrix(m, n, |i, j| da[i][j] * kept.mask[i][j] * g(self.activation, kept.u[i][j]).1);
        let sum = |j: usize, f: &dyn Fn(usize) -> f64| (0..m).map(|i| du[i][j] * f(i)).sum::<f64>();
        let db: Vec<f64> = (0..n).map(|j| sum(j, &|_| 1.0)).collect();
        let (mut dz, mut dgamma) = (du.clone(), Vec::new());
        if let Some(gamma) = &self.gamma {
            for j in 0..n {
                let deviation = (kept.variance[j] + 1e-5).sqrt();
                let normed = |i: usize| (kept.z[i][j] - kept.mean[j]) / deviation;
                dgamma.push(sum(j, &normed));
                for i in 0..m {
                    dz[i][j] = gamma[j] / deviation * (du[i][j] - (db[j] + normed(i) * dgamma[j]) / m as f64);
                }
            }
        }
        let mut gradient = Vec::new();
        for j in 0..n {
            for k in 0..self.w.len() {
                let w = self.w[k][j];
                let of_penalty = match penalty {
                    Penalty::None => 0.0,
                    Penalty::L1(lambda) => lambda / (2.0 * m as f64) * w.signum(),
                    Penalty::L2(lambda) => lambda / m as f64 * w,
                };
                gradient.push((0..m).map(|i| kept.input[i][k] * dz[i][j]).sum::<f64>() + of_penalty);
            }
        }
        gradient.extend(dgamma.into_iter().chain(db));
        let below = matrix(m, self.w.len(), |i, k| (0..n).map(|j| dz[i][j] * self.w[k][j]).sum());
        (below, gradient)
    }

    fn penalty(&self, penalty: Penalty, m: usize) -> f64 {
        let sum = |f: &dyn Fn(f64) -> f64| self.w.iter().flatten().map(|&w| f(w)).sum::<f64>() / (2.0 * m as f64);
        match penalty {
            Penalty::None => 0.0,
            Penalty::L1(lambda) => lambda * sum(&f64::abs),
            Penalty::L2(lambda) => lambda * sum(&|w| w * w),
        }
    }
}

/// Ŷ of logits.
fn outputs(output: Output, z: &[f64]) -> Vec<f64> {
    match output {
        Output::Softmax => {
            let sum: f64 = z.iter().map(|z| z.exp()).sum();
            z.iter().map(|z| z.exp() / sum).collect()
        }
        Output::Sigmoid => z.iter().map(|z| 1.0 / (1.0 + (-z).exp())).collect(),
        _ => z.to_vec(),
    }
}

/// J of one example.
fn cost(output: Output, y_hat: &[f64], y: &[f64]) -> f64 {
    let each = |(&p, &y): (&f64, &f64)| match output {
        Output::Softmax => -y * p.ln(),
        Output::Sigmoid => -y * p.ln() - (1.0 - y) * (1.0 - p).ln(),
        _ => (p - y).powi(2) / 2.0,
    };
    y_hat.iter().zip(y).map(each).sum()
}

fn batch(step: usize) -> (Matrix, Matrix) {
    let mut rng = Rng::new(80 + step as u64);
    let x: Vec<f64> = (0..M * INPUTS).map(|_| f64::from(2.0 * rng.value::<f32>())).collect();
    let x = matrix(M, INPUTS, |i, j| x[i * INPUTS + j]);
    let y = matrix(M, OUTPUTS, |i, j| f64::from(u8::from((i + step) % OUTPUTS == j)));
    (x, y)
}

fn mat<T: Element>(x: &Matrix) -> Mat<T> {
    Mat::from_fn(x.len(), x[0].len(), |i, j| T::from_f64(x[i][j]))
}

fn assert_close(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((found - expected).abs() <= tolerance, "{what}: {found} instead of {expected}");
}

/// Steps of training and then inference, of a network and of plain loops with the parameters of that network.
fn compare<T: Element>(exec: Exec, output: Output, penalty: Penalty, tolerance: f64) {
    let mut net = builder::<T>(output, penalty).exec(exec).build().unwrap();
    let mut optimizer = Optimizer::sgd(0.1);
    let mut running = Plain::layers(&net);
    let what = format!("{exec:?} {output} {penalty:?} {}", T::NAME);
    for step in 1..=STEPS {
        let (x, y) = batch(step);
        let mut layers = Plain::layers(&net);
        let (mut a, mut kept) = (x.clone(), Vec::new());
        for (layer, running) in layers.iter_mut().zip(&mut running) {
            let (output, trace) = layer.forward(a, Some(step as u64), 0);
            running.update(&trace);
            layer.running = running.running.clone();
            a = output;
            kept.push(trace);
        }
        let y_hat: Matrix = a.iter().map(|z| outputs(output, z)).collect();
        let costs = y_hat.iter().zip(&y).map(|(y_hat, y)| cost(output, y_hat, y)).sum::<f64>() / M as f64;
        let expected = costs + layers.iter().map(|layer| layer.penalty(penalty, M)).sum::<f64>();
        let mut da = matrix(M, OUTPUTS, |i, j| (y_hat[i][j] - y[i][j]) / M as f64);
        let mut gradient = Vec::new();
        for (layer, trace) in layers.iter().zip(&kept).rev() {
            let (below, of_layer) = layer.backward(&da, trace, penalty);
            (da, gradient) = (below, [of_layer, gradient].concat());
        }

        let (x, y) = (mat::<T>(&x), mat::<T>(&y));
        net.forward(x.as_ref()).unwrap();
        let found = net.backward(x.as_ref(), y.as_ref()).unwrap();
        assert_close(found, expected, tolerance * expected.max(1.0), &what);
        let tensors = net.tensors();
        let found: Vec<f64> =
            tensors.iter().flat_map(|t| &net.gradients()[t.range.clone()]).map(|x| x.to_f64()).collect();
        assert_eq!(found.len(), gradient.len());
        let greatest = gradient.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
        for (found, expected) in found.iter().zip(&gradient) {
            assert_close(*found, *expected, tolerance * greatest, &format!("{what}, step {step}"));
        }
        net.update(&mut optimizer).unwrap();
    }
    infer(&mut net, &running, tolerance, &what);
}

/// Predictions with the running statistics and without dropout, and the loss.
fn infer<T: Element>(net: &mut Mlp<T>, running: &[Plain], tolerance: f64, what: &str) {
    let (x, y) = batch(0);
    let mut a = x.clone();
    for (mut layer, running) in Plain::layers(net).into_iter().zip(running) {
        layer.running = running.running.clone();
        a = layer.forward(a, None, STEPS as i32).0;
    }
    let output = net.output();
    let expected: Matrix = a.iter().map(|z| outputs(output, z)).collect();
    let (x, y_mat) = (mat::<T>(&x), mat::<T>(&y));
    let found = net.predict(x.as_ref()).unwrap();
    for i in 0..M {
        for j in 0..OUTPUTS {
            assert_close(found.get(i, j).unwrap().to_f64(), expected[i][j], 20.0 * tolerance, what);
        }
    }
    let loss = expected.iter().zip(&y).map(|(y_hat, y)| cost(output, y_hat, y)).sum::<f64>() / M as f64;
    assert_close(net.loss(x.as_ref(), y_mat.as_ref()).unwrap(), loss, 20.0 * tolerance * loss.max(1.0), what);
}

#[test]
fn a_network_with_everything_is_what_plain_loops_compute() {
    for exec in sequential_execs() {
        for output in [Output::Softmax, Output::Sigmoid, Output::Linear] {
            for penalty in [Penalty::None, Penalty::L1(0.3), Penalty::L2(0.3)] {
                compare::<f64>(exec, output, penalty, TOLERANCE_F64);
                compare::<f32>(exec, output, penalty, TOLERANCE_F32);
            }
        }
    }
}

/// Classes are the same as the values that they stand for.
#[test]
fn classes_and_their_values_agree() {
    let (x, _) = batch(1);
    let x = mat::<f64>(&x);
    let step = |mut net: Mlp<f64>, labels: Labels<'_, f64>| {
        net.forward(x.as_ref()).unwrap();
        let cost = net.backward(x.as_ref(), labels).unwrap();
        let loss = net.loss(x.as_ref(), labels).unwrap();
        (cost, loss, net.gradients().to_vec())
    };
    let classes: Vec<usize> = (0..M).map(|i| i % 2).collect();
    let one_hot = Mat::from_fn(M, 2, |i, j| f64::from(u8::from(classes[i] == j)));
    let column = Mat::from_fn(M, 1, |i, _| classes[i] as f64);
    let softmax = || Mlp::builder(INPUTS).dense(4, Activation::Elu).softmax(2).build().unwrap();
    let sigmoid = || Mlp::builder(INPUTS).dense(4, Activation::Elu).sigmoid(1).build().unwrap();
    assert_eq!(step(softmax(), Labels::from(&classes)), step(softmax(), one_hot.as_ref().into()));
    assert_eq!(step(sigmoid(), Labels::from(&classes)), step(sigmoid(), column.as_ref().into()));
}

/// Logistic regression learns which side of a line a point is on, linear regression a line.
#[test]
fn regressions_learn() {
    let mut rng = Rng::new(85);
    let x = Mat::from_fn(200, 2, |_, _| rng.value::<f32>());
    let side = |i: usize| x.as_slice()[2 * i] - 2.0 * x.as_slice()[2 * i + 1] + 0.25;
    let classes: Vec<usize> = (0..200).map(|i| usize::from(side(i) > 0.0)).collect();
    let values = Mat::from_fn(200, 1, |i, _| side(i));
    let train = |net: &mut Mlp<f32>, labels: Labels<'_, f32>| {
        let mut optimizer = Optimizer::adam(0.1);
        for _ in 0..300 {
            net.forward(x.as_ref()).unwrap();
            net.backward(x.as_ref(), labels).unwrap();
            net.update(&mut optimizer).unwrap();
        }
    };
    let mut logistic = Mlp::builder(2).sigmoid(1).build().unwrap();
    train(&mut logistic, Labels::from(&classes));
    let data = Dataset::new(x.clone(), classes, 2).unwrap();
    assert!(logistic.accuracy(&data).unwrap() > 0.97);
    let mut linear = Mlp::builder(2).linear(1).build().unwrap();
    train(&mut linear, values.as_ref().into());
    let (found, line) = (linear.parameters(), [1.0, -2.0]);
    assert!((found[0] - line[0]).abs() < 1e-3 && (found[1] - line[1]).abs() < 1e-3, "{found:?}");
    assert!((found[linear.tensors()[1].range.start] - 0.25).abs() < 1e-3, "{found:?}");
}

/// Layers so large that passes fork, with everything on, over some steps; and inference.
#[test]
fn same_bits_on_any_threads_with_everything_on() {
    let (m, inputs) = (256, 300);
    let mut values = Rng::new(86);
    let x = Mat::from_fn(m, inputs, |_, _| values.value::<f32>());
    let labels: Vec<usize> = (0..m).map(|i| i % 10).collect();
    let mut first: Option<(Vec<u64>, Vec<f32>, Vec<f32>)> = None;
    for exec in fma_execs() {
        for threads in [1, 2, 3, 5] {
            let builder = Mlp::<f32>::builder(inputs).dense(520, Activation::Relu).batch_norm().dropout(0.8);
            let builder = builder.dense(300, Activation::Gelu).batch_norm().dense(300, Activation::Silu).dropout(0.5);
            let builder = builder.softmax(10).penalty(Penalty::L1(0.1)).seed(4);
            let mut net = builder.exec(exec.with_threads(threads).unwrap()).build().unwrap();
            let mut optimizer = Optimizer::adam(0.01);
            let mut step = || {
                net.forward(x.as_ref()).unwrap();
                let cost = net.backward(x.as_ref(), &labels).unwrap();
                net.update(&mut optimizer).unwrap();
                cost.to_bits()
            };
            let costs: Vec<u64> = (0..4).map(|_| step()).collect();
            assert!(f64::from_bits(costs[3]) < f64::from_bits(costs[0]), "it learns");
            let y = net.predict(x.as_ref()).unwrap();
            let y: Vec<f32> = (0..m * 10).map(|at| y.get(at / 10, at % 10).unwrap()).collect();
            let found = (costs, y, net.parameters().to_vec());
            let expected = first.get_or_insert_with(|| found.clone());
            assert!(*expected == found, "{exec:?} on {threads} threads");
        }
    }
}

/// A network that goes on from the state of another does what that one does.
#[test]
fn state_moves_to_another_network() {
    let (x, y) = batch(1);
    let (x, y) = (mat::<f64>(&x), mat::<f64>(&y));
    let step = |net: &mut Mlp<f64>| {
        net.forward(x.as_ref()).unwrap();
        let cost = net.backward(x.as_ref(), y.as_ref()).unwrap();
        net.update(&mut Optimizer::sgd(0.1)).unwrap();
        cost
    };
    let make = || builder::<f64>(Output::Sigmoid, Penalty::L2(0.1)).build().unwrap();
    let mut net = make();
    for _ in 0..3 {
        step(&mut net);
    }
    let mut other = make();
    assert_ne!(other.parameters(), net.parameters());
    other.parameters_mut().copy_from_slice(net.parameters());
    other.set_steps(net.steps());
    for l in 0..=HIDDEN.len() {
        assert_eq!(net.running_statistics(l).is_some(), HIDDEN.get(l).is_some_and(|hidden| hidden.2));
        if let Some(running) = net.running_statistics(l) {
            assert_eq!(running.steps, 3);
            other.set_running_statistics(l, running.clone()).unwrap();
        }
    }
    assert_eq!(step(&mut net), step(&mut other));
    assert_eq!(step(&mut net), step(&mut other));
    let predict = |net: &mut Mlp<f64>| {
        let y: MatRef<'_, f64> = net.predict(x.as_ref()).unwrap();
        (0..M * OUTPUTS).map(|at| y.get(at / OUTPUTS, at % OUTPUTS).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(predict(&mut net), predict(&mut other));
    assert_eq!(net.steps(), 5);
}
