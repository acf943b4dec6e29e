//! Dropout: the masks are those of the generator, and fused forms equal two passes.

use super::operands::{Length, Numbers, assert_same, results};
use crate::common::Float;
use crate::common::dropout::stays;
use arbitrary::Arbitrary;
use roofline::{Activation, Dropout, Exec};

/// Enough elements that threads share them: see `QUANTUM` of `src/dropout.rs`.
const FORKING: usize = 3 << 15;
/// Elements that are compared with the generator.
const CHECKED: usize = 300;

#[derive(Arbitrary, Clone, Debug)]
pub struct Plan {
    double: bool,
    /// In multiples of 2⁻¹⁶; 0 is refused.
    keep: u16,
    keep_all: bool,
    seed: u64,
    step: u64,
    activation: u8,
    len: Length,
    x: Numbers,
    dy: Numbers,
}

impl Plan {
    /// Panics unless results are right.
    pub fn run(&self) {
        if self.double { self.run_as::<f64>() } else { self.run_as::<f32>() }
    }

    fn run_as<T: Float>(&self) {
        let keep_prob = if self.keep_all { 1.0 } else { f64::from(self.keep) / 65536.0 };
        let dropout = Dropout { keep_prob, seed: self.seed, step: self.step };
        let len = self.len.of(FORKING);
        let (x, dy) = (self.x.values::<T>(len), self.dy.values::<T>(len));
        if keep_prob == 0.0 {
            let mut y = x.clone();
            assert!(Exec::sequential().dropout_inplace(dropout, &mut y).is_err());
            return assert_same(self, &x, &y);
        }
        let found = results(self, |exec| {
            let (mut y, mut in_place) = (vec![T::CANARY; len], x.clone());
            exec.dropout(dropout, &x, &mut y).expect("one length");
            exec.dropout_inplace(dropout, &mut in_place).expect("a probability");
            assert_same(&(self, exec, "in place"), &y, &in_place);
            y
        });
        let scale = T::from_f64(1.0 / keep_prob);
        let expected = (0..len).take(CHECKED).map(|i| if stays(dropout, i as u64) { x[i] * scale } else { T::ZERO });
        assert_same(self, &expected.collect::<Vec<_>>(), &found[0].1[..len.min(CHECKED)]);
        results(self, |exec| self.fused(exec, dropout, &x, &dy));
    }

    /// With an activation, forward and backward: the bits of two passes.
    fn fused<T: Float>(&self, exec: Exec, dropout: Dropout, z: &[T], dy: &[T]) -> Vec<T> {
        let activation = Activation::ALL[self.activation as usize % Activation::ALL.len()];
        let (mut y, mut beside, mut passes) = (z.to_vec(), vec![T::CANARY; z.len()], z.to_vec());
        exec.activation_dropout_inplace(activation, dropout, &mut y).expect("a probability");
        exec.activation_dropout(activation, dropout, z, &mut beside).expect("one length");
        exec.activation_inplace(activation, &mut passes).expect("it has no errors");
        exec.dropout_inplace(dropout, &mut passes).expect("a probability");
        assert_same(&(self, exec, "two passes"), &y, &passes);
        assert_same(&(self, exec, "beside z"), &y, &beside);
        let (mut dz, mut passes, mut from_output) = (dy.to_vec(), dy.to_vec(), dy.to_vec());
        exec.activation_dropout_grad_inplace(activation, dropout, z, &mut dz).expect("one length");
        exec.activation_grad_inplace(activation, z, &mut passes).expect("one length");
        exec.dropout_inplace(dropout, &mut passes).expect("a probability");
        assert_same(&(self, exec, "two passes back"), &dz, &passes);
        let result = exec.activation_dropout_grad_from_output_inplace(activation, dropout, &y, &mut from_output);
        assert_eq!(result.is_ok(), activation.output_determines_gradient());
        [y, dz, from_output].concat()
    }
}
