//! Updates of many tensors at once: checked, then cut into parts as if they were one.

use super::state::{Remember, not_negative};
use crate::element::Element;
use crate::elementwise::same_length;
use crate::error::Error;
use crate::exec::Exec;
use crate::kernels::elementwise::Sweep;
use crate::kernels::optim::{Rule, Terms, Update};
use crate::parallel;
use crate::simd::Token;
use crate::simd::slice::Arrays;
use core::ops::Range;

/// Elements that take about 5 µs: see [`Exec::parts`].
const QUANTUM: usize = 1 << 14;

/// Tensors that share a fork. Their jobs are on the stack.
const TOGETHER: usize = 32;

/// Work on some elements, which any thread can do.
pub trait Job<T>: Copy + Sync {
    fn len(&self) -> usize;
    fn run(&self, token: Token, range: Range<usize>);
}

/// A rule over arrays.
pub struct Sweeping<T, F, const IN: usize, const OUT: usize> {
    arrays: Arrays<T, IN, OUT>,
    rule: F,
    terms: Terms<T>,
    plain: bool,
}

impl<T: Copy, F: Copy, const IN: usize, const OUT: usize> Clone for Sweeping<T, F, IN, OUT> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Copy, F: Copy, const IN: usize, const OUT: usize> Copy for Sweeping<T, F, IN, OUT> {}

impl<T: Element, F, const IN: usize, const OUT: usize> Sweeping<T, F, IN, OUT> {
    pub(super) fn new(arrays: Arrays<T, IN, OUT>, rule: F, (terms, plain): (Terms<T>, bool)) -> Self {
        Self { arrays, rule, terms, plain }
    }
}

impl<T, F, const IN: usize, const OUT: usize> Job<T> for Sweeping<T, F, IN, OUT>
where
    T: Element,
    F: Rule<T, IN, OUT> + Sync,
{
    fn len(&self) -> usize {
        self.arrays.len()
    }

    fn run(&self, token: Token, range: Range<usize>) {
        let (arrays, rule, terms) = (self.arrays.range(range), self.rule, self.terms);
        if self.plain {
            T::dispatch(token, Sweep { arrays, f: Update::<T, F, true> { rule, terms } });
        } else {
            T::dispatch(token, Sweep { arrays, f: Update::<T, F, false> { rule, terms } });
        }
    }
}

/// A state that [`Exec::update`] takes: [`SgdState`](crate::SgdState), [`MomentumState`](crate::MomentumState),
/// [`RmsPropState`](crate::RmsPropState), [`AdamState`](crate::AdamState).
pub trait OptimizerState<T: Element>: Remember<T> {}

impl<T: Element, R: Remember<T>> OptimizerState<T> for R {}

/// One tensor of [`Exec::update`].
pub struct Step<'a, T, S> {
    /// Parameters.
    pub w: &'a mut [T],
    /// Their gradient, of the same length.
    pub dw: &'a [T],
    /// State for as many parameters.
    pub state: &'a mut S,
}

impl Exec {
    /// One update of each of many tensors by the rule of their states, in one call: small ones cost no fork each, and are split over
    /// the threads as if they were one. The same bits as one call for each.
    ///
    /// # Errors
    /// Those of the rule, for any tensor ([`Exec::adam`], for example). Nothing is changed then.
    ///
    /// ```
    /// use roofline::{AdamState, Exec, Step};
    /// let (mut w, mut b) = ([1.0, 2.0], [0.0]);
    /// let (mut of_w, mut of_b) = (AdamState::new(2), AdamState::new(1));
    /// let mut steps = [
    ///     Step { w: &mut w, dw: &[0.5, 0.0], state: &mut of_w },
    ///     Step { w: &mut b, dw: &[-3.0], state: &mut of_b },
    /// ];
    /// Exec::default().update(&mut steps, 0.1)?;
    /// assert!((b[0] - 0.1_f64).abs() < 1e-9);
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn update<T: Element, S: OptimizerState<T>>(
        &self,
        steps: &mut [Step<'_, T, S>],
        learning_rate: f64,
    ) -> Result<(), Error> {
        self.update_cut(steps, learning_rate, None, &[]).map(|_| ())
    }

    /// [`Exec::update`] with all gradients scaled by min(1, `max_norm`/‖dw‖₂), the norm over all tensors, which is given back (Pascanu et
    /// al. 2013, arXiv:1211.5063). The gradients are read once more, not written. Where the norm is not finite, no step is taken: there
    /// is no direction to go.
    ///
    /// # Errors
    /// Those of [`Exec::update`]; [`Error::OutOfRange`] for a `max_norm` that is negative or not finite.
    ///
    /// ```
    /// use roofline::{Exec, SgdState, Step};
    /// let mut w = [0.0, 0.0];
    /// let step = Step { w: &mut w, dw: &[30.0, 40.0], state: &mut SgdState::default() };
    /// let norm = Exec::default().update_clipped(&mut [step], 1.0, 5.0)?;
    /// assert_eq!((norm, w), (50.0, [-3.0, -4.0]));
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn update_clipped<T: Element, S: OptimizerState<T>>(
        &self,
        steps: &mut [Step<'_, T, S>],
        learning_rate: f64,
        max_norm: f64,
    ) -> Result<f64, Error> {
        self.update_cut(steps, learning_rate, Some(max_norm), &[]).map(|norm| norm.unwrap_or(f64::NAN))
    }

    /// [`Exec::update`], or [`Exec::update_clipped`] with a `max_norm`, which gives the norm. Parameters that are cut, by `cuts` of all of
    /// them in their order, go to the threads each on its own: those of one matrix to the cores that wrote their part of its gradient.
    ///
    /// # Errors
    /// As these.
    pub(crate) fn update_cut<T: Element, S: OptimizerState<T>>(
        &self,
        steps: &mut [Step<'_, T, S>],
        learning_rate: f64,
        max_norm: Option<f64>,
        cuts: &[usize],
    ) -> Result<Option<f64>, Error> {
        max_norm.map_or(Ok(()), |max_norm| not_negative("max_norm", max_norm))?;
        check(steps, learning_rate)?;
        let Some(max_norm) = max_norm else {
            self.run(steps, learning_rate, 1.0, cuts);
            return Ok(None);
        };
        let norm = self.norm_of_all(steps.iter().map(|step| step.dw));
        if norm.is_finite() {
            self.run(steps, learning_rate, clip_factor(norm, max_norm), cuts);
        }
        Ok(Some(norm))
    }

    /// Scales all gradients in place by min(1, `max_norm`/‖dw‖₂), the norm over all of them, which is given back. Where it is not finite
    /// they stay as they are.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a `max_norm` that is negative or not finite.
    ///
    /// ```
    /// let (mut a, mut b) = ([3.0_f32], [4.0]);
    /// let norm = roofline::Exec::default().clip_norm(&mut [&mut a, &mut b], 1.0)?;
    /// assert_eq!((norm, a, b), (5.0, [0.6], [0.8]));
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn clip_norm<T: Element>(&self, gradients: &mut [&mut [T]], max_norm: f64) -> Result<f64, Error> {
        not_negative("max_norm", max_norm)?;
        let norm = self.norm_of_all(gradients.iter().map(|dw| &**dw));
        let factor = clip_factor(norm, max_norm);
        if norm.is_finite() && factor < 1.0 {
            for dw in gradients {
                self.scale_in_place(dw, T::from_f64(factor));
            }
        }
        Ok(norm)
    }

    /// What the steps say, which were checked.
    fn run<T: Element, S: Remember<T>>(
        &self,
        steps: &mut [Step<'_, T, S>],
        learning_rate: f64,
        clip: f64,
        cuts: &[usize],
    ) {
        if let [step] = steps {
            return self.run_jobs(&[Some(step.state.job(step.w, step.dw, learning_rate, clip))], cuts);
        }
        debug_assert!(cuts.is_empty(), "cuts of more than one tensor");
        for steps in steps.chunks_mut(TOGETHER) {
            let mut jobs = [const { None }; TOGETHER];
            for (job, step) in jobs.iter_mut().zip(steps) {
                *job = Some(step.state.job(step.w, step.dw, learning_rate, clip));
            }
            self.run_jobs(&jobs, &[]);
        }
    }

    /// Cuts jobs into parts as if they were one, or what lies between cuts of it.
    fn run_jobs<T: Element, J: Job<T>>(&self, jobs: &[Option<J>], cuts: &[usize]) {
        let total = jobs.iter().flatten().map(J::len).sum();
        // In L2 Adam in halves of vectors takes 0.65 of the time.
        let (token, parts) = (self.token().for_stores(), self.parts(total, QUANTUM));
        self.for_each(parts, |index| {
            let cuts = if parts == 1 { &[] } else { cuts };
            let mut from = 0;
            for to in cuts.iter().copied().chain([total]) {
                let part = parallel::part(to - from, T::LANES, parts, index);
                run_range(token, jobs, from + part.start..from + part.end);
                from = to;
            }
        });
    }
}

/// What lies in this range of jobs that follow each other.
fn run_range<T: Element, J: Job<T>>(token: Token, jobs: &[Option<J>], part: Range<usize>) {
    let mut start = 0;
    for job in jobs.iter().flatten() {
        let end = start + job.len();
        let range = part.start.max(start)..part.end.min(end);
        if !range.is_empty() {
            job.run(token, range.start - start..range.end - start);
        }
        start = end;
    }
}

/// All lengths and constants, before anything is changed.
fn check<T: Element, S: Remember<T>>(steps: &[Step<'_, T, S>], learning_rate: f64) -> Result<(), Error> {
    for step in steps {
        let [gradient, state] = S::NAMES;
        same_length(gradient, step.w.len(), step.dw.len())?;
        same_length(state, step.w.len(), step.state.len().unwrap_or(step.w.len()))?;
        step.state.check()?;
    }
    not_negative("learning_rate", learning_rate)
}

fn clip_factor(norm: f64, max_norm: f64) -> f64 {
    if norm > max_norm { max_norm / norm } else { 1.0 }
}
