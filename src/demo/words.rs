//! The departments' own words for Guli's: every department has its vocabulary.

/// In the order of the domain's enumerations (`Status::ALL` and so on).
pub(super) struct Words {
    pub(super) status: [&'static str; 4],
    pub(super) shape: [&'static str; 4],
    pub(super) material: [&'static str; 8],
    pub(super) load: [&'static str; 6],
    pub(super) place: [&'static str; 5],
    pub(super) accuracy: [&'static str; 3],
    /// Owners are given by their codes, not by what people call them.
    pub(super) owner_codes: bool,
}

const LOAD: [&str; 6] = ["A15", "B125", "C250", "D400", "E600", "F900"];
const ACCURACY: [&str; 3] = ["A", "B", "C"];

/// Full words.
pub(super) const PLAIN: Words = Words {
    status: ["待建", "在用", "废弃", "移除"],
    shape: ["圆形", "方形", "矩形", "三角形"],
    material: ["球墨铸铁", "灰口铸铁", "钢", "钢筋混凝土", "钢纤维混凝土", "复合材料", "聚合物", "石材"],
    load: LOAD,
    place: ["车行道", "非机动车道", "人行道", "绿地", "院内"],
    accuracy: ACCURACY,
    owner_codes: false,
};

/// The words of a drawing office.
pub(super) const DRAWN: Words = Words {
    status: ["规划", "正常", "停用", "拆除"],
    shape: ["圆", "正方", "长方", "三角"],
    material: ["球铁", "铸铁", "钢板", "砼", "钢纤维砼", "复合", "树脂", "石"],
    load: ["A15级", "B125级", "C250级", "D400级", "E600级", "F900级"],
    place: ["机动车道", "慢车道", "便道", "绿化带", "小区"],
    accuracy: ["高", "中", "低"],
    owner_codes: false,
};

/// The key numbers of an old database.
pub(super) const CODED: Words = Words {
    status: ["0", "1", "2", "9"],
    shape: ["01", "02", "03", "04"],
    material: ["11", "12", "13", "21", "22", "31", "32", "41"],
    load: LOAD,
    place: ["L1", "L2", "L3", "L4", "L5"],
    accuracy: ["1", "2", "3"],
    owner_codes: false,
};

/// Guli's words already, as newer systems deliver them.
pub(super) const OWN: Words = Words {
    status: ["planned", "in_service", "abandoned", "removed"],
    shape: ["round", "square", "rectangular", "triangular"],
    material: [
        "ductile_iron",
        "grey_iron",
        "steel",
        "reinforced_concrete",
        "steel_fibre_concrete",
        "composite",
        "polymer",
        "stone",
    ],
    load: LOAD,
    place: ["carriageway", "cycleway", "pavement", "green", "yard"],
    accuracy: ACCURACY,
    owner_codes: true,
};
