//! Plots of figures as SVG without external resources.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::table::digits;

const WIDTH: f64 = 760.0;
/// The left edge of the plot; the labels are left of it.
const LEFT: f64 = 250.0;
const RIGHT: f64 = WIDTH - 70.0;
const TOP: f64 = 76.0;
/// Grey for the comparison, then blue, orange and green, which people with red-green blindness can
/// distinguish.
const COLOURS: [&str; 4] = ["#9aa0a8", "#2f6fde", "#d9822b", "#3a9a7c"];

/// A plot, and its file name in `docs/plots`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Plot {
    pub(crate) file: String,
    pub(crate) title: String,
    /// The quantity of the axis, with its unit.
    pub(crate) axis: String,
    /// The names of the series, each with its own colour.
    pub(crate) series: Vec<String>,
    pub(crate) kind: Kind,
}

/// The kind of plot.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A bar for each series in each group; a line across all at `mark`.
    Bars { groups: Vec<(String, Vec<Option<f64>>)>, mark: Option<f64> },
    /// The share of each series' samples that is at or below a value; the axis is logarithmic.
    Shares(Vec<Vec<f64>>),
}

impl Plot {
    /// The picture.
    pub(crate) fn svg(&self) -> String {
        let (body, height) = match &self.kind {
            Kind::Bars { groups, mark } => bars(groups, *mark),
            Kind::Shares(series) => shares(series),
        };
        let mut svg = format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" font-family="system-ui, sans-serif" font-size="13" fill="#22262b">
<rect width="{WIDTH}" height="{height}" rx="6" fill="#ffffff"/>
<text x="16" y="26" font-size="16" font-weight="600">{}</text>
"##,
            escaped(&self.title)
        );
        let mut x = 16.0;
        for (name, colour) in self.series.iter().zip(COLOURS) {
            let _ = writeln!(
                svg,
                r#"<rect x="{x}" y="41" width="12" height="12" rx="2" fill="{colour}"/><text x="{}" y="52">{}</text>"#,
                x + 18.0,
                escaped(name)
            );
            x += 40.0 + 7.0 * name.chars().count() as f64;
        }
        let _ = writeln!(
            svg,
            r##"{body}<text x="{RIGHT}" y="{}" text-anchor="end" fill="#5b6169">{}</text>
</svg>"##,
            height - 10.0,
            escaped(&self.axis)
        );
        svg
    }
}

fn bars(groups: &[(String, Vec<Option<f64>>)], mark: Option<f64>) -> (String, f64) {
    const BAR: f64 = 15.0;
    let values = groups.iter().flat_map(|(_, values)| values.iter().flatten().copied());
    let most = values.chain(mark).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let at = |value: f64| LEFT + (RIGHT - LEFT) * value / most;
    let mut body = String::new();
    let mut y = TOP;
    for (label, values) in groups {
        let shown = values.iter().flatten().count() as f64;
        let middle = y + shown * BAR / 2.0 + 4.5;
        let _ =
            writeln!(body, r#"<text x="{}" y="{middle:.1}" text-anchor="end">{}</text>"#, LEFT - 10.0, escaped(label));
        for (value, colour) in values.iter().zip(COLOURS).filter_map(|(value, colour)| Some(((*value)?, colour))) {
            let _ = writeln!(
                body,
                r#"<rect x="{LEFT}" y="{y}" width="{:.1}" height="{}" fill="{colour}"/><text x="{:.1}" y="{}" font-size="11">{}</text>"#,
                (at(value) - LEFT).max(1.0),
                BAR - 2.0,
                at(value) + 5.0,
                y + BAR - 4.5,
                digits(value)
            );
            y += BAR;
        }
        y += 11.0;
    }
    if let Some(mark) = mark {
        let _ = writeln!(
            body,
            r##"<line x1="{x:.1}" x2="{x:.1}" y1="{}" y2="{y}" stroke="#22262b" stroke-dasharray="4 3"/>"##,
            TOP - 6.0,
            x = at(mark)
        );
    }
    let _ = writeln!(body, r##"<line x1="{LEFT}" x2="{LEFT}" y1="{}" y2="{y}" stroke="#22262b"/>"##, TOP - 6.0);
    (body, y + 28.0)
}

fn shares(series: &[Vec<f64>]) -> (String, f64) {
    const LEFT: f64 = 60.0;
    const BOTTOM: f64 = TOP + 280.0;
    let all = || series.iter().flatten().copied().filter(|value| *value > 0.0);
    let (low, high) = (all().fold(f64::INFINITY, f64::min) * 0.9, all().fold(0.0, f64::max) * 1.1);
    let at = |value: f64| LEFT + (RIGHT - LEFT) * (value / low).ln() / (high / low).ln();
    let up = |part: f64| BOTTOM - (BOTTOM - TOP) * part;
    let mut body = String::new();
    for part in [0.0, 0.25, 0.5, 0.75, 0.99] {
        let _ = writeln!(
            body,
            r##"<line x1="{LEFT}" x2="{RIGHT}" y1="{y:.1}" y2="{y:.1}" stroke="#e3e5e8"/><text x="{}" y="{:.1}" text-anchor="end" font-size="11">{:.0} %</text>"##,
            LEFT - 8.0,
            up(part) + 4.0,
            part * 100.0,
            y = up(part)
        );
    }
    let ticks = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0];
    for tick in ticks.into_iter().filter(|tick| (low..=high).contains(tick)) {
        let _ = writeln!(
            body,
            r##"<line x1="{x:.1}" x2="{x:.1}" y1="{TOP}" y2="{BOTTOM}" stroke="#e3e5e8"/><text x="{x:.1}" y="{}" text-anchor="middle" font-size="11">{tick}</text>"##,
            BOTTOM + 17.0,
            x = at(tick)
        );
    }
    for (samples, colour) in series.iter().zip(COLOURS) {
        let mut samples: Vec<f64> = samples.iter().copied().filter(|value| *value > 0.0).collect();
        samples.sort_by(f64::total_cmp);
        let mut points = String::new();
        for (number, value) in samples.iter().enumerate() {
            let part = |number: usize| number as f64 / samples.len() as f64;
            let _ = write!(points, "{:.1},{:.1} {0:.1},{:.1} ", at(*value), up(part(number)), up(part(number + 1)));
        }
        let _ = writeln!(body, r#"<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>"#);
    }
    (body, BOTTOM + 50.0)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
