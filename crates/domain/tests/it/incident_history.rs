//! Histories of Incidents, as tests make them.

use model::authority::{AuthorityContext, AuthorityType};
use model::id::{RunId, TenantId};
use model::incident::{
    Attributed, Attribution, CauseType, Change, Closing, Comment, Creation, IncidentCategory, IncidentEvent,
    IncidentSource, Links, Occurrence, Projection, Promotion, ResolutionMethod, ResolutionType, Resolving,
    Retention, Standing, Step, StepOf, Transition,
};
use model::money::NanoUsd;
use model::promotion::Verdict;
use model::severity::Severity;
use model::time::Timestamp;

pub(crate) const ACME: TenantId = TenantId::from_bits(7);
pub(crate) const LONG_ENOUGH: &str = "The provider is reachable again, checked by hand.";

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_800_000_000_000_000).plus_seconds(seconds)
}

pub(crate) fn by(authority_type: AuthorityType, seconds: i64) -> AuthorityContext {
    AuthorityContext {
        authority_type,
        authority_id: format!("principal/{}", authority_type.as_str().to_lowercase()),
        session_id: None,
        justification: authority_type
            .needs_justification()
            .then(|| "Nobody on call answers and money is lost.".to_owned()),
        timestamp: at(seconds),
    }
}

pub(crate) fn creation(number: u128, severity: Severity) -> Creation {
    Creation {
        identity: format!("run {number}"),
        source: IncidentSource::Promotion,
        severity,
        category: IncidentCategory::ExecutionFailure,
        cause_type: CauseType::LlmRun,
        attribution: Attributed {
            to: Attribution::InfraTimeout,
            rule: "llm-timeout-or-5xx".to_owned(),
            rule_version: 1,
        },
        service: "checkout \"ü\"\n".to_owned(),
        title: "Execution Timeout".to_owned(),
        description: String::new(),
        tags: vec!["b".to_owned(), "a".to_owned()],
        run: Some(RunId::from_bits(number)),
        error_code: Some("upstream_timeout".to_owned()),
        signature: None,
        fingerprint: None,
        cost: NanoUsd(5),
        correlation_id: "req_1".to_owned(),
    }
}

pub(crate) fn promotion(verdict: Verdict) -> Promotion {
    Promotion {
        verdict,
        reason: "All policy conditions satisfied".to_owned(),
        decision_id: "d".repeat(64),
        policy_id: "failed-runs".to_owned(),
        policy_version: "1.0.0".to_owned(),
        candidate_id: None,
        evidence_id: None,
        confidence_micro: Some(622_500),
        detection_count: Some(2),
        promoted_by: None,
    }
}

pub(crate) fn links() -> Links {
    Links {
        runbook_url: Some("https://wiki.example.test/runbooks/checkout".to_owned()),
        ticket_url: Some("https://tickets.example.test/OPS-7".to_owned()),
    }
}

/// One of everything that can happen to an Incident that there is.
pub(crate) fn change(choice: u8) -> Change {
    match choice % 10 {
        0 => Change::Opened(promotion(Verdict::Promote)),
        1 => Change::Mitigating(links()),
        2 => Change::Resolved(Resolving {
            summary: LONG_ENOUGH.to_owned(),
            resolution_type: ResolutionType::Fixed,
            method: ResolutionMethod::Manual,
            links: Links::default(),
        }),
        3 => Change::Closed(Closing {
            reference: Some("https://example.test/pm/1".to_owned()),
            summary: None,
            links: links(),
        }),
        4 => Change::Cancelled(Links {
            runbook_url: None,
            ..links()
        }),
        5 => Change::Archived(Retention {
            policy_id: "default".to_owned(),
            policy_version: "1.0.0".to_owned(),
            retention_days: 1,
        }),
        6 => Change::Acknowledged,
        7 => Change::Commented(Comment {
            text: "it is slow, too".to_owned(),
        }),
        8 => Change::Occurred(Occurrence {
            signal_id: "run 2".to_owned(),
            checksum: None,
            run: Some(RunId::from_bits(2)),
            signature: None,
            cost: NanoUsd(3),
        }),
        _ => Change::NotPromoted(promotion(Verdict::Defer)),
    }
}

pub(crate) fn step(change: Change, authority_type: AuthorityType, seconds: i64) -> Step {
    Step {
        change,
        authority: by(authority_type, seconds),
        reason: Some(LONG_ENOUGH.to_owned()),
        at: at(seconds),
        request_id: format!("req_{seconds}"),
        idempotency_key: None,
    }
}

pub(crate) fn created(number: u128, severity: Severity) -> Transition {
    let of = StepOf {
        authority: by(AuthorityType::AutoEngine, 0),
        at: at(0),
        request_id: "req_0".to_owned(),
        idempotency_key: Some("key".to_owned()),
    };
    Transition::create(ACME, creation(number, severity), of).unwrap_or_else(|refusal| panic!("{refusal}"))
}

/// An Incident and everything that happened to it.
pub(crate) struct History {
    pub(crate) standing: Standing,
    pub(crate) events: Vec<IncidentEvent>,
}

impl History {
    pub(crate) fn new(number: u128, severity: Severity) -> Self {
        let first = created(number, severity);
        Self {
            standing: first.standing(),
            events: vec![first.event().clone()],
        }
    }

    /// What the machine says to one more step; if it allows it, it has happened.
    pub(crate) fn tries(&mut self, step: Step) -> Result<(), model::incident::Refusal> {
        let next = Transition::of(&self.standing, step)?;
        self.standing = next.standing();
        self.events.push(next.event().clone());
        Ok(())
    }

    /// Tries all of these; what is refused does not happen.
    pub(crate) fn after(choices: &[(u8, u8)]) -> Self {
        let mut history = Self::new(1, Severity::Sev2);
        for (place, (what, who)) in choices.iter().enumerate() {
            let who = match who % 4 {
                0 => AuthorityType::AutoEngine,
                1 => AuthorityType::HumanOperator,
                2 => AuthorityType::OnCallSre,
                _ => AuthorityType::EmergencyOverride,
            };
            // Two days between any two things, so that what was closed may be put away.
            let seconds = i64::try_from(place).unwrap_or_default() * 2 * 86_400;
            let _refused = history.tries(step(change(*what), who, seconds));
        }
        history
    }

    /// Opened, acknowledged, mitigated, resolved, closed, put away, with something said in between.
    pub(crate) fn whole_life() -> Self {
        let history = Self::after(&[
            (9, 0),
            (0, 0),
            (8, 0),
            (6, 1),
            (1, 1),
            (7, 1),
            (2, 1),
            (3, 1),
            (5, 0),
        ]);
        assert_eq!(history.events.len(), 10);
        history
    }

    pub(crate) fn projection(&self) -> Projection {
        Projection {
            body: self.standing.incident.canonical(),
            version: self.standing.incident.version,
            head: self.standing.head.to_string(),
        }
    }
}
