//! How does the thread of the database tell many that wait what became of their commands?
//!
//! To wake a task of another thread takes a call of the system, and most who wait do so on the few threads of the
//! server. So each of these is called once, and wakes those on it by itself.

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::error::StoreResult;

/// Somebody who waits for an answer.
pub(super) struct Reply<R> {
    sender: oneshot::Sender<StoreResult<R>>,
    /// Where; none outside of a runtime.
    runtime: Option<Handle>,
}

impl<R> Reply<R> {
    /// Somebody who waits on the runtime that is current here.
    pub(super) fn here(sender: oneshot::Sender<StoreResult<R>>) -> Self {
        Self {
            sender,
            runtime: Handle::try_current().ok(),
        }
    }
}

/// The answers for those who wait on one runtime.
struct Group<R> {
    runtime: Handle,
    answers: Vec<(oneshot::Sender<StoreResult<R>>, StoreResult<R>)>,
}

/// Gives each its answer. Whoever has gone gets none.
pub(super) fn send_all<R: Send + 'static>(answers: impl Iterator<Item = (Reply<R>, StoreResult<R>)>) {
    // A handful at most: one for each thread of the server.
    let mut groups: Vec<Group<R>> = Vec::new();
    for (reply, answer) in answers {
        let Some(runtime) = reply.runtime else {
            let _gone = reply.sender.send(answer);
            continue;
        };
        let known = groups.iter_mut().find(|group| group.runtime.id() == runtime.id());
        match known {
            Some(group) => group.answers.push((reply.sender, answer)),
            None => groups.push(Group {
                runtime,
                answers: vec![(reply.sender, answer)],
            }),
        }
    }
    for Group { runtime, answers } in groups {
        let give = |answers: Vec<_>| {
            for (sender, answer) in answers {
                let _gone = oneshot::Sender::send(sender, answer);
            }
        };
        if answers.len() == 1 {
            give(answers);
        } else {
            runtime.spawn(async move { give(answers) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::StoreError;

    fn waiting(count: usize) -> (Vec<Reply<usize>>, Vec<oneshot::Receiver<StoreResult<usize>>>) {
        let channels = (0..count).map(|_| oneshot::channel());
        channels
            .map(|(sender, receiver)| (Reply::here(sender), receiver))
            .unzip()
    }

    fn numbered(replies: Vec<Reply<usize>>) -> impl Iterator<Item = (Reply<usize>, StoreResult<usize>)> {
        replies.into_iter().enumerate().map(|(n, reply)| (reply, Ok(n)))
    }

    #[tokio::test]
    async fn everybody_on_a_runtime_gets_their_own_answer() {
        for count in [1, 2, 40] {
            let (replies, receivers) = waiting(count);
            send_all(numbered(replies));
            for (n, receiver) in receivers.into_iter().enumerate() {
                assert_eq!(receiver.await.unwrap().unwrap(), n);
            }
        }
    }

    #[test]
    fn whoever_waits_on_another_runtime_or_on_none_is_answered_too() {
        let others: Vec<_> = (0..3).map(|_| tokio::runtime::Runtime::new().unwrap()).collect();
        let (mut replies, mut receivers) = waiting(2);
        for runtime in others.iter().chain(&others) {
            let _entered = runtime.enter();
            let (more, receiver) = waiting(1);
            replies.extend(more);
            receivers.extend(receiver);
        }
        let error = || StoreError::Overloaded;
        send_all(replies.into_iter().map(|reply| (reply, Err(error()))));
        for receiver in receivers {
            assert!(matches!(
                receiver.blocking_recv().unwrap(),
                Err(StoreError::Overloaded)
            ));
        }
    }

    #[tokio::test]
    async fn one_that_has_gone_keeps_nobody_from_their_answer() {
        let (replies, mut receivers) = waiting(3);
        drop(receivers.remove(1));
        send_all(numbered(replies));
        assert_eq!(receivers.pop().unwrap().await.unwrap().unwrap(), 2);
        assert_eq!(receivers.pop().unwrap().await.unwrap().unwrap(), 0);
    }
}
