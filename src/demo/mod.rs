//! The demo district (示范区): Shibei as its departments would hand it over, and larger worlds of
//! the same kind for benches.
//!
//! Pure and deterministic: the same [`Options`] give the same bytes. Areas are cut out of the real
//! outline along invented streets ([`areas`], [`mesh`]); covers lie along those ([`streets`],
//! [`plan`]); each department writes its own in its own way ([`files`], [`deliver`]) and makes
//! its mistakes, which the answer key `imperfections.json` lists. Memory depends on the streets,
//! not on the number of covers.

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
mod streets;
#[cfg(test)]
mod tests;
mod utilities;
mod words;

use std::path::Path;

use areas::Areas;
use deliver::Delivery;
use plan::Plan;
use streets::Streets;

/// What to generate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Another seed gives another city in the same outline.
    pub seed: u64,
    /// Covers that the import will store. Below 5,000 the files are without mistakes.
    pub covers: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 20_261_123, covers: 17_000 }
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Findings that the import must report.
    pub imperfections: usize,
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
    #[error("the streets have no room for {covers} covers of category {category:04}")]
    Crowded { category: u16, covers: u64 },
}

/// Writes all files of the demo district into `out`, which is created if it is missing, and calls
/// `progress` with the covers done and wanted.
///
/// # Errors
/// When a file cannot be written; when the seed gives a city that cannot be divided, or the
/// streets cannot take so many covers (beyond about 2.5 million).
pub fn generate(out: &Path, options: &Options, progress: &mut dyn FnMut(u64, u64)) -> Result<Summary, Error> {
    std::fs::create_dir_all(out)?;
    let &Options { seed, covers } = options;
    progress(0, covers);
    let areas = Areas::build(seed)?;
    let (organizations, duties) = borders::write(&areas, seed, out)?;
    std::fs::write(out.join("boundary-gcj02.geojson"), areas::OUTLINE)?;
    std::fs::write(out.join("README.md"), include_str!("../../data/shibei/README.md"))?;
    std::fs::write(out.join("import.toml"), profile::text())?;
    let shares = utilities::shares(covers);
    let planted = deliver::planted(covers);
    let mut wanted = shares;
    for (wanted, planted) in wanted.iter_mut().zip(planted) {
        *wanted -= planted;
    }
    let plan = Plan::of(Streets::of(&areas, seed), seed, wanted)?;
    let mut delivery = Delivery::new(&plan, seed, covers, shares)?;
    delivery.all(out, &mut |done| progress(done, covers))?;
    let mut key = serde_json::to_string_pretty(&delivery.key).map_err(std::io::Error::from)?;
    key.push('\n');
    std::fs::write(out.join("imperfections.json"), key)?;
    Ok(Summary {
        subdistricts: areas.subdistricts.len(),
        communities: areas.communities.len(),
        grids: areas.grids.len(),
        organizations,
        duties,
        covers: delivery.stored,
        rows: delivery.rows,
        imperfections: delivery.key.len(),
    })
}
