//! Which cores a crew runs on.
//!
//! To Linux as a guest a halted virtual CPU counts as taken, so that it wakes a worker on the core of the thread that calls
//! it, and moves it 4 to 10 ms later. A helper that finds itself on the core of another member of its crew moves at once.

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The cores of the members of a crew, as they were when each came.
pub(super) struct Cores {
    caller: AtomicUsize,
    helpers: [AtomicU64; 16],
}

/// A helper's place in the set, until it is dropped.
pub(super) struct Place<'a> {
    cores: &'a Cores,
    core: Option<usize>,
}

impl Cores {
    pub(super) const fn new() -> Self {
        Self { caller: AtomicUsize::new(usize::MAX), helpers: [const { AtomicU64::new(0) }; 16] }
    }

    /// Says where the thread that calls the helpers runs.
    pub(super) fn caller_is_here(&self) {
        self.caller.store(current().unwrap_or(usize::MAX), Ordering::Relaxed);
    }

    /// Finds the helper that calls it a core of its own among those that its thread may use, and leaves it where it is if there
    /// is none.
    pub(super) fn settle(&self) -> Place<'_> {
        let mut core = current();
        if core.is_some_and(|core| !self.take(core)) {
            leave_for(|core| !self.is_taken(core));
            core = current().filter(|&core| self.take(core));
        }
        Place { cores: self, core }
    }

    fn is_taken(&self, core: usize) -> bool {
        let word = self.helpers.get(core / 64).map_or(0, |word| word.load(Ordering::Relaxed));
        word >> (core % 64) & 1 == 1 || self.caller.load(Ordering::Relaxed) == core
    }

    /// Whether nobody had it.
    fn take(&self, core: usize) -> bool {
        let Some(word) = self.helpers.get(core / 64) else { return true };
        let bit = 1 << (core % 64);
        self.caller.load(Ordering::Relaxed) != core && word.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(core) = self.core
            && let Some(word) = self.cores.helpers.get(core / 64)
        {
            word.fetch_and(!(1 << (core % 64)), Ordering::Relaxed);
        }
    }
}

/// The core that this thread runs on, where the system tells.
fn current() -> Option<usize> {
    #[cfg(target_os = "linux")]
    return Some(rustix::thread::sched_getcpu());
    #[cfg(not(target_os = "linux"))]
    None
}

/// Moves this thread to one of the cores that it may use and that `is_free` names, and lets it use all of them again.
fn leave_for(is_free: impl Fn(usize) -> bool) {
    #[cfg(target_os = "linux")]
    {
        use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
        // A system that refuses leaves the thread where it is.
        let Ok(allowed) = sched_getaffinity(None) else { return };
        let mut free = CpuSet::new();
        for core in (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core) && is_free(core)) {
            free.set(core);
        }
        if free.count() > 0 && sched_setaffinity(None, &free).is_ok() {
            let _ = sched_setaffinity(None, &allowed);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = is_free;
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    /// What a helper finds that was woken on `core`, where it may use `allowed`: its core, and what it may use afterwards.
    fn settled(cores: &Cores, core: usize, allowed: &CpuSet) -> (Option<usize>, CpuSet) {
        let mut only = CpuSet::new();
        only.set(core);
        sched_setaffinity(None, &only).expect("a core of this process");
        sched_setaffinity(None, allowed).expect("as above");
        let place = cores.settle();
        (place.core, sched_getaffinity(None).expect("of this thread"))
    }

    #[test]
    fn a_helper_leaves_the_core_of_the_caller_and_may_use_all_again() {
        let allowed = sched_getaffinity(None).expect("of this thread");
        let core = (0..CpuSet::MAX_CPU).find(|&core| allowed.is_set(core)).expect("this thread runs");
        let cores = Cores::new();
        cores.caller.store(core, Ordering::Relaxed);
        let (found, after) =
            std::thread::scope(|scope| scope.spawn(|| settled(&cores, core, &allowed)).join().expect("no panic"));
        assert_ne!(found, Some(core));
        assert_eq!(found.is_some(), allowed.count() > 1, "a core of its own where there is one");
        assert!(after == allowed);
        assert!(cores.helpers.iter().all(|word| word.load(Ordering::Relaxed) == 0), "its place is free again");
    }

    #[test]
    fn a_pinned_helper_stays() {
        let allowed = sched_getaffinity(None).expect("of this thread");
        let core = (0..CpuSet::MAX_CPU).find(|&core| allowed.is_set(core)).expect("this thread runs");
        let (cores, mut only) = (Cores::new(), CpuSet::new());
        only.set(core);
        cores.caller.store(core, Ordering::Relaxed);
        let (found, after) =
            std::thread::scope(|scope| scope.spawn(|| settled(&cores, core, &only)).join().expect("no panic"));
        assert_eq!(found, None);
        assert!(after == only);
    }
}
