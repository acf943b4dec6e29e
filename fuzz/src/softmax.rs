//! Softmax and cross-entropy of any matrix, with any layouts, in place and not.

use super::operands::{Length, Memory, Numbers, assert_nan, assert_same, results};
use crate::common::softmax::{check, cross_entropy, epsilon, weights};
use crate::common::strided::Strided;
use crate::common::{Float, sequential_execs};
use arbitrary::Arbitrary;
use roofline::{Exec, MatMut, MatRef, Targets};

/// Enough columns that a row is cut into chunks, which threads share: see `LONG` of `src/kernels/softmax/long.rs`.
const LONG: usize = 3 << 14;

#[derive(Arbitrary, Clone, Debug)]
pub struct Plan {
    double: bool,
    rows: u8,
    cols: Length,
    z: Numbers,
    other: Numbers,
    memory: [Memory; 3],
    call: Call,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Call {
    Softmax,
    LogSoftmax,
    SoftmaxGrad,
    LogSoftmaxGrad,
    Labels,
    Smoothed(u8),
    Probabilities,
}

impl Plan {
    /// Panics unless results are right.
    pub fn run(&self) {
        if self.double { self.run_as::<f64>() } else { self.run_as::<f32>() }
    }

    fn run_as<T: Float>(&self) {
        let cols = 1 + self.cols.of(LONG);
        let rows = if self.cols.is_long() { 1 + self.rows as usize % 2 } else { 1 + self.rows as usize % 20 };
        let z = self.z.matrix::<T>(&self.memory[0], rows, cols);
        let other = self.other.matrix::<T>(&self.memory[1], rows, cols);
        let labels: Box<[usize]> = (0..rows).map(|i| (7 * i + self.rows as usize) % cols).collect();
        let found = results(self, |exec| self.call(exec, &z, &other, &labels));
        match self.call {
            Call::Softmax | Call::LogSoftmax => self.check_rows(&found[0].1, &z),
            Call::Labels | Call::Smoothed(_) if self.z.are_plain() => {
                for (_, found) in &found {
                    self.check_cost(found, &z, &weights(self.targets(&labels, &other), rows, cols));
                }
            }
            _ => {}
        }
    }

    fn targets<'a, T: Float>(&self, labels: &'a [usize], other: &'a Strided<T>) -> Targets<'a, T> {
        match self.call {
            Call::Labels => Targets::Labels(labels),
            Call::Smoothed(share) => Targets::Smoothed { labels, smoothing: f64::from(share) / 255.0 },
            _ => Targets::Probabilities(other.view()),
        }
    }

    /// The result row after row, then the loss if there is one, in two numbers; in place it is the same.
    fn call<T: Float>(&self, exec: Exec, z: &Strided<T>, other: &Strided<T>, labels: &[usize]) -> Vec<T> {
        type Function<T> = fn(&Exec, MatRef<'_, T>, MatRef<'_, T>, MatMut<'_, T>) -> Result<(), roofline::Error>;
        let plain: Function<T> = match self.call {
            Call::Softmax => |exec, z, _, y| exec.softmax(z, y),
            Call::LogSoftmax => |exec, z, _, y| exec.log_softmax(z, y),
            Call::SoftmaxGrad => |exec, z, other, y| exec.softmax_grad(z, other, y),
            Call::LogSoftmaxGrad => |exec, z, other, y| exec.log_softmax_grad(z, other, y),
            _ => return self.cross_entropy(exec, z, self.targets(labels, other)),
        };
        let mut y = Strided::new(self.memory[2].layout(), z.rows, z.cols, |_, _| T::CANARY);
        plain(&exec, z.view(), other.view(), y.view_mut()).expect("one shape");
        assert!(y.gaps_untouched(), "{self:?}");
        let mut in_place = z.clone();
        match self.call {
            Call::Softmax => exec.softmax_inplace(in_place.view_mut()).expect("there are columns"),
            Call::LogSoftmax => exec.log_softmax_inplace(in_place.view_mut()).expect("there are columns"),
            _ => return y.to_vec(),
        }
        assert_same(&(self, exec, "in place"), &y.to_vec(), &in_place.to_vec());
        assert!(in_place.gaps_untouched(), "{self:?}");
        y.to_vec()
    }

    fn cross_entropy<T: Float>(&self, exec: Exec, z: &Strided<T>, targets: Targets<'_, T>) -> Vec<T> {
        let mut dz = Strided::new(self.memory[2].layout(), z.rows, z.cols, |_, _| T::CANARY);
        let loss = exec.softmax_cross_entropy_with(z.view(), targets, dz.view_mut()).expect("one shape");
        assert!(dz.gaps_untouched(), "{self:?}");
        let mut in_place = z.clone();
        let again = exec.softmax_cross_entropy_inplace(in_place.view_mut(), targets).expect("one shape");
        assert_same(&(self, exec, "loss in place"), &[loss], &[again]);
        assert_same(&(self, exec, "in place"), &dz.to_vec(), &in_place.to_vec());
        assert!(in_place.gaps_untouched(), "{self:?}");
        let mut found = dz.to_vec();
        let rounded = T::from_f64(loss);
        found.extend([rounded, T::from_f64(loss - rounded.to_f64())]);
        found
    }

    /// Rows with NaN or +∞, or of −∞ alone, are NaN, others are not; without special values they match the oracle.
    fn check_rows<T: Float>(&self, found: &[T], z: &Strided<T>) {
        let (values, cols) = (z.to_vec(), z.cols);
        let is_undefined = |row: &[T]| {
            let is_bad = |z: &T| z.to_f64().is_nan() || z.to_f64() == f64::INFINITY;
            row.iter().any(is_bad) || row.iter().all(|z| z.to_f64() == f64::NEG_INFINITY)
        };
        let undefined: Vec<bool> = values.chunks(cols).map(is_undefined).collect();
        assert_nan(self, found, |at| undefined[at / cols]);
        if self.z.are_plain() {
            sequential_execs().iter().for_each(|exec| check(exec, &values, cols));
        }
    }

    /// The loss and the gradient within the bounds of the tests, whose logits are as large.
    fn check_cost<T: Float>(&self, found: &[T], z: &Strided<T>, weights: &[f64]) {
        let (loss, gradient) = cross_entropy(&z.to_vec(), weights, z.cols);
        let (dz, total) = found.split_at(weights.len());
        let error = (total[0].to_f64() - loss).abs();
        assert!(error <= 40.0 * epsilon::<T>() * loss.max(1.0), "{self:?}: loss {} not {loss}", total[0]);
        for (at, (dz, exact)) in dz.iter().zip(gradient).enumerate() {
            let error = (dz.to_f64() - exact).abs();
            assert!(error <= 40.0 * epsilon::<T>() / z.rows as f64, "{self:?}: element {at} is {dz}, not {exact}");
        }
    }
}
