//! Reading areas: districts, sub-districts, communities, grids.

use std::collections::BTreeMap;

use crate::domain::grid::District;
use crate::domain::id::DistrictCode;
use crate::domain::said::say;
use crate::service::Guli;
use crate::service::error::{Result, ServiceError};
use crate::service::moment::Moment;
use crate::store::areas::{self, Area, Level};
use crate::store::head;

impl Guli {
    /// Areas of one level within a district, sub-district or community; boundaries are public.
    pub async fn areas(
        &self,
        moment: &Moment,
        level: Level,
        within: u64,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Area>> {
        let digits = within.ilog10() + 1;
        let district = DistrictCode::from_number(within / 10u64.pow(digits - 6))
            .ok_or_else(|| ServiceError::NotFound(say!("district {within}", "行政区 {within}")))?;
        self.serves(district)?;
        let mut reader = self.store.read().await?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let as_of = moment.change(district);
        Ok(areas::list(&mut reader.conn(), district, as_of, level.within(within), after, limit).await?)
    }

    /// One area by its code.
    pub async fn area(&self, moment: &Moment, district: DistrictCode, code: u64) -> Result<Area> {
        let hidden = || ServiceError::NotFound(say!("area {code}", "区域 {code}"));
        self.serves(district).map_err(|_| hidden())?;
        let mut reader = self.store.read().await?;
        let as_of = moment.change(district);
        let conn = &mut reader.conn();
        match areas::list(conn, district, as_of, (code, code), 0, 1).await?.pop() {
            Some(area) => Ok(area),
            None if as_of.is_none() && !areas::states(conn, district, code).await?.is_empty() => {
                Err(crate::service::edit::areas::removed(code))
            }
            None => Err(hidden()),
        }
    }

    /// Every district served, with its outline.
    pub async fn district_records(&self) -> Result<Vec<District>> {
        let mut reader = self.store.read().await?;
        Ok(areas::districts(&mut reader.conn()).await?)
    }

    /// Those of these districts, by rising code, that are served or were there, each with its version.
    pub async fn district_versions(&self, moment: &Moment, wanted: &[DistrictCode]) -> Result<Vec<(District, i64)>> {
        let mut reader = self.store.read().await?;
        if moment.instant().is_some() {
            let mut found = Vec::with_capacity(wanted.len());
            for code in wanted {
                found.extend(areas::district_at(&mut reader.conn(), *code, moment.change(*code)).await?);
            }
            return Ok(found);
        }
        let versions: BTreeMap<DistrictCode, i64> =
            areas::district_versions(&mut reader.conn()).await?.into_iter().collect();
        let districts = areas::districts(&mut reader.conn()).await?.into_iter();
        let served = districts.filter(|district| {
            wanted.binary_search(&district.code).is_ok() && self.context.index.serves(district.code)
        });
        let with_version = served.map(|district| {
            let version = versions.get(&district.code).copied().unwrap_or(1);
            (district, version)
        });
        Ok(with_version.collect())
    }

    /// The numbers of the last events of districts, as the database has them.
    pub async fn last_events(&self, districts: &[DistrictCode]) -> Result<Vec<(DistrictCode, i64)>> {
        let mut reader = self.store.read().await?;
        Ok(head::of(&mut reader.conn(), districts).await?)
    }
}
