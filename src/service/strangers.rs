//! Organisations of other districts: each district holds those that something in it names. Where their own district is
//! served elsewhere, nothing in the feeds that are followed here tells of their changes, so they are looked at by themselves.

use std::collections::BTreeSet;

use super::{Context, Guli};
use crate::domain::id::{DistrictCode, OrgCode};
use crate::domain::order::{Assignee, Order};
use crate::domain::organization::Organization;
use crate::store::{Conn, Result, corrupt, organizations};

/// Who must act on these orders and their tasks.
pub(super) fn acting<'o>(orders: impl Iterator<Item = &'o Order>) -> impl Iterator<Item = &'o Assignee> {
    orders.flat_map(|order| order.tasks.iter().map(|task| &task.assignee).chain([&order.assignee]))
}

impl Context {
    /// Makes the units among these known in a district, as far as there are such.
    pub(super) async fn introduce<'a>(
        &self,
        conn: &mut Conn<'_>,
        district: DistrictCode,
        named: impl Iterator<Item = &'a Assignee> + Send,
    ) -> Result<()> {
        let unknown: BTreeSet<&OrgCode> = named
            .filter_map(|assignee| match assignee {
                Assignee::Unit(code) if self.index.organization(code).is_none() => Some(code),
                _ => None,
            })
            .collect();
        let unknown: Vec<OrgCode> = unknown.into_iter().cloned().collect();
        for organization in organizations::with_codes(conn, &unknown).await? {
            self.index.introduce(district, organization).map_err(|e| corrupt("an organization", e))?;
        }
        Ok(())
    }
}

impl Guli {
    /// Looks what has become of the organisations in memory whose districts are served elsewhere.
    pub async fn look_at_strangers(&self) -> Result<()> {
        let context = &self.context;
        let held: Vec<_> =
            context.index.strangers().into_iter().filter(|unit| context.known.has(unit.code.district())).collect();
        let codes: Vec<OrgCode> = held.iter().map(|unit| unit.code.clone()).collect();
        if codes.is_empty() {
            return Ok(());
        }
        let there = organizations::with_codes(&mut self.store.read().await?.conn(), &codes).await?;
        for unit in held {
            let now = there.iter().find(|there| there.code == unit.code).cloned();
            let now = now.unwrap_or_else(|| Organization::nameless(unit.code.clone()));
            if now != *unit {
                context.show_organization(now).map_err(|e| corrupt("an organization", e))?;
            }
        }
        Ok(())
    }
}
