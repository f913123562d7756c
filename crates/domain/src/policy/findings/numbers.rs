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
        let separator = groups.last().and_then(|last| match folded.part(last.end, at) {
            [separator @ (b' ' | b'-' | b'.' | b'/')] => Some(*separator),
            [b')', b' '] | [b' ', b'('] => Some(b' '),
            _ => None,
        });
        groups.push(Group {
            start: at,
            end,
            separator,
        });
        at = end;
    }
    groups
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
    if (13..=19).contains(&digits.len()) && is_card(digits) && separators(b" -") {
        return Some((FindingKind::Card, 950));
    }
    if !(8..=15).contains(&digits.len()) {
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

/// E.164 (a plus and 8 to 15 digits), North America's 3-3-4, and national numbers in groups that start with 0.
fn is_phone(folded: &Folded, parts: &[Group], lengths: &[usize], digits: &[u8]) -> Option<u16> {
    if after_plus(folded, parts) {
        return (8..=15).contains(&digits.len()).then_some(850);
    }
    // Not the rest of something longer.
    if parts.first().is_some_and(|first| first.separator.is_some()) {
        return None;
    }
    if lengths == [3, 3, 4] {
        let exchange = digits.get(3).is_some_and(|digit| *digit > 1);
        return (exchange && digits.first().is_some_and(|digit| *digit > 1)).then_some(750);
    }
    let national = digits.first() == Some(&0) && digits.get(1).is_some_and(|digit| *digit > 0);
    let grouped = (2..=5).contains(&parts.len()) && lengths.first().is_some_and(|length| *length >= 3);
    let dated = parts.iter().any(|group| matches!(group.separator, Some(b'.')));
    (national && grouped && !dated && (9..=12).contains(&digits.len())).then_some(600)
}

/// A card number of a known network (by its first digits), with Luhn's check digit.
fn is_card(digits: &[u8]) -> bool {
    let head = |length: usize| {
        let part = digits.iter().take(length);
        part.fold(0_u32, |number, digit| {
            number.saturating_mul(10).saturating_add(u32::from(*digit))
        })
    };
    let network = match head(1) {
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
    };
    network && luhn(digits)
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
