//! What does the store ask the database, word for word?
//!
//! A plan of a query that was copied into a test says nothing of the one that is asked.

use std::sync::Mutex;

use diesel::connection::{InstrumentationEvent, set_default_instrumentation};

static ASKED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Writes down what is asked on connections that are opened from now on.
pub(crate) fn listen() {
    set_default_instrumentation(|| {
        Some(Box::new(|event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::StartQuery { query, .. } = event {
                ASKED.lock().unwrap().push(query.to_string());
            }
        }))
    })
    .unwrap();
}

/// The queries that were asked since the last time and name this, with their values in place.
pub(crate) fn about(name: &str) -> Vec<String> {
    let all = std::mem::take(&mut *ASKED.lock().unwrap());
    let wanted = |text: &&String| text.starts_with("SELECT") && text.contains(name);
    all.iter().filter(wanted).map(|text| whole(text)).collect()
}

/// A query with its values instead of their places.
fn whole(text: &str) -> String {
    let (sql, values) = text.split_once(" -- binds: ").unwrap();
    let values = values
        .trim()
        .strip_prefix('[')
        .unwrap()
        .strip_suffix(']')
        .unwrap();
    let values: Vec<String> = split(values).iter().map(|value| literal(value)).collect();
    let numbered = values.iter().enumerate().rev();
    let sql = numbered.fold(sql.to_owned(), |sql, (at, value)| {
        sql.replace(&format!("${}", at + 1), value)
    });
    if sql.contains('?') {
        return values.iter().fold(sql, |sql, value| sql.replacen('?', value, 1));
    }
    sql
}

/// The parts of a list, at its commas.
fn split(list: &str) -> Vec<&str> {
    let (mut parts, mut begin, mut depth, mut is_text) = (Vec::new(), 0, 0, false);
    for (at, one) in list.char_indices() {
        match one {
            '"' => is_text = !is_text,
            '[' | '(' if !is_text => depth += 1,
            ']' | ')' if !is_text => depth -= 1,
            ',' if !is_text && depth == 0 => {
                parts.push(list[begin..at].trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(list[begin..].trim());
    parts.into_iter().filter(|part| !part.is_empty()).collect()
}

fn literal(value: &str) -> String {
    if let Some(text) = value.strip_prefix('"') {
        return format!("'{}'", text.trim_end_matches('"'));
    }
    if let Some(list) = value.strip_prefix('[') {
        let each: Vec<String> = split(list.trim_end_matches(']'))
            .iter()
            .map(|one| literal(one))
            .collect();
        return format!("ARRAY[{}]", each.join(", "));
    }
    value.to_owned()
}
