//! The tables of the schema, in one list: what a copy takes along, and in which order.

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Integer,
    Real,
    Text,
    Bytes,
}

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub name: &'static str,
    pub kind: Kind,
    /// Whether it may be `NULL`.
    pub nullable: bool,
}

/// A table: its columns, and those of its primary key, by which it is read in order.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    pub name: &'static str,
    pub key: &'static [&'static str],
    pub columns: &'static [Column],
}

impl Table {
    /// The places of the key's columns among the columns.
    pub(super) fn key_places(&self) -> impl Iterator<Item = usize> {
        let columns = self.columns;
        self.key.iter().filter_map(move |key| columns.iter().position(|column| column.name == *key))
    }

    /// The columns, as a statement names them.
    pub(super) fn column_list(&self) -> String {
        self.columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
    }
}

macro_rules! columns {
    ($($name:ident: $kind:ident),+ $(,)?) => { &[$(columns!(@ $name $kind)),+] };
    (@ $name:ident integer) => { columns!(@ $name Integer false) };
    (@ $name:ident real) => { columns!(@ $name Real false) };
    (@ $name:ident text) => { columns!(@ $name Text false) };
    (@ $name:ident bytes) => { columns!(@ $name Bytes false) };
    (@ $name:ident maybe_integer) => { columns!(@ $name Integer true) };
    (@ $name:ident maybe_real) => { columns!(@ $name Real true) };
    (@ $name:ident maybe_text) => { columns!(@ $name Text true) };
    (@ $name:ident maybe_bytes) => { columns!(@ $name Bytes true) };
    (@ $name:ident $kind:ident $nullable:literal) => {
        Column { name: stringify!($name), kind: Kind::$kind, nullable: $nullable }
    };
}

macro_rules! tables {
    ($($table:ident by ($($key:ident),+) { $($columns:tt)+ })+) => {
        &[$(Table {
            name: stringify!($table),
            key: &[$(stringify!($key)),+],
            columns: columns!($($columns)+),
        }),+]
    };
}

/// Every table that a database consists of; the head of a district, without which nothing of it is changed, comes last.
pub const TABLES: &[Table] = tables! {
    district by (district) { district: integer, name: text, outline: bytes, version: integer, seq_from: integer }
    district_version by (district, version) {
        district: integer, name: text, outline: bytes, version: integer, seq_from: integer, seq_to: integer,
    }
    category by (district, code) {
        district: integer, code: integer, name: text, name_en: text, enabled: integer,
    }
    damage by (district, code) {
        district: integer, code: text, place: integer, name: text, urgency: integer, secure_limit: maybe_text,
        target: text, repair_limit: text,
    }
    organization by (code) {
        code: text, name: text, kind: text, credit_code: maybe_text, version: integer, seq_from: integer,
        phone: maybe_text,
    }
    organization_version by (code, version) {
        code: text, name: text, kind: text, credit_code: maybe_text, version: integer, seq_from: integer,
        seq_to: integer, phone: maybe_text,
    }
    area by (district, code) {
        district: integer, code: integer, name: text, supervising_department: maybe_text, outline: bytes,
        version: integer, seq_from: integer,
    }
    area_version by (district, code, version) {
        district: integer, code: integer, name: text, supervising_department: maybe_text, outline: bytes,
        version: integer, seq_from: integer, seq_to: integer,
    }
    person by (id) {
        id: bytes, source: text, external_id: text, organization: maybe_text, version: integer,
        district: integer, seq_from: integer,
    }
    person_version by (district, id, version) {
        district: integer, id: bytes, organization: maybe_text, duties: text, version: integer,
        seq_from: integer, seq_to: integer,
    }
    duty by (district, area, kind, person) { district: integer, area: integer, kind: text, person: bytes }
    import by (district, id) {
        district: integer, id: bytes, profile: text, file: text, state: text, started_at: integer, counts: text,
        kind: text, actor: text, ended_at: maybe_integer,
    }
    import_rows by (district, id, piece) {
        district: integer, id: bytes, piece: integer, retain_until: integer, rows: bytes,
    }
    import_report by (district, id) { district: integer, id: bytes, actor: text, report: text }
    cover by (district, id) {
        district: integer, code: integer, id: bytes, owner: maybe_text, responsible_unit: maybe_text,
        lon: real, lat: real, accuracy: text, status: text, shape: maybe_text, opening_mm: maybe_integer,
        opening_width_mm: maybe_integer, depth_mm: maybe_integer, material: maybe_text, load_class: maybe_text,
        place: maybe_text, installed: maybe_integer, grid: maybe_integer, version: integer, seq_from: integer,
        source: text,
    }
    cover_version by (district, id, version) {
        district: integer, code: integer, id: bytes, owner: maybe_text, responsible_unit: maybe_text,
        lon: real, lat: real, accuracy: text, status: text, shape: maybe_text, opening_mm: maybe_integer,
        opening_width_mm: maybe_integer, depth_mm: maybe_integer, material: maybe_text, load_class: maybe_text,
        place: maybe_text, installed: maybe_integer, grid: maybe_integer, version: integer, seq_from: integer,
        source: text, seq_to: integer,
    }
    cover_source by (district, source, external_id) {
        district: integer, source: text, external_id: text, cover: bytes, digest: bytes, original_x: real,
        original_y: real, original_crs: text, import: bytes, row_number: integer, stands: maybe_integer, kept: maybe_text,
    }
    cover_source_version by (district, cover, superseded_by, source, external_id) {
        district: integer, source: text, external_id: text, cover: bytes, digest: bytes, original_x: real,
        original_y: real, original_crs: text, import: bytes, row_number: integer, stands: maybe_integer, kept: maybe_text,
        superseded_by: bytes,
    }
    delivered by (district, kind, record) {
        district: integer, kind: text, record: text, stands: maybe_integer, kept: maybe_text,
    }
    delivered_version by (district, kind, record, seq_to) {
        district: integer, kind: text, record: text, stands: maybe_integer, kept: maybe_text, seq_to: integer,
    }
    finding by (district, id) {
        district: integer, id: text, rule: text, subjects: text, lon: maybe_real, lat: maybe_real,
        outline: maybe_bytes, english: text, chinese: text, found_seq: integer, mended_at: maybe_integer,
        mended_seq: maybe_integer,
    }
    quality_state by (district, id) {
        district: integer, id: text, state: text, reason: maybe_text, actor: text, at: integer,
    }
    work_order by (district, number) {
        district: integer, number: integer, version: integer, status: text, grid: integer, cover: maybe_bytes,
        lon: real, lat: real, damage: text, assignee: text, target: text, promise_at: integer,
        secure_by: maybe_integer, repair_by: integer, due_at: integer, opened_at: integer,
        secured_at: maybe_integer, repaired_at: maybe_integer, closed_at: maybe_integer, disputed: integer,
        level: integer, rework: integer, report_count: integer, registry_seq: integer, updated_at: integer,
    }
    work_order_version by (district, number, updated_at) {
        district: integer, number: integer, version: integer, status: text, grid: integer, cover: maybe_bytes,
        lon: real, lat: real, damage: text, assignee: text, target: text, promise_at: integer,
        secure_by: maybe_integer, repair_by: integer, due_at: integer, opened_at: integer,
        secured_at: maybe_integer, repaired_at: maybe_integer, closed_at: maybe_integer, disputed: integer,
        level: integer, rework: integer, report_count: integer, registry_seq: integer, updated_at: integer,
        superseded_at: integer, tasks: text,
    }
    task by (district, work_order, id) {
        district: integer, work_order: integer, id: integer, kind: text, assignee: text, status: text,
        due_at: integer,
    }
    report by (district, number) {
        district: integer, number: integer, token_hash: bytes, work_order: integer, lon: real, lat: real,
        accuracy_m: maybe_real, cover: maybe_bytes, category: maybe_integer, damage: text,
        description: maybe_text, channel: text, reported_at: maybe_integer, created_at: integer,
    }
    event by (district, seq) {
        district: integer, seq: integer, at: integer, actor: text, kind: text, subject: text, version: integer,
        data: text, reason: maybe_text,
    }
    personal_data by (district, subject, purpose) {
        district: integer, subject: text, purpose: text, retain_until: maybe_integer, sealed: bytes,
    }
    idempotency by (district, client, route, key_hash) {
        district: integer, client: text, route: text, key_hash: bytes, body_hash: bytes, sealed_reply: bytes,
        expires: integer,
    }
    api_key by (id) {
        id: bytes, hash: bytes, role: text, name: text, scopes: text, created_at: integer,
        revoked_at: maybe_integer,
    }
    district_head by (district) {
        district: integer, seq: integer, registry_seq: integer, day: integer, day_counter: integer,
        last_time: integer, orders_since: integer,
    }
};

/// Tables that belong to no one district: the same on every machine where a country's districts are spread.
pub const GLOBAL: &[&str] =
    &["district", "district_version", "organization", "organization_version", "person", "person_version", "api_key"];

/// Tables of the schema that are no part of what is copied: rows that wait for an import to be applied, how far a copy has
/// come, and which migrations have run.
pub const LEFT_OUT: &[&str] = &["cover_stage", "copy_progress", "_sqlx_migrations"];
