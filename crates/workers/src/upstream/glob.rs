//! Does a model's name match a pattern, and which of two patterns says more?

/// A pattern for model names in which `*` stands for any text: `gpt-4o*`. Case does not matter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModelGlob {
    lower: String,
    written: String,
}

impl ModelGlob {
    /// The pattern as configured.
    pub fn new(pattern: &str) -> Self {
        let written = pattern.trim().to_owned();
        Self {
            lower: written.to_ascii_lowercase(),
            written,
        }
    }

    /// The pattern as text, in lower case.
    pub fn as_str(&self) -> &str {
        &self.lower
    }

    /// The name as it was written, if the pattern is one: providers may tell upper case from lower.
    pub fn plain_name(&self) -> Option<&str> {
        Some(self.written.as_str()).filter(|name| !name.contains('*'))
    }

    /// Whether the name matches.
    pub fn matches(&self, model: &str) -> bool {
        let model = model.to_ascii_lowercase();
        let mut parts = self.lower.split('*');
        let Some(mut rest) = parts.next().and_then(|first| model.strip_prefix(first)) else {
            return false;
        };
        let Some(last) = parts.next_back() else {
            return rest.is_empty();
        };
        for part in parts {
            let Some((_, behind)) = rest.split_once(part) else {
                return false;
            };
            rest = behind;
        }
        rest.ends_with(last)
    }

    /// How much it says: a plain name says more than any pattern, a long pattern more than a short one.
    pub fn weight(&self) -> (bool, usize) {
        let literal = self.lower.chars().filter(|c| *c != '*').count();
        (self.plain_name().is_some(), literal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text_and_case_does_not_matter() {
        for (glob, model, expected) in [
            ("*", "anything", true),
            ("gpt-4o*", "GPT-4o-mini", true),
            ("gpt-4o", "gpt-4o-mini", false),
            ("*-mini", "gpt-4o-mini", true),
            ("gpt-*-mini", "gpt-4o-mini", true),
            ("gpt-*-mini", "gpt-mini", false),
            ("a*a", "a", false),
            ("a*b*a", "aba", true),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(ModelGlob::new(glob).matches(model), expected, "{glob} {model}");
        }
    }

    #[test]
    fn a_name_without_a_star_keeps_its_spelling() {
        let names =
            [" Qwen/Qwen3-8B ", "Qwen/*"].map(|glob| ModelGlob::new(glob).plain_name().map(str::to_owned));
        assert_eq!(names, [Some("Qwen/Qwen3-8B".to_owned()), None]);
    }

    #[test]
    fn a_plain_name_says_more_than_a_pattern_and_a_long_pattern_more_than_a_short_one() {
        let weights: Vec<_> = ["*", "gpt-*", "gpt-4o*", "o3"]
            .map(|glob| ModelGlob::new(glob).weight())
            .into();
        assert!(weights.is_sorted());
    }
}
