//! Values of options, and what is wrong with a bad one.

use clap::ValueEnum;
use roofline::Activation;
use roofline::nn::{Penalty, Rule};
use std::fmt;
use std::str::FromStr;

/// Units of the hidden layers: `256,128`, or `none` for a regression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layers(pub(crate) Vec<usize>);

impl FromStr for Layers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(Vec::new()));
        }
        text.split(',').map(at_least::<1>).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        f.write_str(&self.0.iter().map(usize::to_string).collect::<Vec<_>>().join(","))
    }
}

/// An update rule, and whether its decay is decoupled: `adamw` is Adam with that.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RuleName {
    pub(crate) rule: Rule,
    pub(crate) decoupled: bool,
}

impl FromStr for RuleName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let adamw = text.strip_prefix("adamw").filter(|rest| rest.is_empty() || rest.starts_with(':'));
        let rule = match adamw {
            Some(constants) => format!("adam{constants}").parse(),
            None => text.parse(),
        };
        rule.map(|rule| Self { rule, decoupled: adamw.is_some() })
            .map_err(|error: roofline::Error| format!("{error}; adamw has the constants of adam"))
    }
}

/// `none`, `l1:λ` or `l2:λ`; λ may be left to another option.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum PenaltyName {
    None,
    L1(Option<f64>),
    L2(Option<f64>),
}

impl PenaltyName {
    /// With λ where none was given.
    pub(crate) fn with(self, lambda: f64) -> Penalty {
        match self {
            Self::None => Penalty::None,
            Self::L1(own) => Penalty::L1(own.unwrap_or(lambda)),
            Self::L2(own) => Penalty::L2(own.unwrap_or(lambda)),
        }
    }
}

impl FromStr for PenaltyName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, lambda) = text.split_once(':').map_or((text, None), |(name, lambda)| (name, Some(lambda)));
        let lambda = match lambda.map(str::parse::<f64>) {
            None => None,
            Some(Ok(lambda)) if lambda >= 0.0 && lambda.is_finite() => Some(lambda),
            Some(_) => return Err(format!("λ of `{text}` must be a number from 0 on")),
        };
        match name {
            "none" if lambda.is_none() => Ok(Self::None),
            "l1" => Ok(Self::L1(lambda)),
            "l2" => Ok(Self::L2(lambda)),
            _ => Err("there are none, l1:λ and l2:λ".into()),
        }
    }
}

/// As it is written on the command line.
pub(crate) fn penalty_text(penalty: Penalty) -> String {
    match penalty {
        Penalty::None => "none".into(),
        Penalty::L1(lambda) => format!("l1:{lambda}"),
        Penalty::L2(lambda) => format!("l2:{lambda}"),
    }
}

/// The name of an option's value.
pub(crate) fn name(value: impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

pub(crate) fn activation(text: &str) -> Result<Activation, String> {
    let found = Activation::ALL.into_iter().find(|activation| activation.name() == text);
    found.ok_or_else(|| format!("there are {}", Activation::ALL.map(Activation::name).join(", ")))
}

pub(crate) fn at_least<const LEAST: usize>(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number < LEAST => Err(format!("it must be at least {LEAST}")),
        Ok(number) => Ok(number),
        Err(error) => Err(error.to_string()),
    }
}

pub(crate) fn positive(text: &str) -> Result<f64, String> {
    number(text, |number| number > 0.0, "it must be positive and finite")
}

pub(crate) fn not_negative(text: &str) -> Result<f64, String> {
    number(text, |number| number >= 0.0, "it must be 0 or positive, and finite")
}

pub(crate) fn share(text: &str) -> Result<f64, String> {
    number(text, |number| (0.0..=1.0).contains(&number), "it must be in [0, 1]: 0.02 for 2 %")
}

/// `keep_prob`, in the range of the kernel.
pub(crate) fn probability(text: &str) -> Result<f64, String> {
    let least = f64::from(2.0_f32.powi(-16));
    number(text, |number| (least..=1.0).contains(&number), "keep_prob must be in [2^-16, 1]")
        .map_err(|error| format!("keep_prob is {text}: {error}"))
}

fn number(text: &str, fits: impl Fn(f64) -> bool, problem: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && fits(number) => Ok(number),
        Ok(_) => Err(problem.into()),
        Err(error) => Err(error.to_string()),
    }
}
