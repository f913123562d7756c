//! What does a drafted rule ask of a request?

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use model::incident::RequestTraits;

use crate::policy::condition::compile;
use crate::policy::context::{LIST_MAX, TEXT_MAX};

/// How many of its tools a condition names that cannot name all: as many as it has room for.
const FEWER: [usize; 8] = [48, 32, 24, 16, 8, 4, 2, 1];

/// Which requests are like one that failed, and the condition that says so.
#[derive(Debug)]
pub(super) struct Demand<'a> {
    pub(super) request: &'a RequestTraits,
    pub(super) condition: String,
    tools: Tools,
}

/// What is asked of the tools.
#[derive(Debug, Clone, Copy)]
enum Tools {
    /// They are the same.
    Same,
    /// They are as many, and the first ones are among them.
    First(usize),
    /// Nothing: a list that is longer than conditions look at, or that has a longer name, cannot be asked about.
    Any,
}

impl<'a> Demand<'a> {
    /// The closest one that can be said in a condition.
    pub(super) fn of(request: &'a RequestTraits) -> Self {
        let demand = |tools| Self {
            request,
            condition: condition(request, tools),
            tools,
        };
        let is_long = |tool: &String| tool.len() > TEXT_MAX;
        if request.tools.len() > LIST_MAX || request.tools.iter().any(is_long) {
            return demand(Tools::Any);
        }
        let fewer = FEWER.into_iter().filter(|named| *named < request.tools.len());
        let closest = [Tools::Same]
            .into_iter()
            .chain(fewer.map(Tools::First))
            .map(demand)
            .find(|demand| compile(&demand.condition).is_ok());
        closest.unwrap_or_else(|| demand(Tools::First(0)))
    }

    /// Whether a request is like it.
    pub(super) fn meets(&self, request: &RequestTraits) -> bool {
        let RequestTraits {
            provider,
            model,
            agent,
            feature,
            tools,
            input_fingerprint,
        } = self.request;
        let of_tools = match self.tools {
            Tools::Same => *tools == request.tools,
            Tools::First(named) => {
                let mut first = tools.iter().take(named);
                tools.len() == request.tools.len() && first.all(|tool| request.tools.contains(tool))
            }
            Tools::Any => true,
        };
        of_tools
            && *provider == request.provider
            && *model == request.model
            && *agent == request.agent
            && *feature == request.feature
            && (input_fingerprint.is_none() || *input_fingerprint == request.input_fingerprint)
    }
}

fn condition(request: &RequestTraits, of_tools: Tools) -> String {
    let mut parts = Vec::new();
    let named = [
        ("run.provider", &request.provider),
        ("run.model", &request.model),
        ("run.agent", &request.agent),
        ("run.feature", &request.feature),
    ];
    for (name, value) in named {
        parts.push(match value {
            Some(value) => format!("{name} == {}", quoted(value)),
            None => format!("!has({name})"),
        });
    }
    match of_tools {
        Tools::Same => {
            let tools: Vec<_> = request.tools.iter().map(|tool| quoted(tool)).collect();
            parts.push(format!("tools == [{}]", tools.join(", ")));
        }
        Tools::First(named) => {
            parts.push(format!("size(tools) == {}", request.tools.len()));
            let first = request.tools.iter().take(named);
            parts.extend(first.map(|tool| format!("{} in tools", quoted(tool))));
        }
        Tools::Any => {}
    }
    if let Some(fingerprint) = &request.input_fingerprint {
        parts.push(format!("input.fingerprint == {}", quoted(fingerprint)));
    }
    parts.join(" && ")
}

/// A text as CEL writes it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if character.is_control() => quoted.push_str(&escaped(character)),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

fn escaped(character: char) -> String {
    format!("\\u{:04x}", u32::from(character))
}
