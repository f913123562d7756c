//! What may a test wait for?

use std::time::Duration;

use model::id::RunId;

use super::World;

impl World {
    /// Waits until something is held.
    pub(crate) async fn until_held(&self) {
        for _ in 0..4_000 {
            if self.open_holds().await > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("nothing is held");
    }

    /// Waits until the run has ended.
    pub(crate) async fn run_ended(&self, id: RunId) {
        for _ in 0..2_000 {
            if self.run(id).await.completed_at.is_some() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{id} is still running after twenty seconds");
    }
}
