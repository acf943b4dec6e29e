//! [`ExponentialAverage`]: a running average that forgets.

use crate::error::Error;
use crate::optim::power;

/// The exponentially weighted average of a sequence θ₁, θ₂, …: v₀ = 0, vₜ = β·vₜ₋₁ + (1 − β)·θₜ, with bias correction
/// vₜ/(1 − βᵗ).
///
/// θₜ₋ₖ has the weight (1 − β)·βᵏ: about the last 1/(1 − β) values count. (The course notes write (1 − β)ᵏ⁺¹ once, where the
/// powers should be β's.)
///
/// ```
/// use roofline::nn::ExponentialAverage;
/// let mut cost = ExponentialAverage::new(0.9)?;
/// cost.add(2.0);
/// cost.add(4.0);
/// let corrected = cost.value().unwrap(); // (0.09·2 + 0.1·4)/0.19
/// assert!((corrected - 0.58 / 0.19).abs() < 1e-12);
/// assert!((cost.window() - 10.0).abs() < 1e-9);
/// # Ok::<(), roofline::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExponentialAverage {
    beta: f64,
    v: f64,
    t: u64,
}

impl ExponentialAverage {
    /// Of no values yet. `beta` = β is the weight of the past.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless β is in [0, 1).
    pub fn new(beta: f64) -> Result<Self, Error> {
        Self::from_state(beta, 0.0, 0)
    }

    /// Continues from a β, [`v`](Self::v) and [`count`](Self::count) that were saved, with the same bits.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless β is in [0, 1), and where there is a `v` of no values.
    pub fn from_state(beta: f64, v: f64, count: u64) -> Result<Self, Error> {
        if !(0.0..1.0).contains(&beta) {
            return Err(Error::OutOfRange { what: "average: beta", value: beta, allowed: "in [0, 1)" });
        }
        if count == 0 && v != 0.0 {
            return Err(Error::OutOfRange { what: "average: v of no values", value: v, allowed: "0" });
        }
        Ok(Self { beta, v, t: count })
    }

    /// v ← β·v + (1 − β)·θ. A θ that is not a number makes the average one for good.
    pub fn add(&mut self, theta: f64) {
        self.v = self.beta * self.v + (1.0 - self.beta) * theta;
        self.t = self.t.saturating_add(1);
    }

    /// v/(1 − βᵗ), an average whose weights sum to 1; `None` without values.
    pub fn value(&self) -> Option<f64> {
        (self.t > 0).then(|| self.v / (1.0 - power(self.beta, self.t)))
    }

    /// v itself, near 0 at first.
    pub fn v(&self) -> f64 {
        self.v
    }

    /// β.
    pub fn beta(&self) -> f64 {
        self.beta
    }

    /// t, the number of values.
    pub fn count(&self) -> u64 {
        self.t
    }

    /// 1/(1 − β), about how many of the last values count: β^(1/(1 − β)) ≈ 1/e.
    pub fn window(&self) -> f64 {
        1.0 / (1.0 - self.beta)
    }
}
