//! [`TunerError`].

use std::fmt;
use std::io;

/// Why a search space, a strategy or a file of finished trials was refused.
///
/// ```
/// use roofline::nn::tuner::Space;
/// let error = Space::builder().log10("learning_rate", -1.0, -4.0).build().unwrap_err();
/// assert_eq!(error.to_string(), "learning_rate: the range from -1 to -4 must go upwards, between -22 and 22");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum TunerError {
    /// The range of a hyperparameter is none, or its scale does not hold it.
    Range {
        /// Which hyperparameter.
        name: String,
        /// Lower end, in the scale's coordinates.
        lower: f64,
        /// Upper end.
        upper: f64,
        /// What the range must be.
        allowed: &'static str,
    },
    /// A name of a hyperparameter, of a choice or of the score that no table can hold.
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A count or a factor is outside its range.
    OutOfRange {
        /// Which one.
        what: &'static str,
        /// What it was.
        value: f64,
        /// What it must be.
        allowed: &'static str,
    },
    /// A line of the file is no row of this search.
    Csv {
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it, with both sides of the comparison.
        problem: String,
    },
    /// The reader failed.
    Io(io::Error),
}

impl fmt::Display for TunerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range { name, lower, upper, allowed } => {
                write!(f, "{name}: the range from {lower} to {upper} must {allowed}")
            }
            Self::Name { name, problem } => write!(f, "the name {name:?} {problem}"),
            Self::OutOfRange { what, value, allowed } => write!(f, "{what} is {value}, it must be {allowed}"),
            Self::Csv { line, problem } => write!(f, "line {line} of the trials: {problem}"),
            Self::Io(error) => write!(f, "cannot read trials: {error}"),
        }
    }
}

impl std::error::Error for TunerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for TunerError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
