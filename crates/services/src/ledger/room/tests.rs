//! Who may go next?

use model::limit::{Enforcement, Handling, LimitCategory, LimitScope, LimitStatus, LimitType};
use model::time::Timestamp;
use model::window::WindowSpec;

use super::*;

fn limit(id: u128) -> Limit {
    Limit {
        id: LimitId::from_bits(id),
        tenant: TenantId::from_bits(1),
        name: "queue".to_owned(),
        description: None,
        category: LimitCategory::Rate,
        limit_type: LimitType::RequestsTotal,
        scope: LimitScope::Tenant,
        scope_id: None,
        api_key_id: None,
        model: None,
        feature: None,
        end_user: None,
        max: 1,
        window: WindowSpec::Rolling { seconds: 60 },
        enforcement: Enforcement::Queue,
        handling: Handling::default(),
        status: LimitStatus::Active,
        raise: None,
        overrun: None,
        created_at: Timestamp::from_micros(0),
        updated_at: Timestamp::from_micros(0),
    }
}

fn room(per_limit: usize, total: usize) -> Room {
    Room::new(RoomSettings {
        per_limit,
        total,
        ..RoomSettings::default()
    })
}

fn ids(limits: &[u128]) -> Vec<Limit> {
    limits.iter().copied().map(limit).collect()
}

#[test]
fn who_came_first_is_first_also_where_it_lines_up_later() {
    let room = room(10, 10);
    let [a, b, c] = [room.place(), room.place(), room.place()];
    assert!(room.line_up(b, &ids(&[1])) && room.line_up(c, &ids(&[1])) && room.is_first(b));
    assert!(room.line_up(a, &ids(&[1])));
    assert!(room.is_first(a) && !room.is_first(b) && !room.is_first(c));
    room.leave(a);
    assert!(room.is_first(b) && !room.is_first(c));
}

#[test]
fn who_waits_for_two_limits_goes_when_nobody_stands_before_it_under_either() {
    let room = room(10, 10);
    let [a, b, c] = [room.place(), room.place(), room.place()];
    room.line_up(a, &ids(&[1]));
    room.line_up(b, &ids(&[1, 2]));
    room.line_up(c, &ids(&[2]));
    assert!(room.is_first(a) && !room.is_first(b) && !room.is_first(c));
    // Who need not wait for a limit any more keeps nobody from it.
    room.line_up(a, &ids(&[3]));
    assert!(room.is_first(a) && room.is_first(b) && !room.is_first(c));
    room.leave(b);
    assert!(room.is_first(c));
}

#[test]
fn a_newcomer_finds_a_limit_crowded_and_whoever_stands_first_does_not() {
    let room = room(10, 10);
    let (one, two) = (limit(1), limit(2));
    let both = [&one, &two];
    assert_eq!(room.crowded(&both, None), []);
    let [a, b] = [room.place(), room.place()];
    room.line_up(a, &ids(&[1]));
    assert_eq!(room.crowded(&both, Some(b)), [one.id]);
    assert_eq!(room.crowded(&both, None), [one.id]);
    assert_eq!(room.crowded(&both, Some(a)), []);
    room.leave(a);
    assert_eq!((room.crowded(&both, Some(b)), room.count()), (Vec::new(), 0));
}

#[test]
fn no_more_wait_than_may_for_one_limit_and_in_all() {
    let room = room(2, 3);
    assert!(room.line_up(0, &ids(&[1])) && room.line_up(1, &ids(&[1])));
    assert!(!room.line_up(2, &ids(&[1])), "a third one for the same limit");
    assert!(room.line_up(2, &ids(&[2])));
    assert!(!room.line_up(3, &ids(&[3])), "a fourth one in all");
    // Who stands already keeps its place, however full it is.
    assert!(room.line_up(1, &ids(&[1])));
    room.leave(0);
    assert!(room.line_up(3, &ids(&[1])));
    assert_eq!(room.count(), 3);
}

#[tokio::test]
async fn who_is_first_now_is_woken_and_who_is_not_sleeps() {
    let room = room(10, 10);
    for place in 0..3 {
        room.line_up(place, &ids(&[1]));
    }
    let [second, third] = [1, 2].map(|place| room.wake(place).unwrap());
    room.leave(0);
    // A wake-up is kept for whoever is not asleep yet.
    second.notified().await;
    let woken = tokio::time::timeout(Duration::from_millis(20), third.notified()).await;
    assert!(woken.is_err());
}

#[test]
fn a_closed_room_takes_nobody() {
    let room = room(10, 10);
    assert!(room.line_up(0, &ids(&[1])));
    room.close();
    assert!(!room.line_up(1, &ids(&[1])) && !room.line_up(0, &ids(&[1])));
}
