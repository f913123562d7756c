//! Which numbers are cards, telephones, or numbers of persons?
//!
//! Digits stand in groups with one separator between them. From each group on, as many groups are taken together as a
//! number can have digits, and the first reading that has right check digits counts.

use alloc::vec::Vec;

use super::fold::Folded;
use super::national::{is_german_tax_id, is_ssn};
use super::{Finding, FindingKind};

/// The most digits of a number that is looked for: a payment card's.
const DIGITS_MAX: usize = 19;

/// Where Maestro's issuers number short: four digits of those whose cards have 12 to 15.
const MAESTRO_SHORT: [u32; 9] = [5018, 5020, 5038, 5893, 6304, 6759, 6761, 6762, 6763];

/// The countries' codes of telephones that have two digits, by the first one; of 1 and 7 there is one, and all others have
/// three.
const CODES_OF_TWO: [&[u8]; 10] = [
    &[],
    &[],
    &[0, 7],
    &[0, 1, 2, 3, 4, 6, 9],
    &[0, 1, 3, 4, 5, 6, 7, 8, 9],
    &[1, 2, 3, 4, 5, 6, 7, 8],
    &[0, 1, 2, 3, 4, 5, 6],
    &[],
    &[1, 2, 4, 6],
    &[0, 1, 2, 3, 4, 5, 8],
];

/// The most groups of a number of a person or a telephone.
const GROUPS_MAX: usize = 8;

/// Digits without a separator.
struct Group {
    start: usize,
    end: usize,
    /// What stands before it and the group before, if it is one separator.
    separator: Option<u8>,
}

pub(super) fn scan(folded: &Folded, found: &mut Vec<Finding>) {
    let groups = groups(folded);
    let mut from = 0_usize;
    while let Some(rest) = groups.get(from..)
        && !rest.is_empty()
    {
        let taken = number(folded, rest, found);
        from = from.saturating_add(taken.max(1));
    }
}

fn groups(folded: &Folded) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut at = 0_usize;
    while at < folded.bytes().len() {
        let length = folded.run(at, usize::MAX, |byte| byte.is_ascii_digit());
        if length == 0 {
            at = at.saturating_add(1);
            continue;
        }
        let end = at.saturating_add(length);
        let separator = groups.last().and_then(|last| separator(folded, last, at));
        groups.push(Group {
            start: at,
            end,
            separator,
        });
        at = end;
    }
    groups
}

/// What stands between a group and the next one, if it is one separator. Brackets are one where they are around a part of a
/// telephone number; `2) 415…` is the second entry of a list.
fn separator(folded: &Folded, last: &Group, at: usize) -> Option<u8> {
    let before = last.start.checked_sub(1).map_or(0, |before| folded.byte(before));
    let length = last.end.saturating_sub(last.start);
    let (opened, trunk) = (before == b'(', folded.byte(last.start) == b'0');
    let closes = length >= 3 || (opened && (length >= 2 || trunk || last.separator.is_some()));
    match folded.part(last.end, at) {
        [separator @ (b' ' | b'-' | b'.' | b'/')] => Some(*separator),
        [b')', b' ' | b'-'] if closes => Some(b' '),
        [b')'] if opened && closes => Some(b')'),
        [b' ' | b'-', b'('] => Some(b' '),
        [b'('] if before == b'+' => Some(b'('),
        _ => None,
    }
}

/// What the groups from the first one on are; how many groups it took.
fn number(folded: &Folded, groups: &[Group], found: &mut Vec<Finding>) -> usize {
    let Some(first) = groups.first() else {
        return 0;
    };
    let mut digits: Vec<u8> = Vec::new();
    let mut best: Option<(usize, Finding)> = None;
    for (index, group) in groups.iter().enumerate() {
        if index > 0 && group.separator.is_none() {
            break;
        }
        let more = folded
            .part(group.start, group.end)
            .iter()
            .map(|byte| byte.saturating_sub(b'0'));
        digits.extend(more.take(DIGITS_MAX.saturating_add(1)));
        if digits.len() > DIGITS_MAX {
            break;
        }
        let parts = groups.get(..=index).unwrap_or_default();
        let alone = folded.starts_word(first.start) && folded.ends_word(group.end);
        if let Some((kind, confidence)) = read(folded, parts, &digits)
            && alone
            && best
                .as_ref()
                .is_none_or(|(_, other)| other.confidence.thousandths() < confidence)
        {
            let plus = kind == FindingKind::Phone && opens(folded, first.start);
            let start = if plus {
                first.start.saturating_sub(1)
            } else {
                first.start
            };
            best = Some((
                index.saturating_add(1),
                folded.finding(kind, start, group.end, confidence),
            ));
        }
    }
    match best {
        Some((taken, finding)) => {
            found.push(finding);
            taken
        }
        None => 1,
    }
}

fn opens(folded: &Folded, start: usize) -> bool {
    start
        .checked_sub(1)
        .is_some_and(|before| matches!(folded.byte(before), b'+' | b'('))
}

fn read(folded: &Folded, parts: &[Group], digits: &[u8]) -> Option<(FindingKind, u16)> {
    let separators = |allowed: &[u8]| {
        let mut between = parts.iter().skip(1).filter_map(|group| group.separator);
        between.all(|separator| allowed.contains(&separator))
    };
    if (12..=19).contains(&digits.len()) && separators(b" -") && luhn(digits) {
        if is_card(digits) {
            return Some((FindingKind::Card, 950));
        }
        if is_short_maestro(digits) && !after_plus(folded, parts) {
            return Some((FindingKind::Card, 700));
        }
    }
    if !(8..=17).contains(&digits.len()) {
        return None;
    }
    let mut sizes = [0_usize; GROUPS_MAX];
    for (size, group) in sizes.iter_mut().zip(parts) {
        *size = group.end.saturating_sub(group.start);
    }
    let lengths = sizes.get(..parts.len()).unwrap_or_default();
    if lengths == [3, 2, 4] && is_ssn(digits) && separators(b" -") {
        let dashes = parts.iter().skip(1).all(|group| group.separator == Some(b'-'));
        return Some((FindingKind::UsSsn, if dashes { 850 } else { 650 }));
    }
    if digits.len() == 11 && is_german_tax_id(digits) && separators(b" ") && !after_plus(folded, parts) {
        return Some((FindingKind::DeTaxId, 750));
    }
    is_phone(folded, parts, lengths, digits).map(|confidence| (FindingKind::Phone, confidence))
}

fn after_plus(folded: &Folded, parts: &[Group]) -> bool {
    let before = parts.first().and_then(|first| first.start.checked_sub(1));
    before.is_some_and(|before| folded.byte(before) == b'+')
}

/// E.164 (a plus and 8 to 15 digits), the same behind 00, North America's 3-3-4, with or without its 1, and national numbers
/// in groups that start with 0.
fn is_phone(folded: &Folded, parts: &[Group], lengths: &[usize], digits: &[u8]) -> Option<u16> {
    if after_plus(folded, parts) {
        return (8..=15).contains(&digits.len()).then_some(850);
    }
    // Not the rest of something longer.
    if parts.first().is_some_and(|first| first.separator.is_some()) {
        return None;
    }
    let area = match (lengths, digits) {
        ([3, 3, 4], area) | ([1, 3, 3, 4], [1, area @ ..]) => area,
        _ => &[],
    };
    if !area.is_empty() {
        let exchange = area.get(3).is_some_and(|digit| *digit > 1);
        return (exchange && area.first().is_some_and(|digit| *digit > 1)).then_some(750);
    }
    let dated = parts.iter().any(|group| matches!(group.separator, Some(b'.')));
    let grouped = (2..=6).contains(&parts.len()) && !dated;
    match (digits, lengths) {
        // Two groups of one length are a range: `00350-00399`.
        ([0, 0, rest @ ..], [first, second, others @ ..])
            if *first >= 2 && (first != second || !others.is_empty()) =>
        {
            let code = if *first > 2 {
                first.saturating_sub(2)
            } else {
                *second
            };
            let abroad = (8..=15).contains(&rest.len()) && is_country_code(rest.get(..code)?);
            (grouped && abroad).then_some(700)
        }
        ([0, next, ..], [first, ..]) => {
            let national = *next > 0 && *first >= 3 && parts.len() <= 5;
            (national && grouped && (9..=12).contains(&digits.len())).then_some(600)
        }
        _ => None,
    }
}

fn is_country_code(code: &[u8]) -> bool {
    let of_two = |first: &u8, second: &u8| {
        let codes = CODES_OF_TWO.get(usize::from(*first)).copied().unwrap_or_default();
        codes.contains(second)
    };
    match code {
        [1 | 7] => true,
        [first, second] => of_two(first, second),
        [first @ (2..=6 | 8 | 9), second, _] => !of_two(first, second),
        _ => false,
    }
}

/// The number that the first digits are.
fn head(digits: &[u8], length: usize) -> u32 {
    let part = digits.iter().take(length);
    part.fold(0_u32, |number, digit| {
        number.saturating_mul(10).saturating_add(u32::from(*digit))
    })
}

/// A card number of a known network, by its first digits.
fn is_card(digits: &[u8]) -> bool {
    let head = |length: usize| head(digits, length);
    let maestro = matches!(head(2), 50 | 56..=58 | 67) || head(4) == 6304;
    match head(1) {
        _ if maestro => digits.len() >= 16,
        4 => matches!(digits.len(), 13 | 16 | 19),
        5 => (51..=55).contains(&head(2)) && digits.len() == 16,
        2 => (2221..=2720).contains(&head(4)) && digits.len() == 16,
        3 if matches!(head(2), 34 | 37) => digits.len() == 15,
        3 if matches!(head(2), 36 | 38 | 39) || (300..=305).contains(&head(3)) => digits.len() == 14,
        3 => (3528..=3589).contains(&head(4)) && digits.len() == 16,
        6 => {
            (head(4) == 6011 || head(2) == 65 || head(2) == 62 || (644..=649).contains(&head(3)))
                && digits.len() >= 16
        }
        _ => false,
    }
}

/// A number of Maestro with 12 to 15 digits. So many do numbers of goods have (GTIN), whose first digits are a country's.
fn is_short_maestro(digits: &[u8]) -> bool {
    (12..=15).contains(&digits.len()) && MAESTRO_SHORT.contains(&head(digits, 4)) && !is_gtin(digits)
}

/// Whether the last digit is a trade item's check digit: the others times 3, 1, 3 and so on from the right make ten with it.
fn is_gtin(digits: &[u8]) -> bool {
    let weighted = digits.iter().rev().enumerate().map(|(index, digit)| {
        let weight = if index.is_multiple_of(2) { 1_u32 } else { 3 };
        u32::from(*digit).saturating_mul(weight)
    });
    weighted.sum::<u32>().is_multiple_of(10)
}

fn luhn(digits: &[u8]) -> bool {
    let sum = digits
        .iter()
        .rev()
        .enumerate()
        .fold(0_u32, |sum, (index, digit)| {
            let doubled = digit.saturating_mul(if index.is_multiple_of(2) { 1 } else { 2 });
            let value = if doubled > 9 {
                doubled.saturating_sub(9)
            } else {
                doubled
            };
            sum.saturating_add(u32::from(value))
        });
    sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != 0)
}

#[cfg(test)]
mod tests;
