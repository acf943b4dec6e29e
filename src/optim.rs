//! Optimizer updates over flat slices: parameters, gradient and state in one pass.

use crate::buffer::AlignedVec;
use crate::element::Element;
use crate::elementwise::same_length;
use crate::error::Error;
use crate::exec::Exec;
use crate::kernels::optim::{Adam, Momentum, Sgd};
use crate::simd::slice::Arrays;

/// State of [`Exec::momentum`]: β and the velocity v, zero at first.
#[derive(Clone)]
pub struct MomentumState<T> {
    /// β, the weight of the past; 0.9 at first.
    pub beta: f64,
    v: AlignedVec<T>,
}

impl<T: Element> MomentumState<T> {
    /// For `len` parameters.
    pub fn new(len: usize) -> Self {
        Self { beta: 0.9, v: AlignedVec::zeros(len) }
    }
}

/// State of [`Exec::adam`]: β₁, β₂, ε, the moments v and s, zero at first, and the step count t.
#[derive(Clone)]
pub struct AdamState<T> {
    /// β₁, the weight of the past in the first moment; 0.9 at first.
    pub beta1: f64,
    /// β₂, the weight of the past in the second moment; 0.999 at first.
    pub beta2: f64,
    /// ε, added outside the root as in the paper; 1e-8 at first.
    pub epsilon: f64,
    t: u64,
    v: AlignedVec<T>,
    s: AlignedVec<T>,
}

impl<T: Element> AdamState<T> {
    /// For `len` parameters, with the paper's constants.
    pub fn new(len: usize) -> Self {
        let zeros = AlignedVec::zeros(len);
        Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, t: 0, v: zeros.clone(), s: zeros }
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.t
    }
}

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
        same_length("sgd: dw", w.len(), dw.len())?;
        check_rate(learning_rate)?;
        let p = w.as_mut_ptr();
        // SAFETY: both are borrowed, w alone is written, and the lengths agree.
        let arrays = unsafe { Arrays::new(w.len(), [dw.as_ptr(), p], [p]) };
        self.sweep(arrays, Sgd { learning_rate: T::from_f64(learning_rate) });
        Ok(())
    }

    /// Gradient descent with momentum, as an exponentially weighted average: v ← β·v + (1 − β)·dw, w ← w − α·v.
    ///
    /// # Errors
    /// [`Error::Length`] unless slices and state have the same length; [`Error::OutOfRange`] for a learning rate that is
    /// negative or not finite, or β outside [0, 1).
    ///
    /// ```
    /// use roofline::{Exec, MomentumState};
    /// let (mut w, mut state) = ([1.0], MomentumState::new(1));
    /// state.beta = 0.5;
    /// Exec::default().momentum(&mut w, &[4.0], &mut state, 0.25)?;
    /// assert_eq!(w, [0.5]);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn momentum<T: Element>(
        &self,
        w: &mut [T],
        dw: &[T],
        state: &mut MomentumState<T>,
        learning_rate: f64,
    ) -> Result<(), Error> {
        same_length("momentum: dw", w.len(), dw.len())?;
        same_length("momentum: state", w.len(), state.v.len())?;
        check_rate(learning_rate)?;
        check_beta("momentum: beta", state.beta)?;
        let (p, v) = (w.as_mut_ptr(), state.v.as_mut_ptr());
        // SAFETY: all are borrowed, w and v alone are written, and the lengths agree.
        let arrays = unsafe { Arrays::new(w.len(), [dw.as_ptr(), p, v], [p, v]) };
        self.sweep(
            arrays,
            Momentum {
                learning_rate: T::from_f64(learning_rate),
                beta: T::from_f64(state.beta),
                one_minus_beta: T::from_f64(1.0 - state.beta),
            },
        );
        Ok(())
    }

    /// Adam (Kingma and Ba 2015, arXiv:1412.6980, algorithm 1): with t counted from 1,
    /// v ← β₁·v + (1 − β₁)·dw, s ← β₂·s + (1 − β₂)·dw², w ← w − α·(v/(1 − β₁ᵗ)) / (√(s/(1 − β₂ᵗ)) + ε).
    /// The bias corrections are computed in `f64`.
    ///
    /// # Errors
    /// [`Error::Length`] unless slices and state have the same length; [`Error::OutOfRange`] for a learning rate that is
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
        same_length("adam: dw", w.len(), dw.len())?;
        same_length("adam: state", w.len(), state.v.len())?;
        check_rate(learning_rate)?;
        check_beta("adam: beta1", state.beta1)?;
        check_beta("adam: beta2", state.beta2)?;
        let epsilon = T::from_f64(state.epsilon);
        if !(epsilon > T::ZERO && state.epsilon.is_finite()) {
            return Err(Error::OutOfRange {
                what: "adam: epsilon",
                value: state.epsilon,
                allowed: "positive and finite",
            });
        }
        state.t += 1;
        let correction1 = 1.0 - power(state.beta1, state.t);
        let correction2 = 1.0 - power(state.beta2, state.t);
        let (p, v, s) = (w.as_mut_ptr(), state.v.as_mut_ptr(), state.s.as_mut_ptr());
        // SAFETY: all are borrowed, w, v and s alone are written, and the lengths agree.
        let arrays = unsafe { Arrays::new(w.len(), [dw.as_ptr(), p, v, s], [p, v, s]) };
        self.sweep(
            arrays,
            Adam {
                step: T::from_f64(learning_rate / correction1),
                beta1: T::from_f64(state.beta1),
                one_minus_beta1: T::from_f64(1.0 - state.beta1),
                beta2: T::from_f64(state.beta2),
                one_minus_beta2: T::from_f64(1.0 - state.beta2),
                root_correction: T::from_f64(1.0 / correction2.sqrt()),
                epsilon,
            },
        );
        Ok(())
    }
}

fn check_rate(learning_rate: f64) -> Result<(), Error> {
    if learning_rate >= 0.0 && learning_rate.is_finite() {
        return Ok(());
    }
    Err(Error::OutOfRange { what: "learning_rate", value: learning_rate, allowed: "finite and not negative" })
}

fn check_beta(what: &'static str, beta: f64) -> Result<(), Error> {
    if (0.0..1.0).contains(&beta) { Ok(()) } else { Err(Error::OutOfRange { what, value: beta, allowed: "in [0, 1)" }) }
}

/// xⁿ by squaring: the same bits on every platform, which `f64::powi` does not promise.
fn power(mut x: f64, mut n: u64) -> f64 {
    let mut result = 1.0;
    while n > 0 {
        if n % 2 == 1 {
            result *= x;
        }
        x *= x;
        n /= 2;
    }
    result
}
