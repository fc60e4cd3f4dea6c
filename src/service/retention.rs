//! Forgetting what is past its end: personal data (个人信息), replies kept for who asks again, what became of each row
//! of a file, and what an import left staged that ended before its file was read.

use super::Guli;
use super::error::Result;
use crate::store::{areas, idempotency, import_rows, personal};

impl Guli {
    /// Forgets, in every district; how many records.
    pub async fn forget(&self) -> Result<u64> {
        self.sweep_stage().await?;
        let mut forgotten = 0;
        // Of all that are this process's, whether they are in memory yet or not.
        let districts = areas::district_codes(&mut self.store.read().await?.conn()).await?;
        for district in districts.into_iter().filter(|district| self.context.districts.serve(*district)) {
            let now = self.context.clock.now();
            let forget = self.writer.alone(
                district,
                move |conn| {
                    Box::pin(async move {
                        let conn = &mut conn.conn();
                        Ok(personal::purge(conn, district, now).await?
                            + idempotency::purge(conn, district, now).await?
                            + import_rows::purge(conn, district, now).await?)
                    })
                },
                |count| count,
            );
            forgotten += forget.await?;
        }
        if forgotten > 0 {
            tracing::info!(forgotten, "records past their end were deleted");
        }
        Ok(forgotten)
    }
}
