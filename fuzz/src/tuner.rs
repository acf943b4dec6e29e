//! Searches over any space, and files of their trials, whatever they hold.

use super::memory::bounded;
use arbitrary::Arbitrary;
use core::ops::ControlFlow;
use roofline::nn::tuner::{Parallelism, Results, Search, Space, Strategy, Trial, TunerError};
use roofline::{Error, Exec};

/// Bytes that are held at most for each byte of a file: fields and values of a trial that has a few digits each.
const MAX_MULTIPLE: usize = 64;
/// Trials of searches that run.
const MOST: usize = 64;

#[derive(Arbitrary, Debug)]
pub struct Plan<'a> {
    axes: [Option<Axis<'a>>; 3],
    strategy: Strategies,
    seed: u64,
    /// Where the file is cut, and bytes that are changed.
    cut: Option<u16>,
    changed: [Option<(u16, u8)>; 3],
    file: Option<&'a [u8]>,
}

#[derive(Arbitrary, Debug)]
enum Axis<'a> {
    Linear(&'a str, f64, f64),
    Log10(&'a str, f64, f64),
    OneMinusLog10(&'a str, f64, f64),
    Integer(&'a str, usize, usize),
    Choice(&'a str, [&'a str; 2]),
    /// One that is good.
    Rate(u8),
}

#[derive(Arbitrary, Debug)]
enum Strategies {
    Grid(usize),
    Few(u8),
    Random(usize),
    CoarseToFine(u8, u8, u8, f64),
}

impl Plan<'_> {
    /// Panics unless a search is refused, or its trials are saved and read as the same, and other files are refused.
    pub fn run(&self) {
        let Ok(space) = self.space() else { return };
        let strategy = match self.strategy {
            Strategies::Grid(points) => Strategy::Grid { points },
            Strategies::Few(points) => Strategy::Grid { points: 1 + points as usize % 4 },
            Strategies::Random(trials) => Strategy::Random { trials },
            Strategies::CoarseToFine(rounds, trials, keep, shrink) => {
                let [rounds, trials, keep] = [rounds, trials, keep].map(usize::from);
                Strategy::CoarseToFine { rounds, trials, keep, shrink }
            }
        };
        let Ok(search) = Search::new(space, strategy, self.seed) else { return };
        if let Some(file) = self.file {
            let result = bounded(file.len(), MAX_MULTIPLE, || search.read_csv(file));
            assert!(result.is_ok() || !result.expect_err("it is").to_string().is_empty());
        }
        if search.trials() <= MOST {
            self.check_file(&search);
        }
    }

    fn space(&self) -> Result<Space, TunerError> {
        let add = |space: roofline::nn::tuner::SpaceBuilder, axis: &Axis<'_>| match *axis {
            Axis::Linear(name, lower, upper) => space.linear(name, lower, upper),
            Axis::Log10(name, lower, upper) => space.log10(name, lower, upper),
            Axis::OneMinusLog10(name, lower, upper) => space.one_minus_log10(name, lower, upper),
            Axis::Integer(name, lower, upper) => space.integer(name, lower, upper),
            Axis::Choice(name, choices) => space.choice(name, choices).unit(name),
            Axis::Rate(orders) => space.log10("rate", -4.0, f64::from(orders % 20) - 3.5),
        };
        self.axes.iter().flatten().fold(Space::builder(), add).build()
    }

    /// The file of a search gives its results back; a changed one does, or is refused.
    fn check_file(&self, search: &Search) {
        let mut results = search.results();
        let objective = |trial: &Trial<'_>| -> Result<f64, Error> {
            if trial.index() % 5 == 4 { trial.f64("no such name") } else { Ok(trial.index() as f64 / 7.0) }
        };
        results.run(Exec::sequential(), Parallelism::OneAfterAnother, objective, |_| ControlFlow::Continue(()));
        assert!(results.is_complete() && !results.to_string().is_empty(), "{self:?}");
        let mut file = file_of(&results);
        let again = search.read_csv(&file[..]).expect("its own file");
        assert_eq!(file_of(&again), file, "{self:?}");
        let len = file.len();
        self.changed.iter().flatten().for_each(|&(at, byte)| file[at as usize % len] ^= byte);
        file.truncate(self.cut.map_or(len, |cut| cut as usize % len));
        match bounded(len, MAX_MULTIPLE, || search.read_csv(&file[..])) {
            Ok(changed) => assert!(changed.rows().len() <= search.trials(), "{self:?}"),
            Err(error) => assert!(error.to_string().contains("line"), "{self:?}: {error}"),
        }
    }
}

fn file_of(results: &Results<'_>) -> Vec<u8> {
    let mut file = Vec::new();
    results.write_csv(&mut file).expect("a vector takes all");
    file
}
