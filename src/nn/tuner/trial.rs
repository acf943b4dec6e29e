//! [`Trial`]: a point to try. [`Row`]: a trial and what came of it.

use super::search::Search;
use super::space::{Axis, Scale};
use crate::error::Error;
use crate::exec::Exec;
use core::cmp::Ordering;
use core::fmt;

/// A point of the space, and how to compute there.
#[derive(Clone)]
pub struct Trial<'a> {
    search: &'a Search,
    round: usize,
    index: usize,
    coordinates: Vec<f64>,
    exec: Exec,
}

impl<'a> Trial<'a> {
    pub(super) fn new(search: &'a Search, round: usize, index: usize, coordinates: Vec<f64>, exec: Exec) -> Self {
        Self { search, round, index, coordinates, exec }
    }

    /// Which round, from 0; only [`Strategy::CoarseToFine`](super::Strategy::CoarseToFine) has more than one.
    pub fn round(&self) -> usize {
        self.round
    }

    /// Which trial of the round, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// How to compute: on one thread where trials run side by side, else on all. Pass it on to all that the trial calls, so
    /// that trials do not fight for threads.
    pub fn exec(&self) -> Exec {
        self.exec
    }

    /// The value of a hyperparameter that is a number.
    ///
    /// # Errors
    /// [`Error::Hyperparameter`] where no number has this name.
    pub fn f64(&self, name: &str) -> Result<f64, Error> {
        match self.find(name) {
            Some((scale, coordinate)) if !matches!(scale, Scale::Choice(_)) => Ok(scale.value(coordinate)),
            _ => Err(Error::Hyperparameter { name: name.into(), wanted: "a number" }),
        }
    }

    /// The value of a hyperparameter that is a whole number.
    ///
    /// # Errors
    /// [`Error::Hyperparameter`] where no whole number has this name.
    pub fn usize(&self, name: &str) -> Result<usize, Error> {
        match self.find(name) {
            Some((Scale::Integer { .. }, coordinate)) => Ok(coordinate as usize),
            _ => Err(Error::Hyperparameter { name: name.into(), wanted: "a whole number" }),
        }
    }

    /// The value of a hyperparameter that is a choice.
    ///
    /// # Errors
    /// [`Error::Hyperparameter`] where no choice has this name.
    pub fn choice(&self, name: &str) -> Result<&'a str, Error> {
        match self.find(name) {
            Some((Scale::Choice(names), place)) => Ok(&names[place as usize]),
            _ => Err(Error::Hyperparameter { name: name.into(), wanted: "a choice" }),
        }
    }

    fn find(&self, name: &str) -> Option<(&'a Scale, f64)> {
        self.values().find(|(axis, _)| axis.name == name).map(|(axis, coordinate)| (&axis.scale, coordinate))
    }

    /// Each hyperparameter with its coordinate.
    pub(super) fn values(&self) -> impl Iterator<Item = (&'a Axis, f64)> {
        self.search.space().axes().iter().zip(self.coordinates.iter().copied())
    }

    pub(super) fn search(&self) -> &'a Search {
        self.search
    }

    pub(super) fn coordinates(&self) -> &[f64] {
        &self.coordinates
    }

    pub(super) fn key(&self) -> (usize, usize) {
        (self.round, self.index)
    }
}

/// Name and value of each hyperparameter, in full precision.
impl fmt::Display for Trial<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (axis, coordinate)) in self.values().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{} = {}", axis.name, axis.scale.text(coordinate))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Trial<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trial({}.{}: {self})", self.round, self.index)
    }
}

/// A finished trial.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    trial: Trial<'a>,
    outcome: Result<f64, String>,
}

impl<'a> Row<'a> {
    /// A score that is not finite is a failure; an error becomes one line of at most 1000 characters.
    pub(super) fn new(trial: Trial<'a>, outcome: Result<f64, String>) -> Self {
        const MOST_CHARACTERS: usize = 1000;
        let outcome = match outcome {
            Ok(score) if !score.is_finite() => Err(format!("the score is {score}")),
            Ok(score) => Ok(score),
            Err(text) if text.is_empty() => Err("failed".into()),
            Err(text) => {
                let visible = |c: char| if c.is_control() { ' ' } else { c };
                Err(text.chars().take(MOST_CHARACTERS).map(visible).collect())
            }
        };
        Self { trial, outcome }
    }

    /// The point.
    pub fn trial(&self) -> &Trial<'a> {
        &self.trial
    }

    /// What the objective returned, finite; lower is better. `None` for a failed trial.
    pub fn score(&self) -> Option<f64> {
        self.outcome.as_ref().ok().copied()
    }

    /// Why the trial failed; `None` where it did not.
    pub fn error(&self) -> Option<&str> {
        self.outcome.as_ref().err().map(String::as_str)
    }

    /// The better score first, failed trials last, equal ones in the order of the trials.
    pub(super) fn rank(&self, other: &Self) -> Ordering {
        let by_score = match (self.score(), other.score()) {
            // Finite: there is an order. −0 is 0.
            (Some(a), Some(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
            (a, b) => b.is_some().cmp(&a.is_some()),
        };
        by_score.then(self.trial.key().cmp(&other.trial.key()))
    }
}
