//! [`Optimizer`]: which update rule, with its state.

use crate::element::Element;
use crate::error::Error;
use crate::exec::Exec;
use crate::optim::{AdamState, MomentumState};

/// An update rule with its learning rate and its state, which is made at the first update.
///
/// ```
/// use roofline::Exec;
/// use roofline::nn::Optimizer;
/// let mut optimizer = Optimizer::sgd(0.5);
/// let mut w = [1.0_f64, 1.0];
/// optimizer.step(&Exec::default(), &mut w, &[1.0, -1.0])?;
/// assert_eq!(w, [0.5, 1.5]);
/// # Ok::<(), roofline::Error>(())
/// ```
#[derive(Clone)]
pub struct Optimizer<T> {
    /// α. May be changed between updates.
    pub learning_rate: f64,
    rule: Rule<T>,
}

#[derive(Clone)]
enum Rule<T> {
    Sgd,
    Momentum(Option<MomentumState<T>>),
    Adam(Option<AdamState<T>>),
}

impl<T: Element> Optimizer<T> {
    /// [`Exec::sgd`].
    pub fn sgd(learning_rate: f64) -> Self {
        Self { learning_rate, rule: Rule::Sgd }
    }

    /// [`Exec::momentum`] with β = 0.9.
    pub fn momentum(learning_rate: f64) -> Self {
        Self { learning_rate, rule: Rule::Momentum(None) }
    }

    /// [`Exec::adam`] with β₁ = 0.9, β₂ = 0.999, ε = 1e-8.
    pub fn adam(learning_rate: f64) -> Self {
        Self { learning_rate, rule: Rule::Adam(None) }
    }

    /// One update of the parameters `w` by the gradient `dw`.
    ///
    /// # Errors
    /// [`Error::Length`] unless both have the length of the first update; [`Error::OutOfRange`] of the learning rate.
    pub fn step(&mut self, exec: &Exec, w: &mut [T], dw: &[T]) -> Result<(), Error> {
        let len = w.len();
        match &mut self.rule {
            Rule::Sgd => exec.sgd(w, dw, self.learning_rate),
            Rule::Momentum(state) => {
                let state = state.get_or_insert_with(|| MomentumState::new(len));
                exec.momentum(w, dw, state, self.learning_rate)
            }
            Rule::Adam(state) => {
                let state = state.get_or_insert_with(|| AdamState::new(len));
                exec.adam(w, dw, state, self.learning_rate)
            }
        }
    }
}
