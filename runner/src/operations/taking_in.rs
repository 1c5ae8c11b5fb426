//! Taking alerts in: from bytes to incidents that are kept.
//!
//! Owns whose an alert is (the source that sent it or the caller decides, never the alert) and how
//! fast they may come. Reading formats is the work of intake.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use state::access::{Principal, Scope};
use state::ids::{EntityId, IncidentId};
use state::store::{Accepted, NewIncident, StoredIncident};
use web::OperationError;
use web::operations::Answer;
use web::view::{Content, Finding, IncidentChoice, Submission, SubmitReport, Submitted};

use super::LocalOperations;
use crate::intake::{self, Binding, Mapped, MappedIncident, Mapper, MappingContext, Source};

impl LocalOperations {
    /// The entity that new data belongs to: the caller's choice within its reach, else its only one.
    pub(super) fn entity_for(&self, scope: &Scope, wanted: Option<&EntityId>) -> Answer<EntityId> {
        let operator = self.dispatcher.operator();
        let reachable: Vec<EntityId> = operator
            .entities
            .keys()
            .filter_map(|id| id.parse().ok())
            .filter(|entity| scope.covers(entity))
            .collect();
        match (wanted, reachable.as_slice()) {
            (Some(wanted), _) if reachable.contains(wanted) => Ok(wanted.clone()),
            (Some(wanted), _) => Err(OperationError::not_found(format!("entity `{wanted}`"))),
            (None, [only]) => Ok(only.clone()),
            (None, []) => Err(OperationError::Denied {
                why: "this token reaches no entity".to_owned(),
            }),
            (None, _) => Err(OperationError::invalid(
                "say whose incident this is: several entities are within reach, and none is named",
            )),
        }
    }

    /// Turns bytes into incidents of an entity, not yet kept.
    fn mapped(&self, entity: &EntityId, content: &Content, bytes: &[u8]) -> Answer<(Mapper, Vec<Mapped>)> {
        let operator = self.dispatcher.operator();
        let Some(facts) = operator.entities.get(entity.as_str()) else {
            return Err(OperationError::not_found(format!("entity `{entity}`")));
        };
        let mapper = match content {
            Content::Json => Mapper::Json,
            Content::Mail => Mapper::Mail,
            Content::Mapper(name) if name == "auto" => Mapper::detect(bytes).map_err(invalid)?,
            Content::Mapper(name) => Mapper::by_name(name).ok_or_else(|| no_such_format(name))?,
        };
        let context = MappingContext {
            entity: facts,
            now: self.dispatcher.now(),
        };
        Ok((mapper, intake::map(mapper, bytes, &context).map_err(invalid)?))
    }

    /// Keeps the files of an incident, and gives what the store needs to accept it.
    async fn prepared(
        &self,
        caller: &Principal,
        entity: &EntityId,
        source: &str,
        part: MappedIncident,
    ) -> Answer<NewIncident> {
        for file in part.files {
            self.dispatcher.store().put_file(file.bytes).await?;
        }
        Ok(NewIncident {
            entity: entity.clone(),
            source: source.to_owned(),
            dedup_key: part.dedup_key,
            dedup_within: part.dedup_within,
            incident: part.incident,
            actor: caller.actor().clone(),
            by_hand: false,
            at: self.dispatcher.now(),
        })
    }

    /// What a submission says, and from whom, by the rules of its source or of the named format.
    fn understood(
        &self,
        scope: &Scope,
        submission: &Submission,
    ) -> Answer<(String, Vec<(EntityId, Mapped)>)> {
        if let Content::Mapper(name) = &submission.content
            && let Some(source) = self.sources.get(name)
        {
            return Ok((name.clone(), self.sent_by(scope, source, submission)?));
        }
        let entity = self.entity_for(scope, submission.entity.as_ref())?;
        let (mapper, mapped) = self.mapped(&entity, &submission.content, &submission.bytes)?;
        let of_entity = mapped.into_iter().map(|one| (entity.clone(), one));
        Ok((mapper.name().to_owned(), of_entity.collect()))
    }

    /// The alerts of a configured source, each with the entity that the operator gave it. One that
    /// belongs to an entity out of the caller's reach refuses all, without saying whose it is.
    fn sent_by(
        &self,
        scope: &Scope,
        source: &Source,
        submission: &Submission,
    ) -> Answer<Vec<(EntityId, Mapped)>> {
        let operator = self.dispatcher.operator();
        if let Binding::Entity(entity) = &source.binding
            && !scope.covers(entity)
        {
            return Err(no_such_format(&source.name));
        }
        let found = source
            .receive(
                &submission.bytes,
                &operator.entities,
                scope.reach(),
                self.dispatcher.now(),
            )
            .map_err(invalid)?;
        match &submission.entity {
            Some(named) if found.iter().any(|(entity, _)| entity != named) => {
                Err(OperationError::invalid(format!(
                    "the source `{}` decides whose its alerts are; leave `entity` out",
                    source.name
                )))
            }
            _ => Ok(found),
        }
    }

    /// Keeps the incidents of a submission. Their triggers are decided after that.
    pub(super) async fn take(
        &self,
        caller: &Principal,
        scope: &Scope,
        submission: &Submission,
    ) -> Answer<SubmitReport> {
        let (source, found) = self.understood(scope, submission)?;
        let mut alerts = BTreeMap::new();
        for (entity, one) in &found {
            if matches!(one, Mapped::Incident(_)) {
                *alerts.entry(entity.clone()).or_insert(0) += 1;
            }
        }
        self.rate
            .take(&alerts, self.dispatcher.now())
            .map_err(|fast| OperationError::TooMany {
                why: fast.to_string(),
                retry_after: fast.wait,
            })?;
        let mut results = Vec::with_capacity(found.len());
        for (entity, one) in found {
            results.push(match one {
                Mapped::Incident(part) => {
                    let new = self.prepared(caller, &entity, &source, *part).await?;
                    match self.dispatcher.accept(new).await? {
                        Accepted::New(id) => Submitted::Accepted { id },
                        Accepted::Duplicate { of, count } => Submitted::Duplicate { id: of, count },
                    }
                }
                Mapped::Ignored { why } => Submitted::Ignored { why },
            });
        }
        Ok(SubmitReport { results })
    }

    /// Keeps the one incident that comes with a start by hand. Triggers are not asked: whoever
    /// starts by hand has decided what runs.
    async fn take_for_hand(
        &self,
        caller: &Principal,
        entity: &EntityId,
        content: &Content,
        bytes: &[u8],
    ) -> Answer<IncidentId> {
        let (mapper, mapped) = self.mapped(entity, content, bytes)?;
        let mut mapped = mapped.into_iter();
        match (mapped.next(), mapped.next()) {
            (Some(Mapped::Incident(part)), None) => {
                let new = self.prepared(caller, entity, mapper.name(), *part).await?;
                Ok(self.dispatcher.accept_for_hand(new).await?)
            }
            (Some(Mapped::Ignored { why }), None) => {
                Err(OperationError::invalid(format!("this is no incident: {why}")))
            }
            (None, _) => Err(OperationError::invalid("there is no incident in it")),
            (Some(_), Some(_)) => Err(OperationError::invalid(
                "there are several incidents in it and a run works on one; take them in first, then name one",
            )),
        }
    }

    /// The incident a run by hand works on, kept.
    pub(super) async fn chosen(
        &self,
        caller: &Principal,
        scope: &Scope,
        choice: Option<&IncidentChoice>,
        entity: Option<&EntityId>,
    ) -> Answer<Option<StoredIncident>> {
        let id = match choice {
            None => return Ok(None),
            Some(IncidentChoice::Id(id)) => id.clone(),
            Some(IncidentChoice::Inline(value)) => {
                let entity = self.entity_for(scope, entity)?;
                let bytes = serde_json::to_vec(value).map_err(OperationError::internal)?;
                self.take_for_hand(caller, &entity, &Content::Json, &bytes)
                    .await?
            }
            Some(IncidentChoice::Raw { format, base64 }) => {
                let entity = self.entity_for(scope, entity)?;
                let bytes = STANDARD
                    .decode(base64)
                    .map_err(|error| OperationError::invalid(format!("`base64` is not base64: {error}")))?;
                self.take_for_hand(caller, &entity, &Content::Mapper(format.clone()), &bytes)
                    .await?
            }
        };
        let found = self.dispatcher.store().incident_in(scope, &id).await?;
        found
            .map(Some)
            .ok_or_else(|| OperationError::not_found(format!("incident {id}")))
    }
}

fn no_such_format(name: &str) -> OperationError {
    OperationError::not_found(format!("alert format or source `{name}`"))
}

/// A refusal of intake as the API says it.
fn invalid(refusal: intake::Refusal) -> OperationError {
    OperationError::Invalid {
        message: refusal.to_string(),
        findings: vec![Finding::error(refusal.reason, refusal.place).with_help(refusal.remedy)],
    }
}
