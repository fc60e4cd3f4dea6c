//! What the command line says, and that it says it to whoever listens.

use std::fs::File;
use std::process::Stdio;

use crate::support::Home;

#[test]
fn whoever_reads_no_further_ends_a_command_quietly() {
    let home = Home::with_district();
    let code = "3702030101001370";
    for arguments in [
        &["doctor", "--rule", "near-duplicate"][..],
        &["doctor", "--rule", "near-duplicate", "--json"],
        &["history", code],
        &["history", code, "--json"],
        &["resolve", "120.33641", "36.11537"],
        &["import", "list"],
        &["key", "list"],
        &["migrate"],
        &["export", "grids"],
        &["--help"],
    ] {
        // The other end of the pipe is closed before a word is written.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let done = home.command(arguments).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&done.stderr), "", "{arguments:?}");
        assert!(done.status.success(), "{arguments:?}: {}", done.status);
    }
}

#[test]
fn a_disk_that_is_full_is_no_success() {
    let home = Home::with_district();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let done = home.command(&["key", "list"]).stdout(full).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(said.contains("guli: standard output: ") && !said.contains("panicked"), "{said}");
}

#[test]
fn what_is_missing_is_named() {
    let home = Home::empty();
    home.guli(&["migrate"]).ok();
    let refused = home.guli(&["doctor"]).refused();
    assert!(refused.err().contains("there is no district to look at"), "{}", refused.err());
    let refused = home.guli(&["history", "370203-WAT01"]).refused();
    assert!(refused.err().contains("organization 370203-WAT01 does not exist"), "{}", refused.err());
    let refused = home.guli(&["history", "manhole 7"]).refused();
    assert!(refused.err().contains("cover (16 digits or 17) or organization (370203-WAT01)"), "{}", refused.err());
    let file = home.write("new.csv", "external_id,category,lon,lat\nN-1,0101,120.34,36.11\n");
    let import = ["import", file.to_str().unwrap(), "--kind", "covers", "--source", "370299-WAT01", "--json"];
    let report = home.guli(&import).refused().json();
    let findings = report[0]["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["code"] == "parent_missing").unwrap();
    let said = finding["detail"].as_str().unwrap();
    assert!(said.contains("district 370299 of the source 370299-WAT01 is not here"), "{finding}");
    assert!(finding["column"].is_null(), "{finding}");
}
