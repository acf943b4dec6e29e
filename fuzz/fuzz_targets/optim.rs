//! Optimizer updates: the formulas, the promised bits, many tensors as one, any count of steps.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roofline_fuzz::optim::Plan;

fuzz_target!(|plan: Plan| plan.run());
