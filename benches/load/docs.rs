//! Writes the figures of a run into a page of `docs/`, and its plots into `docs/plots`.

use std::{fmt::Write, fs, io, path::Path};

use super::{
    connect, neighbour,
    table::{Report, Section},
};

/// A page of `docs/` and the two lines that enclose the bench's text; the rest of the page is
/// written by hand.
pub(crate) struct Page {
    path: &'static str,
    /// The section that it shows; all if absent.
    section: Option<&'static str>,
    begin: &'static str,
    end: &'static str,
}

/// The cost of the proxy.
pub(crate) const PERFORMANCE: Page = Page {
    path: "docs/performance.md",
    section: None,
    begin: "<!-- figures: written by `make bench ARGS=--write-docs` -->",
    end: "<!-- end of figures -->",
};
/// The start of a browser of one's own.
pub(crate) const DEDICATED: Page = Page {
    path: "docs/dedicated.md",
    section: Some(connect::DEDICATED),
    begin: "<!-- figures: written by `make bench ARGS='dedicated --write-docs'` -->",
    end: "<!-- end of figures -->",
};
/// The cost of a greedy neighbour.
pub(crate) const SECURITY: Page = Page {
    path: "docs/security.md",
    section: Some(neighbour::TITLE),
    begin: "<!-- figures: written by `make bench-neighbour ARGS=--write-docs` -->",
    end: "<!-- end of figures -->",
};
/// The cost of a greedy tenant.
pub(crate) const TENANTS: Page = Page {
    path: "docs/security.md",
    section: Some(neighbour::TENANTS),
    begin: "<!-- figures: written by `make bench-neighbour ARGS='--tenants --write-docs'` -->",
    end: "<!-- end of figures -->",
};

/// `root` is the repository's directory. A page whose section was not measured stays as it is.
pub(crate) fn write(root: &Path, page: &Page, report: &Report) -> io::Result<()> {
    let Page { path, section, begin, end } = page;
    let is_shown = |one: &&Section| section.is_none_or(|title| one.title() == title);
    let sections: Vec<&Section> = report.sections.iter().filter(is_shown).collect();
    if sections.is_empty() {
        return Ok(());
    }
    let file = root.join(path);
    let text = fs::read_to_string(&file)?;
    let parts = text.split_once(begin).and_then(|(before, rest)| Some((before, rest.split_once(end)?.1)));
    let (before, after) = parts.ok_or_else(|| io::Error::other(format!("{path} lacks the line {begin} or {end}")))?;
    let plots = root.join("docs/plots");
    fs::create_dir_all(&plots)?;
    for plot in sections.iter().flat_map(|section| &section.plots) {
        fs::write(plots.join(&plot.file), plot.svg())?;
    }
    fs::write(&file, format!("{before}{begin}\n\n{}\n{end}{after}", figures(report, &sections)))
}

fn figures(report: &Report, sections: &[&Section]) -> String {
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
    let missed: Vec<String> = sections.iter().flat_map(|section| section.missed()).collect();
    if missed.is_empty() {
        text.push_str("Every budget was met.\n");
    } else {
        text.push_str("Budgets missed in this run:\n\n");
        for line in missed {
            let _ = writeln!(text, "- {line}");
        }
    }
    for section in sections {
        let _ = write!(text, "\n{}", section.markdown());
        for plot in &section.plots {
            let _ = write!(text, "\n![{}](plots/{})\n", plot.title, plot.file);
        }
    }
    text
}
