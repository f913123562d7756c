//! How do crates and their edges look as a Mermaid flowchart?

use std::fmt::Write as _;

use crate::model::{Crate, Kind, Workspace};

/// One line per pair of crates; an edge for tests only is dashed.
pub(crate) fn pairs(krate: &Crate) -> Vec<(&str, bool)> {
    let mut pairs: Vec<(&str, bool)> = Vec::new();
    for edge in krate.inside() {
        let dev = edge.kind == Kind::Dev;
        match pairs.iter_mut().find(|pair| pair.0 == edge.to) {
            Some(pair) => pair.1 &= dev,
            None => pairs.push((&edge.to, dev)),
        }
    }
    pairs.sort_unstable();
    pairs
}

/// Layers in the order of their depth, with their crates.
pub(crate) fn layers(workspace: &Workspace) -> Vec<(&str, Vec<&Crate>)> {
    let mut layers: Vec<(&str, Vec<&Crate>)> = Vec::new();
    for krate in &workspace.crates {
        let layer = krate.layer_name().unwrap_or("no layer");
        match layers.iter_mut().find(|known| known.0 == layer) {
            Some(known) => known.1.push(krate),
            None => layers.push((layer, vec![krate])),
        }
    }
    layers.sort_unstable_by_key(|layer| layer.0);
    layers
}

/// A flowchart: what `graph` prints, and what a document shows.
pub(crate) fn render(workspace: &Workspace) -> String {
    let mut text = String::from("flowchart TD\n");
    for (layer, crates) in layers(workspace) {
        let _ = writeln!(
            text,
            "    subgraph {}[\"{layer}\"]",
            layer.replace([' ', '-'], "_")
        );
        for krate in crates {
            let _ = writeln!(text, "        {}", krate.name);
        }
        text.push_str("    end\n");
    }
    for krate in &workspace.crates {
        for (to, dev) in pairs(krate) {
            let arrow = if dev { "-.->" } else { "-->" };
            let _ = writeln!(text, "    {} {arrow} {to}", krate.name);
        }
    }
    text
}
