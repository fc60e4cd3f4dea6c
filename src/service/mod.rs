//! The use cases: each loads, lets the domain decide, and commits. Joins store and index, which
//! know nothing of each other.

mod catch_up;
pub mod clock;
pub mod command;
pub mod districts;
pub mod edit;
pub mod error;
pub mod feed;
mod follow;
mod group;
mod idempotent;
pub mod import;
pub mod keys;
mod load;
pub mod moment;
pub mod orders;
mod progress;
pub mod quality;
pub mod registry;
pub mod reply;
mod retention;
mod settle;
mod strangers;
pub mod tracking;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::SignedDuration;
use tokio::sync::{Notify, watch};

use command::{Answer, Command};
use districts::Known;
use error::{Result, ServiceError};
use keys::KeyRing;
use progress::Progress;
use writer::Writer;

pub use settle::no_place;

use crate::domain::actor::Actor;
use crate::domain::cover::Status;
use crate::domain::deadline::WorkCalendar;
use crate::domain::grid::Districts;
use crate::domain::id::{CoverCode, DistrictCode, TrackingToken};
use crate::domain::order::Assignee;
use crate::domain::report::Place;
use crate::domain::said::{Said, say};
use crate::index::Index;
use crate::store::seal::Seal;
use crate::store::{DatabaseUrl, Result as StoreResult, Store, StoreError, copy, head};

/// What deciding needs besides a connection.
#[derive(Debug)]
pub struct Context {
    pub index: Index,
    pub seal: Seal,
    pub clock: clock::Clock,
    pub calendar: WorkCalendar,
    /// The districts that this process serves.
    districts: Districts,
    known: Known,
    progress: Progress,
    past: moment::PastDistricts,
    /// Told when memory has come to another change, of this process or another.
    committed: watch::Sender<()>,
    /// Told after every commit of this process.
    written: watch::Sender<()>,
    /// Told when somebody waits for what another process committed.
    wanted: Notify,
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
}

/// That not every district was tried yet.
fn loading() -> Said {
    say!("districts are still being loaded", "行政区仍在加载")
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
    checked: quality::Checked,
    stopping: AtomicBool,
    is_lean: bool,
}

/// What to open, and how.
#[derive(Debug, Clone, Default)]
pub struct Opening {
    pub database: DatabaseUrl,
    /// The file of the key that seals personal data; made when it is missing.
    pub key_file: PathBuf,
    /// Pages that an `SQLite` file may have.
    pub max_page_count: Option<u32>,
    /// Keys that are accepted beside those in the database.
    pub fixed_keys: Vec<(&'static str, Actor)>,
    pub districts: Districts,
    /// For imports alone: of the districts only those are in memory that the import at hand needs.
    pub is_lean: bool,
}

/// The key that seals; made together with a database, and never for one that holds what another key sealed.
async fn seal(store: &Store, key_file: &Path) -> StoreResult<Seal> {
    if let Some(seal) = Seal::read(key_file)? {
        return Ok(seal);
    }
    if crate::store::personal::exists(&mut store.read().await?.conn()).await? {
        return Err(StoreError::Setup(format!(
            "there is no key file {}, and the database holds names and phones sealed with it: put the file back (it \
             belongs to every backup), or say where it is by --key-file",
            key_file.display()
        )));
    }
    Seal::make(key_file)
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
        let (database, key_file) = (database.clone(), key_file.to_owned());
        let opening = Opening { database, key_file, max_page_count, fixed_keys, ..Opening::default() };
        let (guli, task) = Self::connect(opening).await?;
        guli.load().await?;
        Ok((guli, task))
    }

    /// The same with nothing in memory yet; [`load`](Self::load) or [`follow`](Self::follow) bring it there.
    pub async fn connect(opening: Opening) -> StoreResult<(Self, WriterTask)> {
        let store = Store::open(&opening.database, opening.max_page_count).await?;
        copy::require_complete(&mut store.read().await?.conn()).await?;
        let seal = seal(&store, &opening.key_file).await?;
        let context = Arc::new(Context {
            index: Index::default(),
            seal,
            clock: clock::Clock::default(),
            calendar: WorkCalendar::default(),
            districts: opening.districts,
            known: Known::default(),
            progress: Progress::default(),
            past: moment::PastDistricts::default(),
            committed: watch::Sender::new(()),
            written: watch::Sender::new(()),
            wanted: Notify::new(),
        });
        // Only who holds the file knows that no other process is in the middle of an import.
        if store.is_exclusive() {
            import::recover(&context.clock, &store).await?;
        }
        let (writer, task) = Writer::start(Arc::clone(&context), store.clone());
        let guli = Self {
            context,
            keys: KeyRing::default(),
            fixed_keys: opening.fixed_keys,
            store,
            writer,
            importing: tokio::sync::Mutex::new(()),
            checked: quality::Checked::default(),
            stopping: AtomicBool::new(false),
            is_lean: opening.is_lean,
        };
        let keys = crate::store::keys::all(&mut guli.store.read().await?.conn()).await?;
        guli.keys.set(&keys, &guli.fixed_keys);
        Ok((guli, task))
    }

    /// Whether requests should be sent here: everything is in memory, and what others commit is noticed. If not, why.
    pub fn is_ready(&self) -> std::result::Result<(), Said> {
        if self.is_stopping() {
            Err(say!("this server is stopping", "服务器正在停止"))
        } else if !self.context.progress.is_loaded() {
            Err(loading())
        } else if self.index_age() > follow::SILENCE {
            Err(say!("the database has not answered for some seconds", "数据库已数秒没有应答"))
        } else if self.writer.is_alive() {
            Ok(())
        } else {
            Err(say!("the writer has failed", "写入任务已失效"))
        }
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// How long ago this process last saw how far the database is.
    pub fn index_age(&self) -> SignedDuration {
        self.context.clock.now().duration_since(self.lag().seen)
    }

    /// From here on the answer to "ready?" is no.
    pub fn set_unready(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.context.committed.send_replace(());
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        let mut reader = self.store.read().await?;
        head::any(&mut reader.conn()).await?;
        Ok(())
    }

    /// Whether other processes may write to the database too.
    pub fn is_shared(&self) -> bool {
        !self.store.is_exclusive()
    }

    /// Closes the readers; the writer ends when the last owner drops this.
    pub async fn close(self) {
        self.store.close().await;
    }

    /// Has a command decided and committed. A plate may still bear a code that its cover had before, or of a record that
    /// was merged into another.
    pub async fn submit(&self, mut command: Command) -> Answer {
        let is_there =
            |code: CoverCode| self.context.index.cover(code).is_some_and(|cover| cover.status != Status::Removed);
        if let Some(code) = command.what.cover().filter(|code| !is_there(*code)) {
            // Apart: hardly any code is an old one, and every command would carry the room for it.
            match Box::pin(self.successor(code)).await {
                Ok(Some(present)) => command.what.set_cover(present),
                Ok(None) => {}
                Err(error) => return Answer::Refused(error),
            }
        }
        self.writer.submit(command).await
    }

    /// The district that a report belongs to.
    pub fn district_of(&self, place: &Place) -> Result<DistrictCode> {
        if let Some(code) = place.cover() {
            self.is_not_elsewhere(code.district())?;
        }
        settle::district_of(&self.context.index, place).map_err(|error| match (error, place.pin()) {
            (ServiceError::OutsideServiceArea(at), Some(pin)) => self.outside(pin.position(), at),
            (error, _) => error,
        })
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
