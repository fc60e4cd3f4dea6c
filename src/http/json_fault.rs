//! What serde and its JSON reader say of a body that they cannot read: where it is, and in Chinese too.

use serde_path_to_error::{Path, Segment};

use crate::domain::said::{Said, say};
use crate::service::error::{Fault, ServiceError};

/// The refusal of a body.
pub(super) fn of(error: &serde_path_to_error::Error<serde_json::Error>) -> ServiceError {
    let inner = error.inner();
    let detail = without_place(&inner.to_string());
    let pointer = pointer(error.path(), &detail);
    if inner.is_data() {
        ServiceError::Invalid(vec![Fault::pointer(pointer, of_value(&detail))])
    } else {
        let (line, column) = (inner.line(), inner.column());
        let why = of_syntax(&detail);
        let detail = say!("{detail} at line {line} column {column}", "{why}（第 {line} 行第 {column} 列）");
        ServiceError::Malformed(Fault::pointer(pointer, detail))
    }
}

/// The JSON pointer (RFC 6901) of what failed; an unknown or repeated member is named itself.
fn pointer(path: &Path, detail: &str) -> String {
    let mut pointer = String::new();
    let mut last = None;
    for segment in path {
        let name = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.replace('~', "~0").replace('/', "~1"),
            Segment::Enum { .. } | Segment::Unknown => continue,
        };
        pointer.push('/');
        pointer.push_str(&name);
        last = Some(name);
    }
    let about_member = ["unknown", "duplicate", "missing"].iter().find_map(|how| member(detail, how));
    if let Some(member) = about_member.filter(|member| last.as_deref() != Some(*member)) {
        pointer.push('/');
        pointer.push_str(&member.replace('~', "~0").replace('/', "~1"));
    }
    pointer
}

/// The member that the library says is missing, unknown or there twice.
fn member<'d>(detail: &'d str, how: &str) -> Option<&'d str> {
    detail.strip_prefix(how)?.strip_prefix(" field `")?.split('`').next()
}

/// What is said of a value that reads well but is none of those wanted.
fn of_value(detail: &str) -> Said {
    if let Some(member) = member(detail, "missing") {
        say!("{detail}", "缺少成员 {member}")
    } else if let Some(member) = member(detail, "duplicate") {
        say!("{detail}", "成员 {member} 出现了不止一次")
    } else if let Some(member) = member(detail, "unknown") {
        let known = detail.rsplit_once(", expected ").map_or("`无`", |(_, known)| known);
        let known = known.split('`').skip(1).step_by(2).collect::<Vec<_>>().join(", ");
        say!("{detail}", "未知的成员 {member}，此处可用的有：{known}")
    } else if let Some((got, wanted)) = other_than_wanted(detail) {
        let said = plain(wanted);
        let (got_chinese, wanted) = (in_chinese(got, GOT), in_chinese(wanted, WANTED));
        say!("{said} is needed, got {got}", "应为{wanted}，收到{got_chinese}")
    } else {
        say!("{detail}", "JSON 不合要求：{detail}")
    }
}

/// What came, and what was expected.
fn other_than_wanted(detail: &str) -> Option<(&str, &str)> {
    let kinds = ["invalid type: ", "invalid value: ", "invalid length "];
    let rest = kinds.into_iter().find_map(|kind| detail.strip_prefix(kind))?;
    rest.rsplit_once(", expected ")
}

/// What was expected, in words that are not the library's types.
fn plain(wanted: &str) -> &str {
    match wanted {
        "f64" | "f32" => "a number",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0",
        "i32" | "i64" => "a whole number",
        _ if wanted.starts_with("struct ") => "an object",
        _ => wanted,
    }
}

/// How what came begins.
const GOT: &[(&str, &str)] = &[
    ("string", "字符串"),
    ("integer", "整数"),
    ("floating point", "小数"),
    ("boolean", "布尔值"),
    ("null", "空值 null"),
    ("map", "对象"),
    ("sequence", "数组"),
];

/// How what was expected begins.
const WANTED: &[(&str, &str)] = &[
    ("a string", "字符串"),
    ("a code", "编码"),
    ("a boolean", "布尔值 true 或 false"),
    ("an object", "对象"),
    ("a map", "对象"),
    ("a sequence", "数组"),
    ("struct ", "对象，类型 "),
    ("an array of length ", "数组，长度 "),
    ("f64", "数字"),
    ("f32", "数字"),
    ("u8", "0 到 255 的整数"),
    ("u16", "0 到 65535 的整数"),
    ("u32", "非负整数"),
    ("u64", "非负整数"),
    ("usize", "非负整数"),
    ("i32", "整数"),
    ("i64", "整数"),
];

/// The beginning of `text` in Chinese, and the rest as it is: values, and words that nobody has foreseen.
fn in_chinese(text: &str, words: &[(&str, &str)]) -> String {
    let known = words.iter().find_map(|(english, chinese)| Some((chinese, text.strip_prefix(english)?)));
    known.map_or_else(|| format!(" {text}"), |(chinese, rest)| format!("{chinese}{rest}"))
}

/// What is said of a text that is no JSON.
fn of_syntax(detail: &str) -> &'static str {
    const WORDS: [(&str, &str); 6] = [
        ("EOF", "JSON 没有写完"),
        ("trailing", "多了逗号或字符"),
        ("control character", "字符串里有未转义的控制字符"),
        ("number out of range", "数值超出范围"),
        ("invalid number", "不是有效的数字"),
        ("key must be a string", "成员名应为带引号的字符串"),
    ];
    WORDS.iter().find(|(english, _)| detail.starts_with(english)).map_or("JSON 语法有误", |(_, chinese)| chinese)
}

/// A position in the text is of no use to who sent a value.
fn without_place(detail: &str) -> String {
    match detail.rfind(" at line ") {
        Some(at) => detail[..at].to_owned(),
        None => detail.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::said::Language;

    #[test]
    fn what_serde_says_is_said_in_chinese() {
        for (text, said) in [
            (r#"invalid type: string "x", expected f64"#, r#"应为数字，收到字符串 "x""#),
            ("invalid type: null, expected a string", "应为字符串，收到空值 null"),
            ("invalid type: sequence, expected an object", "应为对象，收到数组"),
            ("invalid value: integer `-1`, expected u32", "应为非负整数，收到整数 `-1`"),
            ("invalid type: boolean `true`, expected something else", "应为 something else，收到布尔值 `true`"),
        ] {
            assert_eq!(of_value(text).in_language(Language::Chinese), said);
        }
        for (detail, said) in [
            ("EOF while parsing a string", "JSON 没有写完"),
            ("trailing comma", "多了逗号或字符"),
            ("expected value", "JSON 语法有误"),
        ] {
            assert_eq!(of_syntax(detail), said);
        }
    }
}
