//! Covers (井盖, 雨水箅子) and their specification (规格).

use super::catalog::CategoryCode;
use super::id::{CoverCode, CoverId, GridCode, OrgCode};
use super::position::{Position, Wgs84};

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vdoc])* $variant),* }

        impl $name {
            /// Every value, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word on the wire and in the database.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }
    )*};
}
pub(crate) use words;

words! {
    /// 状态: the life of the thing itself. What open orders say of its condition stands beside it.
    Status {
        /// 待建
        Planned = "planned",
        /// 在用
        InService = "in_service",
        /// 废弃
        Abandoned = "abandoned",
        /// 移除
        Removed = "removed",
    }
    /// 形状
    Shape { Round = "round", Square = "square", Rectangular = "rectangular", Triangular = "triangular" }
    /// 材质
    Material {
        DuctileIron = "ductile_iron", GreyIron = "grey_iron", Steel = "steel",
        ReinforcedConcrete = "reinforced_concrete", SteelFibreConcrete = "steel_fibre_concrete",
        Composite = "composite", Polymer = "polymer", Stone = "stone",
    }
    /// 承载等级, GB/T 23858: the test load in kN.
    LoadClass { A15 = "A15", B125 = "B125", C250 = "C250", D400 = "D400", E600 = "E600", F900 = "F900" }
    /// 所在位置
    Place { Carriageway = "carriageway", Cycleway = "cycleway", Pavement = "pavement", Green = "green", Yard = "yard" }
    /// Positional accuracy (定位精度).
    Accuracy {
        /// ±0.5 m
        A = "A",
        /// ±1 m
        B = "B",
        /// ±10 m
        C = "C",
    }
}

impl Accuracy {
    /// The half-width that the class promises, in metres.
    pub const fn metres(self) -> f64 {
        match self {
            Self::A => 0.5,
            Self::B => 1.0,
            Self::C => 10.0,
        }
    }
}

impl Status {
    /// Whether a pin may mean it.
    pub const fn is_resolvable(self) -> bool {
        matches!(self, Self::InService | Self::Abandoned)
    }
}

/// What a cover is made as. Lengths of the clear opening in millimetres, 100–3000.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Spec {
    pub shape: Option<Shape>,
    /// Diameter or length.
    pub opening_mm: Option<u16>,
    /// Width where it is not the length.
    pub opening_width_mm: Option<u16>,
    /// Depth of the shaft in millimetres, 200–20,000.
    pub depth_mm: Option<u16>,
    pub material: Option<Material>,
    pub load_class: Option<LoadClass>,
    pub place: Option<Place>,
    /// Year, 1950 to today.
    pub installed: Option<u16>,
}

/// A cover as it stands in the registry.
#[derive(Debug, Clone, PartialEq)]
pub struct Cover {
    pub id: CoverId,
    pub code: CoverCode,
    /// 产权(权属)单位
    pub owner: Option<OrgCode>,
    /// 责任(养护)单位
    pub responsible_unit: Option<OrgCode>,
    pub position: Position<Wgs84>,
    pub accuracy: Accuracy,
    pub spec: Spec,
    pub status: Status,
    /// The grid it lies in, by the registry's own geometry.
    pub grid: Option<GridCode>,
    pub version: i64,
}

/// What a department says of a cover; its identity, code, grid and version are the registry's to give.
#[derive(Debug, Clone, PartialEq)]
pub struct CoverDraft {
    pub category: CategoryCode,
    /// 产权(权属)单位
    pub owner: Option<OrgCode>,
    /// 责任(养护)单位
    pub responsible_unit: Option<OrgCode>,
    pub position: Position<Wgs84>,
    pub accuracy: Accuracy,
    pub spec: Spec,
    pub status: Status,
}

impl CoverDraft {
    /// What is said of a cover now.
    pub fn of(cover: &Cover) -> Self {
        Self {
            category: cover.code.category(),
            owner: cover.owner.clone(),
            responsible_unit: cover.responsible_unit.clone(),
            position: cover.position,
            accuracy: cover.accuracy,
            spec: cover.spec.clone(),
            status: cover.status,
        }
    }

    /// The cover of which this is said from now on.
    pub fn into_cover(self, id: CoverId, code: CoverCode, grid: Option<GridCode>, version: i64) -> Cover {
        let Self { category: _, owner, responsible_unit, position, accuracy, spec, status } = self;
        Cover { id, code, owner, responsible_unit, position, accuracy, spec, status, grid, version }
    }
}
