//! Which rules are there? Each family lists its own; this is the list of families.

use crate::engine::META;
use crate::rule::Rule;
use crate::rules;

/// All rules, in the order of the families. A new family is one line here.
pub(crate) fn all() -> Vec<&'static dyn Rule> {
    let families: [&[&'static dyn Rule]; 9] = [
        rules::layers::RULES,
        rules::patterns::RULES,
        rules::intents::RULES,
        rules::errors::RULES,
        rules::contract::RULES,
        rules::determinism::RULES,
        rules::schema::RULES,
        rules::tidy::RULES,
        META,
    ];
    families.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_name_of_its_own_and_says_why_and_what_to_do() {
        let mut seen = std::collections::BTreeSet::new();
        for rule in all() {
            let info = rule.info();
            assert!(seen.insert(info.id), "{} twice", info.id);
            for text in [info.title, info.why, info.fix, info.scope] {
                assert!(text.len() > 10, "{}: {text}", info.id);
            }
        }
    }
}
