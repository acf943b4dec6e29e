//! One bar a row, with its name at the left and its value at the right.

use super::canvas::{Anchor, Area, Canvas, NORMAL, SMALL};
use super::legend::{self, Sample};
use super::text::width;

const ROW: f64 = 22.0;

/// A list of bars.
#[derive(Clone, Debug)]
pub(crate) struct Bars {
    /// What it shows, in a few words.
    pub(crate) title: String,
    /// What the length is.
    pub(crate) unit: String,
    /// What the colours stand for, where there are several.
    pub(crate) legend: Vec<(String, usize)>,
    /// The value of a whole row, which a line marks; else that of the longest bar.
    pub(crate) whole: Option<f64>,
    pub(crate) rows: Vec<Bar>,
}

/// A row.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) label: String,
    pub(crate) title: String,
    pub(crate) colour: usize,
}

impl Bars {
    /// The picture, `width` wide.
    pub(crate) fn draw(&self, whole: f64) -> Canvas {
        let longest = |text: fn(&Bar) -> &str| self.rows.iter().map(|bar| width(text(bar), SMALL)).fold(0.0, f64::max);
        let left = longest(|bar| &bar.name) + 8.0;
        let right = (whole - longest(|bar| &bar.label) - 8.0).max(left);
        let most = self.rows.iter().map(|bar| bar.value).filter(|value| value.is_finite()).fold(0.0, f64::max);
        let limit = self.whole.map_or(most, |limit| limit.max(most)).max(f64::MIN_POSITIVE);
        let names: Vec<&str> = self.legend.iter().map(|(name, _)| name.as_str()).collect();
        let entries: Vec<_> = self.legend.iter().map(|(name, colour)| (name.as_str(), *colour, Sample::Bar)).collect();
        let top = 24.0 + legend::height(&names, whole);
        let mut canvas = Canvas::new(&self.title, whole, top + ROW * self.rows.len() as f64 + 4.0);
        canvas.text((0.0, 13.0), Anchor::Start, ("label", NORMAL), &self.unit);
        legend::draw(&mut canvas, (0.0, 20.0), whole, &entries);
        let length = |value: f64| ((right - left) * (value / limit)).clamp(0.0, right - left);
        if let Some(value) = self.whole {
            let x = left + length(value);
            canvas.line((x, top - 4.0), (x, canvas.height - 4.0), "limit");
        }
        for (row, bar) in self.rows.iter().enumerate() {
            let y = top + ROW * row as f64;
            canvas.text((left - 8.0, y + 14.0), Anchor::End, ("tick", SMALL), &bar.name);
            let width = if bar.value.is_finite() { length(bar.value) } else { 0.0 };
            let area = Area { left, top: y + 3.0, width, height: ROW - 8.0 };
            canvas.rect(area, &format!("bar c{}", bar.colour), &bar.title);
            canvas.text((left + width + 6.0, y + 14.0), Anchor::Start, ("note", SMALL), &bar.label);
        }
        canvas
    }
}
