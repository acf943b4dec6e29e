//! Optimizer updates over flat slices: parameters, gradient and state in one pass.
//!
//! Each rule has a method of [`Exec`] for one tensor; [`Exec::update`] takes many. Moments that are
//! subnormal numbers, or near them, become 0: v below 2⁻¹⁰² (`f32`) or 2⁻⁹⁶⁹ (`f64`), s below 2⁻¹²⁶ or 2⁻¹⁰²².

mod state;
mod update;

use crate::element::Element;
use crate::error::Error;
use crate::exec::Exec;
pub(crate) use state::power;
pub use state::{AdamState, Decay, EpsilonPlace, MomentumForm, MomentumState, RmsPropState, SgdState};
pub use update::{OptimizerState, Step};

impl Exec {
    /// Gradient descent: w ← w − α·dw.
    ///
    /// # Errors
    /// [`Error::Length`] unless both slices have the same length; [`Error::OutOfRange`] for a learning rate that is
    /// negative or not finite.
    ///
    /// ```
    /// let mut w = [1.0, 2.0];
    /// roofline::Exec::default().sgd(&mut w, &[10.0, -10.0], 0.5)?;
    /// assert_eq!(w, [-4.0, 7.0]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn sgd<T: Element>(&self, w: &mut [T], dw: &[T], learning_rate: f64) -> Result<(), Error> {
        self.update(&mut [Step { w, dw, state: &mut SgdState::default() }], learning_rate)
    }

    /// Gradient descent with momentum: v ← β·v + (1 − β)·dw, w ← w − α·v, or what [`MomentumForm`] says.
    ///
    /// # Errors
    /// [`Error::Length`] unless slices and state have the same length; [`Error::OutOfRange`] for a learning rate or decay that is
    /// negative or not finite, or β outside [0, 1).
    ///
    /// ```
    /// use roofline::{Exec, MomentumState};
    /// let (mut w, mut state) = ([1.0], MomentumState::new(1));
    /// Exec::default().momentum(&mut w, &[10.0], &mut state, 0.5)?; // v = 0.1·10
    /// assert_eq!(w, [0.5_f32]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn momentum<T: Element>(
        &self,
        w: &mut [T],
        dw: &[T],
        state: &mut MomentumState<T>,
        learning_rate: f64,
    ) -> Result<(), Error> {
        self.update(&mut [Step { w, dw, state }], learning_rate)
    }

    /// Nesterov's momentum: v ← β·v + dw, w ← w − α·(dw + β·v). The form of the state becomes [`MomentumForm::Nesterov`].
    ///
    /// # Errors
    /// As [`Exec::momentum`].
    ///
    /// ```
    /// use roofline::{Exec, MomentumState};
    /// let (mut w, mut state) = ([0.0], MomentumState::new(1));
    /// Exec::default().nesterov(&mut w, &[1.0], &mut state, 0.5)?; // v = 1, the step is 0.5·(1 + 0.9)
    /// assert_eq!(w, [-0.95_f64]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn nesterov<T: Element>(
        &self,
        w: &mut [T],
        dw: &[T],
        state: &mut MomentumState<T>,
        learning_rate: f64,
    ) -> Result<(), Error> {
        state.form = MomentumForm::Nesterov;
        self.update(&mut [Step { w, dw, state }], learning_rate)
    }

    /// RMSprop (Tieleman and Hinton 2012): s ← β·s + (1 − β)·dw², w ← w − α·dw/(√s + ε), or ε where [`EpsilonPlace`] says. No bias
    /// correction, as in the course notes and in PyTorch.
    ///
    /// # Errors
    /// [`Error::Length`] unless slices and state have the same length; [`Error::OutOfRange`] for a learning rate or decay that is
    /// negative or not finite, β outside [0, 1), or ε not above 0 in the element type.
    ///
    /// ```
    /// use roofline::{Exec, RmsPropState};
    /// let (mut w, mut state) = ([1.0_f64], RmsPropState::new(1));
    /// state.beta = 0.75;
    /// Exec::default().rmsprop(&mut w, &[8.0], &mut state, 0.1)?; // s = 8²/4
    /// assert!((w[0] - 0.8).abs() < 1e-9);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn rmsprop<T: Element>(
        &self,
        w: &mut [T],
        dw: &[T],
        state: &mut RmsPropState<T>,
        learning_rate: f64,
    ) -> Result<(), Error> {
        self.update(&mut [Step { w, dw, state }], learning_rate)
    }

    /// Adam (Kingma and Ba 2015, arXiv:1412.6980, algorithm 1): with t counted from 1,
    /// v ← β₁·v + (1 − β₁)·dw, s ← β₂·s + (1 − β₂)·dw², w ← w − α·(v/(1 − β₁ᵗ)) / (√(s/(1 − β₂ᵗ)) + ε), or ε where
    /// [`EpsilonPlace`] says. The bias corrections are computed in `f64`.
    ///
    /// # Errors
    /// [`Error::Length`] unless slices and state have the same length; [`Error::OutOfRange`] for a learning rate or decay that is
    /// negative or not finite, β₁ or β₂ outside [0, 1), or ε not above 0 in the element type.
    ///
    /// ```
    /// use roofline::{AdamState, Exec};
    /// let (mut w, mut state) = ([1.0_f64], AdamState::new(1));
    /// Exec::default().adam(&mut w, &[123.0], &mut state, 0.1)?;
    /// assert!((w[0] - 0.9).abs() < 1e-9, "the first step is α long, whatever the gradient");
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn adam<T: Element>(
        &self,
        w: &mut [T],
        dw: &[T],
        state: &mut AdamState<T>,
        learning_rate: f64,
    ) -> Result<(), Error> {
        self.update(&mut [Step { w, dw, state }], learning_rate)
    }

    /// AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101): w ← (1 − α·λ)·w, then the step of [`Exec::adam`]. λ is
    /// [`Decay::decoupled`] of the state, here set; PyTorch's default is 0.01.
    ///
    /// # Errors
    /// As [`Exec::adam`].
    ///
    /// ```
    /// use roofline::{AdamState, Exec};
    /// let (mut w, mut state) = ([1.0_f64], AdamState::new(1));
    /// Exec::default().adamw(&mut w, &[0.0], &mut state, 0.1, 0.01)?;
    /// assert_eq!(w, [0.999]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn adamw<T: Element>(
        &self,
        w: &mut [T],
        dw: &[T],
        state: &mut AdamState<T>,
        learning_rate: f64,
        weight_decay: f64,
    ) -> Result<(), Error> {
        let before = state.decay;
        state.decay.decoupled = weight_decay;
        let result = self.update(&mut [Step { w, dw, state: &mut *state }], learning_rate);
        if result.is_err() {
            state.decay = before;
        }
        result
    }
}
