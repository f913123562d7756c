//! What is asked of Incidents? Each is reported, taken to its end, and read meanwhile; every request is signed when it is
//! sent.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use infra::clock::SystemClock;
use model::time::Clock as _;
use serde_json::{Value, json};

use super::stage::Person;
use crate::Outcome;
use crate::answer::Reply;
use crate::http::request;
use crate::open::Ask;
use crate::setup::shuffled;

/// The states that a report that was let through is taken to, one after the other.
pub(super) const STATES: [&str; 3] = ["MITIGATING", "RESOLVED", "CLOSED"];

/// Services that have Incidents.
const SERVICES: u64 = 20;

/// The Incidents of a load.
pub(super) struct Lives {
    people: Vec<Person>,
    clock: SystemClock,
    ids: Vec<OnceLock<String>>,
    made: AtomicU64,
}

impl Lives {
    /// So many, shared between these people.
    pub(super) fn new(people: &[Person], count: u64) -> Outcome<Arc<Self>> {
        Ok(Arc::new(Self {
            people: people.to_vec(),
            clock: SystemClock::new(),
            ids: (0..usize::try_from(count)?).map(|_| OnceLock::new()).collect(),
            made: AtomicU64::new(0),
        }))
    }

    fn person(&self, number: u64) -> Outcome<&Person> {
        let index = usize::try_from(number)? % self.people.len().max(1);
        Ok(self.people.get(index).ok_or("nobody is on call")?)
    }

    fn slot(&self, number: u64) -> Outcome<&OnceLock<String>> {
        let slot = self.ids.get(usize::try_from(number)?);
        Ok(slot.ok_or("there are not as many Incidents")?)
    }

    /// A signed request of whoever is on call for the Incident of this number.
    fn signed(
        &self,
        number: u64,
        (method, path): (&str, &str),
        key: Option<&str>,
        body: &str,
    ) -> Outcome<Cow<'_, [u8]>> {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(key.map(|key| ("idempotency-key", key)));
        let person = self.person(number)?;
        let lines = person
            .signer
            .sign(self.clock.now(), (method, path), &headers, body.as_bytes());
        let mut text = format!("{method} {path} HTTP/1.1\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in &lines {
            text.extend([name, ": ", value, "\r\n"]);
        }
        text.extend(["\r\n", body]);
        Ok(Cow::Owned(text.into_bytes()))
    }
}

fn expect<'a>(reply: &'a Reply<'_>, status: u16) -> Result<&'a [u8], String> {
    if reply.status == status {
        return Ok(reply.body);
    }
    Err(format!("wrong answer {}: {}", reply.status, reply.text()))
}

fn body(reply: &Reply<'_>, status: u16) -> Result<Value, String> {
    serde_json::from_slice(expect(reply, status)?).map_err(|error| error.to_string())
}

/// Reports them.
pub(super) struct Reports(pub(super) Arc<Lives>);

impl Ask for Reports {
    fn request(&self, number: u64) -> Outcome<Cow<'_, [u8]>> {
        let report = json!({"service": format!("service-{}", number % SERVICES), "severity": "SEV2",
            "title": format!("Report {number}: the error rate is high"), "description": "since the last deployment",
            "authority": {"authorityType": "ON_CALL_SRE"}, "metadata": {"tags": ["eu", "bench"]}});
        let key = format!("report-{number}");
        self.0
            .signed(number, ("POST", "/incidents"), Some(&key), &report.to_string())
    }

    fn answered(&self, number: u64, reply: &Reply<'_>) -> Result<(), String> {
        let made = body(reply, 201)?;
        let id = made["incidentId"].as_str().filter(|_| made["state"] == "OPEN");
        let id = id.ok_or_else(|| format!("not opened: {made}"))?.to_owned();
        let slot = self.0.slot(number).map_err(|error| error.to_string())?;
        slot.set(id).map_err(|id| format!("{id} was reported twice"))?;
        self.0.made.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// Takes them to their ends.
pub(super) struct Changes {
    pub(super) lives: Arc<Lives>,
    /// Which Incident goes to which of the [`STATES`], in the order in which that is due.
    pub(super) order: Vec<(u64, usize)>,
}

impl Changes {
    fn due(&self, number: u64) -> Outcome<(u64, &'static str)> {
        let due = self.order.get(usize::try_from(number)?).ok_or("no change")?;
        Ok((due.0, STATES.get(due.1).ok_or("no state")?))
    }
}

impl Ask for Changes {
    fn request(&self, number: u64) -> Outcome<Cow<'_, [u8]>> {
        let (incident, state) = self.due(number)?;
        let id = self.lives.slot(incident)?.get();
        let id = id.ok_or_else(|| format!("Incident {incident} was not there when it was to be {state}"))?;
        let mut change = json!({"newState": state, "authority": {"authorityType": "ON_CALL_SRE"}});
        if state == "RESOLVED" {
            change["resolutionSummary"] = json!("the bad deployment was rolled back");
            change["resolutionType"] = json!("FIXED");
        }
        if state == "CLOSED" {
            change["postMortemRef"] = json!("https://wiki.example/pm-7");
        }
        let key = format!("change-{incident}-{state}");
        let path = format!("/incidents/{id}/state");
        let at = ("PATCH", path.as_str());
        self.lives.signed(incident, at, Some(&key), &change.to_string())
    }

    fn answered(&self, number: u64, reply: &Reply<'_>) -> Result<(), String> {
        let (_, state) = self.due(number).map_err(|error| error.to_string())?;
        let changed = body(reply, 200)?;
        if changed["state"] == state {
            Ok(())
        } else {
            Err(format!("not {state}: {changed}"))
        }
    }
}

/// Reads them: of ten, six read one Incident, two a page of those that are open, one the events of one, and one, a
/// customer, the newest.
pub(super) struct Reads(pub(super) Arc<Lives>);

impl Ask for Reads {
    fn request(&self, number: u64) -> Outcome<Cow<'_, [u8]>> {
        let lives = &self.0;
        let made = lives.made.load(Ordering::Relaxed).max(1);
        let chosen = shuffled(usize::try_from(number)?) % made;
        let id = lives.slot(chosen)?.get();
        let path = match (number % 10, id) {
            (0..=5, Some(id)) => format!("/incidents/{id}"),
            (6, Some(id)) => format!("/incidents/{id}/timeline"),
            (7, _) => {
                let key = Some(lives.person(number)?.key.as_str());
                let path = "/api/v1/incidents?limit=20";
                return Ok(Cow::Owned(request("GET", path, key, "")));
            }
            _ => "/incidents?limit=20&state=OPEN".to_owned(),
        };
        lives.signed(chosen, ("GET", &path), None, "")
    }

    fn answered(&self, _number: u64, reply: &Reply<'_>) -> Result<(), String> {
        expect(reply, 200).map(drop)
    }
}
