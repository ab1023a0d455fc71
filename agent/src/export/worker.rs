//! One task a sink: takes batches from its queue, delivers them, tries again.

use std::sync::Arc;

use tokio::{sync::watch, time::Instant};
use tracing::{debug, warn};

use super::{
    delivery::{Accepted, Delivery, Failure, FailureKind, Parcel, Then},
    queue::{Batching, Queue, told},
    retry::Backoff,
};

/// What became of a parcel.
enum Fate {
    Accepted(Accepted),
    /// Given up.
    Lost,
    /// A newer one waits that says all this one does.
    Superseded,
    /// The sink is at its end.
    Closed,
}

/// Delivers until it is told to finish and nothing waits any more, or nobody takes anything.
pub(super) async fn run<D: Delivery>(
    queue: Arc<Queue<D::Item>>,
    mut delivery: D,
    batching: Batching,
    backoff: Backoff,
    mut finishing: watch::Receiver<bool>,
) {
    while let Some(batch) = queue.next(batching, &mut finishing).await {
        let mut lost_a_part = false;
        for parcel in delivery.parcels(&batch) {
            let items = parcel.items;
            let fate = settled(&queue, &mut delivery, &parcel, backoff, &mut finishing);
            let dropped = match fate.await {
                Fate::Accepted(accepted) if items > 0 => accepted.rejected.min(items),
                Fate::Accepted(accepted) => {
                    lost_a_part |= accepted.rejected > 0;
                    0
                }
                Fate::Lost => {
                    lost_a_part |= items == 0;
                    items
                }
                Fate::Superseded => {
                    queue.settle(0, batch.len() as u64);
                    break;
                }
                Fate::Closed => {
                    queue.close();
                    return;
                }
            };
            // An item that went in several parcels is delivered if all of them are.
            let dropped = if lost_a_part { items } else { dropped };
            queue.settle(items - dropped, dropped);
        }
    }
}

async fn settled<D: Delivery>(
    queue: &Queue<D::Item>,
    delivery: &mut D,
    parcel: &Parcel,
    backoff: Backoff,
    finishing: &mut watch::Receiver<bool>,
) -> Fate {
    let began = Instant::now();
    let mut failures = 0;
    loop {
        let failure = match delivery.send(parcel).await {
            Ok(accepted) => {
                took(queue, &accepted);
                return Fate::Accepted(accepted);
            }
            Err(failure) => failure,
        };
        failures += 1;
        if queue.failed(&failure) {
            warn!(
                sink = queue.name(),
                error = failure.message,
                "not delivered"
            );
        } else {
            debug!(
                sink = queue.name(),
                error = failure.message,
                failures,
                "not delivered"
            );
        }
        let told_pause = match failure.then {
            Then::Again(told) => told,
            Then::GiveUp => return Fate::Lost,
            Then::Closed => return Fate::Closed,
        };
        let Some(pause) = backoff.pause(failures, began.elapsed(), told_pause) else {
            warn!(sink = queue.name(), failures, "given up");
            return Fate::Lost;
        };
        if *finishing.borrow() {
            // The time that is left is not known here; whoever counts it ends this task.
            let pause = told_pause.map_or(pause.min(backoff.first), |_| pause);
            tokio::time::sleep(pause).await;
        } else {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = told(finishing) => {}
            }
        }
        if D::ONLY_THE_NEWEST && queue.has_more() {
            return Fate::Superseded;
        }
    }
}

/// Taken; perhaps not all of it.
fn took<T: Clone>(queue: &Queue<T>, accepted: &Accepted) {
    if accepted.rejected == 0 {
        queue.succeeded();
        return;
    }
    let words = accepted.message.as_deref().unwrap_or("no reason given");
    let message = format!("{} of an export were not taken: {words}", accepted.rejected);
    let failure = Failure {
        kind: FailureKind::Refused,
        message,
        then: Then::GiveUp,
    };
    if queue.failed(&failure) {
        warn!(
            sink = queue.name(),
            error = failure.message,
            "not all delivered"
        );
    }
}
