//! The report for GitHub Actions: one annotation for each finding.

use std::fmt::Write;

use super::Told;
use super::places::place;

pub(super) fn text(told: &Told<'_>) -> String {
    let mut text = String::new();
    for broken in &told.outcome.broken {
        let line = if broken.line > 0 {
            format!("line={},col={},", broken.line, broken.column)
        } else {
            String::new()
        };
        let _ = writeln!(
            text,
            "::error {}{line}title=broken input::{}",
            if broken.path.is_empty() {
                String::new()
            } else {
                format!("file={},", property(&broken.path))
            },
            data(&broken.what)
        );
    }
    for found in &told.outcome.findings {
        let place = place(told.workspace, &found.primary);
        let mut at = String::new();
        if place.line > 0 {
            let _ = write!(at, ",line={},endLine={}", place.line, place.end_line);
            // Columns are for one line only.
            if place.line == place.end_line {
                let _ = write!(at, ",col={},endColumn={}", place.column, place.end_column);
            }
        }
        let _ = writeln!(
            text,
            "::error file={}{at},title={}::{}",
            property(&found.primary.path),
            property(found.rule),
            data(&format!("{}\nfix: {}", found.message, found.remedy))
        );
    }
    let (found, broken) = (told.outcome.findings.len(), told.outcome.broken.len());
    let broken = match broken {
        0 => String::new(),
        broken => format!("; {broken} errors of the input, so this proves nothing"),
    };
    let _ = writeln!(text, "{}: {found} findings{broken}", told.title);
    text
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
