//! Names of series, in as many rows as the width takes.

use super::canvas::{Anchor, Area, Canvas, NORMAL};
use super::text::width;

const ROW: f64 = 19.0;
/// From the left end of a sample to its name, and from a name to the next sample.
const SAMPLE: f64 = 26.0;
const GAP: f64 = 16.0;

/// What the sample of a name looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sample {
    Line,
    Marker,
    Bar,
}

/// Height of the rows.
pub(super) fn height(names: &[&str], room: f64) -> f64 {
    rows(names, room).iter().map(|(row, _)| row + 1).max().unwrap_or(0) as f64 * ROW
}

/// Row and x of each name.
fn rows(names: &[&str], room: f64) -> Vec<(usize, f64)> {
    let (mut row, mut x) = (0, 0.0);
    let place = |name: &&str| {
        let length = SAMPLE + width(name, NORMAL);
        if x > 0.0 && x + length > room {
            (row, x) = (row + 1, 0.0);
        }
        let here = (row, x);
        x += length + GAP;
        here
    };
    names.iter().map(place).collect()
}

/// Draws them from (`left`, `top`) on. Each name comes with its colour and sample.
pub(super) fn draw(canvas: &mut Canvas, (left, top): (f64, f64), room: f64, entries: &[(&str, usize, Sample)]) {
    let names: Vec<&str> = entries.iter().map(|(name, ..)| *name).collect();
    for ((row, x), &(name, colour, sample)) in rows(&names, room).into_iter().zip(entries) {
        let (x, y) = (left + x, top + row as f64 * ROW + 0.5 * ROW);
        if sample == Sample::Line {
            canvas.line((x, y), (x + 20.0, y), &format!("series c{colour}"));
        }
        if sample == Sample::Bar {
            let area = Area { left: x, top: y - 5.0, width: 20.0, height: 10.0 };
            canvas.rect(area, &format!("bar c{colour}"), "");
        } else {
            canvas.marker(colour, (x + 10.0, y), "");
        }
        canvas.text((x + SAMPLE, y + 4.0), Anchor::Start, ("label", NORMAL), name);
    }
}
