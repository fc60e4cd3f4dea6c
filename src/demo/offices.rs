//! Organisations (单位) of the demo: invented names; who owns what.

use super::areas::{Areas, QUARTERS, sections_of};
use super::deliver::Imperfection;
use super::names;
use super::rng::Rng;
use super::site::Site;
use crate::domain::grid::DutyKind;
use crate::domain::organization::OrgKind;

/// The organisations' file.
pub(super) const FILE: &str = "organizations.csv";

/// An organisation: the part of its code after the district's, its name, and what others call it.
pub(super) type Office = (&'static str, &'static str, &'static str);

/// Owners and responsible units.
pub(super) const UNITS: [Office; 21] = [
    ("WAT01", "青岛市北供水有限公司", "供水"),
    ("DRN01", "市北排水养护一所", "排水一所"),
    ("DRN02", "市北排水养护二所", "排水二所"),
    ("RDU01", "市北市政道路养护中心", "道路中心"),
    ("RDU02", "青岛胶州湾道路养护有限公司", "胶州湾养护"),
    ("PWR01", "青岛市北供电公司", "供电"),
    ("LGT01", "市北城市照明管理所", "照明所"),
    ("TEL01", "海岳通信青岛分公司", "海岳通信"),
    ("TEL02", "蓝湾移动青岛分公司", "蓝湾移动"),
    ("TEL03", "齐信联合通信青岛分公司", "齐信联合"),
    ("TEL04", "东铁通信服务青岛分公司", "东铁通信"),
    ("CTV01", "青岛有线视讯网络公司", "有线"),
    ("NET01", "青岛长城岸宽带网络公司", "宽带"),
    ("HEA01", "青岛暖城热力公司", "暖城热力"),
    ("HEA02", "青岛浮山供热有限公司", "浮山供热"),
    ("HEA03", "青岛四方热源有限公司", "四方热源"),
    ("GAS01", "青岛泰和燃气有限公司", "泰和燃气"),
    ("GAS02", "青岛海润天然气公司", "海润天然气"),
    ("TRP01", "市北交警大队科技中队", "交警"),
    ("FIR01", "市北消防救援大队", "消防"),
    ("SDC01", "青岛信通综合管道公司", "信通管道"),
];

/// The unit that nobody reaches, by its place in [`UNITS`]: delivered without a telephone, and nobody's office.
const UNREACHABLE: usize = 20;

/// 主管部门 and the command centre.
const DEPARTMENTS: [(&str, &str, OrgKind); 6] = [
    ("CMD01", "市北区城市运行管理指挥中心", OrgKind::CommandCentre),
    ("DEP01", "市北区住房和城乡建设局", OrgKind::Department),
    ("DEP02", "市北区城市管理局", OrgKind::Department),
    ("DEP03", "市北区水务管理办公室", OrgKind::Department),
    ("DEP04", "市北区供热燃气管理办公室", OrgKind::Department),
    ("DEP05", "市北区通信基础设施协调办公室", OrgKind::Department),
];

const SECTIONS: [&str; 3] = ["城市管理科", "社区建设科", "应急管理科"];

/// The owners of a category's covers, by their place in [`UNITS`].
pub(super) const fn owners(category: u16) -> &'static [usize] {
    match category {
        101 | 127 => &[0],
        102 | 103 => &[1, 2],
        104 => &[3, 4],
        105 => &[5],
        106 => &[6],
        107 => &[7, 8, 9, 10],
        108 => &[11],
        109 => &[12],
        110 => &[13, 14, 15],
        111 => &[16, 17],
        112 => &[18],
        113 => &[19],
        130 => &[20],
        _ => &[],
    }
}

/// Code of a sub-district's section, numbered from 0.
pub(super) fn section_code(subdistrict: u64, section: usize) -> String {
    format!("{subdistrict}-K{:02}", section + 1)
}

/// Code of a sub-district's office (街道办事处).
pub(super) fn office_of(subdistrict: u64) -> String {
    format!("{subdistrict}-JD01")
}

/// Every organisation as code, name, kind, telephone; `flawed`: with the one that nobody reaches.
pub(super) fn all(areas: &Areas, flawed: bool) -> Vec<[String; 4]> {
    let site = areas.site;
    let line = |code: String, name: String, kind: OrgKind| [code, name, kind.as_str().to_owned(), String::new()];
    let mut lines: Vec<[String; 4]> =
        DEPARTMENTS.iter().map(|&(code, name, kind)| line(site.office(code), site.named(name), kind)).collect();
    lines.extend(UNITS.iter().map(|&(code, name, _)| line(site.office(code), site.named(name), OrgKind::Utility)));
    for (index, (area, quarter)) in areas.subdistricts.iter().zip(&QUARTERS).enumerate() {
        let name = quarter.name;
        lines.push(line(office_of(area.code), format!("{name}街道办事处"), OrgKind::SubdistrictOffice));
        for (section, title) in SECTIONS.iter().enumerate().take(sections_of(index)) {
            lines.push(line(section_code(area.code, section), format!("{name}街道{title}"), OrgKind::Section));
        }
    }
    // No Chinese subscriber's number begins with 0: these reach nobody.
    for (k, [.., phone]) in lines.iter_mut().enumerate() {
        *phone = format!("0532-{:08}", 101 + k);
    }
    if flawed {
        lines[unreachable_line()][3].clear();
    }
    lines
}

/// Where the unit that nobody reaches stands in the file, from 0.
const fn unreachable_line() -> usize {
    DEPARTMENTS.len() + UNREACHABLE
}

/// What the answer key says of it: the import takes it, and the quality check finds it.
pub(super) fn unreachable(site: Site) -> Imperfection {
    Imperfection {
        file: FILE,
        profile: "organizations",
        row: unreachable_line() as u64 + 1,
        code: "unit_unreachable",
        severity: "error",
        external_id: site.unit(UNREACHABLE),
        note: "值班电话 is empty and no person belongs to it; the quality check finds it".to_owned(),
    }
}

/// The file's word for each kind.
pub(super) const KIND_WORDS: [(&str, OrgKind); 5] = [
    ("权属养护单位", OrgKind::Utility),
    ("责任科室", OrgKind::Section),
    ("街道办事处", OrgKind::SubdistrictOffice),
    ("主管部门", OrgKind::Department),
    ("指挥中心", OrgKind::CommandCentre),
];

/// The file's word for each duty.
pub(super) const DUTY_WORDS: [(&str, DutyKind); 7] = [
    ("网格长", DutyKind::GridLeader),
    ("巡治员", DutyKind::Patrol),
    ("处级干部", DutyKind::SeniorOfficer),
    ("科级干部", DutyKind::Officer),
    ("综合执法队员", DutyKind::Enforcement),
    ("社区民警", DutyKind::Police),
    ("交警", DutyKind::Traffic),
];

/// One duty of a person: `external_id`, name, phone, organisation, duty (as the file says it), area.
pub(super) type DutyLine = [String; 6];

/// Everyone who stands for an area.
pub(super) struct Roll {
    site: Site,
    lines: Vec<DutyLine>,
    rng: Rng,
    people: u32,
}

impl Roll {
    /// For each grid a leader and two to four patrols; per community an enforcement officer and,
    /// shared by two communities, a policeman; per sub-district two officers and a traffic officer.
    pub(super) fn call(areas: &Areas) -> Vec<DutyLine> {
        let site = areas.site;
        let mut roll = Self { site, lines: Vec::new(), rng: Rng::keyed(site.seed, [5, 0, 0]), people: 0 };
        for area in &areas.subdistricts {
            roll.subdistrict(area.code);
        }
        let mut policeman = None;
        for (k, area) in areas.communities.iter().enumerate() {
            let office = office_of(area.code / 1000);
            let person = roll.person(&office);
            roll.duty(&person, DutyKind::Enforcement, area.code);
            // Two communities of one sub-district share a policeman.
            let first = k == 0 || areas.communities[k - 1].code / 1000 != area.code / 1000;
            let person = policeman.take().filter(|_| !first);
            let (person, again) = person.map_or_else(|| (roll.person(&site.office("CMD01")), false), |p| (p, true));
            roll.duty(&person, DutyKind::Police, area.code);
            policeman = (!again).then_some(person);
        }
        for grid in &areas.grids {
            let section = section_code(grid.code / 1_000_000, grid.section);
            let leader = roll.person(&section);
            roll.duty(&leader, DutyKind::GridLeader, grid.code);
            for _ in 0..2 + roll.rng.below(3) {
                let patrol = roll.person(&section);
                roll.duty(&patrol, DutyKind::Patrol, grid.code);
            }
        }
        roll.lines
    }

    fn subdistrict(&mut self, code: u64) {
        let (office, traffic) = (office_of(code), self.site.unit(18));
        for (duty, from) in
            [(DutyKind::SeniorOfficer, office.clone()), (DutyKind::Officer, office), (DutyKind::Traffic, traffic)]
        {
            let person = self.person(&from);
            self.duty(&person, duty, code);
        }
    }

    /// A new person: number, name, phone, organisation. The phones are 199 0000 xxxx, a block that
    /// no operator has given out (u).
    fn person(&mut self, organization: &str) -> [String; 4] {
        self.people += 1;
        let number = format!("RY{:05}", self.people);
        [number, names::person(&mut self.rng), format!("1990000{:04}", self.people), organization.to_owned()]
    }

    fn duty(&mut self, person: &[String; 4], duty: DutyKind, area: u64) {
        let word = DUTY_WORDS.iter().find(|(_, kind)| *kind == duty).map_or("", |(word, _)| word);
        let [id, name, phone, organization] = person.clone();
        self.lines.push([id, name, phone, organization, word.to_owned(), area.to_string()]);
    }
}
