//! What the tenant has made.

use super::World;

impl World {
    /// A project of the tenant.
    pub(crate) async fn project(&self, id: &str) {
        let made = services::tenants::create_project(&self.cx, self.tenant, id.parse().unwrap(), None);
        made.await.unwrap();
    }

    /// An agent of the tenant.
    pub(crate) async fn agent(&self, id: &str) {
        let made = services::tenants::create_agent(&self.cx, self.tenant, id.parse().unwrap(), None, None);
        made.await.unwrap();
    }
}
