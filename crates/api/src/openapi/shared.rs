//! What do all operations have in common?
//!
//! Every operation of a kind is refused alike, and every SDK route says the same in its headers. It is written here
//! once instead of at each handler.

use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{AdditionalProperties, Object, ObjectBuilder, Type};
use utoipa::openapi::{
    Components, ContentBuilder, HeaderBuilder, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder,
    Schema,
};

use super::problems;

const PROBLEM: &str = "application/problem+json";

/// Problems of our own API: status, name, and whom it happens to. Which operation has which of them, and in which words,
/// is in `problems`.
const PROBLEMS: [(&str, &str, &str); 11] = [
    (
        "400",
        "BadRequest",
        "The request could not be read, or a parameter or header is wrong",
    ),
    (
        "401",
        "Unauthorized",
        "There is no credential, or none that works here",
    ),
    (
        "403",
        "Forbidden",
        "The credential lacks the scope, it or its tenant is frozen, or this is not the caller's to do",
    ),
    ("404", "NotFound", "It does not exist, or is another tenant's"),
    ("408", "RequestTimeout", "The body came too slowly"),
    (
        "409",
        "Conflict",
        "What is there stands against it, or the first request with the Idempotency-Key is not answered yet",
    ),
    ("413", "PayloadTooLarge", "The body is larger than it may be"),
    (
        "415",
        "UnsupportedMediaType",
        "The body is not plain JSON in UTF-8",
    ),
    (
        "422",
        "Unprocessable",
        "A field of the body is wrong (`errors[]` says which), or the Idempotency-Key was used for another request",
    ),
    (
        "429",
        "TooManyRequests",
        "Too much of it is going on; wait as long as `Retry-After` says",
    ),
    (
        "503",
        "Unavailable",
        "Nothing was done, or its outcome is not known; wait as long as `Retry-After` says",
    ),
];

/// What an SDK route answers in the shape of its provider's errors.
const SDK_ERRORS: [(&str, &str); 9] = [
    ("400", "The request could not be read, or a header is wrong"),
    ("401", "There is no API key, or none that works"),
    (
        "403",
        "The key or its tenant is frozen, the key lacks the scope LLM, or the LLM Run is larger than a Limit allows a single one to be",
    ),
    ("404", "No configured provider serves the model"),
    (
        "422",
        "A field is wrong, or no price is known and a Limit counts money",
    ),
    (
        "429",
        "A Limit has no room: a rate (wait as long as `Retry-After` says) or a budget (`x-should-retry: false`)",
    ),
    (
        "502",
        "The provider failed, cannot be reached, or rejects the configured key",
    ),
    ("503", "Limits cannot be checked, so nothing is let through"),
    ("504", "The provider did not answer in time"),
];

/// What `/v1/models` can answer of them.
const WITHOUT_A_RUN: [&str; 4] = ["400", "401", "403", "503"];

const RUN_HEADERS: [(&str, &str); 2] = [
    ("x-plimsoll-run-id", "The LLM Run"),
    ("x-plimsoll-decision-id", "The decision about it"),
];

const COST_HEADER: [(&str, &str); 1] = [(
    "x-plimsoll-cost-usd",
    "What it cost, if that is known when the answer begins: not of a stream",
)];

const LIMIT_HEADERS: [(&str, &str); 4] = [
    (
        "RateLimit-Policy",
        "The Limits with the least room: maximum, unit and window (IETF draft)",
    ),
    (
        "RateLimit",
        "What is left of them, in the same unit, and in how many seconds all of it can be used again",
    ),
    (
        "x-ratelimit-remaining-requests",
        "One of six, with `limit`, `remaining`, `reset` and `requests`, `tokens`; on Anthropic's routes in Anthropic's names. Never money",
    ),
    (
        "x-plimsoll-limit-warnings",
        "The Limits that are passed and let pass, or nearly used up, or cannot count what nobody knows the cost of, each with its message code: `\"LIM-…\";code=LIMIT_APPROACHING` (RFC 9651)",
    ),
];

const REFUSAL_HEADERS: [(&str, &str); 2] = [
    ("Retry-After", "Seconds until the request fits, if waiting helps"),
    ("x-should-retry", "`false` if waiting a little does not help"),
];

/// Whom an LLM Run is attributed to, and what its caller says of it.
const ATTRIBUTION: [(&str, &str); 7] = [
    ("x-plimsoll-project", "The project that pays"),
    ("x-plimsoll-agent", "The agent that works"),
    ("x-plimsoll-feature", "The feature of the product"),
    ("x-plimsoll-session-id", "The conversation"),
    ("x-plimsoll-end-user", "The customer's own user"),
    (
        "x-plimsoll-unknown-fields",
        "Fields that the model is told nothing about, with commas between them",
    ),
    (
        "x-plimsoll-parent-run-id",
        "The LLM Run that this one is another attempt of",
    ),
];

const IDEMPOTENCY_KEY: &str = "1 to 255 visible ASCII characters. The same request with the same key is done once \
    and answered alike for ever, with `Idempotency-Replayed: true`";

/// Adds to every operation what its kind has in common.
pub(super) struct Shared;

impl utoipa::Modify for Shared {
    fn modify(&self, document: &mut OpenApi) {
        add(document.components.get_or_insert_with(Default::default));
        for (path, item) in &mut document.paths.paths {
            let operations = [
                ("GET", &mut item.get),
                ("PUT", &mut item.put),
                ("POST", &mut item.post),
                ("DELETE", &mut item.delete),
            ];
            for (method, operation) in operations {
                let Some(operation) = operation else { continue };
                if path.starts_with("/v1/") {
                    sdk(path, operation);
                } else if path.starts_with("/api/") {
                    native(method, path, operation);
                }
            }
        }
        problems::of_all(document);
    }
}

fn add(components: &mut Components) {
    for (_, name, about) in PROBLEMS {
        let content = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name("Problem")))
            .build();
        let response = ResponseBuilder::new()
            .description(about)
            .content(PROBLEM, content);
        components
            .responses
            .insert(name.to_owned(), response.build().into());
    }
    for (shape, schema) in [("OpenAi", openai_error()), ("Anthropic", anthropic_error())] {
        let error = format!("{shape}Error");
        components.schemas.insert(error.clone(), schema.into());
        for (status, about) in SDK_ERRORS {
            let content = ContentBuilder::new()
                .schema(Some(Ref::from_schema_name(&error)))
                .build();
            let mut response = ResponseBuilder::new()
                .description(about)
                .content("application/json", content)
                .build();
            if status == "429" {
                headers(&mut response, &RUN_HEADERS);
                headers(&mut response, &LIMIT_HEADERS);
                headers(&mut response, &REFUSAL_HEADERS);
            }
            components
                .responses
                .insert(format!("{shape}{status}"), response.into());
        }
    }
}

/// `{"error":{message,type,param,code}}`.
fn openai_error() -> Schema {
    let error = ["message", "type", "param", "code"]
        .into_iter()
        .fold(ObjectBuilder::new(), |object, name| {
            object.property(name, text()).required(name)
        });
    ObjectBuilder::new()
        .property("error", error)
        .required("error")
        .build()
        .into()
}

/// `{"type":"error","error":{type,message},"request_id"}`.
fn anthropic_error() -> Schema {
    let error = ["type", "message"]
        .into_iter()
        .fold(ObjectBuilder::new(), |object, name| {
            object.property(name, text()).required(name)
        });
    let object = ObjectBuilder::new().property("type", text()).required("type");
    let object = object.property("error", error).required("error");
    object
        .property("request_id", text())
        .required("request_id")
        .build()
        .into()
}

fn native(method: &str, path: &str, operation: &mut Operation) {
    for response in operation.responses.responses.values_mut() {
        let RefOr::T(response) = response else { continue };
        let problem = Ref::from_schema_name("Problem");
        for content in response.content.values_mut() {
            let RefOr::T(content) = content else { continue };
            let of = content.schema.as_ref();
            if matches!(of, Some(RefOr::Ref(schema)) if schema.ref_location == problem.ref_location) {
                let content = content.clone();
                response.content = [(PROBLEM.to_owned(), RefOr::T(content))].into_iter().collect();
                break;
            }
        }
    }
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && parameter.name == "Idempotency-Key"
        {
            parameter
                .description
                .get_or_insert_with(|| IDEMPOTENCY_KEY.to_owned());
        }
    }
    let listed = problems::of_operation(method, path, operation);
    for (status, name, _) in PROBLEMS {
        let fits = match status {
            "400" | "401" | "403" | "503" => true,
            "404" => path.contains('{'),
            _ => listed.contains(&status),
        };
        if fits {
            refused(operation, status, name);
        }
    }
}

fn sdk(path: &str, operation: &mut Operation) {
    let messages = path.starts_with("/v1/messages");
    let shape = if messages { "Anthropic" } else { "OpenAi" };
    let run = path != "/v1/models";
    for (status, _) in SDK_ERRORS {
        if run || WITHOUT_A_RUN.contains(&status) {
            refused(operation, status, &format!("{shape}{status}"));
        }
    }
    if !run {
        return;
    }
    let provider = if messages { "Anthropic" } else { "OpenAI" };
    let about = format!(
        "The body that {provider}'s API takes at this path, unchanged. Read of it are `model` and what bounds the cost"
    );
    let body = ObjectBuilder::new().property("model", text()).required("model");
    let body = body
        .additional_properties(Some(AdditionalProperties::FreeForm(true)))
        .build();
    let content = ContentBuilder::new().schema(Some(body)).build();
    let body = RequestBodyBuilder::new()
        .description(Some(about))
        .content("application/json", content);
    operation.request_body = Some(body.required(Some(Required::True)).build().into());
    let parameters = operation.parameters.get_or_insert_with(Vec::new);
    parameters.extend(ATTRIBUTION.map(|(name, about)| header(name, about).into()));
    if let Some(RefOr::T(answer)) = operation.responses.responses.get_mut("200") {
        headers(answer, &RUN_HEADERS);
        headers(answer, &COST_HEADER);
        headers(answer, &LIMIT_HEADERS);
    }
}

/// What the operation says of a status itself wins.
fn refused(operation: &mut Operation, status: &str, name: &str) {
    let known = operation.responses.responses.entry(status.to_owned());
    known.or_insert_with(|| Ref::from_response_name(name).into());
}

fn header(name: &str, about: &str) -> Parameter {
    let parameter = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header);
    let parameter = parameter.required(Required::False).description(Some(about));
    parameter.schema(Some(text())).build()
}

fn headers(response: &mut Response, list: &[(&str, &str)]) {
    for (name, about) in list {
        let header = HeaderBuilder::new()
            .schema(Some(text()))
            .description(Some(*about));
        response.headers.insert((*name).to_owned(), header.build().into());
    }
}

fn text() -> Object {
    Object::with_type(Type::String)
}
