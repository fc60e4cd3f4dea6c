use super::field::Kind;
use super::*;
use std::path::Path;

pub(super) fn covers(file: &str) -> Profile {
    Profile::default_for(Path::new(file), Kind::Covers).unwrap()
}

pub(super) fn rows(bytes: &[u8], profile: &Profile) -> Vec<Row> {
    read(bytes, profile, CrsService::new()).collect()
}
