//! Measured figures and their budgets: a table for people, JSON for programs and for the pages in
//! `docs/`.

use std::{fmt::Write, fs, io, path::Path};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::plot::Plot;

/// The budget of a figure.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Budget {
    /// At most this multiple of the other side's figure.
    AtMostTimes(f64),
    /// At least this multiple of the other side's figure.
    AtLeastTimes(f64),
    /// At most this value, in the row's unit.
    AtMost(f64),
    /// At most this much more than the other side's figure, in the row's unit.
    AtMostMore(f64),
    /// At most this multiple of the other side's figure, or at most this much more, in the row's unit.
    AtMostTimesOrMore(f64, f64),
    /// No budget.
    None,
}

/// A row of the table.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    /// The quantity.
    pub(crate) what: String,
    /// Its unit.
    pub(crate) unit: String,
    /// The figure of the other side, if there is one.
    pub(crate) beside: Option<f64>,
    /// The proxy's figure.
    pub(crate) proxied: Option<f64>,
    /// The median of the rounds' ratios, not the ratio of the medians: disturbances of a round
    /// affect both sides.
    pub(crate) ratio: Option<f64>,
    /// The budget.
    pub(crate) budget: Budget,
    /// Whether the budget is met; set when the row is added to a section.
    #[serde(default)]
    met: Option<bool>,
}

impl Row {
    /// A figure of the proxy only, with a budget.
    pub(crate) fn own(what: impl Into<String>, unit: &str, ours: f64, budget: Budget) -> Self {
        let (what, unit) = (what.into(), unit.to_owned());
        Self { what, unit, beside: None, proxied: Some(ours), ratio: None, budget, met: None }
    }

    /// A figure of the other side only.
    pub(crate) fn other(what: impl Into<String>, unit: &str, beside: f64) -> Self {
        let (what, unit) = (what.into(), unit.to_owned());
        Self { what, unit, beside: Some(beside), proxied: None, ratio: None, budget: Budget::None, met: None }
    }

    /// Figures of both sides, from alternating rounds.
    pub(crate) fn both(what: impl Into<String>, unit: &str, rounds: &[(f64, f64)], budget: Budget) -> Self {
        let side = |pick: fn(&(f64, f64)) -> f64| median(rounds.iter().map(pick).collect());
        let ratio = median(rounds.iter().map(|(beside, ours)| ours / beside).collect());
        Self {
            what: what.into(),
            unit: unit.to_owned(),
            beside: Some(side(|round| round.0)),
            proxied: Some(side(|round| round.1)),
            ratio: Some(ratio),
            budget,
            met: None,
        }
    }

    fn is_met(&self) -> Option<bool> {
        match self.budget {
            Budget::AtMostTimes(limit) => Some(self.ratio? <= limit),
            Budget::AtLeastTimes(limit) => Some(self.ratio? >= limit),
            Budget::AtMost(limit) => Some(self.proxied? <= limit),
            Budget::AtMostMore(limit) => Some(self.proxied? - self.beside? <= limit),
            Budget::AtMostTimesOrMore(times, more) => {
                Some(self.ratio? <= times || self.proxied? - self.beside? <= more)
            }
            Budget::None => None,
        }
    }

    fn budget_text(&self) -> String {
        match self.budget {
            Budget::AtMostTimes(limit) => format!("≤ {limit:.2} x"),
            Budget::AtLeastTimes(limit) => format!("≥ {limit:.2} x"),
            Budget::AtMost(limit) => format!("≤ {limit} {}", self.unit),
            Budget::AtMostMore(limit) => match (self.beside, self.proxied) {
                (Some(beside), Some(ours)) => {
                    format!("{:+.0} {} (≤ {limit:+} {})", ours - beside, self.unit, self.unit)
                }
                _ => format!("≤ {limit:+} {}", self.unit),
            },
            Budget::AtMostTimesOrMore(times, more) => format!("≤ {times} x or {more:+} {}", self.unit),
            Budget::None => String::new(),
        }
    }

    fn cells(&self) -> [String; 6] {
        let figure =
            |value: Option<f64>| value.map_or_else(String::new, |value| format!("{} {}", digits(value), self.unit));
        [
            self.what.clone(),
            figure(self.beside),
            figure(self.proxied),
            self.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
            self.budget_text(),
            self.met.map_or("", |met| if met { "ok" } else { "MISSED" }).to_owned(),
        ]
    }
}

fn proxied() -> String {
    "proxied".to_owned()
}

/// Rows with the same two sides.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Section {
    title: String,
    /// The heading of the column of the other side.
    beside: String,
    /// The heading of the column of the proxy.
    #[serde(default = "proxied")]
    ours: String,
    notes: Vec<String>,
    rows: Vec<Row>,
    /// Plots of the rows.
    #[serde(default)]
    pub(crate) plots: Vec<Plot>,
}

impl Section {
    pub(crate) fn new(title: &str, beside: &str) -> Self {
        let (title, beside) = (title.to_owned(), beside.to_owned());
        Self { title, beside, ours: proxied(), notes: Vec::new(), rows: Vec::new(), plots: Vec::new() }
    }

    /// The same with another heading of the column of the proxy.
    pub(crate) fn with_ours(self, ours: &str) -> Self {
        Self { ours: ours.to_owned(), ..self }
    }

    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    pub(crate) fn push(&mut self, mut row: Row) {
        row.met = row.is_met();
        self.rows.push(row);
    }

    /// The rows that miss their budget, with their figures.
    pub(crate) fn missed(&self) -> impl Iterator<Item = String> + use<'_> {
        self.rows.iter().filter(|row| row.met == Some(false)).map(|row| {
            let [what, _, proxied, ratio, budget, _] = row.cells();
            let figure = match row.budget {
                Budget::AtMost(_) | Budget::AtMostMore(_) | Budget::AtMostTimesOrMore(..) => proxied,
                _ => format!("{ratio} x"),
            };
            format!("{}: {what}: {figure} ({budget})", self.title)
        })
    }

    /// A Markdown table that is also readable as text.
    pub(crate) fn markdown(&self) -> String {
        let head = ["what", &self.beside, &self.ours, "ratio", "budget", ""].map(str::to_owned);
        let lines: Vec<[String; 6]> = std::iter::once(head).chain(self.rows.iter().map(Row::cells)).collect();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; 6] = std::array::from_fn(width);
        let mut text = format!("### {}\n\n", self.title);
        for (number, line) in lines.iter().enumerate() {
            let cells = line.iter().zip(widths).enumerate();
            let cells: Vec<String> = cells
                .map(|(column, (cell, width))| match column {
                    1..=3 => format!("{cell:>width$}"),
                    _ => format!("{cell:<width$}"),
                })
                .collect();
            let _ = writeln!(text, "| {} |", cells.join(" | "));
            if number == 0 {
                let rule = |(column, width): (usize, usize)| match column {
                    1..=3 => format!("{}:", "-".repeat(width.max(2) - 1)),
                    _ => "-".repeat(width.max(1)),
                };
                let rules: Vec<String> = widths.into_iter().enumerate().map(rule).collect();
                let _ = writeln!(text, "| {} |", rules.join(" | "));
            }
        }
        for note in &self.notes {
            let _ = write!(text, "\n{note}\n");
        }
        text
    }
}

/// A run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    /// A general description of the machine.
    pub(crate) machine: Value,
    /// The measured sections.
    pub(crate) sections: Vec<Section>,
}

impl Report {
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        fs::write(path, serde_json::to_string_pretty(self)? + "\n")
    }

    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }
}

/// The median.
pub(crate) fn median(values: Vec<f64>) -> f64 {
    percentile(values, 0.5)
}

/// The quantile `part`.
pub(crate) fn percentile(mut values: Vec<f64>, part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index into a vector")]
    let at = ((values.len() as f64 * part).ceil() as usize).clamp(1, values.len().max(1)) - 1;
    values.get(at).copied().unwrap_or(f64::NAN)
}

/// Three significant digits.
pub(crate) fn digits(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
