//! What histories are made of: versions, each with the change that made it.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::cover_in::differences;
use super::refs::Ref;
use super::words;
use crate::domain::actor::{Actor, Role};
use crate::domain::id::{DistrictCode, KeyId};
use crate::service::Guli;
use crate::store::events::Event;

/// A member that a change changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldChangeOut {
    #[schema(examples("/spec/load_class"))]
    pub pointer: String,
    /// Of a name or phone: null, whatever it was.
    pub from: Value,
    pub to: Value,
}

/// The row of an import that a version came from.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryOut {
    pub import: String,
    /// Counts records from 1; left out where it is not kept: of areas, organisations and people, and of what was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<i64>,
}

/// Who made a change.
#[derive(Debug, Serialize, ToSchema)]
pub struct EditorOut {
    #[schema(schema_with = words::role)]
    pub role: String,
    /// The unit that the key acts for.
    pub unit: Option<Ref<'static>>,
    /// For administrators of the district: the key. null: whoever runs the service, at the machine itself.
    pub key: Option<String>,
    /// For them too: what the key is or was called.
    pub name: Option<String>,
}

/// A version of something in the registry, and the change that made it.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionOut {
    pub version: i64,
    pub at: Option<jiff::Timestamp>,
    pub by: Option<EditorOut>,
    pub reason: Option<String>,
    /// What changed it: an edit (`cover.updated`, …), grids that were redrawn around it (`cover.regridded`), `import.applied`,
    /// `import.undone`.
    #[schema(examples("cover.updated"))]
    pub change: Option<String>,
    /// The version that was taken back; null where none was.
    pub undoes: Option<i64>,
    /// The cover that this one turned out to be a second record of.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(examples("3702030103000124"))]
    pub merged_into: Option<String>,
    /// The import that brought it, or that was taken back.
    pub source: Option<DeliveryOut>,
    /// Of the first version: none.
    pub changes: Vec<FieldChangeOut>,
}

/// Who reads a history.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    guli: &'a Guli,
    /// Keys are for the administrators of the district to know.
    sees_keys: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn of(guli: &'a Guli, actor: &Actor, district: DistrictCode) -> Self {
        Self { guli, sees_keys: actor.role == Role::Admin && actor.holds_all(district) }
    }
}

/// Who made a change, as its event says, and as far as whoever reads may know.
pub(super) fn by(Reader { guli, sees_keys }: Reader<'_>, event: &Event) -> EditorOut {
    let data = data(event);
    let unit = data["unit"].as_str().and_then(|code| code.parse().ok());
    let unit = unit.and_then(|code| guli.context.index.organization(&code));
    let key = event.actor.strip_prefix("key:").filter(|_| sees_keys).map(str::to_owned);
    let holder = key.as_deref().and_then(|key| key.parse().ok()).and_then(|id| guli.keys.holder(KeyId(id)));
    EditorOut {
        // Imports are the operator's, who needs no key.
        role: data["role"].as_str().unwrap_or("admin").to_owned(),
        unit: unit.map(|unit| Ref::organization(&unit).into_owned()),
        key,
        name: holder.map(|holder| holder.name.clone()),
    }
}

fn data(event: &Event) -> Value {
    serde_json::from_str(&event.data).unwrap_or_default()
}

/// The version that a change took back: that before the one it made, since only the last can be.
pub(super) fn undoes(event: &Event, version: i64) -> Option<i64> {
    (data(event)["undo"] == true).then(|| version - 1)
}

/// Something as it was, from one event until another.
pub(super) struct Was {
    pub version: i64,
    /// What may be changed of it.
    pub document: Value,
    pub seq_from: i64,
    /// `None` for the present.
    pub seq_to: Option<i64>,
}

/// The import that an event tells of.
pub(super) fn delivery(event: &Event) -> Option<DeliveryOut> {
    event.kind.starts_with("import.").then(|| DeliveryOut { import: event.subject.clone(), row: None })
}

/// Every state as a version, and the removal that ended the last.
pub(super) fn versions(reader: Reader<'_>, states: impl Iterator<Item = Was>, events: &[Event]) -> Vec<VersionOut> {
    let event = |seq: i64| events.iter().find(|event| event.seq == seq);
    let version = |number, event, changes| version(reader, number, event, changes);
    let removal = |gone: &Was| {
        let change = (String::new(), gone.document.clone(), Value::Null);
        version(gone.version + 1, gone.seq_to.and_then(event), vec![change])
    };
    let mut items = Vec::new();
    let mut before: Option<Was> = None;
    for state in states {
        let mut changed = Vec::new();
        match &before {
            // It was removed, and came again.
            Some(gone) if gone.seq_to.is_some_and(|seq| seq != state.seq_from) => {
                items.push(removal(gone));
                changed.push((String::new(), Value::Null, state.document.clone()));
            }
            Some(before) => differences("", &before.document, &state.document, &mut changed),
            None => {}
        }
        items.push(version(state.version, event(state.seq_from), changed));
        before = Some(state);
    }
    // The last state ended without another: it was removed.
    if let Some(gone) = before.filter(|last| last.seq_to.is_some()) {
        items.push(removal(&gone));
    }
    items
}

fn version(reader: Reader<'_>, number: i64, event: Option<&Event>, changes: Vec<(String, Value, Value)>) -> VersionOut {
    let data = event.map(data).unwrap_or_default();
    // Of personal data it is kept that it changed, not what it was.
    let personal = data["personal"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let personal = personal.map(|pointer| (pointer.to_owned(), Value::Null, Value::Null));
    let changes = changes.into_iter().chain(personal);
    VersionOut {
        version: number,
        at: event.map(Event::at),
        by: event.map(|event| by(reader, event)),
        reason: event.and_then(|event| event.reason.clone()),
        change: event.map(|event| event.kind.clone()),
        undoes: event.and_then(|event| undoes(event, number)),
        merged_into: None,
        source: event.and_then(delivery),
        changes: changes.map(|(pointer, from, to)| FieldChangeOut { pointer, from, to }).collect(),
    }
}
