//! Why a text is no code, and what the codes are called (编码, 编号).

use super::super::said::{Said, say};

/// Why a text is not the code that it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeError {
    Length { what: CodeKind, needs: u32, got: usize },
    NotDigits(CodeKind),
    CoverLength(usize),
    UnknownCategory(String),
    ReservedSequence,
    CheckDigit(CodeKind),
    Shape { what: CodeKind, example: &'static str, got: String },
    Token { got: usize },
}

/// What a code is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeKind {
    District,
    Subdistrict,
    Community,
    Grid,
    Cover,
    Order,
    Report,
    Organization,
}

impl From<CodeKind> for Said {
    fn from(kind: CodeKind) -> Self {
        match kind {
            CodeKind::District => say!("district code", "行政区编码"),
            CodeKind::Subdistrict => say!("sub-district code", "街道编码"),
            CodeKind::Community => say!("community code", "社区编码"),
            CodeKind::Grid => say!("grid code", "责任网格编码"),
            CodeKind::Cover => say!("cover code", "井盖编码"),
            CodeKind::Order => say!("order code", "工单编号"),
            CodeKind::Report => say!("report code", "上报编号"),
            CodeKind::Organization => say!("organization code", "单位编码"),
        }
    }
}

impl From<CodeError> for Said {
    fn from(error: CodeError) -> Self {
        match error {
            CodeError::Length { what, needs, got } => {
                say!("{what} needs {needs} digits, got {got}", "{what}应为 {needs} 位数字，收到 {got} 位", what = what)
            }
            CodeError::NotDigits(what) => say!("{what} may hold digits only", "{what}只能由数字组成", what = what),
            CodeError::CoverLength(got) => say!(
                "cover code needs 16 digits (GB/T 30428.2) or 17 (GB/T 47678.5), got {got}",
                "井盖编码应为 16 位（GB/T 30428.2）或 17 位（GB/T 47678.5）数字，收到 {got} 位"
            ),
            CodeError::UnknownCategory(got) => say!(
                "{got} is not a category of GB/T 30428.2 or GB/T 47678.5",
                "{got} 不是 GB/T 30428.2 或 GB/T 47678.5 中的小类"
            ),
            CodeError::ReservedSequence => say!("sequence 000000 is reserved", "顺序号 000000 为保留号"),
            CodeError::CheckDigit(what) => {
                say!("{what} mistyped: last digit does not match", "{what}有误：末位校验码不符", what = what)
            }
            CodeError::Shape { what, example, got } => {
                say!("{what} looks like {example}, got {got:?}", "{what}形如 {example}，收到 {got:?}", what = what)
            }
            CodeError::Token { got } => say!(
                "tracking token has the district and 26 letters or digits, got {got} characters",
                "查询码由行政区编码和 26 位字母或数字组成，收到 {got} 个字符"
            ),
        }
    }
}
