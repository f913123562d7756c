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

/// What the document says of an answer, through a reference if it is one.
fn answer<'d>(document: &'d Value, operation: &'d Value, status: &str) -> &'d Value {
    let answer = &operation["responses"][status];
    answer["$ref"].as_str().map_or(answer, |place| {
        document.pointer(place.trim_start_matches('#')).unwrap()
    })
}

#[test]
fn every_operation_has_a_summary_and_says_how_it_refuses_and_in_which_shape() {
    let document: Value = serde_json::from_str(&api::openapi::json()).unwrap();
    for Route { method, path } in operations(&document) {
        let operation = &document["paths"][&path][method.to_lowercase()];
        assert!(
            operation["summary"].as_str().is_some_and(|text| !text.is_empty()),
            "{method} {path}"
        );
        let (native, sdk) = (path.starts_with("/api/"), path.starts_with("/v1/"));
        let expected: &[&str] = match (native, sdk, &operation["requestBody"]) {
            (true, _, Value::Null) => &["400", "401", "403", "503"],
            (true, ..) => &["400", "401", "403", "422", "503"],
            (_, true, Value::Null) => &["400", "401", "403", "503"],
            (_, true, _) => &["400", "401", "403", "404", "422", "429", "502", "503", "504"],
            _ => &[],
        };
        for status in expected {
            assert!(
                operation["responses"].get(status).is_some(),
                "{method} {path} {status}"
            );
        }
        for status in operation["responses"].as_object().unwrap().keys() {
            let answer = answer(&document, operation, status);
            assert!(answer["description"].is_string(), "{method} {path} {status}");
            if native && status.starts_with(['4', '5']) {
                let problem = answer["content"]["application/problem+json"]["schema"]["$ref"].as_str();
                assert_eq!(
                    problem,
                    Some("#/components/schemas/Problem"),
                    "{method} {path} {status}"
                );
                assert_eq!(answer["content"].as_object().unwrap().len(), 1);
            } else if sdk && status.starts_with(['4', '5']) {
                let shape = if path.contains("/messages") {
                    "AnthropicError"
                } else {
                    "OpenAiError"
                };
                let schema = answer["content"]["application/json"]["schema"]["$ref"].as_str();
                assert_eq!(
                    schema,
                    Some(format!("#/components/schemas/{shape}").as_str()),
                    "{method} {path} {status}"
                );
            }
        }
    }
}

#[test]
fn a_run_says_in_the_document_what_it_takes_and_which_headers_it_answers() {
    let document: Value = serde_json::from_str(&api::openapi::json()).unwrap();
    let runs = operations(&document)
        .into_iter()
        .filter(|route| route.path.starts_with("/v1/") && route.method == "POST");
    for Route { path, .. } in runs {
        let operation = &document["paths"][&path]["post"];
        assert!(operation["requestBody"]["description"].is_string(), "{path}");
        for header in [
            "x-plimsoll-run-id",
            "x-plimsoll-decision-id",
            "x-plimsoll-cost-usd",
            "RateLimit",
        ] {
            assert!(
                answer(&document, operation, "200")["headers"][header].is_object(),
                "{path} {header}"
            );
        }
        assert!(
            answer(&document, operation, "429")["headers"]["Retry-After"].is_object(),
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_has_the_parameters_of_every_operation() {
    let world = World::new(TestDb::sqlite()).await;
    let page = world.get("/docs").anonymous().send().await.body;
    let document: Value = serde_json::from_str(&api::openapi::json()).unwrap();
    for Route { method, path } in operations(&document) {
        let (_, entry) = page
            .split_once(&format!("<b>{method}</b> {path}</summary>"))
            .unwrap();
        let (entry, _) = entry.split_once("</details>").unwrap();
        let operation = &document["paths"][&path][method.to_lowercase()];
        assert!(
            entry.contains(operation["summary"].as_str().unwrap()),
            "{method} {path}"
        );
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let cell = format!(
                "<code>{}</code>, {}",
                parameter["name"].as_str().unwrap(),
                parameter["in"].as_str().unwrap()
            );
            assert!(entry.contains(&cell), "{method} {path}: {cell}");
        }
    }
    for known in [
        "<code>group_by</code>, query",
        "<code>cursor</code>, query",
        "<code>Idempotency-Key</code>, header",
    ] {
        assert!(page.contains(known), "{known}");
    }
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

/// The sources below a directory, without those of the incident control plane: its codes stand in docs/incident-api.md.
fn sources(directory: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("src/incidents") {
                sources(&path, found);
            }
        } else if !path.ends_with("src/control_error.rs") && !path.ends_with("src/incidents.rs") {
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

/// Codes with their statuses.
type Codes = BTreeSet<(String, String)>;

/// The lines `STATUS CODE…` of a part of the snapshot of codes.
fn frozen(part: &str) -> Codes {
    let line = |line: &str| {
        let (status, rest) = line.split_once(' ')?;
        let code = rest.split([':', ' ']).next()?;
        status.parse::<u16>().ok()?;
        Some((code.to_owned(), status.to_owned()))
    };
    part.lines().filter_map(line).collect()
}

/// The codes in the table of a part of docs/problems.md; a row may have several.
fn documented(part: &str) -> Codes {
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `").map(|_| line.split('|').map(str::trim))?;
        let (codes, status) = (cells.nth(1)?, cells.next()?);
        let codes = codes.split(", ").map(|code| code.trim_matches('`').to_owned());
        Some(codes.map(|code| (code, status.to_owned())).collect::<Vec<_>>())
    };
    part.lines().filter_map(row).flatten().collect()
}

/// The codes of our own problems that an SDK is told in other letters: the lines `"a-b" => "a_b",`.
fn retold(errors: &str, problems: &Codes) -> Codes {
    let pair = |line: &str| {
        let (ours, theirs) = line.trim().strip_suffix("\",")?.split_once("\" => \"")?;
        let (_, status) = problems.iter().find(|(code, _)| *code == ours[1..])?;
        Some((theirs.to_owned(), status.clone()))
    };
    errors.lines().filter_map(pair).collect()
}

#[test]
fn the_document_of_problems_has_every_code_that_there_is_and_no_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    let (document, snapshot) = (
        read("../../docs/problems.md"),
        read("tests/it/snapshots/codes.snap"),
    );
    let (ours, theirs) = document.split_once("## `/v1`").unwrap();
    let theirs = theirs.split("\n## ").next().unwrap_or_default();
    let (problems, words) = snapshot.split_once("# Errors of the SDK routes").unwrap();
    let problems = frozen(problems);
    assert_eq!(documented(ours), problems);

    let mut expected = frozen(words);
    expected.extend(retold(&read("src/llm/errors.rs"), &problems));
    let (upstream, own): (Codes, Codes) = documented(theirs)
        .into_iter()
        .partition(|(code, _)| code.starts_with("upstream_"));
    assert_eq!(own, expected);

    // What a provider did wrong is said where it is noticed; its status is chosen in errors.rs.
    let noticed = ["workers/src/upstream/error.rs", "services/src/gateway/ending.rs"];
    let noticed: String = noticed.iter().map(|path| read(&format!("../{path}"))).collect();
    let literals = noticed.split('"').filter(|text| text.starts_with("upstream_"));
    let codes: BTreeSet<&str> = literals.filter(|text| !text.contains('{')).collect();
    assert_eq!(
        upstream
            .iter()
            .map(|(code, _)| code.as_str())
            .collect::<BTreeSet<_>>(),
        codes
    );
}

#[test]
fn every_code_of_the_incident_control_plane_stands_in_its_page_with_its_status() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("../../docs/incident-api.md")).unwrap();
    let mut files = Vec::new();
    sources(&root.join("src/incidents"), &mut files);
    for file in ["src/control_error.rs", "src/incidents.rs"] {
        files.push((file.to_owned(), fs::read_to_string(root.join(file)).unwrap()));
    }
    let mut seen = BTreeSet::new();
    for (path, text) in &files {
        for call in text.split("::new(").skip(1) {
            let Some((status, rest)) = call.split_once(',') else {
                continue;
            };
            let (Ok(status), Some(rest)) =
                (status.trim().parse::<u16>(), rest.trim_start().strip_prefix('"'))
            else {
                continue;
            };
            let code = rest.split('"').next().unwrap();
            assert!(
                page.contains(&format!("| `{code}` | {status} |")),
                "{status} {code} of {path} is not in the page"
            );
            seen.insert(code.to_owned());
        }
    }
    assert!(seen.len() > 15, "codes are made in another way now: {seen:?}");
}
