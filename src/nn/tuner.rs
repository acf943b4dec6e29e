//! Hyperparameter search: grid, random, and coarse to fine, on the scales of the course notes.
//!
//! ```text
//! Space     names and scales: linear, 10^r, 1 − 10^r, integer, choice
//! Search    space + strategy + seed: decides every trial
//! Results   finished trials; `run` adds those that are missing, the rows become a table or a file
//! ```
//!
//! Which learning rate trains a small network best?
//!
//! ```
//! use core::ops::ControlFlow;
//! use roofline::nn::tuner::{Parallelism, Search, Space, Strategy, Trial};
//! use roofline::nn::{Dataset, Mlp, Optimizer};
//! use roofline::{Activation, Error, Exec, Mat};
//!
//! // Is the first coordinate above the second?
//! let x = Mat::from_fn(64, 2, |i, j| ((i * (3 + 4 * j)) % 17) as f32 / 17.0 - 0.5);
//! let labels = (0..64).map(|i| (x.as_slice()[2 * i] > x.as_slice()[2 * i + 1]) as usize).collect();
//! let data = Dataset::new(x, labels, 2)?;
//!
//! let train = |trial: &Trial<'_>| -> Result<f64, Error> {
//!     let units = trial.usize("units")?;
//!     let mut net = Mlp::<f32>::builder(2).dense(units, Activation::Tanh).softmax(2).seed(1).exec(trial.exec()).build()?;
//!     let mut optimizer = Optimizer::adam(trial.f64("learning_rate")?);
//!     for _ in 0..30 {
//!         net.forward(data.x())?;
//!         net.backward(data.x(), data.labels())?;
//!         net.update(&mut optimizer)?;
//!     }
//!     Ok(100.0 * (1.0 - net.accuracy(&data)?))
//! };
//!
//! let space = Space::builder().log10("learning_rate", -4.0, 0.0).integer("units", 2, 16).build()?;
//! let strategy = Strategy::CoarseToFine { rounds: 3, trials: 6, keep: 2, shrink: 0.5 };
//! let search = Search::new(space, strategy, 1)?.with_score("error [%]")?;
//!
//! let mut file = Vec::new(); // Stands for a file that earlier runs may have begun.
//! let mut results = search.read_csv(&file[..])?;
//! results.write_csv(&mut file)?;
//! results.run(Exec::default(), Parallelism::SideBySide, train, |row| match row.write_csv(&mut file) {
//!     Ok(()) => ControlFlow::Continue(()),
//!     Err(_) => ControlFlow::Break(()),
//! });
//! println!("{results}");
//! let best = results.best().ok_or("every trial failed")?;
//! assert!(best.score() < Some(10.0), "{:?}", best.trial());
//! assert_eq!(search.read_csv(&file[..])?.to_string(), results.to_string());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod csv;
mod error;
mod results;
mod search;
mod space;
mod table;
mod trial;

pub use error::TunerError;
pub use results::{Parallelism, Results};
pub use search::{Search, Strategy};
pub use space::{Scale, Space, SpaceBuilder};
pub use trial::{Row, Trial};
