//! Draws the samples over time: one panel below the other, with a line for each disturbance.

use std::fmt::Write as _;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = WIDTH - 20.0;
/// Height of a panel, and of the space above it.
const PANEL: (f64, f64) = (96.0, 40.0);
/// Blue and orange, which people with red-green blindness can distinguish.
const COLOURS: [&str; 2] = ["#2f6fde", "#d9822b"];

/// The panels: title, and columns with their labels.
const PANELS: [(&str, &[(&str, &str)]); 5] = [
    ("Sessions", &[("sessions", "all"), ("parked", "parked")]),
    ("Browsers that accept sessions", &[("browsers", "")]),
    ("Processes, and file descriptors of the proxy", &[("processes", "processes"), ("fds", "file descriptors")]),
    ("Memory of the proxy, MiB", &[("proxy_mib", "")]),
    ("Memory of all Chromes (PSS), MiB", &[("chrome_mib", "")]),
];

/// The picture of a CSV with a header.
pub(crate) fn svg(csv: &str) -> String {
    let mut lines = csv.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let rows: Vec<Vec<f64>> =
        lines.map(|line| line.split(',').map(|value| value.parse().unwrap_or(f64::NAN)).collect()).collect();
    let column = |name: &str| -> Vec<f64> {
        let at = names.iter().position(|column| *column == name);
        rows.iter().map(|row| at.and_then(|at| row.get(at)).copied().unwrap_or(f64::NAN)).collect()
    };
    let seconds = column("seconds");
    let length = seconds.iter().copied().fold(1.0, f64::max);
    let x = |second: f64| LEFT + (RIGHT - LEFT) * second / length;
    let (high, space) = PANEL;
    let height = 40.0 + PANELS.len() as f64 * (high + space) + 30.0;
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" font-family="system-ui, sans-serif" font-size="12" fill="#22262b">
<rect width="{WIDTH}" height="{height}" rx="6" fill="#ffffff"/>
<text x="16" y="24" font-size="16" font-weight="600">Soak: what is held over time</text>
<text x="{RIGHT}" y="24" text-anchor="end"><tspan fill="#c0392b">red</tspan>: a browser is killed; <tspan fill="#3a9a7c">green</tspan>: one is recycled</text>
"##
    );
    for (number, (title, series)) in PANELS.iter().enumerate() {
        let top = 40.0 + number as f64 * (high + space) + space - 12.0;
        let bottom = top + high;
        let values: Vec<(&str, Vec<f64>)> = series.iter().map(|(name, label)| (*label, column(name))).collect();
        let most = values.iter().flat_map(|(_, values)| values).copied().fold(1.0, f64::max) * 1.08;
        let y = |value: f64| bottom - high * value / most;
        let _ = writeln!(svg, r#"<text x="{LEFT}" y="{:.1}" font-weight="600">{title}</text>"#, top - 6.0);
        for part in [0.0, 0.5, 1.0] {
            let _ = writeln!(
                svg,
                r##"<line x1="{LEFT}" x2="{RIGHT}" y1="{y:.1}" y2="{y:.1}" stroke="#e3e5e8"/><text x="{:.1}" y="{:.1}" text-anchor="end" font-size="11">{:.0}</text>"##,
                LEFT - 6.0,
                y(most * part) + 4.0,
                most * part,
                y = y(most * part)
            );
        }
        for (name, colour) in [("kills", "#c0392b"), ("recycles", "#3a9a7c")] {
            let counts = column(name);
            for (at, pair) in counts.windows(2).enumerate().filter(|(_, pair)| pair[1] > pair[0]) {
                let x = x(seconds.get(at + 1).copied().unwrap_or_default() - (pair[1] - pair[0] - 1.0));
                let _ = writeln!(
                    svg,
                    r#"<line x1="{x:.1}" x2="{x:.1}" y1="{top:.1}" y2="{bottom:.1}" stroke="{colour}" stroke-dasharray="2 3"/>"#
                );
            }
        }
        let mut label_at = RIGHT;
        for ((label, values), colour) in values.iter().zip(COLOURS).rev() {
            let points = seconds.iter().zip(values).filter(|(_, value)| value.is_finite());
            let points = points.fold(String::new(), |mut points, (second, value)| {
                let _ = write!(points, "{:.1},{:.1} ", x(*second), y(*value));
                points
            });
            let _ = writeln!(
                svg,
                r#"<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/><text x="{label_at:.1}" y="{:.1}" text-anchor="end" fill="{colour}">{label}</text>"#,
                top - 6.0
            );
            label_at -= 14.0 + 6.5 * label.chars().count() as f64;
        }
    }
    let step = [10.0, 30.0, 60.0, 300.0, 1800.0].into_iter().find(|step| length / step <= 12.0).unwrap_or(7200.0);
    let mut second = 0.0;
    while second <= length {
        let _ = writeln!(
            svg,
            r#"<text x="{:.1}" y="{:.1}" text-anchor="middle" font-size="11">{second:.0} s</text>"#,
            x(second),
            height - 14.0
        );
        second += step;
    }
    svg + "</svg>\n"
}
