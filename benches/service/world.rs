//! The demo district in two sizes, each generated and imported once a run.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Error, Result, ensure};
use guli::domain::cover::Cover;
use guli::domain::id::DistrictCode;
use guli::domain::position::{Position, Wgs84};
use guli::domain::said::english;
use guli::store::{Conn, DatabaseUrl, covers};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;

use super::import::Large;
use super::load::get;
use super::numbers::Rng;
use super::process::guli;

/// Pins of a load, and covers read for it.
const PINS: usize = 20_000;

/// The district of the demo.
pub(crate) fn district() -> DistrictCode {
    DistrictCode::from_number(370_203).expect("six digits")
}

/// A database with covers in a folder that goes when this does.
pub(crate) struct World {
    dir: TempDir,
    /// How many covers were asked for.
    pub(crate) covers: u64,
}

impl World {
    /// The files of a world, without a database yet.
    pub(crate) fn generate(covers: u64) -> Result<Self> {
        Self::of_districts(covers, 1)
    }

    /// The same of several districts, each with its share of the covers.
    pub(crate) fn of_districts(covers: u64, districts: u32) -> Result<Self> {
        eprintln!("making {covers} covers, districts: {districts} …");
        let dir = TempDir::new()?;
        let mut command = guli();
        command.args(["demo", "generate", "--covers", &covers.to_string(), "--districts", &districts.to_string()]);
        command.arg("--out").arg(dir.path().join("files"));
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        ensure!(status.success(), "the world could not be generated");
        Ok(Self { dir, covers })
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn files(&self) -> PathBuf {
        self.dir.path().join("files")
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.dir.path().join("guli.db")
    }

    /// Imports the files into a database, through its server where one runs.
    pub(crate) fn import(&self, database: &Path, more: &[&str]) -> Result<()> {
        import(&self.files(), &DatabaseUrl::sqlite(database).to_string(), more)
    }

    /// Another folder with the same database, to be written to.
    pub(crate) fn copy(&self) -> Result<TempDir> {
        let dir = TempDir::new()?;
        for name in ["guli.db", "guli.key"] {
            let copy = dir.path().join(name);
            std::fs::copy(self.dir.path().join(name), &copy).context(name)?;
            // Else the first syncs of whoever is measured next wait for the copy too.
            std::fs::File::open(&copy)?.sync_all()?;
        }
        Ok(dir)
    }

    /// Up to this many covers, from all over the district.
    pub(crate) fn sample(&self, most: usize) -> Result<Vec<Cover>> {
        let step = usize::try_from(self.covers)?.div_ceil(most).max(1);
        let mut sample = Vec::with_capacity(most);
        block_on(async {
            let mut conn = open(&self.database(), true).await?;
            let (mut n, mut reader) = (0, Conn::Sqlite(&mut conn));
            let each = covers::each_of(&mut reader, district(), None, |cover| {
                if n % step == 0 {
                    sample.push(cover);
                }
                n += 1;
            });
            each.await?;
            Ok(conn.close().await?)
        })?;
        Rng(7).shuffle(&mut sample);
        Ok(sample)
    }

    /// Where people who mean a cover might drop their pins: up to 8 m off, to the east and to the north.
    pub(crate) fn pins(&self) -> Result<Vec<Position<Wgs84>>> {
        let mut rng = Rng(11);
        let sample = self.sample(PINS)?;
        let mut off = |cover: &Cover| cover.position.offset(8.0 * rng.swing(), 8.0 * rng.swing());
        sample.iter().map(&mut off).collect::<Result<_, _>>().map_err(|error| Error::msg(english(error)))
    }

    /// Requests that resolve those pins.
    pub(crate) fn resolve_requests(&self) -> Result<Vec<Vec<u8>>> {
        let path = |pin: Position<Wgs84>| format!("/v1/resolve?lon={:.7}&lat={:.7}", pin.lon(), pin.lat());
        Ok(self.pins()?.into_iter().map(|pin| get(&path(pin))).collect())
    }
}

/// Imports the files of a folder into a database of any kind.
pub(crate) fn import(folder: &Path, database: &str, more: &[&str]) -> Result<()> {
    let mut command = guli();
    command.arg("import").arg(folder).args(["--keep-going", "--database", database]).args(more);
    let output = command.stdin(Stdio::null()).output()?;
    ensure!(output.status.success(), "an import failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Opens a database as Guli's own writer does.
pub(crate) async fn open(file: &Path, read_only: bool) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new().filename(file).read_only(read_only).foreign_keys(false);
    let options = options.disable_statement_logging();
    if read_only {
        return Ok(options.connect().await?);
    }
    let options = options
        .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
        .synchronous(sqlx::sqlite::SqliteSynchronous::Full)
        .pragma("cache_size", "-16384")
        .pragma("wal_autocheckpoint", "8192");
    Ok(options.connect().await?)
}

/// Runs asynchronous work to its end.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?.block_on(work)
}

/// Both sizes, made when first asked for.
pub(crate) struct Worlds {
    covers: u64,
    small: OnceCell<World>,
    large: OnceCell<(World, Large)>,
}

impl Worlds {
    pub(crate) fn new(covers: u64) -> Self {
        Self { covers, small: OnceCell::new(), large: OnceCell::new() }
    }

    pub(crate) fn small(&self) -> Result<&World> {
        if let Some(world) = self.small.get() {
            return Ok(world);
        }
        let world = World::generate(super::SMALL)?;
        world.import(&world.database(), &[])?;
        Ok(self.small.get_or_init(|| world))
    }

    /// The large world, and what its import was like.
    pub(crate) fn large(&self) -> Result<&(World, Large)> {
        if let Some(made) = self.large.get() {
            return Ok(made);
        }
        let world = World::generate(self.covers)?;
        let import = super::import::large(&world)?;
        Ok(self.large.get_or_init(|| (world, import)))
    }
}
