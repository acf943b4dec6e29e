//! `roofline::nn::tuner`: distributions, grids, convergence, the same results however a search runs, and hostile files.

mod files;

use core::ops::ControlFlow;
use core::sync::atomic::{AtomicUsize, Ordering};
use roofline::nn::tuner::{Parallelism, Results, Row, Scale, Search, Space, SpaceBuilder, Strategy, Trial};
use roofline::{Error, Exec};

const COARSE_TO_FINE: Strategy = Strategy::CoarseToFine { rounds: 3, trials: 6, keep: 2, shrink: 0.5 };

/// One hyperparameter of each scale, with names that need quoting.
fn space() -> Space {
    Space::builder()
        .log10("learning_rate", -4.0, 0.0)
        .one_minus_log10("beta1", -3.0, -1.0)
        .integer("units, first layer", 4, 40)
        .choice("activation", ["relu", "the \"leaky\" one", "a,b"])
        .linear("warm_up", -1.5, 5.0)
        .unit("epochs")
        .build()
        .unwrap()
}

fn search(strategy: Strategy, seed: u64) -> Search {
    Search::new(space(), strategy, seed).unwrap()
}

fn one(builder: SpaceBuilder, strategy: Strategy, seed: u64) -> Search {
    Search::new(builder.build().unwrap(), strategy, seed).unwrap()
}

/// A score that depends on every hyperparameter; some trials fail, one way or another.
fn objective(trial: &Trial<'_>) -> Result<f64, Error> {
    let (rate, beta) = (trial.f64("learning_rate")?, trial.f64("beta1")?);
    let units = trial.usize("units, first layer")?;
    let choice = trial.choice("activation")?;
    match units % 9 {
        0 => Err(Error::OutOfRange { what: "units, as a \"number\"", value: units as f64, allowed: "odd" }),
        1 => Ok(f64::NAN),
        2 => panic!("{units} units\nwill not do"),
        _ => Ok((rate.ln() + 4.0).powi(2) / beta + choice.len() as f64 + trial.f64("warm_up")?),
    }
}

fn go_on(_: &Row<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn run(search: &Search) -> Results<'_> {
    let mut results = search.results();
    results.run(Exec::sequential(), Parallelism::OneAfterAnother, objective, go_on);
    results
}

fn csv(results: &Results<'_>) -> String {
    let mut out = Vec::new();
    results.write_csv(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Values of a number in all trials.
fn values(search: &Search, name: &str) -> Vec<f64> {
    let mut results = search.results();
    results.run(Exec::sequential(), Parallelism::OneAfterAnother, |trial| trial.f64(name), go_on);
    results.rows().iter().map(|row| row.trial().f64(name).unwrap()).collect()
}

/// Kolmogorov's and Smirnov's distance between a sample and the uniform distribution on [lower, upper].
fn distance_to_uniform(mut sample: Vec<f64>, lower: f64, upper: f64) -> f64 {
    sample.sort_by(f64::total_cmp);
    let n = sample.len() as f64;
    let deviation = |(i, x): (usize, &f64)| {
        let expected = (x - lower) / (upper - lower);
        (expected - i as f64 / n).abs().max((expected - (i + 1) as f64 / n).abs())
    };
    sample.iter().enumerate().map(deviation).fold(0.0, f64::max)
}

#[test]
fn numbers_are_uniform_in_their_scale() {
    const TRIALS: usize = 10_000;
    // P(distance · √n > 1.95) is 0.001.
    let limit = 1.95 / (TRIALS as f64).sqrt();
    let search = search(Strategy::Random { trials: TRIALS }, 3);
    let rate: Vec<f64> = values(&search, "learning_rate").iter().map(|x| x.log10()).collect();
    let beta: Vec<f64> = values(&search, "beta1").iter().map(|x| (1.0 - x).log10()).collect();
    assert!(distance_to_uniform(rate.clone(), -4.0, 0.0) < limit);
    assert!(distance_to_uniform(beta.clone(), -3.0, -1.0) < limit);
    assert!(distance_to_uniform(values(&search, "warm_up"), -1.5, 5.0) < limit);
    // The values themselves are not uniform, and hyperparameters do not depend on each other.
    assert!(distance_to_uniform(values(&search, "learning_rate"), 0.0, 1.0) > 0.5);
    let covariance = rate.iter().zip(&beta).map(|(r, b)| (r + 2.0) * (b + 2.0)).sum::<f64>() / TRIALS as f64;
    // Standard deviations 4/√12 and 2/√12, so that of the mean product is 0.0067.
    assert!(covariance.abs() < 0.027, "{covariance}");
}

#[test]
fn integers_and_choices_are_equally_likely() {
    const TRIALS: usize = 10_000;
    let builder = Space::builder().integer("units", 1, 5).choice("name", ["a", "b", "c"]);
    let search = one(builder, Strategy::Random { trials: TRIALS }, 4);
    let mut results = search.results();
    results.run(Exec::sequential(), Parallelism::OneAfterAnother, |trial| trial.f64("units"), go_on);
    let count = |is: &dyn Fn(&Trial<'_>) -> bool| results.rows().iter().filter(|row| is(row.trial())).count() as f64;
    for units in 1..=5 {
        // Standard deviation 40; the ends have the share of the others.
        assert!((count(&|trial| trial.usize("units") == Ok(units)) - 2000.0).abs() < 160.0, "{units}");
    }
    for name in ["a", "b", "c"] {
        // Standard deviation 47.
        assert!((count(&|trial| trial.choice("name") == Ok(name)) - 3333.3).abs() < 190.0, "{name}");
    }
}

#[test]
fn grids() {
    let rates = |points| values(&one(Space::builder().log10("rate", -4.0, 0.0), Strategy::Grid { points }, 0), "rate");
    assert_eq!(rates(5), [1e-4, 1e-3, 1e-2, 1e-1, 1.0]);
    assert_eq!(rates(2), [1e-4, 1.0]);
    assert_eq!(rates(1), [1e-2]);
    let units = |points| values(&one(Space::builder().integer("units", 3, 6), Strategy::Grid { points }, 0), "units");
    assert_eq!(units(3), [3.0, 5.0, 6.0]);
    assert_eq!(units(100), [3.0, 4.0, 5.0, 6.0]);
    // 4 values of three numbers and of an integer, 3 choices; every combination once, whatever the seed.
    let search = search(Strategy::Grid { points: 4 }, 8);
    assert_eq!(search.trials(), 4 * 4 * 4 * 4 * 3);
    let mut points: Vec<String> = run(&search).rows().iter().map(|row| row.trial().to_string()).collect();
    assert!(points[0].starts_with("learning_rate = 0.0001, beta1 = 0.999, units, first layer = 4, activation = relu"));
    points.sort();
    points.dedup();
    assert_eq!(points.len(), search.trials());
}

#[test]
fn trials_depend_on_seed_round_and_number_alone() {
    let points = |strategy, seed| -> Vec<String> {
        run(&search(strategy, seed)).rows().iter().map(|row| row.trial().to_string()).collect()
    };
    let (few, many) = (points(Strategy::Random { trials: 5 }, 1), points(Strategy::Random { trials: 50 }, 1));
    assert_eq!(few[..], many[..5]);
    assert_eq!(few[..], points(COARSE_TO_FINE, 1)[..5]);
    assert!(points(Strategy::Random { trials: 50 }, 2).iter().zip(&many).all(|(a, b)| a != b));
}

/// The cost of a trial whose learning rate and β lie away from 10^−2.3 and 1 − 10^−1.6.
fn quadratic(trial: &Trial<'_>) -> Result<f64, Error> {
    let (r, s) = (trial.f64("learning_rate")?.log10(), (1.0 - trial.f64("beta1")?).log10());
    Ok((r + 2.3).powi(2) + 2.0 * (s + 1.6).powi(2))
}

#[test]
fn coarse_to_fine_beats_random_on_a_quadratic() {
    let best = |strategy, seed| {
        let builder = Space::builder().log10("learning_rate", -4.0, 0.0).one_minus_log10("beta1", -3.0, -1.0);
        let search = one(builder, strategy, seed);
        let mut results = search.results();
        results.run(Exec::sequential(), Parallelism::OneAfterAnother, quadratic, go_on);
        assert!(results.is_complete());
        results.best().and_then(Row::score).unwrap()
    };
    let fine = Strategy::CoarseToFine { rounds: 5, trials: 16, keep: 3, shrink: 0.4 };
    let seeds = 0..40;
    let log = |strategy| seeds.clone().map(|seed| best(strategy, seed).log10()).sum::<f64>() / 40.0;
    let (fine, random) = (log(fine), log(Strategy::Random { trials: 80 }));
    // Of 80 random points in an area of 8 the best has a cost of about 8/(80·π·√½) = 0.045; after four rounds the box is 0.0256
    // as long on each side, and 16 points in it give a hundredth of that at most.
    assert!(fine < random - 2.0, "10^{fine}, 10^{random}");
}

#[test]
fn boxes_shrink_around_the_best_and_stay_within_the_range() {
    // The optimum is at an end.
    let strategy = Strategy::CoarseToFine { rounds: 4, trials: 10, keep: 1, shrink: 0.25 };
    let builder = Space::builder().linear("x", 2.0, 10.0).integer("n", 1, 9).choice("name", ["a", "b"]);
    let search = one(builder, strategy, 5);
    let mut results = search.results();
    let cost = |trial: &Trial<'_>| trial.f64("x");
    results.run(Exec::sequential(), Parallelism::OneAfterAnother, cost, go_on);
    for round in 1..4 {
        let earlier = results.rows().iter().filter(|row| row.trial().round() < round);
        let best = earlier.min_by(|a, b| a.score().unwrap().total_cmp(&b.score().unwrap())).unwrap().trial();
        let (x, n) = (best.f64("x").unwrap(), best.f64("n").unwrap());
        let half = 4.0 * 0.25_f64.powi(round as i32);
        for row in results.rows().iter().filter(|row| row.trial().round() == round) {
            let trial = row.trial();
            let value = trial.f64("x").unwrap();
            assert!((value - x).abs() <= half && (2.0..=10.0).contains(&value), "{trial:?} about {best:?}");
            assert!((trial.f64("n").unwrap() - n).abs() <= half + 0.5, "{trial:?} about {best:?}");
            assert_eq!(trial.choice("name"), best.choice("name"));
        }
    }
}

#[test]
fn no_success_leaves_the_whole_range() {
    let search = search(COARSE_TO_FINE, 6);
    let mut results = search.results();
    let fails = |_: &Trial<'_>| -> Result<f64, String> { Err(String::new()) };
    results.run(Exec::default(), Parallelism::SideBySide, fails, go_on);
    assert!(results.is_complete() && results.best().is_none());
    assert!(results.rows().iter().all(|row| row.error() == Some("failed") && row.score().is_none()));
    // Rounds in the same box draw different points.
    let points: std::collections::HashSet<String> = results.rows().iter().map(|row| row.trial().to_string()).collect();
    assert_eq!(points.len(), search.trials());
    let units = results.rows()[12..].iter().map(|row| row.trial().usize("units, first layer").unwrap());
    assert!(units.clone().max() > units.min().map(|least| least + 18));
}

#[test]
fn failures_are_rows_and_never_the_best() {
    let search = search(Strategy::Random { trials: 60 }, 9);
    let results = run(&search);
    let best = results.best().unwrap().score().unwrap();
    let (mut failed, mut least) = ([0; 3], f64::INFINITY);
    for row in results.rows() {
        let rest = row.trial().usize("units, first layer").unwrap() % 9;
        match row.error() {
            Some(error) => {
                let text = ["as a \"number\" is", "the score is NaN", "panicked: "][rest];
                assert!(error.contains(text) && !error.contains('\n') && row.score().is_none(), "{error}");
                failed[rest] += 1;
            }
            None => least = least.min(row.score().unwrap()),
        }
    }
    assert!(failed.iter().all(|&count| count > 0), "{failed:?}");
    assert_eq!(best, least);
}

#[test]
fn any_schedule_and_number_of_threads_gives_the_same() {
    for strategy in [Strategy::Grid { points: 2 }, Strategy::Random { trials: 30 }, COARSE_TO_FINE] {
        let search = search(strategy, 11);
        let expected = run(&search);
        for parallelism in [Parallelism::SideBySide, Parallelism::OneAfterAnother] {
            for exec in [Exec::sequential(), Exec::default()] {
                let (mut results, mut reported) = (search.results(), 0);
                results.run(exec, parallelism, objective, |_| {
                    reported += 1;
                    ControlFlow::Continue(())
                });
                assert_eq!(reported, search.trials());
                assert_eq!(csv(&results), csv(&expected), "{strategy} {parallelism:?} {exec:?}");
                assert_eq!(results.to_string(), expected.to_string());
            }
        }
    }
}

#[cfg(feature = "parallel")]
#[test]
fn pools_of_any_size_give_the_same() {
    let search = search(COARSE_TO_FINE, 18);
    let expected = csv(&run(&search));
    for threads in [1, 2, 3, 7] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        for parallelism in [Parallelism::SideBySide, Parallelism::OneAfterAnother] {
            let mut results = search.results();
            pool.install(|| results.run(Exec::default(), parallelism, objective, go_on));
            assert_eq!(csv(&results), expected, "{threads} threads, {parallelism:?}");
        }
    }
}

#[cfg(feature = "parallel")]
#[test]
fn trials_overlap_side_by_side_only() {
    use std::time::{Duration, Instant};
    let search = search(Strategy::Random { trials: 6 }, 1);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    for (parallelism, expected, patience) in
        [(Parallelism::SideBySide, 2, 20_000), (Parallelism::OneAfterAnother, 1, 20)]
    {
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        // Stays until another trial has come, or patience ends.
        let meet = |_: &Trial<'_>| -> Result<f64, Error> {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let start = Instant::now();
            while most.load(Ordering::SeqCst) < 2 && start.elapsed() < Duration::from_millis(patience) {
                std::thread::yield_now();
            }
            running.fetch_sub(1, Ordering::SeqCst);
            Ok(0.0)
        };
        let mut results = search.results();
        pool.install(|| results.run(Exec::default(), parallelism, meet, go_on));
        assert_eq!(most.into_inner(), expected, "{parallelism:?}");
    }
}

#[test]
fn side_by_side_trials_run_on_one_thread_each() {
    let search = search(Strategy::Random { trials: 4 }, 1);
    for (parallelism, threads) in
        [(Parallelism::SideBySide, 1), (Parallelism::OneAfterAnother, Exec::default().threads())]
    {
        let found = |trial: &Trial<'_>| -> Result<f64, Error> { Ok(trial.exec().threads() as f64) };
        let mut results = search.results();
        results.run(Exec::default(), parallelism, found, go_on);
        assert!(results.rows().iter().all(|row| row.score() == Some(threads as f64)));
    }
}

#[test]
fn a_run_can_be_ended_and_goes_on_where_it_was() {
    let search = search(COARSE_TO_FINE, 12);
    let expected = csv(&run(&search));
    let (mut results, calls) = (search.results(), AtomicUsize::new(0));
    let counted = |trial: &Trial<'_>| {
        calls.fetch_add(1, Ordering::Relaxed);
        objective(trial)
    };
    let mut runs = 0;
    while !results.is_complete() {
        let before = results.rows().len();
        results.run(Exec::default(), Parallelism::SideBySide, counted, |_| ControlFlow::Break(()));
        assert!(results.rows().len() > before);
        runs += 1;
    }
    // With one thread each run ends after one trial.
    assert!(runs >= search.trials() / Exec::default().threads());
    assert_eq!(calls.load(Ordering::Relaxed), search.trials());
    assert_eq!(csv(&results), expected);
}

#[test]
fn a_panic_of_the_callback_reaches_the_caller() {
    let search = search(Strategy::Random { trials: 20 }, 1);
    for parallelism in [Parallelism::SideBySide, Parallelism::OneAfterAnother] {
        let mut results = search.results();
        let run = || results.run(Exec::default(), parallelism, objective, |_| panic!("disk on fire"));
        let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"disk on fire"));
        assert!((1..20).contains(&results.rows().len()));
    }
}

#[test]
fn bad_spaces_are_refused() {
    let text = |builder: SpaceBuilder| builder.build().unwrap_err().to_string();
    let space = Space::builder;
    let long = "n".repeat(101);
    for (builder, problem) in [
        (space(), "number of hyperparameters is 0, it must be 1 to 100"),
        (space().linear("x", 1.0, 1.0), "x: the range from 1 to 1 must go upwards, its length finite"),
        (space().linear("x", f64::NAN, 1.0), "x: the range from NaN to 1 must"),
        (space().linear("x", f64::MIN, f64::MAX), "its length finite"),
        (space().log10("x", -23.0, 1.0), "x: the range from -23 to 1 must go upwards, between -22 and 22"),
        (space().one_minus_log10("x", -3.0, 0.5), "x: the range from -3 to 0.5 must go upwards, between -15 and 0"),
        (space().integer("x", 5, 4), "x: the range from 5 to 4 must go upwards"),
        (space().integer("x", 5, 1 << 31), "to 2147483647 at most"),
        (space().choice("x", [""; 0]), "number of choices is 0"),
        (space().choice("x", ["a", "a"]), "the name \"a\" stands for two choices"),
        (space().choice("x", ["a\nb"]), "the name \"a\\nb\" must have 1 to 100 characters"),
        (space().linear(&long, 0.0, 1.0), "must have 1 to 100 characters"),
        (space().linear("", 0.0, 1.0), "must have 1 to 100 characters"),
        (space().linear("score", 0.0, 1.0), "the name \"score\" is that of another column"),
        (space().linear("x", 0.0, 1.0).linear("x", 0.0, 1.0), "the name \"x\" stands for two hyperparameters"),
    ] {
        assert!(text(builder.clone()).contains(problem), "{}", text(builder));
    }
}

#[test]
fn bad_strategies_are_refused() {
    let text = |strategy| Search::new(space(), strategy, 0).unwrap_err().to_string();
    let fine = |rounds, trials, keep, shrink| text(Strategy::CoarseToFine { rounds, trials, keep, shrink });
    assert_eq!(text(Strategy::Grid { points: 0 }), "points of a grid is 0, it must be at least 1");
    assert_eq!(text(Strategy::Random { trials: 0 }), "number of trials is 0, it must be at least 1");
    assert!(text(Strategy::Random { trials: 1_000_001 }).contains("is 1000001, it must be at most 1000000"));
    assert!(text(Strategy::Grid { points: usize::MAX }).contains("at most 1000000"));
    assert!(fine(0, 5, 1, 0.5).contains("number of rounds is 0") && fine(2, 0, 1, 0.5).contains("trials of a round"));
    assert!(fine(2, 5, 6, 0.5).contains("best points kept is 6") && fine(usize::MAX, 5, 5, 0.5).contains("in all"));
    for shrink in [0.0, 1.0, -0.5, f64::NAN] {
        assert!(fine(2, 5, 5, shrink).contains("above 0 and below 1"), "{shrink}");
    }
}

#[test]
fn getters_know_names_and_kinds() {
    let search = search(Strategy::Random { trials: 1 }, 0);
    let results = run(&search);
    let trial = results.rows()[0].trial();
    assert_eq!(trial.f64("units, first layer"), trial.usize("units, first layer").map(|units| units as f64));
    assert_eq!(search.space().scale("units, first layer"), Some(&Scale::Integer { lower: 4, upper: 40 }));
    assert_eq!((search.space().scale("units"), search.space().names().count()), (None, 5));
    let text = |result: Result<(), Error>| result.unwrap_err().to_string();
    assert!(text(trial.f64("activation").map(drop)).contains("`activation` and is a number"));
    assert!(text(trial.usize("learning_rate").map(drop)).contains("`learning_rate` and is a whole number"));
    assert!(text(trial.choice("no such").map(drop)).contains("`no such` and is a choice"));
}

#[test]
fn the_table_is_sorted_and_aligned() {
    let builder = Space::builder().integer("units", 8, 10).choice("name", ["a", "longer"]).unit("kind");
    let search = one(builder, Strategy::Grid { points: 3 }, 2).with_score("dev error [%]").unwrap();
    let mut results = search.results();
    let cost = |trial: &Trial<'_>| -> Result<f64, Error> {
        let (units, name) = (trial.usize("units")?, trial.choice("name")?);
        Ok(if units == 9 && name == "a" { f64::INFINITY } else { units as f64 - 0.5 * name.len() as f64 })
    };
    results.run(Exec::sequential(), Parallelism::OneAfterAnother, cost, go_on);
    let expected = "\
grid 3, seed 2: 6 of 6 trials
trial  units  name [kind]  dev error [%]
  0.1      8  longer               5.000
  0.3      9  longer               6.000
  0.5     10  longer               7.000
  0.0      8  a                    7.500
  0.4     10  a                    9.500
  0.2      9  a                   failed  the score is inf
";
    assert_eq!(results.to_string(), expected);
}
