//! On which database is it measured?

use std::path::{Path, PathBuf};

use testkit::postgres::{Options, PrivatePostgres};

use crate::Outcome;
use crate::args::Args;

/// A database engine with the means to make a fresh database.
pub(crate) enum Engine {
    Sqlite(PathBuf),
    Postgres(PrivatePostgres),
}

impl Engine {
    /// The names of those that are asked for.
    pub(crate) fn wanted(args: &Args) -> Outcome<Vec<&'static str>> {
        let all = ["sqlite", "postgres"];
        match args.only.as_deref() {
            None => Ok(all.to_vec()),
            Some(only) => match all.iter().find(|name| **name == only) {
                Some(name) => Ok(vec![name]),
                None => Err(format!("--only {only}: there are sqlite and postgres").into()),
            },
        }
    }

    /// The engine of this name, durable as it is delivered. PostgreSQL runs until it is dropped.
    pub(crate) fn start(name: &str, dir: &Path) -> Outcome<Self> {
        Ok(match name {
            "postgres" => Self::Postgres(PrivatePostgres::own(&Options::durable())?),
            _ => Self::Sqlite(dir.to_owned()),
        })
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }

    /// The URL of an empty database of this name.
    pub(crate) fn fresh(&self, name: &str) -> Outcome<String> {
        match self {
            Self::Sqlite(dir) => {
                for ending in ["db", "db-wal", "db-shm"] {
                    drop(std::fs::remove_file(dir.join(format!("{name}.{ending}"))));
                }
                Ok(format!("sqlite:{}", dir.join(format!("{name}.db")).display()))
            }
            Self::Postgres(server) => {
                server.drop_database(name)?;
                server.create_database(name)?;
                Ok(server.socket_url(name))
            }
        }
    }

    pub(crate) fn remove(&self, name: &str) -> Outcome<()> {
        match self {
            Self::Sqlite(_) => self.fresh(name).map(drop),
            Self::Postgres(server) => Ok(server.drop_database(name)?),
        }
    }
}
