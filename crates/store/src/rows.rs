//! How are stored texts turned back into words of the model?

pub(crate) mod paging;

use std::str::FromStr;

use model::time::Timestamp;

use crate::error::{StoreError, StoreResult};

/// Where a value comes from, for the error that names it.
#[derive(Clone, Copy)]
pub(crate) struct Table(pub(crate) &'static str);

impl Table {
    pub(crate) fn parse<T: FromStr>(self, column: &'static str, text: &str) -> StoreResult<T> {
        text.parse().ok().ok_or(StoreError::Corrupt {
            table: self.0,
            column,
        })
    }

    pub(crate) fn parse_opt<T: FromStr>(
        self,
        column: &'static str,
        text: Option<&str>,
    ) -> StoreResult<Option<T>> {
        text.map(|text| self.parse(column, text)).transpose()
    }

    pub(crate) fn json<T: serde::de::DeserializeOwned>(
        self,
        column: &'static str,
        text: &str,
    ) -> StoreResult<T> {
        serde_json::from_str(text).ok().ok_or(StoreError::Corrupt {
            table: self.0,
            column,
        })
    }

    pub(crate) fn small<T: TryFrom<i32>>(self, column: &'static str, number: i32) -> StoreResult<T> {
        T::try_from(number).ok().ok_or(StoreError::Corrupt {
            table: self.0,
            column,
        })
    }
}

/// JSON text of a word of the model. These are plain structs, whose serialisation cannot fail.
pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

pub(crate) fn micros(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_micros)
}

pub(crate) fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}
