//! A matrix of shades: one cell for each pair.

use super::canvas::{Anchor, Area, Canvas, NORMAL, SMALL};
use super::text::{percent, width};

/// Shades of [`super::STYLE`], from `h0` to `h9`.
pub(crate) const SHADES: usize = 10;
/// From this shade on, text has the colour of the background.
const ON_DARK: usize = 6;

/// A heat map of shares from 0 to 1.
#[derive(Clone, Debug)]
pub(crate) struct Heat {
    /// What it shows, in a few words.
    pub(crate) title: String,
    pub(crate) x_title: String,
    pub(crate) y_title: String,
    pub(crate) columns: Vec<String>,
    /// The first is at the bottom.
    pub(crate) rows: Vec<String>,
    /// Share of a cell by row and column, and what the pointer shows.
    pub(crate) cells: Vec<Vec<Option<(f64, String)>>>,
    /// What the shades are shares of.
    pub(crate) legend: String,
}

impl Heat {
    /// The picture, `width` wide.
    pub(crate) fn draw(&self, whole: f64) -> Canvas {
        let left = self.rows.iter().map(|row| width(row, SMALL)).fold(0.0, f64::max) + 8.0;
        let (count, top) = (self.columns.len().max(1) as f64, 62.0);
        let side = (whole - left) / count;
        let height = (side * 0.62).max(16.0);
        let bottom = top + height * self.rows.len() as f64;
        let mut canvas = Canvas::new(&self.title, whole, bottom + 40.0);
        canvas.text((0.0, 13.0), Anchor::Start, ("label", NORMAL), &self.legend);
        draw_key(&mut canvas);
        canvas.text((0.0, top - 8.0), Anchor::Start, ("label", NORMAL), &self.y_title);
        let mut place = |row: usize, column: usize, (share, title): &(f64, String)| {
            let y = bottom - height * (row as f64 + 1.0);
            let x = left + side * column as f64;
            let shade = shade(*share);
            canvas.rect(Area { left: x, top: y, width: side - 1.0, height: height - 1.0 }, &format!("h{shade}"), title);
            let text = format!("{:.0}", 100.0 * share);
            if width(&text, SMALL) + 4.0 < side {
                let class = if shade >= ON_DARK { "on-dark" } else { "on-light" };
                canvas.text((x + side / 2.0 - 0.5, y + height / 2.0 + 3.5), Anchor::Middle, (class, SMALL), &text);
            }
        };
        for (row, cells) in self.cells.iter().enumerate() {
            for (column, cell) in cells.iter().enumerate() {
                if let Some(cell) = cell {
                    place(row, column, cell);
                }
            }
        }
        for (row, label) in self.rows.iter().enumerate() {
            let y = bottom - height * (row as f64 + 0.5) + 3.5;
            canvas.text((left - 6.0, y), Anchor::End, ("tick", SMALL), label);
        }
        let mut free = left - 20.0;
        for (column, label) in self.columns.iter().enumerate() {
            let (x, half) = (left + side * (column as f64 + 0.5), width(label, SMALL) / 2.0);
            if x - half > free {
                canvas.text((x, bottom + 15.0), Anchor::Middle, ("tick", SMALL), label);
                free = x + half + 5.0;
            }
        }
        canvas.text((whole, bottom + 34.0), Anchor::End, ("label", NORMAL), &self.x_title);
        canvas
    }
}

/// The key of the shades.
fn draw_key(canvas: &mut Canvas) {
    for shade in 0..SHADES {
        let area = Area { left: 32.0 + 16.0 * shade as f64, top: 22.0, width: 15.0, height: 10.0 };
        let (low, high) = (shade as f64 / SHADES as f64, (shade + 1) as f64 / SHADES as f64);
        canvas.rect(area, &format!("h{shade}"), &format!("{} to {}", percent(low), percent(high)));
    }
    canvas.text((26.0, 31.0), Anchor::End, ("tick", SMALL), &percent(0.0));
    canvas.text((38.0 + 16.0 * SHADES as f64, 31.0), Anchor::Start, ("tick", SMALL), &percent(1.0));
}

/// The shade of a share; what exceeds the limit has the last one.
pub(crate) fn shade(share: f64) -> usize {
    ((share * SHADES as f64).max(0.0) as usize).min(SHADES - 1)
}
