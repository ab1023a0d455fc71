//! The thread that owns the database: a slow disk keeps no observation waiting.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread::JoinHandle,
    time::Duration,
};

use crate::{
    detect::Hour,
    store::{Batch, Learnt, Store, StoreError, Written},
};

/// What came of a batch, and what is normal at its hour.
pub(super) type Answer = Result<(Written, u16, Learnt), StoreError>;

/// One batch is on its way at most.
#[derive(Debug)]
pub(super) struct Writer {
    batches: Option<SyncSender<Batch>>,
    answers: Receiver<Answer>,
    thread: Option<JoinHandle<()>>,
    is_busy: bool,
}

impl Writer {
    /// Begins to write to `store`.
    ///
    /// # Errors
    /// The operating system has no thread for it.
    pub(super) fn start(store: Store) -> std::io::Result<Self> {
        let (batches, to_write) = sync_channel(1);
        let (answer, answers) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("history".into())
            .spawn(move || write(store, &to_write, &answer))?;
        Ok(Self {
            batches: Some(batches),
            answers,
            thread: Some(thread),
            is_busy: false,
        })
    }

    /// Whether a batch is on its way.
    pub(super) fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// Hands over a batch; not while another is on its way.
    pub(super) fn write(&mut self, batch: Batch) {
        let batches = self.batches.as_ref();
        self.is_busy = batches.is_some_and(|batches| batches.try_send(batch).is_ok());
    }

    /// What came of the last batch, if that is known within `patience`.
    pub(super) fn answer(&mut self, patience: Duration) -> Option<Answer> {
        if !self.is_busy {
            return None;
        }
        match self.answers.recv_timeout(patience) {
            Ok(answer) => {
                self.is_busy = false;
                Some(answer)
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.batches = None;
        // A disk that does not answer is not waited for: what is half written is undone later.
        if !self.is_busy
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

fn write(mut store: Store, batches: &Receiver<Batch>, answers: &SyncSender<Answer>) {
    for batch in batches {
        let answer = store.write(&batch).and_then(|written| {
            let hour = Hour::of(batch.now).of_week;
            let learnt = store.learnt(&batch.build.program, hour)?;
            Ok((written, hour, learnt))
        });
        if answers.send(answer).is_err() {
            return;
        }
    }
}
