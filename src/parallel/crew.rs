//! Helpers that stay awake between the parallel calls of one thread.

use super::cores::Cores;
use super::distance::Distance;
use core::cell::{Cell, UnsafeCell};
use core::hint::spin_loop;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a helper waits for the next job before it gives its worker back to the pool.
const LINGER: Duration = Duration::from_millis(1);
/// The same while a region is open.
const LINGER_IN_REGION: Duration = Duration::from_millis(10);
/// How long a caller offers its core to a helper that it called. One that comes at all takes about 80 µs.
const WELCOME: Duration = Duration::from_micros(200);
/// Forks that would have paid, had helpers been awake, before they are called: about 0.3 ms of work, of which calling them
/// (some microseconds of this thread) is a small part.
const QUANTA_TO_RECRUIT: usize = 128;
/// How many times as many if they were too far away: they are called now and then, for threads and virtual machines move.
const PATIENCE: usize = 16;
/// Quanta for each thread from which the parts are more than the threads, so that the faster thread takes more of them.
const QUANTA_TO_BALANCE: usize = 128;
/// Calls of chains from one measurement of the distance to the next, which takes as long as a small one of them.
const CALLS_TO_MEASURE: usize = 512;
/// Visits of a helper that make a measurement: one of them may find it in the scheduler.
const VISITS: usize = 4;
/// How long a visit is waited for.
const VISIT: Duration = Duration::from_micros(20);
/// The most parts; the ticket has room for 1023.
const MOST_PARTS: usize = 256;

/// The helpers of one calling thread and the job that they work on.
struct Crew {
    ticket: AtomicU64,
    job: UnsafeCell<Job>,
    /// Parts of the job that helpers have finished.
    done: AtomicUsize,
    /// Helpers that were called and have not left.
    called: AtomicUsize,
    /// Those of them that are here.
    present: AtomicUsize,
    /// Regions that are open.
    regions: AtomicUsize,
    cores: Cores,
    /// Of the helper that came last.
    distance: Distance,
}

// SAFETY: `job` is written by the caller only between jobs, when no part is claimed, and read only by those who claimed one.
unsafe impl Sync for Crew {}

/// A closure by address: it lives on the caller's stack until every part is done.
#[derive(Clone, Copy)]
struct Job {
    part: *const (),
    call: unsafe fn(*const (), usize),
}

// SAFETY: the closure is `Sync`, as `run` asks for.
unsafe impl Send for Job {}

/// The state of a job in one word, so that a claim is one exchange.
#[derive(Clone, Copy, PartialEq)]
struct Ticket {
    /// Counts jobs, so that a helper knows whether it already takes part in this one.
    epoch: u64,
    /// Helpers that take part, and how many may.
    joined: u64,
    seats: u64,
    next: u64,
    parts: u64,
}

impl Ticket {
    const BITS: u32 = 10;
    const FIELD: u64 = (1 << Self::BITS) - 1;

    fn pack(self) -> u64 {
        [self.joined, self.seats, self.next, self.parts]
            .into_iter()
            .fold(self.epoch, |word, field| word << Self::BITS | field)
    }

    fn unpack(word: u64) -> Self {
        let field = |i: u32| word >> (i * Self::BITS) & Self::FIELD;
        Self { epoch: word >> (4 * Self::BITS), joined: field(3), seats: field(2), next: field(1), parts: field(0) }
    }
}

thread_local! {
    static CREW: Arc<Crew> = Arc::new(Crew {
        ticket: AtomicU64::new(0),
        job: UnsafeCell::new(Job { part: core::ptr::null(), call: |_, _| {} }),
        done: AtomicUsize::new(0),
        called: AtomicUsize::new(0),
        present: AtomicUsize::new(0),
        regions: AtomicUsize::new(0),
        cores: Cores::new(),
        distance: Distance::new(),
    });
    /// Quanta that found no helpers since some were called last.
    static MISSED: Cell<usize> = const { Cell::new(0) };
    /// Calls until the distance is measured again.
    static UNMEASURED: Cell<usize> = const { Cell::new(0) };
    /// Whether this thread is at work on a job of its own: what a part of it calls runs undivided.
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

/// See [`super::parts`].
pub(super) fn parts(threads: usize, quanta: usize, chain: Option<usize>) -> usize {
    if threads < 2 || quanta < 2 || BUSY.get() {
        return 1;
    }
    let cut = |crew: &Arc<Crew>| {
        if crew.present.load(Ordering::Relaxed) + 1 < threads {
            let patience = if chain.is_none_or(|chain| crew.distance.pays(chain)) { 1 } else { PATIENCE };
            let missed = MISSED.get().saturating_add(quanta);
            let calls = missed >= QUANTA_TO_RECRUIT * patience;
            MISSED.set(if calls { 0 } else { missed });
            if calls {
                recruit(crew, threads);
            }
        }
        let present = crew.present.load(Ordering::Relaxed);
        if let Some(chain) = chain {
            if present > 0 {
                crew.measure_now_and_then();
            }
            if !crew.distance.pays(chain) {
                return 1;
            }
        }
        // Work that is large enough is cut for helpers that are still on their way.
        let awaited = quanta >= QUANTA_TO_RECRUIT || crew.regions.load(Ordering::Relaxed) > 0;
        if present == 0 && !awaited {
            return 1;
        }
        most_parts(threads, quanta)
    };
    // A thread that is being torn down has no crew any more.
    CREW.try_with(cut).unwrap_or(1)
}

/// Parts for helpers that are awake.
pub(super) fn most_parts(threads: usize, quanta: usize) -> usize {
    let threads = threads.min(MOST_PARTS);
    if threads < 2 || quanta < 2 {
        return 1;
    }
    if quanta >= threads * QUANTA_TO_BALANCE { (4 * threads).min(MOST_PARTS) } else { threads.min(quanta) }
}

/// Calls the helpers that are missing, and lets the first one in: a worker is often woken on the core of the thread that calls
/// it, and would wait there for the end of a time slice, 3 ms and more.
fn recruit(crew: &Arc<Crew>, threads: usize) {
    if !call_missing(crew, threads) {
        return;
    }
    let start = Instant::now();
    while crew.present.load(Ordering::Relaxed) == 0 && start.elapsed() < WELCOME {
        std::thread::yield_now();
    }
}

/// Calls the helpers that are missing, as many as the pool has workers for, and says whether there are any.
fn call_missing(crew: &Arc<Crew>, threads: usize) -> bool {
    let wanted = threads.min(rayon::current_num_threads()).saturating_sub(1);
    let missing = crew.called.load(Ordering::Relaxed)..wanted;
    if missing.is_empty() {
        return false;
    }
    crew.cores.caller_is_here();
    for _ in missing {
        crew.called.fetch_add(1, Ordering::Relaxed);
        let crew = Arc::clone(crew);
        rayon::spawn(move || crew.help());
    }
    true
}

/// See [`super::for_each`].
pub(super) fn run<F: Fn(usize) + Sync>(threads: usize, parts: usize, part: &F) {
    if BUSY.get() || parts > MOST_PARTS {
        return (0..parts).for_each(part);
    }
    BUSY.set(true);
    CREW.with(|crew| {
        let mut open = crew.open((threads - 1).min(MOST_PARTS), parts, part);
        // On a busy machine helpers may have left before this thread came here, and the parts of a region may take minutes.
        if crew.regions.load(Ordering::Relaxed) > 0 {
            call_missing(crew, threads);
        }
        while let Some(index) = open.claim() {
            part(index);
        }
    });
}

/// An open job. When dropped, also because a part of it panicked here, it closes the job and waits until no helper works
/// on it any more: the closure must outlive those who use it.
struct Open<'a> {
    crew: &'a Crew,
    parts: usize,
    /// Parts that the caller claimed.
    mine: usize,
}

impl Open<'_> {
    fn claim(&mut self) -> Option<usize> {
        let (index, _) = self.crew.claim(None)?;
        self.mine += 1;
        Some(index)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        while self.claim().is_some() {}
        let finished = || self.crew.done.load(Ordering::Acquire) + self.mine == self.parts;
        while !wait(finished) {}
        BUSY.set(false);
    }
}

impl Crew {
    /// Publishes a job for at most `seats` helpers. No other is open.
    fn open<'a, F: Fn(usize) + Sync>(&'a self, seats: usize, parts: usize, part: &'a F) -> Open<'a> {
        /// # Safety
        /// `part` is the address of a live `F`.
        unsafe fn call<F: Fn(usize)>(part: *const (), index: usize) {
            // SAFETY: the caller's debt.
            unsafe { (*part.cast::<F>())(index) };
        }
        // SAFETY: no job is open, and every part of the one before was finished before its `Open` was gone.
        unsafe { *self.job.get() = Job { part: core::ptr::from_ref(part).cast(), call: call::<F> } };
        self.done.store(0, Ordering::Relaxed);
        let epoch = Ticket::unpack(self.ticket.load(Ordering::Relaxed)).epoch + 1;
        let ticket = Ticket { epoch, joined: 0, seats: seats as u64, next: 0, parts: parts as u64 };
        self.ticket.store(ticket.pack(), Ordering::Release);
        Open { crew: self, parts, mine: 0 }
    }

    /// Measures how far a helper is that is awake, the nearest of several, where that is not known or was long ago.
    fn measure_now_and_then(&self) {
        let calls = UNMEASURED.get();
        if self.distance.is_known() && calls > 0 {
            return UNMEASURED.set(calls - 1);
        }
        UNMEASURED.set(CALLS_TO_MEASURE);
        match (0..VISITS).map_while(|_| self.visit()).min() {
            Some(time) => self.distance.set(time),
            // A helper that another process keeps from its core is taken for a near one.
            None if !self.distance.is_known() => self.distance.set(Duration::ZERO),
            None => {}
        }
    }

    /// How long a helper takes to fetch the lines of the distance from this core; `None` where no one comes.
    fn visit(&self) -> Option<Duration> {
        self.distance.fetch();
        let fetch = |_| self.distance.fetch();
        let start = Instant::now();
        let _open = self.open(1, 1, &fetch);
        while self.done.load(Ordering::Acquire) == 0 {
            if start.elapsed() > VISIT {
                return None;
            }
            spin_loop();
        }
        Some(start.elapsed())
    }

    /// The next part of the open job, and its epoch. A helper says which epoch it takes part in.
    fn claim(&self, helper: Option<u64>) -> Option<(usize, u64)> {
        let mut word = self.ticket.load(Ordering::Acquire);
        loop {
            let ticket = Ticket::unpack(word);
            let joins = helper.is_some_and(|epoch| epoch != ticket.epoch);
            if ticket.next == ticket.parts || joins && ticket.joined == ticket.seats {
                return None;
            }
            let claimed = Ticket { next: ticket.next + 1, joined: ticket.joined + u64::from(joins), ..ticket };
            match self.ticket.compare_exchange_weak(word, claimed.pack(), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some((ticket.next as usize, ticket.epoch)),
                Err(now) => word = now,
            }
        }
    }

    /// Whether parts are left.
    fn is_open(&self) -> bool {
        let ticket = Ticket::unpack(self.ticket.load(Ordering::Relaxed));
        ticket.next < ticket.parts
    }

    /// What a helper does: parts of one job after the other, until none came for a while.
    fn help(&self) {
        let _place = self.cores.settle();
        self.distance.forget();
        self.present.fetch_add(1, Ordering::Relaxed);
        let (mut epoch, mut idle) = (0, None);
        loop {
            if let Some((index, joined)) = self.claim(Some(epoch)) {
                (epoch, idle) = (joined, None);
                // SAFETY: a claimed part: its job was published before the ticket, and is not replaced until it is done.
                let job = unsafe { *self.job.get() };
                // SAFETY: the closure lives until every claimed part is done.
                unsafe { (job.call)(job.part, index) };
                self.done.fetch_add(1, Ordering::Release);
                continue;
            }
            if wait(|| self.is_open()) {
                continue;
            }
            let limit = if self.regions.load(Ordering::Relaxed) > 0 { LINGER_IN_REGION } else { LINGER };
            if idle.get_or_insert_with(Instant::now).elapsed() > limit {
                break;
            }
        }
        self.present.fetch_sub(1, Ordering::Relaxed);
        self.called.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether it is so within about a microsecond. If not, offers the core to other threads, of which one may be the one that is
/// waited for. One that does not yield would be moved to an idle core sooner by some schedulers (in 4 instead of 10 ms), but
/// until then, or where there is none, the caller would run at a fifth of its speed.
fn wait(is_so: impl Fn() -> bool) -> bool {
    for _ in 0..32 {
        if is_so() {
            return true;
        }
        spin_loop();
    }
    std::thread::yield_now();
    false
}

/// An open region of this thread.
pub(super) struct Region(Arc<Crew>);

impl Region {
    /// `None` in a thread that is being torn down.
    pub(super) fn open(threads: usize) -> Option<Self> {
        let crew = CREW.try_with(Arc::clone).ok()?;
        crew.regions.fetch_add(1, Ordering::Relaxed);
        recruit(&crew, threads);
        Some(Self(crew))
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        self.0.regions.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_helpers_get_only_long_chains() {
        CREW.with(|crew| crew.distance.set(Duration::from_micros(1)));
        let quanta = QUANTA_TO_RECRUIT;
        assert_eq!(parts(2, quanta, Some(0)), 1);
        assert_eq!(parts(2, quanta, Some(usize::MAX)), 2);
        assert_eq!(parts(2, quanta, None), 2, "a call of its own");
    }

    #[test]
    fn a_helper_is_measured_and_works_on() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("two threads");
        pool.install(|| {
            let _region = Region::open(2);
            CREW.with(|crew| {
                let start = Instant::now();
                while !crew.distance.is_known() && start.elapsed() < Duration::from_secs(20) {
                    crew.measure_now_and_then();
                }
                assert!(crew.distance.is_known());
                assert_eq!(UNMEASURED.get(), CALLS_TO_MEASURE);
            });
            let sum = AtomicUsize::new(0);
            run(2, 100, &|index| {
                sum.fetch_add(index, Ordering::Relaxed);
            });
            assert_eq!(sum.into_inner(), 4950);
        });
    }
}
