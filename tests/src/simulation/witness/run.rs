//! One run, as the oracle sees it.
//!
//! Owns the order of things over a whole run: I3, I4, I5 and the use of I10 and I11 at its places.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use playbooks::marking::EffectClass;
use serde_json::Value;
use state::event::{Event, Intended, Mode, RunStatus, Started};
use state::ids::{EffectKey, Path};

use super::Known;
use super::inquiries::AskedSeen;
use super::places::{PlaceSeen, Stand};
use crate::simulation::sheet::{Section, Sheet};

/// A run.
#[derive(Debug, Clone)]
pub struct RunSeen {
    /// Event 0.
    pub started: Arc<Started>,
    /// When it started.
    pub started_at: Timestamp,
    /// Events so far, event 0 included.
    pub events: u64,
    /// How it ended, when it is over.
    pub closed: Option<RunStatus>,
    /// Its places.
    pub places: BTreeMap<Path, PlaceSeen>,
    /// What people were asked, by number.
    pub inquiries: BTreeMap<u32, AskedSeen>,
    /// Items of each list.
    items: BTreeMap<String, u32>,
    sheet: Option<Arc<Sheet>>,
    cancelled: bool,
    failing: bool,
    undoing: bool,
    /// Steps of which people had something done again: what was asked before counts no more.
    again: BTreeMap<String, u32>,
    /// Somebody had part of it done again.
    pub retried: bool,
    effects: u32,
}

impl RunSeen {
    /// A run begins.
    pub fn new(started: &Started, at: Timestamp, known: &Known) -> Self {
        Self {
            sheet: known.sheets.get(&started.playbook.revision).map(Arc::clone),
            started: Arc::new(started.clone()),
            started_at: at,
            events: 1,
            closed: None,
            places: BTreeMap::new(),
            inquiries: BTreeMap::new(),
            items: BTreeMap::new(),
            cancelled: false,
            failing: false,
            undoing: false,
            again: BTreeMap::new(),
            retried: false,
            effects: 0,
        }
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        self.closed.is_some()
    }

    /// Whether nothing but a person can move it.
    pub fn waits_for_person_only(&self) -> bool {
        let stands = || self.places.values().map(|place| place.stand);
        let unknown = stands().any(|stand| matches!(stand, Stand::Unknown { .. }));
        let busy = stands().any(|stand| matches!(stand, Stand::Live | Stand::Pending));
        let asked = self.inquiries.values().any(|asked| asked.end.is_none());
        !busy && !asked && (unknown || self.undoing)
    }

    /// The next event.
    ///
    /// # Errors
    /// The invariant that it breaks.
    pub fn take(&mut self, at: Timestamp, event: &Event, known: &Known) -> Result<(), String> {
        self.events += 1;
        self.may_follow(event)?;
        match event {
            Event::Expanded { step, items } => {
                let number = u32::try_from(items.len()).unwrap_or(u32::MAX);
                self.items.insert(step.clone(), number);
            }
            Event::Skipped { path, .. } | Event::Refused { path, .. } => {
                let place = self.place(path);
                if matches!(place.stand, Stand::Live) {
                    return Err(format!("I5: `{path}` is left out while it is in work"));
                }
                place.stand = Stand::Over;
            }
            Event::Intended(intended) => self.intends(intended, at, known)?,
            Event::Finished {
                path,
                attempt,
                outcome,
                ..
            } => self
                .place(path)
                .finishes(*attempt, outcome, at)
                .map_err(|why| format!("{why}: `{path}`"))?,
            Event::Lost { path, .. } => self
                .place(path)
                .is_lost()
                .map_err(|why| format!("{why}: `{path}`"))?,
            Event::Probed { path, answer, .. } => self
                .place(path)
                .is_probed(answer)
                .map_err(|why| format!("{why}: `{path}`"))?,
            Event::OutcomeUnknown { path, .. } => self.place(path).stand = Stand::Unknown { since: at },
            Event::RetryScheduled { path, .. } => {
                let place = self.place(path);
                if !matches!(place.stand, Stand::Pending | Stand::Perhaps) {
                    return Err(format!(
                        "I5: `{path}` is to be tried again, and it was {:?}",
                        place.stand
                    ));
                }
                place.stand = Stand::Pending;
            }
            Event::Settled { path, answer, .. } => {
                self.place(path)
                    .is_told(answer)
                    .map_err(|why| format!("{why}: `{path}`"))?;
            }
            _ => self.take_of_the_whole(event)?,
        }
        Ok(())
    }

    /// Events that are not about one place.
    fn take_of_the_whole(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::Asked(inquiry) => {
                if self.inquiries.contains_key(&inquiry.number) {
                    return Err(format!("I11: inquiry {} is asked twice", inquiry.number));
                }
                self.inquiries.insert(inquiry.number, AskedSeen::new(inquiry)?);
            }
            Event::Replied(reply) => match self.inquiries.get_mut(&reply.number) {
                Some(asked) => asked.hears(reply)?,
                None => return Err(format!("I11: a reply to inquiry {}, never asked", reply.number)),
            },
            Event::Escalated { number, who, .. } => {
                if let Some(asked) = self.inquiries.get_mut(number) {
                    asked.who.extend(who.iter().cloned());
                }
            }
            Event::InquiryClosed { number, end, .. } => match self.inquiries.get_mut(number) {
                Some(asked) => asked.ends(*end)?,
                None => return Err(format!("I11: inquiry {number} ends, never asked")),
            },
            Event::Failing { .. } => self.failing = true,
            Event::CancelRequested { .. } => self.cancelled = true,
            Event::UndoRequested { inverses, .. } => {
                self.undoing = true;
                for inverse in inverses {
                    self.places.remove(&inverse.path.undoing());
                }
                self.closed = None;
            }
            Event::Retried { places, .. } => self.again(places),
            Event::Closed { status, records, .. } => {
                if *records != self.events {
                    return Err(format!(
                        "I6: it closes with {records} records, there are {}",
                        self.events
                    ));
                }
                let open = self.places.iter().find(|(_, place)| place.stand == Stand::Live);
                if let Some((path, _)) = open {
                    return Err(format!("I5: it closes while `{path}` is in work"));
                }
                self.closed = Some(*status);
            }
            _ => {}
        }
        Ok(())
    }

    /// I5: nothing follows the end but what a person decides.
    fn may_follow(&self, event: &Event) -> Result<(), String> {
        let person = matches!(
            event,
            Event::Settled { .. }
                | Event::Acknowledged { .. }
                | Event::Retried { .. }
                | Event::Rerun { .. }
                | Event::UndoRequested { .. }
        );
        if self.closed.is_some() && !person {
            return Err(format!("I5: after the end of the run comes {event:?}"));
        }
        if matches!(event, Event::Started(_)) {
            return Err("I5: a run starts twice".to_owned());
        }
        Ok(())
    }

    fn place(&mut self, path: &Path) -> &mut PlaceSeen {
        self.places.entry(path.clone()).or_default()
    }

    /// People have places done again: they are as if nothing had happened to them. Of a list, what
    /// succeeded and what is in doubt stays.
    fn again(&mut self, paths: &[Path]) {
        let last = self.inquiries.keys().next_back().copied().unwrap_or(0);
        for path in paths {
            self.again.insert(path.step.to_string(), last);
            self.places.retain(|one, place| {
                let meant =
                    one.step == path.step && !one.undo && (path.item.is_none() || one.item == path.item);
                let stays = place.succeeded || matches!(place.stand, Stand::Unknown { .. });
                !meant || (path.item.is_none() && one.item.is_some() && stays)
            });
        }
        self.closed = None;
        self.failing = false;
        self.cancelled = false;
        self.undoing = false;
        self.retried = true;
    }

    fn intends(&mut self, intended: &Intended, at: Timestamp, known: &Known) -> Result<(), String> {
        let path = intended.path.clone();
        let line = self
            .sheet
            .as_ref()
            .and_then(|sheet| sheet.steps.get(&*path.step))
            .cloned();
        if let Some(line) = line.as_ref().filter(|_| !path.undo) {
            self.may_begin(intended, line.section)?;
            if line.section == Section::Steps {
                for needed in &line.needs {
                    if !self.is_settled(needed) {
                        return Err(format!("I4: `{path}` is intended before `{needed}` is settled"));
                    }
                }
            }
            let effect = intended.effect > EffectClass::Read && self.started.mode == Mode::Auto;
            self.is_allowed(intended, line.asks && effect)?;
        }
        self.no_one_built_on_it(&path)?;
        Self::has_an_end(intended, at)?;
        if intended.attempt == 1 && intended.effect > EffectClass::Record && !path.undo {
            self.effects += 1;
            if self.effects > known.effects_per_run && !self.retried {
                return Err(format!(
                    "I3: effect {} of a run, {} may be",
                    self.effects, known.effects_per_run
                ));
            }
        }
        let contract = known.contracts.get(&intended.action);
        let written = line.and_then(|line| line.attempts);
        let declared = written
            .or(contract.map(|spec| spec.retry.attempts))
            .unwrap_or(u32::MAX / 2);
        self.place(&path).intends(intended, declared, at)
    }

    /// I12: a block is intended with an end that is still to come.
    fn has_an_end(intended: &Intended, at: Timestamp) -> Result<(), String> {
        let first = intended.attempt == 1 && intended.action.starts_with("block.");
        if first && intended.until.is_none_or(|until| until <= at) {
            return Err(format!(
                "I12: `{}` is intended at {at} until {:?}",
                intended.path, intended.until
            ));
        }
        Ok(())
    }

    /// The end that was intended for an effect, when it is known here.
    pub fn end_of(&self, key: &EffectKey) -> Option<Option<Timestamp>> {
        let mut intended = self.places.values().filter_map(|place| place.intended.as_ref());
        intended.find(|one| one.key == *key).map(|one| one.until)
    }

    /// I3: nothing new after a cancellation or a failure, but what is meant for it.
    fn may_begin(&self, intended: &Intended, section: Section) -> Result<(), String> {
        let stopped = match section {
            Section::Steps => self.cancelled || self.failing,
            Section::OnFailure => self.cancelled,
            Section::Finally => false,
        };
        if stopped {
            return Err(format!(
                "I3: `{}` is intended after the run was {}",
                intended.path,
                if self.cancelled { "cancelled" } else { "failing" }
            ));
        }
        Ok(())
    }

    /// I3, I11: what people were asked about, the last time, they approved, and it is the same.
    fn is_allowed(&self, intended: &Intended, asks: bool) -> Result<(), String> {
        let since = self.again.get(&*intended.path.step).copied().unwrap_or(0);
        let last = self
            .inquiries
            .iter()
            .rev()
            .find(|(number, asked)| **number > since && asked.is_about(&intended.path.step));
        match last {
            Some((_, asked)) => asked.allows(intended),
            None if asks => Err(format!("I3: nobody was asked about `{}`", intended.path)),
            None => Ok(()),
        }
    }

    /// Whether everything of a step is settled.
    fn is_settled(&self, step: &str) -> bool {
        let whole = self.places.get(&Path::step(step));
        if whole.is_some_and(PlaceSeen::is_settled) {
            return true;
        }
        let Some(items) = self.items.get(step) else {
            return false;
        };
        (0..*items).all(|item| {
            self.places
                .get(&Path::item(step, item))
                .is_some_and(PlaceSeen::is_settled)
        })
    }

    /// I4: what others have built on does not begin again.
    fn no_one_built_on_it(&self, path: &Path) -> Result<(), String> {
        if path.undo || self.retried {
            return Ok(());
        }
        let steps = self.sheet.iter().flat_map(|sheet| &sheet.steps);
        for (name, line) in steps.filter(|(_, line)| line.section == Section::Steps) {
            let begun = self
                .places
                .keys()
                .any(|one| &*one.step == name.as_str() && !one.undo);
            let begun = begun
                && self
                    .places
                    .iter()
                    .any(|(one, place)| &*one.step == name.as_str() && place.attempts > 0);
            if begun && line.needs.contains(&*path.step) {
                return Err(format!("I4: `{path}` begins after `{name}`, which needs it"));
            }
        }
        Ok(())
    }

    /// Why an attempt may not be sent, if so.
    pub fn may_call(&self, key: &str, attempt: u32, action: &str, arguments: &Value) -> Option<String> {
        let live = self.places.values().find_map(|place| {
            let intended = place.intended.as_ref()?;
            (intended.key.as_str() == key && place.stand == Stand::Live).then_some(intended)
        });
        match live {
            None => Some("without a durable intent".to_owned()),
            Some(intended) if intended.attempt != attempt => Some("for another attempt".to_owned()),
            Some(intended) if intended.action != action || intended.arguments != *arguments => {
                Some("with something else than was intended".to_owned())
            }
            Some(_) if self.is_over() => Some("after the end of its run".to_owned()),
            Some(_) => None,
        }
    }
}
