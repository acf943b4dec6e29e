//! What an optimizer remembers: constants and moments, and how they make a [`Job`].

use super::update::{Job, Sweeping};
use crate::buffer::AlignedVec;
use crate::element::Element;
use crate::elementwise::same_length;
use crate::error::Error;
use crate::kernels::optim::{Adam, Average, Momentum, RmsProp, Root, Sgd, Terms};
use crate::simd::slice::Arrays;

/// Penalties and decay of the parameters, within the update's pass. All are 0 at first.
///
/// ```
/// use roofline::{Decay, Exec, SgdState, Step};
/// let mut state = SgdState { decay: Decay { l2: 0.5, ..Decay::default() } };
/// let mut w = [2.0];
/// Exec::default().update(&mut [Step { w: &mut w, dw: &[0.0], state: &mut state }], 0.1)?;
/// assert_eq!(w, [2.0 - 0.1 * 0.5 * 2.0]);
/// # Ok::<(), roofline::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Decay {
    /// λ₁·sign w is added to the gradient: that of λ₁·Σ|w|; 0 at 0.
    pub l1: f64,
    /// λ₂·w is added to the gradient: that of λ₂/2·Σw² (PyTorch's `weight_decay` but in AdamW).
    pub l2: f64,
    /// w ← (1 − α·λ)·w comes first, apart from the gradient and its moments (Loshchilov and Hutter 2019, arXiv:1711.05101; α is
    /// the learning rate).
    pub decoupled: f64,
}

impl Decay {
    fn check(&self) -> Result<(), Error> {
        for (what, value) in [("decay: l1", self.l1), ("decay: l2", self.l2), ("decay: decoupled", self.decoupled)] {
            not_negative(what, value)?;
        }
        Ok(())
    }

    /// The terms of a step, and whether it is plain, as far as they go.
    fn terms<T: Element>(&self, learning_rate: f64, clip: f64) -> (Terms<T>, bool) {
        let plain = self.l1 == 0.0;
        let [clip, l1, l2, keep] = [clip, self.l1, self.l2, 1.0 - learning_rate * self.decoupled].map(T::from_f64);
        (Terms { clip, l1, l2, keep }, plain)
    }
}

/// Where ε is added to the root of a second moment s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EpsilonPlace {
    /// √ŝ + ε: as in the paper of Adam and in PyTorch. ŝ is s after bias correction, if there is any.
    #[default]
    Outside,
    /// √(ŝ + ε): as in the course notes, and for RMSprop in TensorFlow.
    Inside,
}

impl EpsilonPlace {
    /// For ŝ = s·correction.
    fn root<T: Element>(self, epsilon: f64, correction: f64) -> Root<T> {
        let inside = self == EpsilonPlace::Inside;
        let correction = if inside { correction } else { correction.sqrt() };
        Root { correction: T::from_f64(correction), epsilon: T::from_f64(epsilon), inside }
    }
}

/// How a gradient enters the velocity v of [`Exec::momentum`](crate::Exec::momentum).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MomentumForm {
    /// v ← β·v + (1 − β)·dw, w ← w − α·v: an exponentially weighted average, as in the course notes.
    #[default]
    Average,
    /// v ← β·v + dw, w ← w − α·v (Polyak 1964; PyTorch's SGD).
    Classic,
    /// v ← β·v + dw, w ← w − α·(dw + β·v) (Nesterov's, in the form of Sutskever et al. 2013 that PyTorch has).
    Nesterov,
}

/// State of [`Exec::sgd`](crate::Exec::sgd): none but the decay.
#[derive(Clone, Copy, Debug, Default)]
pub struct SgdState {
    /// Decay of the parameters.
    pub decay: Decay,
}

/// State of [`Exec::momentum`](crate::Exec::momentum) and [`Exec::nesterov`](crate::Exec::nesterov): β and the velocity v, zero
/// at first.
#[derive(Clone)]
pub struct MomentumState<T> {
    /// β, the weight of the past; 0.9 at first.
    pub beta: f64,
    /// What v is.
    pub form: MomentumForm,
    /// Decay of the parameters.
    pub decay: Decay,
    t: u64,
    v: AlignedVec<T>,
}

impl<T: Element> MomentumState<T> {
    /// For `len` parameters.
    pub fn new(len: usize) -> Self {
        let (form, decay) = Default::default();
        Self { beta: 0.9, form, decay, t: 0, v: AlignedVec::zeros(len) }
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.t
    }

    /// The velocity v.
    pub fn v(&self) -> &[T] {
        &self.v
    }

    /// Continues where a state with this count and velocity was: the steps to come have the bits that its own would have.
    ///
    /// # Errors
    /// [`Error::Length`] unless there are as many numbers as parameters. Nothing is changed then.
    pub fn restore(&mut self, steps: u64, v: &[T]) -> Result<(), Error> {
        same_length("momentum: saved v", self.v.len(), v.len())?;
        self.v.copy_from_slice(v);
        self.t = steps;
        Ok(())
    }
}

/// State of [`Exec::rmsprop`](crate::Exec::rmsprop): β, ε and the second moment s, zero at first.
#[derive(Clone)]
pub struct RmsPropState<T> {
    /// β, the weight of the past; 0.9 at first.
    pub beta: f64,
    /// ε; 1e-8 at first.
    pub epsilon: f64,
    /// Where ε is added.
    pub epsilon_place: EpsilonPlace,
    /// Decay of the parameters.
    pub decay: Decay,
    t: u64,
    s: AlignedVec<T>,
}

impl<T: Element> RmsPropState<T> {
    /// For `len` parameters.
    pub fn new(len: usize) -> Self {
        let (epsilon_place, decay) = Default::default();
        Self { beta: 0.9, epsilon: 1e-8, epsilon_place, decay, t: 0, s: AlignedVec::zeros(len) }
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.t
    }

    /// The second moment s.
    pub fn s(&self) -> &[T] {
        &self.s
    }

    /// Continues where a state with this count and moment was: the steps to come have the bits that its own would have.
    ///
    /// # Errors
    /// [`Error::Length`] unless there are as many numbers as parameters. Nothing is changed then.
    pub fn restore(&mut self, steps: u64, s: &[T]) -> Result<(), Error> {
        same_length("rmsprop: saved s", self.s.len(), s.len())?;
        self.s.copy_from_slice(s);
        self.t = steps;
        Ok(())
    }
}

/// State of [`Exec::adam`](crate::Exec::adam): β₁, β₂, ε, the moments v and s, zero at first, and the step count t.
#[derive(Clone)]
pub struct AdamState<T> {
    /// β₁, the weight of the past in the first moment; 0.9 at first.
    pub beta1: f64,
    /// β₂, the weight of the past in the second moment; 0.999 at first.
    pub beta2: f64,
    /// ε; 1e-8 at first.
    pub epsilon: f64,
    /// Where ε is added.
    pub epsilon_place: EpsilonPlace,
    /// Decay of the parameters.
    pub decay: Decay,
    t: u64,
    v: AlignedVec<T>,
    s: AlignedVec<T>,
}

impl<T: Element> AdamState<T> {
    /// For `len` parameters, with the paper's constants.
    pub fn new(len: usize) -> Self {
        let (epsilon_place, decay) = Default::default();
        let zeros = AlignedVec::zeros(len);
        Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, epsilon_place, decay, t: 0, v: zeros.clone(), s: zeros }
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.t
    }

    /// The first moment v.
    pub fn v(&self) -> &[T] {
        &self.v
    }

    /// The second moment s.
    pub fn s(&self) -> &[T] {
        &self.s
    }

    /// Continues where a state with this count and moments was: the steps to come have the bits that its own would have.
    ///
    /// # Errors
    /// [`Error::Length`] unless there are as many numbers of each as parameters. Nothing is changed then.
    ///
    /// ```
    /// use roofline::{AdamState, Exec};
    /// let (exec, mut w, mut state) = (Exec::default(), [1.0_f32, 2.0], AdamState::new(2));
    /// exec.adam(&mut w, &[0.5, -3.0], &mut state, 0.1)?;
    /// let mut saved = AdamState::new(2);
    /// saved.restore(state.steps(), state.v(), state.s())?;
    /// let mut again = w;
    /// exec.adam(&mut w, &[4.0, 0.0], &mut state, 0.1)?;
    /// exec.adam(&mut again, &[4.0, 0.0], &mut saved, 0.1)?;
    /// assert_eq!(w, again);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn restore(&mut self, steps: u64, v: &[T], s: &[T]) -> Result<(), Error> {
        same_length("adam: saved v", self.v.len(), v.len())?;
        same_length("adam: saved s", self.s.len(), s.len())?;
        self.v.copy_from_slice(v);
        self.s.copy_from_slice(s);
        self.t = steps;
        Ok(())
    }
}

/// A rule with its state: what makes the public trait sealed.
pub trait Remember<T: Element> {
    type Job: Job<T>;
    /// What is named in errors: the gradient, and the state.
    const NAMES: [&'static str; 2];

    /// How many parameters the state is for, if it holds any moments.
    fn len(&self) -> Option<usize>;
    fn check(&self) -> Result<(), Error>;
    /// The work of one update, and counts it. The lengths agree, and the constants were checked.
    fn job(&mut self, w: &mut [T], dw: &[T], learning_rate: f64, clip: f64) -> Self::Job;
}

impl<T: Element> Remember<T> for SgdState {
    type Job = Sweeping<T, Sgd<T>, 2, 1>;
    const NAMES: [&'static str; 2] = ["sgd: dw", "sgd: state"];

    fn len(&self) -> Option<usize> {
        None
    }

    fn check(&self) -> Result<(), Error> {
        self.decay.check()
    }

    fn job(&mut self, w: &mut [T], dw: &[T], learning_rate: f64, clip: f64) -> Self::Job {
        let p = w.as_mut_ptr();
        // SAFETY: whoever runs the job owes the borrows; w alone is written, and the lengths agree.
        let arrays = unsafe { Arrays::new(w.len(), [dw.as_ptr(), p], [p]) };
        let rule = Sgd { learning_rate: T::from_f64(learning_rate) };
        Sweeping::new(arrays, rule, self.decay.terms(learning_rate, clip))
    }
}

impl<T: Element> Remember<T> for MomentumState<T> {
    type Job = Sweeping<T, Momentum<T>, 3, 2>;
    const NAMES: [&'static str; 2] = ["momentum: dw", "momentum: state"];

    fn len(&self) -> Option<usize> {
        Some(self.v.len())
    }

    fn check(&self) -> Result<(), Error> {
        check_beta("momentum: beta", self.beta)?;
        self.decay.check()
    }

    fn job(&mut self, w: &mut [T], dw: &[T], learning_rate: f64, clip: f64) -> Self::Job {
        let (p, v) = (w.as_mut_ptr(), self.v.as_mut_ptr());
        // SAFETY: whoever runs the job owes the borrows; w and v alone are written, and the lengths agree.
        let arrays = unsafe { Arrays::new(w.len(), [dw.as_ptr(), p, v], [p, v]) };
        let share = if self.form == MomentumForm::Average { 1.0 - self.beta } else { 1.0 };
        self.t = self.t.saturating_add(1);
        let [rate, beta, share] = [learning_rate, self.beta, share].map(T::from_f64);
        let nesterov = self.form == MomentumForm::Nesterov;
        let rule = Momentum { learning_rate: rate, beta, share, nesterov };
        let (terms, plain) = self.decay.terms(learning_rate, clip);
        Sweeping::new(arrays, rule, (terms, plain && !flushes(self.t)))
    }
}

impl<T: Element> Remember<T> for RmsPropState<T> {
    type Job = Sweeping<T, RmsProp<T>, 3, 2>;
    const NAMES: [&'static str; 2] = ["rmsprop: dw", "rmsprop: state"];

    fn len(&self) -> Option<usize> {
        Some(self.s.len())
    }

    fn check(&self) -> Result<(), Error> {
        check_beta("rmsprop: beta", self.beta)?;
        check_epsilon::<T>("rmsprop: epsilon", self.epsilon)?;
        self.decay.check()
    }

    fn job(&mut self, w: &mut [T], dw: &[T], learning_rate: f64, clip: f64) -> Self::Job {
        let (p, s) = (w.as_mut_ptr(), self.s.as_mut_ptr());
        // SAFETY: whoever runs the job owes the borrows; w and s alone are written, and the lengths agree.
        let arrays = unsafe { Arrays::new(w.len(), [dw.as_ptr(), p, s], [p, s]) };
        let root = self.epsilon_place.root(self.epsilon, 1.0);
        let rule = RmsProp { learning_rate: T::from_f64(learning_rate), average: Average::new(self.beta), root };
        self.t = self.t.saturating_add(1);
        let (terms, plain) = self.decay.terms(learning_rate, clip);
        Sweeping::new(arrays, rule, (terms, plain && !flushes(self.t)))
    }
}

impl<T: Element> Remember<T> for AdamState<T> {
    type Job = Sweeping<T, Adam<T>, 4, 3>;
    const NAMES: [&'static str; 2] = ["adam: dw", "adam: state"];

    fn len(&self) -> Option<usize> {
        Some(self.v.len())
    }

    fn check(&self) -> Result<(), Error> {
        check_beta("adam: beta1", self.beta1)?;
        check_beta("adam: beta2", self.beta2)?;
        check_epsilon::<T>("adam: epsilon", self.epsilon)?;
        self.decay.check()
    }

    fn job(&mut self, w: &mut [T], dw: &[T], learning_rate: f64, clip: f64) -> Self::Job {
        self.t = self.t.saturating_add(1);
        let [correction1, correction2] = [self.beta1, self.beta2].map(|beta| 1.0 - power(beta, self.t));
        let (p, v, s) = (w.as_mut_ptr(), self.v.as_mut_ptr(), self.s.as_mut_ptr());
        // SAFETY: whoever runs the job owes the borrows; w, v and s alone are written, and the lengths agree.
        let arrays = unsafe { Arrays::new(w.len(), [dw.as_ptr(), p, v, s], [p, v, s]) };
        let root = self.epsilon_place.root(self.epsilon, 1.0 / correction2);
        let (first, second) = (Average::new(self.beta1), Average::new(self.beta2));
        let rule = Adam { step: T::from_f64(learning_rate / correction1), first, second, root };
        let (terms, plain) = self.decay.terms(learning_rate, clip);
        Sweeping::new(arrays, rule, (terms, plain && !flushes(self.t)))
    }
}

/// Whether step t clears moments that are subnormal, or nearly.
fn flushes(t: u64) -> bool {
    t.is_multiple_of(16)
}

pub(super) fn not_negative(what: &'static str, value: f64) -> Result<(), Error> {
    if value >= 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::OutOfRange { what, value, allowed: "finite and not negative" })
}

fn check_beta(what: &'static str, beta: f64) -> Result<(), Error> {
    if (0.0..1.0).contains(&beta) { Ok(()) } else { Err(Error::OutOfRange { what, value: beta, allowed: "in [0, 1)" }) }
}

/// ε keeps 0 from being divided by 0, which it must do in the element type too.
fn check_epsilon<T: Element>(what: &'static str, epsilon: f64) -> Result<(), Error> {
    if T::from_f64(epsilon) > T::ZERO && epsilon.is_finite() {
        return Ok(());
    }
    Err(Error::OutOfRange { what, value: epsilon, allowed: "positive and finite, in the element type too" })
}

/// xⁿ by squaring: the same bits on every platform, which `f64::powi` does not promise.
pub(crate) fn power(mut x: f64, mut n: u64) -> f64 {
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
