//! Which points there are, and what a point means for network and optimizer.

use crate::options::{Name, Options, Range, StrategyName};
use crate::support::options::{NetworkOptions, OptimizerOptions, YesNo};
use crate::support::values::{Layers, PenaltyName, name, penalty_text};
use roofline::nn::tuner::{Search, Space, Strategy, Trial};
use roofline::nn::{Regime, Rule, Schedule};
use std::error::Error;

/// The search that the options ask for.
pub(crate) struct Plan<'a> {
    pub(crate) options: &'a Options,
    space: Space,
}

impl<'a> Plan<'a> {
    /// For `m` examples to train on.
    pub(crate) fn new(options: &'a Options, m: usize) -> Result<Self, Box<dyn Error>> {
        let mut builder = Space::builder();
        for range in &options.search.search {
            let (from, to) = range.bounds.unwrap_or_else(|| usual(range.name, options, m));
            let text = range.name.text();
            check(range, (from, to), options)?;
            builder = match range.name {
                Name::LearningRate | Name::Penalty => builder.log10(text, from.log10(), to.log10()),
                Name::Beta => builder.one_minus_log10(text, (1.0 - to).log10(), (1.0 - from).log10()),
                Name::Units => builder.integer(text, from as usize, to as usize),
                Name::KeepProb => builder.linear(text, from, to),
                Name::BatchSize => builder.choice(text, powers_of_two(from, to)?),
            };
        }
        Ok(Self { options, space: builder.build()? })
    }

    /// Trials by strategy and number.
    pub(crate) fn search(&self) -> Result<Search, Box<dyn Error>> {
        let (options, seed) = (&self.options.search, self.options.search.seed);
        let search = |strategy| Search::new(self.space.clone(), strategy, seed);
        let strategy = match options.strategy {
            StrategyName::Random => Strategy::Random { trials: options.trials },
            StrategyName::CoarseToFine => {
                let trials = options.trials / options.rounds;
                if trials == 0 {
                    return Err(format!("{} trials are too few for {} rounds", options.trials, options.rounds).into());
                }
                Strategy::CoarseToFine { rounds: options.rounds, trials, keep: trials.div_ceil(4), shrink: 0.5 }
            }
            StrategyName::Grid => {
                let trials = |points| search(Strategy::Grid { points }).map(|search| search.trials());
                let smallest = trials(1)?;
                if smallest > options.trials {
                    let given = options.trials;
                    return Err(format!("{given} trials are too few: the smallest grid has {smallest}").into());
                }
                let mut points = 1;
                // More points than before, and no more than asked for.
                while points < options.trials && trials(points + 1).is_ok_and(|count| count <= options.trials) {
                    points += 1;
                }
                Strategy::Grid { points }
            }
        };
        Ok(search(strategy)?)
    }

    /// Network and optimizer at a point.
    pub(crate) fn point(&self, trial: &Trial<'_>) -> Result<(NetworkOptions, OptimizerOptions), roofline::Error> {
        let (mut network, mut optimizer) = (self.options.network.clone(), self.options.optimizer.clone());
        for &Range { name, .. } in &self.options.search.search {
            let text = name.text();
            match name {
                Name::LearningRate => optimizer.learning_rate = Some(trial.f64(text)?),
                Name::Beta => {
                    let constant = if matches!(optimizer.optimizer.rule, Rule::Adam { .. }) { "beta1" } else { "beta" };
                    optimizer.optimizer.rule = optimizer.optimizer.rule.with(constant, trial.f64(text)?)?;
                }
                Name::Units => network.layers = Layers(vec![trial.usize(text)?; network.layers.0.len()]),
                Name::KeepProb => network.keep_prob = trial.f64(text)?,
                Name::Penalty => {
                    let lambda = Some(trial.f64(text)?);
                    let l1 = matches!(network.penalty, PenaltyName::L1(_));
                    network.penalty = if l1 { PenaltyName::L1(lambda) } else { PenaltyName::L2(lambda) };
                }
                Name::BatchSize => {
                    let regime = trial.choice(text)?.parse::<Regime>()?;
                    optimizer.regime = Some(regime);
                }
            }
        }
        Ok((network, optimizer))
    }

    /// How to train at this point.
    pub(crate) fn command(&self, trial: &Trial<'_>) -> Result<String, roofline::Error> {
        let (network, optimizer) = self.point(trial)?;
        let mut words = vec!["cargo run --release --example train --".to_owned()];
        let mut add = |option: &str, value: String| words.push(format!("--{option} {value}"));
        let (data, search) = (&self.options.data, &self.options.search);
        if let Some(dir) = &data.data {
            add("data", quoted(&dir.display().to_string()));
        }
        if let Some(file) = &data.csv {
            add("csv", quoted(&file.display().to_string()));
            add("label-kind", name(data.label_kind));
            add("header", name(data.header));
        }
        if let Some(label) = &data.label {
            add("label", quoted(label));
        }
        if let Some(count) = data.dev_examples {
            add("dev-examples", count.to_string());
        }
        if let Some(answer) = data.normalize {
            add("normalize", if answer == YesNo::Yes { "yes".into() } else { "no".into() });
        }
        add("layers", network.layers.to_string());
        add("activation", network.activation.name().into());
        if network.keep_prob < 1.0 {
            add("keep-prob", network.keep_prob.to_string());
        }
        add("penalty", penalty_text(network.penalty()));
        if let Some(init) = network.init {
            add("init", name(init));
        }
        add("optimizer", optimizer.optimizer.rule.to_string());
        add("learning-rate", optimizer.learning_rate().to_string());
        if optimizer.schedule != Schedule::Constant {
            add("schedule", optimizer.schedule.to_string());
        }
        if let Some(norm) = optimizer.clip_norm {
            add("clip-norm", norm.to_string());
        }
        if optimizer.weight_decay() > 0.0 {
            add("weight-decay", optimizer.weight_decay().to_string());
        }
        add("regime", optimizer.regime().to_string());
        add("epochs", search.epochs.to_string());
        add("seed", search.seed.to_string());
        if network.batch_norm {
            words.push("--batch-norm".into());
        }
        Ok(words.join(" "))
    }
}

/// For a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.into() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// The usual bounds.
fn usual(name: Name, options: &Options, m: usize) -> (f64, f64) {
    match name {
        Name::LearningRate => match options.optimizer.optimizer.rule {
            Rule::Sgd | Rule::Momentum { .. } => (0.01, 5.0),
            Rule::RmsProp { .. } | Rule::Adam { .. } => (1e-4, 0.1),
        },
        Name::Beta => (0.9, 0.999),
        Name::Units => (16.0, 256.0),
        Name::BatchSize => (16.0, (m as f64).min(512.0)),
        Name::KeepProb => (0.5, 1.0),
        Name::Penalty => (1e-3, 10.0),
    }
}

/// Whether the hyperparameter is one here, and its bounds within its range.
fn check(range: &Range, (from, to): (f64, f64), options: &Options) -> Result<(), Box<dyn Error>> {
    let refuse = |what: &str| Err(format!("{} from {from} to {to}: {what}", range.name).into());
    match range.name {
        Name::LearningRate | Name::Penalty if from <= 0.0 => refuse("it must be above 0"),
        Name::Beta if from < 0.0 || to >= 1.0 => refuse("it must be in [0, 1)"),
        Name::Beta if options.optimizer.optimizer.rule == Rule::Sgd => refuse("sgd has no β"),
        Name::KeepProb if from < 0.01 || to > 1.0 => refuse("it must be in [0.01, 1]"),
        Name::Units | Name::BatchSize if from < 1.0 || from.fract() != 0.0 || to.fract() != 0.0 => {
            refuse("it must be a whole number from 1 on")
        }
        Name::Units | Name::KeepProb if options.network.layers.0.is_empty() => refuse("there are no hidden layers"),
        _ => Ok(()),
    }
}

fn powers_of_two(from: f64, to: f64) -> Result<Vec<String>, Box<dyn Error>> {
    let all = (0..31).map(|power| 1_usize << power);
    let within: Vec<String> =
        all.filter(|&size| (from..=to).contains(&(size as f64))).map(|size| size.to_string()).collect();
    if within.is_empty() {
        return Err(format!("batch_size from {from} to {to}: there is no power of two").into());
    }
    Ok(within)
}
