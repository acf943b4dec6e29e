//! [`Rule`]: which update, with which constants.

use super::optimizer::Optimizer;
use super::text::{Number, fields, read};
use crate::error::Error;
use crate::optim::{EpsilonPlace, MomentumForm};
use core::fmt;
use core::str::FromStr;

const EXPECTED: &str = "sgd, momentum[:beta=0.9][:form=average|classic|nesterov], nesterov[:beta=0.9], \
                        rmsprop[:beta=0.9][:epsilon=1e-8][:place=outside|inside] or \
                        adam[:beta1=0.9][:beta2=0.999][:epsilon=1e-8][:place=outside|inside]";

/// An update rule and its constants: plain data, written as `adam:beta2=0.99` where text is wanted.
///
/// AdamW is [`Rule::adam`] with [`Decay::decoupled`](crate::Decay::decoupled).
///
/// ```
/// use roofline::MomentumForm;
/// use roofline::nn::Rule;
/// assert_eq!(Rule::adam().with("beta2", 0.99)?, "adam:beta2=0.99".parse()?);
/// let rule = Rule::Momentum { beta: 0.95, form: MomentumForm::Classic };
/// assert_eq!(rule.to_string(), "momentum:beta=0.95:form=classic");
/// assert_eq!("momentum:0.95:classic".parse(), Ok(rule));
/// # Ok::<(), roofline::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// [`Exec::sgd`](crate::Exec::sgd): w ← w − α·dw.
    Sgd,
    /// [`Exec::momentum`](crate::Exec::momentum): v ← β·v + (1 − β)·dw, w ← w − α·v, or what `form` says.
    Momentum {
        /// β, the weight of the past, in [0, 1).
        beta: f64,
        /// What v is.
        form: MomentumForm,
    },
    /// [`Exec::rmsprop`](crate::Exec::rmsprop): s ← β·s + (1 − β)·dw², w ← w − α·dw/(√s + ε).
    RmsProp {
        /// β, the weight of the past, in [0, 1).
        beta: f64,
        /// ε, above 0.
        epsilon: f64,
        /// Where ε is added; [`EpsilonPlace::Inside`] is the course notes'.
        epsilon_place: EpsilonPlace,
    },
    /// [`Exec::adam`](crate::Exec::adam): both averages, with bias correction.
    Adam {
        /// β₁, the weight of the past in the first moment, in [0, 1).
        beta1: f64,
        /// β₂, the weight of the past in the second moment, in [0, 1).
        beta2: f64,
        /// ε, above 0.
        epsilon: f64,
        /// Where ε is added; [`EpsilonPlace::Inside`] is the course notes'.
        epsilon_place: EpsilonPlace,
    },
}

impl Rule {
    /// The notes' momentum with β = 0.9.
    pub fn momentum() -> Self {
        Rule::Momentum { beta: 0.9, form: MomentumForm::Average }
    }

    /// Nesterov's momentum with β = 0.9.
    pub fn nesterov() -> Self {
        Rule::Momentum { beta: 0.9, form: MomentumForm::Nesterov }
    }

    /// RMSprop with β = 0.9, ε = 1e-8 outside the root.
    pub fn rmsprop() -> Self {
        Rule::RmsProp { beta: 0.9, epsilon: 1e-8, epsilon_place: EpsilonPlace::Outside }
    }

    /// Adam with the constants of its paper: β₁ = 0.9, β₂ = 0.999, ε = 1e-8 outside the root.
    pub fn adam() -> Self {
        Rule::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, epsilon_place: EpsilonPlace::Outside }
    }

    /// The rule with another value of the constant that is called `name`: `beta`, `beta1`, `beta2` or `epsilon`. For searches over
    /// constants.
    ///
    /// # Errors
    /// [`Error::Unreadable`] for a constant that the rule does not have; [`Error::OutOfRange`] for a value outside its range.
    pub fn with(mut self, name: &str, value: f64) -> Result<Self, Error> {
        let constant = match (&mut self, name) {
            (Rule::Momentum { beta, .. } | Rule::RmsProp { beta, .. }, "beta") => beta,
            (Rule::Adam { beta1, .. }, "beta1") => beta1,
            (Rule::Adam { beta2, .. }, "beta2") => beta2,
            (Rule::RmsProp { epsilon, .. } | Rule::Adam { epsilon, .. }, "epsilon") => epsilon,
            _ => {
                let what = "constant of the optimizer";
                let expected = "beta (momentum, rmsprop), beta1, beta2 (adam) or epsilon (rmsprop, adam)";
                return Err(Error::Unreadable { what, text: name.into(), expected });
            }
        };
        *constant = value;
        self.check()?;
        Ok(self)
    }

    /// Whether the constants are in their ranges. [`Optimizer::step`] asks too.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for β outside [0, 1), or ε that is not above 0 and finite.
    pub fn check(self) -> Result<(), Error> {
        Optimizer::<f64>::new(self, 0.0).check()
    }

    /// Names of the moments that the rule keeps.
    pub(super) fn moments(self) -> &'static [&'static str] {
        match self {
            Rule::Sgd => &[],
            Rule::Momentum { .. } => &["v"],
            Rule::RmsProp { .. } => &["s"],
            Rule::Adam { .. } => &["v", "s"],
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once(':').map_or((text, None), |(name, rest)| (name, Some(rest)));
        Some(match name {
            "sgd" => {
                fields(rest, [])?;
                Rule::Sgd
            }
            "momentum" => {
                let [beta, form] = fields(rest, ["beta", "form"])?;
                Rule::Momentum { beta: read(beta, 0.9)?, form: parse_form(form)? }
            }
            "nesterov" => {
                let [beta] = fields(rest, ["beta"])?;
                Rule::Momentum { beta: read(beta, 0.9)?, form: MomentumForm::Nesterov }
            }
            "rmsprop" => {
                let [beta, epsilon, place] = fields(rest, ["beta", "epsilon", "place"])?;
                let (beta, epsilon) = (read(beta, 0.9)?, read(epsilon, 1e-8)?);
                Rule::RmsProp { beta, epsilon, epsilon_place: parse_place(place)? }
            }
            "adam" => {
                let [beta1, beta2, epsilon, place] = fields(rest, ["beta1", "beta2", "epsilon", "place"])?;
                let (beta1, beta2, epsilon) = (read(beta1, 0.9)?, read(beta2, 0.999)?, read(epsilon, 1e-8)?);
                Rule::Adam { beta1, beta2, epsilon, epsilon_place: parse_place(place)? }
            }
            _ => return None,
        })
    }
}

fn parse_form(text: Option<&str>) -> Option<MomentumForm> {
    Some(match text {
        None | Some("average") => MomentumForm::Average,
        Some("classic") => MomentumForm::Classic,
        Some("nesterov") => MomentumForm::Nesterov,
        Some(_) => return None,
    })
}

fn parse_place(text: Option<&str>) -> Option<EpsilonPlace> {
    Some(match text {
        None | Some("outside") => EpsilonPlace::Outside,
        Some("inside") => EpsilonPlace::Inside,
        Some(_) => return None,
    })
}

/// With all constants, so that a rule that was saved does not depend on defaults.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name_of = |place: &EpsilonPlace| if *place == EpsilonPlace::Inside { "inside" } else { "outside" };
        match self {
            Rule::Sgd => f.write_str("sgd"),
            Rule::Momentum { beta, form } => {
                let form = match form {
                    MomentumForm::Average => "average",
                    MomentumForm::Classic => "classic",
                    MomentumForm::Nesterov => "nesterov",
                };
                write!(f, "momentum:beta={}:form={form}", Number(*beta))
            }
            Rule::RmsProp { beta, epsilon, epsilon_place } => {
                let place = name_of(epsilon_place);
                write!(f, "rmsprop:beta={}:epsilon={}:place={place}", Number(*beta), Number(*epsilon))
            }
            Rule::Adam { beta1, beta2, epsilon, epsilon_place } => {
                let (place, [beta1, beta2, epsilon]) =
                    (name_of(epsilon_place), [beta1, beta2, epsilon].map(|&x| Number(x)));
                write!(f, "adam:beta1={beta1}:beta2={beta2}:epsilon={epsilon}:place={place}")
            }
        }
    }
}

/// The constants in their order or by name; those that are not given have the values of [`Rule::adam`] and its siblings.
impl FromStr for Rule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let rule = Rule::parse(text).ok_or_else(|| {
            let what = "optimizer";
            Error::Unreadable { what, text: text.into(), expected: EXPECTED }
        })?;
        rule.check()?;
        Ok(rule)
    }
}
