//! Axes, lines and points.
//!
//! ```text
//! y title                      100 % of …
//! ─ legend  ─ legend
//!    ┬──────────────────────────┬  limit
//!  8 ┤      ●────●───●          ├ 100 %
//!  4 ┤  ●──                     ├ 50 %
//!    └──┴───┴────┴───┴──────────┘
//!       1   2    4   8    x title
//! ```

use super::canvas::{Anchor, Area, Canvas, NORMAL, SMALL};
use super::legend::{self, Sample};
use super::scale::{Kind, Scale};
use super::text::{bytes, percent, tick, width};

/// A plot.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    /// What it shows, in a few words.
    pub(crate) title: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) series: Vec<Series>,
    /// Horizontal lines: measured limits.
    pub(crate) limits: Vec<(f64, String)>,
    /// Vertical lines: what is advised.
    pub(crate) marks: Vec<(f64, String)>,
    /// Lines that are no series, such as roofs, each with a name at its left end.
    pub(crate) roofs: Vec<(Vec<(f64, f64)>, String)>,
    /// The y that an axis on the right calls 100 %, and what it is a share of.
    pub(crate) whole: Option<(f64, String)>,
    /// Height over width of the whole picture.
    pub(crate) aspect: f64,
}

/// One direction.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    pub(crate) title: String,
    pub(crate) kind: Kind,
    /// Values up to this are shown even where there are no data.
    pub(crate) high: Option<f64>,
    /// How its numbers read.
    pub(crate) label: fn(f64) -> String,
}

/// Points of one name.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    /// Which colour and marker.
    pub(crate) colour: usize,
    /// Whether a line joins the points.
    pub(crate) joined: bool,
    pub(crate) points: Vec<Point>,
}

/// One value.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
    /// The quartiles, where they are to be seen.
    pub(crate) spread: Option<(f64, f64)>,
    pub(crate) title: String,
}

impl Axis {
    pub(crate) fn new(title: &str, kind: Kind) -> Self {
        Self { title: title.into(), kind, high: None, label: tick }
    }

    /// Counts bytes.
    pub(crate) fn of_bytes(title: &str) -> Self {
        Self { label: |count| bytes(count as usize), ..Self::new(title, Kind::Log2) }
    }

    /// Shows values up to `high` at least.
    pub(crate) fn up_to(self, high: f64) -> Self {
        Self { high: Some(high), ..self }
    }

    /// Values to mark, and their labels.
    fn ticks(&self, scale: &Scale, count: usize) -> Vec<(f64, String)> {
        scale.ticks(count).into_iter().map(|value| (value, (self.label)(value))).collect()
    }

    /// The scale for these values, from 0 on where it is linear.
    fn scale(&self, values: impl Iterator<Item = f64>, range: (f64, f64)) -> Scale {
        let shown = values.filter(|x| x.is_finite() && (self.kind == Kind::Linear || *x > 0.0));
        let (low, high) = shown.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
        let low = if self.kind == Kind::Linear { low.min(0.0) } else { low };
        let high = self.high.map_or(high, |stated| stated.max(high));
        Scale::new(self.kind, (low, high), range)
    }
}

/// Where everything goes.
struct Frame {
    area: Area,
    x: Scale,
    y: Scale,
}

impl Chart {
    /// A chart without data.
    pub(crate) fn new(title: &str, x: Axis, y: Axis) -> Self {
        let (limits, marks, roofs) = (Vec::new(), Vec::new(), Vec::new());
        Self { title: title.into(), x, y, series: Vec::new(), limits, marks, roofs, whole: None, aspect: 0.62 }
    }

    /// The picture, `width` wide.
    pub(crate) fn draw(&self, width: f64) -> Canvas {
        // On a narrow screen the rows of the legend must not press the plot flat.
        let narrow =
            if width < 480.0 { 0.85_f64.mul_add(width, legend::height(&self.legend_names(), width)) } else { 0.0 };
        let height = narrow.max(width * self.aspect);
        let mut canvas = Canvas::new(&self.title, width, height.round());
        let frame = self.frame(width, canvas.height);
        self.draw_titles(&mut canvas, &frame);
        self.draw_y(&mut canvas, &frame);
        self.draw_x(&mut canvas, &frame);
        self.draw_roofs(&mut canvas, &frame);
        self.draw_limits(&mut canvas, &frame);
        self.series.iter().for_each(|series| series.draw(&mut canvas, &frame));
        self.draw_notes(&mut canvas, &frame);
        canvas
    }

    fn names(&self) -> Vec<(&str, usize, Sample)> {
        let sample = |series: &Series| if series.joined { Sample::Line } else { Sample::Marker };
        self.series.iter().map(|series| (series.name.as_str(), series.colour, sample(series))).collect()
    }

    fn legend_names(&self) -> Vec<&str> {
        self.series.iter().map(|series| series.name.as_str()).collect()
    }

    fn frame(&self, whole_width: f64, whole_height: f64) -> Frame {
        let names = self.legend_names();
        let points = || self.series.iter().flat_map(|series| &series.points);
        let roofs = || self.roofs.iter().flat_map(|(line, _)| line);
        let above = if self.marks.is_empty() && self.limits.is_empty() { 0.0 } else { 16.0 };
        let top = 30.0 + legend::height(&names, whole_width) + above;
        let bottom = whole_height - 42.0;
        let ys = points().map(|point| point.y).chain(self.limits.iter().map(|limit| limit.0));
        let y = self.y.scale(ys.chain(roofs().map(|(_, y)| *y)), (bottom, top));
        let widest = self.y.ticks(&y, 5).iter().map(|(_, label)| width(label, SMALL)).fold(0.0, f64::max);
        let left = widest + 10.0;
        let right = whole_width - if self.whole.is_some() { 44.0 } else { 12.0 };
        let xs = points().map(|point| point.x).chain(roofs().map(|(x, _)| *x));
        let x = self.x.scale(xs, (left + 8.0, right - 8.0));
        Frame { area: Area { left, top, width: right - left, height: bottom - top }, x, y }
    }

    fn draw_titles(&self, canvas: &mut Canvas, frame: &Frame) {
        canvas.text((0.0, 13.0), Anchor::Start, ("label", NORMAL), &self.y.title);
        if let Some((_, what)) = &self.whole {
            canvas.text((canvas.width, 13.0), Anchor::End, ("label", NORMAL), what);
        }
        legend::draw(canvas, (0.0, 20.0), canvas.width, &self.names());
        let bottom = canvas.height - 5.0;
        canvas.text((frame.area.right(), bottom), Anchor::End, ("label", NORMAL), &self.x.title);
    }

    fn draw_y(&self, canvas: &mut Canvas, frame: &Frame) {
        let Area { left, .. } = frame.area;
        let right = frame.area.right();
        for (value, label) in self.y.ticks(&frame.y, 5) {
            let Some(y) = frame.y.map(value) else { continue };
            if self.whole.is_none() {
                canvas.line((left, y), (right, y), "grid");
            }
            canvas.text((left - 6.0, y + 4.0), Anchor::End, ("tick", SMALL), &label);
        }
        let Some((whole, _)) = self.whole else { return };
        for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
            let Some(y) = frame.y.map(share * whole).filter(|_| frame.y.contains(share * whole)) else { continue };
            canvas.line((left, y), (right, y), "grid");
            canvas.text((right + 6.0, y + 4.0), Anchor::Start, ("tick", SMALL), &percent(share));
        }
    }

    /// Labels of ticks are left out where they would touch.
    fn draw_x(&self, canvas: &mut Canvas, frame: &Frame) {
        let bottom = frame.area.bottom();
        canvas.line((frame.area.left, bottom), (frame.area.right(), bottom), "axis");
        let mut free = 0.0;
        for (value, label) in self.x.ticks(&frame.x, (frame.area.width / 70.0) as usize) {
            let Some(x) = frame.x.map(value) else { continue };
            canvas.line((x, bottom), (x, bottom + 4.0), "axis");
            let half = width(&label, SMALL) / 2.0;
            let x = x.min(canvas.width - half);
            if x - half >= free {
                canvas.text((x, bottom + 17.0), Anchor::Middle, ("tick", SMALL), &label);
                free = x + half + 8.0;
            }
        }
    }

    fn draw_limits(&self, canvas: &mut Canvas, frame: &Frame) {
        for y in self.limits.iter().filter_map(|(value, _)| frame.y.map(*value)) {
            canvas.line((frame.area.left, y), (frame.area.right(), y), "limit");
        }
        for x in self.marks.iter().filter_map(|(value, _)| frame.x.map(*value)) {
            canvas.line((x, frame.area.top - 6.0), (x, frame.area.bottom()), "advice");
        }
    }

    fn draw_roofs(&self, canvas: &mut Canvas, frame: &Frame) {
        for (line, _) in &self.roofs {
            let points: Vec<(f64, f64)> = line.iter().filter_map(|&point| frame.place(point)).collect();
            canvas.polyline(&points, "roof");
        }
    }

    /// The names of lines, on top of everything: of roofs above their left end, one below the other; of limits above their right end, or
    /// below the name of one that is as high.
    fn draw_notes(&self, canvas: &mut Canvas, frame: &Frame) {
        let first = |(line, name): &(Vec<(f64, f64)>, String)| Some((frame.place(*line.first()?)?, name.clone()));
        let mut roofs: Vec<((f64, f64), String)> = self.roofs.iter().filter_map(first).collect();
        roofs.sort_by(|a, b| b.0.1.total_cmp(&a.0.1));
        let mut free = f64::INFINITY;
        for ((x, y), name) in roofs {
            let at = (y - 6.0).max(frame.area.top + 10.0).min(free);
            canvas.text((x + 4.0, at), Anchor::Start, ("note", SMALL), &name);
            free = at - 14.0;
        }
        let place = |(value, name): &(f64, String)| Some((frame.y.map(*value)? - 5.0, name.clone()));
        let mut limits: Vec<(f64, String)> = self.limits.iter().filter_map(place).collect();
        limits.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut free = f64::NEG_INFINITY;
        for (y, name) in limits {
            let at = y.max(free);
            canvas.text((frame.area.right() - 4.0, at), Anchor::End, ("note", SMALL), &name);
            free = at + 13.0;
        }
        for (value, name) in &self.marks {
            let Some(x) = frame.x.map(*value) else { continue };
            canvas.text((x, frame.area.top - 9.0), Anchor::Middle, ("strong", NORMAL), name);
        }
    }
}

impl Frame {
    fn place(&self, (x, y): (f64, f64)) -> Option<(f64, f64)> {
        Some((self.x.map(x)?, self.y.map(y)?))
    }
}

impl Series {
    pub(crate) fn line(name: impl Into<String>, colour: usize, points: Vec<Point>) -> Self {
        Self { name: name.into(), colour, joined: true, points }
    }

    pub(crate) fn scatter(name: impl Into<String>, colour: usize, points: Vec<Point>) -> Self {
        Self { name: name.into(), colour, joined: false, points }
    }

    fn draw(&self, canvas: &mut Canvas, frame: &Frame) {
        let place = |point: &Point| frame.place((point.x, point.y));
        let places: Vec<(f64, f64)> = self.points.iter().filter_map(place).collect();
        if self.joined && places.len() > 1 {
            canvas.polyline(&places, &format!("series c{}", self.colour));
        }
        for point in &self.points {
            let Some((x, y)) = place(point) else { continue };
            if let Some((low, high)) = point.spread
                && let (Some(low), Some(high)) = (frame.y.map(low), frame.y.map(high))
            {
                let [low, high] = [low, high].map(|y| y.clamp(frame.area.top, frame.area.bottom()));
                canvas.line((x, low), (x, high), &format!("spread c{}", self.colour));
            }
            canvas.marker(self.colour, (x, y), &point.title);
        }
    }
}

impl Point {
    pub(crate) fn new(x: f64, y: f64, title: String) -> Self {
        Self { x, y, spread: None, title }
    }
}
