//! Texts that command lines and checkpoints hold: refused with the text in the message, or a value that writes itself.

use arbitrary::Arbitrary;
use core::fmt::{Debug, Display};
use core::str::FromStr;
use roofline::nn::{Progress, Regime, Rule, Schedule};
use roofline::{Backend, Error, Isa};

#[derive(Arbitrary, Debug)]
pub struct Plan<'a> {
    progress: [u64; 3],
    alpha0: f64,
    /// A constant of the rule, by name.
    constant: f64,
    text: &'a str,
}

impl Plan<'_> {
    /// Panics unless every parser refuses the text or understands it.
    pub fn run(&self) {
        let text = self.text;
        written_and_read::<Isa>(text);
        written_and_read::<Backend>(text);
        if let Some(regime) = written_and_read::<Regime>(text) {
            let m = self.progress[0] as usize;
            let size = regime.size(m);
            assert_eq!(size.is_ok(), m > 0, "{self:?}");
            assert!(size.is_err() || (1..=m).contains(&size.expect("it is")), "{self:?}");
        }
        if let Some(rule) = written_and_read::<Rule>(text) {
            rule.check().expect("it was read");
            for name in ["beta", "beta1", "beta2", "epsilon", text] {
                if let Ok(changed) = rule.with(name, self.constant) {
                    assert_eq!(changed.to_string().parse(), Ok(changed), "{self:?}");
                }
            }
        }
        if let Some(schedule) = written_and_read::<Schedule>(text) {
            self.check_rate(schedule);
        }
    }

    /// A learning rate is a number from 0 on, and at most α₀ but for what k adds.
    fn check_rate(&self, schedule: Schedule) {
        schedule.check().expect("it was read");
        let [epoch, step, total_steps] = self.progress;
        let rates = [Progress { epoch, step, total_steps }, Progress::at(step, epoch, total_steps)]
            .map(|progress| schedule.learning_rate(self.alpha0, progress));
        for rate in rates {
            let Ok(rate) = rate else {
                assert!(matches!(schedule, Schedule::Cosine { .. }), "{self:?}: {rate:?}");
                continue;
            };
            if !(0.0..1e300).contains(&self.alpha0) {
                continue;
            }
            assert!(rate >= 0.0, "{self:?}: {rate}");
            let has_factor = matches!(schedule, Schedule::SqrtEpoch { .. } | Schedule::SqrtStep { .. });
            // A cosine may round up.
            assert!(has_factor || rate <= self.alpha0 * (1.0 + 4.0 * f64::EPSILON), "{self:?}: {rate}");
        }
    }
}

/// The value of the text, which writes a text that is read as the same value; `None` where it is refused.
fn written_and_read<V: FromStr<Err = Error> + Display + Debug + PartialEq>(text: &str) -> Option<V> {
    match text.parse::<V>() {
        Ok(value) => {
            assert_eq!(value.to_string().parse().as_ref(), Ok(&value), "{text:?}");
            Some(value)
        }
        Err(error @ Error::OutOfRange { .. }) => {
            assert!(!error.to_string().is_empty());
            None
        }
        Err(error) => {
            assert!(error.to_string().contains(text), "{error}");
            None
        }
    }
}
