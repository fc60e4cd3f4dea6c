//! What the quality check found, as it goes out.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::areas::{GeometryOut, pair};
use super::feed::ChangeOut;
use super::history::{EditorOut, Reader, by};
use super::problem::Language;
use super::wire::Out;
use super::words;
use crate::domain::actor::Actor;
use crate::domain::id::{CoverCode, DistrictCode, OrgCode};
use crate::domain::quality::Deed;
use crate::service::Guli;
use crate::service::error::Result;
use crate::service::quality::{Found, Mend, Mended, Place, Redrawn, Ruled, Subject};

/// What a finding is about.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubjectOut {
    /// cover, grid, district, organization or person
    #[serde(rename = "type")]
    #[schema(examples("cover"))]
    pub kind: &'static str,
    #[schema(examples("3702030103000123"))]
    pub code: String,
    /// Where it is read.
    #[schema(examples("/v1/covers/3702030103000123"))]
    pub href: String,
}

impl From<&Subject> for SubjectOut {
    fn from(subject: &Subject) -> Self {
        let (kind, code) = subject.named();
        let folder = match subject {
            Subject::Cover(_) => "covers",
            Subject::Grid(_) => "grids",
            Subject::District(_) => "districts",
            Subject::Organization(_) => "organizations",
            Subject::Person(_) => "people",
        };
        Self { kind, href: format!("/v1/{folder}/{code}"), code }
    }
}

/// A place: `GeoJSON` (RFC 7946).
#[derive(Debug, Serialize, ToSchema)]
pub struct PointOut {
    #[serde(rename = "type")]
    #[schema(examples("Point"))]
    pub kind: &'static str,
    pub coordinates: [f64; 2],
}

/// Where a finding is: a point, or the ground that is meant.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum PlaceOut {
    Point(PointOut),
    Ground(GeometryOut),
}

impl PlaceOut {
    fn new(place: &Place, out: Out) -> Result<Self> {
        Ok(match place {
            Place::At(at) => Self::Point(PointOut { kind: "Point", coordinates: pair(at.lon(), at.lat(), out)? }),
            Place::Ground(outline) => Self::Ground(GeometryOut::new(outline, out)?),
        })
    }
}

/// A request to send as it is: what would mend a finding, or take back what did.
#[derive(Debug, Serialize, ToSchema)]
pub struct MendOut {
    /// PATCH or POST
    #[schema(examples("PATCH"))]
    pub method: &'static str,
    #[schema(examples("/v1/covers/3702030103000123"))]
    pub href: String,
    /// JSON, or null where there is none to send.
    pub body: Value,
    /// The `If-Match` to send with it, where it is of one thing: the version that was looked at. Grids that are redrawn
    /// say theirs in the body.
    #[schema(examples("\"2\""))]
    pub if_match: Option<String>,
}

/// A grid as a redrawing takes it, in WGS 84; a new one is without a code.
fn grid(grid: &Redrawn) -> Result<Value> {
    let mut body = json!({
        "name": grid.name, "geometry": GeometryOut::new(&grid.outline, Out::default())?,
        "supervising_department": grid.supervising_department.as_ref().map(OrgCode::as_str),
    });
    if let Some((code, version)) = grid.code {
        body["code"] = json!(code.to_string());
        body["version"] = json!(version);
    }
    Ok(body)
}

impl MendOut {
    fn new(guli: &Guli, mend: &Mend) -> Result<Self> {
        let patched = match mend {
            Mend::SetOwner(code, _) | Mend::SetCategory(code, _) | Mend::Merge(code, _) => {
                guli.context.index.cover(*code)
            }
            Mend::Redraw(_) => None,
        };
        let if_match = patched.map(|cover| cover.version);
        let cover = |code: &CoverCode| format!("/v1/covers/{code}");
        let (method, href, body) = match mend {
            Mend::Merge(code, into) => {
                ("POST", format!("/v1/covers/{code}/merge"), json!({ "into": into.to_string() }))
            }
            Mend::SetOwner(code, owner) => ("PATCH", cover(code), json!({ "owner": owner.as_str() })),
            Mend::SetCategory(code, category) => ("PATCH", cover(code), json!({ "category": category.to_string() })),
            Mend::Redraw(grids) => {
                let grids = grids.iter().map(grid).collect::<Result<Vec<_>>>()?;
                ("POST", "/v1/grids/redraw".to_owned(), json!({ "grids": grids }))
            }
        };
        Ok(Self { method, href, body, if_match: if_match.map(|version| format!("\"{version}\"")) })
    }

    fn undo((code, version): (CoverCode, i64)) -> Self {
        Self {
            method: "POST",
            href: format!("/v1/covers/{code}/history/{version}/undo"),
            body: Value::Null,
            if_match: None,
        }
    }
}

/// What was said of a finding last.
#[derive(Debug, Serialize, ToSchema)]
pub struct RulingOut {
    pub at: jiff::Timestamp,
    /// Who said it.
    pub by: Option<EditorOut>,
    pub reason: Option<String>,
}

impl RulingOut {
    fn new(guli: &Guli, reader: &Actor, district: DistrictCode, Ruled { ruling, event }: &Ruled) -> Self {
        let by = event.as_ref().map(|event| by(Reader::of(guli, reader, district), event));
        Self { at: ruling.at, by, reason: ruling.reason.clone() }
    }
}

/// What mended a finding.
#[derive(Debug, Serialize, ToSchema)]
pub struct MendedOut {
    pub at: jiff::Timestamp,
    /// Who made the change.
    pub by: Option<EditorOut>,
    /// The last change, before it was no longer found, of what is looked at: of its covers, of the outline of its grids, of who
    /// stands for them. null where that is not known: what stands beside it changed, or a table.
    pub change: Option<ChangeOut>,
    /// What takes the change back; null unless it changed a cover that this is about, and nothing changed that since.
    pub undo: Option<MendOut>,
}

impl MendedOut {
    fn new(guli: &Guli, reader: &Actor, found: &Found, Mended { at, change, .. }: &Mended) -> Self {
        Self {
            at: *at,
            by: change.as_ref().map(|event| by(Reader::of(guli, reader, found.district), event)),
            change: change.clone().map(|event| ChangeOut::new(found.district, event)),
            undo: guli.to_undo(found).map(MendOut::undo),
        }
    }
}

/// Something that is wrong, or may be.
#[derive(Debug, Serialize, ToSchema)]
pub struct FindingOut {
    /// The same for as long as the same is wrong with the same things.
    #[schema(examples("5f1d2c3b4a596877"))]
    pub id: String,
    #[schema(schema_with = words::rule)]
    pub rule: &'static str,
    #[schema(schema_with = words::severity)]
    pub severity: &'static str,
    #[schema(schema_with = words::finding_state)]
    pub state: &'static str,
    pub subjects: Vec<SubjectOut>,
    pub geometry: Option<PlaceOut>,
    /// A sentence for people, in the language of `Accept-Language`.
    pub detail: String,
    pub mend: Option<MendOut>,
    pub ruling: Option<RulingOut>,
    /// Of a finding that is mended: when, by whom and by which change.
    pub mended: Option<MendedOut>,
    /// What the caller may do about it now: send `mend`, accept it, open it again, send `mended.undo`.
    #[schema(schema_with = words::finding_may)]
    pub may: Vec<&'static str>,
}

/// For whom an answer is, and how it is to look.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) actor: &'a Actor,
    pub(super) out: Out,
    pub(super) language: Language,
}

impl FindingOut {
    pub(super) fn new(guli: &Guli, found: &Found, View { actor, out, language }: View<'_>) -> Result<Self> {
        let Found { finding, state, ruling, mended, .. } = found;
        let detail = finding.detail.in_language(language);
        Ok(Self {
            id: finding.id.clone(),
            rule: finding.rule.as_str(),
            severity: finding.rule.severity().as_str(),
            state: state.as_str(),
            subjects: finding.subjects.iter().map(SubjectOut::from).collect(),
            geometry: finding.place.as_ref().map(|place| PlaceOut::new(place, out)).transpose()?,
            detail: detail.to_owned(),
            mend: finding.mend.as_ref().map(|mend| MendOut::new(guli, mend)).transpose()?,
            ruling: ruling.as_ref().map(|ruled| RulingOut::new(guli, actor, found.district, ruled)),
            mended: mended.as_ref().map(|mended| MendedOut::new(guli, actor, found, mended)),
            may: guli.may(actor, found).into_iter().map(Deed::as_str).collect(),
        })
    }
}
