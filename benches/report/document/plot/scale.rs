//! From data to picture.

/// A map of an interval of data onto an interval of the picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    pub(crate) kind: Kind,
    /// Data at both ends; the first is the smaller one.
    pub(crate) domain: (f64, f64),
    /// Picture at both ends.
    pub(crate) range: (f64, f64),
}

/// How steps of data become steps of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Equal differences.
    Linear,
    /// Equal ratios, ticks at 1, 2, 5 of each decade.
    Log,
    /// Equal ratios, ticks at powers of two.
    Log2,
}

impl Scale {
    /// A scale whose domain is never empty.
    pub(crate) fn new(kind: Kind, (low, high): (f64, f64), range: (f64, f64)) -> Self {
        let (mut low, mut high) = (low, high);
        if kind != Kind::Linear {
            low = if low > 0.0 && low.is_finite() { low } else { 1.0 };
        } else if !low.is_finite() {
            low = 0.0;
        }
        if !(high.is_finite() && high > low) {
            high = if kind == Kind::Linear { low + 1.0 } else { 2.0 * low };
        }
        Self { kind, domain: (low, high), range }
    }

    /// Where a value is in the picture; nothing for what cannot be shown, such as 0 on a logarithmic scale.
    pub(crate) fn map(&self, x: f64) -> Option<f64> {
        let share = self.share(x);
        share.is_finite().then_some(self.range.0 + share * (self.range.1 - self.range.0))
    }

    /// Whether the domain has a value, with a little tolerance for rounding: of the picture, for on a logarithmic scale a little of the
    /// greatest value can be all of the least.
    pub(crate) fn contains(&self, x: f64) -> bool {
        (-1e-9..=1.0 + 1e-9).contains(&self.share(x))
    }

    /// 0 at the low end of the domain, 1 at the high one.
    fn share(&self, x: f64) -> f64 {
        let transform = |x: f64| if self.kind == Kind::Linear { x } else { x.ln() };
        let [low, high, x] = [self.domain.0, self.domain.1, x].map(transform);
        (x - low) / (high - low)
    }

    /// Values to mark, about `count` of them; powers of two: every one.
    pub(crate) fn ticks(&self, count: usize) -> Vec<f64> {
        let (low, high) = self.domain;
        match self.kind {
            Kind::Linear => {
                let step = nice((high - low) / count.max(1) as f64);
                let first = (low / step).ceil() as i64;
                (first..).map(|i| i as f64 * step).take_while(|&x| self.contains(x)).collect()
            }
            Kind::Log2 => {
                let first = low.log2().ceil() as i32;
                (first..).map(|power| 2_f64.powi(power)).take_while(|&x| self.contains(x)).collect()
            }
            Kind::Log => {
                let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
                let steps: &[f64] = if (last - first) as usize > count { &[1.0] } else { &[1.0, 2.0, 5.0] };
                let all = (first..=last).flat_map(|power| steps.iter().map(move |step| step * 10_f64.powi(power)));
                all.filter(|&x| self.contains(x)).collect()
            }
        }
    }
}

/// The next of 1, 2, 5, 10, … from `step` on.
fn nice(step: f64) -> f64 {
    let decade = 10_f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0]
        .map(|factor| factor * decade)
        .into_iter()
        .find(|&nice| nice >= 0.999 * step)
        .unwrap_or(10.0 * decade)
}
