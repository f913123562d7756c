//! What do the errors of the incident control plane look like in the document?

use utoipa::openapi::path::Operation;
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr};

/// What the operations of the incident control plane are listed under.
const TAG: &str = "Incident control plane";

/// Gives every refusal of the incident control plane its body.
pub(super) struct Control;

impl utoipa::Modify for Control {
    fn modify(&self, document: &mut OpenApi) {
        for item in document.paths.paths.values_mut() {
            let operations = [&mut item.get, &mut item.post, &mut item.patch];
            for operation in operations.into_iter().flatten().filter(|of| is_control(of)) {
                refusals(operation);
            }
        }
    }
}

fn is_control(operation: &Operation) -> bool {
    operation.tags.iter().flatten().any(|tag| tag == TAG)
}

fn refusals(operation: &mut Operation) {
    let all = operation.responses.responses.iter_mut();
    for (_, response) in all.filter(|(status, _)| status.starts_with(['4', '5'])) {
        if let RefOr::T(response) = response {
            let body = Ref::from_schema_name("ControlErrorView");
            let content = ContentBuilder::new().schema(Some(body)).build();
            response
                .content
                .insert("application/json".to_owned(), content.into());
        }
    }
}
