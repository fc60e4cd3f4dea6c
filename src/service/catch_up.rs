//! From the feed into memory: what other processes committed, or a whole district.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Context, load, strangers};
use crate::domain::id::{DistrictCode, OrderCode, OrgCode};
use crate::domain::organization::Organization;
use crate::index::{DistrictIndex, IndexError};
use crate::store::events::Event;
use crate::store::head::Head;
use crate::store::{Conn, Result, StoreError, WriteConn, areas, corrupt, covers, events, head, orders, organizations};

/// Events of one reading.
const STRETCH: i64 = 1_000;
/// Behind by more than this, loading anew is the shorter way.
const FAR: i64 = 50_000;

/// How long the database may take to say how far it is.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether memory has come to where it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CaughtUp {
    Yes,
    MustLoad,
}

impl Context {
    /// Brings a district to where the database is, as one view of it shows; loads it anew where it is marked.
    pub(super) async fn follow(&self, conn: &mut WriteConn, district: DistrictCode) -> Result<()> {
        let mark = self.progress.mark(district);
        let looked = async {
            conn.snapshot().await?;
            head::read(&mut conn.conn(), district).await
        };
        let silent = |_| Err(StoreError::silent());
        let Some(head) = tokio::time::timeout(PATIENCE, looked).await.unwrap_or_else(silent)? else { return Ok(()) };
        let conn = &mut conn.conn();
        let Some(mark) = mark else { return self.catch_up(conn, district, &head).await };
        self.load(conn, district, &head).await?;
        self.progress.take_off(district, mark);
        Ok(())
    }

    /// Brings memory to the head that a transaction has locked, or that its view shows.
    pub(super) async fn catch_up(&self, conn: &mut Conn<'_>, district: DistrictCode, head: &Head) -> Result<()> {
        match self.catch_up_in_place(conn, district, head).await? {
            CaughtUp::Yes => Ok(()),
            CaughtUp::MustLoad => self.load(conn, district, head).await,
        }
    }

    /// The same as far as that needs no loading, which takes long.
    pub(super) async fn catch_up_in_place(
        &self,
        conn: &mut Conn<'_>,
        district: DistrictCode,
        head: &Head,
    ) -> Result<CaughtUp> {
        let position = self.progress.of(district).filter(|_| self.index.serves(district));
        let Some(position) = position.filter(|position| head.seq - position <= FAR) else {
            return Ok(CaughtUp::MustLoad);
        };
        if position >= head.seq {
            return Ok(CaughtUp::Yes);
        }
        let changes = Changes::read(conn, district, position, head.seq).await?;
        if changes.everything {
            return Ok(CaughtUp::MustLoad);
        }
        self.show_covers(conn, district, position, &changes).await?;
        self.show_organizations(conn, &changes).await?;
        self.show_orders(conn, district, &changes.orders).await?;
        self.index
            .set_registry_seq(district, head.registry_seq.unsigned_abs())
            .map_err(|e| corrupt("a district", e))?;
        self.progress.set(district, head.seq);
        Ok(CaughtUp::Yes)
    }

    /// Puts a district in the place of what was in memory, and its organisations that differ wherever they are known.
    pub(super) fn exchange(&self, fresh: DistrictIndex) {
        let changed = self.index.differing_units(&fresh);
        self.index.replace(fresh);
        for organization in changed {
            if let Err(error) = self.show_organization(organization) {
                tracing::error!(%error, "an organization cannot be held in memory");
            }
        }
    }

    /// Loads a district with its open orders.
    pub(super) async fn load(&self, conn: &mut Conn<'_>, district: DistrictCode, head: &Head) -> Result<()> {
        let record = areas::district(conn, district).await?;
        let record = record.ok_or_else(|| corrupt("district", district))?;
        let fresh = load::district(self, conn, record).await?;
        self.exchange(fresh);
        // What is kept of the past has today's names of people in it.
        self.past.clear();
        load::open_orders(self, conn, district).await?;
        self.progress.set(district, head.seq);
        Ok(())
    }

    /// Shows an organisation as it now is. Districts that it supervises grids in, and others that know it, are marked: one
    /// of them may be loading at this moment, with its name of before.
    pub(super) fn show_organization(&self, organization: Organization) -> std::result::Result<(), IndexError> {
        let code = organization.code.clone();
        self.index.put_organization(organization)?;
        let others = self.index.knowing_unit(&code).into_iter().filter(|other| *other != code.district());
        self.index.supervised_by(&code).into_iter().chain(others).for_each(|district| self.progress.outdate(district));
        Ok(())
    }

    async fn show_covers(
        &self,
        conn: &mut Conn<'_>,
        district: DistrictCode,
        position: i64,
        changes: &Changes,
    ) -> Result<()> {
        if !changes.covers {
            return Ok(());
        }
        let mut failed = None;
        covers::changed_since(conn, district, position, |cover| {
            if let Err(error) = self.index.put_cover(cover) {
                failed.get_or_insert(error);
            }
        })
        .await?;
        failed.map_or(Ok(()), |error| Err(corrupt("a cover", error)))
    }

    async fn show_organizations(&self, conn: &mut Conn<'_>, changes: &Changes) -> Result<()> {
        for code in &changes.organizations {
            let known = organizations::known(conn, code).await?;
            let organization = known.unwrap_or_else(|| Organization::nameless(code.clone()));
            self.show_organization(organization).map_err(|e| corrupt("an organization", e))?;
        }
        Ok(())
    }

    /// Shows orders as they now are.
    async fn show_orders(
        &self,
        conn: &mut Conn<'_>,
        district: DistrictCode,
        codes: &BTreeSet<OrderCode>,
    ) -> Result<()> {
        let codes: Vec<OrderCode> = codes.iter().copied().collect();
        for chunk in codes.chunks(crate::store::ROWS_PER_STATEMENT) {
            let loaded = orders::load(conn, district, &[], chunk).await?;
            self.introduce(conn, district, strangers::acting(loaded.iter().map(|stored| &stored.order))).await?;
            for stored in loaded {
                let mut order = stored.order;
                order.cover = super::settle::subject_by_id(&self.index, stored.cover);
                load::show(self, &order);
            }
        }
        Ok(())
    }
}

/// What a stretch of the feed changed.
#[derive(Debug, Default)]
struct Changes {
    orders: BTreeSet<OrderCode>,
    covers: bool,
    organizations: BTreeSet<OrgCode>,
    /// The district is to be loaded anew: areas, tables, or people whose names stand beside grids.
    everything: bool,
}

impl Changes {
    async fn read(conn: &mut Conn<'_>, district: DistrictCode, after: i64, until: i64) -> Result<Self> {
        let mut changes = Self::default();
        let mut last = after;
        while last < until && !changes.everything {
            let stretch = events::after(conn, district, last, STRETCH.min(until - last)).await?;
            // The numbers have no gaps; where they seem to, everything is read.
            changes.everything = stretch.first().is_none_or(|first| first.seq != last + 1);
            for event in stretch {
                last = event.seq;
                changes.add(&event);
            }
        }
        Ok(changes)
    }

    fn add(&mut self, event: &Event) {
        match event.kind.split('.').next().unwrap_or_default() {
            "work_order" => match event.subject.parse() {
                Ok(code) => drop(self.orders.insert(code)),
                Err(_) => self.everything = true,
            },
            "cover" => self.covers = true,
            "import" if event.is_import_of_covers() => self.covers = true,
            "organization" => match event.subject.parse() {
                Ok(code) => drop(self.organizations.insert(code)),
                Err(_) => self.everything = true,
            },
            "quality" => {}
            _ => self.everything = true,
        }
    }
}
