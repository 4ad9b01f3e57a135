//! What was measured, beside what it may be: a table for people, JSON for programs.

use std::{fs, io, path::Path};

use serde_json::{Value, json};

/// What a figure may be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Budget {
    /// At most so many times the other side's.
    AtMostTimes(f64),
    /// At least so many times the other side's.
    AtLeastTimes(f64),
    /// At most this, in the row's own unit.
    AtMost(f64),
    /// None: a figure to know.
    None,
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    /// What was measured.
    pub(crate) what: String,
    /// In what.
    pub(crate) unit: &'static str,
    /// What it is compared with, if with anything.
    pub(crate) beside: Option<f64>,
    /// The proxy's figure.
    pub(crate) ours: Option<f64>,
    /// The median of the rounds' ratios, which is not the ratio of the medians: what slows a round slows both sides.
    pub(crate) ratio: Option<f64>,
    /// What it may be.
    pub(crate) budget: Budget,
}

impl Row {
    /// A figure of the proxy's alone.
    pub(crate) fn own(what: impl Into<String>, unit: &'static str, ours: f64, budget: Budget) -> Self {
        Self { what: what.into(), unit, beside: None, ours: Some(ours), ratio: None, budget }
    }

    /// Both sides, from rounds in which they took turns.
    pub(crate) fn both(what: impl Into<String>, unit: &'static str, rounds: &[(f64, f64)], budget: Budget) -> Self {
        let side = |pick: fn(&(f64, f64)) -> f64| median(rounds.iter().map(pick).collect());
        let ratio = median(rounds.iter().map(|(beside, ours)| ours / beside).collect());
        Self {
            what: what.into(),
            unit,
            beside: Some(side(|round| round.0)),
            ours: Some(side(|round| round.1)),
            ratio: Some(ratio),
            budget,
        }
    }

    fn is_met(&self) -> Option<bool> {
        match self.budget {
            Budget::AtMostTimes(limit) => Some(self.ratio? <= limit),
            Budget::AtLeastTimes(limit) => Some(self.ratio? >= limit),
            Budget::AtMost(limit) => Some(self.ours? <= limit),
            Budget::None => None,
        }
    }

    fn budget_text(&self) -> String {
        match self.budget {
            Budget::AtMostTimes(limit) => format!("≤ {limit:.2} x"),
            Budget::AtLeastTimes(limit) => format!("≥ {limit:.2} x"),
            Budget::AtMost(limit) => format!("≤ {limit} {}", self.unit),
            Budget::None => String::new(),
        }
    }
}

/// Rows with the same two sides.
#[derive(Debug)]
pub(crate) struct Section {
    title: &'static str,
    /// The head of the column of what it is compared with.
    beside: &'static str,
    notes: Vec<String>,
    rows: Vec<Row>,
}

impl Section {
    pub(crate) fn new(title: &'static str, beside: &'static str) -> Self {
        Self { title, beside, notes: Vec::new(), rows: Vec::new() }
    }

    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    pub(crate) fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Writes it as a table that Markdown takes too.
    pub(crate) fn print(&self) {
        println!("\n### {}\n", self.title);
        let head = ["what", self.beside, "proxied", "ratio", "budget", ""].map(str::to_owned);
        let lines: Vec<[String; 6]> = std::iter::once(head)
            .chain(self.rows.iter().map(|row| {
                let figure = |value: Option<f64>| {
                    value.map_or_else(String::new, |value| format!("{} {}", digits(value), row.unit))
                };
                let verdict = row.is_met().map_or("", |met| if met { "ok" } else { "MISSED" });
                [
                    row.what.clone(),
                    figure(row.beside),
                    figure(row.ours),
                    row.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
                    row.budget_text(),
                    verdict.to_owned(),
                ]
            }))
            .collect();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; 6] = std::array::from_fn(width);
        for (number, line) in lines.iter().enumerate() {
            let cells = line.iter().zip(widths).enumerate();
            let cells: Vec<String> = cells
                .map(|(column, (cell, width))| match column {
                    1..=3 => format!("{cell:>width$}"),
                    _ => format!("{cell:<width$}"),
                })
                .collect();
            println!("| {} |", cells.join(" | "));
            if number == 0 {
                let rule = |(column, width): (usize, usize)| match column {
                    1..=3 => format!("{}:", "-".repeat(width.max(2) - 1)),
                    _ => "-".repeat(width.max(1)),
                };
                let rules: Vec<String> = widths.into_iter().enumerate().map(rule).collect();
                println!("| {} |", rules.join(" | "));
            }
        }
        for note in &self.notes {
            println!("\n{note}");
        }
    }

    fn json(&self) -> Value {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                json!({
                    "what": row.what, "unit": row.unit, "beside": row.beside, "proxied": row.ours,
                    "ratio": row.ratio, "budget": row.budget_text(), "met": row.is_met(),
                })
            })
            .collect();
        json!({ "title": self.title, "beside": self.beside, "notes": self.notes, "rows": rows })
    }
}

/// Writes all sections as one JSON document.
pub(crate) fn write_json(path: &Path, machine: &Value, sections: &[Section]) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let sections: Vec<Value> = sections.iter().map(Section::json).collect();
    let document = json!({ "machine": machine, "sections": sections });
    fs::write(path, serde_json::to_string_pretty(&document)? + "\n")
}

/// The middle one.
pub(crate) fn median(values: Vec<f64>) -> f64 {
    percentile(values, 0.5)
}

/// The one below which `part` of them are.
pub(crate) fn percentile(mut values: Vec<f64>, part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index into a vector")]
    let at = ((values.len() as f64 * part).ceil() as usize).clamp(1, values.len().max(1)) - 1;
    values.get(at).copied().unwrap_or(f64::NAN)
}

/// Three digits that count.
fn digits(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
