//! Softmax, log-softmax, their gradients and cross-entropy of any matrix: the oracle, the promised bits, in place as out of
//! place, NaN in its row only, nothing read or written outside the operands.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roofline_fuzz::softmax::Plan;

fuzz_target!(|plan: Plan| plan.run());
