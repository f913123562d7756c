//! How does everybody learn that it is time to finish?

use std::sync::Arc;

use tokio::sync::watch;

/// A signal that is given once and stays given. Clones share it.
#[derive(Debug, Clone)]
pub struct Shutdown(Arc<watch::Sender<bool>>);

impl Shutdown {
    /// A signal that nobody has given yet.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Gives the signal; giving it again changes nothing.
    pub fn trigger(&self) {
        self.0.send_replace(true);
    }

    /// Whether the signal was given.
    pub fn is_triggered(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the signal is given; returns at once if it was given before.
    pub async fn triggered(&self) {
        // It ends with an error only when the sender is gone, and `self` holds the sender.
        let _seen = self.0.subscribe().wait_for(|given| *given).await.is_ok();
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_who_waits_and_everybody_who_comes_later_learns_of_it() {
        let shutdown = Shutdown::new();
        assert!(!shutdown.is_triggered());
        let waiting = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.triggered().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        shutdown.clone().trigger();
        shutdown.trigger();
        waiting.await.unwrap();
        shutdown.triggered().await;
        assert!(shutdown.is_triggered());
    }
}
