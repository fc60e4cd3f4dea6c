//! The demo district in the repository is what the generator writes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use guli::demo::{Options, generate};

use crate::support::{Home, shibei};

/// The files of a folder; hidden ones are git's.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let named = entries.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()));
    named.filter(|(name, _)| !name.starts_with('.')).collect()
}

#[test]
fn the_committed_files_are_what_the_generator_writes_byte_for_byte() {
    let home = Home::empty();
    let out = home.path().join("shibei");
    let summary = generate(&out, &Options::default(), &mut |_, _| {}).unwrap();
    assert_eq!((summary.covers, summary.grids, summary.communities), (17_000, 940, 137));
    let (written, committed) = (files(&out), files(&shibei()));
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&written), names(&committed));
    for (name, bytes) in &committed {
        assert!(*bytes == written[name], "{name} differs: run make demo-data");
    }
}
