//! How is everything called that the consoles show? The one place for it: consoles take their words from here.
//!
//! The words of the contract (`EXECUTION_FAILURE`) are for programs, these labels are for people. Some are frozen: an LLM
//! Run, a Policy Rule, a Limit and an Incident have no other names, and columns keep theirs.

mod words;

use serde::Serialize;
use utoipa::ToSchema;

use self::words::{
    category, cause_type, enforcement, enforcement_mode, integrity_status, lifecycle, limit_category,
    limit_scope, limit_status, limit_type, reset_period, rule_scope, rule_status, rule_type, run_state,
    run_status, severity,
};

/// Terms, tables, columns and words of the consoles.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LabelsView {
    /// What things are called.
    pub terms: Vec<TermView>,
    /// What the columns of tables are called, in their order.
    pub tables: Vec<TableView>,
}

/// What one kind of thing is called.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TermView {
    /// What programs call it.
    #[schema(example = "llm_run")]
    pub name: &'static str,
    /// One of them.
    #[schema(example = "LLM Run")]
    pub singular: &'static str,
    /// Several of them.
    #[schema(example = "LLM Runs")]
    pub plural: &'static str,
}

/// A table of things of one kind.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TableView {
    /// What programs call it.
    #[schema(example = "incidents")]
    pub name: &'static str,
    /// The name of the term for its rows.
    #[schema(example = "incident")]
    pub term: &'static str,
    /// Its columns, in order.
    pub columns: Vec<ColumnView>,
}

/// A column of a table.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ColumnView {
    /// The member of a row that it shows.
    #[schema(example = "lifecycle_state")]
    pub name: &'static str,
    /// What people read above it.
    #[schema(example = "Status")]
    pub label: &'static str,
    /// What people read in it, if it shows words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<WordView>,
}

/// A word of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct WordView {
    /// What programs read.
    #[schema(example = "ACKED")]
    pub word: &'static str,
    /// What people read.
    #[schema(example = "Acknowledged")]
    pub label: &'static str,
}

/// All labels there are.
pub fn labels() -> LabelsView {
    LabelsView {
        terms: vec![
            term("llm_run", "LLM Run", "LLM Runs"),
            term("policy_rule", "Policy Rule", "Policy Rules"),
            term("limit", "Limit", "Limits"),
            term("incident", "Incident", "Incidents"),
            term("proposal", "Proposal", "Proposals"),
            term("evidence", "Evidence", "Evidence"),
            term("proof", "Proof", "Proofs"),
        ],
        tables: vec![incidents(), policy_rules(), limits(), llm_runs()],
    }
}

const fn term(name: &'static str, singular: &'static str, plural: &'static str) -> TermView {
    TermView {
        name,
        singular,
        plural,
    }
}

const fn column(name: &'static str, label: &'static str) -> ColumnView {
    ColumnView {
        name,
        label,
        words: Vec::new(),
    }
}

const fn of_words(name: &'static str, label: &'static str, words: Vec<WordView>) -> ColumnView {
    ColumnView { name, label, words }
}

fn incidents() -> TableView {
    TableView {
        name: "incidents",
        term: "incident",
        columns: vec![
            column("incident_id", "Incident ID"),
            of_words("lifecycle_state", "Status", lifecycle()),
            of_words("severity", "Severity", severity()),
            of_words("category", "Category", category()),
            column("title", "Title"),
            column("llm_run_id", "LLM Run ID"),
            of_words("cause_type", "Cause", cause_type()),
            column("created_at", "Created"),
            column("resolved_at", "Resolved"),
        ],
    }
}

fn policy_rules() -> TableView {
    TableView {
        name: "policy_rules",
        term: "policy_rule",
        columns: vec![
            column("rule_id", "Policy Rule ID"),
            column("name", "Name"),
            column("description", "Description"),
            of_words("rule_type", "Type", rule_type()),
            of_words("scope", "Scope", rule_scope()),
            of_words("enforcement_mode", "Enforcement", enforcement_mode()),
            of_words("status", "Status", rule_status()),
            of_words("integrity_status", "Integrity", integrity_status()),
            column("integrity_score", "Integrity Score"),
            column("trigger_count_30d", "Triggers (30d)"),
            column("last_triggered_at", "Last Triggered"),
            column("created_at", "Created"),
        ],
    }
}

fn limits() -> TableView {
    TableView {
        name: "limits",
        term: "limit",
        columns: vec![
            column("limit_id", "Limit ID"),
            column("name", "Name"),
            of_words("limit_category", "Category", limit_category()),
            of_words("limit_type", "Type", limit_type()),
            of_words("scope", "Scope", limit_scope()),
            of_words("enforcement", "Enforcement", enforcement()),
            of_words("status", "Status", limit_status()),
            column("max_value", "Limit Value"),
            column("window_seconds", "Window"),
            of_words("reset_period", "Reset Period", reset_period()),
            of_words("integrity_status", "Integrity", integrity_status()),
            column("integrity_score", "Integrity Score"),
            column("breach_count_30d", "Breaches (30d)"),
            column("last_breached_at", "Last Breached"),
            column("created_at", "Created"),
        ],
    }
}

fn llm_runs() -> TableView {
    TableView {
        name: "llm_runs",
        term: "llm_run",
        columns: vec![
            column("run_id", "LLM Run ID"),
            of_words("status", "Status", run_status()),
            of_words("state", "State", run_state()),
            column("provider", "Provider"),
            column("model", "Model"),
            column("served_model", "Served Model"),
            column("project_id", "Project"),
            column("agent_id", "Agent"),
            column("feature", "Feature"),
            column("cost_usd", "Cost"),
            column("error_code", "Failure Code"),
            column("retries", "Retries"),
            column("started_at", "Started"),
            column("completed_at", "Completed"),
            column("duration_ms", "Duration"),
        ],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_labels_of_the_contract_are_kept() {
        let tables = labels().tables;
        let label = |table: &str, name: &str| {
            let table = tables.iter().find(|known| known.name == table).unwrap();
            let column = table.columns.iter().find(|column| column.name == name);
            column.unwrap().label
        };
        for (table, name, frozen) in [
            ("limits", "max_value", "Limit Value"),
            ("limits", "integrity_status", "Integrity"),
            ("limits", "integrity_score", "Integrity Score"),
            ("limits", "breach_count_30d", "Breaches (30d)"),
            ("limits", "limit_category", "Category"),
            ("policy_rules", "trigger_count_30d", "Triggers (30d)"),
            ("policy_rules", "enforcement_mode", "Enforcement"),
            ("policy_rules", "integrity_status", "Integrity"),
            ("incidents", "lifecycle_state", "Status"),
        ] {
            assert_eq!(label(table, name), frozen, "{table}.{name}");
        }
    }

    #[test]
    fn every_name_stands_once_and_every_table_has_a_term() {
        let labels = labels();
        let terms: BTreeSet<_> = labels.terms.iter().map(|term| term.name).collect();
        assert_eq!(terms.len(), labels.terms.len());
        for table in &labels.tables {
            assert!(terms.contains(table.term), "{}", table.name);
            let names: BTreeSet<_> = table.columns.iter().map(|column| column.name).collect();
            assert_eq!(names.len(), table.columns.len(), "{}", table.name);
            for column in &table.columns {
                let words: BTreeSet<_> = column.words.iter().map(|word| word.word).collect();
                assert_eq!(words.len(), column.words.len(), "{}", column.name);
                // Nobody could tell them apart.
                let said: BTreeSet<_> = column.words.iter().map(|word| word.label).collect();
                assert_eq!(said.len(), column.words.len(), "{}", column.name);
            }
        }
    }
}
