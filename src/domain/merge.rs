//! A record that is delivered again: what it said last, what it says now, and what the registry holds, column by column.
//!
//! What the file did not change stays as the registry has it, corrected or not; what it changed is taken. Where both
//! changed a column, the department has said something new of its own record: that counts, and is told.

use super::cover::CoverDraft;

/// What a record says, column by column, as text; `None` is nothing. All of one kind have the same columns in one order.
pub type Columns = Vec<(&'static str, Option<String>)>;

/// What a record comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Merge {
    /// Columns that are taken from the file.
    pub taken: Vec<&'static str>,
    /// Those of them that had been corrected here since.
    pub overruled: Vec<&'static str>,
    /// What the file says of columns that stay otherwise.
    pub kept: Columns,
}

/// Merges what a record says into what there is; `before` is what it said last, where that is known.
pub fn merge(before: Option<&Columns>, says: &Columns, ours: &Columns) -> Merge {
    let mut merge = Merge::default();
    for (place, ((column, says), (_, ours))) in says.iter().zip(ours).enumerate() {
        let before = before.and_then(|before| before.get(place)).map(|(_, before)| before);
        if says == ours {
            continue;
        }
        if before == Some(says) {
            merge.kept.push((column, says.clone()));
            continue;
        }
        merge.taken.push(column);
        if before.is_some_and(|before| before != ours) {
            merge.overruled.push(column);
        }
    }
    merge
}

/// What columns say, but for those that say something else.
#[must_use]
pub fn overlaid(mut columns: Columns, others: &[(String, Option<String>)]) -> Columns {
    for (column, value) in &mut columns {
        if let Some((_, other)) = others.iter().find(|(name, _)| name == column) {
            value.clone_from(other);
        }
    }
    columns
}

/// Has columns of which the file says nothing say what they said last.
pub fn unsaid(says: &mut Columns, silent: &[&str], last: &Columns) {
    for ((column, value), (_, last)) in says.iter_mut().zip(last) {
        if silent.contains(column) {
            value.clone_from(last);
        }
    }
}

/// What a column says.
pub fn value(columns: &Columns, name: &str) -> Option<String> {
    columns.iter().find(|(column, _)| *column == name).and_then(|(_, value)| value.clone())
}

/// What is said of a cover, but for its code. A position is one with its accuracy: both tell of one measurement.
pub fn cover(draft: &CoverDraft) -> Columns {
    let CoverDraft { category, owner, responsible_unit, position, accuracy, spec, status } = draft;
    let number = |value: Option<u16>| value.map(|value| value.to_string());
    vec![
        ("category", Some(category.to_string())),
        ("owner", owner.as_ref().map(ToString::to_string)),
        ("responsible_unit", responsible_unit.as_ref().map(ToString::to_string)),
        ("position", Some(format!("{} {} {}", position.lon(), position.lat(), accuracy.as_str()))),
        ("status", Some(status.as_str().to_owned())),
        ("shape", spec.shape.map(|word| word.as_str().to_owned())),
        ("opening_mm", number(spec.opening_mm)),
        ("opening_width_mm", number(spec.opening_width_mm)),
        ("depth_m", spec.depth_mm.map(|depth| (f64::from(depth) / 1000.0).to_string())),
        ("material", spec.material.map(|word| word.as_str().to_owned())),
        ("load_class", spec.load_class.map(|word| word.as_str().to_owned())),
        ("place", spec.place.map(|word| word.as_str().to_owned())),
        ("installed", number(spec.installed)),
    ]
}

/// A cover with these columns as another draft has them. Its category stays: it goes with the code, which is the registry's.
#[must_use]
pub fn with_columns(mut draft: CoverDraft, columns: &[&str], from: &CoverDraft) -> CoverDraft {
    let (spec, theirs) = (&mut draft.spec, &from.spec);
    for column in columns {
        match *column {
            "owner" => draft.owner.clone_from(&from.owner),
            "responsible_unit" => draft.responsible_unit.clone_from(&from.responsible_unit),
            "position" => (draft.position, draft.accuracy) = (from.position, from.accuracy),
            "status" => draft.status = from.status,
            "shape" => spec.shape = theirs.shape,
            "opening_mm" => spec.opening_mm = theirs.opening_mm,
            "opening_width_mm" => spec.opening_width_mm = theirs.opening_width_mm,
            "depth_m" => spec.depth_mm = theirs.depth_mm,
            "material" => spec.material = theirs.material,
            "load_class" => spec.load_class = theirs.load_class,
            "place" => spec.place = theirs.place,
            "installed" => spec.installed = theirs.installed,
            _ => {}
        }
    }
    draft
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cover::{Accuracy, LoadClass, Material, Place, Shape, Spec, Status};
    use crate::domain::position::Position;

    fn one(text: &str) -> Columns {
        let column = |(name, value): (&'static str, &str)| (name, (value != "-").then(|| value.to_owned()));
        ["a", "b", "c"].into_iter().zip(text.split(' ')).map(column).collect()
    }

    #[test]
    fn a_column_is_taken_where_the_file_changed_it() {
        for (before, says, ours, taken, overruled, kept) in [
            // Nothing changed, something was corrected here, something was changed there.
            ("1 2 3", "1 2 3", "1 2 3", vec![], vec![], vec![]),
            ("1 2 3", "1 2 3", "1 9 -", vec![], vec![], vec!["b", "c"]),
            ("1 2 3", "1 8 3", "1 2 3", vec!["b"], vec![], vec![]),
            // Changed here and there: each its own column, the same one otherwise, the same one alike.
            ("1 2 3", "7 2 3", "1 9 3", vec!["a"], vec![], vec!["b"]),
            ("1 2 3", "7 2 -", "1 2 9", vec!["a", "c"], vec!["c"], vec![]),
            ("1 2 3", "7 2 3", "7 2 3", vec![], vec![], vec![]),
            // Nothing is known of what it said: all of it is taken.
            ("", "1 2 3", "1 9 4", vec!["b", "c"], vec![], vec![]),
        ] {
            let before = (!before.is_empty()).then(|| one(before));
            let merge = merge(before.as_ref(), &one(says), &one(ours));
            let stays: Vec<&str> = merge.kept.iter().map(|(column, _)| *column).collect();
            assert_eq!((merge.taken, merge.overruled, stays), (taken, overruled, kept), "{before:?} {says} {ours}");
        }
    }

    #[test]
    fn every_column_of_a_cover_can_be_taken() {
        let draft = |owner: &str, lon: f64, spec: Spec, status| CoverDraft {
            category: "0101".parse().unwrap(),
            owner: Some(owner.parse().unwrap()),
            responsible_unit: Some(owner.parse().unwrap()),
            position: Position::new(lon, 36.1).unwrap(),
            accuracy: Accuracy::C,
            spec,
            status,
        };
        let ours = draft("370203-WAT01", 120.37, Spec::default(), Status::InService);
        let spec = Spec {
            shape: Some(Shape::Round),
            opening_mm: Some(600),
            opening_width_mm: Some(500),
            depth_mm: Some(1_250),
            material: Some(Material::Steel),
            load_class: Some(LoadClass::D400),
            place: Some(Place::Yard),
            installed: Some(2001),
        };
        let says = draft("370203-DRA01", 120.375, spec, Status::Abandoned);
        let columns: Vec<&str> = cover(&says).iter().map(|(column, _)| *column).collect();
        assert_eq!(merge(Some(&cover(&ours)), &cover(&says), &cover(&ours)).taken, columns[1..]);
        assert_eq!(with_columns(ours.clone(), &columns, &says), says);
        assert_eq!(with_columns(ours.clone(), &["position"], &says).position, says.position);
        assert_eq!(cover(&says)[8].1.as_deref(), Some("1.25"));
        let other = [("owner".to_owned(), None), ("shape".to_owned(), Some("square".to_owned()))];
        let overlaid = overlaid(cover(&says), &other);
        assert_eq!((&overlaid[1].1, overlaid[5].1.as_deref()), (&None, Some("square")));
    }
}
