//! Is every answer read to its end, and is that end reported once, whoever leaves first?

use std::sync::{Arc, Mutex};

use futures_util::StreamExt as _;
use futures_util::stream;
use model::run::Operation;

use super::*;

const IDLE: Duration = Duration::from_mins(1);
const LIMITS: PumpLimits = PumpLimits {
    queue_chunks: 2,
    stall_timeout: Duration::from_secs(30),
    drain_timeout: Duration::from_secs(10),
    until: None,
};
const USAGE: &str = r#"data: {"model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#;

type Item = (u64, Result<&'static str, UpstreamError>);

fn broken() -> UpstreamError {
    UpstreamError::Broken {
        reason: "reset".to_owned(),
        retries: 0,
    }
}

/// A provider that sends each item after that many seconds.
fn provider(items: Vec<Item>) -> UpstreamBody {
    let timed = stream::iter(items).then(|(seconds, item)| async move {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        item.map(|text| Bytes::from(format!("{text}\n\n")))
    });
    UpstreamBody::new(timed, IDLE)
}

struct Running {
    stream: PumpStream,
    task: JoinHandle<()>,
    ends: Arc<Mutex<Vec<PumpEnd>>>,
}

fn pump(items: Vec<Item>) -> Running {
    let ends = Arc::new(Mutex::new(Vec::new()));
    let book = Arc::clone(&ends);
    let pump = Pump {
        body: provider(items),
        tap: UsageTap::new(Operation::Chat, true, false),
        sieve: None,
        sent_at: Instant::now(),
        limits: LIMITS,
    };
    let (stream, task) = pump.spawn(|end| async move { book.lock().unwrap().push(end) });
    Running { stream, task, ends }
}

impl Running {
    async fn end(self) -> PumpEnd {
        drop(self.stream);
        self.task.await.unwrap();
        let mut ends = self.ends.lock().unwrap();
        assert_eq!(ends.len(), 1, "one end is reported");
        ends.remove(0)
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_read_to_its_end_is_settled_by_then() {
    let mut running = pump(vec![(1, Ok("data: {}")), (2, Ok(USAGE)), (0, Ok("data: [DONE]"))]);
    let mut seen = Vec::new();
    while let Some(item) = running.stream.next().await {
        seen.extend_from_slice(&item.unwrap());
    }
    assert_eq!(
        seen,
        format!("data: {{}}\n\n{USAGE}\n\ndata: [DONE]\n\n").as_bytes()
    );
    assert_eq!(running.ends.lock().unwrap().len(), 1);
    let end = running.end().await;
    assert_eq!(end.how, PumpHow::Completed);
    assert!(end.report.complete && end.report.usage_body.is_some());
    assert_eq!(end.first_byte, Some(Duration::from_secs(1)));
    assert_eq!(end.elapsed, Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_answer_is_given_when_its_books_are_done_and_all_else_at_once() {
    let text = Ok("data: {\"choices\":[{\"delta\":{}}]}");
    for (last, broken_off) in [(Ok("data: [DONE]"), false), (Err(broken()), true)] {
        let (books_done, waiting) = tokio::sync::oneshot::channel::<()>();
        let pump = Pump {
            body: provider(vec![(1, text.clone()), (1, last)]),
            tap: UsageTap::new(Operation::Chat, true, false),
            sieve: None,
            sent_at: Instant::now(),
            limits: LIMITS,
        };
        let (mut stream, task) = pump.spawn(|_| async move { waiting.await.unwrap() });
        assert!(stream.next().await.unwrap().is_ok());
        let early = tokio::time::timeout(Duration::from_mins(1), stream.next()).await;
        assert!(early.is_err(), "given before the books were done: {early:?}");
        books_done.send(()).unwrap();
        assert_eq!(stream.next().await.unwrap().is_err(), broken_off);
        assert!(stream.next().await.is_none());
        task.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_keeps_the_connection_open_behind_the_end_is_not_waited_for() {
    let done = "data: [DONE]";
    let mut running = pump(vec![
        (1, Ok(USAGE)),
        (1, Ok(done)),
        (0, Ok(": bye")),
        (30, Ok(": more")),
    ]);
    let mut seen = Vec::new();
    while let Some(item) = running.stream.next().await {
        seen.extend_from_slice(&item.unwrap());
    }
    assert_eq!(seen, format!("{USAGE}\n\n{done}\n\n: bye\n\n").as_bytes());
    let end = running.end().await;
    assert_eq!(end.how, PumpHow::Completed);
    assert_eq!(end.elapsed, Duration::from_secs(2) + LAST_WORD);
}

#[tokio::test(start_paused = true)]
async fn when_the_client_leaves_the_provider_is_read_to_its_end() {
    let mut running = pump(vec![(1, Ok("data: {}")), (9, Ok(USAGE)), (0, Ok("data: [DONE]"))]);
    running.stream.next().await;
    let end = running.end().await;
    assert_eq!(end.how, PumpHow::ClientGone { drained: true });
    assert!(end.report.complete && end.report.usage_body.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_talks_on_for_too_long_is_cut_off() {
    let mut items = vec![(1, Ok("data: {}"))];
    items.extend((0..100).map(|_| (1, Ok("data: {}"))));
    let mut running = pump(items);
    running.stream.next().await;
    let end = running.end().await;
    assert_eq!(end.how, PumpHow::ClientGone { drained: false });
    assert_eq!(end.elapsed, Duration::from_secs(11));
    assert!(!end.report.complete);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_counts_as_gone() {
    let items = (0..20).map(|_| (0, Ok("data: {}"))).collect();
    let running = pump(items);
    let ends = Arc::clone(&running.ends);
    running.task.await.unwrap();
    let how = ends.lock().unwrap()[0].how.clone();
    assert_eq!(how, PumpHow::ClientGone { drained: true });
}

#[tokio::test(start_paused = true)]
async fn when_the_provider_breaks_off_the_client_gets_what_came_and_the_error() {
    let mut running = pump(vec![(1, Ok(USAGE)), (1, Err(broken()))]);
    assert!(running.stream.next().await.unwrap().is_ok());
    assert_eq!(running.stream.next().await.unwrap(), Err(Cut::Provider(broken())));
    assert!(running.stream.next().await.is_none());
    let end = running.end().await;
    assert_eq!(end.how, PumpHow::UpstreamBroken(broken()));
    assert!(end.report.usage_body.is_some() && !end.report.complete);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_falls_silent_is_given_up() {
    let mut running = pump(vec![(1, Ok("data: {}")), (3600, Ok(USAGE))]);
    running.stream.next().await;
    let error = running.stream.next().await.unwrap().unwrap_err();
    assert_eq!(error, Cut::Provider(UpstreamError::IdleTimeout { after: IDLE }));
    let end = running.end().await;
    assert_eq!(end.how, PumpHow::IdleTimeout);
    assert_eq!(end.elapsed, Duration::from_secs(61));
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_breaks_off_when_the_client_is_gone_is_not_drained() {
    let mut running = pump(vec![(0, Ok("data: {}")), (1, Err(broken()))]);
    running.stream.next().await;
    let end = running.end().await;
    assert_eq!(end.how, PumpHow::ClientGone { drained: false });
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_is_collected_up_to_its_cap() {
    let body = r#"{"model":"m","choices":[],"usage":{"prompt_tokens":3}}"#;
    let tap = || UsageTap::new(Operation::Chat, false, true);
    let items = || vec![(1, Ok(body)), (1, Ok(" "))];
    let whole = collect(provider(items()), tap(), 100, Instant::now(), None).await;
    assert_eq!(whole.body.unwrap(), format!("{body}\n\n \n\n"));
    assert!(whole.report.complete && whole.report.usage_body.is_some());
    assert_eq!(
        (whole.first_byte, whole.elapsed),
        (Some(Duration::from_secs(1)), Duration::from_secs(2))
    );

    let cut = collect(provider(items()), tap(), 56, Instant::now(), None).await;
    assert_eq!(cut.body, Err(UpstreamError::TooLarge { cap_bytes: 56 }));
    let cut = collect(
        provider(vec![(1, Ok("{")), (1, Err(broken()))]),
        tap(),
        9,
        Instant::now(),
        None,
    )
    .await;
    assert_eq!(cut.body, Err(broken()));
    assert!(!cut.report.complete);
}

/// Lets so many chunks go on.
fn at_most(chunks: usize) -> Sieve {
    let mut seen = 0;
    Sieve::new(move |came| {
        seen += usize::from(came.as_ref().is_some_and(|came| !came.is_empty()));
        Sifted {
            pass: came.filter(|_| seen <= chunks).unwrap_or_default(),
            withhold: seen > chunks,
        }
    })
}

fn sifted(items: Vec<Item>, sieve: Sieve, farewell: Farewell) -> Running {
    let ends = Arc::new(Mutex::new(Vec::new()));
    let book = Arc::clone(&ends);
    let pump = Pump {
        body: provider(items),
        tap: UsageTap::new(Operation::Chat, true, false),
        sieve: Some(sieve),
        sent_at: Instant::now(),
        limits: LIMITS,
    };
    let (stream, task) = pump.spawn(|end| async move {
        book.lock().unwrap().push(end);
        farewell
    });
    Running { stream, task, ends }
}

async fn read(running: &mut Running) -> (String, Option<Cut>) {
    let (mut seen, mut cut) = (Vec::new(), None);
    while let Some(item) = running.stream.next().await {
        match item {
            Ok(bytes) => seen.extend_from_slice(&bytes),
            Err(error) => cut = Some(error),
        }
    }
    (String::from_utf8(seen).unwrap(), cut)
}

#[tokio::test(start_paused = true)]
async fn what_is_withheld_ends_the_answer_and_is_not_read_on() {
    let items = vec![(1, Ok("data: 1")), (1, Ok("data: 2")), (30, Ok(USAGE))];
    let mut running = sifted(items, at_most(1), Farewell::Plain);
    let got = read(&mut running).await;
    assert_eq!(got, ("data: 1\n\n".to_owned(), Some(Cut::Withheld)));
    let end = running.end().await;
    assert_eq!(
        (end.how, end.elapsed),
        (PumpHow::Withheld, Duration::from_secs(2))
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_client_what_is_withheld_is_read_to_its_end_all_the_same() {
    let items = vec![
        (1, Ok("data: 1")),
        (1, Ok("data: 2")),
        (3, Ok(USAGE)),
        (0, Ok("data: [DONE]")),
    ];
    let mut running = sifted(items, at_most(1), Farewell::Plain);
    running.stream.next().await;
    let end = running.end().await;
    assert_eq!(end.how, PumpHow::Withheld);
    assert!(end.report.complete && end.report.usage_body.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_note_is_said_before_the_end_and_a_withheld_end_is_not_said() {
    let items = || vec![(1, Ok("data: 1")), (1, Ok(USAGE)), (0, Ok("data: [DONE]"))];
    let note = Farewell::Note(Bytes::from_static(b": noted\n\n"));
    let got = read(&mut sifted(items(), at_most(9), note)).await;
    let whole = format!("data: 1\n\n{USAGE}\n\n: noted\n\ndata: [DONE]\n\n");
    assert_eq!(got, (whole, None));
    let got = read(&mut sifted(items(), at_most(9), Farewell::Withhold)).await;
    assert_eq!(got, (format!("data: 1\n\n{USAGE}\n\n"), Some(Cut::Withheld)));
}
