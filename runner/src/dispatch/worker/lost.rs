//! Taking up what an earlier process had sent and not heard of.
//!
//! Owns what the register has to know of it. What follows for the run is the engine's decision.

use engine::Command;
use playbooks::action_spec::Recovery;
use state::event::Intended;

use super::keep::Order;
use super::{Loaded, Worker};
use crate::dispatch::perform::call;

impl Worker {
    /// The command that recovers a run. What may be repeated is repeated, and may fail for certain
    /// while the attempt that was lost had happened: it enters the register with its end now, so
    /// that it is taken back whatever becomes of the repetition.
    pub(super) async fn recovery(&self, loaded: &Loaded) -> Order {
        let mut order = Order::from(Command::Recover);
        let lost: Vec<Intended> = loaded
            .run
            .in_hand()
            .filter(|intended| intended.recovery == Recovery::Set && !intended.path.undo)
            .cloned()
            .collect();
        let now = self.dispatcher.now();
        for intended in lost {
            let call = call(
                &loaded.started,
                &intended,
                loaded.begun_at(&intended.path).unwrap_or(now),
                &loaded.entity,
                &loaded.operator,
                &loaded.facts,
            );
            let connection = intended.connections.first().map(String::as_str);
            let changes = self.dispatcher.inner.registry.in_doubt(&call, connection);
            let (updates, measures) = self
                .dispatcher
                .house_changes(&loaded.started, &intended, None, changes, now)
                .await;
            order.updates.extend(updates);
            order.measures.extend(measures);
        }
        order
    }
}
