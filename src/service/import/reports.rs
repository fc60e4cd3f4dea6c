//! What became of imports: the list of them, the report of each, and of each row.

use jiff::SignedDuration;

use super::ImportFile;
use crate::domain::actor::{self, Action, Actor, Resource};
use crate::domain::id::{DistrictCode, ImportId};
use crate::domain::said::say;
use crate::service::Guli;
use crate::service::error::{Result, ServiceError};
use crate::store::import_rows::{self, Piece};
use crate::store::imports::{self, NotedImport, Wanted};

/// How long it is kept what became of each row of a file.
const ROWS_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What imports are asked for.
#[derive(Debug, Clone, Default)]
pub struct ImportsAsked {
    pub district: Option<DistrictCode>,
    pub profile: Option<String>,
    /// As they are noted; an empty list narrows nothing.
    pub states: Vec<&'static str>,
    pub before: Option<ImportId>,
    pub limit: usize,
}

impl Guli {
    /// Keeps what became of a file, for whoever asks later; `counts` and `stored` are of its rows.
    pub async fn keep_report(&self, file: &ImportFile, counts: String, stored: bool, report: String) -> Result<()> {
        let now = self.context.clock.now();
        let state = if stored { "applied" } else { "rejected" };
        // What has changed something is noted already.
        let noted = NotedImport { ended_at: Some(now), counts, ..file.noted(state, now) };
        let keep = self.writer.alone(
            file.district,
            move |conn| {
                Box::pin(async move {
                    let conn = &mut conn.conn();
                    imports::begin(conn, &noted).await?;
                    imports::put_report(conn, noted.district, noted.id, &noted.actor, &report).await
                })
            },
            |()| (),
        );
        Ok(keep.await?)
    }

    /// Keeps a piece of what became of a file's rows.
    pub async fn keep_rows(&self, piece: Piece) -> Result<()> {
        let until = self.context.clock.now() + ROWS_KEPT;
        let keep = self.writer.alone(
            piece.district,
            move |conn| Box::pin(async move { import_rows::put(&mut conn.conn(), &piece, until).await }),
            |()| (),
        );
        Ok(keep.await?)
    }

    /// Imports, the newest first: of whoever made them, and to administrators of all.
    pub async fn imports(&self, actor: &Actor, asked: ImportsAsked) -> Result<Vec<NotedImport>> {
        if actor.is_anonymous() {
            return Err(ServiceError::refused(actor::Refusal::Unauthenticated, say!("imports", "导入记录")));
        }
        let districts = match asked.district {
            Some(district) => {
                self.serves(district)?;
                vec![district]
            }
            None => self.districts(),
        };
        let (all_of, own_of) = districts.into_iter().partition(|district| is_admin(actor, *district));
        let wanted = Wanted {
            all_of,
            own_of,
            actor: actor.log_name(),
            profile: asked.profile,
            states: asked.states,
            before: asked.before,
            limit: i64::try_from(asked.limit).unwrap_or(i64::MAX),
        };
        Ok(imports::list(&mut self.store.read().await?.conn(), &wanted).await?)
    }

    /// What became of a file, for whoever sent it and for administrators.
    pub async fn import_report(&self, actor: &Actor, id: ImportId) -> Result<String> {
        self.reported(actor, id).await.map(|(_, report)| report)
    }

    /// An import as it is noted, if it is: a try and one that just begins are not.
    pub async fn noted_import(&self, id: ImportId) -> Result<Option<NotedImport>> {
        let mut reader = self.store.read().await?;
        for district in self.districts() {
            if let Some(noted) = imports::find(&mut reader.conn(), district, id).await? {
                return Ok(Some(noted));
            }
        }
        Ok(None)
    }

    /// The district of an import that the caller may know of, and its report.
    async fn reported(&self, actor: &Actor, id: ImportId) -> Result<(DistrictCode, String)> {
        let mut reader = self.store.read().await?;
        for district in self.districts() {
            let Some((by, report)) = imports::report(&mut reader.conn(), district, id).await? else { continue };
            if is_admin(actor, district) || (!actor.is_anonymous() && by == actor.log_name()) {
                return Ok((district, report));
            }
        }
        Err(ServiceError::NotFound(say!("import {id}", "导入记录 {id}")))
    }

    /// Whose rows are kept: the district of an import that the caller may know of.
    pub async fn import_rows(&self, actor: &Actor, id: ImportId) -> Result<DistrictCode> {
        let (district, _) = self.reported(actor, id).await?;
        // The first piece is kept last.
        match self.rows_piece(district, id, 0).await? {
            Some(_) => Ok(district),
            None => Err(ServiceError::NotFound(say!("rows of import {id}", "导入 {id} 的逐行报告"))),
        }
    }

    /// A piece of what became of a file's rows, compressed.
    pub async fn rows_piece(&self, district: DistrictCode, id: ImportId, number: i64) -> Result<Option<Vec<u8>>> {
        Ok(import_rows::read(&mut self.store.read().await?.conn(), district, id, number).await?)
    }
}

fn is_admin(actor: &Actor, district: DistrictCode) -> bool {
    actor::authorize(actor, Action::Import, Resource::District(district)).is_ok()
}
