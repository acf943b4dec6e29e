//! Searches over any space, and files of their trials.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roofline_fuzz::tuner::Plan;

fuzz_target!(|plan: Plan<'_>| plan.run());
