//! [`Space`]: named hyperparameters, each with a [`Scale`].

use super::error::TunerError;
use core::f64::consts::LN_10;
use core::ops::RangeInclusive;

/// On which scale a hyperparameter is drawn. Strategies see coordinates only: in them a hyperparameter is uniform.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Scale {
    /// The coordinate is the value.
    Linear {
        /// Lowest value.
        lower: f64,
        /// Highest value.
        upper: f64,
    },
    /// The value is 10^r, r the coordinate: a learning rate is as likely between 0.001 and 0.01 as between 0.01 and 0.1.
    Log10 {
        /// Lowest r.
        lower: f64,
        /// Highest r.
        upper: f64,
    },
    /// The value is 1 − 10^r, r the coordinate: β = 0.9 (r = −1) averages 10 steps, β = 0.999 (r = −3) a thousand.
    OneMinusLog10 {
        /// Lowest r, that is the highest value.
        lower: f64,
        /// Highest r.
        upper: f64,
    },
    /// A whole number.
    Integer {
        /// Lowest value.
        lower: usize,
        /// Highest value.
        upper: usize,
    },
    /// One of some names; the coordinate is its place.
    Choice(Vec<String>),
}

/// Between these, powers of ten with a whole exponent are exact or rounded once: 10²² = 2²²·5²², and 5²² is below 2⁵³.
const EXPONENTS: RangeInclusive<f64> = -22.0..=22.0;

/// Exponents r of 1 − 10^r: below, the value would be 1 up to rounding.
const ONE_MINUS_EXPONENTS: RangeInclusive<f64> = -15.0..=0.0;

/// Largest integer, which every `usize` and `f64` holds.
const MOST_INTEGER: usize = i32::MAX as usize;

/// Most hyperparameters, choices of one of them, and characters of a name: so that a line of a file has a bound.
const MOST_NAMES: usize = 100;

impl Scale {
    /// The value at a coordinate; the place of a choice.
    pub(super) fn value(&self, coordinate: f64) -> f64 {
        match self {
            Scale::Log10 { .. } => ten_to_the(coordinate),
            Scale::OneMinusLog10 { .. } => 1.0 - ten_to_the(coordinate),
            Scale::Linear { .. } | Scale::Integer { .. } | Scale::Choice(_) => coordinate,
        }
    }

    /// Lowest and highest coordinate.
    pub(super) fn ends(&self) -> (f64, f64) {
        match self {
            &Scale::Linear { lower, upper }
            | &Scale::Log10 { lower, upper }
            | &Scale::OneMinusLog10 { lower, upper } => (lower, upper),
            &Scale::Integer { lower, upper } => (lower as f64, upper as f64),
            Scale::Choice(names) => (0.0, names.len().saturating_sub(1) as f64),
        }
    }

    /// Whether coordinates are whole numbers.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self, Scale::Integer { .. } | Scale::Choice(_))
    }

    /// The value at a coordinate, in as many digits as it takes to read the same number back.
    pub(super) fn text(&self, coordinate: f64) -> String {
        match self {
            Scale::Choice(names) => names[coordinate as usize].clone(),
            Scale::Integer { .. } => format!("{coordinate}"),
            _ => format!("{:?}", self.value(coordinate)),
        }
    }

    /// The value at a coordinate, in four significant digits.
    pub(super) fn short(&self, coordinate: f64) -> String {
        match self {
            Scale::Choice(_) | Scale::Integer { .. } => self.text(coordinate),
            // Those of 1 − value.
            Scale::OneMinusLog10 { .. } => format!("{:.*}", 3 + (-coordinate).ceil() as usize, self.value(coordinate)),
            Scale::Linear { .. } | Scale::Log10 { .. } => significant(self.value(coordinate)),
        }
    }

    fn check(&self, name: &str) -> Result<(), TunerError> {
        let (lower, upper) = self.ends();
        let (within, allowed) = match self {
            Scale::Linear { .. } => (f64::MIN..=f64::MAX, "go upwards, its length finite"),
            Scale::Log10 { .. } => (EXPONENTS, "go upwards, between -22 and 22"),
            Scale::OneMinusLog10 { .. } => (ONE_MINUS_EXPONENTS, "go upwards, between -15 and 0"),
            Scale::Integer { .. } => (0.0..=MOST_INTEGER as f64, "go upwards, to 2147483647 at most"),
            Scale::Choice(names) => return check_choices(names),
        };
        let holds = lower < upper && (upper - lower).is_finite() && within.contains(&lower) && within.contains(&upper);
        if holds { Ok(()) } else { Err(TunerError::Range { name: name.into(), lower, upper, allowed }) }
    }
}

/// 10^r from basic operations alone, which IEEE 754 rounds alike on every machine; std leaves `powf` and `exp` open, and those of
/// this crate depend on whether there is FMA. For n the nearest integer and t = (r − n)·ln 10, so that |t| ≤ 1.1513, it is
/// 10ⁿ·eᵗ with 20 terms of eᵗ = 1 + t·(1 + t/2·(1 + t/3·(…))): the next one is below 4e-19.
fn ten_to_the(r: f64) -> f64 {
    let n = r.round();
    let t = (r - n) * LN_10;
    let exponential = (1..=20).rev().fold(1.0, |sum, k| 1.0 + t / f64::from(k) * sum);
    let power = (0..n.abs() as u32).fold(1.0, |power, _| power * 10.0);
    if n < 0.0 { exponential / power } else { exponential * power }
}

/// Four significant digits, with an exponent where there would be many zeros.
pub(super) fn significant(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let scientific = format!("{value:.3e}");
    // After rounding: 9.9996 has another exponent than 10.00.
    let exponent = scientific.rsplit('e').next().and_then(|digits| digits.parse::<i32>().ok()).unwrap_or(0);
    if (-4..=5).contains(&exponent) { format!("{value:.*}", (3 - exponent).max(0) as usize) } else { scientific }
}

/// A hyperparameter.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    pub(super) name: String,
    pub(super) unit: Option<String>,
    pub(super) scale: Scale,
}

/// What a search varies: at least one named hyperparameter.
///
/// ```
/// use roofline::nn::tuner::{Scale, Space};
/// let space = Space::builder()
///     .log10("learning_rate", -4.0, 0.0) // 0.0001 … 1
///     .one_minus_log10("beta1", -3.0, -1.0) // 0.9 … 0.999
///     .integer("units", 16, 256)
///     .choice("activation", ["relu", "tanh"])
///     .linear("warm_up", 0.0, 5.0)
///     .unit("epochs")
///     .build()?;
/// assert_eq!(space.scale("units"), Some(&Scale::Integer { lower: 16, upper: 256 }));
/// # Ok::<(), roofline::nn::tuner::TunerError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Space {
    axes: Vec<Axis>,
}

impl Space {
    /// Begins a space.
    pub fn builder() -> SpaceBuilder {
        SpaceBuilder { axes: Vec::new() }
    }

    /// Names of the hyperparameters, in the order in which they were added.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.axes.iter().map(|axis| axis.name.as_str())
    }

    /// The scale of a hyperparameter, `None` where none has this name.
    pub fn scale(&self, name: &str) -> Option<&Scale> {
        self.axes.iter().find(|axis| axis.name == name).map(|axis| &axis.scale)
    }

    pub(super) fn axes(&self) -> &[Axis] {
        &self.axes
    }
}

/// Builds a [`Space`] one hyperparameter after the other; [`SpaceBuilder::build`] checks them.
#[derive(Clone, Debug)]
pub struct SpaceBuilder {
    axes: Vec<Axis>,
}

impl SpaceBuilder {
    /// A number, uniform between `lower` and `upper`.
    #[must_use]
    pub fn linear(self, name: &str, lower: f64, upper: f64) -> Self {
        self.axis(name, Scale::Linear { lower, upper })
    }

    /// A number 10^r, r uniform between `lower` and `upper`: `log10("learning_rate", -4.0, 0.0)`.
    #[must_use]
    pub fn log10(self, name: &str, lower: f64, upper: f64) -> Self {
        self.axis(name, Scale::Log10 { lower, upper })
    }

    /// A number 1 − 10^r, r uniform between `lower` and `upper`: `one_minus_log10("beta1", -3.0, -1.0)`.
    #[must_use]
    pub fn one_minus_log10(self, name: &str, lower: f64, upper: f64) -> Self {
        self.axis(name, Scale::OneMinusLog10 { lower, upper })
    }

    /// A whole number from `lower` to `upper`, both included.
    #[must_use]
    pub fn integer(self, name: &str, lower: usize, upper: usize) -> Self {
        self.axis(name, Scale::Integer { lower, upper })
    }

    /// One of `names`.
    #[must_use]
    pub fn choice<S: Into<String>>(self, name: &str, names: impl IntoIterator<Item = S>) -> Self {
        self.axis(name, Scale::Choice(names.into_iter().map(Into::into).collect()))
    }

    /// The unit of the hyperparameter that was added last, for the table; before the first, it says nothing.
    #[must_use]
    pub fn unit(mut self, unit: &str) -> Self {
        if let Some(axis) = self.axes.last_mut() {
            axis.unit = Some(unit.into());
        }
        self
    }

    fn axis(mut self, name: &str, scale: Scale) -> Self {
        self.axes.push(Axis { name: name.into(), unit: None, scale });
        self
    }

    /// The space.
    ///
    /// # Errors
    /// [`TunerError::OutOfRange`] unless there are 1 to 100 hyperparameters, and 1 to 100 choices of one;
    /// [`TunerError::Range`] unless a range goes upwards, is finite and, for exponents, lies in [−22, 22] (1 − 10^r: [−15, 0]);
    /// [`TunerError::Name`] unless names are distinct, 1 to 100 characters without control characters, and none of `seed`,
    /// `strategy`, `round`, `trial`, `score`, `error`, which the file has.
    pub fn build(self) -> Result<Space, TunerError> {
        check_count("number of hyperparameters", self.axes.len())?;
        for (index, Axis { name, unit, scale }) in self.axes.iter().enumerate() {
            check_name(name)?;
            check_name(unit.as_deref().unwrap_or("1"))?;
            if super::csv::BEFORE.contains(&name.as_str()) || super::csv::AFTER.contains(&name.as_str()) {
                return Err(TunerError::Name { name: name.clone(), problem: "is that of another column of the file" });
            }
            if self.axes[..index].iter().any(|axis| axis.name == *name) {
                return Err(TunerError::Name { name: name.clone(), problem: "stands for two hyperparameters" });
            }
            scale.check(name)?;
        }
        Ok(Space { axes: self.axes })
    }
}

fn check_choices(names: &[String]) -> Result<(), TunerError> {
    check_count("number of choices", names.len())?;
    for (index, name) in names.iter().enumerate() {
        check_name(name)?;
        if names[..index].contains(name) {
            return Err(TunerError::Name { name: name.clone(), problem: "stands for two choices" });
        }
    }
    Ok(())
}

fn check_count(what: &'static str, count: usize) -> Result<(), TunerError> {
    if (1..=MOST_NAMES).contains(&count) {
        return Ok(());
    }
    Err(TunerError::OutOfRange { what, value: count as f64, allowed: "1 to 100" })
}

/// A name must fit into one line of a file and one cell of a table.
pub(super) fn check_name(name: &str) -> Result<(), TunerError> {
    let length = name.chars().count();
    if (1..=MOST_NAMES).contains(&length) && !name.chars().any(char::is_control) {
        return Ok(());
    }
    Err(TunerError::Name {
        name: name.into(),
        problem: "must have 1 to 100 characters, none of them a control character",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_ten() {
        for n in -22..=22 {
            assert_eq!(ten_to_the(f64::from(n)), format!("1e{n}").parse::<f64>().unwrap(), "{n}");
        }
        // 7.0e-16 is the worst of 40,000 points against 40 digits; powf adds half a unit in the last place, 1.1e-16.
        const MAX_RELATIVE_ERROR: f64 = 4.0 * f64::EPSILON;
        for i in -22_000..=22_000 {
            let r = f64::from(i) / 1000.0 + 1e-5;
            let (value, expected) = (ten_to_the(r), 10.0_f64.powf(r));
            assert!(((value - expected) / expected).abs() < MAX_RELATIVE_ERROR, "10^{r}: {value:e}, {expected:e}");
        }
    }

    #[test]
    fn four_digits() {
        let cases = [(0.0, "0"), (1e-5, "1.000e-5"), (0.000_999_96, "0.001000"), (9.99951, "10.00"), (-3.25, "-3.250")];
        for (value, text) in cases.into_iter().chain([(123_456.0, "123456"), (1e6, "1.000e6"), (5e-324, "4.941e-324")])
        {
            assert_eq!(significant(value), text);
        }
        let beta = Scale::OneMinusLog10 { lower: -3.0, upper: -1.0 };
        assert_eq!([-3.0, -2.5, -1.0].map(|r| beta.short(r)), ["0.999000", "0.996838", "0.9000"]);
    }

    /// The bits of one machine are those of all: these are Python's, by the same steps.
    #[test]
    fn powers_of_ten_have_these_bits() {
        let bits = [-4.3, -0.5, -1e-3, 0.25, 3.999].map(|r| ten_to_the(r).to_bits());
        let python = [
            0x3f0a_46d2_38da_54ea,
            0x3fd4_3d13_6248_490f,
            0x3fef_ed28_af2a_b826,
            0x3ffc_73d5_1c54_470f,
            0x40c3_7c80_14e9_d2e7,
        ];
        assert_eq!(bits, python);
    }
}
