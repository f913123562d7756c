//! What does every service need?

use std::sync::Arc;

use infra::secrets::KeyEnvironment;
use model::id::IdGenerator;
use model::time::Clock;
use store::Db;
use tokio::sync::OnceCell;

use crate::auth::KeyCache;
use crate::gateway::Gateway;
use crate::governing::RulesCache;
use crate::identity::{Identity, IdentitySettings};
use crate::journal::Journal;
use crate::ledger::Ledger;
use crate::post::Post;
use crate::prices::PriceBook;
use crate::seats::Seats;

/// How many histories of a tenant are gone through at once, in this process.
const HISTORIES: usize = 2;
/// How many of a tenant listen to what happens at once, in this process.
pub(crate) const STREAMS_MAX: usize = 10;
/// How many of all tenants do, if nothing else is configured.
const STREAMS_TOTAL: usize = 1_000;
/// After how many days a closed Incident is archived, if nothing else is configured.
const ARCHIVE_AFTER_DAYS: i64 = 90;

/// The one thing that is handed to every service. Made once, by the binary.
#[derive(Clone)]
pub struct Context {
    /// The database.
    pub db: Db,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn IdGenerator>,
    /// The hold ledger.
    pub ledger: Ledger,
    /// What models cost.
    pub prices: Arc<PriceBook>,
    /// Which keys open this installation: those of the other environment are no keys here.
    pub environment: KeyEnvironment,
    /// Who holds which key, for a moment.
    pub keys: Arc<KeyCache>,
    /// Who signs requests, for a moment.
    pub identity: Arc<Identity>,
    /// Which Policy Rules apply, as they were read last.
    pub(crate) rules: Arc<RulesCache>,
    /// The way to the providers.
    pub gateway: Arc<Gateway>,
    /// What happened on the side and waits to be written down.
    pub journal: Arc<Journal>,
    /// The way to those who are sent messages.
    pub post: Arc<Post>,
    /// Who goes through a history now.
    pub(crate) histories: Arc<Seats>,
    /// Who listens to what happens.
    pub(crate) streams: Arc<Seats>,
    /// After how many days a closed Incident is archived.
    pub(crate) archive_after_days: i64,
    /// What cursors are signed with, once it has been read.
    pub(crate) cursor_key: Arc<OnceCell<String>>,
    /// What the inputs of requests are hashed with, once it has been read.
    pub(crate) input_key: Arc<OnceCell<String>>,
}

impl Context {
    /// A context on this database, for `live` keys.
    pub fn new(
        db: Db,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGenerator>,
        prices: Arc<PriceBook>,
        gateway: Arc<Gateway>,
    ) -> Self {
        let ledger = {
            let room = gateway.settings.room;
            Ledger::with_room(db.clone(), Arc::clone(&clock), Arc::clone(&ids), room)
        };
        Self {
            db,
            clock,
            ids,
            ledger,
            prices,
            environment: KeyEnvironment::Live,
            keys: Arc::default(),
            identity: Arc::new(Identity::new(IdentitySettings::default())),
            rules: Arc::default(),
            gateway,
            journal: Arc::default(),
            post: Arc::default(),
            histories: Arc::new(Seats::new(HISTORIES, usize::MAX)),
            streams: Arc::new(Seats::new(STREAMS_MAX, STREAMS_TOTAL)),
            archive_after_days: ARCHIVE_AFTER_DAYS,
            cursor_key: Arc::default(),
            input_key: Arc::default(),
        }
    }

    /// Whether `live` keys open this installation, and not `test` keys.
    pub fn takes_live_keys(&self) -> bool {
        self.environment == KeyEnvironment::Live
    }

    /// The same for keys of this environment.
    #[must_use]
    pub fn with_environment(self, environment: KeyEnvironment) -> Self {
        Self { environment, ..self }
    }

    /// The same with this way to those who are sent messages.
    #[must_use]
    pub fn with_post(self, post: Post) -> Self {
        Self {
            post: Arc::new(post),
            ..self
        }
    }

    /// The same where closed Incidents are archived after so many days.
    #[must_use]
    pub fn with_archive_after_days(self, archive_after_days: i64) -> Self {
        Self {
            archive_after_days,
            ..self
        }
    }

    /// The same where so many of all tenants may listen to what happens at once.
    #[must_use]
    pub fn with_streams(self, total: usize) -> Self {
        Self {
            streams: Arc::new(Seats::new(STREAMS_MAX, total)),
            ..self
        }
    }

    /// The same for requests that are signed like this.
    #[must_use]
    pub fn with_identity(self, settings: IdentitySettings) -> Self {
        Self {
            identity: Arc::new(Identity::new(settings)),
            ..self
        }
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("db", &self.db)
            .finish_non_exhaustive()
    }
}
