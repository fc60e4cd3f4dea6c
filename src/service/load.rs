//! From the store to the index: a district as it stands, read once at the start and after imports.

use std::collections::HashMap;

use super::Context;
use super::settle;
use crate::domain::grid::{District, DutyKind};
use crate::domain::id::GridCode;
use crate::index::{DistrictBuilder, DistrictIndex, DistrictParts};
use crate::store::personal::{self, Purpose};
use crate::store::{Conn, Result, areas, catalog, covers, head, orders, organizations, people};

/// How many organisations are read at most.
const ORGANIZATIONS: i64 = 100_000;

/// Builds the index of one district from what the connection sees.
pub async fn district(context: &Context, conn: &mut Conn<'_>, district: District) -> Result<DistrictIndex> {
    let code = district.code;
    let parts = areas::all(conn, code).await?;
    let leaders = leaders(context, conn, &district).await?;
    let registry_seq = head::read(conn, code).await?.map_or(0, |head| head.registry_seq.unsigned_abs());
    let mut builder = DistrictBuilder::new(DistrictParts {
        district,
        subdistricts: parts.subdistricts,
        communities: parts.communities,
        grids: parts.grids.into_iter().map(|grid| (leaders.get(&grid.code).cloned(), grid)).map(|(l, g)| (g, l)).collect(),
        organizations: organizations::list(conn, "", ORGANIZATIONS).await?,
        catalog: catalog::read(conn, code).await?,
        registry_seq,
    });
    covers::each_of(conn, code, |cover| builder.cover(cover)).await?;
    Ok(builder.finish())
}

/// Names of the grid leaders, unsealed.
async fn leaders(context: &Context, conn: &mut Conn<'_>, district: &District) -> Result<HashMap<GridCode, String>> {
    let sealed: HashMap<String, Vec<u8>> =
        personal::all(conn, district.code, Purpose::Duty).await?.into_iter().collect();
    let mut leaders = HashMap::new();
    for duty in people::duties(conn, district.code).await? {
        let (DutyKind::GridLeader, Ok(grid)) = (duty.kind, duty.area.parse::<GridCode>()) else { continue };
        let subject = format!("person:{}", duty.person);
        let place = personal::place(district.code, &subject, Purpose::Duty);
        let Some(sealed) = sealed.get(&subject) else { continue };
        let record = context.seal.open_sealed(&place, sealed)?;
        let name = serde_json::from_slice::<serde_json::Value>(&record)
            .ok()
            .and_then(|record| record["name"].as_str().map(str::to_owned));
        if let Some(name) = name {
            leaders.insert(grid, name);
        }
    }
    Ok(leaders)
}

/// Puts the district's open orders beside its covers.
pub async fn open_orders(context: &Context, conn: &mut Conn<'_>, district: &District) -> Result<()> {
    for stored in orders::open(conn, district.code).await? {
        let mut order = stored.order;
        order.cover = settle::subject_by_id(&context.index, district.code, stored.cover);
        context.index.put_order(&order);
    }
    Ok(())
}
