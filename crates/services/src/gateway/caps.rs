//! How much can a model make in one answer?

use workers::upstream::ModelGlob;

/// What the configuration says that some models can make at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputCap {
    /// Whose models; the provider's name in price tables.
    pub provider: String,
    /// A pattern for the model's name, with `*` for any text.
    pub model_glob: String,
    /// Tokens of output.
    pub max_output_tokens: i64,
}

/// All of them.
#[derive(Debug, Clone, Default)]
pub struct OutputCaps(Vec<(String, ModelGlob, i64)>);

impl OutputCaps {
    /// The caps as configured.
    pub fn new(caps: Vec<OutputCap>) -> Self {
        let read = |cap: OutputCap| {
            let provider = cap.provider.trim().to_ascii_lowercase();
            (provider, ModelGlob::new(&cap.model_glob), cap.max_output_tokens)
        };
        let mut entries: Vec<_> = caps.into_iter().map(read).collect();
        // The order of the configuration decides between two patterns that say as much.
        entries.sort_by_key(|(_, glob, _)| glob.weight());
        Self(entries)
    }

    /// What is stated of this model: the pattern that says most wins.
    pub(super) fn find(&self, provider: &str, model: &str) -> Option<i64> {
        let fits = |entry: &&(String, ModelGlob, i64)| {
            entry.0.eq_ignore_ascii_case(provider) && entry.1.matches(model)
        };
        self.0.iter().rev().find(fits).map(|(_, _, most)| *most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_that_says_most_wins() {
        let cap = |model: &str, max_output_tokens| OutputCap {
            provider: "Acme".to_owned(),
            model_glob: model.to_owned(),
            max_output_tokens,
        };
        let caps = OutputCaps::new(vec![cap("big-1", 3), cap("*", 1), cap("big-*", 2)]);
        for (provider, model, most) in [
            ("acme", "big-1", Some(3)),
            ("acme", "big-2", Some(2)),
            ("ACME", "small", Some(1)),
            ("other", "big-1", None),
        ] {
            assert_eq!(caps.find(provider, model), most, "{provider} {model}");
        }
    }
}
