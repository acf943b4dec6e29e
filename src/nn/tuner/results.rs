//! [`Results`]: finished trials, and the run that adds those that are missing.

use super::search::Search;
use super::trial::{Row, Trial};
use crate::exec::Exec;
use core::any::Any;
use core::fmt::Display;
use core::ops::ControlFlow;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};

/// How the threads of a run are used. The results are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parallelism {
    /// As many trials at a time as there are threads, each on one of them. Threads never wait for each other, but each trial
    /// needs its memory, and the caches are shared. For small networks.
    SideBySide,
    /// One trial at a time, on all threads. For large networks.
    OneAfterAnother,
}

/// Finished trials of a [`Search`], in the order of the trials. Displays as a table, the best on top.
#[derive(Clone, Debug)]
pub struct Results<'a> {
    search: &'a Search,
    rows: Vec<Row<'a>>,
}

impl<'a> Results<'a> {
    pub(super) fn new(search: &'a Search) -> Self {
        Self { search, rows: Vec::new() }
    }

    /// The search.
    pub fn search(&self) -> &'a Search {
        self.search
    }

    /// The finished trials, failed ones too, by round and number.
    pub fn rows(&self) -> &[Row<'a>] {
        &self.rows
    }

    /// Whether no trial is missing.
    pub fn is_complete(&self) -> bool {
        self.rows.len() == self.search.trials()
    }

    /// The trial of the lowest score, the earliest of equals; `None` where none has succeeded.
    ///
    /// ```
    /// use core::ops::ControlFlow;
    /// use roofline::nn::tuner::{Parallelism, Search, Space, Strategy, Trial};
    /// use roofline::{Error, Exec};
    /// let search = Search::new(Space::builder().linear("x", -1.0, 1.0).build()?, Strategy::Grid { points: 5 }, 0)?;
    /// let mut results = search.results();
    /// let square = |trial: &Trial<'_>| -> Result<f64, Error> { Ok(trial.f64("x")?.powi(2)) };
    /// results.run(Exec::default(), Parallelism::SideBySide, square, |_| ControlFlow::Continue(()));
    /// assert_eq!(results.best().and_then(|row| row.score()), Some(0.0));
    /// # Ok::<(), roofline::nn::tuner::TunerError>(())
    /// ```
    pub fn best(&self) -> Option<&Row<'a>> {
        self.rows.iter().filter(|row| row.score().is_some()).min_by(|a, b| a.rank(b))
    }

    /// Runs the trials that are missing, at most `exec.threads()` at a time.
    ///
    /// `objective` returns the score of a point, for example the dev error: lower is better. A trial fails where it returns an
    /// error or a number that is not finite, or panics (in builds that unwind); a failed trial has its row, is never the best,
    /// and is not run again.
    ///
    /// `on_result` sees each row as soon as it is there, in the order in which trials finish, on the thread that ran it: for
    /// saving (see [`Row::write_csv`]) and for progress. [`ControlFlow::Break`] ends the run; trials under way are finished and
    /// reported. A panic of `on_result` ends it likewise, then goes on in the caller.
    pub fn run<E: Display>(
        &mut self,
        exec: Exec,
        parallelism: Parallelism,
        objective: impl Fn(&Trial<'_>) -> Result<f64, E> + Sync,
        on_result: impl FnMut(&Row<'_>) -> ControlFlow<()> + Send,
    ) {
        let of_trial = match parallelism {
            Parallelism::SideBySide => exec.with_threads(1).expect("one thread is always there"),
            Parallelism::OneAfterAnother => exec,
        };
        let crew = Crew { exec, parallelism, objective: |trial: &Trial<'_>| evaluate(&objective, trial) };
        let shared = Mutex::new(Shared { on_result, rows: Vec::new(), panic: None });
        let stop = AtomicBool::new(false);
        for round in 0..self.search.strategy().rounds() {
            let missing = self.missing(round, of_trial);
            if missing.is_empty() {
                continue;
            }
            crew.run(&missing, &shared, &stop);
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            self.add(&mut shared.rows);
            if let Some(payload) = shared.panic.take() {
                drop(shared);
                resume_unwind(payload);
            }
            if stop.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    /// Trials of `round` that have no row; every round before it is complete.
    fn missing(&self, round: usize, exec: Exec) -> Vec<Trial<'a>> {
        let done = |index| self.rows.binary_search_by_key(&(round, index), |row| row.trial().key()).is_ok();
        let indices: Vec<usize> = (0..self.search.round_trials()).filter(|&index| !done(index)).collect();
        if indices.is_empty() {
            return Vec::new();
        }
        let region = self.search.region(round, &self.rows);
        indices.into_iter().map(|index| self.search.trial(round, index, &region, exec)).collect()
    }

    /// Takes rows of trials that had none.
    pub(super) fn add(&mut self, rows: &mut Vec<Row<'a>>) {
        self.rows.append(rows);
        self.rows.sort_by_key(|row| row.trial().key());
    }
}

/// The outcome of a trial, a panic included: it must not take the other trials with it.
fn evaluate<E: Display>(
    objective: &(impl Fn(&Trial<'_>) -> Result<f64, E> + Sync),
    trial: &Trial<'_>,
) -> Result<f64, String> {
    match catch_unwind(AssertUnwindSafe(|| objective(trial))) {
        Ok(outcome) => outcome.map_err(|error| error.to_string()),
        Err(payload) => {
            let text = payload.downcast_ref::<&str>().copied();
            let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
            Err(format!("panicked: {}", text.unwrap_or("no message")))
        }
    }
}

/// Those who work trials off.
struct Crew<F> {
    exec: Exec,
    parallelism: Parallelism,
    objective: F,
}

/// What they share.
struct Shared<'a, G> {
    on_result: G,
    rows: Vec<Row<'a>>,
    /// Of `on_result`.
    panic: Option<Box<dyn Any + Send>>,
}

impl<F: Fn(&Trial<'_>) -> Result<f64, String> + Sync> Crew<F> {
    /// Runs trials until none is left or `stop` is set.
    fn run<'a, G>(&self, trials: &[Trial<'a>], shared: &Mutex<Shared<'a, G>>, stop: &AtomicBool)
    where
        G: FnMut(&Row<'_>) -> ControlFlow<()> + Send,
    {
        let next = AtomicUsize::new(0);
        let work = |_| {
            while !stop.load(Ordering::Relaxed) {
                let Some(trial) = trials.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
                let row = Row::new(trial.clone(), (self.objective)(trial));
                let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
                if shared.report(&row).is_break() {
                    stop.store(true, Ordering::Relaxed);
                }
                shared.rows.push(row);
            }
        };
        /// So many parts a call of `for_each` works on at the same time.
        const MOST_PARTS: usize = 256;
        match self.parallelism {
            Parallelism::OneAfterAnother => work(0),
            Parallelism::SideBySide => {
                let parts = self.exec.threads().min(trials.len()).min(MOST_PARTS);
                self.exec.region(|| self.exec.for_each(parts, work));
            }
        }
    }
}

impl<G: FnMut(&Row<'_>) -> ControlFlow<()>> Shared<'_, G> {
    fn report(&mut self, row: &Row<'_>) -> ControlFlow<()> {
        if self.panic.is_some() {
            return ControlFlow::Break(());
        }
        // A panic that left a helping thread would end the process.
        catch_unwind(AssertUnwindSafe(|| (self.on_result)(row))).unwrap_or_else(|payload| {
            self.panic = Some(payload);
            ControlFlow::Break(())
        })
    }
}
