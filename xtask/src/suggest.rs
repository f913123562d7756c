//! Which known name was meant?

/// ` (did you mean …?)` for a name that is nearly a known one, or nothing.
pub(crate) fn hint<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let far = (given.chars().count() / 4).max(2);
    let known = known.into_iter().map(|name| (distance(given, name), name));
    let nearest = known.filter(|(steps, _)| *steps <= far).min();
    nearest.map_or_else(String::new, |(_, name)| format!(" (did you mean `{name}`?)"))
}

/// How many characters must be put in, taken out or changed, whatever their case.
fn distance(from: &str, to: &str) -> usize {
    let lower = |text: &str| text.to_lowercase().chars().collect::<Vec<_>>();
    let (from, to) = (lower(from), lower(to));
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (above, a) in from.iter().enumerate() {
        let mut corner = above;
        let mut left = above + 1;
        let mut next = vec![left];
        for (b, up) in to.iter().zip(row.iter().skip(1)) {
            left = (left + 1).min(up + 1).min(corner + usize::from(a != b));
            corner = *up;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_and_a_far_one_is_not() {
        let known = ["ARCH-FENCE-001", "ARCH-EDGE-001", "store"];
        for (given, told) in [
            ("ARCH-FENC-001", " (did you mean `ARCH-FENCE-001`?)"),
            ("arch-fence-01", " (did you mean `ARCH-FENCE-001`?)"),
            ("storee", " (did you mean `store`?)"),
            ("tsore", " (did you mean `store`?)"),
            ("something else", ""),
        ] {
            assert_eq!(hint(given, known), told, "{given}");
        }
        assert_eq!(
            (
                distance("", "abc"),
                distance("abc", "abc"),
                distance("kitten", "sitting")
            ),
            (3, 0, 3)
        );
    }
}
