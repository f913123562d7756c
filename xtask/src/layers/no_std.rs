//! Can the pure layers name a clock, a file or a random number?

use syn::{AttrStyle, Item, Meta};

use super::table::{self, Table};
use crate::report::Report;
use crate::workspace::Workspace;

const RULE: &str = "layer-no-std";

pub(super) fn check(workspace: &Workspace, table: &Table) -> Report {
    let mut report = Report::default();
    report.examined(RULE, 0);
    for krate in &workspace.crates {
        let pure = |layer: &String| table.no_std.contains(layer);
        if !krate.layer.as_ref().is_some_and(pure) {
            continue;
        }
        report.examined(RULE, 1);
        let path = format!("{}/src/lib.rs", krate.dir);
        let text = workspace.files.text(&path).unwrap_or_default();
        // A file that does not parse is tidy's finding.
        let Ok(file) = syn::parse_file(text) else {
            continue;
        };
        if !file.attrs.iter().any(is_no_std) {
            report.push(
                RULE,
                &path,
                format!("`{}` is not `#![no_std]`", krate.name),
                format!(
                    "add `#![no_std]` without a condition, and `extern crate alloc`; {} asks for it",
                    table::PATH
                ),
            );
        }
        if file.items.iter().any(names_std) {
            report.push(
                RULE,
                &path,
                format!("`{}` brings std back with `extern crate std`", krate.name),
                "remove it; tests may do so behind `#[cfg(test)]`",
            );
        }
    }
    report
}

/// A condition (`cfg_attr`) does not count: the rule holds in every build.
fn is_no_std(attribute: &syn::Attribute) -> bool {
    matches!(attribute.style, AttrStyle::Inner(_))
        && matches!(&attribute.meta, Meta::Path(path) if path.is_ident("no_std"))
}

fn names_std(item: &Item) -> bool {
    let Item::ExternCrate(item) = item else {
        return false;
    };
    let in_tests = item.attrs.iter().any(|attribute| {
        matches!(&attribute.meta, Meta::List(list)
            if list.path.is_ident("cfg") && list.tokens.to_string() == "test")
    });
    item.ident == "std" && !in_tests
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Crate;

    fn findings(lib: &str, layer: &str) -> Vec<String> {
        let table = toml::from_str(include_str!("../../architecture.toml")).unwrap();
        let files = [("crates/domain/src/lib.rs", lib)];
        check(&Workspace::of(&files).with(Crate::of("domain", layer)), &table).brief()
    }

    #[test]
    fn a_pure_crate_without_std_is_fine() {
        let lib = "#![no_std]\nextern crate alloc;\n#[cfg(test)]\nextern crate std;\n";
        assert!(findings(lib, "L4-engine").is_empty());
        assert!(findings("", "L4-service").is_empty());
    }

    #[test]
    fn a_pure_crate_with_std_is_a_finding() {
        for lib in [
            "",
            "#![cfg_attr(not(test), no_std)]",
            "#![no_std]\nextern crate std;",
            "#![no_std]\n#[cfg(not(test))]\nextern crate std;",
        ] {
            let expected = ["layer-no-std crates/domain/src/lib.rs"];
            assert_eq!(findings(lib, "L4-engine"), expected, "{lib}");
        }
    }
}
