//! `import.toml`: the profiles, as a clerk would write them; made from the same tables as the files.

use std::fmt::Write as _;

use super::covers::owner_word;
use super::files::{COVER_FILES, Codes, CoverFile, Field, Format, Text};
use super::offices::{DUTY_WORDS, KIND_WORDS, owners};
use super::plane::Crs;
use super::site::Site;
use super::utilities::{UTILITIES, index_of};
use crate::domain::cover::{Accuracy, LoadClass, Material, Place, Shape, Status};

const HEAD: &str = "\
# 市北区数据导入配置:各部门交来的文件,按此顺序导入(guli import data/shibei)。
# 每个 [[profile]] 对应一个文件;columns 左边是 Guli 的字段,右边是文件里的列名。
# 本文件由 guli demo generate 生成。

# ---- 区划:区、街道、社区 ----
[[profile]]
name = \"district\"
file = \"district.geojson\"
kind = \"district\"
[profile.columns]
code = \"code\"
name = \"name\"

[[profile]]
name = \"subdistricts\"
file = \"subdistricts.geojson\"
kind = \"subdistricts\"
[profile.columns]
code = \"街道代码\"
name = \"街道名称\"

[[profile]]
name = \"communities\"
file = \"communities.geojson\"
kind = \"communities\"
[profile.columns]
code = \"社区代码\"
name = \"社区名称\"

# ---- 单位、科室 ----
[[profile]]
name = \"organizations\"
file = \"organizations.csv\"
kind = \"organizations\"
[profile.columns]
code = \"单位编码\"
name = \"单位名称\"
kind = \"单位类型\"
phone = \"值班电话\"
";

const GRIDS: &str = "
# ---- 责任网格 ----
[[profile]]
name = \"grids\"
file = \"grids.geojson\"
kind = \"grids\"
[profile.columns]
code = \"网格编码\"
name = \"网格名称\"
supervising_department = \"责任科室\"
";

const PEOPLE: &str = "
# ---- 人员:一行一项职责,同一编号为同一人 ----
[[profile]]
name = \"people\"
file = \"people.csv\"
kind = \"people\"
source = \"COMMAND_CENTRE\"
[profile.columns]
external_id = \"人员编号\"
name = \"姓名\"
phone = \"电话\"
organization = \"所属单位\"
duty = \"职责\"
area = \"责任区编码\"
";

/// The whole file.
pub(super) fn text(site: Site) -> String {
    let mut toml = site.named(HEAD);
    if site.number > 0 {
        toml = toml.replace("data/shibei", &site.code.to_string());
    }
    table(&mut toml, "kind", KIND_WORDS.iter().map(|(word, kind)| ((*word).to_owned(), kind.as_str().to_owned())));
    toml.push_str(GRIDS);
    toml.push_str(&PEOPLE.replace("COMMAND_CENTRE", &site.office("CMD01")));
    table(&mut toml, "duty", DUTY_WORDS.iter().map(|(word, duty)| ((*word).to_owned(), duty.as_str().to_owned())));
    toml.push_str("\n# ---- 井盖:各权属单位 ----\n");
    for (k, file) in COVER_FILES.iter().enumerate() {
        if k > 0 {
            toml.push('\n');
        }
        covers(&mut toml, file, site);
    }
    toml
}

fn covers(toml: &mut String, file: &CoverFile, site: Site) {
    let mut line = |key: &str, value: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(toml, "{key} = \"{value}\"");
    };
    line(&format!("# {}\n[[profile]]\nname", file.remark), file.profile);
    line("file", file.file);
    line("kind", "covers");
    if let Format::Csv { delimiter, text, .. } = file.format {
        if text == Text::Gb18030 {
            line("encoding", "GB18030");
        }
        if delimiter != b',' {
            line("delimiter", &char::from(delimiter).to_string());
        }
    }
    if file.crs != Crs::Wgs84 {
        line("crs", file.crs.name());
    }
    line("source", &site.office(file.source));
    toml.push_str("[profile.columns]\n");
    let table_of_rows = matches!(file.format, Format::Csv { .. });
    for &(field, name) in file.columns {
        if table_of_rows || !matches!(field, Field::East | Field::North) {
            let _ = writeln!(toml, "{} = \"{name}\"", guli_name(field, file.crs));
        }
    }
    constants(toml, file, site);
    values(toml, file, site);
}

/// What is the same in every row, and so has no column.
fn constants(toml: &mut String, file: &CoverFile, site: Site) {
    let mut lines: Vec<(&str, String)> = Vec::new();
    let (category, _, whose) = file.parts[0];
    let utility = &UTILITIES[index_of(category)];
    if !file.has(Field::Category) && !file.from_code && file.parts.len() == 1 {
        lines.push(("category", format!("{category:04}")));
    }
    if let ([only], false) = (whose, file.has(Field::Owner)) {
        lines.push(("owner", site.unit(owners(category)[*only])));
    }
    if file.responsible {
        lines.push(("responsible_unit", site.office(file.source)));
    }
    if !file.has(Field::Accuracy) {
        lines.push(("accuracy", file.accuracy.to_owned()));
    }
    if !file.has(Field::Shape) {
        lines.push(("shape", utility.shape.as_str().to_owned()));
    }
    if !file.has(Field::Material) {
        lines.push(("material", utility.material.as_str().to_owned()));
    }
    if !file.has(Field::Load) && category != 114 {
        lines.push(("load_class", utility.load.as_str().to_owned()));
    }
    if !lines.is_empty() {
        toml.push_str("[profile.constants]\n");
    }
    for (field, value) in lines {
        let _ = writeln!(toml, "{field} = \"{value}\"");
    }
}

/// The file's words, where they are not Guli's.
fn values(toml: &mut String, file: &CoverFile, site: Site) {
    let w = file.words;
    if file.has(Field::Category) {
        table(
            toml,
            "category",
            file.parts.iter().map(|(category, word, _)| ((*word).to_owned(), format!("{category:04}"))),
        );
    }
    if file.has(Field::Owner) && !w.owner_codes {
        let units = file.parts.iter().flat_map(|(category, _, whose)| whose.iter().map(|&k| owners(*category)[k]));
        let mut units: Vec<usize> = units.collect();
        units.sort_unstable();
        units.dedup();
        table(toml, "owner", units.into_iter().map(|unit| (owner_word(file, unit, site), site.unit(unit))));
    }
    let mut map = |field: Field, theirs: &[&str], ours: Vec<&str>| {
        if file.has(field) && theirs != ours {
            table(
                toml,
                guli_name(field, file.crs),
                theirs.iter().zip(ours).map(|(a, b)| ((*a).to_owned(), b.to_owned())),
            );
        }
    };
    map(Field::Status, &w.status, Status::ALL.iter().map(|v| v.as_str()).collect());
    map(Field::Shape, &w.shape, Shape::ALL.iter().map(|v| v.as_str()).collect());
    map(Field::Material, &w.material, Material::ALL.iter().map(|v| v.as_str()).collect());
    map(Field::Load, &w.load, LoadClass::ALL.iter().map(|v| v.as_str()).collect());
    map(Field::Place, &w.place, Place::ALL.iter().map(|v| v.as_str()).collect());
    map(Field::Accuracy, &w.accuracy, Accuracy::ALL.iter().map(|v| v.as_str()).collect());
    debug_assert!(file.codes == Codes::None || file.has(Field::Code), "{} hands its codes over", file.profile);
}

fn table(toml: &mut String, field: &str, words: impl Iterator<Item = (String, String)>) {
    let _ = writeln!(toml, "[profile.values.{field}]");
    for (theirs, ours) in words {
        let _ = writeln!(toml, "\"{theirs}\" = \"{ours}\"");
    }
}

const fn guli_name(field: Field, crs: Crs) -> &'static str {
    match field {
        Field::ExternalId => "external_id",
        Field::Code => "code",
        Field::Category => "category",
        Field::Owner => "owner",
        Field::East if crs.is_plane() => "x",
        Field::East => "lon",
        Field::North if crs.is_plane() => "y",
        Field::North => "lat",
        Field::Accuracy => "accuracy",
        Field::Status => "status",
        Field::Shape => "shape",
        Field::Opening => "opening_mm",
        Field::Width => "opening_width_mm",
        Field::Depth => "depth_m",
        Field::Material => "material",
        Field::Load => "load_class",
        Field::Place => "place",
        Field::Installed => "installed",
    }
}
