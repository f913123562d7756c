//! Is it the number of a person?

use super::fold::Folded;
use super::{Finding, FindingKind};

/// A UK national insurance number that starts here: two letters, six digits in pairs, and A to D, as HMRC issues them.
pub(super) fn nino(folded: &Folded, start: usize) -> Option<Finding> {
    let (mut end, mut taken, mut alike) = (start, [0_u8; 9], false);
    for (index, slot) in taken.iter_mut().enumerate() {
        // Spaces stand between pairs only.
        if index.is_multiple_of(2) && index > 0 && folded.byte(end) == b' ' {
            end = end.saturating_add(1);
        }
        *slot = folded.byte(end).to_ascii_uppercase();
        alike |= folded.is_alike(end);
        end = end.saturating_add(1);
    }
    let [first, second, digits @ .., last] = taken;
    let letters = !b"DFIQUV".contains(&first) && !b"DFIOQUV".contains(&second);
    let issued = ![*b"BG", *b"GB", *b"NK", *b"KN", *b"TN", *b"NT", *b"ZZ"].contains(&[first, second]);
    let shaped = first.is_ascii_alphabetic()
        && second.is_ascii_alphabetic()
        && digits.iter().all(u8::is_ascii_digit)
        && (b'A'..=b'D').contains(&last);
    // It has no check digit, and documents of other countries have such numbers in letters that look like these.
    (letters && issued && shaped && !alike && folded.ends_word(end))
        .then(|| folded.finding(FindingKind::UkNino, start, end, 850))
}

/// A US social security number: no area 000, 666 or 9xx, no group 00, no serial 0000.
pub(super) fn is_ssn(digits: &[u8]) -> bool {
    let (Some((area, rest)), 9) = (digits.split_at_checked(3), digits.len()) else {
        return false;
    };
    let (group, serial) = rest.split_at_checked(2).unwrap_or_default();
    let some = |part: &[u8]| part.iter().any(|digit| *digit != 0);
    some(area) && area != [6, 6, 6] && area.first() != Some(&9) && some(group) && some(serial)
}

/// A German tax id: eleven digits, the first not 0, one digit twice or three times among the first ten, and the check
/// digit of ISO 7064, MOD 11,10.
pub(super) fn is_german_tax_id(digits: &[u8]) -> bool {
    let [first_ten @ .., check] = digits else {
        return false;
    };
    if first_ten.len() != 10 || first_ten.first() == Some(&0) {
        return false;
    }
    let mut counts = [0_u8; 10];
    let mut product = 10_u8;
    for digit in first_ten {
        if let Some(count) = counts.get_mut(usize::from(*digit)) {
            *count = count.saturating_add(1);
        }
        let sum = match digit.saturating_add(product).checked_rem(10) {
            Some(0) | None => 10_u8,
            Some(sum) => sum,
        };
        product = sum.saturating_mul(2).checked_rem(11).unwrap_or(0);
    }
    let repeated = counts.iter().filter(|count| **count > 1).count();
    let most = counts.iter().max().copied().unwrap_or(0);
    let expected = match 11_u8.saturating_sub(product) {
        10 => 0,
        other => other,
    };
    repeated == 1 && most <= 3 && expected == *check
}
