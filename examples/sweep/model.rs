//! The roofline model of a training step.

use roofline::Exec;
use roofline::nn::{Mlp, Rule};

/// What a step has to do, at least.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Model {
    pub(crate) flops: f64,
    pub(crate) bytes: f64,
    /// At which the working set is read, in GB/s.
    pub(crate) bandwidth: f64,
}

impl Model {
    /// Of mini-batches of `size`. Measures the bandwidth for its working set.
    pub(crate) fn of(net: &Mlp<f32>, rule: Rule, size: usize, exec: &Exec) -> Self {
        let tensors = net.tensors();
        let parameters: usize = tensors.iter().map(|tensor| tensor.range.len()).sum();
        let first = tensors.first().map_or(0, |tensor| tensor.range.len());
        let units: usize = tensors.iter().filter(|tensor| tensor.shape.len() == 2).map(|tensor| tensor.shape[0]).sum();
        let moments = match rule {
            Rule::Sgd => 0,
            Rule::Momentum { .. } | Rule::RmsProp { .. } => 1,
            Rule::Adam { .. } => 2,
        };
        let touched = parameters * (6 + 2 * moments) - first + size * (4 * net.inputs() + 6 * units);
        // Held at the same time: parameters, gradients, moments; inputs, activations and their gradients.
        let held = parameters * (2 + moments) + size * (net.inputs() + 2 * units);
        let bandwidth = exec.read_bandwidth(&vec![0.0_f32; held], 5);
        Self { flops: (size * net.step_flops()) as f64, bytes: 4.0 * touched as f64, bandwidth }
    }

    /// Seconds of a step on `threads` threads of `peak` GFLOP/s each, which share the arithmetic; the bandwidth is taken as one's.
    pub(crate) fn seconds(&self, peak: f64, threads: usize) -> f64 {
        self.flops / (1e9 * peak * threads as f64) + self.bytes / (1e9 * self.bandwidth)
    }
}
