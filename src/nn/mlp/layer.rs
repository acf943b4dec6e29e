//! One layer: where its parameters lie, what a pass keeps of it, and what happens to it forward and backward.
//!
//! ```text
//! forward    Z = A⁽ˡ⁻¹⁾·W        batch norm: U = γ ⊙ Ẑ + β, else U = Z + b       A = dropout(g(U))
//! backward   dU = dropout(dA) ⊙ g′(U)     dZ = batch_norm_grad(dU), else dU     dW = A⁽ˡ⁻¹⁾ᵀ·dZ     dA⁽ˡ⁻¹⁾ = dZ·Wᵀ
//! ```
//!
//! What can follow a product in registers does: bias and activation forward, g′ backward where A tells it. Batch norm and dropout take
//! passes of their own, one each at most; U is kept only where g′ needs it, Z only for batch norm.

use crate::activation::Activation;
use crate::dropout::Dropout;
use crate::element::Element;
use crate::error::Error;
use crate::exec::Exec;
use crate::gemm::Epilogue;
use crate::matrix::{Mat, MatMut, MatRef};
use crate::norm::{Affine, AffineGradient, RunningStatistics, Statistics};
use core::ops::Range;

/// β of the running statistics: about the last ten batches count. PyTorch's default `momentum`, 0.1, is 1 − β.
const RUNNING_BETA: f64 = 0.9;
/// ε of batch norm, as in PyTorch.
const EPSILON: f64 = 1e-5;

/// What a layer is, and where its parameters lie, each on a cache line of its own.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) activation: Activation,
    /// The masks of its activations, but for the step.
    pub(super) dropout: Option<Dropout>,
    pub(super) weights: Range<usize>,
    /// γ of batch norm.
    pub(super) gamma: Option<Range<usize>>,
    /// b; with batch norm β, in whose sum b would vanish with the mean.
    pub(super) bias: Range<usize>,
}

/// What all layers of a pass share.
#[derive(Clone, Copy)]
pub(super) struct Pass<'a, T> {
    pub(super) exec: &'a Exec,
    pub(super) parameters: &'a [T],
    /// Which masks dropout takes; `None` for inference.
    pub(super) step: Option<u64>,
}

/// What a pass keeps of a layer.
#[derive(Clone, Debug)]
pub(super) struct Trace<T> {
    /// A⁽ˡ⁾; logits in the last layer.
    pub(super) a: Mat<T>,
    /// dZ⁽ˡ⁾.
    pub(super) dz: Mat<T>,
    /// U⁽ˡ⁾, where A does not tell g′.
    u: Mat<T>,
    /// Z⁽ˡ⁾ before batch norm.
    z: Mat<T>,
    pub(super) norm: Option<Norm<T>>,
}

/// Statistics of batch norm.
#[derive(Clone, Debug)]
pub(super) struct Norm<T> {
    batch: Statistics<T>,
    pub(super) running: RunningStatistics<T>,
    /// Those that inference uses.
    fixed: Statistics<T>,
}

impl<T: Element> Norm<T> {
    fn new(units: usize) -> Result<Self, Error> {
        let running = RunningStatistics::new(units, RUNNING_BETA)?;
        Ok(Self { batch: Statistics::new(units), running, fixed: Statistics::new(units) })
    }

    /// Makes ready for inference: means 0 and variances 1 before the first batch.
    pub(super) fn fix(&mut self) -> Result<(), Error> {
        if self.running.steps > 0 {
            return self.running.statistics_to(&mut self.fixed);
        }
        self.fixed.mean.fill(T::ZERO);
        self.fixed.variance.fill(T::ONE);
        Ok(())
    }
}

impl<T: Element> Trace<T> {
    pub(super) fn new(layer: &Layer) -> Result<Self, Error> {
        let empty = || Mat::zeros(0, layer.outputs);
        let norm = layer.gamma.is_some().then(|| Norm::new(layer.outputs)).transpose()?;
        Ok(Self { a: empty(), dz: empty(), u: empty(), z: empty(), norm })
    }

    /// Makes room for `m` examples; allocates only where no batch was as large.
    pub(super) fn reserve(&mut self, layer: &Layer, m: usize) {
        if self.a.rows() >= m {
            return;
        }
        let new = || Mat::zeros(m, layer.outputs);
        (self.a, self.dz) = (new(), new());
        if layer.keeps_input() {
            self.u = new();
        }
        if layer.gamma.is_some() {
            self.z = new();
        }
    }
}

impl Layer {
    /// The weights from `start` on, then γ, then the bias or β.
    pub(super) fn new<T: Element>(
        (inputs, outputs): (usize, usize),
        activation: Activation,
        batch_norm: bool,
        start: usize,
    ) -> Result<Self, Error> {
        let overflow = Error::Overflow { rows: inputs, cols: outputs, row_stride: isize::MAX, col_stride: 1 };
        let fits = |&count: &usize| count < (isize::MAX as usize / 64).saturating_sub(start);
        let count = inputs.checked_mul(outputs).filter(fits).ok_or(overflow)?;
        let after = |end: usize| end.next_multiple_of(T::LANES);
        let from = after(start + count);
        let gamma = batch_norm.then_some(from..from + outputs);
        let from = gamma.as_ref().map_or(from, |gamma| after(gamma.end));
        let (weights, bias) = (start..start + count, from..from + outputs);
        Ok(Self { inputs, outputs, activation, dropout: None, weights, gamma, bias })
    }

    /// W, whose transpose is stored.
    pub(super) fn w<'a, T: Element>(&self, parameters: &'a [T]) -> Result<MatRef<'a, T>, Error> {
        Ok(MatRef::from_slice(&parameters[self.weights.clone()], self.outputs, self.inputs)?.t())
    }

    /// Whether g′ needs U.
    fn keeps_input(&self) -> bool {
        !self.activation.output_determines_gradient()
    }

    fn affine<'a, T>(&self, gamma: &Range<usize>, parameters: &'a [T]) -> Affine<'a, T> {
        Affine { gamma: &parameters[gamma.clone()], beta: &parameters[self.bias.clone()], epsilon: EPSILON }
    }

    /// The mask of a pass.
    fn mask(&self, step: Option<u64>) -> Option<Dropout> {
        Some(Dropout { step: step?, ..self.dropout? })
    }

    /// A⁽ˡ⁾ from A⁽ˡ⁻¹⁾.
    pub(super) fn forward<T: Element>(
        &self,
        pass: Pass<'_, T>,
        input: MatRef<'_, T>,
        trace: &mut Trace<T>,
    ) -> Result<(), Error> {
        let Pass { exec, parameters, step } = pass;
        let (m, w, mask) = (input.rows(), self.w(parameters)?, self.mask(step));
        let (activation, keeps_input) = (self.activation, step.is_some() && self.keeps_input());
        let bias = Some(&parameters[self.bias.clone()]);
        if trace.norm.is_none() && mask.is_none() && !keeps_input {
            let epilogue = Epilogue { bias, activation, ..Epilogue::default() };
            return exec.gemm_with(T::ONE, input, w, T::ZERO, rows_mut(&mut trace.a, m)?, epilogue);
        }
        let Trace { a, u, z, norm, .. } = trace;
        let to = rows_mut(if keeps_input { u } else { a }, m)?;
        match (norm, &self.gamma) {
            (Some(norm), Some(gamma)) => {
                exec.gemm(T::ONE, input, w, T::ZERO, rows_mut(z, m)?)?;
                let affine = self.affine(gamma, parameters);
                match step {
                    Some(_) => exec.batch_norm(rows(z, m)?, affine, &mut norm.batch, to)?,
                    None => exec.batch_norm_inference(rows(z, m)?, affine, &norm.fixed, to)?,
                }
            }
            _ => exec.gemm_with(T::ONE, input, w, T::ZERO, to, Epilogue { bias, ..Epilogue::default() })?,
        }
        let count = m * self.outputs;
        let (u, a) = (&trace.u.as_slice()[..if keeps_input { count } else { 0 }], &mut trace.a.as_mut_slice()[..count]);
        match (keeps_input, mask) {
            (true, None) => exec.activation(activation, u, a),
            (true, Some(mask)) => exec.activation_dropout(activation, mask, u, a),
            (false, None) if activation == Activation::Identity => Ok(()),
            (false, None) => exec.activation_inplace(activation, a),
            (false, Some(mask)) => exec.activation_dropout_inplace(activation, mask, a),
        }
    }

    /// Takes the statistics of the last batch of m examples into the running ones.
    pub(super) fn update_running<T: Element>(&self, trace: &mut Trace<T>, m: usize) -> Result<(), Error> {
        trace.norm.as_mut().map_or(Ok(()), |norm| norm.running.update(&norm.batch, m))
    }

    /// dW⁽ˡ⁾ and, without batch norm, db⁽ˡ⁾, from dZ⁽ˡ⁾.
    pub(super) fn weight_gradients<T: Element>(
        &self,
        exec: &Exec,
        input: MatRef<'_, T>,
        dz: &Mat<T>,
        gradients: &mut [T],
    ) -> Result<(), Error> {
        let dz = rows(dz, input.rows())?;
        let (dw, db) = gradients[..self.bias.end].split_at_mut(self.bias.start);
        let dw = MatMut::from_slice(&mut dw[self.weights.clone()], self.outputs, self.inputs)?.t();
        match self.gamma {
            None => exec.gemm_column_sums(T::ONE, input.t(), dz, T::ZERO, dw, db),
            Some(_) => exec.gemm(T::ONE, input.t(), dz, T::ZERO, dw),
        }
    }

    /// dZ⁽ˡ⁾, with batch norm dγ and dβ too, from dZ⁽ˡ⁺¹⁾ and W⁽ˡ⁺¹⁾. `du` is memory for dU before batch norm.
    pub(super) fn backward<T: Element>(
        &self,
        pass: Pass<'_, T>,
        (dz_above, w_above): (MatRef<'_, T>, MatRef<'_, T>),
        trace: &mut Trace<T>,
        du: &mut Mat<T>,
        gradients: &mut [T],
    ) -> Result<(), Error> {
        let Pass { exec, parameters, step } = pass;
        let (m, n, activation, mask) = (dz_above.rows(), self.outputs, self.activation, self.mask(step));
        let Trace { a, dz, u, z, norm } = trace;
        let to = &mut (if norm.is_some() { &mut *du } else { &mut *dz }).as_mut_slice()[..m * n];
        let is_fused = mask.is_none() && !self.keeps_input() && activation != Activation::Identity;
        let gradient = if is_fused { Some((activation, rows(a, m)?)) } else { None };
        let da = MatMut::from_slice(to, m, n)?;
        exec.gemm_with(T::ONE, dz_above, w_above.t(), T::ZERO, da, Epilogue { gradient, ..Epilogue::default() })?;
        match (self.keeps_input(), mask) {
            (false, None) => {}
            (false, Some(mask)) => {
                exec.activation_dropout_grad_from_output_inplace(activation, mask, &a.as_slice()[..m * n], to)?;
            }
            (true, None) => exec.activation_grad_inplace(activation, &u.as_slice()[..m * n], to)?,
            (true, Some(mask)) => {
                exec.activation_dropout_grad_inplace(activation, mask, &u.as_slice()[..m * n], to)?;
            }
        }
        let (Some(norm), Some(gamma)) = (norm, &self.gamma) else { return Ok(()) };
        let (before, beta) = gradients[..self.bias.end].split_at_mut(self.bias.start);
        let gradient = AffineGradient { gamma: &mut before[gamma.clone()], beta };
        let pair = (rows(z, m)?, MatRef::from_slice(du.as_slice(), m, n)?);
        exec.batch_norm_grad(pair, self.affine(gamma, parameters), &norm.batch, rows_mut(dz, m)?, gradient)
    }
}

pub(super) fn rows<T: Element>(mat: &Mat<T>, m: usize) -> Result<MatRef<'_, T>, Error> {
    mat.as_ref().row_range(0, m)
}

pub(super) fn rows_mut<T: Element>(mat: &mut Mat<T>, m: usize) -> Result<MatMut<'_, T>, Error> {
    mat.as_mut().row_range(0, m)
}
