//! What has stood in the file already.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::check::Faults;
use super::field::Field;
use super::finding::FindingCode;
use crate::domain::said::say;

/// Codes and external ids of one file, each with the row where it stood first.
///
/// A text is kept as its 64-bit hash: among 1.7 million the chance that two differing ones are
/// taken for one is 10⁻⁷.
#[derive(Debug, Default)]
pub(super) struct SeenKeys {
    codes: HashMap<u64, u64>,
    texts: HashMap<u64, u64>,
}

impl SeenKeys {
    /// Notes a code; a finding if it stood in an earlier row.
    pub(super) fn code(&mut self, code: u64, field: Field, faults: &mut Faults<'_>) {
        note(&mut self.codes, code, field, faults);
    }

    /// Notes a text; a finding if it stood in an earlier row.
    pub(super) fn text(&mut self, text: &str, field: Field, faults: &mut Faults<'_>) {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        note(&mut self.texts, hasher.finish(), field, faults);
    }
}

fn note(seen: &mut HashMap<u64, u64>, key: u64, field: Field, faults: &mut Faults<'_>) {
    let first = *seen.entry(key).or_insert(faults.at.0);
    if first != faults.at.0 {
        let detail = say!("it stands in row {first} already", "与第 {first} 条记录重复");
        faults.add(FindingCode::CodeRepeated, field, detail);
    }
}
