//! What is said to people (提示), in each language that Guli speaks.
//!
//! A refusal, and whatever else ends in the `detail` of an answer, carries a [`Said`]: both languages, from the place that knows
//! what happened to the edge, which alone knows what the caller speaks. It is written by `say!`, whose second text must hold
//! more than ASCII, or it does not compile. A text alone becomes none; neither a `Said` nor the errors that become one can
//! be printed as they are: whoever prints says in which language.

use std::borrow::Cow;
use std::fmt;

/// The language of texts for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    #[default]
    English,
    Chinese,
}

/// A sentence for people, or a name within one, in each language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub english: Cow<'static, str>,
    pub chinese: Cow<'static, str>,
}

impl Said {
    /// What was written before, such as in a database.
    pub fn new(english: impl Into<Cow<'static, str>>, chinese: impl Into<Cow<'static, str>>) -> Self {
        Self { english: english.into(), chinese: chinese.into() }
    }

    /// Several, one after the other; `None` of none.
    pub fn list(all: impl IntoIterator<Item = Self>) -> Option<Self> {
        all.into_iter().reduce(|all, one| say!("{all}, {one}", "{all}、{one}", all = all, one = one))
    }

    pub fn in_language(&self, language: Language) -> &str {
        match language {
            Language::English => &self.english,
            Language::Chinese => &self.chinese,
        }
    }

    /// The same where it is not needed any more.
    pub fn into_language(self, language: Language) -> Cow<'static, str> {
        match language {
            Language::English => self.english,
            Language::Chinese => self.chinese,
        }
    }
}

/// For the log and the command line, which speak English.
pub fn english(said: impl Into<Said>) -> Cow<'static, str> {
    said.into().english
}

/// The text of one language; borrowed where nothing is put into it.
#[doc(hidden)]
pub fn text(arguments: fmt::Arguments<'_>) -> Cow<'static, str> {
    arguments.as_str().map_or_else(|| Cow::Owned(arguments.to_string()), Cow::Borrowed)
}

/// A sentence in English and in Chinese, with values put in as by `format!`. What differs between the languages itself, a
/// [`Said`] or an error that becomes one, is named behind them, and each text has it in its own language:
/// `say!("no {what}", "没有{what}", what = kind)`.
macro_rules! say {
    ($english:literal, $chinese:literal $(, $name:ident = $said:expr)* $(,)?) => {{
        const { assert!(!$chinese.is_ascii(), "the second text is the Chinese one") };
        $(let $name = $crate::domain::said::Said::from($said);)*
        $crate::domain::said::Said {
            english: {
                $(let $name = &$name.english;)*
                $crate::domain::said::text(format_args!($english))
            },
            chinese: {
                $(let $name = &$name.chinese;)*
                $crate::domain::said::text(format_args!($chinese))
            },
        }
    }};
}
pub(crate) use say;

impl From<jiff::Error> for Said {
    fn from(error: jiff::Error) -> Self {
        say!("an instant like 2026-11-25T08:00:00Z is needed: {error}", "应为形如 2026-11-25T08:00:00Z 的时刻：{error}")
    }
}

impl From<std::num::ParseIntError> for Said {
    fn from(_: std::num::ParseIntError) -> Self {
        say!("a whole number is needed", "应为整数")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_said_in_both_languages() {
        let (got, most) = ("ten", 1_000);
        let said =
            say!("limit must lie between 1 and {most}, got {got:?}", "limit 必须在 1 到 {most} 之间，收到 {got:?}");
        assert_eq!(said.in_language(Language::English), "limit must lie between 1 and 1000, got \"ten\"");
        assert_eq!(said.in_language(Language::Chinese), "limit 必须在 1 到 1000 之间，收到 \"ten\"");
        assert!(matches!(say!("a reason is needed", "请说明原因").chinese, Cow::Borrowed("请说明原因")));
    }

    #[test]
    fn what_is_named_in_a_sentence_is_named_in_its_language() {
        let what = say!("grid code", "责任网格编码");
        let why = say!("{what} needs 15 digits", "{what}应为 15 位数字", what = what);
        let said = say!("this area ({why})", "此区域（{why}）", why = why);
        assert_eq!(english(said.clone()), "this area (grid code needs 15 digits)");
        assert_eq!(said.into_language(Language::Chinese), "此区域（责任网格编码应为 15 位数字）");
    }
}
