//! Of pins answered 0.9, nine in ten are right: measured on a made-up city.

use super::world::{Rng, World, share};
use super::*;

const PINS: usize = 30_000;

/// Sums over the answers in one bin of confidence.
#[derive(Default, Clone, Copy)]
struct Bin {
    answers: u32,
    confidence: f64,
    right: u32,
}

/// The reliability diagram over every answer, "none of them" included, in ten bins.
fn reliability(world: &World, accuracy_m: f64, hinted: bool) -> [Bin; 10] {
    let model = ResolveModel::default();
    let mut rng = Rng(7);
    let mut bins = [Bin::default(); 10];
    let mut add = |confidence: f64, right: bool| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 10")]
        let bin = &mut bins[((confidence * 10.0) as usize).min(9)];
        bin.answers += 1;
        bin.confidence += confidence;
        bin.right += u32::from(right);
    };
    for _ in 0..PINS {
        let made = world.pin(&mut rng, accuracy_m);
        let hint = CategoryCode::from_number(made.hint).filter(|_| hinted);
        let at = Position::new(120.38, 36.12).unwrap();
        let pin = Pin::new(at, accuracy_m, hint, 50).unwrap();
        let mut weighing = Weighing::new(&model, &pin, share(made.hint));
        let near = world.near(made.at, pin.reach_m());
        let weighed = near.iter().map(|&(key, distance_m)| {
            let cover = &world.covers[key];
            let evidence = Evidence {
                distance_m,
                accuracy: Accuracy::ALL[cover.class],
                category: CategoryCode::from_number(cover.category).unwrap(),
                status: if cover.abandoned { Status::Abandoned } else { Status::InService },
            };
            Weighed { key, distance_m, weight: weighing.add(&evidence) }
        });
        let weighed = weighed.collect();
        let ranking = rank(weighed, weighing.none(), 50, usize::cmp);
        for candidate in &ranking.candidates {
            add(candidate.confidence, candidate.key == made.meant);
        }
        add(ranking.none_confidence, near.iter().all(|&(key, _)| key != made.meant));
    }
    bins
}

#[test]
fn confidence_is_the_share_of_right_answers() {
    let world = World::new(11, 17_000);
    for (accuracy_m, hinted) in [3.0, 10.0, 30.0, 150.0].into_iter().flat_map(|a| [(a, false), (a, true)]) {
        let bins = reliability(&world, accuracy_m, hinted);
        let mut thousands = 0;
        for bin in bins.iter().filter(|bin| bin.answers >= 1_000) {
            let (said, seen) = (bin.confidence / f64::from(bin.answers), f64::from(bin.right) / f64::from(bin.answers));
            thousands += 1;
            assert!((said - seen).abs() < 0.03, "{accuracy_m} m, hint {hinted}: said {said:.3}, were {seen:.3}");
        }
        assert!(thousands >= 2);
    }
}
