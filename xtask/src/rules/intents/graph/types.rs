//! Which parameters are transactions?

use std::collections::BTreeMap;
use std::ops::Range;

use super::Intent;
use super::file::File;
use crate::model::SourceFile;
use crate::rule::Ctx;
use crate::scan::ItemKind;

/// A parameter of a function or closure.
#[derive(Debug, Clone)]
pub(super) struct Parameter {
    pub(super) names: Vec<String>,
    /// The tokens of its type, and of the bounds of the generic types in it.
    kinds: Vec<Range<usize>>,
}

impl Parameter {
    /// The names in its type.
    pub(super) fn words<'a>(&self, file: &'a SourceFile) -> impl Iterator<Item = &'a str> {
        let tokens = self.kinds.iter().flat_map(Clone::clone);
        tokens.map(|at| file.word(at)).filter(|word| !word.is_empty())
    }
}

/// The parameters of a function whose signature this is.
pub(super) fn parameters(file: &SourceFile, signature: Range<usize>) -> Vec<Parameter> {
    let mut at = signature.start;
    let mut depth = 0_usize;
    while at < signature.end && (depth > 0 || !file.is(at, b'(')) {
        depth += usize::from(file.is(at, b'<'));
        depth -= usize::from(depth > 0 && file.is(at, b'>') && !file.is(at - 1, b'-'));
        at = file
            .closing(at)
            .filter(|_| depth > 0 && file.is(at, b'('))
            .unwrap_or(at)
            + 1;
    }
    let Some(close) = file.closing(at) else {
        return Vec::new();
    };
    let mut bounds = bounds(file, signature.start..at);
    for (name, ranges) in self::bounds(file, close..signature.end) {
        bounds.entry(name).or_default().extend(ranges);
    }
    let mut found = split(file, at + 1..close);
    for parameter in &mut found {
        let generic: Vec<_> = parameter
            .kinds
            .iter()
            .flat_map(Clone::clone)
            .filter_map(|at| bounds.get(file.word(at)))
            .flatten()
            .cloned()
            .collect();
        parameter.kinds.extend(generic);
    }
    found
}

/// `T: A + B` of generics and where clauses.
fn bounds(file: &SourceFile, range: Range<usize>) -> BTreeMap<&str, Vec<Range<usize>>> {
    let mut found: BTreeMap<&str, Vec<Range<usize>>> = BTreeMap::new();
    let mut name = "";
    let mut after = range.start;
    for at in range {
        if at < after {
            continue;
        }
        // What a closure will be handed is none of the function's own.
        if matches!(file.word(at), "Fn" | "FnMut" | "FnOnce" | "fn") && file.is(at + 1, b'(') {
            after = file.closing(at + 1).unwrap_or(at);
            continue;
        }
        let colon = file.is(at + 1, b':') && !file.is(at + 2, b':') && !file.is(at, b':');
        if colon && !file.word(at).is_empty() {
            name = file.word(at);
        } else if !name.is_empty() && !file.word(at).is_empty() {
            found.entry(name).or_default().push(at..at + 1);
        }
    }
    found
}

/// `a: A, (b, c): B` by commas.
pub(super) fn split(file: &SourceFile, range: Range<usize>) -> Vec<Parameter> {
    let mut found = Vec::new();
    let mut start = range.start;
    let mut depth = 0_usize;
    let mut at = range.start;
    while at <= range.end {
        if at == range.end || depth == 0 && file.is(at, b',') {
            if start < at {
                found.push(parameter(file, start..at));
            }
            start = at + 1;
        }
        depth += usize::from(file.is(at, b'<'));
        depth -= usize::from(depth > 0 && file.is(at, b'>') && !file.is(at - 1, b'-'));
        let opens = file.is(at, b'(') || file.is(at, b'[') || file.is(at, b'{');
        at = file.closing(at).filter(|_| opens).unwrap_or(at) + 1;
    }
    found
}

fn parameter(file: &SourceFile, range: Range<usize>) -> Parameter {
    let single =
        |at: &usize| file.is(*at, b':') && !file.is(at + 1, b':') && !file.is(at.wrapping_sub(1), b':');
    let colon = range.clone().find(single);
    let pattern = range.start..colon.unwrap_or(range.end);
    let words = pattern.map(|at| file.word(at));
    Parameter {
        names: words
            .filter(|word| !matches!(*word, "" | "mut" | "ref"))
            .map(str::to_owned)
            .collect(),
        kinds: colon.map(|colon| colon + 1..range.end).into_iter().collect(),
    }
}

/// The types that are transactions, by the names that crates give them.
pub(super) struct Types {
    /// `store::tx::WriteTx` and `store::WriteTx` by their last name.
    own: BTreeMap<String, Intent>,
    store: String,
    /// Aliases of types and structs around a transaction: name and crate.
    aliases: BTreeMap<String, Vec<(String, Intent)>>,
}

impl Types {
    pub(super) fn new(ctx: &Ctx<'_>, files: &[File<'_>]) -> Self {
        let config = &ctx.config.transactions;
        let store = ctx.workspace.krate(&config.krate);
        let intents = [
            (Intent::Read, &config.types.read),
            (Intent::Write, &config.types.write),
            (Intent::Lock, &config.types.lock),
        ];
        let own = intents
            .iter()
            .flat_map(|(intent, names)| names.iter().map(|name| (name.clone(), *intent)));
        let mut types = Self {
            own: own.collect(),
            store: store.map_or_else(String::new, |krate| krate.lib_name.clone()),
            aliases: BTreeMap::new(),
        };
        for file in files {
            if !types.concern(file.source) {
                continue;
            }
            for item in file.source.items() {
                let keyword = file.source.word(item.extent.start);
                let renames = item.kind == ItemKind::Constant && keyword == "type"
                    || item.kind == ItemKind::Type && keyword == "struct";
                let defined = item.path.rsplit("::").next().unwrap_or_default();
                if !renames || file.speaks_sql && types.own.contains_key(defined) {
                    continue;
                }
                if let Some((intent, _)) = types.mentioned(file, item.extent.start + 2..item.extent.end) {
                    let known = types.aliases.entry(defined.to_owned()).or_default();
                    known.push((file.krate.clone(), intent));
                }
            }
        }
        types
    }

    /// Whether a file may name any of them: under another name it stands in the line that gives it that name.
    pub(super) fn concern(&self, file: &SourceFile) -> bool {
        self.own
            .keys()
            .chain(self.aliases.keys())
            .any(|name| file.may_say(name))
    }

    /// The intent of a parameter, and the token that says so.
    pub(super) fn of(&self, file: &File<'_>, parameter: &Parameter) -> Option<(Intent, usize)> {
        let found = parameter
            .kinds
            .iter()
            .filter_map(|kind| self.mentioned(file, kind.clone()));
        found.max_by_key(|(intent, _)| *intent)
    }

    /// The strongest transaction named in these tokens, closures that would get one left out.
    pub(super) fn mentioned(&self, file: &File<'_>, range: Range<usize>) -> Option<(Intent, usize)> {
        let source = file.source;
        let mut found: Option<(Intent, usize)> = None;
        let mut at = range.start;
        while at < range.end {
            let word = source.word(at);
            if matches!(word, "Fn" | "FnMut" | "FnOnce" | "fn") && source.is(at + 1, b'(') {
                at = source.closing(at + 1).unwrap_or(at) + 1;
                continue;
            }
            if let Some(intent) = self.intent(file, at)
                && found.is_none_or(|(known, _)| known < intent)
            {
                found = Some((intent, at));
            }
            at += 1;
        }
        found
    }

    fn intent(&self, file: &File<'_>, at: usize) -> Option<Intent> {
        let source = file.source;
        let word = source.word(at);
        if word.is_empty() {
            return None;
        }
        let mut aliases = self.aliases.get(word).into_iter().flatten();
        if let Some((_, intent)) = aliases.find(|(krate, _)| *krate == file.krate) {
            return Some(*intent);
        }
        if !self.own.contains_key(word) && !file.renamed.contains(word) {
            return None;
        }
        let named: Vec<_> = source.paths_at(at).collect();
        if named.is_empty() {
            let known = self.own.get(word)?;
            let brought = source
                .paths()
                .iter()
                .filter(|path| path.import && path.last() == "*")
                .any(|path| file.absolute(path).starts_with(&self.store));
            return (brought || file.speaks_sql).then_some(*known);
        }
        // A path is looked at where it ends.
        named
            .into_iter()
            .filter(|path| path.tokens.end == at + 1)
            .find_map(|path| {
                let leads = file.absolute(path);
                let ours = leads == self.store || leads.starts_with(&format!("{}::", self.store));
                self.own.get(path.last()).copied().filter(|_| ours)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::testing::source;

    #[test]
    fn parameters_are_split_where_they_end() {
        let file = source(
            "crates/a/src/lib.rs",
            "fn f<T: A>(a: B<C, D>, (b, c): (E, F), d: T, mut e: &mut G) where T: H {}",
        );
        let item = &file.items()[0];
        let found = parameters(&file, 1..item.body.clone().unwrap().start);
        let names: Vec<_> = found.iter().map(|parameter| parameter.names.join(" ")).collect();
        assert_eq!(names, ["a", "b c", "d", "e"]);
        let third = found[2]
            .kinds
            .iter()
            .flat_map(Clone::clone)
            .map(|at| file.word(at));
        assert_eq!(third.collect::<Vec<_>>(), ["T", "A", "H"]);
    }
}
