//! What makes two findings the same one tomorrow? Rule, crate, item and the tokens, not the line.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::rule::{Ctx, Finding};

/// Fills in crate, layer, item and fingerprint.
pub(super) fn complete(ctx: &Ctx<'_>, findings: &mut [Finding]) {
    findings.sort();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for finding in findings {
        if finding.krate.is_empty()
            && let Some(krate) = ctx.owner(&finding.primary.path)
        {
            finding.krate.clone_from(&krate.name);
            finding.layer = krate.layer_name().unwrap_or_default().to_owned();
        }
        let (item, tokens) = place(ctx, finding);
        finding.item = item;
        let text = format!("{}\n{}\n{}\n{tokens}", finding.rule, finding.krate, finding.item);
        let hash = fnv(&text);
        // Several equal findings in one item are told apart by their order.
        let nth = match seen.entry(format!("{hash:016x}")) {
            Entry::Occupied(mut entry) => {
                *entry.get_mut() += 1;
                *entry.get()
            }
            Entry::Vacant(entry) => *entry.insert(0),
        };
        finding.fingerprint = if nth == 0 {
            format!("{hash:016x}")
        } else {
            format!("{hash:016x}-{nth}")
        };
    }
}

/// The item around the finding, and the normalised text of the place.
fn place(ctx: &Ctx<'_>, finding: &Finding) -> (String, String) {
    let span = &finding.primary;
    let Some(source) = ctx.workspace.sources.shared(&span.path) else {
        let text = ctx.workspace.text(&span.path);
        let excerpt = text.get(span.range()).unwrap_or_default();
        let words: Vec<_> = excerpt.split_whitespace().collect();
        // A finding about a file as a whole is told from others by what it says.
        let told = if words.is_empty() {
            finding.message.clone()
        } else {
            words.join(" ")
        };
        return (span.path.clone(), told);
    };
    let list = &source.tokens.list;
    let first = list.partition_point(|range| range.end <= span.start);
    let end = list.partition_point(|range| range.start < span.end).max(first);
    let tokens: Vec<_> = (first..end).map(|index| source.raw(index)).collect();
    let told = if span.is_file() {
        finding.message.clone()
    } else {
        tokens.join(" ")
    };
    (source.item_path(first), told)
}

/// FNV-1a: stable over versions of Rust, and nobody attacks a baseline.
fn fnv(text: &str) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325;
    text.bytes().fold(start, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
