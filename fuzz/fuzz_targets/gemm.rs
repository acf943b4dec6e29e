//! GEMM over every shape, layout, factor and epilogue that a plan can name: within the error bound, with the promised
//! bits, and without a read or write outside its operands (which lie in allocations of exactly their size).

#![no_main]

use libfuzzer_sys::fuzz_target;
use roofline_fuzz::gemm::Plan;

fuzz_target!(|plan: Plan| plan.run());
