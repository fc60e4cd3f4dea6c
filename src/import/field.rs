//! The fields of Guli's records, as an import profile names them.

use crate::domain::cover::words;

words! {
    /// What the records of a file are.
    Kind {
        /// 区县
        District = "district",
        /// 街道
        Subdistricts = "subdistricts",
        /// 社区
        Communities = "communities",
        /// 责任网格
        Grids = "grids",
        /// 单位
        Organizations = "organizations",
        /// 人员: one row a duty
        People = "people",
        /// 小类: which the district uses, and what it calls them
        Categories = "categories",
        /// 问题类型: the district's damages and their limits
        Damages = "damages",
        /// 井盖, 雨水箅子
        Covers = "covers",
    }
    /// A field of a record; which kinds have it says [`Kind::fields`].
    Field {
        /// 编码
        Code = "code",
        /// 名称, 姓名
        Name = "name",
        NameEn = "name_en",
        /// Whether the district uses a category.
        Enabled = "enabled",
        /// 3 紧急, 2 紧急 under a condition, 1 一般.
        Urgency = "urgency",
        /// Time to make it safe, such as `10min`; none: no securing is asked.
        SecureLimit = "secure_limit",
        /// What the promise is: R repaired, S made safe.
        Target = "target",
        /// Time to repair it, such as `72h` or `2wd`.
        RepairLimit = "repair_limit",
        /// The kind of an organisation.
        OrgKind = "kind",
        /// 统一社会信用代码
        CreditCode = "credit_code",
        /// 责任科室
        SupervisingDepartment = "supervising_department",
        /// The source's own number for the record; with the source it identifies it for ever.
        ExternalId = "external_id",
        /// 电话; an organisation's is its 值班电话.
        Phone = "phone",
        Organization = "organization",
        /// 职责
        Duty = "duty",
        /// The area of a duty.
        Area = "area",
        /// 小类
        Category = "category",
        /// 产权(权属)单位
        Owner = "owner",
        /// 责任(养护)单位
        ResponsibleUnit = "responsible_unit",
        /// East, in metres.
        X = "x",
        /// North, in metres.
        Y = "y",
        Lon = "lon",
        Lat = "lat",
        /// 定位精度
        Accuracy = "accuracy",
        /// 状态
        Status = "status",
        /// 形状
        Shape = "shape",
        OpeningMm = "opening_mm",
        OpeningWidthMm = "opening_width_mm",
        DepthM = "depth_m",
        /// 材质
        Material = "material",
        /// 承载等级
        LoadClass = "load_class",
        /// 所在位置
        Place = "place",
        /// Year.
        Installed = "installed",
    }
    /// How a file is written.
    Format { Csv = "csv", GeoJson = "geojson", GeoJsonSeq = "geojsonseq" }
}

impl Field {
    /// How many fields there are: the length of an array with one place for each.
    pub const COUNT: usize = Self::ALL.len();
}

impl Kind {
    /// The fields that a record of this kind has.
    pub const fn fields(self) -> &'static [Field] {
        use Field as F;
        match self {
            Self::District | Self::Subdistricts | Self::Communities => &[F::Code, F::Name],
            Self::Grids => &[F::Code, F::Name, F::SupervisingDepartment],
            Self::Organizations => &[F::Code, F::Name, F::OrgKind, F::CreditCode, F::Phone],
            Self::People => &[F::ExternalId, F::Name, F::Phone, F::Organization, F::Duty, F::Area],
            Self::Categories => &[F::Code, F::Name, F::NameEn, F::Enabled],
            Self::Damages => &[F::Code, F::Name, F::Urgency, F::SecureLimit, F::Target, F::RepairLimit],
            Self::Covers => &[
                F::ExternalId,
                F::Code,
                F::Category,
                F::Owner,
                F::ResponsibleUnit,
                F::X,
                F::Y,
                F::Lon,
                F::Lat,
                F::Accuracy,
                F::Status,
                F::Shape,
                F::OpeningMm,
                F::OpeningWidthMm,
                F::DepthM,
                F::Material,
                F::LoadClass,
                F::Place,
                F::Installed,
            ],
        }
    }

    /// The fields without which a row is refused. A cover's category may also come from its code,
    /// its position from a geometry.
    pub const fn required(self) -> &'static [Field] {
        use Field as F;
        match self {
            Self::District | Self::Subdistricts | Self::Communities | Self::Grids => &[F::Code, F::Name],
            Self::Organizations => &[F::Code, F::Name, F::OrgKind],
            Self::People => &[F::ExternalId, F::Name, F::Duty, F::Area],
            Self::Categories => &[F::Code, F::Name, F::NameEn, F::Enabled],
            Self::Damages => &[F::Code, F::Name, F::Urgency, F::Target, F::RepairLimit],
            Self::Covers => &[F::ExternalId],
        }
    }

    /// Whether a record of this kind is an area, whose outline is the feature's geometry.
    pub const fn is_area(self) -> bool {
        matches!(self, Self::District | Self::Subdistricts | Self::Communities | Self::Grids)
    }
}

impl Format {
    /// The format that a file's extension promises.
    pub fn by_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "geojson" | "json" => Some(Self::GeoJson),
            "geojsonl" | "geojsons" | "ndjson" | "geojsonseq" => Some(Self::GeoJsonSeq),
            _ => None,
        }
    }
}

/// The words of the fields that take only certain ones.
pub fn allowed_words(kind: Kind, field: Field) -> Option<Vec<&'static str>> {
    use crate::domain::{cover, grid, organization};
    macro_rules! all {
        ($name:ty) => {
            <$name>::ALL.iter().map(|value| value.as_str()).collect()
        };
    }
    Some(match (kind, field) {
        (Kind::Covers, Field::Status) => all!(cover::Status),
        (Kind::Covers, Field::Shape) => all!(cover::Shape),
        (Kind::Covers, Field::Material) => all!(cover::Material),
        (Kind::Covers, Field::LoadClass) => all!(cover::LoadClass),
        (Kind::Covers, Field::Place) => all!(cover::Place),
        (Kind::Covers, Field::Accuracy) => all!(cover::Accuracy),
        (Kind::People, Field::Duty) => all!(grid::DutyKind),
        (Kind::Categories, Field::Enabled) => vec!["true", "false"],
        (Kind::Damages, Field::Urgency) => vec!["1", "2", "3"],
        (Kind::Damages, Field::Target) => vec!["R", "S"],
        (Kind::Organizations, Field::OrgKind) => {
            use organization::OrgKind as K;
            [K::Utility, K::Section, K::SubdistrictOffice, K::Department, K::CommandCentre].map(K::as_str).to_vec()
        }
        _ => return None,
    })
}
