//! How does a test hold up a batch while more commands queue behind it?

use std::sync::{Arc, Mutex, mpsc};

use store::{BatchHandler, LockTx, StoreResult};

/// The handler's end: it reports each batch and waits until it may go on.
struct Held {
    entered: mpsc::Sender<Vec<u128>>,
    go: Mutex<mpsc::Receiver<()>>,
}

/// The test's end.
pub(crate) struct Gate {
    entered: mpsc::Receiver<Vec<u128>>,
    go: mpsc::Sender<()>,
}

impl Gate {
    /// A gate and the handler that stops at it before it does its work, every time that it is called.
    pub(crate) fn before<R: 'static>(
        work: impl Fn(&mut LockTx<'_>, &[u128]) -> StoreResult<Vec<R>> + Send + Sync + 'static,
    ) -> (Self, BatchHandler<u128, R>) {
        let (entered, arrivals) = mpsc::channel();
        let (go, released) = mpsc::channel();
        let held = Held {
            entered,
            go: Mutex::new(released),
        };
        let handler = move |tx: &mut LockTx<'_>, commands: &[u128]| {
            // Once the test has gone, nobody is held up any more.
            let _gone = held.entered.send(commands.to_vec());
            let _open = held.go.lock().unwrap().recv();
            work(tx, commands)
        };
        let gate = Self {
            entered: arrivals,
            go,
        };
        (gate, Arc::new(handler))
    }

    /// Waits until a batch stands at the gate, and says which.
    pub(crate) fn arrival(&self) -> Vec<u128> {
        let limit = std::time::Duration::from_secs(20);
        self.entered.recv_timeout(limit).expect("no batch came")
    }

    /// Lets the batch at the gate pass.
    pub(crate) fn pass(&self) {
        self.go.send(()).unwrap();
    }

    /// Lets everything pass from now on and returns the batches that had not been looked at.
    pub(crate) fn open(self) -> mpsc::Receiver<Vec<u128>> {
        self.entered
    }
}
