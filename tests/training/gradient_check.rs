//! Gradients of whole networks against difference quotients, and the check against gradients that are wrong.

use crate::common::{Rng, sequential_execs};
use roofline::nn::{
    Differentiable, GradientReport, Init, Labels, Mlp, Objective, Optimizer, Output, Penalty, Verdict, gradient_check,
};
use roofline::{Activation, Error, Exec, Mat};
use std::ops::Range;

const INPUTS: usize = 6;
const CLASSES: usize = 2;

/// Examples of which the largest of the first inputs is the class: something to learn, so that gradients are well above
/// the rounding of the cost, 1e-16/ε on each component.
fn batch(m: usize) -> (Mat<f64>, Vec<usize>) {
    let mut values = Rng::new(11);
    let x = Mat::from_fn(m, INPUTS, |_, _| 3.0 * values.value::<f64>());
    let class = |row: &[f64]| (0..CLASSES).max_by(|&a, &b| row[a].total_cmp(&row[b])).expect("classes");
    let labels = x.as_slice().chunks(INPUTS).map(class).collect();
    (x, labels)
}

fn network(hidden: &[usize], activation: Activation, exec: Exec) -> Mlp<f64> {
    let builder = hidden.iter().fold(Mlp::<f64>::builder(INPUTS), |builder, &units| builder.dense(units, activation));
    builder.softmax(CLASSES).init(Init::He).seed(7).exec(exec).build().unwrap()
}

/// ReLU is among them: with this seed no unit comes within ε of its kink. And with it no gradient is so small that the rounding
/// of the cost (which two seeds in five show as 1.1e-7 to 1.7e-7 in a first layer) hides it.
#[test]
fn every_network_is_great_at_initialisation_and_after_training() {
    for exec in sequential_execs() {
        for activation in [Activation::Relu, Activation::Sigmoid, Activation::Tanh] {
            for hidden in [&[][..], &[7], &[9, 5]] {
                for m in [1, 7, 33] {
                    let (x, labels) = batch(m);
                    let mut net = network(hidden, activation, exec);
                    let mut optimizer = Optimizer::adam(0.01);
                    for moment in ["at initialisation", "after training"] {
                        let report = gradient_check(&mut net.objective(x.as_ref(), &labels)).unwrap();
                        assert_eq!(
                            report.verdict(),
                            Verdict::Great,
                            "{exec:?} {activation:?} {hidden:?} {m} {moment}\n{report}"
                        );
                        for _ in 0..10 {
                            net.forward(x.as_ref()).unwrap();
                            net.backward(x.as_ref(), &labels).unwrap();
                            net.update(&mut optimizer).unwrap();
                        }
                    }
                }
            }
        }
    }
}

/// One network of the matrix.
#[derive(Clone, Copy, Debug)]
struct Make {
    activation: Activation,
    batch_norm: bool,
    keep_prob: Option<f64>,
    penalty: Penalty,
    output: Output,
}

impl Make {
    fn all() -> Vec<Make> {
        let mut all = Vec::new();
        for activation in Activation::ALL {
            for (batch_norm, keep_prob) in [(false, None), (true, None), (false, Some(0.75)), (true, Some(0.75))] {
                for penalty in [Penalty::None, Penalty::L1(0.05), Penalty::L2(0.05)] {
                    for output in [Output::Softmax, Output::Sigmoid, Output::Linear] {
                        all.push(Make { activation, batch_norm, keep_prob, penalty, output });
                    }
                }
            }
        }
        all
    }

    /// With biases that are not 0: where dropout takes all units that an example has, the next layer's Z are the biases, and 0 is
    /// the kink of ReLU.
    fn network(self, exec: Exec) -> Mlp<f64> {
        let mut builder = Mlp::<f64>::builder(INPUTS);
        for units in [7, 5] {
            builder = builder.dense(units, self.activation);
            builder = if self.batch_norm { builder.batch_norm() } else { builder };
            builder = self.keep_prob.map_or(builder.clone(), |keep_prob| builder.dropout(keep_prob));
        }
        let builder = match self.output {
            Output::Softmax => builder.softmax(CLASSES),
            Output::Sigmoid => builder.sigmoid(CLASSES),
            _ => builder.linear(CLASSES),
        };
        let mut net = builder.penalty(self.penalty).init(Init::He).seed(4).exec(exec).build().unwrap();
        let mut values = Rng::new(13);
        for tensor in net.tensors().into_iter().filter(|tensor| tensor.shape.len() == 1) {
            net.parameters_mut()[tensor.range].iter_mut().for_each(|b| *b += 0.1 * values.value::<f64>());
        }
        net
    }
}

/// With this seed, as above. After training, the mask is that of the last step; running statistics and steps are not the check's.
#[test]
fn every_combination_is_great_at_initialisation_and_after_training() {
    let (x, classes) = batch(12);
    let one_hot = Mat::from_fn(12, CLASSES, |i, j| f64::from(u8::from(classes[i] == j)));
    for exec in sequential_execs() {
        for make in Make::all() {
            let labels =
                if make.output == Output::Softmax { Labels::from(&classes) } else { Labels::from(one_hot.as_ref()) };
            let mut net = make.network(exec);
            let mut optimizer = Optimizer::adam(0.01);
            for moment in ["at initialisation", "after training"] {
                let before = (net.running_statistics(0).cloned(), net.steps());
                let report = gradient_check(&mut net.objective(x.as_ref(), labels)).unwrap();
                assert_eq!(report.verdict(), Verdict::Great, "{exec:?} {make:?} {moment}\n{report}");
                assert_eq!((net.running_statistics(0).cloned(), net.steps()), before);
                for _ in 0..10 {
                    net.forward(x.as_ref()).unwrap();
                    net.backward(x.as_ref(), labels).unwrap();
                    net.update(&mut optimizer).unwrap();
                }
            }
        }
    }
}

/// The cost and gradient of two networks: what a check sees where one of both forgets something.
struct Mixed<'a>(Objective<'a, f64>, Objective<'a, f64>);

impl Differentiable for Mixed<'_> {
    fn layers(&self) -> Vec<(String, Range<usize>)> {
        self.0.layers()
    }
    fn parameters_mut(&mut self) -> &mut [f64] {
        self.0.parameters_mut()
    }
    fn cost(&mut self) -> Result<f64, Error> {
        self.0.cost()
    }
    fn gradient(&mut self) -> Result<Vec<f64>, Error> {
        self.1.gradient()
    }
}

/// A gradient without the penalty, of another penalty, of other masks, or of another cost is wrong.
#[test]
fn a_forgotten_part_is_caught() {
    let (x, classes) = batch(12);
    let one_hot = Mat::from_fn(12, CLASSES, |i, j| f64::from(u8::from(classes[i] == j)));
    let y = || Labels::from(one_hot.as_ref());
    let (activation, keep_prob) = (Activation::Gelu, Some(0.75));
    let whole = Make { activation, batch_norm: true, keep_prob, penalty: Penalty::L2(0.5), output: Output::Sigmoid };
    let others = [
        Make { penalty: Penalty::None, ..whole },
        Make { penalty: Penalty::L1(0.5), ..whole },
        Make { keep_prob: None, ..whole },
        Make { output: Output::Linear, ..whole },
        Make { activation: Activation::GeluTanh, ..whole },
    ];
    for make in others {
        let (mut net, mut other) = (whole.network(Exec::sequential()), make.network(Exec::sequential()));
        let mut mixed = Mixed(net.objective(x.as_ref(), y()), other.objective(x.as_ref(), y()));
        let verdict = gradient_check(&mut mixed).unwrap().verdict();
        let least = if make.activation == whole.activation { Verdict::Wrong } else { Verdict::Suspect };
        assert!(verdict >= least, "{verdict} with the gradient of {make:?}");
    }
    let (mut net, mut other) = (whole.network(Exec::sequential()), whole.network(Exec::sequential()));
    other.set_steps(1);
    let mut mixed = Mixed(net.objective(x.as_ref(), y()), other.objective(x.as_ref(), y()));
    assert_eq!(gradient_check(&mut mixed).unwrap().verdict(), Verdict::Wrong, "masks of another step");
}

/// What goes wrong with the gradient of a layer.
type Breakage = fn(&mut [f64]);

/// A backward that errs in one layer.
struct Broken<'a> {
    objective: Objective<'a, f64>,
    layer: usize,
    breakage: Breakage,
}

impl Differentiable for Broken<'_> {
    fn layers(&self) -> Vec<(String, Range<usize>)> {
        self.objective.layers()
    }
    fn parameters_mut(&mut self) -> &mut [f64] {
        self.objective.parameters_mut()
    }
    fn cost(&mut self) -> Result<f64, Error> {
        self.objective.cost()
    }
    fn gradient(&mut self) -> Result<Vec<f64>, Error> {
        let mut gradient = self.objective.gradient()?;
        let range = self.layers()[self.layer].1.clone();
        (self.breakage)(&mut gradient[range]);
        Ok(gradient)
    }
}

#[test]
fn a_broken_backward_is_caught_and_named_by_layer() {
    let breakages: [(&str, Breakage); 5] = [
        ("wrong sign", |d| d.iter_mut().for_each(|x| *x = -*x)),
        ("factor missing", |d| d.iter_mut().for_each(|x| *x *= 1.5)),
        ("one weight off", |d| d[2] += 0.01),
        ("layer forgotten", |d| d.fill(0.0)),
        ("NaN", |d| d[0] = f64::NAN),
    ];
    for (name, breakage) in breakages {
        for layer in 0..3 {
            let (x, labels) = batch(9);
            let mut net = network(&[8, 5], Activation::Tanh, Exec::sequential());
            let before = net.parameters().to_vec();
            let mut broken = Broken { objective: net.objective(x.as_ref(), &labels), layer, breakage };
            let report = gradient_check(&mut broken).unwrap();
            for (l, check) in report.layers.iter().enumerate() {
                let expected = if l == layer { Verdict::Wrong } else { Verdict::Great };
                assert_eq!(check.verdict, expected, "{name} in layer {layer}\n{report}");
            }
            assert_eq!(report.verdict(), Verdict::Wrong);
            assert!(report.to_string().lines().nth(layer + 1).unwrap().ends_with("WRONG"), "{report}");
            assert_eq!(net.parameters(), before, "the check leaves the parameters as they were");
        }
    }
}

/// A cost of two parameters whose gradient is what the test says.
struct Toy {
    theta: [f64; 2],
    gradient: Vec<f64>,
    refuses: bool,
}

impl Differentiable for Toy {
    fn layers(&self) -> Vec<(String, Range<usize>)> {
        vec![("square".into(), 0..1), ("flat".into(), 1..2)]
    }
    fn parameters_mut(&mut self) -> &mut [f64] {
        &mut self.theta
    }
    fn cost(&mut self) -> Result<f64, Error> {
        if self.refuses { Err(Error::Length { what: "toy", expected: 1, found: 2 }) } else { Ok(self.theta[0].powi(2)) }
    }
    fn gradient(&mut self) -> Result<Vec<f64>, Error> {
        Ok(self.gradient.clone())
    }
}

fn check_toy(gradient: Vec<f64>, refuses: bool) -> (Result<GradientReport, Error>, [f64; 2]) {
    let mut toy = Toy { theta: [3.0, 1.0], gradient, refuses };
    (gradient_check(&mut toy), toy.theta)
}

#[test]
fn zero_gradients_agree_and_bad_ones_are_errors() {
    let report = check_toy(vec![6.0, 0.0], false).0.unwrap();
    assert_eq!((report.layers[1].relative_error, report.verdict()), (0.0, Verdict::Great));
    let error = check_toy(vec![6.0], false).0.unwrap_err();
    assert_eq!(error.to_string(), "gradient check: gradient: expected 2 elements, found 1");
    let (result, theta) = check_toy(vec![6.0, 0.0], true);
    assert!(result.is_err());
    assert_eq!(theta, [3.0, 1.0], "parameters are restored after an error too");
}

#[test]
fn initial_weights_have_the_stated_variance() {
    for (init, variance) in [(Init::He, 2.0 / 400.0), (Init::Xavier, 1.0 / 400.0), (Init::Glorot, 2.0 / 700.0)] {
        let net = Mlp::<f64>::builder(400).softmax(300).init(init).seed(3).build().unwrap();
        let weights = &net.parameters()[..400 * 300];
        let found = weights.iter().map(|w| w * w).sum::<f64>() / weights.len() as f64;
        assert!((found / variance - 1.0).abs() < 0.02, "{init:?}: {found} instead of {variance}");
        assert!(net.parameters()[400 * 300..].iter().all(|&bias| bias == 0.0));
    }
}
