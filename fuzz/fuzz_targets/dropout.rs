//! Dropout: masks are those of the generator, fused forms the bits of two passes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roofline_fuzz::dropout::Plan;

fuzz_target!(|plan: Plan| plan.run());
