//! Where are API keys and other secrets?

use alloc::vec::Vec;

use super::fold::Folded;
use super::{Finding, FindingKind};

/// How keys of well-known providers start, and how many characters follow at least. The longest start comes first.
const PREFIXES: &[(&[u8], usize)] = &[
    (b"github_pat_", 22),
    (b"plim_live_", 36),
    (b"plim_test_", 36),
    (b"sk-proj-", 20),
    (b"sk_live_", 16),
    (b"rk_live_", 16),
    (b"sk-ant-", 20),
    (b"glpat-", 20),
    (b"xoxb-", 20),
    (b"xoxp-", 20),
    (b"ghp_", 36),
    (b"gho_", 36),
    (b"ghs_", 36),
    (b"npm_", 36),
    (b"gsk_", 20),
    (b"AKIA", 16),
    (b"ASIA", 16),
    (b"AIza", 35),
    (b"hf_", 30),
    (b"sk-", 20),
];

const PRIVATE_KEY: &[u8] = b"-----BEGIN ";

/// The least length of a random text that is taken for a secret.
const SECRET_MIN: usize = 32;
/// The most of a token that is looked at.
const TOKEN_MAX: usize = 512;

pub(super) fn scan(folded: &Folded, found: &mut Vec<Finding>) {
    let mut at = 0_usize;
    while at < folded.bytes().len() {
        let length = folded.run(at, TOKEN_MAX, is_token);
        if length == 0 {
            at = at.saturating_add(1);
            continue;
        }
        let end = at.saturating_add(length);
        token(folded, at, end, found);
        private_key(folded, at, found);
        at = end;
    }
}

const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'+' | b'/' | b'=' | b':')
}

/// Looks at the parts of a token, as in `key=sk-…` or `Authorization:Bearer/…`.
fn token(folded: &Folded, start: usize, end: usize, found: &mut Vec<Finding>) {
    let mut from = start;
    for part in folded.part(start, end).split(|byte| matches!(byte, b'=' | b':')) {
        let to = from.saturating_add(part.len());
        let key = PREFIXES.iter().any(|(prefix, more)| {
            part.strip_prefix(*prefix).is_some_and(|rest| {
                let named = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
                rest.iter().take_while(named).count() >= *more
            })
        });
        if key || is_jwt(part) {
            found.push(folded.finding(FindingKind::ApiKey, from, to, 950));
        } else if is_random(part) {
            found.push(folded.finding(FindingKind::Secret, from, to, 600));
        }
        from = to.saturating_add(1);
    }
}

fn private_key(folded: &Folded, start: usize, found: &mut Vec<Finding>) {
    let head = folded.part(start, start.saturating_add(64));
    let Some(rest) = head.strip_prefix(PRIVATE_KEY) else {
        return;
    };
    if rest.windows(11).any(|window| window == b"PRIVATE KEY") {
        found.push(folded.finding(FindingKind::ApiKey, start, start.saturating_add(head.len()), 970));
    }
}

/// A JSON web token: three parts of base64url, the first of which is a JSON object.
fn is_jwt(part: &[u8]) -> bool {
    let mut pieces = part.split(|byte| *byte == b'.');
    let object =
        |piece: Option<&[u8]>| piece.is_some_and(|piece| piece.starts_with(b"eyJ") && piece.len() > 10);
    object(pieces.next()) && object(pieces.next()) && pieces.next().is_some_and(|piece| piece.len() > 20)
}

/// Whether it looks like the output of a random generator: long, with both cases and digits, in all places, and of many
/// characters. Names in code, paths and hashes in hex do not.
fn is_random(part: &[u8]) -> bool {
    if part.len() < SECRET_MIN || part.iter().any(|byte| matches!(byte, b'.')) {
        return false;
    }
    let class = |byte: &u8| match byte {
        b'0'..=b'9' => 0_u8,
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        _ => 3,
    };
    let mut seen = [false; 128];
    let mut counts = [0_usize; 4];
    for byte in part {
        if let Some(slot) = seen.get_mut(usize::from(*byte)) {
            *slot = true;
        }
        if let Some(count) = counts.get_mut(usize::from(class(byte))) {
            *count = count.saturating_add(1);
        }
    }
    let [digits, lower, upper, marks] = counts;
    let distinct = seen.iter().filter(|seen| **seen).count();
    let changes = part
        .windows(2)
        .filter(|pair| pair.first().map(class) != pair.last().map(class))
        .count();
    digits >= 3
        && lower >= 6
        && upper >= 6
        && marks.saturating_mul(8) <= part.len()
        && distinct >= 18
        && changes.saturating_mul(3) >= part.len()
}
