//! Running an import: files one after the other, each read, checked against the registry and,
//! if it passes, made part of it.
//!
//! All or nothing for each file, unless told to [keep going](OnError::KeepGoing). It runs on a thread of its own and
//! asks the writer chunk by chunk, so that reports are taken meanwhile.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use super::check::{Asks, Checker, Served, World};
use super::draft::Draft;
use super::field::Kind;
use super::finding::{Finding, FindingCode};
use super::lookup::Lookup;
use super::profile::Profile;
use super::report::{Report, Tally};
use super::rows_out::{KeptRows, Packed, RowLine, RowsOut};
use super::run_covers::CoverRun;
use super::run_few::Few;
use super::{Row, read};
use crate::crs::CrsService;
use crate::domain::actor::Actor;
use crate::domain::catalog::Catalog;
use crate::domain::id::{DistrictCode, ImportId};
use crate::domain::said::say;
use crate::service::Guli;
use crate::service::error::ServiceError;
use crate::service::import::{Counts, ImportFile, Outcome};
use crate::store::import_rows::Piece;

/// Rows that are read, checked and staged together.
pub(super) const CHUNK: usize = 2_000;

/// Why a run could not go on. What was imported before stays.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("{}: {source}", .path.display())]
    File { path: PathBuf, source: std::io::Error },
    /// Found before anything is read.
    #[error("nothing was imported, for not every file is there: {}", .0.join("; "))]
    Away(Vec<String>),
    #[error("{0}")]
    Service(#[from] ServiceError),
    #[error("several districts are served: say which one with --district")]
    WhichDistrict,
}

/// Whether anything is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Apply,
    /// Everything is read and checked, nothing is written.
    DryRun,
}

/// What an error in one row does to its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// Nothing of the file is stored.
    RefuseFile,
    /// The good rows are stored.
    KeepGoing,
}

/// What is to be imported.
#[derive(Debug, Clone)]
pub struct Request {
    /// Profiles and the files that they are for, in this order.
    pub files: Vec<(Profile, PathBuf)>,
    pub mode: Mode,
    pub on_error: OnError,
    /// Where several districts are served.
    pub district: Option<DistrictCode>,
    /// Where to write one JSON line for each row.
    pub rows_to: Option<PathBuf>,
    /// How the log names who asks.
    pub by: String,
    /// Whose right each cover must fall under; `None` of whoever may import any.
    pub actor: Option<Arc<Actor>>,
    /// The identity of the import, where it was given already; of one file.
    pub id: Option<ImportId>,
}

/// How far a run has come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Progress {
    pub file: String,
    pub bytes: u64,
    pub of_bytes: u64,
    pub rows: u64,
}

/// Imports the files of a request. Blocks: call it where blocking is allowed, within a runtime.
pub fn run(guli: &Arc<Guli>, request: &Request, progress: &mut dyn FnMut(&Progress)) -> Result<Vec<Report>, RunError> {
    all_there(&request.files)?;
    let handle = Handle::current();
    let _turn = handle.block_on(guli.import_turn())?;
    let district = district_of(&handle.block_on(guli.open_to_imports())?, request)?;
    handle.block_on(guli.make_room(district))?;
    let lookup = Lookup::new(guli, &handle);
    let (holder, nearest) =
        (|code| lookup.holder(code), |category, at, source: Option<&_>| lookup.nearest(category, at, source));
    let takes = |column: &str| lookup.takes(column);
    let asks = Asks { holder: &holder, nearest: &nearest, takes: &takes };
    let mut world = handle.block_on(world(guli, district, asks))?;
    world.wanted = wanted(request);
    let crs = CrsService::new();
    let checker = match request.mode {
        Mode::Apply => Checker::new(world, crs),
        Mode::DryRun => Checker::remembering(world, crs),
    };
    let rows_out = request.rows_to.as_deref().map(RowsOut::create).transpose()?;
    let (id, kept) = (guli.new_import_id(), None);
    let mut run =
        Run { guli, handle: &handle, request, lookup: &lookup, checker, crs, rows_out, id, kept, district, progress };
    let mut reports = Vec::with_capacity(request.files.len());
    let mut files = request.files.iter();
    while let Some((profile, path)) = files.next() {
        let report = run.file(profile, path)?;
        if profile.kind == Kind::District {
            // Now it is known what lies beside it.
            handle.block_on(guli.make_room(run.district))?;
        }
        run.keep(&report, profile.kind);
        // What follows a refused area or organisation would only miss it, row by row.
        let refused = report.rejected && !matches!(profile.kind, Kind::Covers | Kind::People);
        let waits_for = refused.then(|| report.file.clone());
        reports.push(report);
        if let Some(waits_for) = waits_for {
            reports.extend(files.by_ref().map(|(profile, path)| run.untried(profile, path, waits_for.clone())));
        }
    }
    if let Some(rows_out) = run.rows_out {
        rows_out.finish()?;
    }
    Ok(reports)
}

/// Whether all of these files can be opened.
pub fn all_there(files: &[(Profile, PathBuf)]) -> Result<(), RunError> {
    let away: Vec<String> = files.iter().filter_map(|(_, path)| away(path)).collect();
    if away.is_empty() { Ok(()) } else { Err(RunError::Away(away)) }
}

/// Why a file cannot be imported, before it is read.
fn away(path: &Path) -> Option<String> {
    let why = match File::open(path).and_then(|file| file.metadata()) {
        Ok(about) if !about.is_dir() => return None,
        Ok(_) => "a folder, not a file".to_owned(),
        Err(error) => error.to_string(),
    };
    Some(format!("{}: {why}", path.display()))
}

fn file_name(profile: &Profile, path: &Path) -> String {
    path.file_name().map_or_else(|| profile.name.clone(), |name| name.to_string_lossy().into_owned())
}

/// The district that is asked for: the one named, else the sources' own.
fn wanted(request: &Request) -> Option<DistrictCode> {
    let source = || request.files.iter().find_map(|(profile, _)| Some(profile.source.as_ref()?.district()));
    request.district.or_else(source)
}

/// The district that is imported into: the one asked for, else the only one.
fn district_of(served: &[DistrictCode], request: &Request) -> Result<Option<DistrictCode>, RunError> {
    match (wanted(request), served) {
        (Some(code), _) => Ok(Some(code).filter(|code| served.contains(code))),
        (None, []) => Ok(None),
        (None, [only]) => Ok(Some(*only)),
        (None, _) => Err(RunError::WhichDistrict),
    }
}

async fn world<'a>(guli: &Guli, district: Option<DistrictCode>, asks: Asks<'a>) -> Result<World<'a>, ServiceError> {
    let mut world = World {
        district: None,
        wanted: None,
        subdistricts: HashSet::default(),
        communities: HashSet::default(),
        grids: HashSet::default(),
        organizations: guli.all_organizations().await?.into_iter().map(|o| o.code).collect(),
        catalog: Catalog::national(),
        year: guli.this_year(),
        removed_areas: HashSet::default(),
        removed_organizations: HashSet::default(),
        asks,
    };
    let Some(code) = district else { return Ok(world) };
    let record = guli.district_records().await?.into_iter().find(|record| record.code == code);
    world.district = record.map(|record| Served::new(record.code, record.outline));
    let areas = guli.all_areas(code).await?;
    world.subdistricts = areas.subdistricts.iter().map(|area| area.code).collect();
    world.communities = areas.communities.iter().map(|area| area.code).collect();
    world.grids = areas.grids.iter().map(|area| area.code).collect();
    (world.removed_areas, world.removed_organizations) = guli.removed_records(code).await?;
    if let Some(catalog) = guli.context.index.catalog(code) {
        world.catalog = (*catalog).clone();
    }
    Ok(world)
}

/// A run in the middle of its files.
pub(super) struct Run<'r> {
    pub(super) guli: &'r Arc<Guli>,
    pub(super) handle: &'r Handle,
    pub(super) request: &'r Request,
    pub(super) lookup: &'r Lookup<'r>,
    pub(super) checker: Checker<'r>,
    crs: CrsService,
    rows_out: Option<RowsOut>,
    /// Of the file at hand.
    pub(super) id: ImportId,
    /// Its rows; `None` once a piece of them could not be kept.
    kept: Option<KeptRows>,
    pub(super) district: Option<DistrictCode>,
    progress: &'r mut dyn FnMut(&Progress),
}

impl Run<'_> {
    /// Keeps the report, and what became of each row. What they tell of has happened, so that an error is no reason to say
    /// that it has not.
    fn keep(&mut self, report: &Report, kind: Kind) {
        let rows = self.kept.take().into_iter().flat_map(KeptRows::finish);
        // A file that changed nothing has no identity but the one that was asked for.
        let refused = report.rejected.then_some(self.id);
        let id = report.id.parse().ok().map(ImportId).or(self.request.id).or(refused);
        let (Mode::Apply, Some(district), Some(id)) = (self.request.mode, self.district, id) else { return };
        let mut told = report.clone();
        if kind == Kind::People {
            told.findings.iter_mut().for_each(Finding::forget_value);
        }
        let text = serde_json::to_string(&told).unwrap_or_default();
        let counts = serde_json::to_string(&report.counts).unwrap_or_default();
        let by = &self.request.by;
        let file = self.guli.new_import(Some(id), district, &report.profile, &report.file, kind.as_str(), by);
        let kept = self.handle.block_on(async {
            self.guli.keep_report(&file, counts, !report.rejected, text).await?;
            for (number, rows) in rows {
                self.guli.keep_rows(Piece { district, import: id, number, rows }).await?;
            }
            Ok::<_, ServiceError>(())
        });
        if let Err(error) = kept {
            tracing::warn!(%error, import = %id, "the report of an import could not be kept");
        }
    }

    /// Keeps a piece of the rows while the file is read on.
    fn keep_piece(&mut self, (number, rows): Packed) {
        let (Some(district), import) = (self.district, self.id) else { return };
        let kept = self.handle.block_on(self.guli.keep_rows(Piece { district, import, number, rows }));
        if let Err(error) = kept {
            tracing::warn!(%error, %import, "the rows of an import could not be kept");
            self.kept = None;
        }
    }

    fn file(&mut self, profile: &Profile, path: &Path) -> Result<Report, RunError> {
        let error = |source| RunError::File { path: path.to_owned(), source };
        let file = File::open(path).map_err(error)?;
        let of_bytes = file.metadata().map_err(error)?.len();
        let done = Arc::new(AtomicU64::new(0));
        let mut rows = read(Counted { file, done: Arc::clone(&done) }, profile, self.crs);
        let name = file_name(profile, path);
        self.checker.begin(profile);
        self.id = self.request.id.unwrap_or_else(|| self.guli.new_import_id());
        self.kept = Some(KeptRows::default());
        let mut tally = Tally::default();
        let mut taken = Taken::new(profile.kind);
        let unknown = self.unknown_source(profile);
        if let Some(row) = &unknown {
            tally.note(row);
        }
        loop {
            let mut chunk: Vec<Row> = rows.by_ref().take(if unknown.is_some() { 0 } else { CHUNK }).collect();
            if chunk.is_empty() {
                break;
            }
            self.check(&mut chunk, profile)?;
            chunk.iter().for_each(|row| tally.note(row));
            self.take(&mut taken, chunk, profile, &name, &mut tally)?;
            let bytes = done.load(Ordering::Relaxed);
            (self.progress)(&Progress { file: name.clone(), bytes, of_bytes, rows: tally.counts.rows });
        }
        if tally.counts.rows == 0 && tally.findings_total == 0 {
            let detail = say!("there is not one record in it", "文件中没有记录");
            tally.findings.push(Finding::new((0, 1), FindingCode::NoRecords, None, detail));
            tally.findings_total = 1;
        }
        let import = self.finish(taken, profile, &name, &mut tally)?;
        let rejected = self.refuses(&tally);
        let Tally { mut counts, findings, findings_total, broken_off } = tally;
        if rejected && self.request.mode == Mode::Apply {
            // A dry run says what the good rows would come to.
            (counts.created, counts.updated, counts.unchanged) = (0, 0, 0);
        }
        let id = import.map_or_else(String::new, |import| import.id.to_string());
        Ok(Report { id, rejected, broken_off, counts, findings, findings_total, ..self.report(profile, name) })
    }

    /// Of a file of which nothing is known yet.
    fn report(&self, profile: &Profile, file: String) -> Report {
        Report {
            id: String::new(),
            profile: profile.name.clone(),
            file,
            kind: profile.kind.as_str().to_owned(),
            dry_run: self.request.mode == Mode::DryRun,
            rejected: false,
            broken_off: false,
            waits_for: None,
            counts: Counts::default(),
            findings: Vec::new(),
            findings_total: 0,
        }
    }

    fn untried(&self, profile: &Profile, path: &Path, waits_for: String) -> Report {
        Report { waits_for: Some(waits_for), ..self.report(profile, file_name(profile, path)) }
    }

    fn check(&mut self, chunk: &mut [Row], profile: &Profile) -> Result<(), RunError> {
        if profile.kind == Kind::Covers {
            self.lookup.prepare(self.district, profile, chunk)?;
        }
        for row in chunk {
            if profile.kind == Kind::Covers {
                self.lookup.turn_to(row);
            }
            self.checker.check(row, profile);
            self.permit(row, profile);
            if let Some(finding) = self.lookup.contradiction(row, profile) {
                row.findings.push(finding);
                row.draft = None;
            } else if let Some(merged) = self.lookup.merged(row) {
                row.findings.extend(merged.warnings(row, profile));
            }
        }
        Ok(())
    }

    /// Takes the good rows of a chunk: covers are staged, the few others kept.
    fn take(
        &mut self,
        taken: &mut Taken,
        chunk: Vec<Row>,
        profile: &Profile,
        name: &str,
        tally: &mut Tally,
    ) -> Result<(), RunError> {
        match taken {
            Taken::Few(rows) => rows.extend(chunk),
            Taken::Covers(covers) => {
                let district = self.district;
                let outcomes = covers.take(self, district, &chunk, profile, name, tally)?;
                self.write_rows(name, profile.kind, &chunk, &outcomes)?;
            }
        }
        Ok(())
    }

    /// Whether nothing of a file is stored: it has errors, and those are all that it has, or it is all or nothing.
    fn refuses(&self, tally: &Tally) -> bool {
        let Counts { rows, rejected, .. } = tally.counts;
        rejected > 0 && (rejected >= rows || self.request.on_error == OnError::RefuseFile)
    }

    fn finish(
        &mut self,
        taken: Taken,
        profile: &Profile,
        name: &str,
        tally: &mut Tally,
    ) -> Result<Option<ImportFile>, RunError> {
        match taken {
            Taken::Covers(covers) => covers.finish(self, tally, self.refuses(tally)),
            Taken::Few(rows) => self.few(rows, profile, name, tally),
        }
    }

    /// Areas, organisations and people: compared, and written where they differ.
    fn few(
        &mut self,
        mut rows: Vec<Row>,
        profile: &Profile,
        name: &str,
        tally: &mut Tally,
    ) -> Result<Option<ImportFile>, RunError> {
        if let Some(Draft::District(area)) = rows.iter().find_map(|row| row.draft.as_ref()) {
            self.district = Some(area.code);
        }
        let Some(district) = self.district else {
            self.write_rows(name, profile.kind, &rows, &[])?;
            return Ok(None);
        };
        let (id, kind) = (self.id, profile.kind.as_str());
        let import = self.guli.new_import(Some(id), district, &profile.name, name, kind, &self.request.by);
        let few = Few { guli: self.guli, request: self.request, profile, rows: &mut rows, tally };
        let outcomes = self.handle.block_on(few.write(&import))?;
        self.write_rows(name, profile.kind, &rows, &outcomes)?;
        Ok(Some(import))
    }

    /// One JSON line for each row; `outcomes` are those of the good rows, in order.
    fn write_rows(&mut self, file: &str, kind: Kind, rows: &[Row], outcomes: &[Outcome]) -> Result<(), RunError> {
        let mut outcomes = outcomes.iter();
        for row in rows.iter().filter(|row| row.row > 0) {
            let outcome = match &row.draft {
                Some(_) => outcomes.next().map_or("checked", |outcome| outcome.as_str()),
                None => "rejected",
            };
            let external_id = match &row.draft {
                Some(Draft::Cover(cover)) => Some(&*cover.external_id),
                _ => None,
            };
            let line = RowLine { file, row: row.row, line: row.line, external_id, outcome, findings: &row.findings };
            if let Some(out) = &mut self.rows_out {
                out.write(&line)?;
            }
            let kept = self.kept.as_mut().filter(|_| self.request.mode == Mode::Apply);
            if let Some(piece) = kept.and_then(|kept| kept.write(&line, kind)) {
                self.keep_piece(piece);
            }
        }
        Ok(())
    }
}

/// The good rows of a file, until its end.
enum Taken {
    Covers(CoverRun),
    Few(Vec<Row>),
}

impl Taken {
    fn new(kind: Kind) -> Self {
        if kind == Kind::Covers { Self::Covers(CoverRun::default()) } else { Self::Few(Vec::new()) }
    }
}

/// A file that counts what was read of it.
struct Counted {
    file: File,
    done: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.done.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
