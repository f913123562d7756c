//! Which models can a client be told of?
//!
//! No provider is asked: a request to one exists under a hold only. A name comes from the price table, or from a list
//! of models in the configuration that has it in full.

use workers::upstream::{ModelGlob, Upstream};

use crate::context::Context;

/// What the price table knows and no route of ours can call, with the reason.
///
/// A name that the operator wrote is never left out: whoever runs a provider may call a model for chats as he likes.
const NOT_SERVED: [(&str, &str); 19] = [
    ("whisper*", SPEECH),
    ("*-whisper", SPEECH),
    ("*transcribe*", SPEECH),
    ("tts-*", SPEECH),
    ("*-tts", SPEECH),
    ("*orpheus*", SPEECH),
    ("*realtime*", "speaks over a WebSocket (/v1/realtime)"),
    ("moderation", MODERATION),
    ("omni-moderation*", MODERATION),
    ("text-moderation*", MODERATION),
    ("mistral-moderation*", MODERATION),
    ("dall-e*", PICTURES),
    ("gpt-image*", PICTURES),
    ("chatgpt-image*", PICTURES),
    ("sora*", PICTURES),
    ("mistral-ocr*", "reads documents (/v1/ocr)"),
    // `ft:gpt-3.5-turbo-` and its like price whatever begins so.
    ("*-", BEGINNING),
    ("ft:gpt-4o", BEGINNING),
    ("ft:gpt-4o-mini", BEGINNING),
];

const SPEECH: &str = "hears or speaks (/v1/audio)";
const MODERATION: &str = "judges texts (/v1/moderations)";
const PICTURES: &str = "makes pictures or films (/v1/images, /v1/videos)";
const BEGINNING: &str = "the beginning of names, and no name";

/// The models that can be called, by the provider's name, in the order of their names.
pub fn models(cx: &Context) -> Vec<(String, String)> {
    let not_served = NOT_SERVED.map(|(glob, _reason)| ModelGlob::new(glob));
    let mut all: Vec<(String, String)> = Vec::new();
    for upstream in cx.gateway.upstreams.upstreams() {
        let priced = cx.prices.models(upstream.provider());
        let served = priced
            .into_iter()
            .filter(|name| routed(upstream, name) && !not_served.iter().any(|glob| glob.matches(name)));
        let written = upstream.models().iter().filter_map(ModelGlob::plain_name);
        let named = served.chain(written.map(str::to_owned));
        all.extend(named.map(|name| (name, upstream.provider().to_owned())));
    }
    all.sort_unstable();
    all.dedup_by(|a, b| a.0 == b.0);
    all
}

/// Whether its list has room for the name: an empty list has for every one.
fn routed(upstream: &Upstream, name: &str) -> bool {
    let listed = upstream.models();
    listed.is_empty() || listed.iter().any(|glob| glob.matches(name))
}
