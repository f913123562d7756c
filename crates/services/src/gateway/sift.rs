//! How much of a stream may go on to its client?
//!
//! Where a rule may block, an event waits until every sentence that it has a piece of is over and judged. Events go on as
//! they came and in their order: one that waits holds back all that follow it. Where rules only tell, events are looked at
//! on their way and none waits.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use domain::policy::findings::Finding;
use domain::policy::findings::accuracy::Unknowns;
use domain::policy::findings::sentence::{Scanner, Step};
use model::run::Operation;
use workers::upstream::pump::Sifted;
use workers::upstream::sse::{self, Boundaries};

use super::heard::{Heard, Voice};

#[cfg(test)]
mod tests;

/// Bytes of a stream that wait at most. Beyond that it cannot be looked at.
const HELD_MAX: usize = 8 * 1024 * 1024;
/// The most texts that a stream says at once, and repeats.
const VOICES_MAX: usize = 1_024;
/// The most findings that are kept.
const FINDINGS_MAX: usize = 4_096;

/// What was found in an answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    pub(super) findings: Vec<Finding>,
    /// Whether there was text that nobody could look at.
    pub(super) unread: bool,
}

/// Says whether what was found so far ends the stream.
pub(super) type Forbids = Box<dyn FnMut(&Found) -> bool + Send>;

/// Looks at a stream.
pub(super) struct Sift {
    operation: Operation,
    /// What the model was told nothing about; none if nobody asks what is said.
    unknowns: Option<Unknowns>,
    /// What it asks with every finding, if events are to wait for the answer.
    forbids: Option<Forbids>,
    boundaries: Boundaries,
    /// The beginning of the current event.
    pending: BytesMut,
    waiting: VecDeque<Waiting>,
    held: usize,
    voices: BTreeMap<Voice, Heeded>,
    /// Texts that were judged, by length and hash: what repeats them says nothing new.
    known: BTreeSet<(usize, u64)>,
    found: Found,
    forbidden: bool,
    /// Whether an event has gone on in pieces: what follows is not looked at any more.
    torn: bool,
}

/// An event that waits for the sentences that it has pieces of.
struct Waiting {
    bytes: Bytes,
    until: Vec<(Arc<Voice>, usize)>,
}

/// What is known of a voice.
struct Heeded {
    name: Arc<Voice>,
    scanner: Scanner,
    /// How much was said, and how much of it is judged, in bytes.
    said: usize,
    judged: usize,
    /// Where the first sentence starts in which something was found that is not yet asked about, or that is forbidden.
    dirty: Option<usize>,
    /// Of what is said since it was last over.
    length: usize,
    hash: DefaultHasher,
}

impl Sift {
    /// Looks at the answer to an operation. With `forbids`, events wait.
    pub(super) fn new(operation: Operation, unknowns: Option<Unknowns>, forbids: Option<Forbids>) -> Self {
        Self {
            operation,
            unknowns,
            forbids,
            boundaries: Boundaries::default(),
            pending: BytesMut::new(),
            waiting: VecDeque::new(),
            held: 0,
            voices: BTreeMap::new(),
            known: BTreeSet::new(),
            found: Found::default(),
            forbidden: false,
            torn: false,
        }
    }

    /// What was found so far.
    pub(super) const fn found(&self) -> &Found {
        &self.found
    }

    /// Whether everything that went on so far was whole events, so that something can be said in between.
    pub(super) const fn is_between_events(&self) -> bool {
        !self.torn
    }

    /// Nobody understands what will come.
    pub(super) fn cannot_read(&mut self) {
        self.found.unread = true;
        self.torn = true;
        self.unknowns = None;
        self.asks(true);
    }

    /// Takes what has come, or that nothing more will, and gives what goes on. When it is forbidden, nothing does any more.
    pub(super) fn take(&mut self, came: Option<Bytes>) -> Sifted {
        let mut pass = BytesMut::new();
        match came {
            _ if self.forbidden => {}
            Some(bytes) => self.feed(&bytes, &mut pass),
            None => self.finish(&mut pass),
        }
        Sifted {
            pass: pass.freeze(),
            withhold: self.forbidden,
        }
    }

    fn feed(&mut self, bytes: &Bytes, pass: &mut BytesMut) {
        if self.torn && self.forbids.is_none() {
            pass.extend_from_slice(bytes);
            return;
        }
        let mut at = 0;
        while let Some(length) = self.boundaries.next_end(bytes.get(at..).unwrap_or_default()) {
            let end = at.saturating_add(length);
            let event = if self.pending.is_empty() {
                bytes.slice(at..end)
            } else {
                self.pending
                    .extend_from_slice(bytes.get(at..end).unwrap_or_default());
                self.pending.split().freeze()
            };
            self.event(event, pass);
            at = end;
        }
        self.pending
            .extend_from_slice(bytes.get(at..).unwrap_or_default());
        if self.held.saturating_add(self.pending.len()) > HELD_MAX {
            self.gives_up(pass);
        }
    }

    fn finish(&mut self, pass: &mut BytesMut) {
        // What has no empty line behind it is an event to some clients.
        let rest = self.pending.split().freeze();
        self.event(rest, pass);
        let new = self.over(|_| true);
        self.asks(new);
        self.goes_on(pass);
    }

    /// There is more than can be kept: a rule that may block cannot be judged.
    fn gives_up(&mut self, pass: &mut BytesMut) {
        self.found.unread = true;
        if self.forbids.is_some() {
            self.asks(true);
            self.goes_on(pass);
        } else {
            self.torn = true;
            pass.extend_from_slice(&self.pending.split());
        }
    }

    fn event(&mut self, bytes: Bytes, pass: &mut BytesMut) {
        if self.forbidden {
            return;
        }
        let data = sse::data(&bytes).filter(|_| self.unknowns.is_some());
        let heard = data.map(|data| Heard::of(self.operation, &data));
        let (until, new) = heard.map_or((Vec::new(), false), |heard| self.listen(heard));
        self.asks(new);
        if self.forbids.is_none() {
            pass.extend_from_slice(&bytes);
            return;
        }
        if !self.forbidden {
            self.held = self.held.saturating_add(bytes.len());
            self.waiting.push_back(Waiting { bytes, until });
        }
        self.goes_on(pass);
    }

    /// Up to where its voices must be judged for this to go on, and whether something new was found.
    fn listen(&mut self, heard: Heard) -> (Vec<(Arc<Voice>, usize)>, bool) {
        let (mut until, mut new) = (Vec::new(), heard.unread);
        self.found.unread |= heard.unread;
        for (voice, text) in heard.pieces {
            if self.voices.len() >= VOICES_MAX && !self.voices.contains_key(&voice) {
                self.found.unread = true;
                new = true;
                continue;
            }
            let unknowns = self.unknowns.as_ref();
            let heeded = self
                .voices
                .entry(voice)
                .or_insert_with_key(|voice| Heeded::new(voice, unknowns));
            let step = heeded.hears(&text);
            until.push((Arc::clone(&heeded.name), heeded.said));
            new |= self.found.adds(step);
        }
        if heard.takes_turns {
            let speaking: Vec<_> = until.iter().map(|(voice, _)| Arc::clone(voice)).collect();
            let yields = |voice: &Voice| {
                let mut parts = speaking.iter().filter(|one| one.part == voice.part).peekable();
                parts.peek().is_some() && !parts.any(|one| **one == *voice)
            };
            new |= self.over(yields);
        }
        if !heard.over.is_empty() {
            let all = heard.over.contains(&u64::MAX);
            new |= self.over(|voice| all || heard.over.contains(&voice.part));
        }
        for text in heard.texts {
            if self.is_new(&text) {
                let mut scanner = Scanner::new(self.unknowns.clone().unwrap_or_default());
                new |= self.found.adds(scanner.push(&text)) | self.found.adds(scanner.finish());
            }
        }
        (until, new)
    }

    /// Ends the sentences of these voices.
    fn over(&mut self, which: impl Fn(&Voice) -> bool) -> bool {
        let mut new = false;
        for (_, heeded) in self.voices.iter_mut().filter(|(voice, _)| which(voice)) {
            if let Some((step, told)) = heeded.ends() {
                new |= self.found.adds(step);
                if self.operation == Operation::Responses && self.known.len() < VOICES_MAX {
                    self.known.insert(told);
                }
            }
        }
        new
    }

    /// Whether this was not said before. Responses say everything up to four times.
    fn is_new(&mut self, text: &str) -> bool {
        if self.operation != Operation::Responses {
            return true;
        }
        let mut hash = DefaultHasher::new();
        hash.write(text.as_bytes());
        let told = (text.len(), hash.finish());
        let known = self.known.contains(&told);
        if !known && self.known.len() < VOICES_MAX {
            self.known.insert(told);
        }
        !known
    }

    fn asks(&mut self, new: bool) {
        if let Some(forbids) = self.forbids.as_mut().filter(|_| new) {
            self.forbidden |= forbids(&self.found);
        }
        if new && !self.forbidden {
            self.voices.values_mut().for_each(|heeded| heeded.dirty = None);
        }
    }

    /// Lets go what waits no more, in its order. When it is forbidden, that is what was clean before.
    fn goes_on(&mut self, pass: &mut BytesMut) {
        let voices = &self.voices;
        let is_judged = |(voice, until): &(Arc<Voice>, usize)| {
            let heeded = voices.get(voice.as_ref());
            heeded.is_some_and(|heeded| *until <= heeded.dirty.unwrap_or(heeded.judged))
        };
        while let Some(first) = self.waiting.front() {
            if !first.until.iter().all(is_judged) {
                break;
            }
            if let Some(first) = self.waiting.pop_front() {
                self.held = self.held.saturating_sub(first.bytes.len());
                pass.extend_from_slice(&first.bytes);
            }
        }
    }
}

impl Heeded {
    fn new(voice: &Voice, unknowns: Option<&Unknowns>) -> Self {
        Self {
            name: Arc::new(voice.clone()),
            scanner: Scanner::new(unknowns.cloned().unwrap_or_default()),
            said: 0,
            judged: 0,
            dirty: None,
            length: 0,
            hash: DefaultHasher::new(),
        }
    }

    fn hears(&mut self, text: &str) -> Step {
        self.said = self.said.saturating_add(text.len());
        self.length = self.length.saturating_add(text.len());
        self.hash.write(text.as_bytes());
        let step = self.scanner.push(text);
        self.knows(step)
    }

    /// Its last sentence is over: what became known with that, and what was said since the last time; none if nothing was.
    fn ends(&mut self) -> Option<(Step, (usize, u64))> {
        let length = std::mem::take(&mut self.length);
        if length == 0 {
            return None;
        }
        let hash = std::mem::take(&mut self.hash).finish();
        let step = self.scanner.finish();
        Some((self.knows(step), (length, hash)))
    }

    fn knows(&mut self, step: Step) -> Step {
        self.judged = step.judged;
        if !step.findings.is_empty() {
            self.dirty = self.dirty.or(Some(step.clean_until));
        }
        step
    }
}

impl Found {
    /// Adds what was found; says whether that is anything.
    fn adds(&mut self, step: Step) -> bool {
        let new = !step.findings.is_empty();
        if self.findings.len().saturating_add(step.findings.len()) > FINDINGS_MAX {
            self.unread = true;
        } else {
            self.findings.extend(step.findings);
        }
        new
    }
}
