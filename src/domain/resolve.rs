//! Which cover a pin means (落点认定): candidates, confidence, and when to say "none of them".
//!
//! # The model
//!
//! Somebody stands at one cover and sends a pin. Before the pin is seen, every cover is as likely
//! to be that one as any other, an abandoned one [`ResolveModel::abandoned_weight`] times as likely.
//!
//! **Distance.** The pin's error is an isotropic normal distribution in the plane, so the length
//! of the error is Rayleigh distributed. `accuracy_m` is the radius that holds 68 % of the pins
//! (what Android and the W3C Geolocation API report), hence
//!
//! ```text
//! 1 − exp(−r² / 2σ²) = 0.68   ⇒   σ² = r² / (−2 ln 0.32)
//! ```
//!
//! for each axis. A radius below 1 m counts as 1 m: nobody taps a screen more exactly. The
//! registry errs too: a cover's accuracy class is read as the root mean square of its planar error
//! (点位中误差), so it adds half its square to the variance of each axis. (Left out: a cover of class
//! C is more likely to lie where its neighbours do than elsewhere within its 10 m. Where every tenth
//! cover is of class C, pins of 3 m without a hint are told 0.85 and are right with 0.79.) A cover `d` metres away has
//! the likelihood `exp(−d² / 2σ²) / 2πσ²`, a density per m².
//!
//! **Unregistered covers** are [`ResolveModel::unregistered_share`] of all. Nobody knows where they
//! lie but that they lie where covers lie, beside others in streets. Their density is that share
//! of a kernel estimate of the density of covers: the district's mean λ₀, and around each
//! candidate a normal distribution of [`ResolveModel::group_m`] for each axis, which is how far
//! from each other covers of one group lie. Blurred by the pin's error this weighs
//!
//! ```text
//! share / (1 − share) · (λ₀ + Σ exp(−d² / 2s²) / 2πs²),   s² = σ² of the pin + group_m²
//! ```
//!
//! **Beyond reach.** Candidates end at [`Pin::reach_m`], `R`. Up to an accuracy of 66 m that is three
//! times the radius and leaves 0.004 % of the pins outside; then the cap of 200 m cuts real mass:
//! 32 % at 200 m, 95 % at 1,000 m. Covers out there are none of the candidates. As many of them are
//! expected on each m² as within reach, where `n` candidates in the area `A` update the mean as a
//! Poisson count does a gamma distribution worth one cover: `λ = (1 + n) / (1 / λ₀ + A)`. They add
//! `λ · exp(−R² / 2σ²)` to the weight of "none".
//!
//! **Category hint.** Residents mislabel covers: the hint is right with
//! [`ResolveModel::hint_right`], else any of the others, but grates are hardly ever confused with
//! covers. Each weight is multiplied by the probability of the hint given that category; that of
//! "none" by its mean over the shares of the categories in the district.
//!
//! Confidence is weight divided by the sum of all weights, "none" included, in steps of 10⁻⁶: what
//! is shown, compared and ordered is the same number, and all of them add up to 1.

use std::cmp::Ordering;

use super::catalog::CategoryCode;
use super::cover::{Accuracy, Status};
use super::position::{Position, Wgs84};
use super::said::{Said, say};

#[cfg(test)]
mod calibration;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod world;

/// −2 ln(1 − 0.68): the square of a 68 % radius in variances of one axis.
const SQUARED_68: f64 = 2.278_868_566_375_729;

/// Inlet grates (雨水箅子).
const GRATE: u16 = 104;

/// Steps of confidence in 1.
const STEPS: f64 = 1e6;

/// Why a pin cannot be resolved as asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PinError {
    Accuracy(f64),
    Limit(usize),
}

impl From<PinError> for Said {
    fn from(error: PinError) -> Self {
        match error {
            PinError::Accuracy(got) => say!(
                "accuracy_m must lie between 0 and 1000, got {got}",
                "accuracy_m 必须在 0 到 1000 之间，收到 {got}"
            ),
            PinError::Limit(got) => {
                say!("limit must lie between 1 and 50, got {got}", "limit 必须在 1 到 50 之间，收到 {got}")
            }
        }
    }
}

impl PinError {
    /// The member at fault.
    pub const fn member(self) -> &'static str {
        match self {
            Self::Accuracy(_) => "accuracy_m",
            Self::Limit(_) => "limit",
        }
    }
}

/// A pin on the map: where somebody says that a cover is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pin {
    at: Position<Wgs84>,
    accuracy_m: f64,
    category: Option<CategoryCode>,
    limit: usize,
}

impl Pin {
    pub const DEFAULT_ACCURACY_M: f64 = 10.0;
    pub const DEFAULT_LIMIT: usize = 5;
    /// No candidate lies farther away, in metres.
    pub const FARTHEST_M: f64 = 200.0;

    /// A pin with the radius in metres that holds it with 68 % (0–1,000), what the sender takes the
    /// cover for, and how many candidates to name (1–50).
    pub fn new(
        at: Position<Wgs84>,
        accuracy_m: f64,
        category: Option<CategoryCode>,
        limit: usize,
    ) -> Result<Self, PinError> {
        if !(0.0..=1_000.0).contains(&accuracy_m) {
            return Err(PinError::Accuracy(accuracy_m));
        }
        if !(1..=50).contains(&limit) {
            return Err(PinError::Limit(limit));
        }
        Ok(Self { at, accuracy_m, category, limit })
    }

    /// A phone's pin without a hint.
    pub const fn at(at: Position<Wgs84>) -> Self {
        Self { at, accuracy_m: Self::DEFAULT_ACCURACY_M, category: None, limit: Self::DEFAULT_LIMIT }
    }

    pub const fn position(&self) -> Position<Wgs84> {
        self.at
    }

    pub const fn accuracy_m(&self) -> f64 {
        self.accuracy_m
    }

    pub const fn category(&self) -> Option<CategoryCode> {
        self.category
    }

    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// How far from the pin candidates are looked for, in metres: max(30, 3 × accuracy), at most 200.
    pub const fn reach_m(&self) -> f64 {
        (3.0 * self.accuracy_m).clamp(30.0, Self::FARTHEST_M)
    }

    /// Variance of one axis of the pin's error, in m².
    fn variance(&self) -> f64 {
        let radius = self.accuracy_m.max(1.0);
        radius * radius / SQUARED_68
    }
}

/// What a district believes about covers and pins; see the module's text.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolveModel {
    /// Share of all covers that are in no register, 0–1.
    pub unregistered_share: f64,
    /// Mean density of registered covers per m².
    pub density_per_m2: f64,
    /// How far from each other covers of one group lie: standard deviation of one axis in metres.
    /// At least 7.1, the error of a cover of class C: else a cover's own nearness would speak more
    /// for an unregistered neighbour than for itself.
    pub group_m: f64,
    /// How often a pin means an abandoned cover, against one in service.
    pub abandoned_weight: f64,
    /// Probability that the hint names a cover's category, and a grate's.
    pub hint_right: f64,
    pub hint_right_grate: f64,
    /// Probability that something else is taken for a grate.
    pub hint_grate_wrong: f64,
    /// Categories that a hint can name.
    pub categories: f64,
}

impl Default for ResolveModel {
    /// 1.5 % unregistered; 17,000 covers on 65.4 km² (Shibei, 市北区); 16 categories. The rest are
    /// Guli's own estimates, to be replaced by what a district's verified orders show.
    fn default() -> Self {
        Self {
            unregistered_share: 0.015,
            density_per_m2: 17_000.0 / 65.4e6,
            group_m: 8.0,
            abandoned_weight: 0.3,
            hint_right: 0.85,
            hint_right_grate: 0.97,
            hint_grate_wrong: 0.01,
            categories: 16.0,
        }
    }
}

impl ResolveModel {
    /// P(hint | category): how often a cover of this category is called that.
    pub fn hint_likelihood(&self, hint: CategoryCode, category: CategoryCode) -> f64 {
        match (hint.number(), category.number()) {
            (GRATE, GRATE) => self.hint_right_grate,
            (_, GRATE) => (1.0 - self.hint_right_grate) / (self.categories - 1.0),
            (GRATE, _) => self.hint_grate_wrong,
            (h, c) if h == c => self.hint_right,
            _ => self.hint_wrong(),
        }
    }

    /// P(hint | another category), neither a grate.
    fn hint_wrong(&self) -> f64 {
        (1.0 - self.hint_right - self.hint_grate_wrong) / (self.categories - 2.0)
    }

    /// P(hint) over all covers, when this share of them has the hinted category.
    fn hint_mean(&self, hint: CategoryCode, share: f64) -> f64 {
        let wrong = if hint.number() == GRATE { self.hint_grate_wrong } else { self.hint_wrong() };
        share * self.hint_likelihood(hint, hint) + (1.0 - share) * wrong
    }
}

/// What the model needs to know of a candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    pub distance_m: f64,
    pub accuracy: Accuracy,
    pub category: CategoryCode,
    pub status: Status,
}

/// A normal distribution in the plane around a candidate, as a function of the distance.
#[derive(Debug, Clone, Copy)]
struct Normal {
    /// Density per m² at distance 0.
    peak: f64,
    /// −1/2σ².
    slope: f64,
}

impl Normal {
    /// With this variance in m² for each axis.
    fn new(variance: f64) -> Self {
        Self { peak: 1.0 / (std::f64::consts::TAU * variance), slope: -0.5 / variance }
    }

    fn density(self, squared_m: f64) -> f64 {
        self.peak * (self.slope * squared_m).exp()
    }
}

/// The model with one pin put in: takes the candidates one by one and says what each weighs, as a
/// density per m²; then what "none of these" weighs beside them.
#[derive(Debug, Clone)]
pub struct Weighing<'m> {
    model: &'m ResolveModel,
    hint: Option<CategoryCode>,
    /// P(hint) over all covers.
    hint_mean: f64,
    reach_m: f64,
    /// Share of the pins that err by more than the reach.
    beyond_reach: f64,
    /// By accuracy class.
    cover: [Normal; 3],
    group: Normal,
    candidates: f64,
    grouped: f64,
}

impl<'m> Weighing<'m> {
    /// `hinted_share`: the share of the district's covers that have the hinted category; without a
    /// hint it plays no part.
    pub fn new(model: &'m ResolveModel, pin: &Pin, hinted_share: f64) -> Self {
        let variance = pin.variance();
        let class = |accuracy: Accuracy| Normal::new(variance + accuracy.metres() * accuracy.metres() / 2.0);
        let reach_m = pin.reach_m();
        Self {
            model,
            hint: pin.category,
            hint_mean: pin.category.map_or(1.0, |hint| model.hint_mean(hint, hinted_share)),
            reach_m,
            beyond_reach: (-0.5 * reach_m * reach_m / variance).exp(),
            cover: [class(Accuracy::A), class(Accuracy::B), class(Accuracy::C)],
            group: Normal::new(variance + model.group_m * model.group_m),
            candidates: 0.0,
            grouped: 0.0,
        }
    }

    /// The weight of one more candidate.
    pub fn add(&mut self, candidate: &Evidence) -> f64 {
        let squared_m = candidate.distance_m * candidate.distance_m;
        let of_status = match candidate.status {
            Status::InService => 1.0,
            Status::Abandoned => self.model.abandoned_weight,
            Status::Planned | Status::Removed => return 0.0,
        };
        self.candidates += 1.0;
        self.grouped += self.group.density(squared_m);
        let of_hint = self.hint.map_or(1.0, |hint| self.model.hint_likelihood(hint, candidate.category));
        self.cover[candidate.accuracy as usize].density(squared_m) * of_status * of_hint
    }

    /// The weight of "none of these" beside the candidates taken so far.
    pub fn none(&self) -> f64 {
        let model = self.model;
        let unregistered = model.unregistered_share / (1.0 - model.unregistered_share);
        let area = std::f64::consts::PI * self.reach_m * self.reach_m;
        let outside = (1.0 + self.candidates) / (1.0 / model.density_per_m2 + area);
        (unregistered * (model.density_per_m2 + self.grouped) + self.beyond_reach * outside) * self.hint_mean
    }
}

/// What a pin turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// The first candidate has a confidence of 0.8 or more.
    Matched,
    /// There are candidates, but none is sure.
    Ambiguous,
    /// No candidate, or none of them with a confidence of 0.5 or more.
    Unregistered,
}

impl Match {
    /// The rule over the confidence of the first candidate and that of none.
    pub fn of(first: Option<f64>, none: f64) -> Self {
        match first {
            Some(_) if none >= 0.5 => Self::Unregistered,
            Some(first) if first >= 0.8 => Self::Matched,
            Some(_) => Self::Ambiguous,
            None => Self::Unregistered,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::Ambiguous => "ambiguous",
            Self::Unregistered => "unregistered",
        }
    }
}

/// A candidate with its weight; `key` is whatever the caller knows it by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weighed<K> {
    pub key: K,
    pub distance_m: f64,
    pub weight: f64,
}

/// A candidate with its place in the answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked<K> {
    pub key: K,
    /// Rounded to 1 cm.
    pub distance_m: f64,
    /// 0–1, in steps of 10⁻⁶.
    pub confidence: f64,
}

/// The answer: the first candidates by falling confidence, then distance, then code.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking<K> {
    pub candidates: Vec<Ranked<K>>,
    pub none_confidence: f64,
    pub matched: Match,
}

/// Turns weights into confidences over all candidates and keeps the first `limit`. `by_code`
/// compares two keys by the covers' codes; it is asked only when all else is equal.
pub fn rank<K: Copy>(
    mut weighed: Vec<Weighed<K>>,
    none_weight: f64,
    limit: usize,
    by_code: impl Fn(&K, &K) -> Ordering,
) -> Ranking<K> {
    let total = none_weight + weighed.iter().map(|w| w.weight).sum::<f64>();
    let mut none = STEPS;
    for candidate in &mut weighed {
        // From here on weight and distance stand in the steps in which they are shown.
        candidate.weight = (candidate.weight / total * STEPS).round();
        candidate.distance_m = (candidate.distance_m * 100.0).round();
        none -= candidate.weight;
    }
    let order = |a: &Weighed<K>, b: &Weighed<K>| {
        (b.weight.total_cmp(&a.weight))
            .then_with(|| a.distance_m.total_cmp(&b.distance_m))
            .then_with(|| by_code(&a.key, &b.key))
    };
    if weighed.len() > limit {
        weighed.select_nth_unstable_by(limit, order);
        weighed.truncate(limit);
    }
    weighed.sort_unstable_by(order);
    let none_confidence = none.max(0.0) / STEPS;
    let candidates: Vec<_> = weighed
        .into_iter()
        .map(|w| Ranked { key: w.key, distance_m: w.distance_m / 100.0, confidence: w.weight / STEPS })
        .collect();
    let matched = Match::of(candidates.first().map(|c| c.confidence), none_confidence);
    Ranking { candidates, none_confidence, matched }
}
