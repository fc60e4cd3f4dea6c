//! The closed lists of words as schemas: what the domain knows, the document says.

use utoipa::openapi::schema::{ArrayBuilder, Object, ObjectBuilder, Schema, SchemaType, Type};

use super::import_list::Stage;
use crate::crs::Crs;
use crate::domain::actor::Role;
use crate::domain::cover::{Accuracy, LoadClass, Material, Place, Shape, Status as CoverStatus};
use crate::domain::grid::DutyKind;
use crate::domain::order::{ActionKind, Measure, Status};
use crate::domain::phone::{PATTERN, Phone};
use crate::domain::quality::{Deed, Rule, Severity, State};
use crate::domain::report::Channel;
use crate::domain::task::{TaskKind, TaskStatus};

fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()
}

fn one_of_or_null<'a>(words: impl IntoIterator<Item = &'a str>) -> Object {
    let words = words.into_iter().map(serde_json::Value::from).chain([serde_json::Value::Null]);
    let types = SchemaType::from_iter([Type::String, Type::Null]);
    ObjectBuilder::new().schema_type(types).enum_values(Some(words)).build()
}

macro_rules! schemas {
    ($make:ident: $($name:ident $type:ident),* $(,)?) => {$(
        pub fn $name() -> Object {
            $make($type::ALL.iter().map(|word| word.as_str()))
        }
    )*};
}

schemas! {
    one_of:
    order_status Status,
    task_kind TaskKind,
    task_status TaskStatus,
    channel Channel,
    role Role,
    measure Measure,
    cover_status CoverStatus,
    accuracy Accuracy,
    duty DutyKind,
    rule Rule,
    severity Severity,
    finding_state State,
    import_stage Stage,
}

schemas! {
    one_of_or_null:
    maybe_order_status Status,
    maybe_channel Channel,
    maybe_shape Shape,
    maybe_material Material,
    maybe_load_class LoadClass,
    maybe_place Place,
    maybe_crs Crs,
    maybe_cover_status CoverStatus,
    maybe_accuracy Accuracy,
}

pub fn matched() -> Object {
    one_of(["matched", "ambiguous", "unregistered"])
}

pub fn org_kind() -> Object {
    one_of(["utility", "section", "subdistrict_office", "department", "command_centre"])
}

/// A telephone number or null.
pub fn maybe_phone() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .description(Some(
            "3 to 20 digits, with what people write between them, and an extension after 转, ext, x or #",
        ))
        .pattern(Some(PATTERN))
        .max_length(Some(Phone::MOST))
        .build()
}

/// A list of actions.
pub fn legal() -> Schema {
    let actions = one_of(ActionKind::ALL.iter().map(|word| word.as_str()));
    Schema::Array(ArrayBuilder::new().items(actions).build())
}

/// What may be done about a finding.
pub fn finding_may() -> Schema {
    let deeds = one_of(Deed::ALL.iter().map(|word| word.as_str()));
    Schema::Array(ArrayBuilder::new().items(deeds).build())
}

/// Rings of positions, outer one first, of each part.
pub fn multi_polygon() -> Schema {
    let number = ObjectBuilder::new().schema_type(Type::Number);
    let position = ArrayBuilder::new().items(number).min_items(Some(2)).max_items(Some(2));
    let ring = ArrayBuilder::new().items(position).min_items(Some(4));
    let polygon = ArrayBuilder::new().items(ring);
    Schema::Array(ArrayBuilder::new().items(polygon).build())
}
