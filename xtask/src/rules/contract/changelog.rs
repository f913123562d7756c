//! What does the changelog say: which release was the last one, and what breaks in the next?

/// The parts of a changelog that a rule asks for.
pub(super) struct Changelog<'a> {
    /// The newest version with a heading of its own.
    pub(super) released: Option<&'a str>,
    /// Entries under Unreleased that begin with `Breaking:`.
    notes: Vec<String>,
}

impl<'a> Changelog<'a> {
    /// Headings are `## Unreleased` and `## 1.2.3`, also in brackets and with a date.
    pub(super) fn read(text: &'a str) -> Self {
        let mut changelog = Self {
            released: None,
            notes: Vec::new(),
        };
        let mut unreleased = false;
        let mut within = false;
        for line in text.lines() {
            if let Some(heading) = line.strip_prefix("## ") {
                let name = heading.trim_start_matches('[');
                let name = name.split([']', ' ']).next().unwrap_or_default();
                unreleased = name.eq_ignore_ascii_case("unreleased");
                within = false;
                if !unreleased
                    && name.starts_with(|c: char| c.is_ascii_digit())
                    && changelog.released.is_none()
                {
                    changelog.released = Some(name);
                }
            } else if unreleased {
                let entry = line.trim_start().trim_start_matches(['-', '*', ' ']);
                let begins = line.starts_with(['-', '*']);
                if begins || line.trim().is_empty() || line.starts_with('#') {
                    within = begins && entry.starts_with("Breaking:");
                    if within {
                        changelog.notes.push(String::new());
                    }
                }
                if let Some(note) = changelog.notes.last_mut().filter(|_| within) {
                    note.push_str(entry.trim());
                    note.push(' ');
                }
            }
        }
        changelog
    }

    /// Whether a note names the operation, and not only one whose path goes on.
    pub(super) fn names(&self, operation: &str) -> bool {
        self.notes.iter().any(|note| {
            note.match_indices(operation).any(|(at, _)| {
                let after = note
                    .get(at + operation.len()..)
                    .and_then(|rest| rest.chars().next());
                !after.is_some_and(|c| c.is_alphanumeric() || matches!(c, '/' | '{' | '_' | '-'))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_entries_under_unreleased_that_name_an_operation() {
        let text = "# Changelog\n\n## [Unreleased]\n\n### Changed\n\n- Breaking: `GET /a`\n  answers less; so does `POST /b/{id}`.\n\
                    - GET /c is faster.\n\n  Breaking: GET /c is not a note.\n\n## [0.2.0] - 2026-01-01\n\n- Breaking: GET /d.\n\n## 0.1.0\n";
        let changelog = Changelog::read(text);
        assert_eq!(changelog.released, Some("0.2.0"));
        let named = ["GET /a", "POST /b/{id}", "POST /b", "GET /c", "GET /d"];
        assert_eq!(
            named.map(|name| changelog.names(name)),
            [true, true, false, false, false]
        );
        assert_eq!(Changelog::read("## Unreleased\n").released, None);
    }
}
