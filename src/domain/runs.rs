//! Runs: the chambers of one pipe follow each other along a street at much the same distance (管线).
//!
//! Whether a cover is one of a run is told from the places of others, in metres east and north of it.

/// Metres east and north of the cover that is asked about.
pub type Offset = [f64; 2];

/// How far from a cover others of its run are looked for, in metres: twice what lies between chambers (检查井间距).
pub const REACH_M: f64 = 160.0;
/// So many of the nearest are enough to tell.
pub const NEAREST: usize = 8;

/// How straight a run goes on: the cosine of 20°.
const STRAIGHT: f64 = 0.94;
/// A chamber is not built, nor measured, nearer than this to its run's course, in metres. Less than half of what lies
/// between two pipes in one street.
const ON_COURSE_M: f64 = 0.6;
/// Within this of two others, in metres, a cover may well belong to them.
const MAYBE_M: f64 = 1.0;
/// Two covers of a category within this, in metres, may stand for each other.
const BESIDE_M: f64 = 3.0;
/// So many of the nearest are taken for the beginning of a run.
const STARTS: usize = 3;
/// A gap in which a chamber is missing, in steps of the run before and after it.
const GAP: f64 = 1.4;
/// The shorter part of such a gap at least, where the missing one would be in the middle.
const PART: f64 = 0.35;

fn dot(a: Offset, b: Offset) -> f64 {
    a[0] * b[0] + a[1] * b[1]
}

fn cross(a: Offset, b: Offset) -> f64 {
    a[0] * b[1] - a[1] * b[0]
}

fn length(a: Offset) -> f64 {
    a[0].hypot(a[1])
}

fn from(a: Offset, b: Offset) -> Offset {
    [b[0] - a[0], b[1] - a[1]]
}

/// Whether `b` goes on as `a` does.
fn follows(a: Offset, b: Offset) -> bool {
    dot(a, b) >= STRAIGHT * length(a) * length(b)
}

/// The chamber after `last` of a run that comes from the cover.
fn next(last: Offset, others: &[Offset]) -> Option<Offset> {
    let steps = others.iter().map(|other| (*other, from(last, *other)));
    let ahead = steps.filter(|(_, step)| length(*step) > 0.0 && follows(last, *step));
    ahead.min_by(|a, b| length(a.1).total_cmp(&length(b.1))).map(|(other, _)| other)
}

/// Whether the cover lies where a run of `others` lacks a chamber: on its course, between two that are further apart
/// than those before and after them. `others`: the nearest first, none of them the cover.
pub fn fills_gap(others: &[Offset]) -> bool {
    let Some(&before) = others.first() else { return false };
    let Some(&after) = others.iter().find(|other| follows([-before[0], -before[1]], **other)) else { return false };
    let (Some(first), Some(last)) = (next(before, others), next(after, others)) else { return false };
    let gap = length(before) + length(after);
    let step = length(from(before, first)).max(length(from(after, last)));
    if length(before) < PART * gap || gap < GAP * step {
        return false;
    }
    // Of a curve through four at equal distances, the middle.
    let middle = [0, 1].map(|axis| (4.0 * (before[axis] + after[axis]) - first[axis] - last[axis]) / 6.0);
    let along = from(before, after);
    cross(middle, along).abs() <= ON_COURSE_M * length(along)
}

/// Whether the cover may be one of a run of `others`: between two of them, where two of them lead, or so near to one
/// that either could be it. `others`: the nearest first, none of them the cover.
pub fn may_belong(others: &[Offset]) -> bool {
    let leads = |a: &Offset, b: Offset| cross(*a, from(*a, b)).abs() <= MAYBE_M * length(from(*a, b));
    others.first().is_some_and(|nearest| length(*nearest) <= BESIDE_M)
        || others.iter().take(STARTS).any(|a| {
            let across = others.iter().copied().find(|other| follows([-a[0], -a[1]], *other));
            across.into_iter().chain(next(*a, others)).any(|b| leads(a, b))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run along a circle of the radius, at these metres along it from the cover.
    fn run<const N: usize>(radius: f64, at: [f64; N]) -> Vec<Offset> {
        let mut run = at.map(|at| [radius * (at / radius).sin(), radius * (1.0 - (at / radius).cos())]).to_vec();
        run.sort_by(|a, b| length(*a).total_cmp(&length(*b)));
        run
    }

    #[test]
    fn a_gap_is_filled_where_the_run_is_even() {
        for (at, fills) in [
            ([-76.0, -38.0, 40.0, 77.0], true),
            // As far apart as the others are: nothing is missing.
            ([-57.0, -19.0, 19.0, 57.0], false),
            // Not in the middle.
            ([-53.0, -15.0, 61.0, 99.0], false),
        ] {
            assert_eq!(fills_gap(&run(1e7, at)), fills, "{at:?}");
            assert_eq!(fills_gap(&run(150.0, at)), fills, "{at:?} in a bend");
        }
        assert!(!fills_gap(&run(1e7, [38.0, 76.0, 114.0])), "where it ends nothing is missing");
        assert!(!fills_gap(&run(1e7, [-38.0, 38.0, 76.0])), "two steps are no run");
        assert!(!fills_gap(&[]));
        let beside = run(1e7, [-76.0, -38.0, 38.0, 76.0]).into_iter().map(|[x, y]| [x, y + 1.8]).collect::<Vec<_>>();
        assert!(!fills_gap(&beside), "it lies beside the run");
    }

    #[test]
    fn it_may_belong_to_what_it_lies_among_or_at_the_end_of() {
        assert!(may_belong(&run(1e7, [-20.0, 22.0])));
        assert!(may_belong(&run(1e7, [40.0, 82.0])));
        assert!(!may_belong(&[[-20.0, 1.8], [22.0, 1.8]]));
        assert!(!may_belong(&[[40.0, 0.0]]), "one is no run");
        assert!(may_belong(&[[-0.9, 1.7], [36.0, 15.0], [-37.0, -20.0]]), "either of two may be the one");
        assert!(!may_belong(&[[30.0, 30.0], [35.0, -60.0], [-50.0, 5.0]]), "of three streets");
    }
}
