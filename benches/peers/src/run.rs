//! A run: which contestants meet on which shapes; results are checked before anything is timed.

use crate::Args;
use crate::blas::Blas;
use crate::grid::{self, Shape};
use crate::measure::{self, Timing};
use crate::problem::{Problem, Rival};
use crate::report::{Row, Section};
use crate::rivals::{self, Ours, Real};
use roofline::Exec;
use serde_json::{Value, json};
use std::error::Error;
use std::fmt;

/// What all sections of a run share.
pub struct Plan {
    /// How ours runs, but for the number of threads.
    exec: Exec,
    /// Opened libraries.
    libraries: Vec<Blas>,
    /// Shapes that pass the filter.
    shapes: Vec<Shape>,
    /// Of which the median counts.
    rounds: usize,
}

/// Who meets in a section.
struct Field<T> {
    /// This crate.
    ours: Ours,
    /// Everyone else who has the type and can use the threads.
    rivals: Vec<Box<dyn Rival<T>>>,
}

/// Who may be timed on a shape.
struct Checked<'f, T> {
    /// Ours, then the rivals that agree with it.
    right: Vec<&'f dyn Rival<T>>,
    /// The others, and what was wrong.
    dropped: Vec<(String, String)>,
}

/// Cores of this machine.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What the machine calls its processor.
fn cpu_model() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = info.lines().find_map(|line| line.strip_prefix("model name"));
    line.map_or("unknown CPU", |line| line.trim_start_matches([' ', '\t', ':'])).into()
}

impl Plan {
    /// Opens the libraries and picks the shapes.
    ///
    /// # Errors
    /// A library that cannot be used, two of one name, an instruction set that this machine lacks, a filter without shapes.
    pub fn new(args: &Args) -> Result<Self, Box<dyn Error>> {
        let exec = Exec::default();
        let exec = args.isa.map_or(Ok(exec), |isa| exec.with_isa(isa))?;
        let libraries = args.blas.iter().map(|path| Blas::open(path)).collect::<Result<Vec<_>, _>>()?;
        for (index, library) in libraries.iter().enumerate() {
            if libraries[..index].iter().any(|other| other.name == library.name) {
                return Err(format!("two libraries are named {}: link one under another name", library.name).into());
            }
        }
        let mut shapes = grid::shapes(args.quick, &args.layers);
        shapes.retain(|shape| shape.name.contains(&args.filter));
        if shapes.is_empty() {
            return Err(format!("no shape contains {:?}", args.filter).into());
        }
        let rounds = args.rounds.map_or(if args.quick { 3 } else { 9 }, usize::from);
        Ok(Self { exec, libraries, shapes, rounds })
    }

    /// Checks everyone on every shape, on the current rayon pool.
    ///
    /// # Errors
    /// Where someone is wrong.
    pub fn test<T: Real>(&self, threads: usize) -> Result<(), String> {
        let field = self.field::<T>(threads)?;
        let mut wrong = 0;
        for shape in &self.shapes {
            for (name, reason) in field.check(&Problem::new(shape))?.dropped {
                println!("{} {}, threads: {threads}: {name}: {reason}", T::NAME, shape.name);
                wrong += 1;
            }
        }
        let (shapes, names) = (self.shapes.len(), field.names().join(", "));
        println!("{}, threads: {threads}: {shapes} shapes, {wrong} wrong results of {names}", T::NAME);
        if wrong == 0 { Ok(()) } else { Err("results are wrong".into()) }
    }

    /// Checks and times everyone on every shape, on the current rayon pool; prints the table and returns all of it.
    ///
    /// # Errors
    /// Where ours is wrong.
    pub fn time<T: Real>(&self, threads: usize) -> Result<Value, String> {
        let field = self.field::<T>(threads)?;
        let mut section = Section { element: T::NAME, threads, rows: Vec::new() };
        println!("{}", section.header());
        for shape in &self.shapes {
            let problem = Problem::new(shape);
            let Checked { right, dropped } = field.check(&problem)?;
            let Timing { seconds, peak } = measure::time(&right, &problem, self.rounds);
            let names = right.iter().map(|contestant| contestant.name().to_owned());
            let row = Row { shape, peak, times: names.zip(seconds).collect(), dropped };
            println!("{row}");
            section.rows.push(row);
        }
        println!("\n{}", section.summary());
        Ok(section.json())
    }

    /// Who has the type and can use so many threads.
    fn field<T: Real>(&self, threads: usize) -> Result<Field<T>, String> {
        let exec =
            if threads == 1 { Exec::sequential().with_isa(self.exec.isa()) } else { self.exec.with_threads(threads) };
        let mut rivals = T::crates(threads);
        for library in &self.libraries {
            match library.contestant(threads) {
                Some(rival) => rivals.push(rival),
                None => println!("{} takes no part: it lacks {}, or a way to set threads", library.name, T::CBLAS),
            }
        }
        Ok(Field { ours: Ours(exec.map_err(|error| error.to_string())?), rivals })
    }

    /// Name and version of each rival.
    fn versions(&self) -> impl Iterator<Item = (&str, &str)> {
        let crates = rivals::CRATES.iter().map(|name| (*name, rivals::version(name)));
        crates.chain(self.libraries.iter().map(|library| (library.name.as_str(), library.version.as_str())))
    }

    /// The whole run.
    pub fn json(&self, sections: &[Value]) -> Value {
        let rivals = self.versions().map(|(name, version)| json!({ "name": name, "version": version }));
        json!({
            "host": { "cpu": cpu_model(), "cores": cores() },
            "isa": self.exec.isa().to_string(),
            "rounds": self.rounds,
            "rivals": rivals.collect::<Vec<_>>(),
            "sections": sections,
        })
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, cores: {}, roofline on {}", cpu_model(), cores(), self.exec.isa())?;
        self.versions().try_for_each(|(name, version)| writeln!(f, "  {name} {version}"))
    }
}

impl<T: Real> Field<T> {
    /// Names of the rivals.
    fn names(&self) -> Vec<&str> {
        self.rivals.iter().map(|rival| rival.name()).collect()
    }

    /// Compares ours with sums in f64, and the rivals with ours.
    ///
    /// # Errors
    /// Where ours is wrong.
    fn check(&self, problem: &Problem<T>) -> Result<Checked<'_, T>, String> {
        let expected = problem.solve(&self.ours).and_then(|c| problem.check(&c).map(|()| c));
        let expected = expected.map_err(|reason| format!("roofline, {}: {reason}", problem.shape.name))?;
        let mut checked = Checked { right: vec![&self.ours as &dyn Rival<T>], dropped: Vec::new() };
        for rival in &self.rivals {
            match problem.solve(rival.as_ref()).and_then(|c| problem.check_against(&c, &expected)) {
                Ok(()) => checked.right.push(rival.as_ref()),
                Err(reason) => checked.dropped.push((rival.name().to_owned(), reason)),
            }
        }
        Ok(checked)
    }
}
