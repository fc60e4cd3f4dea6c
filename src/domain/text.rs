//! Free text from outside (描述, 原因, 姓名): bounded, and without the one character that
//! `PostgreSQL` cannot store.

use std::fmt;

/// Why a text is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    #[error("at most {max} characters, got {got}")]
    TooLong { max: usize, got: usize },
    #[error("the character U+0000 is not allowed")]
    Nul,
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
