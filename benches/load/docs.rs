//! The figures of a run, written into `docs/performance.md`, with its pictures below `docs/plots`.

use std::{fmt::Write, fs, io, path::Path};

use super::table::{Report, Section};

const PAGE: &str = "docs/performance.md";
/// What stands between these lines is the bench's, the rest is written by people.
const BEGIN: &str = "<!-- figures: written by `make bench ARGS=--write-docs` -->";
const END: &str = "<!-- end of figures -->";

/// `root` is the repository.
pub(crate) fn write(root: &Path, report: &Report) -> io::Result<()> {
    let page = root.join(PAGE);
    let text = fs::read_to_string(&page)?;
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.ok_or_else(|| io::Error::other(format!("{PAGE} lacks the line {BEGIN} or {END}")))?;
    let plots = root.join("docs/plots");
    fs::create_dir_all(&plots)?;
    for plot in report.sections.iter().flat_map(|section| &section.plots) {
        fs::write(plots.join(&plot.file), plot.svg())?;
    }
    fs::write(&page, format!("{before}{BEGIN}\n\n{}\n{END}{after}", figures(report)))
}

fn figures(report: &Report) -> String {
    let machine = |name: &str| match &report.machine[name] {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut text = format!(
        "{} cores, {} GiB, {}; load of the machine before the run {}.\n",
        machine("cores"),
        machine("memory_gib"),
        machine("chrome"),
        machine("load_before"),
    );
    let missed: Vec<String> = report.sections.iter().flat_map(Section::missed).collect();
    if missed.is_empty() {
        text.push_str("Every budget was met.\n");
    } else {
        text.push_str("Budgets missed in this run:\n\n");
        for line in missed {
            let _ = writeln!(text, "- {line}");
        }
    }
    for section in &report.sections {
        let _ = write!(text, "\n{}", section.markdown());
        for plot in &section.plots {
            let _ = write!(text, "\n![{}](plots/{})\n", plot.title, plot.file);
        }
    }
    text
}
