//! The end of a run.
//!
//! Owns when it is over, how it is called, and what it leaves behind.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use playbooks::plan::Section;
use state::event::{Event, RunStatus};

use super::draft::Draft;
use crate::run::{Corrupt, Run};
use crate::summary;

impl Draft<'_> {
    /// Running out of time fails the run while its steps are not over; what was begun ends first.
    pub(super) fn end_of_time(&mut self) -> Result<(), Corrupt> {
        let over = self.around.now >= self.run.deadline;
        let winding_down = self.run.failing.is_some() || self.run.cancel.is_some();
        if !over || winding_down || self.run.section_is_over(self.plan, Section::Steps) {
            return Ok(());
        }
        self.record(Event::Failing {
            step: None,
            error: format!("its time of {} is over", self.plan.limits.time),
        })
    }

    /// Closes the run if nothing is left to do or to wait for.
    pub(super) fn close(&mut self) -> Result<(), Corrupt> {
        let run = &self.run;
        let on_failure = run.failing.as_ref().is_some_and(|failing| !failing.late);
        if !run.section_is_over(self.plan, Section::Steps)
            || (on_failure && !run.section_is_over(self.plan, Section::OnFailure))
            || !run.section_is_over(self.plan, Section::Finally)
            || run.undo_goes_on()
        {
            return Ok(());
        }
        let mut outputs = BTreeMap::new();
        let mut summary = summary::so_far(self.plan, run);
        for (name, expression) in &self.plan.outputs {
            match expression.evaluate(&self.names(None)) {
                Ok(Some(value)) if !value.is_null() => {
                    outputs.insert(name.clone(), value);
                }
                Ok(_) | Err(playbooks::names::Unresolved::Absent { .. }) => {}
                Err(why) => {
                    let _ = write!(summary, "; the output `{name}` could not be had: {why}");
                }
            }
        }
        self.record(Event::Closed {
            status: end_status(&self.run),
            outputs,
            summary,
            handled_failures: self.run.handled_failures,
            records: self.run.next_seq + 1,
        })
    }
}

fn end_status(run: &Run) -> RunStatus {
    if let Some(status) = run.undo.was {
        return status;
    }
    match &run.failing {
        Some(failing) if failing.refused => RunStatus::Refused,
        Some(_) => RunStatus::Failed,
        None if run.cancel.is_some() => RunStatus::Cancelled,
        None => RunStatus::Succeeded,
    }
}
