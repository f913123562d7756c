//! Where are IBANs?

use self::Form::{Digit, Either, Letter};
use super::fold::Folded;
use super::{Finding, FindingKind};

/// What a place of an account number may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Digit,
    Letter,
    Either,
}

/// What follows the country and the two check digits, in order: so many of each.
type Structure = &'static [(usize, Form)];

/// SWIFT's registry of IBANs, release 101, sorted by country.
const REGISTRY: &[(&[u8; 2], Structure)] = &[
    (b"AD", &[(8, Digit), (12, Either)]),
    (b"AE", &[(19, Digit)]),
    (b"AL", &[(8, Digit), (16, Either)]),
    (b"AT", &[(16, Digit)]),
    (b"AZ", &[(4, Letter), (20, Either)]),
    (b"BA", &[(16, Digit)]),
    (b"BE", &[(12, Digit)]),
    (b"BG", &[(4, Letter), (6, Digit), (8, Either)]),
    (b"BH", &[(4, Letter), (14, Either)]),
    (b"BI", &[(23, Digit)]),
    (b"BR", &[(23, Digit), (1, Letter), (1, Either)]),
    (b"BY", &[(4, Either), (4, Digit), (16, Either)]),
    (b"CH", &[(5, Digit), (12, Either)]),
    (b"CR", &[(18, Digit)]),
    (b"CY", &[(8, Digit), (16, Either)]),
    (b"CZ", &[(20, Digit)]),
    (b"DE", &[(18, Digit)]),
    (b"DJ", &[(23, Digit)]),
    (b"DK", &[(14, Digit)]),
    (b"DO", &[(4, Either), (20, Digit)]),
    (b"EE", &[(16, Digit)]),
    (b"EG", &[(25, Digit)]),
    (b"ES", &[(20, Digit)]),
    (b"FI", &[(14, Digit)]),
    (b"FK", &[(2, Letter), (12, Digit)]),
    (b"FO", &[(14, Digit)]),
    (b"FR", &[(10, Digit), (11, Either), (2, Digit)]),
    (b"GB", &[(4, Letter), (14, Digit)]),
    (b"GE", &[(2, Letter), (16, Digit)]),
    (b"GI", &[(4, Letter), (15, Either)]),
    (b"GL", &[(14, Digit)]),
    (b"GR", &[(7, Digit), (16, Either)]),
    (b"GT", &[(24, Either)]),
    (b"HN", &[(4, Letter), (20, Digit)]),
    (b"HR", &[(17, Digit)]),
    (b"HU", &[(24, Digit)]),
    (b"IE", &[(4, Letter), (14, Digit)]),
    (b"IL", &[(19, Digit)]),
    (b"IQ", &[(4, Letter), (15, Digit)]),
    (b"IS", &[(22, Digit)]),
    (b"IT", &[(1, Letter), (10, Digit), (12, Either)]),
    (b"JO", &[(4, Letter), (4, Digit), (18, Either)]),
    (b"KW", &[(4, Letter), (22, Either)]),
    (b"KZ", &[(3, Digit), (13, Either)]),
    (b"LB", &[(4, Digit), (20, Either)]),
    (b"LC", &[(4, Letter), (24, Either)]),
    (b"LI", &[(5, Digit), (12, Either)]),
    (b"LT", &[(16, Digit)]),
    (b"LU", &[(3, Digit), (13, Either)]),
    (b"LV", &[(4, Letter), (13, Either)]),
    (b"LY", &[(21, Digit)]),
    (b"MC", &[(10, Digit), (11, Either), (2, Digit)]),
    (b"MD", &[(20, Either)]),
    (b"ME", &[(18, Digit)]),
    (b"MK", &[(3, Digit), (10, Either), (2, Digit)]),
    (b"MN", &[(16, Digit)]),
    (b"MR", &[(23, Digit)]),
    (b"MT", &[(4, Letter), (5, Digit), (18, Either)]),
    (b"MU", &[(4, Letter), (19, Digit), (3, Letter)]),
    (b"NI", &[(4, Letter), (20, Digit)]),
    (b"NL", &[(4, Letter), (10, Digit)]),
    (b"NO", &[(11, Digit)]),
    (b"OM", &[(3, Digit), (16, Either)]),
    (b"PK", &[(4, Letter), (16, Either)]),
    (b"PL", &[(24, Digit)]),
    (b"PS", &[(4, Letter), (21, Either)]),
    (b"PT", &[(21, Digit)]),
    (b"QA", &[(4, Letter), (21, Either)]),
    (b"RO", &[(4, Letter), (16, Either)]),
    (b"RS", &[(18, Digit)]),
    (b"RU", &[(14, Digit), (15, Either)]),
    (b"SA", &[(2, Digit), (18, Either)]),
    (b"SC", &[(4, Letter), (20, Digit), (3, Letter)]),
    (b"SD", &[(14, Digit)]),
    (b"SE", &[(20, Digit)]),
    (b"SI", &[(15, Digit)]),
    (b"SK", &[(20, Digit)]),
    (b"SM", &[(1, Letter), (10, Digit), (12, Either)]),
    (b"SO", &[(19, Digit)]),
    (b"ST", &[(21, Digit)]),
    (b"SV", &[(4, Letter), (20, Digit)]),
    (b"TL", &[(19, Digit)]),
    (b"TN", &[(20, Digit)]),
    (b"TR", &[(6, Digit), (16, Either)]),
    (b"UA", &[(6, Digit), (19, Either)]),
    (b"VA", &[(18, Digit)]),
    (b"VG", &[(4, Letter), (16, Digit)]),
    (b"XK", &[(16, Digit)]),
    (b"YE", &[(4, Letter), (4, Digit), (18, Either)]),
];

/// An IBAN that starts here, with or without single spaces or dashes behind its check digits: the structure of its country
/// and check digits (mod 97 = 1, ISO 13616).
pub(super) fn iban(folded: &Folded, start: usize) -> Option<Finding> {
    let country =
        [folded.byte(start), folded.byte(start.saturating_add(1))].map(|byte| byte.to_ascii_uppercase());
    let at = REGISTRY
        .binary_search_by_key(&country, |(country, _)| **country)
        .ok()?;
    let (_, structure) = REGISTRY.get(at)?;
    let parts = [(2, Digit)];
    let parts = parts.iter().chain(*structure);
    let mut forms = parts.flat_map(|(times, form)| core::iter::repeat_n(*form, *times));
    let mut end = start.saturating_add(2);
    // None stands between the country and its check digits: "by 19 June".
    let (mut check, mut taken, mut rest, mut gap) = ([0_u8; 2], 0_usize, 0_u32, true);
    let mut wanted = forms.next();
    while let Some(form) = wanted {
        let byte = folded.byte(end);
        if (byte == b' ' || byte == b'-') && !gap {
            gap = true;
        } else if form.takes(byte) {
            gap = false;
            match check.get_mut(taken) {
                Some(digit) => *digit = byte,
                None => rest = further(rest, byte),
            }
            taken = taken.saturating_add(1);
            wanted = forms.next();
        } else {
            return None;
        }
        end = end.saturating_add(1);
    }
    let head = country.iter().chain(&check);
    let rest = head.fold(rest, |rest, byte| further(rest, *byte));
    (rest == 1 && folded.ends_word(end)).then(|| folded.finding(FindingKind::Iban, start, end, 970))
}

/// The remainder of a number by 97, with the value of one more letter or digit behind it.
fn further(rest: u32, byte: u8) -> u32 {
    let value = char::from(byte).to_digit(36).unwrap_or(0);
    let factor = if value > 9 { 100_u32 } else { 10 };
    let longer = rest.wrapping_mul(factor).wrapping_add(value);
    longer.checked_rem(97).unwrap_or(0)
}

impl Form {
    const fn takes(self, byte: u8) -> bool {
        match self {
            Self::Digit => byte.is_ascii_digit(),
            Self::Letter => byte.is_ascii_alphabetic(),
            Self::Either => byte.is_ascii_alphanumeric(),
        }
    }
}

#[cfg(test)]
mod tests;
