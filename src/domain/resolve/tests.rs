//! The model by hand, and what must hold for any candidates.

use proptest::prelude::*;

use super::super::said::english;
use super::*;

fn category(number: u16) -> CategoryCode {
    CategoryCode::from_number(number).unwrap()
}

fn pin(accuracy_m: f64, hint: Option<u16>) -> Pin {
    Pin::new(Position::new(120.38, 36.12).unwrap(), accuracy_m, hint.map(category), 50).unwrap()
}

fn evidence(distance_m: f64, number: u16) -> Evidence {
    Evidence { distance_m, accuracy: Accuracy::A, category: category(number), status: Status::InService }
}

fn resolve(pin: &Pin, candidates: &[Evidence]) -> Ranking<usize> {
    let model = ResolveModel::default();
    let mut weighing = Weighing::new(&model, pin, 0.14);
    let weighed = candidates.iter().enumerate();
    let weighed = weighed.map(|(key, c)| Weighed { key, distance_m: c.distance_m, weight: weighing.add(c) }).collect();
    rank(weighed, weighing.none(), 50, usize::cmp)
}

/// Accuracy, hint, candidates as distance and category → what it is, and the order of the candidates.
fn check(what: &str, accuracy_m: f64, hint: Option<u16>, covers: &[(f64, u16)], expect: (Match, &[usize])) {
    let covers: Vec<_> = covers.iter().map(|&(distance, number)| evidence(distance, number)).collect();
    let ranking = resolve(&pin(accuracy_m, hint), &covers);
    let order: Vec<_> = ranking.candidates.iter().map(|c| c.key).collect();
    assert_eq!((ranking.matched, &*order), expect, "{what}: {ranking:?}");
}

#[test]
fn what_a_pin_turns_out_to_be() {
    use Match::{Ambiguous, Matched, Unregistered};
    check("nothing near", 10.0, None, &[], (Unregistered, &[]));
    check("one, close", 10.0, None, &[(2.4, 103)], (Matched, &[0]));
    check("one, far for a good pin", 3.0, None, &[(20.0, 103)], (Unregistered, &[0]));
    check("two side by side", 10.0, None, &[(2.0, 103), (3.0, 107)], (Ambiguous, &[0, 1]));
    check("the hint tells them apart", 10.0, Some(107), &[(2.0, 103), (3.0, 107)], (Matched, &[1, 0]));
    check("a good pin tells them apart", 0.0, None, &[(0.3, 103), (4.0, 107)], (Matched, &[0, 1]));
    check("equally far: by code", 10.0, None, &[(3.0, 103), (3.0, 103)], (Ambiguous, &[0, 1]));
    check("far away the weights vanish: by distance", 1.0, None, &[(29.0, 103), (28.0, 103)], (Unregistered, &[1, 0]));
    check("a kilometre: the reach is only 200 m", 1000.0, None, &[(1.0, 103)], (Unregistered, &[0]));
}

#[test]
fn the_radius_holds_68_percent() {
    let variance = pin(10.0, None).variance();
    assert!((1.0 - (-100.0 / (2.0 * variance)).exp() - 0.68).abs() < 1e-12);
    assert_eq!(pin(0.0, None).variance().to_bits(), pin(1.0, None).variance().to_bits());
    for (accuracy, reach) in [(0.0, 30.0), (10.0, 30.0), (30.0, 90.0), (66.0, 198.0), (1000.0, 200.0)] {
        assert_eq!(pin(accuracy, None).reach_m().to_bits(), f64::to_bits(reach));
    }
}

#[test]
fn hints_are_probabilities() {
    let model = ResolveModel::default();
    let used = || crate::domain::catalog::NATIONAL.iter().filter(|n| !n.off).map(|n| category(n.code));
    for truth in used() {
        let sum: f64 = used().map(|hint| model.hint_likelihood(hint, truth)).sum();
        assert!((sum - 1.0).abs() < 1e-12, "{truth}: {sum}");
    }
    assert!(
        model.hint_likelihood(category(104), category(103)) < model.hint_likelihood(category(101), category(103)) * 1.1
    );
}

#[test]
fn what_no_pin_may_say_is_named() {
    let at = Position::new(120.38, 36.12).unwrap();
    for (accuracy, limit, error) in [
        (f64::NAN, 5, "accuracy_m must lie between 0 and 1000, got NaN"),
        (-0.5, 5, "accuracy_m must lie between 0 and 1000, got -0.5"),
        (1000.5, 5, "accuracy_m must lie between 0 and 1000, got 1000.5"),
        (10.0, 0, "limit must lie between 1 and 50, got 0"),
        (10.0, 51, "limit must lie between 1 and 50, got 51"),
    ] {
        assert_eq!(english(Pin::new(at, accuracy, None, limit).unwrap_err()), error);
    }
}

fn any_evidence(reach: f64) -> impl Strategy<Value = Evidence> {
    let number = prop::sample::select(vec![101u16, 103, 104, 107]);
    let status = prop::sample::select(vec![Status::InService, Status::Abandoned]);
    (0.0..reach, prop::sample::select(Accuracy::ALL), number, status).prop_map(
        |(distance_m, accuracy, number, status)| Evidence { distance_m, accuracy, category: category(number), status },
    )
}

fn any_case() -> impl Strategy<Value = (Pin, Vec<Evidence>)> {
    (0.0..1000.0, prop::option::of(prop::sample::select(vec![103u16, 104, 127]))).prop_flat_map(|(accuracy, hint)| {
        let pin = pin(accuracy, hint);
        (Just(pin), prop::collection::vec(any_evidence(pin.reach_m()), 0..40))
    })
}

proptest! {
    #[test]
    fn confidences_are_a_distribution((pin, covers) in any_case()) {
        let ranking = resolve(&pin, &covers);
        let each = ranking.candidates.iter().map(|c| c.confidence).chain([ranking.none_confidence]);
        prop_assert!(each.clone().all(|c| (0.0..=1.0).contains(&c)));
        prop_assert!((each.sum::<f64>() - 1.0).abs() < 1e-9);
        for pair in ranking.candidates.windows(2) {
            let key = |c: &Ranked<usize>| (-c.confidence, c.distance_m, c.key);
            prop_assert!(key(&pair[0]) < key(&pair[1]));
        }
    }

    #[test]
    fn nearer_is_never_less_likely((pin, mut covers) in any_case(), share in 0.0..1.0) {
        prop_assume!(!covers.is_empty());
        let confidence = |covers: &[Evidence]| {
            let ranking = resolve(&pin, covers);
            ranking.candidates.iter().find(|c| c.key == 0).map(|c| c.confidence)
        };
        let before = confidence(&covers);
        covers[0].distance_m *= share;
        prop_assert!(confidence(&covers) >= before);
    }

    #[test]
    fn the_order_of_the_question_plays_no_part((pin, covers) in any_case(), turn in 0usize..40) {
        let mut turned = covers.clone();
        turned.rotate_left(turn.min(covers.len()));
        let shown = |r: Ranking<usize>| r.candidates.iter().map(|c| (c.confidence, c.distance_m)).collect::<Vec<_>>();
        for (a, b) in shown(resolve(&pin, &covers)).into_iter().zip(shown(resolve(&pin, &turned))) {
            // Sums in another order may differ in the last step.
            prop_assert!((a.0 - b.0).abs() < 2e-6, "{a:?} {b:?}");
        }
    }
}
