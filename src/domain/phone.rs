//! Telephone numbers (电话号码) as people write them.

use super::said::{Said, say};

/// Marks before an extension (分机).
const EXTENSION: [&str; 4] = ["转", "ext", "x", "#"];
/// What stands between digits.
const BETWEEN: [char; 6] = [' ', '+', '-', '(', ')', '.'];
const MOST: usize = 32;
const FEWEST_DIGITS: usize = 3;
const MOST_DIGITS: usize = 20;

/// How such a number is written, for whoever reads a schema; how many digits it has is not said there.
pub const PATTERN: &str = r"^[0-9０-９ +＋()（）.．－-]{3,}((转|[Ee][Xx][Tt]|[Xx]|#|＃)[0-9０-９ +＋()（）.．－-]+)?$";

/// A number that can be called, in ASCII but for 转: the short number of an institution, a mobile phone, a switchboard with an extension.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Phone(String);

impl Phone {
    /// Longest number, in characters.
    pub const MOST: usize = MOST;

    pub fn new(text: impl Into<String>) -> Result<Self, Said> {
        let text = half_width(&text.into());
        if is_phone(&text) {
            return Ok(Self(text));
        }
        // What was sent is not said again: it may be somebody's.
        Err(say!(
            "a telephone number has {FEWEST_DIGITS} to {MOST_DIGITS} digits, with blanks, + - ( ) . between them and an \
             extension after ext, x or #, in at most {MOST} characters",
            "电话号码应有 {FEWEST_DIGITS} 至 {MOST_DIGITS} 位数字，其间可用空格和 + - ( ) .，分机号前写转、ext、x 或 #，\
             最多 {MOST} 个字符"
        ))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn into_string(self) -> String {
        self.0
    }
}

/// Numbers do not belong in logs: most are somebody's.
impl std::fmt::Debug for Phone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Phone(…)")
    }
}

/// What Chinese keyboards write at full width (（０５３２）) in ASCII.
fn half_width(text: &str) -> String {
    let narrow = |c: char| match c {
        '\u{3000}' => ' ',
        '！'..='～' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        other => other,
    };
    text.chars().map(narrow).collect()
}

fn is_phone(text: &str) -> bool {
    let (number, extension) = parts(text);
    let is_written = |part: &str| part.chars().all(|c| c.is_ascii_digit() || BETWEEN.contains(&c));
    let digits = |part: &str| part.bytes().filter(u8::is_ascii_digit).count();
    let (own, further) = (digits(number), extension.map_or(0, digits));
    text.chars().count() <= MOST
        && is_written(number)
        && own >= FEWEST_DIGITS
        && own + further <= MOST_DIGITS
        && extension.is_none_or(|extension| is_written(extension) && further > 0)
}

/// The number itself, and what follows the mark of an extension.
fn parts(text: &str) -> (&str, Option<&str>) {
    let small = text.to_ascii_lowercase();
    let marks = EXTENSION.iter().filter_map(|mark| Some((small.find(mark)?, mark.len())));
    match marks.min() {
        Some((at, mark)) => (&text[..at], Some(&text[at + mark..])),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_as_people_write_them() {
        for text in [
            "110",
            "12345",
            "19900001234",
            "199 0000 1234",
            "0532-00000101",
            "(0532) 0000.0101",
            "+86 532 0000 0101",
            "0532-00000101转8001",
            "0532-00000101 转 8001",
            "0532-00000101 ext. 12",
            "0532-00000101 EXT12",
            "0532-00000101x12",
            "0532-00000101#12",
            "01234567890123456789",
            "0123456789012345 - - - - - - - -",
        ] {
            assert_eq!(Phone::new(text).map(Phone::into_string), Ok(text.to_owned()));
        }
    }

    #[test]
    fn full_width_is_taken_as_half() {
        let phone = Phone::new("（０５３２）　００００－０１０１＃１２").map(Phone::into_string);
        assert_eq!(phone, Ok("(0532) 0000-0101#12".to_owned()));
    }

    #[test]
    fn what_nobody_can_call_is_none() {
        for text in [
            "",
            "12",
            "abc",
            "无",
            "转8001",
            "12转8001",
            "0532-00000101转",
            "0532-00000101 ext",
            "0532-00000101转8001转2",
            "0532-00000101/00000102",
            "*******1234",
            "110\0",
            "110\n",
            "012345678901234567890",
            "0123456789转01234567890",
            "0123456789012345 - - - - - - - - ",
        ] {
            let said = Phone::new(text).expect_err(text);
            assert!(said.english.contains("3 to 20 digits") && said.chinese.contains("3 至 20 位数字"), "{text}");
        }
    }
}
