//! [`Exec`]: how one call runs, as a value that is chosen per call.

use crate::error::Error;
use crate::parallel;
use crate::simd::{Isa, Token};
use core::fmt;
use core::num::NonZeroUsize;

/// Instruction set and threads of a call. Copy it freely: it owns nothing.
///
/// The default is the best instruction set of this machine and as many threads as the current rayon pool has. Whatever
/// is chosen, the result has the same bits (on instruction sets with FMA).
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
        Self { token: Token::best(), threads: Threads::Pool }
    }
}

impl Exec {
    /// The best instruction set, on the calling thread only: never touches rayon.
    pub fn sequential() -> Self {
        Self { token: Token::best(), threads: Threads::AtMost(NonZeroUsize::MIN) }
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

    /// Into how many parts work of this size goes: one for each `grain` of it, at most one a thread.
    pub(crate) fn parts(&self, work: usize, grain: usize) -> usize {
        let worthwhile = work / grain;
        // Asking the pool for its size starts it: not for work that stays here anyway.
        if worthwhile < 2 { 1 } else { worthwhile.min(self.threads()) }
    }
}

impl fmt::Debug for Exec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.threads {
            Threads::Pool => write!(f, "Exec({}, threads of the pool)", self.isa()),
            Threads::AtMost(threads) => write!(f, "Exec({}, {threads} threads)", self.isa()),
        }
    }
}
