//! How is a name that people choose written down?

use icu_normalizer::ComposingNormalizerBorrowed;
use model::text::is_hidden;

/// The one form of a name: composed (NFC), so that what looks the same is the same, and without blanks around it.
pub fn normal(name: &str) -> String {
    ComposingNormalizerBorrowed::new_nfc()
        .normalize(name.trim())
        .into_owned()
}

/// The one form of a name of 1 to `most` characters; none if it has more or less, or invisible ones.
pub(crate) fn checked(name: &str, most: usize) -> Option<String> {
    let name = normal(name);
    let fits = (1..=most).contains(&name.chars().count());
    (fits && !name.chars().any(is_hidden)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_the_same_is_the_same() {
        assert_eq!(
            normal(" Zu\u{308}ri\t"),
            "Zu\u{308}ri".replace("u\u{308}", "\u{fc}")
        );
        assert_eq!(normal("\u{212b}ngstro\u{308}m"), "\u{c5}ngstr\u{f6}m");
    }

    #[test]
    fn a_name_is_some_visible_characters() {
        assert_eq!(checked("e\u{301}\u{301}", 2), Some("\u{e9}\u{301}".to_owned()));
        for bad in ["", "   ", "abc", "a\u{200b}", "\u{1b}[3"] {
            assert_eq!(checked(bad, 2), None, "{bad:?}");
        }
    }
}
