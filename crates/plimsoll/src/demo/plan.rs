//! Which requests are sent, by whom, and what should become of them?

use serde_json::{Value, json};

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Chat,
    ChatStream,
    Embeddings,
    Messages,
    MessagesStream,
    Responses,
}

impl Kind {
    /// Its name in the outcome.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::ChatStream => "chat_stream",
            Self::Embeddings => "embeddings",
            Self::Messages => "messages",
            Self::MessagesStream => "messages_stream",
            Self::Responses => "responses",
        }
    }

    /// Its route.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Chat | Self::ChatStream => "/v1/chat/completions",
            Self::Embeddings => "/v1/embeddings",
            Self::Messages | Self::MessagesStream => "/v1/messages",
            Self::Responses => "/v1/responses",
        }
    }

    /// What a good answer holds.
    pub(super) const fn signs(self) -> &'static [&'static str] {
        match self {
            Self::Chat => &["\"chat.completion\"", "\"content\":\"", "\"completion_tokens\":"],
            Self::ChatStream => &["\"chat.completion.chunk\"", "\"content\":\"", "data: [DONE]"],
            Self::Embeddings => &["\"embedding\":[", "\"prompt_tokens\":"],
            Self::Messages => &["\"end_turn\"", "\"text\":\"", "\"output_tokens\":"],
            Self::MessagesStream => &[
                "event: content_block_delta",
                "\"output_tokens\":",
                "event: message_stop",
            ],
            Self::Responses => &["\"completed\"", "\"output_text\"", "\"output_tokens\":"],
        }
    }
}

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) kind: Kind,
    pub(super) body: String,
    pub(super) project: &'static str,
    pub(super) agent: &'static str,
    pub(super) feature: &'static str,
}

/// All requests, tenant by tenant.
#[derive(Debug)]
pub(super) struct Plan {
    /// Within its budget: all are answered.
    pub(super) harbour: Vec<Request>,
    /// They spend the budget: the first are answered, the others refused.
    pub(super) tidewater: Vec<Request>,
    /// Faster than the rate allows: so many are answered as the rate allows.
    pub(super) breakwater: Vec<Request>,
}

/// What Harbour Freight's agents do, again and again.
const HARBOUR: [(Kind, &str, &str, &str); 12] = [
    (Kind::Chat, "support", "triage", "inbox"),
    (Kind::ChatStream, "support", "assistant", "chat-widget"),
    (Kind::Messages, "operations", "planner", "berth-plan"),
    (Kind::Embeddings, "search", "indexer", "document-search"),
    (Kind::ChatStream, "support", "assistant", "chat-widget"),
    (Kind::Responses, "operations", "reporter", "daily-report"),
    (Kind::Chat, "support", "triage", "inbox"),
    (Kind::MessagesStream, "operations", "planner", "berth-plan"),
    (Kind::Embeddings, "search", "indexer", "document-search"),
    (Kind::Chat, "search", "answerer", "document-search"),
    (Kind::ChatStream, "support", "assistant", "chat-widget"),
    (Kind::Messages, "operations", "planner", "berth-plan"),
];

const PROMPTS: [&str; 6] = [
    "Which containers must be moved before the tide turns?",
    "Sum up the last voyage for the customer in three sentences.",
    "The client asks why the freight to Antwerp went up. Draft an answer.",
    "Sort this message: complaint, booking or question?",
    "Which berth is free on Thursday, and for how long?",
    "Write the handover note for the night shift.",
];

/// The model that Tidewater Labs uses, how many answers it asks for at a time, and how long they may be.
pub(super) const TIDEWATER_MODEL: &str = "gpt-4o";
pub(super) const TIDEWATER_CHOICES: i64 = 8;
pub(super) const TIDEWATER_CAP: i64 = 30;

impl Plan {
    /// A plan of so many requests, at least 20.
    pub(super) fn of(requests: usize) -> Self {
        let tidewater = (requests / 5).clamp(8, 60);
        let breakwater = (requests / 10).clamp(6, 30);
        let harbour = requests.saturating_sub(tidewater + breakwater);
        Self {
            harbour: HARBOUR
                .iter()
                .cycle()
                .zip(PROMPTS.iter().cycle())
                .take(harbour)
                .map(request)
                .collect(),
            tidewater: vec![tidewater_request(); tidewater],
            breakwater: vec![breakwater_request(); breakwater],
        }
    }

    /// How many requests.
    pub(super) fn len(&self) -> usize {
        self.harbour.len() + self.tidewater.len() + self.breakwater.len()
    }

    /// How many requests a minute Breakwater may make: half of what it tries.
    pub(super) fn breakwater_rpm(&self) -> usize {
        self.breakwater.len() / 2
    }
}

fn request(
    (&(kind, project, agent, feature), prompt): (&(Kind, &'static str, &'static str, &'static str), &&str),
) -> Request {
    Request {
        kind,
        body: body(kind, prompt).to_string(),
        project,
        agent,
        feature,
    }
}

fn body(kind: Kind, prompt: &str) -> Value {
    let messages = json!([{"role": "user", "content": prompt}]);
    match kind {
        Kind::Chat => json!({"model": "gpt-4o-mini", "messages": messages, "max_tokens": 200}),
        Kind::ChatStream => json!({"model": "gpt-4o-mini", "messages": messages, "stream": true,
            "stream_options": {"include_usage": true}}),
        Kind::Embeddings => json!({"model": "text-embedding-3-small", "input": [prompt, "Bill of lading"]}),
        Kind::Messages => json!({"model": "claude-haiku-4-5", "max_tokens": 300, "messages": messages}),
        Kind::MessagesStream => {
            json!({"model": "claude-haiku-4-5", "max_tokens": 300, "messages": messages, "stream": true})
        }
        Kind::Responses => json!({"model": "gpt-4o-mini", "input": prompt, "max_output_tokens": 300}),
    }
}

/// The one request that Tidewater Labs makes, until its budget is spent.
pub(super) fn tidewater_request() -> Request {
    let body = json!({"model": TIDEWATER_MODEL, "n": TIDEWATER_CHOICES, "max_tokens": TIDEWATER_CAP,
        "messages": [{"role": "user", "content": "Propose an experiment with seawater."}]});
    Request {
        kind: Kind::Chat,
        body: body.to_string(),
        project: "research",
        agent: "experimenter",
        feature: "ideas",
    }
}

fn breakwater_request() -> Request {
    let body = body(Kind::Chat, "Is the swell above two metres?");
    Request {
        kind: Kind::Chat,
        body: body.to_string(),
        project: "sensors",
        agent: "watcher",
        feature: "swell",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_has_exactly_as_many_requests_as_asked_for_and_a_part_for_each_tenant() {
        for requests in [20, 21, 99, 200, 5_000] {
            let plan = Plan::of(requests);
            assert_eq!(plan.len(), requests);
            assert!(plan.harbour.len() >= 6 && plan.tidewater.len() >= 8, "{requests}");
            assert!(
                (1..plan.breakwater.len()).contains(&plan.breakwater_rpm()),
                "{requests}"
            );
        }
    }
}
