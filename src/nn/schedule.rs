//! [`Schedule`]: the learning rate of each update.

use super::text::{Number, fields, read};
use crate::error::Error;
use crate::optim::power;
use core::fmt;
use core::str::FromStr;

const EXPECTED: &str = "constant, inverse[:decay_rate], exponential[:base], sqrt-epoch[:k], sqrt-step[:k], \
                        staircase[:factor][:epochs] or cosine[:warmup=0][:floor=0]";

/// How far training has come. Epochs and updates count from 1, as in the course notes: the first update of the first epoch has
/// `epoch` = 1 and `step` = 1.
///
/// ```
/// use roofline::nn::Progress;
/// // 10 updates an epoch, 5 epochs.
/// assert_eq!(Progress::at(1, 10, 5), Progress { epoch: 1, step: 1, total_steps: 50 });
/// assert_eq!(Progress::at(11, 10, 5), Progress { epoch: 2, step: 11, total_steps: 50 });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Which epoch it is, from 1 on.
    pub epoch: u64,
    /// Which update of the whole training it is, t of the notes, from 1 on.
    pub step: u64,
    /// Updates that are planned in all. [`Schedule::Cosine`] alone asks.
    pub total_steps: u64,
}

impl Progress {
    /// Of update `step` (from 1 on) in a training of `epochs` epochs with `steps_per_epoch` updates each.
    pub fn at(step: u64, steps_per_epoch: u64, epochs: u64) -> Self {
        let epoch = step.saturating_sub(1) / steps_per_epoch.max(1) + 1;
        Self { epoch, step, total_steps: steps_per_epoch.saturating_mul(epochs) }
    }
}

/// How the learning rate α follows from α₀: plain data, written as `exponential:0.95` where text is wanted.
///
/// The same bits on every machine: powers are products, roots are rounded correctly, and the cosine is a polynomial.
///
/// ```
/// use roofline::nn::{Optimizer, Progress, Schedule};
/// let schedule: Schedule = "inverse:1".parse()?;
/// let mut optimizer = Optimizer::<f32>::adam(0.2);
/// for epoch in 1..=4 {
///     let progress = Progress { epoch, step: 1, total_steps: 1 };
///     optimizer.learning_rate = schedule.learning_rate(0.2, progress)?; // 0.1, 0.067, 0.05, 0.04
/// }
/// assert_eq!(optimizer.learning_rate, 0.04);
/// # Ok::<(), roofline::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Schedule {
    /// α = α₀.
    #[default]
    Constant,
    /// α = α₀/(1 + decay_rate·epoch); the notes' table has α₀ = 0.2 and decay_rate = 1, so that the first epoch has α₀/2.
    Inverse {
        /// Not negative.
        decay_rate: f64,
    },
    /// α = base^epoch·α₀; the notes' base is 0.95.
    Exponential {
        /// Above 0 and at most 1.
        base: f64,
    },
    /// α = k/√epoch·α₀; an epoch of 0 counts as 1.
    SqrtEpoch {
        /// Above 0.
        k: f64,
    },
    /// α = k/√t·α₀, t the update; a t of 0 counts as 1.
    SqrtStep {
        /// Above 0.
        k: f64,
    },
    /// α = factor^⌊(epoch − 1)/epochs⌋·α₀: α₀ in the first `epochs` epochs, then `factor` times as much every `epochs`.
    Staircase {
        /// Above 0 and at most 1.
        factor: f64,
        /// Epochs of one stair, at least 1.
        epochs: u64,
    },
    /// α = t/warmup·α₀ for the updates t ≤ warmup; then, with p = (t − 1 − warmup)/(total_steps − warmup),
    /// α = (floor + (1 − floor)·(1 + cos πp)/2)·α₀ (Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts). The floor is
    /// reached after `total_steps` updates and kept, so that no planned update has a rate of 0.
    Cosine {
        /// Updates in which α grows to α₀; 0 for none.
        warmup: u64,
        /// What is left in the end as a share of α₀, in [0, 1].
        floor: f64,
    },
}

impl Schedule {
    /// α of one update.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for constants outside their ranges, and for [`Schedule::Cosine`] without `total_steps`.
    pub fn learning_rate(&self, alpha0: f64, progress: Progress) -> Result<f64, Error> {
        self.check()?;
        let Progress { epoch, step, total_steps } = progress;
        let step = step.max(1);
        Ok(match *self {
            Schedule::Constant => alpha0,
            Schedule::Inverse { decay_rate } => alpha0 / (1.0 + decay_rate * epoch as f64),
            Schedule::Exponential { base } => power(base, epoch) * alpha0,
            Schedule::SqrtEpoch { k } => k / (epoch.max(1) as f64).sqrt() * alpha0,
            Schedule::SqrtStep { k } => k / (step as f64).sqrt() * alpha0,
            Schedule::Staircase { factor, epochs } => power(factor, epoch.saturating_sub(1) / epochs) * alpha0,
            Schedule::Cosine { .. } if total_steps == 0 => {
                return Err(Error::OutOfRange { what: "cosine: total_steps", value: 0.0, allowed: "at least 1" });
            }
            Schedule::Cosine { warmup, .. } if step <= warmup => step as f64 / warmup as f64 * alpha0,
            Schedule::Cosine { warmup, floor } => {
                let (done, all) = (step - 1 - warmup, total_steps.saturating_sub(warmup));
                let p = if done < all { done as f64 / all as f64 } else { 1.0 };
                (floor + (1.0 - floor) * half_cosine(p)) * alpha0
            }
        })
    }

    /// Whether the constants are in their ranges. [`Schedule::learning_rate`] asks too.
    ///
    /// # Errors
    /// [`Error::OutOfRange`].
    pub fn check(&self) -> Result<(), Error> {
        let (what, value, allowed, good) = match *self {
            Schedule::Constant => return Ok(()),
            Schedule::Inverse { decay_rate: x } => {
                ("inverse: decay_rate", x, "finite and not negative", x >= 0.0 && x.is_finite())
            }
            Schedule::Exponential { base: x } => ("exponential: base", x, SHARE, x > 0.0 && x <= 1.0),
            Schedule::SqrtEpoch { k: x } => ("sqrt-epoch: k", x, "positive and finite", x > 0.0 && x.is_finite()),
            Schedule::SqrtStep { k: x } => ("sqrt-step: k", x, "positive and finite", x > 0.0 && x.is_finite()),
            Schedule::Staircase { epochs: 0, .. } => ("staircase: epochs", 0.0, "at least 1", false),
            Schedule::Staircase { factor: x, .. } => ("staircase: factor", x, SHARE, x > 0.0 && x <= 1.0),
            Schedule::Cosine { floor: x, .. } => ("cosine: floor", x, "in [0, 1]", (0.0..=1.0).contains(&x)),
        };
        if good { Ok(()) } else { Err(Error::OutOfRange { what, value, allowed }) }
    }

    fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once(':').map_or((text, None), |(name, rest)| (name, Some(rest)));
        let one = |key, default| fields(rest, [key]).and_then(|[x]| read(x, default));
        Some(match name {
            "constant" => {
                fields(rest, [])?;
                Schedule::Constant
            }
            "inverse" => Schedule::Inverse { decay_rate: one("decay_rate", 1.0)? },
            "exponential" => Schedule::Exponential { base: one("base", 0.95)? },
            "sqrt-epoch" => Schedule::SqrtEpoch { k: one("k", 1.0)? },
            "sqrt-step" => Schedule::SqrtStep { k: one("k", 1.0)? },
            "staircase" => {
                let [factor, epochs] = fields(rest, ["factor", "epochs"])?;
                Schedule::Staircase { factor: read(factor, 0.5)?, epochs: read(epochs, 10)? }
            }
            "cosine" => {
                let [warmup, floor] = fields(rest, ["warmup", "floor"])?;
                Schedule::Cosine { warmup: read(warmup, 0)?, floor: read(floor, 0.0)? }
            }
            _ => return None,
        })
    }
}

const SHARE: &str = "above 0 and at most 1";

/// (1 + cos πp)/2 = 1 − sin²(πp/2) = sin²(π(1 − p)/2) for p in [0, 1]. `f64::cos` differs between platforms.
fn half_cosine(p: f64) -> f64 {
    if p <= 0.5 { 1.0 - sin2_quarter(p) } else { sin2_quarter(1.0 - p) }
}

/// sin²(πq/2) for q in [0, 1/2]: the Taylor series of the sine to x¹⁷, whose remainder at π/4 is below (π/4)¹⁹/19! < 1e-19.
fn sin2_quarter(q: f64) -> f64 {
    let x = q * core::f64::consts::FRAC_PI_2;
    // sin x = x·(1 − x²/(2·3)·(1 − x²/(4·5)·(1 − …)))
    let series = (1..=8).rev().map(f64::from).fold(1.0, |sum, k| 1.0 - x * x / (2.0 * k * (2.0 * k + 1.0)) * sum);
    (x * series) * (x * series)
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Schedule::Constant => f.write_str("constant"),
            Schedule::Inverse { decay_rate } => write!(f, "inverse:{}", Number(decay_rate)),
            Schedule::Exponential { base } => write!(f, "exponential:{}", Number(base)),
            Schedule::SqrtEpoch { k } => write!(f, "sqrt-epoch:{}", Number(k)),
            Schedule::SqrtStep { k } => write!(f, "sqrt-step:{}", Number(k)),
            Schedule::Staircase { factor, epochs } => write!(f, "staircase:{}:{epochs}", Number(factor)),
            Schedule::Cosine { warmup, floor } => write!(f, "cosine:warmup={warmup}:floor={}", Number(floor)),
        }
    }
}

/// The constants in their order or by name (`staircase:0.5:10`, `cosine:warmup=100`). Those that are not given: decay_rate 1, base
/// 0.95, k 1, factor 0.5, epochs 10, warmup 0, floor 0.
impl FromStr for Schedule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let schedule = Schedule::parse(text).ok_or_else(|| {
            let what = "learning-rate schedule";
            Error::Unreadable { what, text: text.into(), expected: EXPECTED }
        })?;
        schedule.check()?;
        Ok(schedule)
    }
}

#[cfg(test)]
mod tests {
    use super::half_cosine;

    #[test]
    fn the_cosine_is_one() {
        for i in 0..=4096 {
            let p = f64::from(i) / 4096.0;
            let exact = (1.0 + (core::f64::consts::PI * p).cos()) / 2.0;
            assert!((half_cosine(p) - exact).abs() <= 4.0 * f64::EPSILON, "{p}: {} not {exact}", half_cosine(p));
        }
        assert_eq!((half_cosine(0.0), half_cosine(1.0)), (1.0, 0.0));
    }
}
