//! Free text from outside (描述, 原因, 姓名): bounded, and without control characters: one of them `PostgreSQL` cannot
//! store, and others a terminal that shows them would obey.

use std::fmt;

use super::said::{Said, say};

/// Why a text is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextError {
    TooLong {
        max: usize,
        got: usize,
    },
    /// A control character that is neither a tab nor a line's end.
    Control(char),
}

impl From<TextError> for Said {
    fn from(error: TextError) -> Self {
        match error {
            TextError::TooLong { max, got } => {
                say!("at most {max} characters, got {got}", "最多 {max} 个字符，收到 {got} 个")
            }
            TextError::Control(control) => {
                let number = format!("U+{:04X}", u32::from(control));
                say!("the character {number} is not allowed", "不允许使用字符 {number}")
            }
        }
    }
}

/// A text of at most `MAX` characters without control characters but for tabs and line ends.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    pub fn new(text: impl Into<String>) -> Result<Self, TextError> {
        let text = text.into();
        let got = text.chars().count();
        let control = text.chars().find(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r'));
        match control {
            Some(control) => Err(TextError::Control(control)),
            None if got > MAX => Err(TextError::TooLong { max: MAX, got }),
            None => Ok(Self(text)),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn into_string(self) -> String {
        self.0
    }
}

impl<const MAX: usize> fmt::Debug for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_tabs_are_text_and_what_a_terminal_obeys_is_none() {
        assert!(Text::<9>::new("井盖\t没了\r\n").is_ok());
        for control in ['\0', '\u{1B}', '\u{7F}', '\u{9B}'] {
            assert_eq!(Text::<9>::new(format!("a{control}")), Err(TextError::Control(control)));
        }
        assert_eq!(Text::<2>::new("井盖没"), Err(TextError::TooLong { max: 2, got: 3 }));
    }
}
