//! Where are e-mail addresses, IBANs and national insurance numbers?

use alloc::vec::Vec;

use super::fold::Folded;
use super::{Finding, FindingKind};

/// The length of an IBAN per country (SWIFT's registry), sorted by country.
const IBAN_LENGTHS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AT", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"CH", 21),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DK", 18),
    (b"EE", 20),
    (b"ES", 24),
    (b"FI", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GI", 23),
    (b"GR", 27),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"MC", 27),
    (b"MT", 31),
    (b"NL", 18),
    (b"NO", 15),
    (b"PL", 28),
    (b"PT", 25),
    (b"RO", 24),
    (b"RS", 22),
    (b"SA", 24),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"TR", 26),
    (b"UA", 29),
];

pub(super) fn scan(folded: &Folded, found: &mut Vec<Finding>) {
    for (at, byte) in folded.bytes().iter().enumerate() {
        if *byte == b'@' {
            found.extend(email(folded, at));
        } else if byte.is_ascii_alphabetic() && folded.starts_word(at) {
            found.extend(iban(folded, at));
            found.extend(super::national::nino(folded, at));
        }
    }
}

/// The address around an `@`: RFC 5321's lengths, and a domain that ends in a name of letters.
fn email(folded: &Folded, at: usize) -> Option<Finding> {
    let before = folded.part(at.saturating_sub(64), at);
    let local = before
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"._%+-'".contains(byte))
        .count();
    let right = at.saturating_add(1);
    let domain = folded.run(right, 253, |byte| {
        byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-'
    });
    let text = folded.part(right, right.saturating_add(domain));
    let ending = text
        .iter()
        .rev()
        .take_while(|byte| !byte.is_ascii_alphanumeric())
        .count();
    let length = domain.saturating_sub(ending);
    let text = text.get(..length).unwrap_or_default();
    let top = text.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    let labels = text.split(|byte| *byte == b'.').all(|label| !label.is_empty());
    let named = top.len() >= 2 && top.len() < text.len() && top.iter().all(u8::is_ascii_alphabetic);
    (local > 0 && labels && named).then(|| {
        let start = at.saturating_sub(local);
        folded.finding(FindingKind::Email, start, right.saturating_add(length), 950)
    })
}

/// An IBAN that starts here, with or without spaces: ISO 13616's length per country and check digits (mod 97 = 1).
fn iban(folded: &Folded, start: usize) -> Option<Finding> {
    let country =
        [folded.byte(start), folded.byte(start.saturating_add(1))].map(|byte| byte.to_ascii_uppercase());
    let at = IBAN_LENGTHS
        .binary_search_by_key(&country, |(country, _)| **country)
        .ok()?;
    let (_, length) = IBAN_LENGTHS.get(at)?;
    let (mut end, mut taken) = (start, Vec::with_capacity(*length));
    let mut gap = false;
    while taken.len() < *length {
        let byte = folded.byte(end);
        if byte.is_ascii_alphanumeric() {
            taken.push(byte.to_ascii_uppercase());
            gap = false;
        } else if (byte == b' ' || byte == b'-') && !gap {
            gap = true;
        } else {
            return None;
        }
        end = end.saturating_add(1);
    }
    let (head, tail) = taken.split_at_checked(4)?;
    let digits = head.get(2..)?.iter().all(u8::is_ascii_digit);
    let rest = tail.iter().chain(head).fold(0_u32, |rest, byte| {
        let value = char::from(*byte).to_digit(36).unwrap_or(0);
        let factor = if value > 9 { 100_u32 } else { 10 };
        rest.wrapping_mul(factor)
            .wrapping_add(value)
            .checked_rem(97)
            .unwrap_or(0)
    });
    (digits && rest == 1 && folded.ends_word(end)).then(|| folded.finding(FindingKind::Iban, start, end, 970))
}
