//! Does a correlation reach all the work of its request, and only that?

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

struct Counting(AtomicU64);

impl IdGenerator for Counting {
    fn next(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

const NOW: Timestamp = Timestamp::from_micros(1_795_253_400_000_000);

fn ids() -> Counting {
    Counting(AtomicU64::new(0))
}

fn root(id: &str) -> CorrelationContext {
    CorrelationContext::root(id, Some("api"), NOW, &ids())
}

fn current_id() -> Option<String> {
    current().map(|context| context.correlation_id().to_owned())
}

#[tokio::test]
async fn it_survives_awaits_and_ends_with_its_scope() {
    assert_eq!(current_id(), None);
    scope(root("req_a"), async {
        assert_eq!(current_id().as_deref(), Some("req_a"));
        tokio::task::yield_now().await;
        assert_eq!(current_id().as_deref(), Some("req_a"));
    })
    .await;
    assert_eq!(current_id(), None);
}

#[tokio::test]
async fn an_inner_scope_hides_the_outer_one_until_it_ends() {
    scope(root("req_outer"), async {
        scope(root("req_inner"), async {
            tokio::task::yield_now().await;
            assert_eq!(current_id().as_deref(), Some("req_inner"));
        })
        .await;
        sync_scope(root("req_sync"), || {
            assert_eq!(current_id().as_deref(), Some("req_sync"));
        });
        assert_eq!(current_id().as_deref(), Some("req_outer"));
    })
    .await;
}

#[tokio::test]
async fn two_requests_on_one_thread_do_not_mix() {
    let request = |id: &'static str| {
        scope(root(id), async move {
            for _ in 0..10 {
                tokio::task::yield_now().await;
                assert_eq!(current_id().as_deref(), Some(id));
            }
        })
    };
    tokio::join!(request("req_a"), request("req_b"));
}

#[tokio::test]
async fn a_spawned_task_has_it_only_when_it_was_carried() {
    scope(root("req_a"), async {
        let bare = tokio::spawn(async { current_id() });
        let carried = tokio::spawn(capture().carry(async {
            tokio::task::yield_now().await;
            current_id()
        }));
        assert_eq!(bare.await.unwrap(), None);
        assert_eq!(carried.await.unwrap().as_deref(), Some("req_a"));
    })
    .await;
}

#[tokio::test]
async fn it_hops_to_a_plain_thread_and_leaves_nothing_behind_there() {
    let (send, receive) = std::sync::mpsc::channel::<Captured>();
    let thread = std::thread::spawn(move || {
        let seen = receive.recv().unwrap().run(current_id);
        (seen, current_id())
    });
    scope(root("req_a"), async move { send.send(capture()).unwrap() }).await;
    assert_eq!(thread.join().unwrap(), (Some("req_a".to_owned()), None));
    assert_eq!(capture().run(current_id), None);
}

#[test]
fn it_is_restored_also_when_the_work_panics() {
    sync_scope(root("req_a"), || {
        let failed = std::panic::catch_unwind(|| sync_scope(root("req_b"), || panic!("work failed")));
        assert!(failed.is_err());
        assert_eq!(current_id().as_deref(), Some("req_a"));
    });
}

#[test]
fn a_child_keeps_the_correlation_and_names_its_parent() {
    let ids = ids();
    let parent = CorrelationContext::root("req_a", None, NOW, &ids);
    assert_eq!(child("store", NOW, &ids), None);
    let child = sync_scope(parent.clone(), || child("store", NOW.plus_millis(5), &ids)).unwrap();
    assert_eq!(child.correlation_id(), "req_a");
    assert_eq!(parent.span_id().to_string(), "span_00000001");
    assert_eq!(child.span_id().to_string(), "span_00000002");
    assert_eq!(child.parent_span_id(), Some(parent.span_id()));
    assert_eq!(child.component(), Some("store"));
    assert_eq!(child.started_at(), NOW.plus_millis(5));
    assert_eq!((parent.parent_span_id(), parent.component()), (None, None));
}

#[test]
fn a_request_continues_what_its_client_began_and_begins_anew_otherwise() {
    let incoming = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let known = CorrelationContext::for_request(Some("client-7"), Some(incoming), "api", NOW, &ids());
    assert_eq!(known.correlation_id(), "client-7");
    let outgoing = known
        .child("upstream", NOW, &ids())
        .traceparent()
        .unwrap()
        .to_string();
    assert_eq!(
        outgoing,
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000001-01"
    );

    let bad = CorrelationContext::for_request(Some("two words"), Some("00-0-0-0"), "api", NOW, &ids());
    assert_eq!(bad.correlation_id(), "req_20261121_000000000001");
    assert_eq!(bad.traceparent(), None);
}
