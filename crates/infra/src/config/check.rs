//! Is this value one that the setting may have?
//!
//! A message never repeats the value of a secret, nor of a URL, which may hold one.

use std::net::SocketAddr;

use figment::value::Value;
use model::money::NanoUsd;
use serde::de::DeserializeOwned;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::keys::Kind;
use super::sections::{OutputCap, PriceOverride};
use crate::secrets::{MasterKey, Secret};

/// The value that a text of the environment or the command line stands for.
pub(super) fn from_text(kind: &Kind, text: &str) -> Value {
    match kind {
        Kind::Whole(_) => match text.trim().parse::<u64>() {
            Ok(number) => Value::from(number),
            Err(_no_number) => Value::from(text),
        },
        Kind::Texts if text.trim().is_empty() => Value::from(Vec::<String>::new()),
        Kind::Texts if !text.trim_start().starts_with('[') => Value::from(
            text.split(',')
                .map(|part| part.trim().to_owned())
                .collect::<Vec<_>>(),
        ),
        Kind::Texts | Kind::OutputCaps | Kind::PriceOverrides => {
            serde_json::from_str(text).unwrap_or_else(|_no_json| Value::from(text))
        }
        _ => Value::from(text),
    }
}

/// What is wrong with the value, if anything; one message for each thing.
pub(super) fn problems(kind: &Kind, value: &Value) -> Vec<String> {
    match kind {
        Kind::OutputCaps => tables::<OutputCap>(value),
        Kind::PriceOverrides => tables::<PriceOverride>(value),
        _ => one(kind, value).err().into_iter().collect(),
    }
}

fn one(kind: &Kind, value: &Value) -> Result<(), String> {
    match kind {
        Kind::Whole(range) => {
            let fits = whole(value).is_some_and(|number| range.contains(&number));
            let (least, most) = (range.start(), range.end());
            if fits {
                Ok(())
            } else {
                Err(format!("expected a whole number from {least} to {most}"))
            }
        }
        Kind::Texts => {
            let texts = value.as_array().ok_or("expected a list of texts")?;
            let plain = texts
                .iter()
                .all(|text| text.as_str().is_some_and(|text| !text.trim().is_empty()));
            if plain {
                Ok(())
            } else {
                Err("expected a list of texts, none of them empty".to_owned())
            }
        }
        Kind::OutputCaps | Kind::PriceOverrides => Ok(()),
        _ => match value.as_str() {
            Some("") => Err("must not be empty".to_owned()),
            Some(text) => self::text(kind, text),
            None => Err(format!(
                "expected a text in quotes, found {}",
                value.to_actual_kind()
            )),
        },
    }
}

/// The value as a whole number, if it is one and not negative.
pub(super) fn whole(value: &Value) -> Option<u64> {
    let unsigned = value
        .to_u128()
        .or_else(|| value.to_i128().and_then(|number| u128::try_from(number).ok()));
    unsigned.and_then(|number| u64::try_from(number).ok())
}

fn text(kind: &Kind, text: &str) -> Result<(), String> {
    match kind {
        Kind::OneOf(words) if words.contains(&text) => Ok(()),
        Kind::OneOf(words) => Err(format!("expected one of {}", words.join(", "))),
        Kind::Address => match text.parse::<SocketAddr>() {
            Ok(_) => Ok(()),
            Err(_) => Err("expected an address and a port such as 127.0.0.1:8080".to_owned()),
        },
        Kind::HttpUrl => http_url(text),
        Kind::Filter => match EnvFilter::builder().parse(text) {
            Ok(_) => Ok(()),
            Err(_) => Err("expected a log filter such as info or info,plimsoll=debug".to_owned()),
        },
        Kind::Usd => usd(text).map(drop),
        Kind::DatabaseUrl => database_url(text),
        Kind::MasterKey => MasterKey::from_base64(&Secret::new(text))
            .map(drop)
            .map_err(|error| error.to_string()),
        _ if text.trim() == text => Ok(()),
        _ => Err("must not begin or end with a space".to_owned()),
    }
}

fn http_url(text: &str) -> Result<(), String> {
    let url = Url::parse(text)
        .ok()
        .ok_or("expected a URL such as https://api.openai.com/v1")?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("expected a URL that begins with https:// or http://".to_owned());
    }
    let plain = url.username().is_empty() && url.password().is_none();
    if !plain || url.query().is_some() || url.fragment().is_some() {
        return Err("the URL must not contain a user, a password, a `?` or a `#`".to_owned());
    }
    Ok(())
}

/// The same rule as `store`: what is not plainly a database is never taken for a file name.
fn database_url(url: &str) -> Result<(), String> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        // The driver would say so too, but not what to do.
        let wants_tls = ["sslmode=require", "sslmode=verify-"]
            .iter()
            .any(|mode| url.contains(mode));
        if wants_tls {
            return Err(
                "this program speaks to PostgreSQL without TLS; connect by a Unix socket, a private network \
                        or a tunnel (stunnel, cloud-sql-proxy, pgbouncer), and leave sslmode out"
                    .to_owned(),
            );
        }
        return Ok(());
    }
    let path = match url.strip_prefix("sqlite:") {
        Some(rest) => rest.strip_prefix("//").unwrap_or(rest),
        None if [".db", ".sqlite"].iter().any(|ending| url.ends_with(ending)) && !url.contains("://") => url,
        None => "",
    };
    if path.is_empty() || path == ":memory:" || path.contains(['?', '\0']) {
        let known = "postgres://…, postgresql://…, sqlite:PATH, or a path that ends in .db or .sqlite";
        return Err(format!("not a database that Plimsoll knows; expected {known}"));
    }
    Ok(())
}

/// A price: a decimal text, not negative.
pub(super) fn usd(text: &str) -> Result<NanoUsd, String> {
    match text.parse::<NanoUsd>() {
        Ok(amount) if amount >= NanoUsd::ZERO => Ok(amount),
        Ok(_) => Err("a price is not negative".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn tables<T: DeserializeOwned>(value: &Value) -> Vec<String> {
    let Some(entries) = value.as_array() else {
        return vec!["expected a list of tables; in the environment, a JSON array".to_owned()];
    };
    let mut problems = Vec::new();
    for (number, entry) in (1..).zip(entries) {
        if let Err(errors) = entry.deserialize::<T>() {
            problems.extend(
                errors
                    .into_iter()
                    .map(|error| format!("entry {number}: {}", explain(&error))),
            );
        }
    }
    problems
}

fn explain(error: &figment::Error) -> String {
    use figment::error::Kind as Cause;
    let field = error.path.join(".");
    let at = if field.is_empty() {
        String::new()
    } else {
        format!("`{field}`: ")
    };
    match &error.kind {
        Cause::UnknownField(name, known) => {
            let near = known
                .iter()
                .min_by_key(|known| strsim::damerau_levenshtein(name, known));
            let near = near
                .map(|near| format!("; did you mean `{near}`?"))
                .unwrap_or_default();
            format!("unknown key `{name}`{near}")
        }
        other => format!("{at}{other}"),
    }
}

trait ActualKind {
    fn to_actual_kind(&self) -> &'static str;
}

impl ActualKind for Value {
    fn to_actual_kind(&self) -> &'static str {
        match self {
            Self::String(..) | Self::Char(..) => "a text",
            Self::Bool(..) => "true or false",
            Self::Num(..) => "a number",
            Self::Empty(..) => "nothing",
            Self::Dict(..) => "a table",
            Self::Array(..) => "a list",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: &Kind, good: &[&str], bad: &[&str]) {
        for text in good {
            assert_eq!(
                problems(kind, &from_text(kind, text)),
                Vec::<String>::new(),
                "{text}"
            );
        }
        for text in bad {
            assert_eq!(problems(kind, &from_text(kind, text)).len(), 1, "{text}");
        }
    }

    #[test]
    fn a_postgres_that_insists_on_tls_is_refused_with_a_way_out() {
        for url in [
            "postgres://u@h/d?sslmode=require",
            "postgresql://h/d?a=b&sslmode=verify-full",
        ] {
            let refused = database_url(url).unwrap_err();
            assert!(
                refused.contains("without TLS") && refused.contains("tunnel"),
                "{refused}"
            );
        }
        for url in ["postgres://u@h/d", "postgres://h/d?sslmode=prefer"] {
            assert_eq!(database_url(url), Ok(()));
        }
    }

    #[test]
    fn each_kind_takes_its_values_and_no_others() {
        check(
            &Kind::Whole(1..=9),
            &["1", "9", " 5 "],
            &["0", "10", "-1", "1.0", "x", "", "1e0"],
        );
        check(&Kind::Text, &["a"], &["", " a", "a\n"]);
        check(
            &Kind::OneOf(&["json", "pretty"]),
            &["json"],
            &["JSON", "text", ""],
        );
        check(
            &Kind::Address,
            &["0.0.0.0:80", "[::1]:0"],
            &["localhost:80", ":80", "1.2.3.4", "1.2.3.4:65536"],
        );
        check(
            &Kind::Filter,
            &["info", "warn,plimsoll=debug"],
            &["plimsoll=loud", "a=b=c"],
        );
        check(&Kind::Texts, &["", "a, b", r#"["a"]"#], &["a,,b", "[1]", "[a]"]);
        check(
            &Kind::Usd,
            &["0", "0.15", "12"],
            &["-1", ".5", "1e3", "0.0000000001", "free"],
        );
        check(
            &Kind::MasterKey,
            &["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="],
            &["MDEy", "ä", ""],
        );
        let http = ["https://api.openai.com/v1", "http://127.0.0.1:8000"];
        let not_http = [
            "api.openai.com",
            "ftp://h",
            "https://u:p@h/",
            "https://h/?k=v",
            "https://h/#x",
            "https://",
            "file:///etc",
        ];
        check(&Kind::HttpUrl, &http, &not_http);
        let databases = [
            "sqlite:./a/b.db",
            "sqlite:///x/y",
            "c.sqlite",
            "postgresql://u@h/d",
            "postgres:///d",
        ];
        let others = [
            "host=h port=5432",
            "mysql://h/d",
            "sqlite:",
            "sqlite::memory:",
            "plain",
            "http://h/x.db",
        ];
        check(&Kind::DatabaseUrl, &databases, &others);
    }

    #[test]
    fn each_wrong_price_is_named() {
        let text = r#"[
            {"provider": "openai", "model": "gpt-4o*", "effective_from": "2026-01-01T00:00:00Z",
             "input_usd_per_mtok": "2.50", "output_usd_per_mtok": "10"},
            {"provider": "openai", "modle": "x"},
            {"provider": "openai", "model": "x", "effective_from": "soon",
             "input_usd_per_mtok": "1", "output_usd_per_mtok": "1"},
            {"provider": "openai", "model": "x", "effective_from": "2026-01-01T00:00:00Z",
             "input_usd_per_mtok": 0.15, "output_usd_per_mtok": "1"}
        ]"#;
        let found = problems(&Kind::PriceOverrides, &from_text(&Kind::PriceOverrides, text));
        assert_eq!(
            found,
            [
                "entry 2: unknown key `modle`; did you mean `model`?",
                "entry 3: `effective_from`: expected an RFC 3339 time with a zone, such as 2026-11-21T09:30:00Z",
                "entry 4: `input_usd_per_mtok`: invalid type: found float `0.15`, expected a string",
            ]
        );
        assert_eq!(problems(&Kind::PriceOverrides, &Value::from("x")).len(), 1);
    }

    #[test]
    fn each_wrong_cap_is_named() {
        let text = r#"[
            {"provider": "vllm", "model": "llama-*", "max_output_tokens": 8192},
            {"provider": "vllm", "model": "x", "max_output_tokens": 0},
            {"provider": "vllm", "model": "x", "max_output_token": 5}
        ]"#;
        let found = problems(&Kind::OutputCaps, &from_text(&Kind::OutputCaps, text));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].starts_with("entry 2: `max_output_tokens`: "),
            "{found:?}"
        );
        assert_eq!(
            found[1],
            "entry 3: unknown key `max_output_token`; did you mean `max_output_tokens`?"
        );
    }
}
