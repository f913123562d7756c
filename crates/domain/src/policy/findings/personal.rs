//! Where are e-mail addresses? Everything else that starts with a letter is asked here too.

use alloc::vec::Vec;

use super::fold::{Folded, LETTER};
use super::{Finding, FindingKind};

pub(super) fn scan(folded: &Folded, found: &mut Vec<Finding>) {
    for (at, byte) in folded.bytes().iter().enumerate() {
        if *byte == b'@' {
            found.extend(email(folded, at));
        } else if byte.is_ascii_alphabetic() && folded.starts_word(at) {
            found.extend(super::iban::iban(folded, at));
            found.extend(super::national::nino(folded, at));
        }
    }
}

/// The address around an `@`: RFC 5321's lengths, and a domain that ends in a name of letters. Letters may be those of
/// other alphabets (RFC 6531).
fn email(folded: &Folded, at: usize) -> Option<Finding> {
    let named = |byte: u8| byte.is_ascii_alphanumeric() || byte == LETTER;
    let before = folded.part(at.saturating_sub(64), at);
    let local = before
        .iter()
        .rev()
        .take_while(|byte| named(**byte) || b"._%+-'".contains(byte))
        .count();
    let right = at.saturating_add(1);
    let domain = folded.run(right, 253, |byte| named(byte) || byte == b'.' || byte == b'-');
    let text = folded.part(right, right.saturating_add(domain));
    let ending = text.iter().rev().take_while(|byte| !named(**byte)).count();
    let length = domain.saturating_sub(ending);
    let text = text.get(..length).unwrap_or_default();
    let top = text.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    let labels = text.split(|byte| *byte == b'.').all(|label| !label.is_empty());
    let letters = |byte: &u8| byte.is_ascii_alphabetic() || *byte == LETTER;
    let is_name = top.iter().all(letters) || (top.len() > 4 && top.starts_with(b"xn--"));
    let ends = top.len() >= 2 && top.len() < text.len() && is_name;
    (local > 0 && labels && ends).then(|| {
        let start = at.saturating_sub(local);
        folded.finding(FindingKind::Email, start, right.saturating_add(length), 950)
    })
}

#[cfg(test)]
mod tests;
