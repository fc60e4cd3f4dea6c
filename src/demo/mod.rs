//! The demo district (示范区): Shibei as its departments would hand it over, and larger worlds of
//! the same kind for benches, of one denser district or of many ([`world`], [`site`]).
//!
//! Pure and deterministic: the same [`Options`] give the same bytes. Areas are cut out of the real
//! outline along invented streets ([`mod@areas`], [`mesh`]); covers lie along those ([`streets`],
//! [`plan`]); each department writes its own in its own way ([`files`], [`deliver`]) and makes
//! its mistakes, which the answer key `imperfections.json` lists. Memory depends on one district's
//! streets, not on the number of covers or of districts.

mod areas;
mod borders;
mod covers;
mod deliver;
mod files;
mod mesh;
mod names;
mod offices;
mod plan;
mod plane;
mod profile;
mod rng;
mod sink;
mod site;
mod streets;
#[cfg(test)]
mod tests;
mod utilities;
mod words;
mod world;

use std::path::Path;

use areas::Areas;
use deliver::Delivery;
use plan::Plan;
pub use site::MOST_DISTRICTS;
use site::Site;
use streets::Streets;

/// What to generate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Another seed gives another city in the same outline.
    pub seed: u64,
    /// Covers that the import will store, in all districts. Below 5,000 a district's files are without mistakes.
    pub covers: u64,
    /// One is Shibei; of more, it is the first, and the others have its outline elsewhere and streets of their own.
    pub districts: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 20_261_123, covers: 17_000, districts: 1 }
    }
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    pub subdistricts: usize,
    pub communities: usize,
    pub grids: usize,
    pub organizations: usize,
    /// Lines of `people.csv`.
    pub duties: usize,
    /// Covers that the import will store.
    pub covers: u64,
    /// Rows in the files of covers, those to be refused included.
    pub rows: u64,
    /// Findings that the import or the quality check must report.
    pub imperfections: usize,
}

impl Summary {
    fn add(&mut self, other: &Self) {
        self.subdistricts += other.subdistricts;
        self.communities += other.communities;
        self.grids += other.grids;
        self.organizations += other.organizations;
        self.duties += other.duties;
        self.covers += other.covers;
        self.rows += other.rows;
        self.imperfections += other.imperfections;
    }
}

/// Why a district could not be generated.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot write the demo district: {0}")]
    Io(#[from] std::io::Error),
    #[error("cannot write a table of the demo district: {0}")]
    Csv(#[from] csv::Error),
    #[error("the projection of the demo district fails: {0}")]
    Projection(String),
    #[error("the outline of the demo district cannot be read: {0}")]
    Outline(String),
    #[error("no street divides the {0} under this seed; try another")]
    NoCut(&'static str),
    #[error("there is room for {MOST_DISTRICTS} districts, not for {districts}")]
    TooMany { districts: u32 },
    #[error("the streets have no room for {covers} covers of category {category:04}")]
    Crowded { category: u16, covers: u64 },
}

/// Writes all files of the demo district into `out`, which is created if it is missing, and calls `progress` with
/// the covers done and wanted. Of several districts each gets a folder in `out` that is named by its code.
///
/// # Errors
/// When a file cannot be written; when the seed gives a city that cannot be divided, or the
/// streets cannot take so many covers (beyond about 2.5 million a district).
pub fn generate(out: &Path, options: &Options, progress: &mut dyn FnMut(u64, u64)) -> Result<Summary, Error> {
    let &Options { seed, covers, districts } = options;
    if districts > 1 {
        return world::generate(out, options, progress);
    }
    progress(0, covers);
    district(out, Site::of(seed, 0), covers, &mut |done| progress(done, covers))
}

/// Writes one district.
fn district(out: &Path, site: Site, covers: u64, progress: &mut dyn FnMut(u64)) -> Result<Summary, Error> {
    std::fs::create_dir_all(out)?;
    let areas = areas(site)?;
    let site = areas.site;
    let (organizations, duties) = borders::write(&areas, deliver::is_flawed(covers), out)?;
    std::fs::write(out.join("boundary-gcj02.geojson"), borders::published(site)?)?;
    std::fs::write(out.join("README.md"), readme(site))?;
    std::fs::write(out.join("import.toml"), profile::text(site))?;
    let delivery = write_covers(&areas, covers, out, progress)?;
    Ok(Summary {
        subdistricts: areas.subdistricts.len(),
        communities: areas.communities.len(),
        grids: areas.grids.len(),
        organizations,
        duties,
        ..delivery
    })
}

/// Cuts a district up. Who asks for Shibei asks for this very seed; of a thousand others some may give no streets.
fn areas(site: Site) -> Result<Areas, Error> {
    let more_seeds = if site.number == 0 { 0 } else { 8 };
    let mut areas = Areas::build(site);
    for attempt in 1..=more_seeds {
        if !matches!(areas, Err(Error::NoCut(_))) {
            break;
        }
        areas = Areas::build(site.again(site.seed, attempt));
    }
    areas
}

/// Writes the files of covers and the answer key; gives their part of the summary.
fn write_covers(areas: &Areas, covers: u64, out: &Path, progress: &mut dyn FnMut(u64)) -> Result<Summary, Error> {
    let site = areas.site;
    let shares = utilities::shares(covers);
    let planted = deliver::planted(covers);
    let mut wanted = shares;
    for (wanted, planted) in wanted.iter_mut().zip(planted) {
        *wanted -= planted;
    }
    let plan = Plan::of(Streets::of(areas, site.seed), site.seed, wanted)?;
    let mut delivery = Delivery::new(&plan, site, covers, shares)?;
    delivery.all(out, progress)?;
    let mut key = serde_json::to_string_pretty(&delivery.key).map_err(std::io::Error::from)?;
    key.push('\n');
    std::fs::write(out.join("imperfections.json"), key)?;
    let (covers, rows, imperfections) = (delivery.stored, delivery.rows, delivery.key.len());
    Ok(Summary { covers, rows, imperfections, ..Summary::default() })
}

fn readme(site: Site) -> String {
    if site.number == 0 {
        return include_str!("../../data/shibei/README.md").to_owned();
    }
    let ([east, north], name) = (site.moved(), site.named("市北区"));
    format!(
        "# {name} demo district\n\nOne of the districts that `guli demo generate --districts` writes: {code}, which is \
         nobody's code. Everything in it is\n**invented**; its outline is Shibei's, moved by {east}° of longitude and \
         {north}° of latitude. What each file is:\n`data/shibei/README.md` of Guli. The phone numbers (1990000xxxx, 0532-00000xxx) are \
         placeholders and are not to be called.\n",
        code = site.code,
    )
}
