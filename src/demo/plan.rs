//! Which streets have which utility, and whose: the exact numbers of covers, before any is written.

use super::plane::Point;
use super::rng::Rng;
use super::streets::{Slot, Streets};
use super::utilities::UTILITIES;
use super::{Error, areas::Class};

/// A segment and how many of its first places are used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Use {
    pub(super) segment: u32,
    pub(super) covers: u32,
}

/// The uses of one category, in the order in which streets were laid out.
pub(super) struct Network {
    pub(super) density: f64,
    pub(super) uses: Vec<Use>,
}

/// The networks of all categories, in their order.
pub(super) struct Plan<'a> {
    pub(super) streets: Streets<'a>,
    pub(super) networks: Vec<Network>,
    seed: u64,
}

impl<'a> Plan<'a> {
    /// Finds room for so many covers of each category.
    pub(super) fn of(streets: Streets<'a>, seed: u64, wanted: [u64; 16]) -> Result<Self, Error> {
        let mut plan = Self { streets, networks: Vec::new(), seed };
        for (utility, wanted) in wanted.into_iter().enumerate() {
            let network = plan.network(utility, wanted)?;
            plan.networks.push(network);
        }
        Ok(plan)
    }

    /// Takes whole streets, the likeliest first, until there are enough covers; closer ones where
    /// all streets have too few.
    fn network(&self, utility: usize, wanted: u64) -> Result<Network, Error> {
        let mut order: Vec<(f64, u32)> = (0_u32..)
            .zip(&self.streets.segments)
            .map(|(k, piece)| (self.rank(utility, piece.street, piece.class), k))
            .collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut density = 1.0;
        while density < 200.0 {
            let mut uses = Vec::new();
            let mut missing = wanted;
            for &(_, segment) in &order {
                if missing == 0 {
                    break;
                }
                let mut slots: u32 = 0;
                self.streets.slots(segment as usize, &UTILITIES[utility], density, |_| slots += 1);
                let covers = u32::try_from(missing).unwrap_or(u32::MAX).min(slots);
                missing -= u64::from(covers);
                if covers > 0 {
                    uses.push(Use { segment, covers });
                }
            }
            if missing == 0 {
                uses.sort_by_key(|u| u.segment);
                return Ok(Network { density, uses });
            }
            let found = wanted - missing;
            density *= (1.1 * wanted as f64 / found.max(1) as f64).clamp(1.15, 4.0);
        }
        Err(Error::Crowded { category: UTILITIES[utility].category, covers: wanted })
    }

    /// Low for streets that are likely to have a utility. Streets have several or none, and main
    /// ones more often.
    fn rank(&self, utility: usize, street: u32, class: Class) -> f64 {
        let draw = |what: u64| Rng::keyed(self.seed, [3, u64::from(street), what]).unit();
        let main = match class {
            Class::Arterial => 0.10,
            Class::Secondary => 0.12,
            Class::Local => 0.04,
            Class::Lane => 0.0,
        };
        0.62 * draw(1_000) + 0.38 * draw(utility as u64) - main
    }

    /// Calls `take` with every used place of a category on one segment.
    pub(super) fn places(&self, utility: usize, used: Use, mut take: impl FnMut(Slot)) {
        let mut left = used.covers;
        let density = self.networks[utility].density;
        self.streets.slots(used.segment as usize, &UTILITIES[utility], density, |slot| {
            if left > 0 {
                left -= 1;
                take(slot);
            }
        });
    }

    /// Which of `owners` has a category's covers on a segment: by quarter of the city for pipes,
    /// street by street for the telecom operators, whose lines lie side by side.
    pub(super) fn owner(&self, utility: usize, segment: u32, owners: usize) -> usize {
        let piece = &self.streets.segments[segment as usize];
        match (UTILITIES[utility].category, owners) {
            (_, 1) => 0,
            (107, _) => Rng::keyed(self.seed, [4, u64::from(piece.street), 0]).below(owners),
            (_, 2) => usize::from(north_east(piece.middle) > 200.0),
            _ => usize::from(north_east(piece.middle) > -1_500.0) + usize::from(north_east(piece.middle) > 1_900.0),
        }
    }
}

fn north_east(at: Point) -> f64 {
    0.6 * at[0] + 0.8 * at[1]
}
