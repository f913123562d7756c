//! Do the documents say what there is?

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;
use testkit::db::TestDb;

use crate::harness::World;
use crate::log;
use crate::routes::{Route, public};

fn operations(document: &Value) -> BTreeSet<Route> {
    let mut found = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            found.insert(Route {
                method: method.to_uppercase(),
                path: path.clone(),
            });
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_openapi_document_is_the_one_that_was_reviewed() {
    let world = World::new(TestDb::sqlite()).await;
    let answer = world.get("/openapi.json").anonymous().send().await;
    assert_eq!(answer.ok(200).header("content-type"), Some("application/json"));
    assert_eq!(answer.body, api::openapi::json());
    log::assert("openapi", &answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_openapi_document_and_the_page_have_exactly_the_routes_that_there_are() {
    let world = World::new(TestDb::sqlite()).await;
    let document = world.get("/openapi.json").anonymous().send().await.json();
    // The documents do not describe themselves.
    let described = |route: &Route| !["/openapi.json", "/docs"].contains(&route.path.as_str());
    let expected: BTreeSet<Route> = public().into_iter().filter(described).collect();
    assert_eq!(operations(&document), expected);

    let page = world.get("/docs").anonymous().send().await;
    assert_eq!(
        page.ok(200).header("content-type"),
        Some("text/html; charset=utf-8")
    );
    for Route { method, path } in &expected {
        let entry = format!("<b>{method}</b> {path}</summary>");
        assert_eq!(page.body.matches(&entry).count(), 1, "{entry}");
    }
    assert_eq!(page.body.matches("<details>").count(), expected.len());
}

#[test]
fn the_documents_use_the_frozen_words() {
    let text = api::openapi::json();
    for (word, instead) in [
        ("Job", "LLM Run"),
        ("Quota", "Limit"),
        ("Guard", "Policy Rule"),
        ("Threshold ", "Limit"),
    ] {
        assert!(
            !text.contains(word),
            "the OpenAPI document says `{word}`; the contract says `{instead}`"
        );
    }
}

/// Every call of `new` in a source with its first three arguments, as far as they are literals: a status, and two
/// texts.
fn triples(text: &str) -> Vec<(u16, String, String)> {
    text.split("::new(")
        .skip(1)
        .filter_map(|call| {
            let (status, rest) = call.split_once(',')?;
            let mut texts = rest.trim_start().strip_prefix('"')?.split('"');
            let (first, between, second) = (texts.next()?, texts.next()?, texts.next()?);
            (between.trim() == ",")
                .then(|| Some((status.trim().parse().ok()?, first.to_owned(), second.to_owned())))?
        })
        .collect()
}

fn sources(directory: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn a_code_of_a_problem_means_one_thing() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let (mut problems, mut words) = (BTreeMap::new(), BTreeMap::new());
    for (path, text) in &files {
        for (status, first, second) in triples(text) {
            let sdk = path.ends_with("llm/errors.rs");
            let (table, code, meaning) = if sdk {
                (&mut words, second, first)
            } else {
                (&mut problems, first, second)
            };
            let known = table
                .entry(code.clone())
                .or_insert_with(|| (status, meaning.clone()));
            assert_eq!(*known, (status, meaning), "`{code}` in {path}");
        }
    }
    // These two are made in a function of their own.
    problems.insert("key-frozen".to_owned(), (403, "Key frozen".to_owned()));
    problems.insert("tenant-suspended".to_owned(), (403, "Tenant frozen".to_owned()));
    let titles: BTreeSet<_> = problems.values().collect();
    assert_eq!(
        titles.len(),
        problems.len(),
        "two codes have one meaning: {problems:#?}"
    );
    let mut text = String::from("# Problem documents\n\n");
    for (code, (status, title)) in &problems {
        writeln!(text, "{status} {code}: {title}").unwrap();
    }
    text.push_str("\n# Errors of the SDK routes\n\n");
    for (code, (status, kind)) in &words {
        writeln!(text, "{status} {code} ({kind})").unwrap();
    }
    log::assert("codes", &text);
}
