//! How are the crates connected, and why does one reach another?

mod svg;

use std::fmt::Write as _;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::check::Loaded;
use crate::mermaid::{self, layers, pairs};
use crate::model::{Crate, Edge, Kind, Workspace, line_column};
use crate::suggest;

/// The forms of `graph`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    Mermaid,
    Dot,
    Svg,
}

/// Chains that `why` prints at most.
const MOST: usize = 200;

/// The graph of the members, by layer.
pub(crate) fn render(loaded: &Loaded, form: Form) -> String {
    match form {
        Form::Mermaid => mermaid::render(&loaded.workspace),
        Form::Dot => dot(&loaded.workspace),
        Form::Svg => svg::render(&loaded.workspace),
    }
}

fn dot(workspace: &Workspace) -> String {
    let mut text = String::from("digraph crates {\n    rankdir = TB;\n    node [shape = box];\n");
    for (index, (layer, crates)) in layers(workspace).into_iter().enumerate() {
        let _ = writeln!(
            text,
            "    subgraph cluster_{index} {{\n        label = \"{layer}\";"
        );
        for krate in crates {
            let _ = writeln!(text, "        \"{}\";", krate.name);
        }
        text.push_str("    }\n");
    }
    for krate in &workspace.crates {
        for (to, dev) in pairs(krate) {
            let style = if dev { " [style = dashed]" } else { "" };
            let _ = writeln!(text, "    \"{}\" -> \"{to}\"{style};", krate.name);
        }
    }
    text.push_str("}\n");
    text
}

type Chain<'a> = Vec<(&'a Crate, &'a Edge)>;

/// All chains of dependencies from one crate to another, shortest first, each step with its manifest line.
pub(crate) fn why(loaded: &Loaded, from: &str, to: &str) -> Result<String> {
    let workspace = &loaded.workspace;
    let Some(start) = workspace.krate(from) else {
        let hint = suggest::hint(from, workspace.crates.iter().map(|krate| krate.name.as_str()));
        bail!("`{from}` is no crate of this workspace{hint}")
    };
    let known = workspace.krate(to).is_some()
        || workspace
            .crates
            .iter()
            .any(|krate| krate.outside().any(|edge| edge.to == to));
    if !known {
        let names = workspace.crates.iter().flat_map(|krate| {
            let outside = krate.outside().map(|edge| edge.to.as_str());
            outside.chain([krate.name.as_str()])
        });
        let hint = suggest::hint(to, names);
        bail!("`{to}` is neither a crate of this workspace nor a dependency of one{hint}");
    }
    let mut chains = Vec::new();
    follow(workspace, start, to, &mut Vec::new(), &mut chains);
    chains.sort_by_key(|chain| (chain.len(), names(chain)));
    let mut text = String::new();
    if chains.is_empty() {
        let _ = writeln!(text, "`{from}` does not reach `{to}`");
        verdict(loaded, start, to, &mut text);
        return Ok(text);
    }
    for chain in &chains {
        let _ = writeln!(text, "{}", names(chain));
        for (krate, edge) in chain {
            let line = line_column(workspace.text(&edge.span.path), edge.span.start).0;
            let _ = writeln!(
                text,
                "  {}:{line}: {} -> {} ({})",
                edge.span.path,
                krate.name,
                edge.to,
                edge.how()
            );
        }
        text.push('\n');
    }
    let more = if chains.len() == MOST {
        ", and perhaps more"
    } else {
        ""
    };
    let _ = writeln!(text, "{} chains{more}", chains.len());
    verdict(loaded, start, to, &mut text);
    Ok(text)
}

/// What the table says about a direct edge.
fn verdict(loaded: &Loaded, from: &Crate, to: &str, text: &mut String) {
    let layers = from
        .layer_name()
        .zip(loaded.workspace.krate(to).and_then(Crate::layer_name));
    let Some((own, other)) = layers else { return };
    let _ = if loaded.config.allows(own, other, Kind::Normal) {
        writeln!(text, "the table allows {own} to use {other}")
    } else {
        let routes = loaded.config.routes(own, other);
        let way = if routes.is_empty() {
            "no layer between them is allowed either".to_owned()
        } else {
            format!("the legal way leads through {}", routes.join(" or "))
        };
        writeln!(text, "the table forbids {own} to use {other}; {way}")
    };
}

fn names(chain: &Chain<'_>) -> String {
    let mut names: Vec<_> = chain.iter().map(|(krate, _)| krate.name.as_str()).collect();
    names.extend(chain.last().map(|(_, edge)| edge.to.as_str()));
    names.join(" -> ")
}

/// Edges of tests count at the first step only: a dependency's tests are not built.
fn follow<'a>(
    workspace: &'a Workspace,
    at: &'a Crate,
    to: &str,
    chain: &mut Chain<'a>,
    chains: &mut Vec<Chain<'a>>,
) {
    for edge in &at.edges {
        let met = chain.iter().any(|(krate, _)| krate.name == edge.to);
        let tests = edge.kind == Kind::Dev && !chain.is_empty();
        if met || tests || chains.len() >= MOST {
            continue;
        }
        chain.push((at, edge));
        if edge.to == to {
            chains.push(chain.clone());
        } else if let Some(next) = edge.member.then(|| workspace.krate(&edge.to)).flatten() {
            follow(workspace, next, to, chain, chains);
        }
        chain.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn loaded() -> Loaded {
        let krate = |name: &str, layer: &str, uses: &str| {
            format!("[package]\nname = \"{name}\"\n[package.metadata.layer]\nname = \"{layer}\"\n{uses}")
        };
        let dep = |name: &str| format!("{name} = {{ path = \"../{name}\" }}\n");
        let low = krate("low", "L6", "[dependencies]\ndiesel = \"2\"\n");
        let mid = krate("mid", "L4", &format!("[dependencies]\n{}", dep("low")));
        let high = format!("[dependencies]\n{}[dev-dependencies]\n{}", dep("mid"), dep("low"));
        let workspace = crate::load::testing::workspace(&[
            ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]"),
            ("crates/low/Cargo.toml", &low),
            ("crates/mid/Cargo.toml", &mid),
            ("crates/high/Cargo.toml", &krate("high", "L2", &high)),
            (
                "architecture.toml",
                "[layers.L6]\nmay_use = []\n[layers.L4]\nmay_use = [\"L6\"]\n[layers.L2]\nmay_use = [\"L4\"]",
            ),
        ]);
        let config = Config::read(&workspace, None).unwrap();
        let words = crate::scan::Words::new([]);
        Loaded {
            workspace,
            config,
            words,
        }
    }

    #[test]
    fn every_chain_is_printed_with_its_manifest_lines_and_the_verdict() {
        insta::assert_snapshot!(why(&loaded(), "high", "diesel").unwrap());
        insta::assert_snapshot!(why(&loaded(), "high", "low").unwrap());
        assert!(
            why(&loaded(), "low", "high")
                .unwrap()
                .starts_with("`low` does not reach `high`")
        );
        assert!(why(&loaded(), "low", "gone").is_err());
    }

    #[test]
    fn the_graph_is_drawn_by_layers_in_every_form() {
        for form in [Form::Mermaid, Form::Dot, Form::Svg] {
            insta::assert_snapshot!(format!("{form:?}"), render(&loaded(), form));
        }
    }
}
