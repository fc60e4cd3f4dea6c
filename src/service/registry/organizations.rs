//! Reading organisations.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::actor::{Action, Actor};
use crate::domain::id::{DistrictCode, OrgCode};
use crate::domain::organization::Organization;
use crate::domain::said::say;
use crate::service::Guli;
use crate::service::error::{Result, ServiceError};
use crate::service::moment::{Moment, Reach};
use crate::store::organizations;

impl Guli {
    /// Organisations by code: now all of them; those of then as their districts had them, with those of cities and
    /// provinces as they are.
    pub async fn organizations(
        &self,
        actor: &Actor,
        as_of: Option<Timestamp>,
        district: Option<DistrictCode>,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Organization>> {
        self.authorize_anywhere(actor, Action::ReadOrganizations, || say!("organizations", "单位"))?;
        if let Some(district) = district {
            self.serves(district)?;
        }
        let moment = self.moment(as_of, district.map_or(Reach::Everywhere, Reach::District)).await?;
        let mut reader = self.store.read().await?;
        let conn = &mut reader.conn();
        if let (Moment::Now, None) = (&moment, district) {
            return Ok(organizations::list(conn, after, i64::try_from(limit).unwrap_or(i64::MAX)).await?);
        }
        let mut found = BTreeMap::new();
        for district in district.map_or_else(|| self.districts(), |district| vec![district]) {
            let known = organizations::of_district(conn, district, moment.change(district)).await?.into_iter();
            found.extend(known.map(|organization| (organization.code.to_string(), organization)));
        }
        Ok(found.into_values().filter(|organization| organization.code.as_str() > after).take(limit).collect())
    }

    /// One organisation.
    pub async fn organization(
        &self,
        actor: &Actor,
        as_of: Option<Timestamp>,
        code: &OrgCode,
    ) -> Result<Arc<Organization>> {
        self.authorize_anywhere(actor, Action::ReadOrganizations, || say!("organizations", "单位"))?;
        // Of cities and provinces no past is kept here.
        let as_of = as_of.filter(|_| self.serves(code.district()).is_ok());
        let moment = self.moment(as_of, Reach::District(code.district())).await?;
        if let Some(organization) = moment.organization(self, code) {
            return Ok(organization);
        }
        let mut reader = self.store.read().await?;
        let states = organizations::states(&mut reader.conn(), code).await?;
        // Of a district that is not served here memory holds only those that something here names.
        if let (Moment::Now, Some(last)) = (&moment, states.last().filter(|last| last.seq_to.is_none())) {
            return Ok(Arc::new(last.organization.clone()));
        }
        let states = states.iter().map(|state| (state.seq_from, state.seq_to));
        let had_gone = moment.had_gone(code.district(), states);
        let hidden = || ServiceError::NotFound(say!("organization {code}", "单位 {code}"));
        Err(if had_gone { crate::service::edit::organizations::removed(code) } else { hidden() })
    }
}
