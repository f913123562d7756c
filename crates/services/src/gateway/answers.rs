//! What does an answer say, as far as evaluators look at it?

use model::run::Operation;
use serde_json::Value;

use super::texts::Said;

/// Everything that is said in a whole answer. What has the shape of no answer (an error, say) is looked at everywhere.
pub(super) fn of(operation: Operation, body: &[u8]) -> Said {
    let mut said = Said::default();
    let Ok(answer) = serde_json::from_slice::<Value>(body) else {
        said.text = String::from_utf8_lossy(body).into_owned();
        return said;
    };
    let part = |name: &str| answer.get(name).filter(|part| part.is_array());
    let parts = match operation {
        // Vectors and counts.
        Operation::Embeddings | Operation::CountTokens if answer.get("error").is_none() => return said,
        Operation::Embeddings | Operation::CountTokens => None,
        Operation::Chat | Operation::TextCompletion => part("choices"),
        Operation::Messages => part("content"),
        Operation::Responses => part("output"),
    };
    match (parts, operation) {
        (Some(Value::Array(choices)), Operation::Chat | Operation::TextCompletion) => {
            choices.iter().flat_map(of_choice).for_each(|part| said.add(part));
        }
        (Some(parts), _) => said.add(parts),
        (None, _) => said.add(&answer),
    }
    said
}

/// Where a choice says something.
pub(super) fn of_choice(choice: &Value) -> impl Iterator<Item = &Value> {
    ["message", "delta", "text"]
        .iter()
        .filter_map(|name| choice.get(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(operation: Operation, answer: &Value) -> String {
        of(operation, answer.to_string().as_bytes()).text
    }

    #[test]
    fn everything_that_an_answer_says_is_looked_at_in_every_dialect() {
        let call = json!({ "id": "call_1", "type": "function", "function": { "name": "pay", "arguments": "{\"to\":1}" } });
        let chat = json!({ "id": "x", "model": "m", "choices": [
            { "index": 0, "message": { "role": "assistant", "content": "one", "refusal": null }, "logprobs": { "content": [{ "token": "one" }] } },
            { "index": 1, "message": { "role": "assistant", "content": null, "refusal": "no", "reasoning_content": "hm", "tool_calls": [call] } },
        ] });
        assert_eq!(
            said(Operation::Chat, &chat),
            "one\n\nhm\n\nno\n\n{\"to\":1}\n\npay"
        );
        let prompt = json!({ "choices": [{ "text": "a" }, { "text": "b" }] });
        assert_eq!(said(Operation::TextCompletion, &prompt), "a\n\nb");
        let messages = json!({ "id": "msg_1", "role": "assistant", "content": [
            { "type": "thinking", "thinking": "hm", "signature": "c2lnbmF0dXJl" }, { "type": "text", "text": "yes" },
            { "type": "tool_use", "id": "toolu_1", "name": "pay", "input": { "card": "4111", "id": 7 } },
        ] });
        assert_eq!(
            said(Operation::Messages, &messages),
            "hm\n\nyes\n\ncard\n\n4111\n\nid\n\n7\n\npay"
        );
        let responses = json!({ "instructions": "be brief", "output": [
            { "type": "reasoning", "id": "rs_1", "encrypted_content": "x", "summary": [{ "type": "summary_text", "text": "hm" }] },
            { "type": "message", "content": [{ "type": "output_text", "text": "yes", "annotations": [] }, { "type": "refusal", "refusal": "no" }] },
            { "type": "function_call", "call_id": "c", "name": "pay", "arguments": "{}" },
            { "type": "image_generation_call", "result": "iVBORw0KGgo" },
        ] });
        assert_eq!(
            said(Operation::Responses, &responses),
            "hm\n\nyes\n\nno\n\n{}\n\npay"
        );
    }

    #[test]
    fn what_has_another_shape_is_looked_at_everywhere_and_numbers_are_no_texts() {
        let error = json!({ "error": { "message": "bad", "code": "x" } });
        for operation in [
            Operation::Chat,
            Operation::Messages,
            Operation::Responses,
            Operation::Embeddings,
        ] {
            assert_eq!(said(operation, &error), "x\n\nbad");
        }
        assert_eq!(of(Operation::Chat, b"no JSON \xff").text, "no JSON \u{fffd}");
        let vectors = json!({ "data": [{ "embedding": [0.1], "object": "embedding" }] });
        assert_eq!(said(Operation::Embeddings, &vectors), "");
        assert_eq!(said(Operation::CountTokens, &json!({ "input_tokens": 3 })), "");
    }
}
