//! Optimizer updates: by every rule as the formulas say, of many tensors as of one, and whatever the numbers are.

use super::operands::{Length, Numbers, assert_same, results};
use crate::common::optim::{DECAYS, Follow, KINDS, Kind, RATE, Steps};
use crate::common::{Float, sequential_execs};
use arbitrary::Arbitrary;
use roofline::{AdamState, Decay, Exec, OptimizerState, Step};

/// Enough elements that threads share them: see `QUANTUM` of `src/optim/update.rs`.
const FORKING: usize = 3 << 15;

#[derive(Arbitrary, Clone, Debug)]
pub struct Plan {
    double: bool,
    rule: u8,
    decay: u8,
    seed: u64,
    len: Length,
    w: Numbers,
    dw: Numbers,
    /// Where one tensor ends and the next begins, in shares of 255.
    cut: u8,
    clip: Option<u8>,
    steps: u8,
    /// Steps that were taken before.
    taken: u64,
}

impl Plan {
    /// Panics unless results are right.
    pub fn run(&self) {
        if self.double { self.run_as::<f64>() } else { self.run_as::<f32>() }
    }

    fn run_as<T: Float>(&self) {
        let (kind, decay) = self.rule();
        let len = self.len.of(FORKING);
        for exec in sequential_execs() {
            let (steps, len) = (self.steps as usize % 8, len % 100);
            // The oracle may round a parameter to the other side of 0, where the sign jumps.
            let decay = Decay { l1: 0.0, ..decay };
            kind.with_state::<T>(len, decay, Follow { exec, seed: self.seed, steps, len, kind, decay });
        }
        let (w, dw) = (self.w.values::<T>(len), self.dw.values::<T>(len));
        results(self, |exec| {
            let mut results = Vec::new();
            kind.with_state::<T>(len, decay, Whole { plan: self, exec, w: &w, dw: &dw, to: &mut results });
            let cut = len * self.cut as usize / 255;
            let mut halves = Vec::new();
            for (w, dw) in [(&w[..cut], &dw[..cut]), (&w[cut..], &dw[cut..])] {
                kind.with_state::<T>(w.len(), decay, Whole { plan: self, exec, w, dw, to: &mut halves });
            }
            if self.clip.is_none() {
                assert_same(&(self, exec, "in two"), &results, &halves);
            }
            results
        });
        self.check_any_count(&w, &dw);
    }

    fn rule(&self) -> (Kind, Decay) {
        (KINDS[self.rule as usize % KINDS.len()], DECAYS[self.decay as usize % DECAYS.len()])
    }

    /// Adam goes on from any count and moments; parameters without gradient and moments stay.
    fn check_any_count<T: Float>(&self, w: &[T], dw: &[T]) {
        results(self, |exec| {
            let (mut to, mut state) = (w.to_vec(), AdamState::new(w.len()));
            let squares: Vec<T> = dw.iter().map(|&g| g * g).collect();
            state.restore(self.taken, dw, &squares).expect("one length");
            exec.adam(&mut to, dw, &mut state, RATE).expect("one length");
            let (mut stay, zeros) = (w.to_vec(), vec![T::ZERO; w.len()]);
            state.restore(self.taken, &zeros, &zeros).expect("one length");
            exec.adam(&mut stay, &zeros, &mut state, RATE).expect("one length");
            assert_same(&(self, exec, "no gradient"), w, &stay);
            to
        });
    }
}

/// Two updates of one tensor.
struct Whole<'a, T> {
    plan: &'a Plan,
    exec: Exec,
    w: &'a [T],
    dw: &'a [T],
    to: &'a mut Vec<T>,
}

impl<T: Float> Steps<T> for Whole<'_, T> {
    fn take<S: OptimizerState<T>>(self, new: impl Fn() -> S) {
        let (mut w, mut state) = (self.w.to_vec(), new());
        for _ in 0..2 {
            let mut steps = [Step { w: &mut w, dw: self.dw, state: &mut state }];
            match self.plan.clip {
                Some(norm) => {
                    let clipped = self.exec.update_clipped(&mut steps, RATE, f64::from(norm)).expect("one length");
                    let mut dw = self.dw.to_vec();
                    let norm = self.exec.clip_norm(&mut [&mut dw], f64::from(norm)).expect("a norm");
                    assert_same(self.plan, &[clipped], &[norm]);
                }
                None => self.exec.update(&mut steps, RATE).expect("one length"),
            }
        }
        self.to.extend(w);
    }
}
