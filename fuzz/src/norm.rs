//! Normalisations and their gradients, with any layouts; statistics.

use super::operands::{Length, Memory, Numbers, assert_nan, assert_same, results};
use crate::common::norm::{Case, Norm};
use crate::common::strided::Strided;
use crate::common::{Float, Rng, sequential_execs};
use arbitrary::Arbitrary;
use roofline::{Exec, Mat, RunningStatistics};

/// Enough elements that threads share them: see `QUANTUM` of `src/columns.rs`.
const FORKING: usize = 3 << 16;

#[derive(Arbitrary, Clone, Debug)]
pub struct Plan {
    double: bool,
    of_rows: bool,
    rows: Length,
    cols: u8,
    seed: u64,
    x: Numbers,
    /// Times a thousand: what the numbers have in common.
    centre: u8,
    memory: [Memory; 2],
}

impl Plan {
    /// Panics unless results are right.
    pub fn run(&self) {
        if self.double { self.run_as::<f64>() } else { self.run_as::<f32>() }
    }

    fn run_as<T: Float>(&self) {
        let cols = 1 + self.cols as usize % 150;
        let rows = 1 + if self.rows.is_long() { FORKING / cols } else { self.rows.of(0) % 100 };
        let norm = if self.of_rows { Norm::Layer } else { Norm::Batch };
        let centre = 1000.0 * f64::from(self.centre % 4);
        let mut case = Case::<T>::new(norm, (rows, cols), centre, &mut Rng::new(self.seed));
        if self.x.are_plain() {
            if rows * cols < 4000 {
                sequential_execs().iter().for_each(|exec| case.check(exec, &case.run(exec)));
            }
        } else {
            let x = self.x.values::<T>(rows * cols);
            case.x.as_mut_slice().copy_from_slice(&x);
        }
        let found = results(self, |exec| self.forward_and_backward(&case, exec));
        // What is not finite makes its row or column NaN, where the variance does not overflow.
        let x = case.x.as_slice();
        let is_bad = |at: usize| !x[at].to_f64().is_finite();
        let is_tame = x.iter().all(|x| x.to_f64().abs() < 1e15 || !x.to_f64().is_finite());
        if is_tame {
            let group = |at: usize| if self.of_rows { at / cols } else { at % cols };
            let mut bad = vec![false; if self.of_rows { rows } else { cols }];
            (0..x.len()).filter(|&at| is_bad(at)).for_each(|at| bad[group(at)] = true);
            assert_nan(self, &found[0].1[..x.len()], |at| bad[group(at)]);
        }
        self.check_statistics(&case.x);
    }

    /// y, dx and the gradients of γ and β, in the layouts of the plan.
    fn forward_and_backward<T: Float>(&self, case: &Case<T>, exec: Exec) -> Vec<T> {
        let (rows, cols) = (case.x.rows(), case.x.cols());
        let [from, to] = [0, 1].map(|at| self.memory[at].layout());
        let copy = |x: &Mat<T>| Strided::new(from, rows, cols, |i, j| x.as_slice()[i * cols + j]);
        let (x, dy) = (copy(&case.x), copy(&case.dy));
        let [mut y, mut dx] = [(); 2].map(|()| Strided::new(to, rows, cols, |_, _| T::CANARY));
        let found = case.run_on(&exec, (x.view(), dy.view()), y.view_mut(), dx.view_mut());
        assert!(y.gaps_untouched() && dx.gaps_untouched(), "{self:?}");
        [y.to_vec(), dx.to_vec(), found.statistics.mean, found.statistics.variance, found.dgamma, found.dbeta].concat()
    }

    /// In place is the same, and running statistics of one batch are its own, of any number of batches finite.
    fn check_statistics<T: Float>(&self, x: &Mat<T>) {
        let (rows, cols) = (x.rows(), x.cols());
        results(self, |exec| {
            let statistics = exec.statistics(x.as_ref()).expect("there are rows");
            let (mut y, mut in_place) = (vec![T::CANARY; rows * cols], x.clone());
            let to = roofline::MatMut::from_slice(&mut y, rows, cols).expect("it fits");
            exec.standardize(&statistics, x.as_ref(), to).expect("one shape");
            exec.standardize_inplace(&statistics, in_place.as_mut()).expect("one shape");
            assert_same(&(self, exec, "in place"), &y, in_place.as_slice());
            [y, statistics.mean, statistics.variance].concat()
        });
        let statistics = Exec::sequential().statistics(x.as_ref()).expect("there are rows");
        let mut running = RunningStatistics::new(cols, f64::from(self.cols) / 256.0).expect("it is below 1");
        running.steps = u64::MAX - u64::from(self.centre) % 2;
        let taken = (0..2).all(|_| running.update(&statistics, rows).is_ok());
        assert_eq!(taken, rows > 1, "{self:?}");
        assert_eq!(running.statistics().expect("there were batches").mean.len(), cols);
    }
}
