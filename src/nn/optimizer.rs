//! [`Optimizer`]: a rule at work, with its learning rate and its state.

use super::rule::Rule;
use crate::element::Element;
use crate::elementwise::same_length;
use crate::error::Error;
use crate::exec::Exec;
use crate::optim::{AdamState, Decay, MomentumState, OptimizerState, RmsPropState, SgdState, Step};

/// An update rule with its learning rate and its state, which is made at the first update.
///
/// ```
/// use roofline::nn::{Optimizer, Rule};
/// use roofline::{Decay, Exec};
/// let mut optimizer = Optimizer::sgd(0.5);
/// let mut w = [1.0_f64, 1.0];
/// optimizer.step(&Exec::default(), &mut w, &[1.0, -1.0])?;
/// assert_eq!(w, [0.5, 1.5]);
///
/// // Any rule with any constants, decay and clipping.
/// let rule = Rule::adam().with("beta2", 0.99)?;
/// let mut optimizer = Optimizer::new(rule, 0.001).decay(Decay { l2: 1e-4, ..Decay::default() }).clip_norm(5.0);
/// optimizer.step(&Exec::default(), &mut w, &[30.0, -40.0])?;
/// assert_eq!(optimizer.gradient_norm(), Some(50.0));
/// # Ok::<(), roofline::Error>(())
/// ```
#[derive(Clone)]
pub struct Optimizer<T> {
    /// α. May be changed between updates: see [`Schedule`](super::Schedule).
    pub learning_rate: f64,
    /// Decay of *all* parameters that [`Optimizer::step`] is given, biases too. May be changed between updates.
    pub decay: Decay,
    /// Gradients of a larger norm ‖dw‖₂ are scaled down to this one; `None` leaves them alone. May be changed between updates.
    pub clip_norm: Option<f64>,
    rule: Rule,
    steps: u64,
    gradient_norm: Option<f64>,
    state: Option<State<T>>,
}

impl<T: Element> Optimizer<T> {
    /// `rule` with a learning rate, without decay and clipping. Bad constants are found by [`Rule::check`] or the first step.
    pub fn new(rule: Rule, learning_rate: f64) -> Self {
        let decay = Decay::default();
        Self { learning_rate, decay, clip_norm: None, rule, steps: 0, gradient_norm: None, state: None }
    }

    /// [`Exec::sgd`].
    pub fn sgd(learning_rate: f64) -> Self {
        Self::new(Rule::Sgd, learning_rate)
    }

    /// [`Exec::momentum`] with β = 0.9, in the notes' form.
    pub fn momentum(learning_rate: f64) -> Self {
        Self::new(Rule::momentum(), learning_rate)
    }

    /// [`Exec::nesterov`] with β = 0.9.
    pub fn nesterov(learning_rate: f64) -> Self {
        Self::new(Rule::nesterov(), learning_rate)
    }

    /// [`Exec::rmsprop`] with β = 0.9, ε = 1e-8.
    pub fn rmsprop(learning_rate: f64) -> Self {
        Self::new(Rule::rmsprop(), learning_rate)
    }

    /// [`Exec::adam`] with β₁ = 0.9, β₂ = 0.999, ε = 1e-8.
    pub fn adam(learning_rate: f64) -> Self {
        Self::new(Rule::adam(), learning_rate)
    }

    /// [`Exec::adamw`]: Adam with decoupled decay λ = `weight_decay`.
    pub fn adamw(learning_rate: f64, weight_decay: f64) -> Self {
        Self::adam(learning_rate).decay(Decay { decoupled: weight_decay, ..Decay::default() })
    }

    /// With decay of the parameters.
    #[must_use]
    pub fn decay(self, decay: Decay) -> Self {
        Self { decay, ..self }
    }

    /// With gradients scaled by min(1, `max_norm`/‖dw‖₂) ([`Exec::update_clipped`]).
    #[must_use]
    pub fn clip_norm(self, max_norm: f64) -> Self {
        Self { clip_norm: Some(max_norm), ..self }
    }

    /// One update of the parameters `w` by the gradient `dw`, in one pass (two with clipping, which needs the norm first).
    ///
    /// With clipping, a gradient whose norm is not finite takes no step: [`Optimizer::gradient_norm`] tells.
    ///
    /// # Errors
    /// [`Error::Length`] unless both have the length of the first update; [`Error::OutOfRange`] for a learning rate, decay or
    /// `clip_norm` that is negative or not finite, and for constants of the rule outside their ranges ([`Rule::check`]).
    /// Nothing is changed then.
    pub fn step(&mut self, exec: &Exec, w: &mut [T], dw: &[T]) -> Result<(), Error> {
        self.step_cut(exec, w, dw, &[])
    }

    /// [`Optimizer::step`] of several tensors, one behind the other and each shared out on its own: `cuts` are where the next one begins.
    pub(super) fn step_cut(&mut self, exec: &Exec, w: &mut [T], dw: &[T], cuts: &[usize]) -> Result<(), Error> {
        let first = self.state.is_none();
        let state = self.state.get_or_insert_with(|| State::new(self.rule, w.len()));
        let pass = Pass { exec, learning_rate: self.learning_rate, clip_norm: self.clip_norm, cuts };
        match state.step(&pass, self.decay, w, dw) {
            Ok(norm) => {
                self.gradient_norm = norm;
                self.steps = self.steps.saturating_add(u64::from(norm.is_none_or(f64::is_finite)));
                Ok(())
            }
            Err(error) => {
                if first {
                    self.state = None;
                }
                Err(error)
            }
        }
    }

    /// Whether the constants of the rule are in their ranges, for this element type.
    pub(super) fn check(&self) -> Result<(), Error> {
        State::<T>::new(self.rule, 0).check()
    }

    /// The rule and its constants.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// Updates made.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// ‖dw‖₂ of the last update before clipping; `None` without clipping, which alone needs it.
    pub fn gradient_norm(&self) -> Option<f64> {
        self.gradient_norm
    }

    /// What the rule remembers besides [`Optimizer::steps`], for a checkpoint: names (`v`, the first moment or velocity, and `s`,
    /// the second) and numbers, one for each parameter. None before the first update.
    ///
    /// ```
    /// use roofline::Exec;
    /// use roofline::nn::Optimizer;
    /// let mut optimizer = Optimizer::momentum(0.1);
    /// optimizer.step(&Exec::default(), &mut [1.0_f64], &[10.0])?;
    /// let [(name, v)] = optimizer.moments()[..] else { unreachable!() };
    /// assert!(name == "v" && (v[0] - 0.1 * 10.0).abs() < 1e-12);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn moments(&self) -> Vec<(&'static str, &[T])> {
        match &self.state {
            None | Some(State::Sgd(_)) => Vec::new(),
            Some(State::Momentum(state)) => vec![("v", state.v())],
            Some(State::RmsProp(state)) => vec![("s", state.s())],
            Some(State::Adam(state)) => vec![("v", state.v()), ("s", state.s())],
        }
    }

    /// Continues where an optimizer with this count and these moments was, in any order: with its rule, learning rate, decay and
    /// clipping, the updates to come have the bits that its own would have.
    ///
    /// # Errors
    /// [`Error::Length`] unless there is each moment of the rule (none is needed after no steps), all of the same length. Nothing is
    /// changed then. That this is the length of the parameters, the next update asks.
    ///
    /// ```
    /// use roofline::Exec;
    /// use roofline::nn::Optimizer;
    /// let (exec, mut w) = (Exec::default(), [1.0_f32, 2.0]);
    /// let mut optimizer = Optimizer::adam(0.1);
    /// optimizer.step(&exec, &mut w, &[0.5, -3.0])?;
    ///
    /// let mut resumed = Optimizer::adam(0.1);
    /// resumed.restore(optimizer.steps(), &optimizer.moments())?;
    /// let mut again = w;
    /// optimizer.step(&exec, &mut w, &[4.0, 0.0])?;
    /// resumed.step(&exec, &mut again, &[4.0, 0.0])?;
    /// assert_eq!(w, again);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn restore(&mut self, steps: u64, moments: &[(&str, &[T])]) -> Result<(), Error> {
        let state = if steps == 0 && moments.is_empty() {
            None
        } else {
            same_length("optimizer: saved moments", self.rule.moments().len(), moments.len())?;
            Some(State::restored(self.rule, steps, moments)?)
        };
        (self.steps, self.gradient_norm, self.state) = (steps, None, state);
        Ok(())
    }
}

/// How an update runs.
struct Pass<'a> {
    exec: &'a Exec,
    learning_rate: f64,
    clip_norm: Option<f64>,
    cuts: &'a [usize],
}

impl Pass<'_> {
    /// One update; gives the norm of the gradient where it is clipped.
    fn run<T, S>(&self, w: &mut [T], dw: &[T], state: &mut S) -> Result<Option<f64>, Error>
    where
        T: Element,
        S: OptimizerState<T>,
    {
        let steps = &mut [Step { w, dw, state }];
        self.exec.update_cut(steps, self.learning_rate, self.clip_norm, self.cuts)
    }
}

/// What each rule remembers.
#[derive(Clone)]
enum State<T> {
    Sgd(SgdState),
    Momentum(MomentumState<T>),
    RmsProp(RmsPropState<T>),
    Adam(AdamState<T>),
}

impl<T: Element> State<T> {
    fn new(rule: Rule, len: usize) -> Self {
        match rule {
            Rule::Sgd => State::Sgd(SgdState::default()),
            Rule::Momentum { beta, form } => {
                let mut state = MomentumState::new(len);
                (state.beta, state.form) = (beta, form);
                State::Momentum(state)
            }
            Rule::RmsProp { beta, epsilon, epsilon_place } => {
                let mut state = RmsPropState::new(len);
                (state.beta, state.epsilon, state.epsilon_place) = (beta, epsilon, epsilon_place);
                State::RmsProp(state)
            }
            Rule::Adam { beta1, beta2, epsilon, epsilon_place } => {
                let mut state = AdamState::new(len);
                (state.beta1, state.beta2) = (beta1, beta2);
                (state.epsilon, state.epsilon_place) = (epsilon, epsilon_place);
                State::Adam(state)
            }
        }
    }

    /// Whether the constants are in their ranges.
    fn check(&self) -> Result<(), Error> {
        fn of<T: Element>(state: &impl OptimizerState<T>) -> Result<(), Error> {
            state.check()
        }
        match self {
            State::Sgd(state) => of::<T>(state),
            State::Momentum(state) => of(state),
            State::RmsProp(state) => of(state),
            State::Adam(state) => of(state),
        }
    }

    /// There are as many moments as the rule keeps.
    fn restored(rule: Rule, steps: u64, moments: &[(&str, &[T])]) -> Result<Self, Error> {
        let len = moments.first().map_or(0, |(_, moment)| moment.len());
        let named = |wanted: &str, what: &'static str| {
            let found = moments.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, moment)| *moment).ok_or(Error::Length { what, expected: len, found: 0 })
        };
        let mut state = Self::new(rule, len);
        match &mut state {
            State::Sgd(_) => {}
            State::Momentum(state) => state.restore(steps, named("v", "momentum: saved v")?)?,
            State::RmsProp(state) => state.restore(steps, named("s", "rmsprop: saved s")?)?,
            State::Adam(state) => state.restore(steps, named("v", "adam: saved v")?, named("s", "adam: saved s")?)?,
        }
        Ok(state)
    }

    fn step(&mut self, pass: &Pass<'_>, decay: Decay, w: &mut [T], dw: &[T]) -> Result<Option<f64>, Error> {
        match self {
            State::Sgd(state) => {
                state.decay = decay;
                pass.run(w, dw, state)
            }
            State::Momentum(state) => {
                state.decay = decay;
                pass.run(w, dw, state)
            }
            State::RmsProp(state) => {
                state.decay = decay;
                pass.run(w, dw, state)
            }
            State::Adam(state) => {
                state.decay = decay;
                pass.run(w, dw, state)
            }
        }
    }
}
