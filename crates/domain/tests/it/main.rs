//! What do the engines decide, word for word?

mod attribution;
mod estimate;
mod incident_forged;
mod incident_history;
mod incident_machine;
mod incident_replay;
mod incidents;
mod limits;
mod pipeline;
mod policy;
mod policy_condition;
mod policy_docs;
mod settle;

/// Compares what an engine decides with its golden snapshot. A changed one is another version of the engine, which
/// `cargo xtask check-determinism` demands.
fn golden(engine: &str, name: &str, decided: &[String]) {
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path(format!("golden/{engine}"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, decided.join("\n")));
}
