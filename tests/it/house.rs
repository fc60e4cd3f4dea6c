//! The rules of the house that no compiler checks.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::repository;

/// What each part of the library may name, besides itself.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("crs", &["domain"]),
    ("index", &["domain"]),
    ("store", &["domain"]),
    ("demo", &["domain"]),
    ("table", &[]),
    ("config", &["store", "domain"]),
    ("service", &["domain", "crs", "index", "store"]),
    ("import", &["domain", "crs", "index", "store", "service", "table"]),
    ("export", &["domain", "crs", "index", "store", "service"]),
    ("tiles", &["domain", "crs", "index"]),
    ("http", &["domain", "crs", "index", "store", "service", "import", "export", "tiles"]),
    ("local", &["domain", "crs", "index", "store", "service", "import", "export", "http"]),
];

/// All files below a folder.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn below(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    files(&repository().join(folder), &mut found);
    found
}

/// The names that a file takes from the crate: `crate::name`, and those in `use crate::{…}`.
fn named(text: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut names = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            names.push(word(rest));
            continue;
        };
        let (mut depth, mut first) = (0, true);
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => first = true,
                c if depth == 0 && first && !c.is_whitespace() => {
                    names.push(word(&group[at..]));
                    first = false;
                }
                _ => {}
            }
        }
    }
    names
}

/// The part of the library that a file below `src` belongs to.
fn part(path: &Path) -> String {
    let below = path.strip_prefix(repository().join("src")).unwrap();
    below.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

#[test]
fn dependencies_point_one_way() {
    let parts: Vec<&str> = MAY_USE.iter().map(|(part, _)| *part).collect();
    let mut wrong = Vec::new();
    for path in below("src").iter().filter(|path| path.extension().is_some_and(|e| e == "rs")) {
        let (own, text) = (part(path), fs::read_to_string(path).unwrap());
        if own == "cli" || own == "main" {
            // The binary may use the whole library; the library cannot see the binary.
            continue;
        }
        if own == "lib" {
            let known = text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
            wrong.extend(known.filter(|name| !parts.contains(name)).map(|name| format!("no rule for {name}")));
            continue;
        }
        let Some((_, may)) = MAY_USE.iter().find(|(part, _)| *part == own) else {
            wrong.push(format!("no rule for {}", path.display()));
            continue;
        };
        for name in named(&text) {
            if name != own && parts.contains(&name.as_str()) && !may.contains(&name.as_str()) {
                wrong.push(format!("{} uses {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn names_in_a_group_are_seen_too() {
    let text = "use crate::{domain::id::{A, B}, store::Store};\nuse crate::http::x; // crate::no\n//! crate::index\n";
    assert_eq!(named(text), ["domain", "store", "http", "no"]);
}

#[test]
fn nothing_is_left_to_be_done_later() {
    let later = ["todo", "!("].concat();
    let mut looked = Vec::new();
    for folder in ["src", "tests", "benches", "migrations", "scripts", "web"] {
        if repository().join(folder).exists() {
            looked.extend(below(folder));
        }
    }
    looked.extend(fs::read_dir(repository()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()));
    for path in looked {
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        assert!(!text.contains(&later), "{}", path.display());
    }
}

#[test]
fn both_databases_have_the_same_migrations() {
    let names = |folder: &str| {
        let mut names: Vec<_> = below(folder).iter().map(|path| path.file_name().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(names("migrations/sqlite"), names("migrations/postgres"));
}

/// The text of a string literal that stands here, and what comes behind it.
fn literal(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start().strip_prefix('"')?;
    let escaped = |at: usize| text[..at].bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1;
    let end = text.match_indices('"').map(|(at, _)| at).find(|at| !escaped(*at))?;
    Some((&text[..end], &text[end + 1..]))
}

/// What is said in Chinese: the second text of each `say!`.
fn chinese(text: &str) -> Vec<&str> {
    let second = |call| literal(literal(call)?.1.trim_start().strip_prefix(',')?);
    text.split("say!(").skip(1).filter_map(second).map(|(chinese, _)| chinese).collect()
}

/// What is wrong with a Chinese sentence: a stop at its end, or a half-width mark at a Chinese character.
fn slip(chinese: &str) -> Option<&'static str> {
    let is_han = |c: &char| ('\u{4e00}'..='\u{9fff}').contains(c);
    let is_half = |c: &char| ",:;()?!".contains(*c);
    let letters: Vec<char> = chinese.chars().collect();
    let mixed = letters.windows(2).any(|pair| pair.iter().any(is_han) && pair.iter().any(is_half));
    let stopped = chinese.ends_with(['。', '.']);
    mixed.then_some("a half-width mark").or(stopped.then_some("a stop"))
}

#[test]
fn chinese_is_written_as_chinese_is() {
    let mut said = 0;
    for path in below("src") {
        for chinese in chinese(&fs::read_to_string(&path).unwrap()) {
            assert_eq!(slip(chinese), None, "{}: {chinese}", path.display());
            said += 1;
        }
    }
    assert!(said > 400, "only {said} sentences were found");
}

#[test]
fn a_slip_in_chinese_is_seen() {
    let text = r#"say!("say \"a\", {b}", "说 \"a\",即 {b}", b = b); say!(
        "no", "没有。"); say!("yes", "有：{a}（{b}）")"#;
    let found: Vec<_> = chinese(text).into_iter().map(slip).collect();
    assert_eq!(found, [Some("a half-width mark"), Some("a stop"), None]);
}
