//! Free text from outside (描述, 原因, 姓名): bounded, and without the one character that
//! `PostgreSQL` cannot store.

use std::fmt;

use super::said::{Said, say};

/// Why a text is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextError {
    TooLong { max: usize, got: usize },
    Nul,
}

impl From<TextError> for Said {
    fn from(error: TextError) -> Self {
        match error {
            TextError::TooLong { max, got } => {
                say!("at most {max} characters, got {got}", "最多 {max} 个字符，收到 {got} 个")
            }
            TextError::Nul => say!("the character U+0000 is not allowed", "不允许使用字符 U+0000"),
        }
    }
}

/// A text of at most `MAX` characters without U+0000.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    pub fn new(text: impl Into<String>) -> Result<Self, TextError> {
        let text = text.into();
        let got = text.chars().count();
        if text.contains('\0') {
            Err(TextError::Nul)
        } else if got > MAX {
            Err(TextError::TooLong { max: MAX, got })
        } else {
            Ok(Self(text))
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
