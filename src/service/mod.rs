//! The use cases: each loads, lets the domain decide, and commits. Joins store and index, which
//! know nothing of each other.

pub mod clock;
pub mod command;
pub mod edit;
pub mod error;
pub mod feed;
mod group;
mod idempotent;
pub mod import;
pub mod keys;
mod load;
pub mod moment;
pub mod orders;
pub mod quality;
pub mod registry;
pub mod reply;
mod retention;
mod settle;
pub mod tracking;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use command::{Answer, Command};
use error::{Result, ServiceError};
use keys::KeyRing;
use writer::Writer;

use crate::domain::actor::Actor;
use crate::domain::deadline::WorkCalendar;
use crate::domain::id::{DistrictCode, TrackingToken};
use crate::domain::order::Assignee;
use crate::domain::report::Place;
use crate::index::Index;
use crate::store::head::Head;
use crate::store::seal::Seal;
use crate::store::{Conn, DatabaseUrl, Result as StoreResult, Store, areas, copy};

/// What deciding needs besides a connection.
#[derive(Debug)]
pub struct Context {
    pub index: Index,
    pub seal: Seal,
    pub clock: clock::Clock,
    pub calendar: WorkCalendar,
    /// Told after every commit.
    committed: tokio::sync::watch::Sender<()>,
}

impl Context {
    /// Whether orders can be given to this unit, grid or sub-district.
    fn knows(&self, assignee: &Assignee) -> bool {
        match assignee {
            Assignee::Unit(code) => self.index.organization(code).is_some(),
            Assignee::Grid(code) => self.index.grid(*code).is_some(),
            Assignee::Subdistrict(code) => self.index.subdistrict(*code).is_some(),
        }
    }

    /// Brings the index to the head that a transaction has locked: no order is decided on a
    /// registry that has changed since.
    async fn catch_up(&self, conn: &mut Conn<'_>, district: DistrictCode, head: &Head) -> StoreResult<()> {
        if self.index.registry_seq(district) == Some(head.registry_seq.unsigned_abs()) {
            return Ok(());
        }
        let found = areas::districts(conn).await?.into_iter().find(|d| d.code == district);
        if let Some(found) = found {
            let fresh = load::district(self, conn, found).await?;
            self.index.replace(fresh);
        }
        Ok(())
    }
}

/// SHA-256 of a tracking token: all that is kept of it.
fn token_hash(token: &TrackingToken) -> [u8; 32] {
    keys::hash(token.reveal().as_bytes())
}

/// The running system: open it once, share it, close it.
#[derive(Debug)]
pub struct Guli {
    pub context: Arc<Context>,
    pub keys: KeyRing,
    fixed_keys: Vec<(&'static str, Actor)>,
    pub(crate) store: Store,
    writer: Writer,
    importing: tokio::sync::Mutex<()>,
    past: moment::PastDistricts,
    checked: quality::Checked,
    ready: AtomicBool,
}

/// The writer's task; awaited at the end, when every [`Guli`] is dropped.
pub type WriterTask = tokio::task::JoinHandle<()>;

impl Guli {
    /// Opens the database, finishes what a crash left undone, builds the index and starts the writer.
    pub async fn open(
        database: &DatabaseUrl,
        key_file: &Path,
        max_page_count: Option<u32>,
        fixed_keys: Vec<(&'static str, Actor)>,
    ) -> StoreResult<(Self, WriterTask)> {
        let store = Store::open(database, max_page_count).await?;
        copy::require_complete(&mut store.read().await?.conn()).await?;
        let context = Arc::new(Context {
            index: Index::default(),
            seal: Seal::open(key_file)?,
            clock: clock::Clock::default(),
            calendar: WorkCalendar::default(),
            committed: tokio::sync::watch::Sender::new(()),
        });
        // Only who holds the file knows that no other process is in the middle of an import.
        if store.is_exclusive() {
            import::recover(&context.clock, &store).await?;
        }
        let mut reader = store.read().await?;
        for district in areas::districts(&mut reader.conn()).await? {
            let index = load::district(&context, &mut reader.conn(), district.clone()).await?;
            context.index.replace(index);
            load::open_orders(&context, &mut reader.conn(), &district).await?;
        }
        drop(reader);
        let (writer, task) = Writer::start(Arc::clone(&context), store.clone());
        let guli = Self {
            context,
            keys: KeyRing::default(),
            fixed_keys,
            store,
            writer,
            importing: tokio::sync::Mutex::new(()),
            past: moment::PastDistricts::default(),
            checked: quality::Checked::default(),
            ready: AtomicBool::new(true),
        };
        let keys = crate::store::keys::all(&mut guli.store.read().await?.conn()).await?;
        guli.keys.set(&keys, &guli.fixed_keys);
        Ok((guli, task))
    }

    /// Whether requests should be sent here.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed) && self.writer.is_alive()
    }

    /// From here on the answer to "ready?" is no.
    pub fn set_unready(&self) {
        self.ready.store(false, Ordering::Relaxed);
        self.context.committed.send_replace(());
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        let mut reader = self.store.read().await?;
        areas::districts(&mut reader.conn()).await?;
        Ok(())
    }

    /// Closes the readers; the writer ends when the last owner drops this.
    pub async fn close(self) {
        self.store.close().await;
    }

    /// Has a command decided and committed.
    pub async fn submit(&self, command: Command) -> Answer {
        self.writer.submit(command).await
    }

    /// The district that a report belongs to.
    pub fn district_of(&self, place: &Place) -> Result<DistrictCode> {
        settle::district_of(&self.context.index, place)
    }

    /// Checks that a district is served here.
    pub fn serves(&self, district: DistrictCode) -> Result<()> {
        if self.context.index.serves(district) {
            Ok(())
        } else {
            Err(ServiceError::NotFound(format!("district {district}")))
        }
    }

    /// This year by the district's clock: nothing can have been installed later.
    pub fn this_year(&self) -> u16 {
        u16::try_from(self.context.calendar.day(self.context.clock.now()).year()).unwrap_or(u16::MAX)
    }

    /// The districts served.
    pub fn districts(&self) -> Vec<DistrictCode> {
        self.context.index.districts().iter().map(|district| district.code).collect()
    }
}
