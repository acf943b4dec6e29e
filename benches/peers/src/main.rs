//! `cargo run --release --manifest-path benches/peers/Cargo.toml -- --help`: the GEMM of roofline against its rivals.

mod blas;
mod grid;
mod measure;
mod problem;
mod report;
mod rivals;
mod run;

use clap::{Parser, ValueEnum};
use rivals::Real;
use roofline::Isa;
use run::Plan;
use serde_json::Value;
use std::error::Error;
use std::path::PathBuf;

/// Times the GEMM of roofline and of its rivals in turn, round by round, and prints ratios of medians.
#[derive(Parser)]
struct Args {
    /// Numbers of threads, as in `1,8` [default: 1 and all cores]
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..))]
    threads: Vec<u16>,
    /// Element type
    #[arg(long = "type", value_enum, default_value = "both")]
    element: Type,
    /// The products of these layers instead of the grid, as in `1024-1024,512-10`: inputs-outputs
    #[arg(long, value_delimiter = ',', value_parser = layer, conflicts_with = "quick")]
    layers: Vec<(usize, usize)>,
    /// Only shapes whose name contains this
    #[arg(long, default_value = "", hide_default_value = true, value_name = "WORD")]
    filter: String,
    /// Rounds of which the median counts [default: 9, or 3 with --quick]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,
    /// A library with a CBLAS interface; may be repeated
    #[arg(long, value_name = "PATH")]
    blas: Vec<PathBuf>,
    /// Where to write everything that was measured
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// A sample of the shapes
    #[arg(long)]
    quick: bool,
    /// Instruction set of ours: avx512, avx2 or portable [default: the best one]
    #[arg(long, value_name = "NAME")]
    isa: Option<Isa>,
    /// Check all results, time nothing
    #[arg(long, conflicts_with_all = ["json", "rounds"])]
    test: bool,
}

/// `inputs-outputs`.
fn layer(text: &str) -> Result<(usize, usize), String> {
    let sizes = text.split_once('-').and_then(|(inputs, outputs)| Some((inputs.parse().ok()?, outputs.parse().ok()?)));
    match sizes {
        Some((inputs @ 1..=LARGEST_LAYER, outputs @ 1..=LARGEST_LAYER)) => Ok((inputs, outputs)),
        _ => Err(format!("a layer is INPUTS-OUTPUTS, each 1 to {LARGEST_LAYER}")),
    }
}

/// Larger ones take gigabytes of memory and minutes a round.
const LARGEST_LAYER: usize = 16_384;

/// Element types to compare.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Type {
    /// Single precision
    F32,
    /// Double precision
    F64,
    /// One after the other
    Both,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let plan = Plan::new(&args)?;
    println!("{plan}");
    let mut threads: Vec<usize> = args.threads.iter().map(|&threads| threads.into()).collect();
    if threads.is_empty() {
        threads = vec![1, run::cores()];
    }
    threads.sort_unstable();
    threads.dedup();
    let mut sections = Vec::new();
    for threads in threads {
        if args.element != Type::F64 {
            section::<f32>(&args, &plan, threads, &mut sections)?;
        }
        if args.element != Type::F32 {
            section::<f64>(&args, &plan, threads, &mut sections)?;
        }
    }
    Ok(())
}

/// All shapes for one element type, on a rayon pool of so many threads. The JSON file is written after each section, so
/// that a run that is cut short leaves something.
fn section<T: Real>(args: &Args, plan: &Plan, threads: usize, sections: &mut Vec<Value>) -> Result<(), Box<dyn Error>> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    if args.test {
        return Ok(pool.install(|| plan.test::<T>(threads))?);
    }
    sections.push(pool.install(|| plan.time::<T>(threads))?);
    if let Some(path) = &args.json {
        std::fs::write(path, format!("{:#}\n", plan.json(sections)))?;
    }
    Ok(())
}
