//! What is in force, and who said so, without a single secret?

use figment::value::Value;

use super::error::Source;
use super::keys::Kind;

/// What stands in place of a secret.
const HIDDEN: &str = "***";

/// One setting as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    key: String,
    value: String,
    source: String,
}

impl Line {
    pub(super) fn new(key: &str, kind: &Kind, value: &Value, source: &Source, file: Option<&str>) -> Self {
        let source = match file {
            Some(file) => format!("{source}, read from {file}"),
            None => source.to_string(),
        };
        Self {
            key: key.to_owned(),
            value: shown(kind, value),
            source: one_line(&source),
        }
    }

    pub(super) fn unset(key: &str) -> Self {
        Self {
            key: key.to_owned(),
            value: "(not set)".to_owned(),
            source: Source::Default.to_string(),
        }
    }
}

/// All settings, one `key = value  (source)` per line.
pub(super) fn describe(lines: &[Line]) -> String {
    let line = |line: &Line| format!("{} = {}  ({})", line.key, line.value, line.source);
    let mut text = lines.iter().map(line).collect::<Vec<_>>().join("\n");
    text.push('\n');
    text
}

fn shown(kind: &Kind, value: &Value) -> String {
    match (kind, value) {
        (Kind::DatabaseUrl, Value::String(_, url)) => one_line(&without_credentials(url)),
        (kind, _) if kind.is_secret() => HIDDEN.to_owned(),
        (_, Value::String(_, text)) => one_line(text),
        (_, other) => serde_json::to_string(other).unwrap_or_else(|_unprintable| HIDDEN.to_owned()),
    }
}

/// The URL without who logs in and with what. Rather too much is hidden than too little: a password
/// whose special characters are not escaped makes it unclear where it ends.
fn without_credentials(url: &str) -> String {
    let (before, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    let (place, query) = match rest.split_once('?') {
        Some((_, query)) if query.contains('@') => return before + HIDDEN,
        Some((place, query)) => (place, Some(query)),
        None => (rest, None),
    };
    let place = match place.rsplit_once('@') {
        Some((_credentials, host)) => format!("{HIDDEN}@{host}"),
        None => place.to_owned(),
    };
    let public = |parameter: &str| {
        parameter
            .split_once('=')
            .is_some_and(|(name, _)| PUBLIC_PARAMETERS.contains(&name))
    };
    let shown = |parameter| if public(parameter) { parameter } else { HIDDEN };
    match query {
        Some(query) => format!(
            "{before}{place}?{}",
            query.split('&').map(shown).collect::<Vec<_>>().join("&")
        ),
        None => before + &place,
    }
}

/// Parameters of a database URL that cannot hold a secret and that one wants to see.
const PUBLIC_PARAMETERS: [&str; 6] = [
    "sslmode",
    "connect_timeout",
    "application_name",
    "host",
    "port",
    "target_session_attrs",
];

/// A value with a line break could pass itself off as another setting.
fn one_line(text: &str) -> String {
    if text.chars().any(char::is_control) {
        text.escape_debug().to_string()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_url_is_shown_without_who_logs_in() {
        for (url, shown) in [
            ("sqlite:./data/plimsoll.db", "sqlite:./data/plimsoll.db"),
            ("postgres://h:5432/d", "postgres://h:5432/d"),
            ("postgres://u:s3cret@h/d", "postgres://***@h/d"),
            ("postgres://u:s3/cr@et@h/d", "postgres://***@h/d"),
            (
                "postgres://h/d?sslmode=require&password=s3cret",
                "postgres://h/d?sslmode=require&***",
            ),
            (
                "postgres://h/d?p%61ssword=s3cret&s3cret",
                "postgres://h/d?***&***",
            ),
            ("postgres://h/d?password=s3@cret", "postgres://***"),
            ("postgres://u:s3?cr=et@h/d", "postgres://***"),
        ] {
            assert_eq!(without_credentials(url), shown, "{url}");
        }
    }
}
