//! Plots as SVG: one picture is one string. Colours are classes, which [`STYLE`] defines for light and dark;
//! sizes are in units that are shown as pixels.
//!
//! ```text
//! text     what a text measures, and how numbers read
//! scale    data → picture: linear and logarithmic, with ticks
//! canvas   lines, rectangles, markers and labels; remembers where its labels are
//! legend   names of series, in rows
//! chart    axes, lines and points
//! heat     a matrix of shades
//! bars     one bar a row
//! ```

pub(crate) mod bars;
pub(crate) mod canvas;
pub(crate) mod chart;
pub(crate) mod heat;
mod legend;
pub(crate) mod scale;
pub(crate) mod text;

/// Colours and fonts of all plots.
pub(crate) const STYLE: &str = include_str!("plot.css");
