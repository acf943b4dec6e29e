//! [`Regime`]: how many examples an update sees.

use crate::error::Error;
use core::fmt;
use core::str::FromStr;

/// The three regimes of gradient descent, from all examples in one update to one each.
///
/// ```
/// use roofline::nn::Regime;
/// assert_eq!(Regime::Batch.size(1000)?, 1000);
/// assert_eq!("mini-batch:64".parse::<Regime>()?.size(1000)?, 64);
/// assert_eq!("stochastic".parse::<Regime>()?.size(1000)?, 1);
/// assert_eq!(Regime::advised(2000), Regime::Batch);
/// # Ok::<(), roofline::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Regime {
    /// All m examples: one update an epoch, along the gradient of the cost itself.
    Batch,
    /// So many examples, at least 1; all where there are fewer.
    MiniBatch(usize),
    /// One example: what vectors and caches gain is lost.
    Stochastic,
}

impl Regime {
    /// The notes' typical sizes of a mini-batch.
    pub const TYPICAL: [usize; 5] = [64, 128, 256, 512, 1024];

    /// The notes' greatest training set that is better taken whole.
    pub const SMALL: usize = 2500;

    /// The notes' rule for `m` examples: all at once up to [`Regime::SMALL`], else one of the [`Regime::TYPICAL`] sizes. They leave
    /// open which; here it is the middle one, 256. Measure before you believe: the best size depends on the machine and the net.
    pub fn advised(m: usize) -> Self {
        if m <= Self::SMALL { Regime::Batch } else { Regime::MiniBatch(Self::TYPICAL[Self::TYPICAL.len() / 2]) }
    }

    /// Examples of an update where there are `m`.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] without examples, or for mini-batches of none.
    pub fn size(self, m: usize) -> Result<usize, Error> {
        let size = match self {
            Regime::Batch => m,
            Regime::MiniBatch(size) => size,
            Regime::Stochastic => 1,
        };
        for (what, count) in [("number of examples", m), ("mini-batch size", size)] {
            if count == 0 {
                return Err(Error::OutOfRange { what, value: 0.0, allowed: "at least 1" });
            }
        }
        Ok(size.min(m))
    }
}

impl fmt::Display for Regime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Regime::Batch => f.pad("batch"),
            Regime::MiniBatch(size) => f.pad(&format!("mini-batch:{size}")),
            Regime::Stochastic => f.pad("stochastic"),
        }
    }
}

/// As displayed; a number alone is the size of a mini-batch.
impl FromStr for Regime {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match (text, text.strip_prefix("mini-batch:").unwrap_or(text).parse()) {
            ("batch", _) => Ok(Regime::Batch),
            ("stochastic", _) => Ok(Regime::Stochastic),
            (_, Ok(size)) if size > 0 => Ok(Regime::MiniBatch(size)),
            _ => {
                let expected = "batch, stochastic, mini-batch:SIZE or SIZE alone, at least 1";
                Err(Error::Unreadable { what: "batch size", text: text.into(), expected })
            }
        }
    }
}
