//! What do handlers share?

use std::sync::Arc;

use services::Context;

use crate::middleware::claims::Claims;
use crate::server::Settings;

/// The state of the server; a clone shares it.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) cx: Context,
    pub(crate) settings: Arc<Settings>,
    pub(crate) claims: Claims,
}
