//! How do logs get out?
//!
//! To standard error, as one JSON object per line for machines or as text for people. Every line
//! that belongs to a request carries its correlation id, because the span of the request does.

use std::io::IsTerminal as _;

use tracing::{Span, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::correlation::CorrelationContext;

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// For people.
    Pretty,
}

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not one.
    #[error("the log filter is not valid")]
    Filter(#[source] ParseError),
    /// Somebody has set up logs before.
    #[error("logs could not be set up")]
    Init(#[source] TryInitError),
}

/// Sets up the logs of the process; once, by the binary.
pub fn init(format: LogFormat, level: &str) -> Result<(), TelemetryError> {
    let colours = std::io::stderr().is_terminal();
    subscriber(format, level, colours, std::io::stderr)?
        .try_init()
        .map_err(TelemetryError::Init)
}

/// The span of one request. Whatever is logged within it carries the correlation id.
pub fn request_span(context: &CorrelationContext) -> Span {
    let parent = context.parent_span_id().map(tracing::field::display);
    tracing::info_span!(
        "request",
        correlation_id = context.correlation_id(),
        span_id = %context.span_id(),
        parent_span_id = parent,
        component = context.component(),
    )
}

fn subscriber<W>(
    format: LogFormat,
    level: &str,
    colours: bool,
    writer: W,
) -> Result<Box<dyn Subscriber + Send + Sync>, TelemetryError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::builder()
        .parse(level)
        .map_err(TelemetryError::Filter)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer);
    Ok(match format {
        LogFormat::Json => {
            let lines = lines.with_ansi(false).json();
            Box::new(
                lines
                    .flatten_event(true)
                    .with_current_span(true)
                    .with_span_list(false)
                    .finish(),
            )
        }
        LogFormat::Pretty => Box::new(lines.with_ansi(colours).finish()),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use model::id::IdGenerator;
    use model::time::Timestamp;

    use super::*;
    use crate::correlation::capture;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    struct Always(u128);

    impl IdGenerator for Always {
        fn next(&self) -> u128 {
            self.0
        }
    }

    fn logged(format: LogFormat, level: &str, work: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = subscriber(format, level, false, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, work);
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn context() -> CorrelationContext {
        CorrelationContext::root("req_a", Some("api"), Timestamp::from_micros(0), &Always(7))
    }

    #[test]
    fn every_line_of_a_request_carries_its_correlation_id() {
        let text = logged(LogFormat::Json, "info", || {
            request_span(&context()).in_scope(|| {
                tracing::info!(status = 200, "answered");
                tracing::info!("with \u{1b}[31mcolour\nand a second line");
            });
        });
        assert_eq!(text.lines().count(), 2);
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["span"]["correlation_id"], "req_a");
            assert_eq!(line["span"]["span_id"], "span_00000007");
            assert_eq!(line["span"]["component"], "api");
        }
        let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!(
            (&first["message"], &first["status"]),
            (&"answered".into(), &200.into())
        );
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn text_for_people_carries_it_too() {
        let text = logged(LogFormat::Pretty, "info", || {
            request_span(&context()).in_scope(|| tracing::warn!("slow"));
        });
        assert!(text.contains("req_a") && text.contains("slow"), "{text}");
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn work_that_is_carried_elsewhere_still_says_its_correlation_id() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let text = logged(LogFormat::Json, "info", || {
            let captured = request_span(&context()).in_scope(capture);
            let elsewhere = captured.clone();
            runtime.block_on(async {
                let task = tokio::spawn(captured.carry(async {
                    tracing::warn!("before the provider");
                    tokio::task::yield_now().await;
                    tracing::warn!("the provider did not answer");
                }));
                task.await.unwrap();
            });
            elsewhere.run(|| tracing::warn!("on a thread without a runtime"));
            tracing::warn!("afterwards");
        });
        let ids = text.lines().map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["span"]["correlation_id"].as_str().map(str::to_owned)
        });
        let own = Some("req_a".to_owned());
        assert_eq!(ids.collect::<Vec<_>>(), [own.clone(), own.clone(), own, None]);
    }

    #[test]
    fn the_filter_decides_what_is_written() {
        let text = logged(LogFormat::Json, "warn", || {
            tracing::info!("quiet");
            tracing::error!("loud");
        });
        assert!(text.contains("loud") && !text.contains("quiet"), "{text}");
        assert!(subscriber(LogFormat::Json, "a=b=c", false, std::io::sink).is_err());
    }
}
