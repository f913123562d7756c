//! Was everything as it should be?

use serde_json::{Value, json};

use super::books::{Account, Books};
use super::cast::{Cast, Member};
use super::lesson::Lesson;
use super::plan::Plan;
use super::traffic::{Outcome, Sent};

/// Everything that is not as it should be, one sentence each.
pub(super) fn failures(
    plan: &Plan,
    cast: &Cast,
    (sent, lesson): (&Sent, &Lesson),
    books: &Books,
) -> Vec<String> {
    let mut failures = Failures::default();
    answered_all(&sent.harbour, &mut failures);
    spent_the_budget(&sent.tidewater, &cast.tidewater, &mut failures);
    kept_the_rate(&sent.breakwater, plan, &cast.breakwater, &mut failures);
    let accounts = [
        (&cast.harbour, &books.harbour, &sent.harbour),
        (&cast.tidewater, &books.tidewater, &sent.tidewater),
        (&cast.breakwater, &books.breakwater, &sent.breakwater),
    ];
    for (member, account, outcomes) in accounts {
        adds_up(member, account, outcomes, &mut failures);
    }
    prevented_the_next_one(lesson, &books.lightship, &mut failures);
    failures.check(books.holds_open == 0, || {
        format!("{} holds are still open", books.holds_open)
    });
    let wrong = books.ledger.mismatches.len();
    failures.check(wrong == 0, || {
        format!(
            "{wrong} counters are not the sum of their holds: {:?}",
            books.ledger.mismatches.first()
        )
    });
    failures.0
}

#[derive(Default)]
struct Failures(Vec<String>);

impl Failures {
    fn check(&mut self, good: bool, sentence: impl FnOnce() -> String) {
        if !good {
            self.0.push(sentence());
        }
    }

    /// An answer with everything that a good one of its kind holds.
    fn good_answer(&mut self, who: &str, outcome: &Outcome) {
        let missing = outcome
            .kind
            .signs()
            .iter()
            .find(|sign| !outcome.body.contains(**sign));
        self.check(outcome.status == 200 && missing.is_none(), || {
            let (kind, status, body) = (outcome.kind.name(), outcome.status, &outcome.body);
            let missing = missing.map(|sign| format!(" without {sign}")).unwrap_or_default();
            format!("{who}: a request of the kind {kind} was answered with {status}{missing}: {body}")
        });
    }

    /// A refusal with this code that names the limit.
    fn good_refusal(&mut self, member: &Member, outcome: &Outcome, code: &str) {
        let (who, limit) = (&member.tenant.name, &member.limit);
        self.check(
            outcome.status == 429 && outcome.code.as_deref() == Some(code),
            || {
                format!(
                    "{who}: expected 429 {code}, got {} {}",
                    outcome.status, outcome.body
                )
            },
        );
        let named = outcome.body.contains(&limit.name) || outcome.body.contains(&limit.id.to_string());
        self.check(named, || {
            format!("{who}: the refusal does not name the limit: {}", outcome.body)
        });
    }
}

fn answered_all(outcomes: &[Outcome], failures: &mut Failures) {
    for outcome in outcomes {
        failures.good_answer("Harbour Freight", outcome);
    }
}

/// First answers, then refusals, and no answer after a refusal: the requests are all the same.
fn spent_the_budget(outcomes: &[Outcome], member: &Member, failures: &mut Failures) {
    let who = &member.tenant.name;
    let spent = outcomes
        .iter()
        .position(|outcome| outcome.status != 200)
        .unwrap_or(outcomes.len());
    failures.check(spent > 0, || format!("{who}: no request was answered"));
    failures.check(spent < outcomes.len(), || {
        format!("{who}: no request was refused")
    });
    let (answered, refused) = outcomes.split_at(spent);
    for outcome in answered {
        failures.good_answer(who, outcome);
    }
    for outcome in refused {
        failures.good_refusal(member, outcome, "insufficient_quota");
        failures.check(outcome.should_retry.as_deref() == Some("false"), || {
            format!("{who}: the refusal does not tell the SDK to stop trying")
        });
    }
}

/// As many answers as the rate allows, and refusals that say when to come back.
fn kept_the_rate(outcomes: &[Outcome], plan: &Plan, member: &Member, failures: &mut Failures) {
    let who = &member.tenant.name;
    let (answered, refused): (Vec<_>, Vec<_>) = outcomes.iter().partition(|outcome| outcome.status == 200);
    let allowed = plan.breakwater_rpm();
    failures.check(answered.len() == allowed, || {
        format!(
            "{who}: {} requests were answered in a minute that allows {allowed}",
            answered.len()
        )
    });
    for outcome in answered {
        failures.good_answer(who, outcome);
    }
    for outcome in refused {
        failures.good_refusal(member, outcome, "rate_limit_exceeded");
        failures.check(outcome.retry_after.is_some(), || {
            format!("{who}: a refusal does not say when to come back")
        });
    }
}

/// Every request is on record, with its end, and the costs are the same wherever they stand.
fn adds_up(member: &Member, account: &Account, outcomes: &[Outcome], failures: &mut Failures) {
    let who = &member.tenant.name;
    let answered = outcomes.iter().filter(|outcome| outcome.status == 200).count();
    let (sent, refused) = (outcomes.len(), outcomes.len() - answered);
    let found = (account.runs, account.succeeded, account.blocked);
    failures.check(found == (sent, answered, refused), || {
        format!(
            "{who}: sent, answered and refused {:?}, but on record are {found:?}",
            (sent, answered, refused)
        )
    });
    failures.check(account.cost.0 > 0 && account.cost == account.records, || {
        format!(
            "{who}: the runs cost {}, the cost records say {}",
            account.cost, account.records
        )
    });
    let settled = account.settled.unwrap_or(account.cost);
    failures.check(settled == account.cost, || {
        format!(
            "{who}: the runs cost {}, the budget counts {settled}",
            account.cost
        )
    });
}

/// One call failed and was paid as far as it went; the same call was refused by the rule that came of it, which says so.
fn prevented_the_next_one(lesson: &Lesson, account: &Account, failures: &mut Failures) {
    let who = "Lightship Ferries";
    let found = (account.runs, account.failed, account.blocked);
    failures.check(found == (2, 1, 1) && lesson.failed_status == 200, || {
        format!("{who}: one LLM Run was to fail and one to be refused, but on record are {found:?}")
    });
    let incident = lesson.incident.get("incident_id");
    let triggering = lesson.proposal.get("triggering_incident_id");
    failures.check(incident.is_some() && incident == triggering, || {
        format!(
            "{who}: the proposal is not that of the Incident: {}",
            lesson.proposal
        )
    });
    let refused = &lesson.refused;
    let code = refused.body.pointer("/error/code").and_then(Value::as_str);
    let named = (refused.rule_id.as_deref(), refused.incident_id.as_deref());
    let expected = (Some(lesson.rule_id.as_str()), incident.and_then(Value::as_str));
    let is_refused = refused.status == 403 && code == Some("policy_violation");
    failures.check(is_refused && named == expected, || {
        format!("{who}: the call that had failed was not refused by its rule: {refused:?}")
    });
    let effect = &lesson.effectiveness;
    let saved = effect.get("estimated_cost_saved_nano_usd");
    let is_saved = saved == Some(&lesson.cost) && account.cost.0 > 0;
    failures.check(
        is_saved && effect.get("prevented_count") == Some(&json!(1)),
        || format!("{who}: the rule does not say what it has prevented: {effect}"),
    );
    failures.check(lesson.incidents.get("total") == Some(&json!(1)), || {
        format!("{who}: there is more than one Incident: {}", lesson.incidents)
    });
}
