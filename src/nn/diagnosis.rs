//! [`Diagnosis`]: bias or variance, and what helps.

use crate::error::Error;
use core::fmt;

const BIAS_REMEDIES: &[&str] = &["a bigger network", "longer training", "another optimizer", "another architecture"];
const VARIANCE_REMEDIES: &[&str] =
    &["more data", "regularisation (L2, dropout, augmentation, early stopping)", "another architecture"];
const ALL_REMEDIES: &[&str] = &[
    "a bigger network",
    "longer training",
    "another optimizer",
    "more data",
    "regularisation (L2, dropout, augmentation, early stopping)",
    "another architecture",
];

/// What a [`Diagnosis`] finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// No gap counts.
    Fine,
    /// The training set is not learned well enough.
    HighBias,
    /// What was learned does not carry over to the dev set.
    HighVariance,
    /// Both.
    HighBiasAndVariance,
}

impl Finding {
    /// What the course notes advise, the first to try first; nothing where all is fine.
    pub fn remedies(self) -> &'static [&'static str] {
        match self {
            Finding::Fine => &[],
            Finding::HighBias => BIAS_REMEDIES,
            Finding::HighVariance => VARIANCE_REMEDIES,
            Finding::HighBiasAndVariance => ALL_REMEDIES,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Finding::Fine => "fine",
            Finding::HighBias => "high bias",
            Finding::HighVariance => "high variance",
            Finding::HighBiasAndVariance => "high bias and variance",
        })
    }
}

/// Train and dev error against the error that is aimed at: that of people, the least possible (Bayes'), or what is asked for.
///
/// Avoidable bias is train error − target, variance is dev error − train error. Such a gap counts where it is above both
/// [`Diagnosis::ABSOLUTE`] and [`Diagnosis::RELATIVE`] times the error that it starts from (the target, the train error): one
/// percentage point is little at 15 %, and ten times 0.01 % is still little. A gap below 0 never counts. The errors of small sets
/// are uncertain: of n examples by about √(e·(1 − e)/n).
///
/// ```
/// use roofline::nn::{Diagnosis, Finding};
/// let diagnosis = Diagnosis::new(0.01, 0.11, 0.0)?;
/// assert_eq!(diagnosis.finding(), Finding::HighVariance);
/// assert_eq!(
///     diagnosis.to_string(),
///     "high variance: avoidable bias 1.0 % (train 1.0 %, target 0.0 %), variance 10.0 % (dev 11.0 %)\n\
///      try more data, regularisation (L2, dropout, augmentation, early stopping), another architecture"
/// );
/// # Ok::<(), roofline::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Diagnosis {
    train_error: f64,
    dev_error: f64,
    target: f64,
}

impl Diagnosis {
    /// Gaps up to one percentage point do not count.
    pub const ABSOLUTE: f64 = 0.01;

    /// Nor do gaps up to a fifth of the error that they start from.
    pub const RELATIVE: f64 = 0.2;

    /// Of errors that are shares of the examples, 1 − accuracy.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless all three are in [0, 1].
    pub fn new(train_error: f64, dev_error: f64, target: f64) -> Result<Self, Error> {
        for (what, value) in [("train error", train_error), ("dev error", dev_error), ("target error", target)] {
            if !(0.0..=1.0).contains(&value) {
                return Err(Error::OutOfRange { what, value, allowed: "in [0, 1]" });
            }
        }
        Ok(Self { train_error, dev_error, target })
    }

    /// Train error − target.
    pub fn avoidable_bias(&self) -> f64 {
        self.train_error - self.target
    }

    /// Dev error − train error.
    pub fn variance(&self) -> f64 {
        self.dev_error - self.train_error
    }

    /// Which gaps count.
    pub fn finding(&self) -> Finding {
        let bias = counts(self.avoidable_bias(), self.target);
        let variance = counts(self.variance(), self.train_error);
        match (bias, variance) {
            (false, false) => Finding::Fine,
            (true, false) => Finding::HighBias,
            (false, true) => Finding::HighVariance,
            (true, true) => Finding::HighBiasAndVariance,
        }
    }
}

fn counts(gap: f64, start: f64) -> bool {
    gap > Diagnosis::ABSOLUTE && gap > Diagnosis::RELATIVE * start
}

/// One line with the numbers and, unless all is fine, one with the remedies.
impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = [self.avoidable_bias(), self.train_error, self.target, self.variance(), self.dev_error]
            .map(|share| 100.0 * share);
        let [bias, train, target, variance, dev] = percent;
        let finding = self.finding();
        write!(
            f,
            "{finding}: avoidable bias {bias:.1} % (train {train:.1} %, target {target:.1} %), variance {variance:.1} % (dev {dev:.1} %)"
        )?;
        match finding.remedies() {
            [] => Ok(()),
            remedies => write!(f, "\ntry {}", remedies.join(", ")),
        }
    }
}
