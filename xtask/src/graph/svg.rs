//! The graph as a picture: rows by depth, users above what they use.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::mermaid::pairs;
use crate::model::Workspace;

const WIDTH: usize = 150;
const HEIGHT: usize = 44;
const GAP: usize = 28;
const ROW: usize = 104;

/// Boxes in rows; a crate stands above everything that it uses. Integers only, so that it is the same everywhere.
pub(super) fn render(workspace: &Workspace) -> String {
    let depths = depths(workspace);
    let deepest = depths.values().copied().max().unwrap_or(0);
    let mut rows: Vec<Vec<&str>> = vec![Vec::new(); deepest + 1];
    for (name, depth) in &depths {
        if let Some(row) = rows.get_mut(deepest - depth) {
            row.push(name);
        }
    }
    let widest = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = widest * (WIDTH + GAP) + GAP;
    let height = rows.len() * ROW + GAP;
    let mut places = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        let used = row.len() * (WIDTH + GAP);
        let start = GAP + (width - GAP - used) / 2;
        for (column, name) in row.iter().enumerate() {
            places.insert(*name, (start + column * (WIDTH + GAP), GAP + index * ROW));
        }
    }
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<style>path{{fill:none;stroke:#7a8694}}.dev{{stroke-dasharray:4 3}}\
         rect{{fill:#f2f5f8;stroke:#44546a}}</style>\n"
    );
    for krate in &workspace.crates {
        for (to, dev) in pairs(krate) {
            let Some((from, to)) = places.get(krate.name.as_str()).zip(places.get(to)) else {
                continue;
            };
            let class = if dev { " class=\"dev\"" } else { "" };
            let (x1, y1, x2, y2) = (from.0 + WIDTH / 2, from.1 + HEIGHT, to.0 + WIDTH / 2, to.1);
            let middle = y1.midpoint(y2);
            let _ = writeln!(
                text,
                "<path{class} d=\"M{x1} {y1}C{x1} {middle} {x2} {middle} {x2} {y2}\"/>"
            );
        }
    }
    for krate in &workspace.crates {
        let Some((x, y)) = places.get(krate.name.as_str()) else {
            continue;
        };
        let layer = krate.layer_name().unwrap_or("no layer");
        let (middle, first, second) = (x + WIDTH / 2, y + 19, y + 35);
        let _ = writeln!(
            text,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"4\"/>\
             <text x=\"{middle}\" y=\"{first}\" text-anchor=\"middle\">{}</text>\
             <text x=\"{middle}\" y=\"{second}\" text-anchor=\"middle\" font-size=\"11\">{layer}</text>",
            krate.name
        );
    }
    text.push_str("</svg>\n");
    text
}

/// How many steps lie below a crate, tests left out.
fn depths(workspace: &Workspace) -> BTreeMap<&str, usize> {
    let mut depths: BTreeMap<&str, usize> = workspace
        .crates
        .iter()
        .map(|krate| (krate.name.as_str(), 0))
        .collect();
    // Cargo allows no circle, so as many rounds as crates are enough.
    for _ in &workspace.crates {
        for krate in &workspace.crates {
            let below = pairs(krate).into_iter().filter(|(_, dev)| !dev);
            let below = below.filter_map(|(to, _)| depths.get(to)).max();
            if let Some(depth) = below.map(|depth| depth + 1) {
                depths.insert(&krate.name, depth);
            }
        }
    }
    depths
}
