//! The district and its areas (街道, 社区, 责任网格): one outline, cut and cut again along streets.

use super::Error;
use super::mesh::{Ask, Candidate, Mesh, Parts, Ring};
use super::names;
use super::plane::{Point, Vertex, count, distance, dot, from_gcj02, minus, plus};
use super::rng::Rng;
use super::site::Site;

/// The outline as it was published, in GCJ-02.
pub(super) const OUTLINE: &str = include_str!("../../data/shibei/boundary-gcj02.geojson");

/// A sub-district: number, name, communities, about where it lies (degrees), and how large its
/// grids are against the mean (the old town's are small).
pub(super) struct Quarter {
    pub(super) number: u64,
    pub(super) name: &'static str,
    pub(super) communities: usize,
    at: [f64; 2],
    size: f64,
}

const fn quarter(number: u64, name: &'static str, communities: usize, at: [f64; 2], size: f64) -> Quarter {
    Quarter { number, name, communities, at, size }
}

/// In the order of their codes. Places and sizes are rough: only which lies where is meant.
pub(super) const QUARTERS: [Quarter; 22] = [
    quarter(5, "辽宁路", 6, [120.336, 36.080], 0.60),
    quarter(8, "延安路", 6, [120.351, 36.079], 0.70),
    quarter(11, "登州路", 6, [120.344, 36.071], 0.62),
    quarter(13, "宁夏路", 6, [120.377, 36.083], 0.85),
    quarter(14, "敦化路", 7, [120.390, 36.089], 0.95),
    quarter(15, "辽源路", 6, [120.376, 36.097], 0.85),
    quarter(16, "合肥路", 7, [120.395, 36.101], 1.20),
    quarter(19, "大港", 6, [120.318, 36.096], 0.95),
    quarter(20, "即墨路", 6, [120.325, 36.076], 0.60),
    quarter(21, "台东", 7, [120.356, 36.087], 0.65),
    quarter(22, "镇江路", 6, [120.365, 36.081], 0.70),
    quarter(25, "浮山新区", 8, [120.412, 36.092], 1.45),
    quarter(26, "阜新路", 6, [120.350, 36.104], 0.95),
    quarter(27, "海伦路", 6, [120.359, 36.098], 0.85),
    quarter(28, "四方", 6, [120.356, 36.111], 1.00),
    quarter(29, "兴隆路", 6, [120.370, 36.114], 1.00),
    quarter(30, "水清沟", 7, [120.371, 36.123], 1.05),
    quarter(31, "洛阳路", 7, [120.380, 36.135], 1.35),
    quarter(32, "河西", 5, [120.387, 36.118], 1.20),
    quarter(33, "湖岛", 5, [120.352, 36.130], 1.35),
    quarter(34, "开平路", 6, [120.366, 36.146], 1.50),
    quarter(35, "双山", 6, [120.402, 36.110], 1.30),
];

/// What a street is to the city, by what it was cut between; the widest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// Between sub-districts.
    Arterial,
    /// Between communities.
    Secondary,
    /// Between grids.
    Local,
    /// Within a grid.
    Lane,
}

/// A street from end to end.
pub(super) struct Street {
    pub(super) path: Vec<u32>,
    pub(super) class: Class,
}

pub(super) struct Area {
    pub(super) code: u64,
    pub(super) name: String,
    pub(super) ring: Ring,
    /// A grid's supervising section, by its number within the sub-district.
    pub(super) section: usize,
}

/// The district, cut up.
pub(super) struct Areas {
    pub(super) site: Site,
    pub(super) mesh: Mesh,
    pub(super) outline: Ring,
    pub(super) subdistricts: Vec<Area>,
    pub(super) communities: Vec<Area>,
    pub(super) grids: Vec<Area>,
    pub(super) streets: Vec<Street>,
}

/// Metres between the vertices of boundaries.
const SPACING: f64 = 14.5;
const ANY: [usize; 2] = [usize::MAX; 2];
/// Fewest vertices of a grid's ring, and most; 40 and 200 with room for what the ends add.
const FEWEST: usize = 41;
const MOST: usize = 196;
/// A grid is cut into blocks of about this many square metres.
const BLOCK: f64 = 21_000.0;

impl Areas {
    pub(super) fn build(site: Site) -> Result<Self, Error> {
        let mut mesh = Mesh::new(site.frame());
        let outline = outline(&mut mesh, site)?;
        let mut areas = Self {
            site,
            mesh,
            outline: outline.clone(),
            subdistricts: Vec::new(),
            communities: Vec::new(),
            grids: Vec::new(),
            streets: Vec::new(),
        };
        let mut rng = Rng::keyed(site.seed, [1, 0, 0]);
        let mut rings = Vec::new();
        areas.quarters(outline, (0..QUARTERS.len()).collect(), &mut rings, &mut rng)?;
        rings.sort_by_key(|(quarter, _)| *quarter);
        for (index, ring) in rings {
            areas.subdistrict(index, ring, &mut rng)?;
        }
        Ok(areas)
    }

    /// Cuts a piece of the district until each sub-district has its own.
    fn quarters(
        &mut self,
        ring: Ring,
        set: Vec<usize>,
        out: &mut Vec<(usize, Ring)>,
        rng: &mut Rng,
    ) -> Result<(), Error> {
        if let [only] = set[..] {
            out.push((only, ring));
            return Ok(());
        }
        let weight = |set: &[usize]| set.iter().map(|&q| f64::from(grids_of(q)) * QUARTERS[q].size).sum::<f64>();
        let total = weight(&set);
        for tolerance in [0.05, 0.12, 0.3] {
            let mut wishes: Vec<(Candidate, Vec<usize>, Vec<usize>)> = Vec::new();
            for towards in COMPASS {
                let mut order = set.clone();
                order.sort_by(|&a, &b| dot(place(b), towards).total_cmp(&dot(place(a), towards)));
                let half = (1..order.len()).min_by(|&a, &b| {
                    let off = |k: usize| (weight(&order[..k]) - total / 2.0).abs();
                    off(a).total_cmp(&off(b))
                });
                let half = half.unwrap_or(1);
                let ask = Ask {
                    share: weight(&order[..half]) / total,
                    towards: Some(towards),
                    vertices: [FEWEST * 4; 2],
                    max_vertices: ANY,
                    spacing: SPACING,
                    bend: 0.05,
                };
                let gap = dot(place(order[half - 1]), towards) - dot(place(order[half]), towards);
                for mut wish in self.mesh.candidates(&ring, ask, tolerance, rng) {
                    // Cut where the sub-districts on both sides lie well apart.
                    wish.score -= gap.min(1_500.0) / 1_500.0;
                    wishes.push((wish, order[..half].to_vec(), order[half..].to_vec()));
                }
            }
            wishes.sort_by(|a, b| a.0.score.total_cmp(&b.0.score));
            for (wish, first, second) in wishes {
                if let Some(parts) = self.mesh.cut(&ring, wish, rng) {
                    self.streets.push(Street { path: parts.street, class: Class::Arterial });
                    self.quarters(parts.first, first, out, rng)?;
                    return self.quarters(parts.second, second, out, rng);
                }
            }
        }
        Err(Error::NoCut("sub-districts"))
    }

    fn subdistrict(&mut self, index: usize, ring: Ring, rng: &mut Rng) -> Result<(), Error> {
        let quarter = &QUARTERS[index];
        let code = self.site.code * 1000 + quarter.number;
        self.subdistricts.push(Area { code, name: format!("{}街道", quarter.name), ring: ring.clone(), section: 0 });
        let weights: Vec<Vec<f64>> = (0..quarter.communities)
            .map(|k| {
                let of_all = (0.15 * rng.normal()).exp();
                (0..grids_in(first_community(index) + k))
                    .map(|_| of_all * (0.33 * rng.normal()).exp().clamp(0.5, 2.1))
                    .collect()
            })
            .collect();
        let totals: Vec<f64> = weights.iter().map(|w| w.iter().sum()).collect();
        let style = Style { class: Class::Secondary, towards: Some(NORTH_WEST), fewest: FEWEST * 2, bend: 0.05 };
        let mut rings = Vec::new();
        self.carve(ring, &totals, style, &mut rings, rng)?;
        for ((number, ring), weights) in rings.into_iter().enumerate().zip(&weights) {
            self.community(index, number, ring, weights, rng)?;
        }
        Ok(())
    }

    fn community(
        &mut self,
        quarter: usize,
        number: usize,
        ring: Ring,
        weights: &[f64],
        rng: &mut Rng,
    ) -> Result<(), Error> {
        let code = self.subdistricts[quarter].code * 1000 + number as u64 + 1;
        let name = names::community(first_community(quarter) + number);
        let style = Style { class: Class::Local, towards: None, fewest: FEWEST, bend: 0.045 };
        let mut rings = Vec::new();
        self.carve(ring.clone(), weights, style, &mut rings, rng)?;
        self.read_like_a_page(&mut rings);
        for (k, grid) in rings.into_iter().enumerate() {
            self.lanes(grid.clone(), rng);
            let name = format!("{name}第{}网格", names::numeral(k + 1));
            let section = number % sections_of(quarter);
            self.grids.push(Area { code: code * 1000 + k as u64 + 1, name, ring: grid, section });
        }
        self.communities.push(Area { code, name, ring, section: 0 });
        Ok(())
    }

    /// Cuts a ring into as many parts as there are weights, in their order and proportion.
    fn carve(
        &mut self,
        ring: Ring,
        weights: &[f64],
        style: Style,
        out: &mut Vec<Ring>,
        rng: &mut Rng,
    ) -> Result<(), Error> {
        let total: f64 = weights.iter().sum();
        if weights.len() < 2 {
            out.push(ring);
            return Ok(());
        }
        let sum = |k: usize| weights[..k].iter().sum::<f64>();
        let half = (1..weights.len())
            .min_by(|&a, &b| (sum(a) - total / 2.0).abs().total_cmp(&(sum(b) - total / 2.0).abs()))
            .unwrap_or(1);
        let (one, two) = weights.split_at(half);
        let most = |w: &[f64]| if w.len() == 1 && style.class == Class::Local { MOST } else { usize::MAX };
        let fewest = |w: &[f64]| style.fewest + style.fewest / 2 * (w.len() - 1);
        let ask = Ask {
            share: sum(half) / total,
            towards: style.towards,
            vertices: [fewest(one), fewest(two)],
            max_vertices: [most(one), most(two)],
            spacing: SPACING,
            bend: style.bend,
        };
        let parts = self.try_hard(&ring, ask, rng).ok_or(Error::NoCut("communities or grids"))?;
        self.streets.push(Street { path: parts.street, class: style.class });
        self.carve(parts.first, one, style, out, rng)?;
        self.carve(parts.second, two, style, out, rng)
    }

    /// Less and less exactly what was asked, until it can be done.
    fn try_hard(&mut self, ring: &[u32], ask: Ask, rng: &mut Rng) -> Option<Parts> {
        [0.06, 0.15, 0.4, 0.8].into_iter().find_map(|tolerance| {
            let ask = if tolerance > 0.2 { Ask { vertices: [FEWEST; 2], ..ask } } else { ask };
            let wishes = self.mesh.candidates(ring, ask, tolerance, rng);
            wishes.into_iter().find_map(|wish| self.mesh.cut(ring, wish, rng))
        })
    }

    /// Lanes divide a grid into blocks, until those are small or odd enough to be left alone.
    fn lanes(&mut self, ring: Ring, rng: &mut Rng) {
        if self.mesh.area(&ring) < BLOCK * rng.between(1.1, 1.9) {
            return;
        }
        let share = rng.between(0.4, 0.6);
        let ask = Ask { share, towards: None, vertices: [8; 2], max_vertices: ANY, spacing: SPACING, bend: 0.04 };
        let wishes = self.mesh.candidates(&ring, ask, 0.25, rng);
        if let Some(parts) = wishes.into_iter().find_map(|wish| self.mesh.cut(&ring, wish, rng)) {
            self.streets.push(Street { path: parts.street, class: Class::Lane });
            self.lanes(parts.first, rng);
            self.lanes(parts.second, rng);
        }
    }

    /// West to east in rows from north to south: how grids are numbered in their community.
    fn read_like_a_page(&self, rings: &mut [Ring]) {
        let area: f64 = rings.iter().map(|ring| self.mesh.area(ring)).sum();
        let row = (area / rings.len() as f64).sqrt();
        let north = rings.iter().map(|ring| self.mesh.middle(ring)[1]).fold(f64::MIN, f64::max);
        rings.sort_by(|a, b| {
            let key = |ring: &Ring| {
                let at = self.mesh.middle(ring);
                (count(((north - at[1]) / row).floor()), at[0])
            };
            let (one, two) = (key(a), key(b));
            one.0.cmp(&two.0).then(one.1.total_cmp(&two.1))
        });
    }
}

/// How an area is cut into its parts.
#[derive(Clone, Copy)]
struct Style {
    class: Class,
    towards: Option<Point>,
    fewest: usize,
    bend: f64,
}

const NORTH_WEST: Point = [-0.6, 0.8];
/// Directions in which a set of sub-districts may be divided.
const COMPASS: [Point; 6] = [[1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [0.8, 0.6], [-0.6, 0.8], [-0.8, 0.6]];

/// Communities before a sub-district's first.
pub(super) fn first_community(quarter: usize) -> usize {
    QUARTERS[..quarter].iter().map(|q| q.communities).sum()
}

/// Grids of the k-th community in the order of codes: 940 in all.
pub(super) const fn grids_in(community: usize) -> u32 {
    if community % 7 == 4 { 6 } else { 7 }
}

fn grids_of(quarter: usize) -> u32 {
    (0..QUARTERS[quarter].communities).map(|k| grids_in(first_community(quarter) + k)).sum()
}

/// 责任科室 of a sub-district: two or three.
pub(super) const fn sections_of(quarter: usize) -> usize {
    2 + quarter % 2
}

fn place(quarter: usize) -> Point {
    let [lon, lat] = QUARTERS[quarter].at;
    [(lon - 120.365) * 90_000.0, (lat - 36.115) * 111_000.0]
}

/// The corners of the district's outline in WGS 84, counter-clockwise.
pub(super) fn corners(site: Site) -> Result<Vec<Vertex>, Error> {
    #[derive(serde::Deserialize)]
    struct Outline {
        coordinates: Vec<Vec<Vec<[f64; 2]>>>,
    }
    let read: Outline = serde_json::from_str(OUTLINE).map_err(|e| Error::Outline(e.to_string()))?;
    let raw = read.coordinates.first().and_then(|polygon| polygon.first());
    let raw = raw.ok_or_else(|| Error::Outline("it has no ring".to_owned()))?;
    let mut corners: Vec<Vertex> = raw
        .iter()
        .map(|&at| {
            let [lon, lat] = from_gcj02(at);
            let [lon, lat] = [lon, lat].map(|degrees| count(degrees * 1e7).cast_signed() as i64 * 10);
            site.here(Vertex { lon, lat })
        })
        .collect();
    // It was published clockwise and closed.
    corners.reverse();
    corners.dedup();
    if corners.first() == corners.last() {
        corners.pop();
    }
    Ok(corners)
}

/// The outline with a vertex at least every few metres for streets to end on.
fn outline(mesh: &mut Mesh, site: Site) -> Result<Ring, Error> {
    let corners = corners(site)?;
    let mut ring = Ring::new();
    for (k, &corner) in corners.iter().enumerate() {
        let (a, b) = (mesh.frame.metres(corner), mesh.frame.metres(corners[(k + 1) % corners.len()]));
        ring.push(mesh.add(corner));
        let pieces = count((distance(a, b) / SPACING).ceil());
        for piece in 1..pieces {
            let between = mesh.round(plus(a, minus(b, a), piece as f64 / pieces as f64));
            ring.push(mesh.add(between));
        }
    }
    Ok(ring)
}
