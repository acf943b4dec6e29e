//! Groups of cases, measured in rounds.
//!
//! ```text
//! for each round:  case, case, …, limit, limit, …, the guard      each one turn; who begins changes
//! ```
//!
//! A turn is one call that is not counted, for it finds the caches full of another's data (on several threads 5 ms of them, which wake the
//! threads), and then calls back to back. What counts is the median over the rounds. The limits of a case (FMA peak, a pass over as much memory) take their turns in the same rounds.

pub(crate) mod convergence;
pub(crate) mod limits;
mod optimizers;
mod passes;
mod products;
mod rows;
mod steps;
mod vectors;

use crate::document::schema::{Bound, Guard, Kernel, Mode, Spread};
use passes::{Operation, Pass};
use roofline::{Element, Exec, Isa};
use std::time::{Duration, Instant};

/// Calls that wake the threads of a case: on a guest, a core that sleeps can take milliseconds to come.
const WAKE: Duration = Duration::from_millis(5);

/// How much time goes into a case.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) mode: Mode,
    pub(crate) rounds: usize,
    /// How often the operands are made anew, in other memory: where they lie is a part of the noise.
    builds: usize,
    /// Of one turn.
    slice: Duration,
}

/// Cases that are compared with each other; built when their turn comes, for their memory.
pub(crate) struct Group {
    pub(crate) name: String,
    build: Box<dyn Fn() -> Vec<Case>>,
}

/// A kernel on its operands.
struct Case {
    /// All but what is measured.
    kernel: Kernel,
    exec: Exec,
    limit: Limit,
    run: Box<dyn FnMut()>,
}

/// What a case can at best be as fast as: the FMA peak of its type, instruction set and threads, or a pass over memory.
#[derive(Clone, Copy, PartialEq)]
enum Limit {
    Peak,
    Pass(Operation, usize),
    /// Whichever takes longer.
    Either(Operation, usize),
    /// One after the other: so many bytes are moved apart from the arithmetic.
    Both(Operation, usize),
}

/// Something that is measured beside the cases and gives a rate, in 10⁹ a second.
#[derive(Clone, PartialEq)]
enum Probe {
    Fma { element: String, isa: Isa, threads: usize },
    Pass { operation: Operation, bytes: usize, threads: usize },
}

impl Effort {
    pub(crate) fn new(mode: Mode) -> Self {
        let (rounds, builds, slice) = match mode {
            Mode::Test => (1, 1, 0),
            Mode::Quick => (9, 3, 2),
            Mode::Default => (27, 3, 2),
            Mode::Full => (50, 5, 4),
        };
        Self { mode, rounds, builds, slice: Duration::from_millis(slice) }
    }

    /// One of four, by mode.
    fn choose<T>(self, test: T, quick: T, default: T, full: T) -> T {
        match self.mode {
            Mode::Test => test,
            Mode::Quick => quick,
            Mode::Default => default,
            Mode::Full => full,
        }
    }
}

/// All groups of kernels, in the order of the page.
pub(crate) fn groups(effort: Effort) -> Vec<Group> {
    let mut groups = products::groups(effort);
    groups.extend(vectors::groups(effort));
    groups.extend(rows::groups(effort));
    groups.extend(optimizers::groups(effort));
    groups.extend(steps::groups(effort));
    groups
}

impl Group {
    fn new(name: impl Into<String>, build: impl Fn() -> Vec<Case> + 'static) -> Self {
        Self { name: name.into(), build: Box::new(build) }
    }

    /// Its kernels, and the guard's peak. `start` is when the run began.
    pub(crate) fn measure(&self, effort: Effort, start: Instant) -> (Vec<Kernel>, Guard) {
        let mut cases = (self.build)();
        let probes = probes(&cases);
        let mut measure: Vec<Box<dyn FnMut() -> f64>> = probes.iter().map(Probe::start).collect();
        let mut seconds = vec![Vec::new(); cases.len()];
        let mut rates = vec![Vec::new(); probes.len()];
        for build in 0..effort.builds {
            if build > 0 {
                // Before those go that were: at other addresses, on other pages.
                cases = (self.build)();
            }
            let calls: Vec<u32> = cases.iter_mut().map(|case| case.calibrate(effort.slice)).collect();
            for round in 0..effort.rounds / effort.builds {
                for place in 0..cases.len() {
                    let at = (round + place) % cases.len();
                    seconds[at].push(cases[at].turn(calls[at]));
                }
                for (measure, rates) in measure.iter_mut().zip(&mut rates) {
                    rates.push(measure());
                }
            }
        }
        let rates: Vec<f64> = rates.into_iter().map(|rates| Spread::of(rates).median).collect();
        let rate = |probe: &Probe| probes.iter().position(|other| other == probe).map_or(f64::NAN, |at| rates[at]);
        let named = |kernel| Kernel { group: self.name.clone(), ..kernel };
        let kernels = cases.iter().zip(seconds).map(|(case, seconds)| named(case.result(seconds, rates[0], rate)));
        let guard = Guard { group: self.name.clone(), seconds: start.elapsed().as_secs_f64(), gflops: rates[0] };
        (kernels.collect(), guard)
    }
}

/// What the cases need as limits, each once; the guard comes first.
fn probes(cases: &[Case]) -> Vec<Probe> {
    let mut probes = vec![Probe::Fma { element: "f32".into(), isa: Isa::best(), threads: 1 }];
    for probe in cases.iter().flat_map(Case::probes) {
        if !probes.contains(&probe) {
            probes.push(probe);
        }
    }
    probes
}

impl Case {
    /// `name` is that of the kernel, `shape` that of its operands; flops and bytes are those of a call.
    fn new<T: Element>(
        exec: Exec,
        (family, name): (&str, &str),
        shape: &[usize],
        (flops, bytes): (f64, f64),
        limit: Limit,
        run: impl FnMut() + 'static,
    ) -> Self {
        let kernel = Kernel {
            group: String::new(),
            family: family.into(),
            kernel: name.into(),
            element: T::NAME.into(),
            isa: exec.isa().to_string(),
            threads: exec.threads(),
            shape: shape.into(),
            seconds: Spread::default(),
            flops,
            bytes,
            limit_seconds: 0.0,
            bound: Bound::Compute,
            guard_gflops: 0.0,
        };
        Self { kernel, exec, limit, run: Box::new(run) }
    }

    fn peak(&self) -> Probe {
        Probe::Fma { element: self.kernel.element.clone(), isa: self.exec.isa(), threads: self.kernel.threads }
    }

    fn pass(&self) -> Option<Probe> {
        let (Limit::Pass(operation, bytes) | Limit::Either(operation, bytes) | Limit::Both(operation, bytes)) =
            self.limit
        else {
            return None;
        };
        Some(Probe::Pass { operation, bytes, threads: self.kernel.threads })
    }

    fn probes(&self) -> Vec<Probe> {
        let peak = if matches!(self.limit, Limit::Pass(..)) { None } else { Some(self.peak()) };
        peak.into_iter().chain(self.pass()).collect()
    }

    /// How many calls fill a turn.
    fn calibrate(&mut self, slice: Duration) -> u32 {
        let once = self.turn(1).max(1e-9);
        (slice.as_secs_f64() / once).clamp(1.0, 1e6) as u32
    }

    /// Seconds of a call.
    fn turn(&mut self, calls: u32) -> f64 {
        let run = &mut self.run;
        let warm_up = if self.kernel.threads > 1 { WAKE } else { Duration::ZERO };
        self.exec.region(|| {
            let start = Instant::now();
            run();
            while start.elapsed() < warm_up {
                run();
            }
            let start = Instant::now();
            for _ in 0..calls {
                run();
            }
            start.elapsed().as_secs_f64() / f64::from(calls)
        })
    }

    /// The kernel with what was measured.
    fn result(&self, seconds: Vec<f64>, guard: f64, rate: impl Fn(&Probe) -> f64) -> Kernel {
        let compute = || self.kernel.flops / rate(&self.peak()) / 1e9;
        let memory = || self.pass().map_or(0.0, |pass| self.kernel.bytes / rate(&pass) / 1e9);
        let (compute, memory) = match self.limit {
            Limit::Peak => (compute(), 0.0),
            Limit::Pass(..) => (0.0, memory()),
            Limit::Either(..) | Limit::Both(..) => (compute(), memory()),
        };
        let limit = if matches!(self.limit, Limit::Both(..)) { compute + memory } else { compute.max(memory) };
        Kernel {
            seconds: Spread::of(seconds),
            limit_seconds: limit,
            bound: if compute >= memory { Bound::Compute } else { Bound::Memory },
            guard_gflops: guard,
            ..self.kernel.clone()
        }
    }
}

impl Probe {
    /// Gets its memory ready.
    fn start(&self) -> Box<dyn FnMut() -> f64> {
        match self {
            Probe::Fma { element, isa, threads } => {
                let exec = on(*isa, 1);
                let (is_f32, threads) = (element == "f32", *threads);
                Box::new(
                    move || if is_f32 { passes::fma::<f32>(exec, threads) } else { passes::fma::<f64>(exec, threads) },
                )
            }
            Probe::Pass { operation, bytes, threads } => {
                let mut pass = Pass::new(*operation, *bytes, *threads);
                Box::new(move || pass.gb_per_s())
            }
        }
    }
}

/// So many threads of an instruction set that is available.
fn on(isa: Isa, threads: usize) -> Exec {
    let exec = if threads == 1 { Exec::sequential() } else { Exec::default() };
    exec.with_isa(isa).expect("it is available")
}
