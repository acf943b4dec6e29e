//! A run that was saved and loaded goes on with the bits of the one that was not.

use super::{data, network, small};
use roofline::nn::checkpoint::{Checkpoint, CheckpointError, Plan, Position};
use roofline::nn::{
    Dataset, ExponentialAverage, MiniBatches, Mlp, Normalization, Optimizer, Penalty, Progress, Rule, Schedule,
};
use roofline::{Activation, Decay, Element, Exec, Mat, RunningStatistics};

const EPOCHS: u64 = 4;
const BATCHES: u64 = 5;
const STEPS: u64 = EPOCHS * BATCHES;

/// Everything that changes while a run goes.
struct Run<'a, T: Element> {
    net: Mlp<T>,
    optimizer: Optimizer<T>,
    batches: MiniBatches<'a, T>,
    average: ExponentialAverage,
    plan: Plan,
    epoch: u64,
    costs: Vec<f64>,
}

impl<'a, T: Element> Run<'a, T> {
    fn new(data: &'a Dataset<T>, optimizer: Optimizer<T>, penalty: Penalty, schedule: Schedule) -> Self {
        let mut batches = MiniBatches::new(data, 5).unwrap();
        batches.shuffle(11, 0);
        Self {
            net: network(penalty),
            plan: Plan { schedule, learning_rate: optimizer.learning_rate, total_steps: STEPS },
            optimizer,
            batches,
            average: ExponentialAverage::new(0.9).unwrap(),
            epoch: 0,
            costs: Vec::new(),
        }
    }

    fn step(&mut self) {
        if self.batches.position() == self.batches.count() {
            self.epoch += 1;
            self.batches.shuffle(11, self.epoch);
        }
        let progress = Progress::at(self.net.steps() + 1, BATCHES, EPOCHS);
        self.optimizer.learning_rate = self.plan.schedule.learning_rate(self.plan.learning_rate, progress).unwrap();
        let batch = self.batches.next_batch().unwrap();
        self.net.forward(batch.x).unwrap();
        let cost = self.net.backward(batch.x, batch.y).unwrap();
        self.net.update(&mut self.optimizer).unwrap();
        self.average.add(cost);
        self.costs.push(cost);
    }

    fn save(&self, normalization: &Normalization<T>) -> Vec<u8> {
        let mut checkpoint = Checkpoint::of(&self.net, Some(&self.optimizer)).unwrap();
        checkpoint.plan = Some(self.plan);
        checkpoint.position = Some(Position::of(&self.batches, 11, self.epoch));
        checkpoint.normalization = Some(normalization.clone());
        checkpoint.average = Some(self.average);
        checkpoint.to_bytes().unwrap()
    }

    fn load(data: &'a Dataset<T>, checkpoint: &Checkpoint<T>) -> Self {
        let (mut batches, position) = (MiniBatches::new(data, 5).unwrap(), checkpoint.position.unwrap());
        position.seek(&mut batches).unwrap();
        Self {
            net: checkpoint.network(Exec::sequential()).unwrap(),
            optimizer: checkpoint.optimizer().unwrap(),
            batches,
            average: checkpoint.average.unwrap(),
            plan: checkpoint.plan.unwrap(),
            epoch: position.epoch,
            costs: Vec::new(),
        }
    }

    /// The bits of all numbers that the run remembers.
    fn bits(&self) -> Vec<u64> {
        let mut bits: Vec<u64> = self.net.parameters().iter().map(|x| x.to_f64().to_bits()).collect();
        for (_, moment) in self.optimizer.moments() {
            bits.extend(moment.iter().map(|x| x.to_f64().to_bits()));
        }
        let RunningStatistics { mean, variance, beta, steps } = self.net.running_statistics(0).unwrap();
        bits.extend(mean.iter().chain(variance).map(|x| x.to_f64().to_bits()));
        bits.extend([beta.to_bits(), *steps, self.net.steps(), self.optimizer.steps()]);
        bits.extend([self.average.v().to_bits(), self.average.count(), self.optimizer.learning_rate.to_bits()]);
        bits
    }
}

/// Trains to the end, saved after `cut` steps and not saved.
fn goes_on<T: Element>(optimizer: &Optimizer<T>, penalty: Penalty, schedule: Schedule, cut: u64) {
    let mut set = data::<T>();
    let fitted = Normalization::fit(&Exec::sequential(), &set).unwrap();
    fitted.apply(&mut set).unwrap();
    let mut run = Run::new(&set, optimizer.clone(), penalty, schedule);
    (0..cut).for_each(|_| run.step());
    let bytes = run.save(&fitted);
    let at_cut = run.bits();

    let checkpoint = Checkpoint::<T>::from_bytes(&bytes).unwrap();
    assert_eq!(checkpoint.to_bytes().unwrap(), bytes, "the same checkpoint, the same bytes");
    let mut again = data::<T>();
    checkpoint.normalization.as_ref().unwrap().apply(&mut again).unwrap();
    assert_eq!(set.x().get(3, 1), again.x().get(3, 1));
    let mut resumed = Run::load(&again, &checkpoint);
    assert_eq!(resumed.bits(), at_cut);

    run.costs.clear();
    for _ in cut..STEPS {
        run.step();
        resumed.step();
    }
    let name = format!("{} {penalty:?} {schedule} {cut}", optimizer.rule());
    let costs = |run: &Run<'_, T>| run.costs.iter().map(|cost| cost.to_bits()).collect::<Vec<_>>();
    assert_eq!(costs(&run), costs(&resumed), "{name}");
    assert_eq!(run.bits(), resumed.bits(), "{name}");
    assert_ne!(run.bits(), at_cut, "{name}");
}

/// Every rule in all its forms, each with another penalty, schedule, decay and place of the cut.
fn every_rule_goes_on<T: Element>() {
    let rules = [
        "sgd",
        "momentum:form=average",
        "momentum:beta=0.5:form=classic",
        "nesterov",
        "rmsprop:place=outside",
        "rmsprop:beta=0.99:place=inside",
        "adam",
        "adam:beta2=0.99:epsilon=1e-7:place=inside",
    ];
    let schedules: [Schedule; 3] =
        ["cosine:warmup=3:floor=0.1", "inverse:0.5", "staircase:0.5:1"].map(|s| s.parse().unwrap());
    for (i, rule) in rules.into_iter().enumerate() {
        let mut optimizer = Optimizer::<T>::new(rule.parse().unwrap(), 0.03);
        match i % 3 {
            0 => optimizer.clip_norm = Some(0.4),
            1 => optimizer.decay = Decay { l1: 1e-3, l2: 0.1 + 0.2, decoupled: 0.01 },
            _ => {}
        }
        let penalty = [Penalty::L2(0.3), Penalty::L1(0.1 + 0.2), Penalty::None][i % 3];
        // The middle of an epoch, its end, and before the first step.
        for cut in [7, 10, 0] {
            goes_on(&optimizer, penalty, schedules[(i + 1) % 3], cut);
        }
    }
}

#[test]
fn every_rule_goes_on_in_f32() {
    every_rule_goes_on::<f32>();
}

#[test]
fn every_rule_goes_on_in_f64() {
    every_rule_goes_on::<f64>();
}

/// That the comparison sees what is not brought back: each of the parts matters.
#[test]
fn each_part_of_a_run_matters() {
    let set = data::<f64>();
    let fitted = Normalization::fit(&Exec::sequential(), &set).unwrap();
    let mut run = Run::new(&set, Optimizer::adam(0.03), Penalty::L2(0.3), "exponential:0.9".parse().unwrap());
    (0..7).for_each(|_| run.step());
    let checkpoint = Checkpoint::<f64>::from_bytes(&run.save(&fitted)).unwrap();
    let end = |change: &dyn Fn(&mut Run<'_, f64>)| {
        let mut run = Run::load(&set, &checkpoint);
        change(&mut run);
        (7..STEPS).for_each(|_| run.step());
        run.bits()
    };
    let right = end(&|_| {});
    assert_eq!(right, end(&|_| {}));
    type Change<'a> = &'a dyn Fn(&mut Run<'_, f64>);
    let changes: [Change<'_>; 6] = [
        &|run| run.net.set_steps(6),
        &|run| run.optimizer = Optimizer::adam(0.03),
        &|run| run.batches.seek(1).unwrap(),
        &|run| run.batches.shuffle(11, 0),
        &|run| run.net.set_running_statistics(0, RunningStatistics::new(6, 0.9).unwrap()).unwrap(),
        &|run| run.average = ExponentialAverage::new(0.9).unwrap(),
    ];
    for (i, change) in changes.into_iter().enumerate() {
        assert_ne!(right, end(change), "change {i}");
    }
}

#[test]
fn everything_that_was_put_in_comes_out() {
    let mut checkpoint = small::<f64>(Rule::adam());
    checkpoint.configuration.insert("an \"odd\"\u{0} key".into(), String::new());
    let again = Checkpoint::<f64>::from_bytes(&checkpoint.to_bytes().unwrap()).unwrap();
    assert_eq!(again.architecture(), checkpoint.architecture());
    assert_eq!((again.plan, again.position), (checkpoint.plan, checkpoint.position));
    assert_eq!((again.average, again.steps()), (checkpoint.average, 2));
    assert_eq!((&again.classes, &again.configuration), (&checkpoint.classes, &checkpoint.configuration));
    let (found, put) = (again.normalization.as_ref().unwrap(), checkpoint.normalization.as_ref().unwrap());
    assert_eq!((found.mean(), found.variance()), (put.mean(), put.variance()));
    let (found, put) = (again.optimizer().unwrap(), checkpoint.optimizer().unwrap());
    assert_eq!((found.rule(), found.clip_norm, found.decay), (put.rule(), put.clip_norm, put.decay));
}

/// A network without what has a state, and without an optimizer: each output, each activation.
#[test]
fn a_model_predicts_the_same() {
    let x = Mat::from_fn(9, 3, |i, j| (i * 3 + j) as f32 * 0.1 - 1.2);
    for (i, activation) in Activation::ALL.into_iter().enumerate() {
        let builder = Mlp::<f32>::builder(3).dense(5, activation).dense(17, activation).seed(i as u64);
        let mut net = match i % 3 {
            0 => builder.softmax(3),
            1 => builder.sigmoid(1),
            _ => builder.linear(4),
        }
        .build()
        .unwrap();
        let mut checkpoint = Checkpoint::of(&net, None).unwrap();
        if i % 3 == 1 {
            checkpoint.classes = vec!["no".into(), "yes".into()];
        }
        let checkpoint = Checkpoint::<f32>::from_bytes(&checkpoint.to_bytes().unwrap()).unwrap();
        assert!(checkpoint.optimizer().is_none() && checkpoint.position.is_none() && checkpoint.average.is_none());
        let mut again = checkpoint.network(Exec::sequential()).unwrap();
        assert_eq!(again.to_string(), net.to_string());
        let expected = net.predict(x.as_ref()).unwrap();
        let found = again.predict(x.as_ref()).unwrap();
        assert!((0..9).all(|i| expected.get(i, 0) == found.get(i, 0)), "{activation}");
    }
}

#[test]
fn another_network_or_another_batch_size_is_not_continued() {
    let checkpoint = small::<f64>(Rule::momentum());
    let builder = || Mlp::<f64>::builder(3).dense(2, Activation::Tanh).batch_norm().dropout(0.5);
    let refused = |net: roofline::nn::MlpBuilder<f64>| {
        let mut net = net.build().unwrap();
        let before = net.parameters().to_vec();
        let error = checkpoint.restore(&mut net).unwrap_err().to_string();
        assert_eq!((net.parameters(), net.steps()), (&before[..], 0));
        error
    };
    let (penalty, seed) = (Penalty::L2(0.25), 7);
    assert_eq!(
        refused(builder().dense(4, Activation::Relu).softmax(2).penalty(penalty).seed(seed)),
        "the checkpoint is of another network: expected 3 → 2 batch_norm tanh dropout(0.5) → 4 relu → 2 softmax, found \
         3 → 2 batch_norm tanh dropout(0.5) → 2 softmax"
    );
    assert_eq!(
        refused(builder().softmax(2).seed(seed)),
        "the checkpoint is of another penalty: expected None, found L2(0.25)"
    );
    assert_eq!(
        refused(builder().softmax(2).penalty(penalty)),
        "the checkpoint is of another seed: expected 0, found 7"
    );
    let mut same = builder().softmax(2).penalty(penalty).seed(seed).build().unwrap();
    checkpoint.restore(&mut same).unwrap();
    assert_eq!(same.steps(), 2);
    assert_eq!(same.parameters(), checkpoint.network(Exec::sequential()).unwrap().parameters());

    let data = data::<f64>();
    let mut batches = MiniBatches::new(&data, 6).unwrap();
    let error = checkpoint.position.unwrap().seek(&mut batches).unwrap_err();
    assert!(matches!(error, CheckpointError::Mismatch { what: "mini-batch size", .. }), "{error}");
    assert_eq!(batches.position(), 0);
}
