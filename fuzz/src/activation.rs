//! Elementary functions against the oracle, and every way to call an activation against the others.

use super::operands::{Length, Numbers, assert_same, results};
use crate::common::functions::functions;
use crate::common::ulp::ulp;
use crate::common::{Float, has_fma};
use arbitrary::Arbitrary;
use roofline::{Activation, Exec};

/// Enough elements that threads share them: see `QUANTUM` of `src/elementwise.rs`.
const FORKING: usize = 3 << 15;
/// Elements that are compared with the oracle.
const CHECKED: usize = 24;

#[derive(Arbitrary, Clone, Debug)]
pub struct Plan {
    double: bool,
    function: u8,
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
        let len = self.len.of(FORKING);
        let (x, dy) = (self.x.values::<T>(len), self.dy.values::<T>(len));
        self.check_function(&x);
        self.check_ways(&x, &dy);
        self.check_sums(&x, &dy);
    }

    /// An elementary function, or a gradient, within its ULP.
    fn check_function<T: Float>(&self, x: &[T]) {
        let functions = functions::<T>();
        let function = &functions[self.function as usize % functions.len()];
        let run = |exec: Exec| {
            let mut y = vec![T::CANARY; x.len()];
            (function.run)(&exec, x, &mut y).expect("one length");
            y
        };
        let limits = function.limits;
        let exact: Vec<_> = x.iter().take(CHECKED).map(|x| (function.oracle)(x.to_f64())).collect();
        for (exec, y) in results(&(self, function.name), run) {
            let fused = if T::LANES == 16 { limits.f32 } else { limits.f64 };
            let limit = if has_fma(exec.isa()) { fused } else { limits.unfused };
            for ((x, y), &exact) in x.iter().zip(y).zip(&exact) {
                let error = ulp(y, exact, function.floor);
                assert!(error <= limit, "{}({x:e}) = {y:e} on {exec:?}: {error} ULP", function.name);
            }
        }
    }

    /// Out of place, in place, from the output.
    fn check_ways<T: Float>(&self, z: &[T], dy: &[T]) {
        let activation = Activation::ALL[self.activation as usize % Activation::ALL.len()];
        results(&(self, activation), |exec| {
            let (mut y, mut in_place, mut dz) = (vec![T::CANARY; z.len()], z.to_vec(), dy.to_vec());
            exec.activation(activation, z, &mut y).expect("one length");
            exec.activation_inplace(activation, &mut in_place).expect("it has no errors");
            assert_same(&(self, activation, "in place"), &y, &in_place);
            exec.activation_grad_inplace(activation, z, &mut dz).expect("one length");
            let mut from_output = dy.to_vec();
            let result = exec.activation_grad_from_output_inplace(activation, &y, &mut from_output);
            assert_eq!(result.is_ok(), activation.output_determines_gradient());
            [y, dz, from_output].concat()
        });
    }

    /// y + α·x and y + α·sign x, with one rounding each where there is FMA.
    fn check_sums<T: Float>(&self, x: &[T], y: &[T]) {
        let alpha = T::from_f64(-0.75);
        let sums = results(self, |exec| {
            let (mut sum, mut of_signs) = (y.to_vec(), y.to_vec());
            exec.axpy(alpha, x, &mut sum).expect("one length");
            exec.axpy_sign(alpha, x, &mut of_signs).expect("one length");
            [sum, of_signs].concat()
        });
        let of_signs = &sums[0].1[x.len()..];
        for (at, (&x, &y)) in x.iter().zip(y).enumerate().take(CHECKED) {
            let sign = if x == T::ZERO || x.to_f64().is_nan() { 0.0 } else { x.to_f64().signum() };
            let exact = T::from_f64(y.to_f64() + alpha.to_f64() * sign);
            let found = of_signs[at];
            assert!(found == exact || found.to_f64().is_nan() && exact.to_f64().is_nan(), "{self:?}: element {at}");
        }
    }
}
