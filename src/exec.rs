//! [`Exec`]: how one call runs, as a value that is chosen per call.

use crate::backend::Backend;
use crate::error::Error;
use crate::parallel;
use crate::simd::{Isa, Token};
use core::fmt;
use core::num::NonZeroUsize;
use core::ops::Range;

/// Instruction set, threads and backend of a call. Copy it freely: it owns nothing.
///
/// The default is the best instruction set of this machine and as many threads as the current rayon pool has. Whatever
/// of both is chosen, the result has the same bits (on instruction sets with FMA). The matrix product can also be that of
/// another library: see [`Backend`].
///
/// ```
/// use roofline::{Exec, Isa};
/// let exec = Exec::sequential().with_isa(Isa::Portable)?;
/// let mut y = [0.0_f32; 3];
/// exec.relu(&[-1.0, 0.5, 2.0], &mut y)?;
/// assert_eq!(y, [0.0, 0.5, 2.0]);
/// # Ok::<(), roofline::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Exec {
    token: Token,
    threads: Threads,
    backend: Backend,
    /// See [`Exec::chained`].
    chain: Option<usize>,
}

#[derive(Clone, Copy)]
enum Threads {
    /// As many as the current rayon pool has.
    Pool,
    /// So many parts at most; 1 never touches rayon.
    AtMost(NonZeroUsize),
}

impl Default for Exec {
    fn default() -> Self {
        Self { token: Token::best(), threads: Threads::Pool, backend: Backend::Native, chain: None }
    }
}

impl Exec {
    /// The best instruction set, on the calling thread only: never touches rayon.
    pub fn sequential() -> Self {
        Self { threads: Threads::AtMost(NonZeroUsize::MIN), ..Self::default() }
    }

    /// At most `threads` threads of the current rayon pool.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for 0; [`Error::NotParallel`] for more than one without the feature `parallel`.
    pub fn with_threads(self, threads: usize) -> Result<Self, Error> {
        let at_most = NonZeroUsize::new(threads).ok_or(Error::OutOfRange {
            what: "number of threads",
            value: 0.0,
            allowed: "at least 1",
        })?;
        if threads > 1 && !cfg!(feature = "parallel") {
            return Err(Error::NotParallel { threads });
        }
        Ok(Self { threads: Threads::AtMost(at_most), ..self })
    }

    /// The kernels of `isa`.
    ///
    /// # Errors
    /// [`Error::UnavailableIsa`] where this machine does not have it.
    pub fn with_isa(self, isa: Isa) -> Result<Self, Error> {
        let token = Token::detect(isa).ok_or(Error::UnavailableIsa { isa, best: Isa::best() })?;
        Ok(Self { token, ..self })
    }

    /// The matrix products of `backend`, other functions as before.
    ///
    /// # Errors
    /// [`Error::UnavailableBackend`] in a build without its feature.
    ///
    /// ```
    /// use roofline::{Backend, Exec};
    /// match Exec::default().with_backend(Backend::Blas) {
    ///     Ok(exec) => assert_eq!(exec.backend(), Backend::Blas),
    ///     Err(error) => assert!(error.to_string().contains("the feature `blas`")),
    /// }
    /// ```
    pub fn with_backend(self, backend: Backend) -> Result<Self, Error> {
        if backend.is_available() { Ok(Self { backend, ..self }) } else { Err(Error::UnavailableBackend { backend }) }
    }

    /// Whose matrix products calls run.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// The instruction set that calls run on.
    pub fn isa(&self) -> Isa {
        self.token.isa()
    }

    /// The most threads that a call may use.
    pub fn threads(&self) -> usize {
        match self.threads {
            Threads::Pool => parallel::pool_threads(),
            Threads::AtMost(threads) => threads.get(),
        }
    }

    pub(crate) fn token(&self) -> Token {
        self.token
    }

    /// For a chain of calls, each of which reads what one before wrote, on whatever core, as in a training step: they fork where the `work` of
    /// all of them, in multiply–adds or what takes as long, pays for memory that moves between cores as far apart as those of the helpers
    /// are. Without `work` for calls of their own.
    pub(crate) fn chained(self, work: Option<usize>) -> Self {
        Self { chain: work, ..self }
    }

    /// Whether calls are part of a chain.
    pub(crate) fn is_chained(&self) -> bool {
        self.chain.is_some()
    }

    /// Into how many parts work of this size goes. A `quantum` of it takes 2 to 5 µs; two of them pay for a fork that finds its helpers
    /// awake.
    #[inline]
    pub(crate) fn parts(&self, work: usize, quantum: usize) -> usize {
        let quanta = work / quantum;
        // Asking the pool for its size starts it: not for work that stays here anyway.
        if quanta < 2 { 1 } else { parallel::parts(self.threads(), quanta, self.chain) }
    }

    /// [`Exec::parts`] of a call whose result moves between cores: where these are far apart, only if a chain of `chain` multiply–adds pays.
    pub(crate) fn parts_of_moving(&self, work: usize, quantum: usize, chain: usize) -> usize {
        let quanta = work / quantum;
        if quanta < 2 { 1 } else { parallel::parts(self.threads(), quanta, self.chain.or(Some(chain))) }
    }

    /// [`Exec::parts`] where every helper is awake.
    pub(crate) fn most_parts(&self, work: usize, quantum: usize) -> usize {
        parallel::most_parts(self.threads(), work / quantum)
    }

    /// Runs `part(0)` … `part(parts − 1)` on the threads of this `Exec`; a single part right here.
    pub(crate) fn for_each(&self, parts: usize, part: impl Fn(usize) + Sync) {
        if parts == 1 { part(0) } else { parallel::for_each(self.threads(), parts, part) }
    }

    /// Σ term(i), with the same bits for any `parts`.
    pub(crate) fn tree_sum(&self, parts: usize, range: Range<usize>, term: &(impl Fn(usize) -> f64 + Sync)) -> f64 {
        parallel::sum(if parts == 1 { 1 } else { self.threads() }, parts, range, term)
    }

    /// Runs `body`, and keeps the threads that its calls fork to awake between them. A sequence of small operations, such as a
    /// training step, then forks as if once. Outside of a region too a thread that helped lingers, but for 1 ms only; in
    /// it, for 10 ms: no core burns when nobody calls. Results do not depend on it.
    ///
    /// ```
    /// use roofline::Exec;
    /// let exec = Exec::default();
    /// let mut x = vec![-1.0_f32; 100_000];
    /// exec.region(|| -> Result<(), roofline::Error> {
    ///     exec.tanh_inplace(&mut x)?;
    ///     exec.relu_inplace(&mut x)
    /// })?;
    /// assert!(x.iter().all(|&x| x == 0.0));
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn region<R>(&self, body: impl FnOnce() -> R) -> R {
        match self.threads {
            Threads::AtMost(NonZeroUsize::MIN) => body(),
            _ => parallel::region(self.threads(), body),
        }
    }
}

impl fmt::Debug for Exec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.threads {
            Threads::Pool => write!(f, "Exec({}, threads of the pool", self.isa())?,
            Threads::AtMost(threads) => write!(f, "Exec({}, {threads} threads", self.isa())?,
        }
        match self.backend {
            Backend::Native => write!(f, ")"),
            backend => write!(f, ", products by {backend})"),
        }
    }
}

#[cfg(all(test, feature = "parallel"))]
mod tests {
    use super::*;

    /// So much work is cut even if no helper is awake.
    #[test]
    fn work_is_cut_where_it_pays() {
        const QUANTUM: usize = 1000;
        let two = Exec::default().with_threads(2).unwrap();
        assert_eq!([1, 200].map(|quanta| two.parts(quanta * QUANTUM, QUANTUM)), [1, 2]);
        assert_eq!(Exec::sequential().parts(100 * QUANTUM, QUANTUM), 1);
    }
}
