//! What plots are drawn on.

use super::STYLE;
use super::text::{coordinate, escape, width};
use std::fmt::Write;

/// Font sizes; `plot.css` has the same.
pub(crate) const SMALL: f64 = 11.0;
pub(crate) const NORMAL: f64 = 12.0;

/// Around a picture that stands alone.
const MARGIN: f64 = 16.0;

/// A picture in the making.
pub(crate) struct Canvas {
    /// What a screen reader says.
    title: String,
    pub(crate) width: f64,
    pub(crate) height: f64,
    body: String,
    labels: Vec<Label>,
}

/// Where a text is, by the estimate of [`width`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Label {
    pub(crate) text: String,
    pub(crate) left: f64,
    pub(crate) right: f64,
    pub(crate) top: f64,
    pub(crate) bottom: f64,
}

/// Which point of a text its x is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// A corner and two sides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Area {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Label {
    /// By more than a unit, which estimates of widths are good for.
    fn overlaps(&self, other: &Self) -> bool {
        let width = self.right.min(other.right) - self.left.max(other.left);
        let height = self.bottom.min(other.bottom) - self.top.max(other.top);
        width > 1.0 && height > 1.0
    }
}

impl Area {
    pub(crate) fn right(&self) -> f64 {
        self.left + self.width
    }

    pub(crate) fn bottom(&self) -> f64 {
        self.top + self.height
    }
}

impl Canvas {
    pub(crate) fn new(title: &str, width: f64, height: f64) -> Self {
        Self { title: title.into(), width, height, body: String::new(), labels: Vec::new() }
    }

    /// An `.svg` file of its own: with its style, a background, and a margin.
    pub(crate) fn standalone(&self) -> String {
        let [width, height] = [self.width, self.height].map(|side| coordinate(side + 2.0 * MARGIN));
        let (title, margin, style) = (escape(&self.title), coordinate(MARGIN), STYLE.replace(":root", "svg"));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" \
             aria-label=\"{title}\">\n<style>\n{style}</style>\n<rect width=\"100%\" height=\"100%\" rx=\"8\" class=\"surface\"/>\n\
             <g transform=\"translate({margin} {margin})\">{}</g>\n</svg>\n",
            self.body
        )
    }

    /// The SVG element.
    pub(crate) fn svg(&self) -> String {
        let (width, height) = (coordinate(self.width), coordinate(self.height));
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="{}">{}</svg>"#,
            escape(&self.title),
            self.body
        )
    }

    /// Labels that leave the picture, or lie on one another.
    pub(crate) fn misplaced(&self) -> Vec<&Label> {
        let is_outside = |a: &Label| a.left < 0.0 || a.top < 0.0 || a.right > self.width || a.bottom > self.height;
        let is_covered = |at: usize, a: &Label| self.labels[..at].iter().any(|b| a.overlaps(b));
        let all = self.labels.iter().enumerate();
        all.filter(|(at, label)| is_outside(label) || is_covered(*at, label)).map(|(_, label)| label).collect()
    }

    fn push(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing into text does not fail.
        let _ = self.body.write_fmt(element);
    }

    /// A text whose baseline is at y. What would leave the picture is moved back into it.
    pub(crate) fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, (class, size): (&str, f64), text: &str) {
        if text.is_empty() {
            return;
        }
        let length = width(text, size);
        let before = match anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => length / 2.0,
            Anchor::End => length,
        };
        let left = (x - before).min(self.width - length).max(0.0);
        let x = left + before;
        let name = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let label =
            Label { text: text.into(), left, right: left + length, top: y - 0.8 * size, bottom: y + 0.25 * size };
        self.labels.push(label);
        let (x, y, text) = (coordinate(x), coordinate(y), escape(text));
        self.push(format_args!(r#"<text x="{x}" y="{y}" text-anchor="{name}" class="{class}">{text}</text>"#));
    }

    pub(crate) fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), class: &str) {
        let [x1, y1, x2, y2] = [x1, y1, x2, y2].map(coordinate);
        self.push(format_args!(r#"<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" class="{class}"/>"#));
    }

    pub(crate) fn polyline(&mut self, points: &[(f64, f64)], class: &str) {
        let points: Vec<String> = points.iter().map(|&(x, y)| format!("{},{}", coordinate(x), coordinate(y))).collect();
        self.push(format_args!(r#"<polyline points="{}" class="{class}"/>"#, points.join(" ")));
    }

    pub(crate) fn rect(&mut self, area: Area, class: &str, title: &str) {
        let [x, y, width, height] = [area.left, area.top, area.width.max(0.0), area.height.max(0.0)].map(coordinate);
        let title = hover(title);
        self.push(format_args!(
            r#"<rect x="{x}" y="{y}" width="{width}" height="{height}" class="{class}">{title}</rect>"#
        ));
    }

    /// A mark of series `index`: its shape tells it apart without colours.
    pub(crate) fn marker(&mut self, index: usize, (x, y): (f64, f64), title: &str) {
        let title = hover(title);
        let class = format!("mark c{index}");
        let r = 3.6;
        let polygon = |points: &[(f64, f64)]| {
            let points: Vec<String> = points
                .iter()
                .map(|(dx, dy)| format!("{},{}", coordinate(x + r * dx), coordinate(y + r * dy)))
                .collect();
            format!(r#"<polygon points="{}" class="{class}">{title}</polygon>"#, points.join(" "))
        };
        let shape = match index % 6 {
            0 => {
                let [x, y, r] = [x, y, r].map(coordinate);
                format!(r#"<circle cx="{x}" cy="{y}" r="{r}" class="{class}">{title}</circle>"#)
            }
            1 => polygon(&[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]),
            2 => polygon(&[(0.0, -1.25), (1.15, 0.85), (-1.15, 0.85)]),
            3 => polygon(&[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)]),
            4 => polygon(&[(0.0, 1.25), (1.15, -0.85), (-1.15, -0.85)]),
            _ => polygon(&[(-1.25, -0.5), (1.25, -0.5), (1.25, 0.5), (-1.25, 0.5)]),
        };
        self.push(format_args!("{shape}"));
    }
}

/// What the pointer shows.
fn hover(title: &str) -> String {
    if title.is_empty() { String::new() } else { format!("<title>{}</title>", escape(title)) }
}
