//! A cover as it comes: whole, or as a patch (RFC 7396) of the whole.

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::wire::{PositionIn, Source};
use super::{body, params, words, write};
use crate::domain::catalog::CategoryCode;
use crate::domain::cover::{Accuracy, Cover, CoverDraft, LoadClass, Material, Place, Shape, Spec, Status};
use crate::domain::id::{CoverCode, OrgCode};
use crate::domain::said::say;
use crate::service::error::{Result, ServiceError};

/// A code by itself, or as answers show it, with a name that is not read.
#[derive(Debug, Clone, ToSchema)]
#[serde(untagged)]
pub enum CodeIn {
    Code(String),
    Ref(RefIn),
}

/// A reference as answers show it.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefIn {
    pub code: String,
    pub name: Option<String>,
}

/// By hand: of a value that is neither, serde would say only that no variant matched.
impl<'de> Deserialize<'de> for CodeIn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct CodeOrRef;
        impl<'de> Visitor<'de> for CodeOrRef {
            type Value = CodeIn;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a code")
            }

            fn visit_str<E: de::Error>(self, code: &str) -> std::result::Result<CodeIn, E> {
                Ok(CodeIn::Code(code.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> std::result::Result<CodeIn, A::Error> {
                RefIn::deserialize(MapAccessDeserializer::new(members)).map(CodeIn::Ref)
            }
        }
        deserializer.deserialize_any(CodeOrRef)
    }
}

impl CodeIn {
    pub fn text(&self) -> &str {
        match self {
            Self::Code(code) => code,
            Self::Ref(reference) => &reference.code,
        }
    }
}

/// A specification (规格); what is left out is not known.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SpecIn {
    #[schema(schema_with = words::maybe_shape)]
    pub shape: Option<String>,
    /// Diameter or length of the clear opening.
    #[schema(minimum = 100, maximum = 3000)]
    pub opening_mm: Option<f64>,
    #[schema(minimum = 100, maximum = 3000)]
    pub opening_width_mm: Option<f64>,
    #[schema(minimum = 0.2, maximum = 20)]
    pub depth_m: Option<f64>,
    #[schema(schema_with = words::maybe_material)]
    pub material: Option<String>,
    #[schema(schema_with = words::maybe_load_class)]
    pub load_class: Option<String>,
    #[schema(schema_with = words::maybe_place)]
    pub place: Option<String>,
    #[schema(minimum = 1950)]
    pub installed: Option<f64>,
}

/// A cover, as an answer of this service or without what the registry gives itself.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "category": "0103", "owner": "370203-DRN01", "responsible_unit": "370203-DRN01", "status": "in_service",
    "accuracy": "A", "position": {"lon": 120.33641, "lat": 36.11537}, "spec": {"shape": "round", "opening_mm": 700},
}))]
pub struct CoverIn {
    /// The registry's to give; on creation it may be said which.
    pub code: Option<String>,
    pub code_2026: Option<String>,
    pub category: Option<CodeIn>,
    pub owner: Option<CodeIn>,
    pub responsible_unit: Option<CodeIn>,
    #[serde(default, deserialize_with = "body::maybe_object")]
    #[schema(value_type = Option<SpecIn>)]
    pub spec: Option<SpecIn>,
    /// `in_service` unless said otherwise.
    #[schema(schema_with = words::maybe_cover_status)]
    pub status: Option<String>,
    /// C, the widest, unless said otherwise.
    #[schema(schema_with = words::maybe_accuracy)]
    pub accuracy: Option<String>,
    #[serde(deserialize_with = "body::object")]
    pub position: PositionIn,
    /// The registry's to give.
    pub grid: Option<CodeIn>,
    /// The registry's to give.
    pub version: Option<i64>,
}

/// What a patch may name.
const PATCHABLE: [&str; 7] = ["category", "owner", "responsible_unit", "spec", "status", "accuracy", "position"];

/// Of what may be patched, what every cover has.
const NEEDED: [&str; 3] = ["category", "status", "position"];

/// What only the registry gives.
const READ_ONLY: [&str; 4] = ["code", "code_2026", "grid", "version"];

fn word<T>(text: Option<&str>, pointer: &str, all: &[T], as_str: fn(T) -> &'static str) -> Result<Option<T>>
where
    T: Copy,
{
    let found = text.map(|text| params::word(text, all, as_str)).transpose();
    found.map_err(|detail| ServiceError::invalid(pointer, detail))
}

/// A number between two bounds, times `scale`, as a whole one.
fn whole(value: Option<f64>, pointer: &str, (min, max): (f64, f64), scale: f64) -> Result<Option<u16>> {
    let Some(value) = value else { return Ok(None) };
    let scaled = (value * scale).round();
    let fits = (min..=max).contains(&value) && (scale > 1.0 || (scaled - value).abs() < f64::EPSILON);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "20,000 at most, checked")]
    if fits {
        Ok(Some(scaled as u16))
    } else {
        let kind = if scale > 1.0 { say!("a number", "数") } else { say!("a whole number", "整数") };
        let detail = say!(
            "{kind} from {min} to {max} is needed, got {value}",
            "应为 {min} 到 {max} 的{kind}，收到 {value}",
            kind = kind,
        );
        Err(ServiceError::invalid(pointer, detail))
    }
}

impl SpecIn {
    fn read(&self) -> Result<Spec> {
        Ok(Spec {
            shape: word(self.shape.as_deref(), "/spec/shape", Shape::ALL, Shape::as_str)?,
            opening_mm: whole(self.opening_mm, "/spec/opening_mm", (100.0, 3000.0), 1.0)?,
            opening_width_mm: whole(self.opening_width_mm, "/spec/opening_width_mm", (100.0, 3000.0), 1.0)?,
            depth_mm: whole(self.depth_m, "/spec/depth_m", (0.2, 20.0), 1000.0)?,
            material: word(self.material.as_deref(), "/spec/material", Material::ALL, Material::as_str)?,
            load_class: word(self.load_class.as_deref(), "/spec/load_class", LoadClass::ALL, LoadClass::as_str)?,
            place: word(self.place.as_deref(), "/spec/place", Place::ALL, Place::as_str)?,
            // That it does not lie in the future is checked where the date is known.
            installed: whole(self.installed, "/spec/installed", (1950.0, 2200.0), 1.0)?,
        })
    }
}

fn unit(code: Option<&CodeIn>, pointer: &str) -> Result<Option<OrgCode>> {
    code.map(|code| code.text().parse().map_err(|error| ServiceError::invalid(pointer, error))).transpose()
}

impl CoverIn {
    /// The code that was given: in the edition of 2013 or 2026, or both if they are the same.
    pub fn code(&self) -> Result<Option<CoverCode>> {
        let read = |text: &Option<String>, pointer: &str| -> Result<Option<CoverCode>> {
            text.as_deref().map(|text| text.parse().map_err(|error| ServiceError::invalid(pointer, error))).transpose()
        };
        let (code, of_2026) = (read(&self.code, "/code")?, read(&self.code_2026, "/code_2026")?);
        match (code, of_2026) {
            (Some(code), Some(other)) if code != other => {
                let detail = say!("{other} is another cover than {code}", "{other} 与 {code} 不是同一个井盖");
                Err(ServiceError::invalid("/code_2026", detail))
            }
            (code, of_2026) => Ok(code.or(of_2026)),
        }
    }

    /// What is said of the cover; the category may be left to its code.
    pub fn draft(&self, code: Option<CoverCode>) -> Result<CoverDraft> {
        let category: Option<CategoryCode> = self
            .category
            .as_ref()
            .map(|category| category.text().parse().map_err(|error| ServiceError::invalid("/category", error)))
            .transpose()?;
        let category = category.or(code.map(CoverCode::category));
        let position = Source::Body("/position");
        Ok(CoverDraft {
            category: category.ok_or_else(|| {
                let detail =
                    say!("a category is needed, or a code that contains it", "缺少小类，或者包含小类的井盖编码");
                ServiceError::invalid("/category", detail)
            })?,
            owner: unit(self.owner.as_ref(), "/owner")?,
            responsible_unit: unit(self.responsible_unit.as_ref(), "/responsible_unit")?,
            position: self.position.locate(position)?,
            accuracy: word(self.accuracy.as_deref(), "/accuracy", Accuracy::ALL, Accuracy::as_str)?
                .unwrap_or(Accuracy::C),
            spec: self.spec.as_ref().map(SpecIn::read).transpose()?.unwrap_or_default(),
            status: word(self.status.as_deref(), "/status", Status::ALL, Status::as_str)?.unwrap_or(Status::InService),
        })
    }

    /// The draft of a cover that is there: what the registry gives may be sent back as it is.
    pub fn redraft(&self, cover: &Cover) -> Result<CoverDraft> {
        let other = write::not_to_change;
        if self.code()?.is_some_and(|code| code != cover.code) {
            return Err(other("/code"));
        }
        let grid = cover.grid.map(|grid| grid.to_string());
        if self.grid.as_ref().is_some_and(|given| Some(given.text()) != grid.as_deref()) {
            return Err(other("/grid"));
        }
        write::still_current(self.version, cover.version)?;
        self.draft(Some(cover.code))
    }
}

/// What may be changed of a cover, as JSON: what a patch is laid upon, and what versions are compared by.
pub fn document(cover: &Cover) -> Value {
    let spec = &cover.spec;
    json!({
        "category": cover.code.category().to_string(),
        "owner": cover.owner.as_ref().map(OrgCode::as_str),
        "responsible_unit": cover.responsible_unit.as_ref().map(OrgCode::as_str),
        "spec": {
            "shape": spec.shape.map(Shape::as_str),
            "opening_mm": spec.opening_mm,
            "opening_width_mm": spec.opening_width_mm,
            "depth_m": spec.depth_mm.map(|mm| f64::from(mm) / 1000.0),
            "material": spec.material.map(Material::as_str),
            "load_class": spec.load_class.map(LoadClass::as_str),
            "place": spec.place.map(Place::as_str),
            "installed": spec.installed,
        },
        "status": cover.status.as_str(),
        "accuracy": cover.accuracy.as_str(),
        "position": {"lon": cover.position.lon(), "lat": cover.position.lat()},
    })
}

/// A patch as it was sent, its members checked: what only the registry gives cannot be patched.
pub fn read_patch(bytes: &[u8]) -> Result<Map<String, Value>> {
    let patch = body::members(bytes)?;
    write::no_read_only(&patch, &READ_ONLY)?;
    if let Some(member) = patch.keys().find(|member| !PATCHABLE.contains(&member.as_str())) {
        let known = PATCHABLE.join(", ");
        let detail =
            say!("unknown field `{member}`; known here: {known}", "未知的成员 {member}，此处可用的有：{known}");
        return Err(ServiceError::invalid(format!("/{}", member.replace('~', "~0").replace('/', "~1")), detail));
    }
    write::no_nulls(&patch, &NEEDED)?;
    Ok(patch)
}

/// The draft that a patch makes of a cover.
pub fn patched(cover: &Cover, patch: &Map<String, Value>) -> Result<CoverDraft> {
    let mut whole = document(cover);
    let position = patch.get("position").and_then(Value::as_object);
    // Numbers of another system do not go with those that are there.
    if position.is_some_and(|position| ["crs", "x", "y"].iter().any(|member| position.contains_key(*member))) {
        whole["position"] = json!({});
    }
    merge(&mut whole, &Value::Object(patch.clone()));
    body::parse::<CoverIn>(whole.to_string().as_bytes())?.redraft(cover)
}

/// JSON Merge Patch, RFC 7396 section 2.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        target.clone_from(patch);
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    if let Value::Object(target) = target {
        for (member, value) in patch {
            if value.is_null() {
                target.remove(member);
            } else {
                merge(target.entry(member.clone()).or_insert(Value::Null), value);
            }
        }
    }
}

/// The members in which two documents differ, by JSON pointer.
pub fn differences(pointer: &str, from: &Value, to: &Value, found: &mut Vec<(String, Value, Value)>) {
    match (from, to) {
        (Value::Object(from), Value::Object(to)) => {
            for (member, value) in to {
                let before = from.get(member).unwrap_or(&Value::Null);
                differences(&format!("{pointer}/{member}"), before, value, found);
            }
        }
        (from, to) if from == to => {}
        (from, to) => found.push((pointer.to_owned(), from.clone(), to.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 7396, appendix A.
    #[test]
    fn patches_merge_as_the_standard_says() {
        for (target, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"a": "foo"}), json!(null), json!(null)),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let mut merged = target.clone();
            merge(&mut merged, &patch);
            assert_eq!(merged, result, "{target} {patch}");
        }
    }
}
