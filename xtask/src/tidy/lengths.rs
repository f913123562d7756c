//! Is any file or function too long to be read at once?

use std::collections::BTreeMap;

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::ratchet::{self, Ratchet};
use super::source::Source;
use crate::report::{At, Report};
use crate::workspace::Workspace;

/// A longer file needs an entry in the ratchet.
pub(super) const FILE_LIMIT: usize = 400;
/// No entry helps a longer file.
const FILE_STOP: usize = 500;
pub(super) const FUNCTION_LIMIT: usize = 70;

/// Lengths in lines: files by path, functions by `path::name`.
#[derive(Default)]
pub(super) struct Lengths {
    pub(super) files: BTreeMap<String, Length>,
    pub(super) functions: BTreeMap<String, Length>,
}

pub(super) struct Length {
    pub(super) lines: usize,
    at: At,
}

pub(super) fn check(workspace: &Workspace, sources: &[Source<'_>]) -> Report {
    let mut report = Report::default();
    let lengths = measure(sources);
    report.examined("file-length", lengths.files.len());
    report.examined("function-length", lengths.functions.len());
    match Ratchet::read(workspace) {
        Ok(ratchet) => judge(&lengths, &ratchet, &mut report),
        Err(error) => report.push(
            "ratchet",
            ratchet::PATH,
            format!("the ratchet cannot be read: {error:#}"),
            "restore its form: tables `files` and `functions` of lengths",
        ),
    }
    report
}

fn judge(lengths: &Lengths, ratchet: &Ratchet, report: &mut Report) {
    for (path, length) in &lengths.files {
        if length.lines > FILE_STOP {
            let what = format!("{} lines; no file may have more than {FILE_STOP}", length.lines);
            report.push("file-length", length.at.clone(), what, SPLIT_FILE);
        } else if length.lines > FILE_LIMIT && !ratchet.files.contains_key(path) {
            let what = format!("{} lines; the limit is {FILE_LIMIT}", length.lines);
            report.push("file-length", length.at.clone(), what, SPLIT_FILE);
        }
    }
    for (name, length) in &lengths.functions {
        if length.lines > FUNCTION_LIMIT && !ratchet.functions.contains_key(name) {
            let what = format!(
                "`{name}` has {} lines; the limit is {FUNCTION_LIMIT}",
                length.lines
            );
            report.push(
                "function-length",
                length.at.clone(),
                what,
                "name its parts and make them functions",
            );
        }
    }
    let found = ratchet::check(&ratchet.files, &lengths.files, FILE_LIMIT);
    report.merge(found);
    let found = ratchet::check(&ratchet.functions, &lengths.functions, FUNCTION_LIMIT);
    report.merge(found);
}

const SPLIT_FILE: &str = "split it by what it answers: `name.rs` and `name/part.rs`";

pub(super) fn measure(sources: &[Source<'_>]) -> Lengths {
    let mut lengths = Lengths::default();
    for source in sources {
        let length = Length {
            lines: source.text.lines().count(),
            at: At::from(source.path),
        };
        lengths.files.insert(source.path.to_owned(), length);
        let mut functions = Functions {
            path: source.path,
            scope: Vec::new(),
            found: &mut lengths.functions,
        };
        functions.visit_file(&source.syntax);
    }
    lengths
}

struct Functions<'a> {
    path: &'a str,
    /// Modules, types and functions around the current item.
    scope: Vec<String>,
    found: &'a mut BTreeMap<String, Length>,
}

impl Functions<'_> {
    /// Counts from the signature to the closing brace, without attributes and documentation.
    fn enter(&mut self, signature: &syn::Signature, end: Span) {
        self.scope.push(signature.ident.to_string());
        let first = signature.span().start().line;
        let lines = end.end().line.saturating_sub(first) + 1;
        let name = format!("{}::{}", self.path, self.scope.join("::"));
        let length = Length {
            lines,
            at: At::from((self.path, first)),
        };
        // Two methods of one name (of two traits) share an entry: the longer one counts.
        if self.found.get(&name).is_none_or(|known| known.lines < lines) {
            self.found.insert(name, length);
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.enter(&item.sig, item.block.span());
        visit::visit_item_fn(self, item);
        self.scope.pop();
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.enter(&item.sig, item.block.span());
        visit::visit_impl_item_fn(self, item);
        self.scope.pop();
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.enter(&item.sig, item.span());
        visit::visit_trait_item_fn(self, item);
        self.scope.pop();
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.scope.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.scope.pop();
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.scope.push(item.ident.to_string());
        visit::visit_item_trait(self, item);
        self.scope.pop();
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let name = match &*item.self_ty {
            syn::Type::Path(path) => path.path.segments.last().map(|s| s.ident.to_string()),
            _ => None,
        };
        self.scope.push(name.unwrap_or_else(|| "impl".to_owned()));
        visit::visit_item_impl(self, item);
        self.scope.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(count: usize) -> String {
        "//! Line.\n".repeat(count)
    }

    fn function(inner: usize) -> String {
        format!(
            "//! F.\nimpl T {{\n    /// Doc.\n    fn f() {{\n{}    }}\n}}\n",
            "        g();\n".repeat(inner)
        )
    }

    fn findings(text: &str, ratchet: &str) -> Vec<String> {
        let workspace = Workspace::of(&[("a.rs", text), (ratchet::PATH, ratchet)]);
        let sources = Source::parse_all(&workspace.files, &mut Report::default());
        check(&workspace, &sources).brief()
    }

    #[test]
    fn a_file_over_the_limit_is_a_finding() {
        assert!(findings(&lines(400), "").is_empty());
        assert_eq!(findings(&lines(401), ""), ["file-length a.rs"]);
    }

    #[test]
    fn the_ratchet_carries_a_file_up_to_the_hard_stop() {
        assert!(findings(&lines(450), "[files]\n\"a.rs\" = 450").is_empty());
        let found = findings(&lines(501), "[files]\n\"a.rs\" = 501");
        assert_eq!(found, ["file-length a.rs"]);
    }

    #[test]
    fn a_function_over_the_limit_is_a_finding_with_its_full_name() {
        assert!(findings(&function(68), "").is_empty());
        assert_eq!(findings(&function(69), ""), ["function-length a.rs:4"]);
        assert!(findings(&function(69), "[functions]\n\"a.rs::T::f\" = 71").is_empty());
    }

    #[test]
    fn a_function_inside_a_module_or_a_trait_is_measured_too() {
        let text = "//! F.\nmod m { trait T { fn f() {} } fn g() { fn h() {} } }";
        let workspace = Workspace::of(&[("a.rs", text)]);
        let sources = Source::parse_all(&workspace.files, &mut Report::default());
        let names: Vec<_> = measure(&sources).functions.into_keys().collect();
        assert_eq!(names, ["a.rs::m::T::f", "a.rs::m::g", "a.rs::m::g::h"]);
    }
}
