//! Import profiles: what a department's file calls things, as its clerk writes it down.
//!
//! ```toml
//! [[profile]]
//! name = "water"                # guli import --profile water
//! file = "covers-water.csv"     # relative to this file
//! kind = "covers"
//! encoding = "GB18030"          # left out: found out
//! crs = "EPSG:4549"
//! source = "370203-WAT01"
//! [profile.columns]             # Guli's field = the file's column
//! external_id = "编号"
//! x = "东坐标"                   # x is east, y is north
//! y = "北坐标"
//! [profile.constants]
//! category = "0101"
//! [profile.values.status]       # the file's word = Guli's word; "" is no value
//! "在用" = "in_service"
//! ```
//!
//! A profile without `columns` finds its fields under Guli's own names. One with `columns` finds
//! those and no others: a department's "code" is rarely Guli's.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use encoding_rs::Encoding;
use serde::Deserialize;

use super::field::{Field, Format, Kind, allowed_words};
use crate::crs::{Crs, CrsKind};
use crate::domain::id::OrgCode;
use crate::domain::said::{Said, english, say};

/// Why a file of profiles is refused; the text names file, profile and key.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    #[error("{}: {source}", .path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path}: {reason}")]
    Toml { path: String, reason: String },
    #[error("{path}: profile {profile}: {reason}")]
    Invalid { path: String, profile: String, reason: String },
}

/// All profiles of a folder, in the order in which their files are imported.
#[derive(Debug, Clone)]
pub struct Profiles {
    /// The folder that the profiles' files are relative to.
    pub folder: PathBuf,
    pub profiles: Vec<Profile>,
}

/// How one file is read.
#[derive(Debug, Clone)]
pub struct Profile {
    pub name: String,
    /// Relative to the folder of the profiles.
    pub file: PathBuf,
    pub kind: Kind,
    pub format: Format,
    /// `None`: found out from the bytes.
    pub encoding: Option<&'static Encoding>,
    /// Between the cells of a CSV.
    pub delimiter: u8,
    /// `None`: nobody said any, so that a file may say another one than the default.
    pub stated_crs: Option<Crs>,
    /// Whose records these are. Covers and people need one.
    pub source: Option<OrgCode>,
    /// Guli's own names, where the file happens to have them.
    pub by_default: bool,
    columns: Vec<Option<String>>,
    constants: Vec<Option<String>>,
    values: HashMap<Field, HashMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProfiles {
    profile: Vec<toml::Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProfile {
    name: String,
    file: PathBuf,
    kind: String,
    format: Option<String>,
    encoding: Option<String>,
    delimiter: Option<String>,
    crs: Option<String>,
    source: Option<String>,
    #[serde(default)]
    columns: BTreeMap<String, String>,
    #[serde(default)]
    constants: BTreeMap<String, String>,
    #[serde(default)]
    values: BTreeMap<String, HashMap<String, String>>,
}

impl Profiles {
    /// Reads `import.toml`.
    ///
    /// # Errors
    /// An unreadable file, no TOML, an unknown key, an unknown field or word.
    pub fn read(path: &Path) -> Result<Self, ProfileError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ProfileError::Read { path: path.to_owned(), source })?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Self { folder, profiles: Self::parse(&text, &path.display().to_string())? })
    }

    /// The profiles in a text; `path` is its name in errors.
    pub fn parse(text: &str, path: &str) -> Result<Vec<Profile>, ProfileError> {
        let raw: RawProfiles = toml::from_str(text)
            .map_err(|error| ProfileError::Toml { path: path.to_owned(), reason: error.to_string() })?;
        let mut profiles: Vec<Profile> = Vec::with_capacity(raw.profile.len());
        for (index, table) in raw.profile.into_iter().enumerate() {
            let name = table.get("name").and_then(|name| name.as_str());
            let name = name.map_or_else(|| format!("number {}", index + 1), |name| format!("{name:?}"));
            let invalid =
                |reason: String| ProfileError::Invalid { path: path.to_owned(), profile: name.clone(), reason };
            let raw: RawProfile =
                table.try_into().map_err(|error: toml::de::Error| invalid(error.message().to_owned()))?;
            let profile = Profile::checked(raw).map_err(|reason| invalid(english(reason).into_owned()))?;
            if profiles.iter().any(|other| other.name == profile.name) {
                return Err(invalid("name: there is another profile of this name".to_owned()));
            }
            profiles.push(profile);
        }
        Ok(profiles)
    }

    /// The profile of a name.
    pub fn named(&self, name: &str) -> Option<&Profile> {
        self.profiles.iter().find(|profile| profile.name == name)
    }
}

impl Profile {
    /// The profile of a file that nobody wrote one for: its columns are named like Guli's fields,
    /// its coordinates are WGS 84, its format is its extension's. `None` for an unknown extension.
    pub fn default_for(file: &Path, kind: Kind) -> Option<Self> {
        Some(Self {
            name: file.file_stem()?.to_string_lossy().into_owned(),
            file: file.to_owned(),
            kind,
            format: Format::by_extension(file.extension()?.to_str()?)?,
            encoding: None,
            delimiter: b',',
            stated_crs: None,
            source: None,
            by_default: true,
            columns: own_names(kind, Crs::default()),
            constants: vec![None; Field::COUNT],
            values: HashMap::new(),
        })
    }

    /// The profile that a mapping describes: the keys of an `import.toml`, as JSON. Its name and its file
    /// are those of the file that it came with unless it says so itself.
    ///
    /// # Errors
    /// The key and what is wrong with it.
    pub fn from_json(mapping: serde_json::Map<String, serde_json::Value>, file: &str) -> Result<Self, Said> {
        let mut mapping = mapping;
        mapping.entry("name").or_insert_with(|| file.into());
        mapping.insert("file".to_owned(), file.into());
        let raw = serde_json::from_value(serde_json::Value::Object(mapping))
            .map_err(|error| say!("{error}", "无法解析导入配置：{error}"))?;
        Self::checked(raw)
    }

    /// The same profile for another coordinate system.
    #[must_use]
    pub fn with_crs(mut self, crs: Crs) -> Self {
        self.stated_crs = Some(crs);
        if self.by_default {
            self.columns = own_names(self.kind, crs);
        }
        self
    }

    /// The coordinate system that its positions are read in.
    pub fn crs(&self) -> Crs {
        self.stated_crs.unwrap_or_default()
    }

    /// The file's column for a field.
    pub fn column(&self, field: Field) -> Option<&str> {
        self.columns[field as usize].as_deref()
    }

    /// The value that a field has in every row.
    pub fn constant(&self, field: Field) -> Option<&str> {
        self.constants[field as usize].as_deref()
    }

    /// Whether the field can have a value at all.
    pub fn has(&self, field: Field) -> bool {
        self.column(field).or(self.constant(field)).is_some()
    }

    /// What to call a field in a message: as the file does, if it does.
    pub fn label(&self, field: Field) -> &str {
        self.column(field).unwrap_or(field.as_str())
    }

    /// The file's words for a field, and Guli's.
    pub fn words(&self, field: Field) -> Option<&HashMap<String, String>> {
        self.values.get(&field)
    }

    /// The two fields that a position of this profile's system stands in: east, north.
    pub fn position_fields(&self) -> (Field, Field) {
        match self.crs().kind() {
            CrsKind::Geographic => (Field::Lon, Field::Lat),
            CrsKind::Projected => (Field::X, Field::Y),
        }
    }

    fn checked(raw: RawProfile) -> Result<Self, Said> {
        let kind =
            Kind::parse(&raw.kind).ok_or_else(|| unknown("kind", &raw.kind, Kind::ALL.iter().map(|k| k.as_str())))?;
        let stated_crs = raw.crs.map(|name| name.parse()).transpose().map_err(|error| at("crs", error))?;
        let by_default = raw.columns.is_empty();
        let mut profile = Self {
            format: format_of(&raw.file, raw.format.as_deref())?,
            encoding: raw.encoding.as_deref().map(encoding_of).transpose()?,
            delimiter: raw.delimiter.as_deref().map_or(Ok(b','), delimiter_of)?,
            source: raw.source.map(|text| text.parse().map_err(|error| at("source", error))).transpose()?,
            columns: if by_default {
                own_names(kind, stated_crs.unwrap_or_default())
            } else {
                vec![None; Field::COUNT]
            },
            constants: vec![None; Field::COUNT],
            values: HashMap::new(),
            name: raw.name,
            file: raw.file,
            kind,
            stated_crs,
            by_default,
        };
        for (key, column) in raw.columns {
            profile.columns[field_of(kind, "columns", &key)? as usize] = Some(column.trim().to_owned());
        }
        for (key, value) in raw.constants {
            let field = field_of(kind, "constants", &key)?;
            if !by_default && profile.column(field).is_some() {
                return Err(say!(
                    "constants.{key}: the field has a column already",
                    "constants.{key}：该字段已经有对应的列"
                ));
            }
            allowed(kind, field, &value).map_err(|reason| at(&format!("constants.{key}"), reason))?;
            profile.columns[field as usize] = None;
            profile.constants[field as usize] = Some(value);
        }
        for (key, words) in raw.values {
            let field = field_of(kind, "values", &key)?;
            for (word, value) in words.iter().filter(|(_, value)| !value.is_empty()) {
                allowed(kind, field, value).map_err(|reason| at(&format!("values.{key}.{word}"), reason))?;
            }
            profile.values.insert(field, words);
        }
        profile.complete()?;
        Ok(profile)
    }

    /// Whether everything that a row needs can come from somewhere.
    fn complete(&self) -> Result<(), Said> {
        let kind = self.kind.as_str();
        if let Some(field) = self.kind.required().iter().find(|field| !self.has(**field)) {
            return Err(self.needs(*field));
        }
        if self.kind.is_area() && self.format == Format::Csv {
            return Err(say!(
                "format: {kind} have an outline, which csv cannot hold",
                "format：{kind} 带有边界，CSV 无法容纳"
            ));
        }
        if self.source.is_none() && matches!(self.kind, Kind::Covers | Kind::People) {
            return Err(at("source", self.needs_source()));
        }
        if self.kind != Kind::Covers {
            return Ok(());
        }
        if !self.has(Field::Category) && !self.has(Field::Code) {
            return Err(say!(
                "columns.category: covers need this field, or a code that contains it",
                "columns.category：covers 需要该字段，或者包含小类的井盖编码"
            ));
        }
        self.complete_position()
    }

    /// That its records must be somebody's.
    pub fn needs_source(&self) -> Said {
        let kind = self.kind.as_str();
        say!("{kind} need the organisation whose records they are", "{kind} 需要写明记录属于哪个单位")
    }

    fn needs(&self, field: Field) -> Said {
        let (kind, field) = (self.kind.as_str(), field.as_str());
        say!("columns.{field}: {kind} need this field", "columns.{field}：{kind} 需要该字段")
    }

    fn complete_position(&self) -> Result<(), Said> {
        let (east, north) = self.position_fields();
        for other in [Field::X, Field::Y, Field::Lon, Field::Lat] {
            if other != east && other != north && self.has(other) {
                let (other, crs, east, north) = (other.as_str(), self.crs(), east.as_str(), north.as_str());
                return Err(say!(
                    "columns.{other}: positions in {crs} are {east} and {north}",
                    "columns.{other}：{crs} 的坐标写作 {east} 和 {north}"
                ));
            }
        }
        for (one, twin) in [(east, north), (north, east)] {
            if !self.has(one) && (self.format == Format::Csv || self.has(twin)) {
                return Err(self.needs(one));
            }
        }
        Ok(())
    }
}

/// Guli's own names for the columns; in a feature the position is the geometry.
fn own_names(kind: Kind, crs: Crs) -> Vec<Option<String>> {
    let mut columns = vec![None; Field::COUNT];
    for field in kind.fields() {
        let theirs = match field {
            Field::X | Field::Y => crs.kind() == CrsKind::Projected,
            Field::Lon | Field::Lat => crs.kind() == CrsKind::Geographic,
            _ => true,
        };
        columns[*field as usize] = theirs.then(|| field.as_str().to_owned());
    }
    columns
}

/// What is wrong, at its key.
fn at(key: &str, reason: impl Into<Said>) -> Said {
    say!("{key}: {reason}", "{key}：{reason}", reason = reason.into())
}

fn unknown<'a>(key: &str, got: &str, allowed: impl IntoIterator<Item = &'a str>) -> Said {
    let allowed = allowed.into_iter().collect::<Vec<_>>().join(", ");
    say!("{key}: {got:?} is unknown; allowed: {allowed}", "{key}：无法识别 {got:?}，可用的有：{allowed}")
}

fn field_of(kind: Kind, table: &str, key: &str) -> Result<Field, Said> {
    Field::parse(key).filter(|field| kind.fields().contains(field)).ok_or_else(|| {
        let fields = kind.fields().iter().map(|field| field.as_str()).collect::<Vec<_>>().join(", ");
        let kind = kind.as_str();
        say!(
            "{table}.{key}: {kind} have no such field; they have {fields}",
            "{table}.{key}：{kind} 没有该字段，有的是：{fields}"
        )
    })
}

fn allowed(kind: Kind, field: Field, value: &str) -> Result<(), Said> {
    match allowed_words(kind, field) {
        Some(words) if !words.contains(&value) => {
            let words = words.join(", ");
            Err(say!("{value:?} is not one of Guli's words: {words}", "{value:?} 不在 Guli 的用词之内：{words}"))
        }
        _ => Ok(()),
    }
}

fn format_of(file: &Path, named: Option<&str>) -> Result<Format, Said> {
    let all = || Format::ALL.iter().map(|format| format.as_str());
    if let Some(name) = named {
        return Format::parse(name).ok_or_else(|| unknown("format", name, all()));
    }
    let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    Format::by_extension(extension).ok_or_else(|| {
        let (file, all) = (file.display(), all().collect::<Vec<_>>().join(", "));
        say!(
            "file: {file} says no format by its extension: name one ({all})",
            "file：从 {file} 的扩展名看不出格式，请写明（{all}）"
        )
    })
}

fn encoding_of(label: &str) -> Result<&'static Encoding, Said> {
    Encoding::for_label(label.as_bytes()).ok_or_else(|| {
        say!(
            "encoding: {label:?} is unknown; for instance UTF-8, GB18030",
            "encoding：无法识别 {label:?}，例如 UTF-8、GB18030"
        )
    })
}

fn delimiter_of(text: &str) -> Result<u8, Said> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n' | 0) => Ok(*byte),
        _ => Err(say!("delimiter: {text:?} is not one ASCII character", "delimiter：{text:?} 不是单个 ASCII 字符")),
    }
}

#[cfg(test)]
#[path = "profile_tests.rs"]
mod tests;
