//! Gradient check: is the gradient that backward computes the slope of the cost?
//!
//! ```text
//! for each i:  dθ_approx[i] = (J(θ₁ … θᵢ + ε …) − J(θ₁ … θᵢ − ε …)) / 2ε          ε = 1e-7, in f64
//! error     =  ‖dθ_approx − dθ‖₂ / (‖dθ_approx‖₂ + ‖dθ‖₂)                          per layer, and in all
//! ```
//!
//! It costs two forward passes a parameter: for debugging, not for training. A ReLU has no slope at 0: where a step of ε
//! crosses it, the check reports an error that is none. And J is rounded: about 1e-16/ε on every component, which a sum
//! over very many parameters makes visible; check a small network of the same make.

use crate::error::Error;
use core::fmt;
use core::ops::Range;

/// Half the step of the difference quotient.
pub const EPSILON: f64 = 1e-7;

/// A cost that has a gradient, to be checked against each other.
pub trait Differentiable {
    /// Name and parameters of each layer.
    fn layers(&self) -> Vec<(String, Range<usize>)>;
    /// All parameters θ.
    fn parameters_mut(&mut self) -> &mut [f64];
    /// J(θ).
    ///
    /// # Errors
    /// Whatever the computation may refuse.
    fn cost(&mut self) -> Result<f64, Error>;
    /// dθ, as backward computes it, one number for each parameter.
    ///
    /// # Errors
    /// Whatever the computation may refuse.
    fn gradient(&mut self) -> Result<Vec<f64>, Error>;
}

/// What a relative error says, by the thresholds of the course notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// At most 1e-7.
    Great,
    /// At most 1e-5.
    Acceptable,
    /// At most 1e-3.
    Suspect,
    /// Above, or not a number.
    Wrong,
}

impl Verdict {
    fn of(error: f64) -> Self {
        if error <= 1e-7 {
            Verdict::Great
        } else if error <= 1e-5 {
            Verdict::Acceptable
        } else if error <= 1e-3 {
            Verdict::Suspect
        } else {
            Verdict::Wrong
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Great => "great",
            Verdict::Acceptable => "acceptable",
            Verdict::Suspect => "suspect",
            Verdict::Wrong => "WRONG",
        })
    }
}

/// The outcome for one layer, or for all together.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerCheck {
    /// Which layer.
    pub name: String,
    /// How many parameters it has.
    pub parameters: usize,
    /// ‖dθ_approx − dθ‖₂ / (‖dθ_approx‖₂ + ‖dθ‖₂); 0 where both are 0.
    pub relative_error: f64,
    /// What it says.
    pub verdict: Verdict,
}

/// The outcome of [`gradient_check`]; displays as a table.
#[derive(Clone, Debug, PartialEq)]
pub struct GradientReport {
    /// One entry for each layer.
    pub layers: Vec<LayerCheck>,
    /// All parameters together.
    pub total: LayerCheck,
}

impl GradientReport {
    /// The worst verdict of all layers and of the total.
    pub fn verdict(&self) -> Verdict {
        self.layers.iter().map(|layer| layer.verdict).fold(self.total.verdict, Verdict::max)
    }
}

impl fmt::Display for GradientReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.layers.iter().map(|layer| layer.name.chars().count()).max().unwrap_or(0).max(5);
        writeln!(f, "{:width$}  parameters  relative error  verdict", "layer")?;
        for LayerCheck { name, parameters, relative_error, verdict } in self.layers.iter().chain([&self.total]) {
            writeln!(f, "{name:width$}  {parameters:10}  {relative_error:14.1e}  {verdict}")?;
        }
        Ok(())
    }
}

/// Compares the gradient with difference quotients, parameter by parameter.
///
/// # Errors
/// Those of the cost; [`Error::Length`] where the gradient has another length than the parameters.
///
/// ```
/// use roofline::nn::{Mlp, Verdict, gradient_check};
/// use roofline::{Activation, Mat};
/// let x = Mat::from_fn(5, 3, |i, j| (i as f64 - j as f64) / 4.0);
/// let mut net = Mlp::<f64>::builder(3).dense(4, Activation::Tanh).softmax(2).seed(3).build()?;
/// let report = gradient_check(&mut net.objective(x.as_ref(), &[0, 1, 1, 0, 1]))?;
/// assert_eq!(report.verdict(), Verdict::Great, "{report}");
/// # Ok::<(), roofline::Error>(())
/// ```
pub fn gradient_check(objective: &mut impl Differentiable) -> Result<GradientReport, Error> {
    let gradient = objective.gradient()?;
    crate::elementwise::same_length("gradient check: gradient", objective.parameters_mut().len(), gradient.len())?;
    let (layers, mut all) = (objective.layers(), Norms::default());
    let mut checks = Vec::with_capacity(layers.len());
    for (name, range) in layers {
        let mut norms = Norms::default();
        let parameters = range.len();
        for i in range {
            norms.add(slope(objective, i)?, gradient[i]);
        }
        all = all + norms;
        checks.push(norms.check(name, parameters));
    }
    let parameters = checks.iter().map(|layer| layer.parameters).sum();
    Ok(GradientReport { layers: checks, total: all.check("all".into(), parameters) })
}

/// (J(θᵢ + ε) − J(θᵢ − ε)) / 2ε; θ is left as it was, also after an error.
fn slope(objective: &mut impl Differentiable, i: usize) -> Result<f64, Error> {
    let theta = objective.parameters_mut()[i];
    objective.parameters_mut()[i] = theta + EPSILON;
    let above = objective.cost();
    objective.parameters_mut()[i] = theta - EPSILON;
    let below = objective.cost();
    objective.parameters_mut()[i] = theta;
    Ok((above? - below?) / (2.0 * EPSILON))
}

/// Squared norms of dθ_approx − dθ, dθ_approx and dθ.
#[derive(Clone, Copy, Default)]
struct Norms {
    difference: f64,
    approximate: f64,
    exact: f64,
}

impl Norms {
    fn add(&mut self, approximate: f64, exact: f64) {
        self.difference += (approximate - exact) * (approximate - exact);
        self.approximate += approximate * approximate;
        self.exact += exact * exact;
    }

    fn check(self, name: String, parameters: usize) -> LayerCheck {
        let norm = self.approximate.sqrt() + self.exact.sqrt();
        let relative_error = if norm == 0.0 { 0.0 } else { self.difference.sqrt() / norm };
        LayerCheck { name, parameters, relative_error, verdict: Verdict::of(relative_error) }
    }
}

impl core::ops::Add for Norms {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            difference: self.difference + other.difference,
            approximate: self.approximate + other.approximate,
            exact: self.exact + other.exact,
        }
    }
}
