//! What the tenant has made.

use super::World;

impl World {
    /// An agent of the tenant.
    pub(crate) async fn agent(&self, id: &str) {
        let made = services::tenants::create_agent(&self.cx, self.tenant, id.parse().unwrap(), None, None);
        made.await.unwrap();
    }
}
