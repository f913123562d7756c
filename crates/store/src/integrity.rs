//! How is what was found of a limit or a Policy Rule a row?
//!
//! Both have a table of their own with the same columns behind the name of the thing.

use std::str::FromStr;

use model::id::TenantId;
use model::integrity::Integrity;
use model::permille::Permille;
use model::time::Timestamp;

use crate::error::{StoreError, StoreResult};
use crate::rows::{Table, at};

/// What was found of a limit or a rule, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The verdict.
    pub integrity: Integrity,
    /// When it was computed.
    pub at: Timestamp,
}

/// Status, score, root, first broken version, when it was computed.
pub(crate) type Columns = (String, i64, String, Option<i32>, i64);

/// What the columns of a row say.
pub(crate) fn found(table: Table, columns: Columns) -> StoreResult<Found> {
    let (status, score, root, first_broken, computed) = columns;
    let score = u16::try_from(score).ok().map(Permille::new);
    let first_broken = first_broken.map(|version| table.small("first_broken", version));
    Ok(Found {
        integrity: Integrity {
            status: table.parse("status", &status)?,
            score: score.ok_or(StoreError::Corrupt {
                table: table.0,
                column: "score",
            })?,
            hash_root: table.parse("hash_root", &root)?,
            first_broken: first_broken.transpose()?,
        },
        at: at(computed),
    })
}

/// Whose and which things the rows name. What is no name is of no limit and no rule, and left out.
pub(crate) fn names<T: FromStr>(rows: Vec<(String, String)>) -> Vec<(TenantId, T)> {
    rows.into_iter()
        .filter_map(|(tenant, name)| Some((tenant.parse().ok()?, name.parse().ok()?)))
        .collect()
}

/// The row of a table of integrity, `NewRow`, made of what was found: `integrity_row!(limit_integrity, limit_id)`.
macro_rules! integrity_row {
    ($table:ident, $name:ident) => {
        #[derive(Insertable, AsChangeset)]
        #[diesel(table_name = $table, primary_key(tenant_id, $name), treat_none_as_null = true)]
        struct NewRow {
            tenant_id: String,
            $name: String,
            status: &'static str,
            score: i64,
            hash_root: String,
            first_broken: Option<i32>,
            computed_at: i64,
        }

        impl NewRow {
            fn of(
                (owner, name): (model::id::TenantId, String),
                found: &model::integrity::Integrity,
                now: model::time::Timestamp,
            ) -> Self {
                Self {
                    tenant_id: owner.to_string(),
                    $name: name,
                    status: found.status.as_str(),
                    score: i64::from(found.score.thousandths()),
                    hash_root: found.hash_root.to_string(),
                    first_broken: found
                        .first_broken
                        .and_then(|version| i32::try_from(version).ok()),
                    computed_at: now.as_micros(),
                }
            }
        }
    };
}
pub(crate) use integrity_row;
