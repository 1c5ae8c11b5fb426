//! What the wish to take effects back means.
//!
//! Owns that an effect is taken back once, and that the run ends as it had ended.

use std::sync::Arc;

use playbooks::plan::Plan;
use state::access::Actor;
use state::event::Inverse;

use super::Folded;
use crate::run::{Final, Place, Run, Spot};

impl Run {
    pub(super) fn undo_requested(
        &mut self,
        plan: &Plan,
        inverses: &[Inverse],
        actor: &Actor,
        (reason, goes_on): (&str, bool),
    ) -> Folded {
        for inverse in inverses {
            let (effect, place) = self.find(plan, &inverse.path)?;
            let had = matches!(
                place,
                Place::Done {
                    last: Some(_),
                    result: Final::Succeeded(_)
                }
            );
            let spot = Spot { undo: true, ..effect };
            let again = match self.undo.places.get(&spot) {
                None => Some(false),
                Some(Place::Done {
                    result: Final::Failed(_),
                    ..
                }) => Some(true),
                Some(_) => None,
            };
            let (true, false, Some(again)) = (had, inverse.path.undo, again) else {
                return Err(format!("there is nothing to take back at `{}`", inverse.path));
            };
            *self.generations.entry(spot).or_default() += u32::from(again);
            if goes_on {
                self.undo.at_once.insert(spot);
            } else {
                self.undo.at_once.remove(&spot);
            }
            self.undo.order.retain(|(other, _)| *other != spot);
            self.undo.order.push((spot, Arc::new(inverse.clone())));
            self.undo.places.insert(spot, Place::Pending);
        }
        self.undo.accepted = false;
        if goes_on {
            return Ok(());
        }
        match self.closed.take() {
            Some(closed) => self.undo.was = Some(closed.status),
            None if self.undo.was.is_none() && self.failing.is_none() => {
                self.cancel.get_or_insert((actor.clone(), reason.to_owned()));
            }
            None => {}
        }
        Ok(())
    }
}
