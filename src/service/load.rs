//! From the store to the index: a district as it stands, read once at the start and after imports.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::Context;
use super::registry::Contact;
use super::{settle, strangers};
use crate::domain::grid::{District, DutyKind};
use crate::domain::id::{DistrictCode, GridCode, OrgCode, PersonId};
use crate::domain::order::Order;
use crate::index::{DistrictBuilder, DistrictIndex, DistrictSnapshot, OpenOrder};
use crate::store::personal::{self, PersonalData, Purpose};
use crate::store::{Conn, Result, areas, catalog, corrupt, covers, head, orders, organizations, people};

/// Builds the index of one district from what the connection sees.
pub(super) async fn district(context: &Context, conn: &mut Conn<'_>, district: District) -> Result<DistrictIndex> {
    district_at(context, conn, district, None).await
}

/// The index of one district as it is, or as it was after the event `as_of`. Names of people, whose past
/// is not kept, unlike that of their duties, and of other districts' organisations are always today's.
pub(super) async fn district_at(
    context: &Context,
    conn: &mut Conn<'_>,
    district: District,
    as_of: Option<i64>,
) -> Result<DistrictIndex> {
    let code = district.code;
    let parts = areas::all(conn, code, as_of).await?;
    let leaders = leaders(context, conn, code, as_of).await?;
    let mut organizations = organizations::of_district(conn, code, as_of).await?;
    // Of other districts' only those that are named here: of a thousand districts each would hold a thousand's.
    let supervising = parts.grids.iter().filter_map(|grid| grid.supervising_department.as_ref());
    let strangers: BTreeSet<&OrgCode> = supervising.filter(|department| department.district() != code).collect();
    let strangers: Vec<OrgCode> = strangers.into_iter().cloned().collect();
    organizations.extend(organizations::with_codes(conn, &strangers).await?);
    let registry_seq = match as_of {
        Some(seq) => seq,
        None => head::read(conn, code).await?.map_or(0, |head| head.registry_seq),
    };
    let registry_seq = registry_seq.unsigned_abs();
    let mut builder = DistrictBuilder::new(DistrictSnapshot {
        district,
        subdistricts: parts.subdistricts,
        communities: parts.communities,
        grids: parts
            .grids
            .into_iter()
            .map(|grid| {
                let leader = leaders.get(&grid.code).cloned();
                (grid, leader)
            })
            .collect(),
        organizations,
        catalog: catalog::read(conn, code).await?,
        registry_seq,
    })
    .map_err(|e| corrupt("a district", e))?;
    let mut failed = None;
    covers::each_of(conn, code, as_of, |cover| {
        if let Err(error) = builder.cover(cover) {
            failed.get_or_insert(error);
        }
    })
    .await?;
    if let Some(error) = failed {
        return Err(corrupt("a cover", error));
    }
    let strangers: Vec<OrgCode> = builder.nameless().into_iter().filter(|named| named.district() != code).collect();
    for organization in organizations::with_codes(conn, &strangers).await? {
        builder.organization(organization).map_err(|e| corrupt("an organization", e))?;
    }
    Ok(builder.finish())
}

/// What a person's sealed data is kept under.
pub(super) fn subject(person: PersonId) -> String {
    format!("person:{person}")
}

/// A person's name and phone; `sealed` are the district's records by subject.
pub(super) fn unseal(
    context: &Context,
    district: DistrictCode,
    person: PersonId,
    sealed: &HashMap<String, Vec<u8>>,
) -> Result<Contact> {
    let subject = subject(person);
    let Some(sealed) = sealed.get(&subject) else { return Ok(Contact::default()) };
    let opened = context.seal.open_sealed(&personal::place(district, &subject, Purpose::Duty), sealed)?;
    Ok(serde_json::from_slice(&opened).unwrap_or_default())
}

/// A person's name and phone, sealed; they end with the person's record.
pub(super) fn seal(
    context: &Context,
    district: DistrictCode,
    person: PersonId,
    contact: &Contact,
) -> Result<PersonalData> {
    let subject = subject(person);
    let place = personal::place(district, &subject, Purpose::Duty);
    let bytes = serde_json::to_vec(contact).map_err(|e| corrupt("a contact", e))?;
    let sealed = context.seal.seal(&place, &bytes)?;
    Ok(PersonalData { subject, purpose: Purpose::Duty, retain_until: None, sealed })
}

/// Names of the grid leaders, unsealed.
async fn leaders(
    context: &Context,
    conn: &mut Conn<'_>,
    district: DistrictCode,
    as_of: Option<i64>,
) -> Result<HashMap<GridCode, String>> {
    let sealed: HashMap<String, Vec<u8>> = personal::all(conn, district, Purpose::Duty).await?.into_iter().collect();
    let duties = match as_of {
        None => people::duties(conn, district).await?,
        Some(seq) => people::at(conn, district, seq).await?.1,
    };
    let mut leaders = HashMap::new();
    for duty in duties {
        let (DutyKind::GridLeader, Ok(grid)) = (duty.kind, duty.area.parse::<GridCode>()) else { continue };
        if let Some(name) = unseal(context, district, duty.person, &sealed)?.name {
            leaders.insert(grid, name);
        }
    }
    Ok(leaders)
}

/// Puts the district's open orders beside its covers, and takes off those that are no longer open.
pub(super) async fn open_orders(context: &Context, conn: &mut Conn<'_>, district: DistrictCode) -> Result<()> {
    let open = orders::open(conn, district, None).await?;
    context.introduce(conn, district, strangers::acting(open.iter().map(|stored| &stored.order))).await?;
    let codes: HashSet<_> = open.iter().map(|stored| stored.order.code).collect();
    context.index.retain_orders(district, |code| codes.contains(&code));
    for stored in open {
        let mut order = stored.order;
        order.cover = settle::subject_by_id(&context.index, stored.cover);
        show(context, &order);
    }
    Ok(())
}

/// Shows an order on the map as it now is, or takes it off.
pub(super) fn show(context: &Context, order: &Order) {
    if !order.status.is_open() {
        context.index.remove_order(order.code);
        return;
    }
    context.index.put_order(open_order(order));
}

/// What the map knows of an order.
pub(super) fn open_order(order: &Order) -> OpenOrder {
    OpenOrder {
        code: order.code,
        cover: order.cover.as_ref().map(|cover| cover.id),
        position: order.position,
        damage: order.damage.clone(),
        status: order.status.as_str(),
        reported_at: order.opened_at,
        report_count: order.report_count,
        grid: order.grid,
        due_at: order.due_at(),
        repaired_at: order.repaired_at,
        assignee: order.assignee.clone(),
    }
}
