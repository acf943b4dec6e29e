//! What was measured, as a table for people and as JSON for programs.

use crate::grid::Shape;
use serde_json::{Value, json};
use std::fmt;

/// One shape.
pub struct Row<'a> {
    /// What was multiplied.
    pub shape: &'a Shape,
    /// Median GFLOP/s of FMA chains in the same rounds.
    pub peak: f64,
    /// Name and median seconds of a call of each contestant: ours, then the rivals that were right.
    pub times: Vec<(String, f64)>,
    /// Rivals that were wrong or panicked, and how.
    pub dropped: Vec<(String, String)>,
}

/// All shapes for one element type and number of threads.
pub struct Section<'a> {
    /// Element type.
    pub element: &'static str,
    /// Threads of the pool.
    pub threads: usize,
    /// In the order of the grid.
    pub rows: Vec<Row<'a>>,
}

/// Ratios of one section: speed of ours over that of a rival, so more than 1 is faster.
struct Ratios {
    /// Whom ours is compared with.
    rival: String,
    /// The shape and its ratio.
    ratios: Vec<(String, f64)>,
}

impl Row<'_> {
    /// GFLOP/s of a contestant.
    fn rate(&self, seconds: f64) -> f64 {
        self.shape.flops() / seconds / 1e9
    }

    /// Percent of the peak that a contestant reaches.
    fn share(&self, seconds: f64) -> f64 {
        100.0 * self.rate(seconds) / self.peak
    }

    /// Seconds of ours.
    fn ours(&self) -> f64 {
        self.times[0].1
    }

    /// The fastest rival, if any was right.
    fn best(&self) -> Option<&(String, f64)> {
        self.times[1..].iter().min_by(|x, y| x.1.total_cmp(&y.1))
    }

    /// Everything that was measured.
    fn json(&self) -> Value {
        let shape = self.shape;
        let contestant = |(name, seconds): &(String, f64)| {
            json!({
                "name": name,
                "seconds": seconds,
                "gflops": self.rate(*seconds),
                "percent_of_peak": self.share(*seconds),
            })
        };
        let dropped = |(name, reason): &(String, String)| json!({ "name": name, "reason": reason });
        json!({
            "name": shape.name,
            "m": shape.m,
            "n": shape.n,
            "k": shape.k,
            "layout": shape.layout(),
            "peak_gflops": self.peak,
            "contestants": self.times.iter().map(contestant).collect::<Vec<_>>(),
            "best_rival": self.best().map(|(name, _)| name),
            "ratio_to_best": self.best().map(|(_, seconds)| seconds / self.ours()),
            "dropped": self.dropped.iter().map(dropped).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shape { name, m, n, k, .. } = self.shape;
        let (size, ours) = (format!("{m}x{n}x{k}"), self.ours());
        let (rate, share, peak) = (self.rate(ours), self.share(ours), self.peak);
        write!(f, "{name:26} {size:15} {} {rate:8.1} {share:6.1} % of {peak:6.1}", self.shape.layout())?;
        if let Some((rival, seconds)) = self.best() {
            write!(f, "   {rival:16} {:6.1} % {:6.2} x", self.share(*seconds), seconds / ours)?;
        }
        self.dropped.iter().try_for_each(|(name, reason)| write!(f, "\n  {name} is left out: {reason}"))
    }
}

impl Section<'_> {
    /// Names the columns of [`Row`].
    pub fn header(&self) -> String {
        let title = format!("{}, threads: {}", self.element, self.threads);
        let size = "m x n x k";
        format!("{title:26} {size:18}  GFLOP/s     of FMA peak   best rival       of peak  ours / best")
    }

    /// Against the best of each shape, and against every rival.
    fn ratios(&self) -> (Ratios, Vec<Ratios>) {
        let mut best = Ratios::new("best rival");
        let mut each: Vec<Ratios> = Vec::new();
        for row in &self.rows {
            for (name, seconds) in &row.times[1..] {
                if !each.iter().any(|ratios| ratios.rival == *name) {
                    each.push(Ratios::new(name));
                }
                let ratios = each.iter_mut().find(|ratios| ratios.rival == *name).expect("it was added");
                ratios.push(row, *seconds);
            }
            if let Some((_, seconds)) = row.best() {
                best.push(row, *seconds);
            }
        }
        (best, each)
    }

    /// The summary in lines.
    pub fn summary(&self) -> String {
        let (best, each) = self.ratios();
        let title = format!("summary of {}, threads: {}\n", self.element, self.threads);
        std::iter::once(&best).chain(&each).fold(title, |text, ratios| text + &format!("  {ratios}\n"))
    }

    /// Everything that was measured.
    pub fn json(&self) -> Value {
        let (best, each) = self.ratios();
        json!({
            "type": self.element,
            "threads": self.threads,
            "shapes": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
            "summary": { "best": best.json(), "rivals": each.iter().map(Ratios::json).collect::<Vec<_>>() },
        })
    }
}

impl Ratios {
    /// Of no shape yet.
    fn new(rival: &str) -> Self {
        Self { rival: rival.into(), ratios: Vec::new() }
    }

    /// Adds a shape for which the rival took so many seconds.
    fn push(&mut self, row: &Row, seconds: f64) {
        self.ratios.push((row.shape.name.clone(), seconds / row.ours()));
    }

    /// Geometric mean.
    fn mean(&self) -> f64 {
        (self.ratios.iter().map(|(_, ratio)| ratio.ln()).sum::<f64>() / self.ratios.len() as f64).exp()
    }

    /// Number of shapes on which ours is at least as fast.
    fn wins(&self) -> usize {
        self.ratios.iter().filter(|(_, ratio)| *ratio >= 1.0).count()
    }

    /// The shape on which ours is furthest behind.
    fn least(&self) -> Option<&(String, f64)> {
        self.ratios.iter().min_by(|x, y| x.1.total_cmp(&y.1))
    }

    /// All of it.
    fn json(&self) -> Value {
        let (shape, ratio) = self.least().cloned().unzip();
        json!({
            "rival": self.rival,
            "shapes": self.ratios.len(),
            "geometric_mean": self.mean(),
            "wins": self.wins(),
            "least_ratio": ratio,
            "least_ratio_shape": shape,
        })
    }
}

impl fmt::Display for Ratios {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((shape, least)) = self.least() else {
            return write!(f, "{}: no shapes", self.rival);
        };
        let (wins, count) = (self.wins(), self.ratios.len());
        let share = 100.0 * wins as f64 / count as f64;
        write!(f, "{:16} geometric mean {:6.2} x, ", self.rival, self.mean())?;
        write!(f, ">= 1.00 x on {wins} of {count} ({share:.0} %), least {least:.2} x on {shape}")
    }
}
