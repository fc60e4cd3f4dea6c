//! Layers out: districts, sub-districts, communities, grids, covers and work orders as `GeoJSON`, lines of
//! `GeoJSON` or CSV, by code, as a stream of pieces.
//!
//! An [`Export`] gives one piece of about a thousand features after the other; between two of them it holds
//! neither a lock nor a connection, so its memory stays flat and nobody waits for a slow reader. What a layer was made
//! from is told by its [stamp](Export::stamp) before the first piece is made.

mod cache;
mod encode;
mod row;
mod source;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;

use jiff::Timestamp;

use crate::crs::Crs;
use crate::domain::actor::{self, Action, Actor, OrderFilter, Resource};
use crate::domain::catalog::CategoryCode;
use crate::domain::cover;
use crate::domain::id::{DistrictCode, GridCode, OrgCode};
use crate::domain::order;
use crate::domain::said::say;
use crate::service::Guli;
use crate::service::error::{Result, ServiceError};
use crate::service::moment::{Moment, Reach};
use cache::Cached;
use encode::Encoded;
use source::Source;

pub use cache::Cache;

/// What can be exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layer {
    Districts,
    Subdistricts,
    Communities,
    Grids,
    Covers,
    WorkOrders,
}

impl Layer {
    pub const ALL: &[Self] =
        &[Self::Districts, Self::Subdistricts, Self::Communities, Self::Grids, Self::Covers, Self::WorkOrders];

    /// The name in addresses and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Districts => "districts",
            Self::Subdistricts => "subdistricts",
            Self::Communities => "communities",
            Self::Grids => "grids",
            Self::Covers => "covers",
            Self::WorkOrders => "work-orders",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|layer| layer.as_str() == text)
    }
}

/// How a layer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// One `FeatureCollection` (RFC 7946).
    GeoJson,
    /// A feature on each line.
    GeoJsonLines,
    /// UTF-8 with a header; points in two columns, areas as well-known text.
    Csv,
}

impl Format {
    pub const ALL: &[Self] = &[Self::GeoJson, Self::GeoJsonLines, Self::Csv];

    /// The extension of files and addresses, and the name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GeoJson => "geojson",
            Self::GeoJsonLines => "geojsonl",
            Self::Csv => "csv",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|format| format.as_str() == text)
    }

    pub const fn media_type(self) -> &'static str {
        match self {
            Self::GeoJson => "application/geo+json",
            Self::GeoJsonLines => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }
}

/// Which covers; what is empty narrows nothing.
#[derive(Debug, Clone, Default)]
pub struct CoverFilter {
    pub categories: Vec<CategoryCode>,
    pub owners: Vec<OrgCode>,
    pub responsible_units: Vec<OrgCode>,
    pub statuses: Vec<cover::Status>,
}

/// Which work orders; what is empty narrows nothing.
#[derive(Debug, Clone, Default)]
pub struct WorkOrderFilter {
    pub statuses: Vec<order::Status>,
    /// Codes of units, grids and sub-districts that must act.
    pub units: Vec<String>,
    pub damages: Vec<String>,
    pub grids: Vec<GridCode>,
}

/// An export as asked for.
#[derive(Debug, Clone)]
pub struct Ask {
    pub layer: Layer,
    pub format: Format,
    /// The coordinate system of what goes out.
    pub crs: Crs,
    /// West, south, east, north in degrees.
    pub bounds: Option<[f64; 4]>,
    /// The district, or the sub-districts, communities or grids of one, that narrow it, by their digits; not of work orders.
    pub within: Vec<u64>,
    pub as_of: Option<Timestamp>,
    pub covers: CoverFilter,
    pub orders: WorkOrderFilter,
}

impl Ask {
    /// A layer in full, in degrees.
    pub fn whole(layer: Layer, format: Format) -> Self {
        let (covers, orders) = (CoverFilter::default(), WorkOrderFilter::default());
        Self { layer, format, crs: Crs::Wgs84, bounds: None, within: Vec::new(), as_of: None, covers, orders }
    }

    /// Whether it is every cover of its districts.
    fn is_every_cover(&self) -> bool {
        let CoverFilter { categories, owners, responsible_units, statuses } = &self.covers;
        let all = categories.is_empty() && owners.is_empty() && responsible_units.is_empty() && statuses.is_empty();
        let in_full = self.bounds.is_none() && self.within.iter().all(|code| *code <= 999_999);
        self.layer == Layer::Covers && in_full && all
    }

    /// The same as it would be kept.
    fn is_kept(&self) -> bool {
        self.crs == Crs::Wgs84 && self.as_of.is_none() && self.is_every_cover()
    }
}

/// The district that an area's code begins with.
pub fn district_of(area: u64) -> Option<DistrictCode> {
    let digits = area.checked_ilog10()?;
    DistrictCode::from_number(area / 10u64.pow(digits.checked_sub(5)?))
}

/// A piece of a layer.
#[derive(Debug, Clone)]
pub struct Piece {
    pub bytes: Bytes,
    /// Features that it holds.
    pub features: usize,
    /// Of the bytes.
    mark: u64,
}

impl Piece {
    fn of(bytes: Vec<u8>, features: usize) -> Self {
        Self { mark: encode::mark(&bytes), bytes: bytes.into(), features }
    }
}

/// Where an export stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Head,
    Body,
    Done,
}

/// Bytes that are held of a layer before the first goes out, so that it can be named by its content: of what is larger the
/// features are looked through first, and it goes out as it is made. Kept pieces are shared by all who read them.
const GATHERED: usize = 4 << 20;
const GATHERED_SHARED: usize = 32 << 20;

/// A layer on its way out.
#[derive(Debug)]
pub struct Export {
    guli: Arc<Guli>,
    actor: Arc<Actor>,
    districts: Vec<DistrictCode>,
    ask: Ask,
    moment: Moment,
    source: Source,
    cached: Option<Cached>,
    stamp: String,
    stage: Stage,
    /// Of the features so far, in the coordinate system that goes out.
    extent: encode::Extent,
    features: usize,
}

impl Export {
    /// Checks that `actor` may have it, and prepares it. `cache` serves every cover of a district from memory.
    pub async fn new(guli: Arc<Guli>, actor: Arc<Actor>, ask: Ask, cache: Option<Arc<Cache>>) -> Result<Self> {
        let districts = districts(&guli, &actor, &ask)?;
        guli.know_damages(&ask.orders.damages)?;
        let moment = guli.moment(ask.as_of, Reach::Districts(&districts)).await?;
        // Before anything is read: what is read later is this or newer, so no copy goes by too new a stamp.
        let stamp = stamp(&guli, &moment, &actor, &ask, &districts);
        let cached = cache.filter(|_| ask.is_kept()).map(|cache| Cached::new(cache, ask.format, districts.clone()));
        let source = Source::new(&ask, Arc::clone(&actor), districts.clone());
        let (stage, extent) = (Stage::Head, encode::Extent::default());
        Ok(Self { guli, actor, districts, ask, moment, source, cached, stamp, stage, extent, features: 0 })
    }

    /// Changes when the layer's content did, and perhaps when something else of its districts did.
    pub fn stamp(&self) -> &str {
        &self.stamp
    }

    /// The first pieces, and what names the content. A large layer that changes while it is looked through has no name.
    pub async fn gather(&mut self) -> Result<(VecDeque<Piece>, Option<String>)> {
        self.gather_up_to(if self.cached.is_some() { GATHERED_SHARED } else { GATHERED }).await
    }

    /// The same, with as many bytes held.
    pub(crate) async fn gather_up_to(&mut self, most: usize) -> Result<(VecDeque<Piece>, Option<String>)> {
        let heads = self.heads().await?;
        let (mut pieces, mut size, mut hasher) = (VecDeque::new(), 0, DefaultHasher::new());
        while size <= most {
            let Some(piece) = self.next().await? else {
                return Ok((pieces, Some(format!("{:016x}", hasher.finish()))));
            };
            piece.mark.hash(&mut hasher);
            size += piece.bytes.len();
            pieces.push_back(piece);
        }
        let name = self.survey().await?;
        // Pieces that were made before a change may not go by the name of what is after it, be it in memory or in the database.
        let is_same = self.heads().await? == heads
            && stamp(&self.guli, &self.moment, &self.actor, &self.ask, &self.districts) == self.stamp;
        Ok((pieces, is_same.then_some(name)))
    }

    /// Names the content by what its features are made of: much quicker than writing them.
    async fn survey(&self) -> Result<String> {
        let mut hasher = DefaultHasher::new();
        (env!("CARGO_PKG_VERSION"), format!("{:?}", self.ask)).hash(&mut hasher);
        let mut source = Source::new(&self.ask, Arc::clone(&self.actor), self.districts.clone());
        while let Some(rows) = source.next(&self.guli, &self.moment).await? {
            rows.iter().for_each(|row| row.mark(&mut hasher));
            tokio::task::yield_now().await;
        }
        Ok(format!("{:016x}", hasher.finish()))
    }

    /// How far the database is, of which areas and orders are read; covers are read from memory, and the past stays.
    async fn heads(&self) -> Result<Vec<(DistrictCode, i64)>> {
        if self.ask.layer == Layer::Covers || self.moment.instant().is_some() {
            return Ok(Vec::new());
        }
        self.guli.last_events(&self.districts).await
    }

    /// How many features it has, where that is known without reading them: of every cover of its districts.
    pub fn size(&self) -> Option<u64> {
        let index = self.moment.registry(&self.guli);
        let covers = |district: &DistrictCode| index.cover_codes(*district, None).len() as u64;
        self.ask.is_every_cover().then(|| self.districts.iter().map(covers).sum())
    }

    /// Whether all of it was made.
    pub fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    pub fn format(&self) -> Format {
        self.ask.format
    }

    /// The next piece; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Piece>> {
        match self.stage {
            Stage::Done => Ok(None),
            Stage::Head => {
                self.stage = Stage::Body;
                let mut head = encode::head(&self.ask);
                // The first features go with the head: what is refused is refused before a byte is sent.
                let Some(first) = self.page().await? else {
                    head.extend(self.tail());
                    return Ok(Some(Piece::of(head, 0)));
                };
                head.extend_from_slice(&first.bytes);
                Ok(Some(Piece::of(head, first.features)))
            }
            Stage::Body => match self.page().await? {
                Some(piece) => Ok(Some(piece)),
                None => Ok(Some(Piece::of(self.tail(), 0))),
            },
        }
    }

    fn tail(&mut self) -> Vec<u8> {
        self.stage = Stage::Done;
        encode::tail(self.ask.format, self.extent)
    }

    /// The next features; pieces without any are passed over.
    async fn page(&mut self) -> Result<Option<Piece>> {
        loop {
            let encoded = match &mut self.cached {
                Some(cached) => cached.next(&self.guli.context.index)?,
                None => match self.source.next(&self.guli, &self.moment).await? {
                    Some(rows) => Some(encode::rows(&self.ask, &rows)?),
                    None => None,
                },
            };
            let Some(Encoded { bytes, features, extent, mark }) = encoded else { return Ok(None) };
            if features == 0 {
                continue;
            }
            let first = self.features == 0;
            self.features += features;
            self.extent = self.extent.with(extent);
            // Features of a collection each begin with the comma after the one before.
            let bytes = if first && self.ask.format == Format::GeoJson { bytes.slice(1..) } else { bytes };
            return Ok(Some(Piece { bytes, features, mark }));
        }
    }
}

/// The districts that an export goes through, all of which the caller may read.
fn districts(guli: &Guli, actor: &Actor, ask: &Ask) -> Result<Vec<DistrictCode>> {
    let asked = ask.within.first().copied().and_then(district_of);
    // Boundaries are public.
    if !matches!(ask.layer, Layer::Covers | Layer::WorkOrders) {
        return Ok(asked.map_or_else(|| guli.districts(), |district| vec![district]));
    }
    if actor.is_anonymous() {
        return Err(ServiceError::unauthenticated());
    }
    // Whoever may see no order is given an empty list of them.
    if ask.layer == Layer::WorkOrders {
        return Ok(guli.order_districts(actor, &ask.orders.grids));
    }
    if let Some(district) = asked {
        guli.serves(district)?;
        actor::authorize(actor, Action::ReadCovers, Resource::District(district))
            .map_err(|refusal| ServiceError::refused(refusal, say!("district {district}", "行政区 {district}")))?;
        return Ok(vec![district]);
    }
    guli.cover_districts(actor, None)
}

/// Everything that the content follows from, in short.
fn stamp(guli: &Guli, moment: &Moment, actor: &Actor, ask: &Ask, districts: &[DistrictCode]) -> String {
    /// Orders and names are counted from the start of the process, so another process is another count.
    static START: LazyLock<u64> = LazyLock::new(|| u64::from_le_bytes(crate::service::clock::random()));
    let index = moment.registry(guli);
    let mut from = format!("{} {ask:?}", env!("CARGO_PKG_VERSION"));
    for district in districts {
        let _ = write!(from, " {district}:{}", index.registry_seq(*district).unwrap_or(0));
        if let Moment::Now = moment {
            // Names of another district's organisations change without a change here.
            let _ = write!(from, " {:x}:{:?}", *START, index.names_stamp(*district));
        }
    }
    if ask.layer == Layer::WorkOrders {
        let _ = match moment {
            Moment::Now => write!(from, " {:x}:{}", *START, index.order_changes()),
            Moment::Then(_) => districts.iter().try_for_each(|code| write!(from, " {:?}", moment.last_event(*code))),
        };
        let _ = write!(from, " {:?}", OrderFilter::of(actor));
    }
    let hash = crate::service::keys::hash(from.as_bytes());
    hash[..12].iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
