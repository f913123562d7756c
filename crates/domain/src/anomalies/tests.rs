//! Which days and budgets are found, and how bad are they?

use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::{format, vec::Vec};

use super::*;

const TODAY: i64 = 20_000;

/// What a day of somebody cost, in dollars, so many days ago.
fn spent((entity, id): (AnomalyEntity, &str), ago: i64, dollars: i64) -> SpentInADay {
    SpentInADay {
        day: TODAY - ago,
        entity,
        entity_id: id.to_string(),
        cost: NanoUsd(dollars * NanoUsd::PER_USD),
        requests: 10,
        retries: 2,
        input_tokens: 1000,
    }
}

/// The tenant's days: what each cost, from the oldest to today.
fn tenant(dollars: &[i64]) -> Vec<SpentInADay> {
    let ago = (0..i64::try_from(dollars.len()).unwrap()).rev();
    let each = ago.zip(dollars);
    each.map(|(ago, dollars)| spent((AnomalyEntity::Tenant, ""), ago, *dollars))
        .collect()
}

fn found(days: &[SpentInADay], budgets: &[Budget]) -> Vec<String> {
    let input = Input {
        today: TODAY,
        days,
        budgets,
    };
    let line = |it: Finding| {
        let cause = it.derived_cause.map_or("-", DerivedCause::as_str);
        let who = format!("{} {}", it.entity.as_str(), it.entity_id);
        format!(
            "{} {} {} {} of {} {}% {}d {cause}",
            it.anomaly_type.as_str(),
            it.severity.as_str(),
            who.trim(),
            it.current,
            it.expected,
            it.deviation_pct,
            it.days
        )
    };
    detect(&input).into_iter().map(line).collect()
}

fn budget(spent: i64, max: i64) -> Budget {
    Budget {
        limit: "LIM-1".to_string(),
        spent: NanoUsd(spent),
        max: NanoUsd(max),
    }
}

#[test]
fn a_budget_is_warned_of_at_80_percent_and_exceeded_at_100() {
    for (spent, expected) in [
        (79, None),
        (80, Some("BUDGET_WARNING MEDIUM")),
        (89, Some("BUDGET_WARNING MEDIUM")),
        (90, Some("BUDGET_WARNING HIGH")),
        (99, Some("BUDGET_WARNING HIGH")),
        (100, Some("BUDGET_EXCEEDED HIGH")),
        (105, Some("BUDGET_EXCEEDED HIGH")),
    ] {
        let found = found(&[], &[budget(spent, 100)]);
        let words = found
            .first()
            .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "));
        assert_eq!(words.as_deref(), expected, "{spent}");
    }
    assert_eq!(
        found(&[], &[budget(5, 0)]),
        [""; 0],
        "a budget of nothing has no share"
    );
    assert_eq!(
        found(&[], &[budget(i64::MAX, 1)]).len(),
        1,
        "the largest numbers are numbers"
    );
}

#[test]
fn two_days_at_140_percent_of_the_baseline_are_a_spike() {
    let usual = [10; 15];
    let with = |last: &[i64]| found(&tenant(&[&usual, last].concat()), &[]);
    assert_eq!(with(&[10, 10]), [""; 0]);
    assert_eq!(with(&[10, 14]), [""; 0], "one day is none");
    assert_eq!(with(&[14, 13]), [""; 0], "it is over");
    assert_eq!(
        with(&[14, 14]),
        ["ABSOLUTE_SPIKE HIGH TENANT $14 of $10 40% 2d -"]
    );
    assert_eq!(
        with(&[20, 30]),
        ["ABSOLUTE_SPIKE HIGH TENANT $30 of $10 200% 2d -"]
    );
}

#[test]
fn the_baseline_is_that_of_days_on_which_something_was_spent() {
    // Five days of the two weeks: 10 each. Whoever spends on working days only is not compared with weekends.
    let mut days: Vec<SpentInADay> = [3, 5, 7, 9, 11]
        .map(|ago| spent((AnomalyEntity::User, "ada"), ago, 10))
        .into();
    days.extend([1, 0].map(|ago| spent((AnomalyEntity::User, "ada"), ago, 13)));
    assert_eq!(found(&days, &[]), [""; 0]);
    days.extend([1, 0].map(|ago| spent((AnomalyEntity::Feature, "chat"), ago, 100)));
    assert_eq!(
        found(&days, &[]),
        [""; 0],
        "who spent nothing before is compared with nothing"
    );
    days.push(spent((AnomalyEntity::Feature, "chat"), 8, 20));
    assert_eq!(
        found(&days, &[]),
        ["ABSOLUTE_SPIKE HIGH FEATURE chat $100 of $20 400% 2d -"]
    );
}

#[test]
fn a_week_at_125_percent_of_the_weeks_before_on_three_days_is_a_drift() {
    // From 10 a day to 13: the mean of a week passes 12.5 on the sixth day, and stays there.
    let with = |days: usize| {
        let all = [vec![10; 30], vec![13; days]].concat();
        found(&tenant(&all), &[])
    };
    assert_eq!(with(6), [""; 0]);
    assert_eq!(with(7), [""; 0], "two days are none");
    assert_eq!(with(8), ["SUSTAINED_DRIFT MEDIUM TENANT $13 of $10 30% 3d -"]);
    let of_a_user: Vec<_> = tenant(&[vec![10; 30], vec![13; 9]].concat())
        .into_iter()
        .map(|day| SpentInADay {
            entity: AnomalyEntity::User,
            ..day
        })
        .collect();
    assert_eq!(found(&of_a_user, &[]), [""; 0], "only of the tenant");
}

#[test]
fn the_cause_is_the_first_that_holds() {
    let spike = |change: &dyn Fn(&mut SpentInADay), more: &[SpentInADay]| {
        let mut days = tenant(&[[10; 15].as_slice(), &[20, 20]].concat());
        change(days.last_mut().unwrap());
        days.extend(more.iter().cloned());
        let found = found(&days, &[]);
        found[0].rsplit(' ').next().unwrap().to_string()
    };
    assert_eq!(spike(&|day| day.retries = 4, &[]), "RETRY_LOOP");
    assert_eq!(
        spike(&|day| day.retries = 3, &[]),
        "-",
        "150 % of yesterday's are none"
    );
    let more = |day: &mut SpentInADay| (day.retries, day.requests) = (4, 14);
    assert_eq!(
        spike(&more, &[]),
        "TRAFFIC_GROWTH",
        "no more of them than there were"
    );
    let longer = |day: &mut SpentInADay| (day.retries, day.input_tokens) = (4, 1301);
    assert_eq!(spike(&longer, &[]), "RETRY_LOOP", "before all others");
    assert_eq!(spike(&|day| day.input_tokens = 1301, &[]), "PROMPT_GROWTH");
    assert_eq!(spike(&|day| day.input_tokens = 1300, &[]), "-");
    assert_eq!(spike(&|day| day.requests = 14, &[]), "TRAFFIC_GROWTH");
    let on_one = [spent((AnomalyEntity::Feature, "chat"), 0, 13)];
    assert_eq!(spike(&|day| day.requests = 14, &on_one), "FEATURE_SURGE");
    let on_another = [spent((AnomalyEntity::Feature, "chat"), 0, 12)];
    assert_eq!(spike(&|_| {}, &on_another), "-");
}
