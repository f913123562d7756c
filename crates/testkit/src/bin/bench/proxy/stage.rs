//! Who takes part? A provider, a server in front of it on a fresh database, and callers with limits.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::Outcome;
use crate::answer::Reply;
use crate::args::Args;
use crate::engine::Engine;
use crate::http::request_with;
use crate::recorded::Recorded;
use crate::server::Server;
use crate::setup::{self, Caller};

/// Tenants that call, each with a key, a budget, a quota of its project and a rate.
const TENANTS: usize = 16;

/// The database of every load.
const DATABASE: &str = "proxy";

/// The model that goes to the first provider.
pub(super) const MODEL: &str = "gpt-4o-mini";

/// The model that goes to the second one, which takes its time.
pub(super) const SLOW_MODEL: &str = "slow-1";

/// A server that is in front of one or two providers.
pub(super) struct Stage {
    pub(super) server: Server,
    callers: Vec<Caller>,
    url: String,
    plimsoll: PathBuf,
    dir: PathBuf,
}

/// `plimsoll simulate-provider`, which needs this long for an answer.
pub(super) fn provider(args: &Args, dir: &Path, delay_ms: u32) -> Outcome<Server> {
    let mut command = Command::new(&args.plimsoll);
    let delay = delay_ms.to_string();
    command.args(["simulate-provider", "--port", "0", "--latency-ms", &delay]);
    Server::start(command, dir, &format!("provider-{delay_ms}"))
}

impl Stage {
    /// Starts a server on a fresh database. `gpt-*` goes to the first provider, `slow-*` to the second.
    pub(super) async fn open(
        args: &Args,
        dir: &Path,
        engine: &Engine,
        providers: [SocketAddr; 2],
    ) -> Outcome<Self> {
        let url = engine.fresh(DATABASE)?;
        let file = dir.join("plimsoll.toml");
        std::fs::write(&file, configuration(providers))?;
        let file = file.to_string_lossy();
        let server = Server::serve(&args.plimsoll, dir, "plimsoll", &url, &["--config", &file])?;
        let callers = setup::callers(server.addr, server.operator_token()?, TENANTS).await?;
        Ok(Self {
            server,
            callers,
            url,
            plimsoll: args.plimsoll.clone(),
            dir: dir.to_owned(),
        })
    }

    /// This body from every caller in turn. A provider that is called directly gets the same bytes.
    pub(super) fn requests(&self, body: &Value) -> Arc<Vec<Vec<u8>>> {
        let body = body.to_string();
        let requests = self.callers.iter().map(|caller| post(&caller.secret, &body));
        Arc::new(requests.collect())
    }

    /// A body of its own for every request, from the callers in turn.
    pub(super) fn each(&self, bodies: impl Iterator<Item = Value>) -> Arc<Vec<Vec<u8>>> {
        let callers = self.callers.iter().cycle();
        let requests = bodies
            .zip(callers)
            .map(|(body, caller)| post(&caller.secret, &body.to_string()));
        Arc::new(requests.collect())
    }

    /// Stops the server as an operator would, and reads what it has recorded.
    pub(super) async fn close(self, engine: &Engine) -> Outcome<Recorded> {
        self.server.stop()?;
        let recorded = Recorded::read(&self.plimsoll, &self.dir, &self.url).await?;
        engine.remove(DATABASE)?;
        Ok(recorded)
    }
}

fn post(key: &str, body: &str) -> Vec<u8> {
    // The project has a limit; the others are recorded.
    let headers = [
        ("x-plimsoll-project", "search"),
        ("x-plimsoll-agent", "crawler"),
        ("x-plimsoll-feature", "answers"),
    ];
    request_with("POST", "/v1/chat/completions", Some(key), &headers, body)
}

/// Prices are stated, so that costs can be computed again; they are those of `recorded::PRICES`.
fn configuration(providers: [SocketAddr; 2]) -> String {
    let [fast, slow] = providers;
    let upstream = |name: &str, addr: SocketAddr, models: &str| {
        format!(
            "[upstreams.{name}]\nkind = \"openai\"\nbase_url = \"http://{addr}/v1\"\napi_key = \"sk-bench\"\n\
             models = [\"{models}\"]\n"
        )
    };
    format!(
        "{}{}[[prices.overrides]]\nprovider = \"openai\"\nmodel = \"*\"\neffective_from = 2020-01-01T00:00:00Z\n\
         input_usd_per_mtok = \"0.15\"\noutput_usd_per_mtok = \"0.60\"\n",
        upstream("fast", fast, "gpt-*"),
        upstream("slow", slow, "slow-*"),
    )
}

/// A question of about 0.9 KB, as a support assistant asks it. The simulated provider's answer has 0.8 KB.
pub(super) fn question(model: &str) -> Value {
    let system = "You are the assistant of a freight forwarder. Answer in plain words and short sentences. Use only \
        what is in the context; if it is not there, say so. Never promise a date that the context does not contain. \
        Amounts are in USD, weights in metric tons, times in UTC.";
    let context = "Context: the vessel Meridian has berth 7 until 18:00. Her load line leaves room for 412 tons. \
        Order 88-1204 books 150 tons of coal at 61.50 a ton, order 88-1207 books 275 tons of grain at 48.20 a ton. \
        Both orders are confirmed, neither is on board. The customer of 88-1207 accepts a part shipment of at least \
        200 tons. The next vessel with room is the Halcyon in three days.";
    let question =
        "Question: can both orders be loaded today, and if not, what should we tell the two customers?";
    json!({"model": model, "temperature": 0.2, "max_tokens": 200, "messages": [
        {"role": "system", "content": system},
        {"role": "user", "content": format!("{context}\n\n{question}")},
    ]})
}

/// Says what is wrong with an answer that came in one piece.
pub(super) fn whole(reply: &Reply<'_>) -> Result<(), String> {
    if reply.status == 200 && reply.body.starts_with(br#"{"choices":[{"#) && reply.body.ends_with(b"}}") {
        return Ok(());
    }
    Err(format!("wrong answer {}: {}", reply.status, reply.text()))
}

/// Says what is wrong with an answer that was streamed.
pub(super) fn streamed(reply: &Reply<'_>) -> Result<(), String> {
    if reply.status == 200 && reply.body.ends_with(b"data: [DONE]\n\n") {
        return Ok(());
    }
    Err(format!("wrong stream {}: {}", reply.status, reply.text()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_has_about_one_kilobyte() {
        let length = question(MODEL).to_string().len();
        assert!((800..1_000).contains(&length), "{length}");
    }
}
