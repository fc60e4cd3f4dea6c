//! Organisations of other districts: each district holds those that something in it names. Where their own district is
//! served elsewhere, nothing in the feeds that are followed here tells of their changes, so they are looked at by themselves.

use super::Guli;
use crate::domain::id::OrgCode;
use crate::domain::organization::Organization;
use crate::store::{Result, corrupt, organizations};

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
