//! Costs of outputs that do not depend on each other, with any layouts.

use super::operands::{Length, Memory, Numbers, results};
use crate::common::loss::{losses, oracle};
use crate::common::strided::Strided;
use crate::common::{Float, exact_sum};
use arbitrary::Arbitrary;

/// Enough elements that threads share them: see `QUANTUM` of `src/reduce.rs`.
const FORKING: usize = 2 << 17;

#[derive(Arbitrary, Clone, Debug)]
pub struct Plan {
    double: bool,
    of_squares: bool,
    rows: u8,
    cols: Length,
    z: Numbers,
    y: Numbers,
    /// Within [0, 1], as the labels of a sigmoid must be.
    clamped: bool,
    memory: [Memory; 3],
}

impl Plan {
    /// Panics unless results are right, or bad labels are refused.
    pub fn run(&self) {
        if self.double { self.run_as::<f64>() } else { self.run_as::<f32>() }
    }

    fn run_as<T: Float>(&self) {
        let cols = 1 + self.cols.of(FORKING);
        let rows = if self.cols.is_long() { 1 } else { 1 + self.rows as usize % 20 };
        let (name, loss) = losses::<T>()[usize::from(self.of_squares)];
        let z = self.z.matrix::<T>(&self.memory[0], rows, cols);
        let mut y = self.y.matrix::<T>(&self.memory[1], rows, cols);
        if self.clamped {
            for (i, j) in (0..rows).flat_map(|i| (0..cols).map(move |j| (i, j))) {
                y.set(i, j, T::from_f64(y.get(i, j).to_f64().clamp(0.0, 1.0)));
            }
        }
        let is_label = |y: &T| (0.0..=1.0).contains(&y.to_f64());
        let fits = self.of_squares || y.to_vec().iter().all(is_label);
        let found = results(self, |exec| {
            let mut dz = Strided::new(self.memory[2].layout(), rows, cols, |_, _| T::CANARY);
            let cost = loss(&exec, z.view(), y.view(), dz.view_mut());
            assert_eq!(cost.is_ok(), fits, "{self:?}: {cost:?}");
            assert!(dz.gaps_untouched(), "{self:?}");
            dz.to_vec().into_iter().chain(cost.ok().map(T::from_f64)).collect()
        });
        if !fits || !self.z.are_plain() || !self.y.are_plain() {
            return;
        }
        let pairs = z.to_vec().into_iter().zip(y.to_vec());
        let each: Vec<_> = pairs.map(|(z, y)| oracle(name, z.to_f64(), y.to_f64())).collect();
        let expected = exact_sum(&each.iter().map(|each| each.0).collect::<Vec<_>>()) / rows as f64;
        for (exec, found) in found {
            let (dz, cost) = found.split_at(each.len());
            let (cost, u) = (cost[0].to_f64(), T::UNIT_ROUNDOFF);
            assert!((cost - expected).abs() <= 50.0 * u * expected, "{self:?} {exec:?}: {cost} not {expected}");
            for (dz, (_, slope)) in dz.iter().zip(&each) {
                // Numbers are below 10, so differences below 20.
                let error = (dz.to_f64() - slope / rows as f64).abs();
                assert!(error <= 64.0 * u / rows as f64, "{self:?} {exec:?}: {dz} not {slope}/{rows}");
            }
        }
    }
}
