//! How is the outcome shown?

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use model::money::NanoUsd;
use serde_json::{Value, json};

use super::books::{Account, Books};
use super::cast::{Cast, Member};
use super::lesson::{self, Lesson};
use super::plan::tidewater_request;
use super::traffic::Sent;
use crate::commands::serve::Server;
use crate::output::table;
use crate::simulate::Simulator;

/// Everything there is to show.
pub(super) struct Stage<'a> {
    pub(super) server: &'a Server,
    /// By which other commands find the database of the demo.
    pub(super) config_file: PathBuf,
    pub(super) simulator: &'a Simulator,
    pub(super) cast: &'a Cast,
    pub(super) sent: &'a Sent,
    pub(super) lesson: &'a Lesson,
    pub(super) books: &'a Books,
    /// From the first line of the database to listening.
    pub(super) ready: Duration,
}

impl Stage<'_> {
    /// One JSON object on one line.
    pub(super) fn json(&self) -> Result<String> {
        let tenants = self.cast.members().map(|member| {
            json!({"tenant_id": member.tenant.id, "name": member.tenant.name, "api_key": member.key.expose()})
        });
        let mut sent = json!(self.sent.by_kind());
        if let Some(counts) = sent.as_object_mut() {
            counts.insert("total".to_owned(), json!(self.sent.all().count()));
        }
        let total = self.books.total();
        let document = json!({
            "base_url": self.server.base_url(),
            "metrics_url": self.server.metrics_url(),
            "provider_url": self.simulator.base_url(),
            "config_file": self.config_file,
            "tenants": tenants,
            "founder_token": self.cast.founder_token.expose(),
            "sent": sent,
            "recorded": {
                "runs": total.runs,
                "succeeded": total.succeeded,
                "blocked": total.blocked,
                "failed": total.failed,
                "cost_nano_usd": total.cost.0,
                "holds_open": self.books.holds_open,
            },
            "lesson": {
                "incident_id": self.lesson.incident.get("incident_id"),
                "proposal_id": self.lesson.proposal.get("proposal_id"),
                "rule_id": self.lesson.rule_id,
                "prevented_count": self.lesson.effectiveness.get("prevented_count"),
                "estimated_cost_saved_nano_usd": self.lesson.effectiveness.get("estimated_cost_saved_nano_usd"),
            },
            "took_ms": {
                "until_ready": millis(self.ready),
                "traffic": millis(self.sent.took),
                "request_p50": millis(self.sent.percentile(50)),
                "request_p99": millis(self.sent.percentile(99)),
            },
        });
        Ok(serde_json::to_string(&document)? + "\n")
    }

    /// What happened, and what to try.
    pub(super) fn text(&self) -> String {
        let (url, sent) = (self.server.base_url(), self.sent);
        let rows = [
            Self::row(&self.cast.harbour, self.books.harbour),
            Self::row(&self.cast.tidewater, self.books.tidewater),
            Self::row(&self.cast.breakwater, self.books.breakwater),
            Self::row(&self.cast.lightship, self.books.lightship),
        ];
        let headings = [
            "TENANT",
            "LLM RUNS",
            "ANSWERED",
            "REFUSED",
            "FAILED",
            "COST (USD)",
            "LIMIT",
        ];
        format!(
            "\nPlimsoll serves at {url}, metrics at {metrics}; the provider is simulated.\n\
             {count} requests in {seconds}.{rest:03} s; half of them took at most {p50} ms, 99 of 100 at most {p99} ms.\n\n\
             {rows}\nOpen holds: {open}. Counters that differ from their holds: {wrong} of {counters}.\n{try_it}",
            metrics = self.server.metrics_url(),
            count = sent.all().count(),
            seconds = sent.took.as_secs(),
            rest = sent.took.subsec_millis(),
            p50 = millis(sent.percentile(50)),
            p99 = millis(sent.percentile(99)),
            rows = table(headings, &rows),
            open = self.books.holds_open,
            wrong = self.books.ledger.mismatches.len(),
            counters = self.books.ledger.counters,
            try_it = self.try_it(&url),
        )
    }

    fn row(member: &Member, account: Account) -> [String; 7] {
        let limit = &member.limit;
        let most = match limit.limit_type.unit() {
            model::limit::Unit::NanoUsd => NanoUsd(limit.max).to_string(),
            _ => limit.max.to_string(),
        };
        [
            member.tenant.name.clone(),
            account.runs.to_string(),
            account.succeeded.to_string(),
            account.blocked.to_string(),
            account.failed.to_string(),
            account.cost.to_usd_string(),
            format!("{}: {most}", limit.name),
        ]
    }

    /// What became of the call that failed, and how to see it.
    fn learned(&self, url: &str) -> String {
        let (lesson, member) = (self.lesson, &self.cast.lightship);
        let id = |of: &Value, name| {
            of.get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let (rule, incident) = (&lesson.rule_id, id(&lesson.incident, "incident_id"));
        let saved = id(&lesson.effectiveness, "estimated_cost_saved_nano_usd");
        let saved = NanoUsd(saved.parse().unwrap_or_default());
        let (key, body) = (member.key.expose(), lesson::call_body());
        format!(
            "\
A call of {name} broke off in the middle; as nobody said what it had cost, the most that it can have is
counted. That opened the Incident {incident}, which proposed a Policy Rule.
Approved, {rule} has refused the same call before it cost anything, and saved {saved}:

  curl -si {url}/v1/chat/completions -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d '{body}'
  curl -s {url}/api/v1/policies/rules/{rule}/effectiveness -H 'Authorization: Bearer {key}'
  curl -s {url}/api/v1/incidents/{incident}/cost-impact -H 'Authorization: Bearer {key}'
",
            name = member.tenant.name,
        )
    }

    fn try_it(&self, url: &str) -> String {
        let (harbour, tidewater) = (self.cast.harbour.key.expose(), self.cast.tidewater.key.expose());
        let answered =
            r#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Which berth is free?"}]}"#;
        let refused = tidewater_request().body;
        let founder = self.cast.founder_token.expose();
        let plimsoll = std::env::current_exe().unwrap_or_else(|_unknown| PathBuf::from("plimsoll"));
        let learned = self.learned(url);
        let (plimsoll, config) = (in_shell(&plimsoll), in_shell(&self.config_file));
        format!(
            "
A request that is answered:

  curl -s {url}/v1/chat/completions -H 'Authorization: Bearer {harbour}' -H 'Content-Type: application/json' -d '{answered}'

A request that the spent budget refuses, before it costs anything:

  curl -si {url}/v1/chat/completions -H 'Authorization: Bearer {tidewater}' -H 'Content-Type: application/json' -d '{refused}'

{learned}
What is used of the limits, what was spent on which model, and all tenants as their operator sees them:

  curl -s {url}/api/v1/limits/usage -H 'Authorization: Bearer {tidewater}'
  curl -s '{url}/api/v1/analytics/costs?group_by=model' -H 'Authorization: Bearer {harbour}'
  curl -s {url}/api/v1/ops/tenants -H 'Authorization: Bearer {founder}'

The same on the command line, which needs the configuration of the demo to find its database:

  {plimsoll} --config {config} tenants list

Python, with the SDK of OpenAI (pip install openai):

  from openai import OpenAI
  client = OpenAI(base_url=\"{url}/v1\", api_key=\"{harbour}\")
  answer = client.chat.completions.create(
      model=\"gpt-4o-mini\", messages=[{{\"role\": \"user\", \"content\": \"Which berth is free?\"}}])
  print(answer.choices[0].message.content)

Python, with the SDK of Anthropic (pip install anthropic):

  from anthropic import Anthropic
  client = Anthropic(base_url=\"{url}\", api_key=\"{harbour}\")
  answer = client.messages.create(model=\"claude-haiku-4-5\", max_tokens=200,
      messages=[{{\"role\": \"user\", \"content\": \"Which berth is free?\"}}])
  print(answer.content[0].text)

Stop with Ctrl-C.
"
        )
    }
}

/// A path as a word of the shell.
fn in_shell(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-".contains(character);
    if text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
