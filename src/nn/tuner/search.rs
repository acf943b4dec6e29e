//! [`Search`]: which trials there are. A pure function of space, strategy, seed and, for later rounds, of results.

use super::error::TunerError;
use super::results::Results;
use super::space::{Axis, Scale, Space, check_name};
use super::trial::{Row, Trial};
use crate::exec::Exec;
use crate::nn::random::{Purpose, Stream};
use core::fmt;

/// Most trials of a search: rows are kept in memory.
const MOST_TRIALS: usize = 1_000_000;

/// Which points of the space are tried.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Strategy {
    /// Every combination of `points` values of each hyperparameter, evenly spaced in its scale, both ends included (1: the
    /// middle); all choices, and all integers where there are no more.
    Grid {
        /// Values of each hyperparameter.
        points: usize,
    },
    /// Points drawn independently, uniform in each scale: each trial tries another value of every hyperparameter, where a grid
    /// repeats a few.
    Random {
        /// Number of points.
        trials: usize,
    },
    /// Random points in a box that shrinks around the best points so far.
    ///
    /// ```text
    /// for round in 0 .. rounds:
    ///     centre = mean of the coordinates of the `keep` best points of all rounds so far
    ///     box    = centre ± shrink^round · (upper − lower)/2, cut to lower … upper, for each hyperparameter
    ///     `trials` points, uniform in the box
    /// ```
    ///
    /// Round 0, and every one before the first success, has the whole space. Of choices those stay that the best points have.
    CoarseToFine {
        /// Number of rounds.
        rounds: usize,
        /// Points of each round.
        trials: usize,
        /// How many of the best points place the box, 1 … `trials`.
        keep: usize,
        /// By how much the box shrinks from round to round, above 0 and below 1.
        shrink: f64,
    },
}

impl Strategy {
    fn check(&self) -> Result<(), TunerError> {
        let at_least_1 = |what, value: usize| match value {
            0 => Err(TunerError::OutOfRange { what, value: 0.0, allowed: "at least 1" }),
            _ => Ok(()),
        };
        match *self {
            Strategy::Grid { points } => at_least_1("points of a grid", points),
            Strategy::Random { trials } => at_least_1("number of trials", trials),
            Strategy::CoarseToFine { rounds, trials, keep, shrink } => {
                at_least_1("number of rounds", rounds)?;
                at_least_1("trials of a round", trials)?;
                if keep == 0 || keep > trials {
                    let allowed = "1 up to the trials of a round";
                    return Err(TunerError::OutOfRange { what: "best points kept", value: keep as f64, allowed });
                }
                if shrink > 0.0 && shrink < 1.0 {
                    return Ok(());
                }
                let allowed = "above 0 and below 1";
                Err(TunerError::OutOfRange { what: "factor by which the box shrinks", value: shrink, allowed })
            }
        }
    }

    pub(super) fn rounds(&self) -> usize {
        if let Strategy::CoarseToFine { rounds, .. } = *self { rounds } else { 1 }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Strategy::Grid { points } => write!(f, "grid {points}"),
            Strategy::Random { trials } => write!(f, "random {trials}"),
            Strategy::CoarseToFine { rounds, trials, keep, shrink } => {
                write!(f, "coarse to fine {rounds}x{trials} best {keep} factor {shrink:?}")
            }
        }
    }
}

/// A space, a strategy and a seed: together they decide every trial.
///
/// Trial i of a round is drawn from the stream (seed, round, i), whatever the number of threads and whichever trials ran before.
///
/// ```
/// use roofline::nn::tuner::{Search, Space, Strategy};
/// let space = Space::builder().log10("learning_rate", -4.0, 0.0).choice("activation", ["relu", "tanh"]).build()?;
/// let search = Search::new(space, Strategy::Grid { points: 5 }, 0)?;
/// assert_eq!(search.trials(), 10);
/// # Ok::<(), roofline::nn::tuner::TunerError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Search {
    space: Space,
    strategy: Strategy,
    seed: u64,
    /// Trials of one round.
    round: usize,
    score: String,
}

impl Search {
    /// A search; a grid does not depend on the seed.
    ///
    /// # Errors
    /// [`TunerError::OutOfRange`] for a count of 0, for `keep` above `trials`, unless 0 < `shrink` < 1, and for more than a
    /// million trials.
    pub fn new(space: Space, strategy: Strategy, seed: u64) -> Result<Self, TunerError> {
        strategy.check()?;
        let round = match strategy {
            Strategy::Grid { points } => {
                space.axes().iter().map(|axis| grid_points(axis, points)).fold(1, usize::saturating_mul)
            }
            Strategy::Random { trials } | Strategy::CoarseToFine { trials, .. } => trials,
        };
        let all = round.saturating_mul(strategy.rounds());
        if all > MOST_TRIALS {
            let allowed = "at most 1000000";
            return Err(TunerError::OutOfRange { what: "number of trials in all", value: all as f64, allowed });
        }
        Ok(Self { space, strategy, seed, round, score: "score".into() })
    }

    /// Says what the score is, with its unit, for the table: `"dev error [%]"`.
    ///
    /// # Errors
    /// [`TunerError::Name`] unless it has 1 to 100 characters, none of them a control character.
    pub fn with_score(self, name: &str) -> Result<Self, TunerError> {
        check_name(name)?;
        Ok(Self { score: name.into(), ..self })
    }

    /// What is searched.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// How.
    pub fn strategy(&self) -> Strategy {
        self.strategy
    }

    /// The seed of all that is drawn.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Number of trials, of all rounds together.
    pub fn trials(&self) -> usize {
        self.round * self.strategy.rounds()
    }

    /// A search of which nothing ran yet.
    pub fn results(&self) -> Results<'_> {
        Results::new(self)
    }

    pub(super) fn score_name(&self) -> &str {
        &self.score
    }

    /// Trials of each round.
    pub(super) fn round_trials(&self) -> usize {
        self.round
    }

    /// Where the points of `round` lie, by all rows of the rounds before it.
    pub(super) fn region(&self, round: usize, rows: &[Row<'_>]) -> Region {
        let axes = self.space.axes();
        let whole = || Region(axes.iter().map(Part::whole).collect());
        let Strategy::CoarseToFine { keep, shrink, .. } = self.strategy else { return whole() };
        let mut best: Vec<_> = rows.iter().filter(|row| row.trial().round() < round && row.score().is_some()).collect();
        best.sort_by(|a, b| a.rank(b));
        best.truncate(keep);
        if round == 0 || best.is_empty() {
            return whole();
        }
        let factor = (0..round).fold(1.0, |factor, _| factor * shrink);
        let part = |(axis, scale): (usize, &Axis)| {
            let coordinates = best.iter().map(|row| row.trial().coordinates()[axis]);
            Part::around(&scale.scale, coordinates, factor)
        };
        Region(axes.iter().enumerate().map(part).collect())
    }

    /// Trial `index` of `round`, whose points lie in `region`.
    pub(super) fn trial(&self, round: usize, index: usize, region: &Region, exec: Exec) -> Trial<'_> {
        let coordinates = match self.strategy {
            Strategy::Grid { points } => self.grid(points, index),
            Strategy::Random { .. } | Strategy::CoarseToFine { .. } => {
                let mut stream = Stream::new(self.seed, Purpose::Trial, (round as u64) << 32 | index as u64);
                let draw = |(axis, part): (&Axis, &Part)| part.draw(&axis.scale, &mut stream);
                self.space.axes().iter().zip(&region.0).map(draw).collect()
            }
        };
        Trial::new(self, round, index, coordinates, exec)
    }

    /// Point `index` of the grid; the last hyperparameter varies fastest.
    fn grid(&self, points: usize, mut index: usize) -> Vec<f64> {
        let mut coordinates: Vec<f64> = Vec::with_capacity(self.space.axes().len());
        for axis in self.space.axes().iter().rev() {
            let count = grid_points(axis, points);
            coordinates.push(grid_coordinate(&axis.scale, count, index % count));
            index /= count;
        }
        coordinates.reverse();
        coordinates
    }
}

/// Points of one hyperparameter in a grid.
fn grid_points(axis: &Axis, points: usize) -> usize {
    match &axis.scale {
        Scale::Choice(names) => names.len(),
        Scale::Integer { lower, upper } => points.min(upper - lower + 1),
        Scale::Linear { .. } | Scale::Log10 { .. } | Scale::OneMinusLog10 { .. } => points,
    }
}

/// Coordinate `index` of `count`, evenly spaced from end to end.
fn grid_coordinate(scale: &Scale, count: usize, index: usize) -> f64 {
    let (lower, upper) = scale.ends();
    let coordinate = match count {
        1 => lower + (upper - lower) * 0.5,
        // The end exactly, whatever the division rounds to.
        _ if index == count - 1 => upper,
        _ => lower + (upper - lower) * (index as f64 / (count - 1) as f64),
    };
    if scale.is_whole() { coordinate.round() } else { coordinate }
}

/// A box in the scales' coordinates.
pub(super) struct Region(Vec<Part>);

/// One side of it.
enum Part {
    Interval(f64, f64),
    /// Places of the choices that are left, in order.
    Choices(Vec<usize>),
}

impl Part {
    fn whole(axis: &Axis) -> Self {
        match (&axis.scale, axis.scale.ends()) {
            (Scale::Choice(names), _) => Part::Choices((0..names.len()).collect()),
            // Half a step more on both sides, so that rounding gives the ends their share.
            (Scale::Integer { .. }, (lower, upper)) => Part::Interval(lower - 0.5, upper + 0.5),
            (_, (lower, upper)) => Part::Interval(lower, upper),
        }
    }

    /// What [`Strategy::CoarseToFine`] says, `factor` = shrink^round.
    fn around(scale: &Scale, best: impl ExactSizeIterator<Item = f64>, factor: f64) -> Self {
        if matches!(scale, Scale::Choice(_)) {
            let mut places: Vec<usize> = best.map(|place| place as usize).collect();
            places.sort_unstable();
            places.dedup();
            return Part::Choices(places);
        }
        let count = best.len() as f64;
        // Each divided first: a sum might overflow.
        let centre: f64 = best.map(|coordinate| coordinate / count).sum();
        let (lower, upper) = scale.ends();
        let half = factor * (upper - lower) * 0.5;
        Part::Interval((centre - half).max(lower), (centre + half).min(upper))
    }

    fn draw(&self, scale: &Scale, stream: &mut Stream) -> f64 {
        match self {
            Part::Choices(places) => places[stream.below(places.len() as u64) as usize] as f64,
            &Part::Interval(from, to) => {
                let coordinate = from + (to - from) * stream.unit();
                let (lower, upper) = scale.ends();
                let coordinate = if scale.is_whole() { coordinate.round() } else { coordinate };
                // Rounding may step over an end: −0.5 rounds to −1.
                coordinate.clamp(lower, upper)
            }
        }
    }
}
