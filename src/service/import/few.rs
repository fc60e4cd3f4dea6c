//! The few records of a district, compared with what is there: areas and organisations, column by column.

use std::collections::HashMap;

use super::Outcome;
use crate::domain::id::{DistrictCode, OrgCode};
use crate::domain::merge::{self, Columns};
use crate::domain::organization::Organization;
use crate::domain::said::{self, say};
use crate::store::areas::{self, Area};
use crate::store::delivered::{self, Delivered, Kind};
use crate::store::{Conn, Result, organizations};

/// A record as a file has it.
#[derive(Debug, Clone)]
pub struct Says<T> {
    pub record: T,
    /// Columns that the file does not have.
    pub silent: Vec<&'static str>,
}

/// What whoever imports should know of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// The file changed what had been corrected here.
    Overruled { column: &'static str, before: Option<String>, ours: Option<String>, now: Option<String> },
    /// It was removed here, and stays so although the file has changed it.
    StaysRemoved,
    /// It needs what was removed here: it cannot be taken.
    Missing {
        column: &'static str,
        /// What is needed.
        what: said::Said,
    },
}

/// Records that were compared with what is there.
#[derive(Debug)]
pub struct Compared<T> {
    /// What becomes of each; `None` where it cannot be taken.
    pub outcomes: Vec<Option<Outcome>>,
    /// What is to be known of some, by their places.
    pub notes: Vec<(usize, Note)>,
    /// What is to be written.
    pub changed: Vec<T>,
    /// What is to be remembered of what they say.
    pub(super) said: Vec<Said>,
}

/// What a record says.
#[derive(Debug, Clone)]
pub(super) struct Said {
    record: String,
    /// What the record says otherwise than what is written of it; all of it, where nothing is.
    kept: Columns,
    is_written: bool,
    /// What it said before, as it is remembered.
    before: Option<Delivered>,
}

impl Said {
    pub(super) fn whole(record: String, columns: Columns, before: Option<Delivered>) -> Self {
        Self { record, kept: columns, is_written: false, before }
    }

    /// As it is kept once its record is written with the event `seq`.
    fn delivered(&self, seq: i64) -> Delivered {
        Delivered {
            record: self.record.clone(),
            stands: self.is_written.then_some(seq),
            kept: delivered::text(self.kept.iter().cloned()),
        }
    }
}

/// Remembers from the event `seq` on what records say, and what they said until then.
pub(super) async fn remember(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    kind: Kind,
    seq: i64,
    said: &[Said],
) -> Result<()> {
    let before: Vec<Delivered> = said.iter().filter_map(|said| said.before.clone()).collect();
    let said: Vec<Delivered> = said.iter().map(|said| said.delivered(seq)).collect();
    delivered::superseded(district, kind, seq, &before).write(conn).await?;
    delivered::rows(district, kind, &said).write(conn).await
}

impl<T> Compared<T> {
    pub(super) fn with_room_for(rows: usize) -> Self {
        Self { outcomes: Vec::with_capacity(rows), notes: Vec::new(), changed: Vec::new(), said: Vec::new() }
    }

    /// Whether there is anything to be written.
    pub fn is_news(&self) -> bool {
        !self.changed.is_empty() || !self.said.is_empty()
    }
}

/// A kind of records that are compared column by column.
pub(super) trait Record: Clone {
    fn key(&self) -> String;
    fn columns(&self) -> Result<Columns>;
    /// The same with these columns as another has them, and the next version.
    fn changed(self, columns: &[&str], from: &Self) -> Self;
}

impl Record for Area {
    fn key(&self) -> String {
        self.code.to_string()
    }

    fn columns(&self) -> Result<Columns> {
        let outline = areas::outline_digest(&self.outline)?;
        Ok(vec![
            ("name", Some(self.name.clone())),
            ("supervising_department", self.supervising_department.clone()),
            ("outline", Some(outline)),
        ])
    }

    fn changed(mut self, columns: &[&str], from: &Self) -> Self {
        for column in columns {
            match *column {
                "name" => self.name.clone_from(&from.name),
                "supervising_department" => self.supervising_department.clone_from(&from.supervising_department),
                _ => self.outline.clone_from(&from.outline),
            }
        }
        Self { version: self.version + 1, ..self }
    }
}

impl Record for Organization {
    fn key(&self) -> String {
        self.code.to_string()
    }

    fn columns(&self) -> Result<Columns> {
        Ok(vec![
            ("name", Some(self.name.clone())),
            ("kind", Some(self.kind.as_str().to_owned())),
            ("credit_code", self.credit_code.clone()),
            ("phone", self.phone.clone()),
        ])
    }

    fn changed(mut self, columns: &[&str], from: &Self) -> Self {
        for column in columns {
            match *column {
                "name" => self.name.clone_from(&from.name),
                "kind" => self.kind = from.kind,
                "credit_code" => self.credit_code.clone_from(&from.credit_code),
                _ => self.phone.clone_from(&from.phone),
            }
        }
        Self { version: self.version + 1, ..self }
    }
}

/// What there is, and what was said last, by key.
struct Known<T> {
    present: HashMap<String, T>,
    delivered: HashMap<String, Delivered>,
    /// The states that say what was said, but for what was kept.
    then: HashMap<String, T>,
}

impl<T: Record> Known<T> {
    fn new(present: Vec<T>, delivered: HashMap<String, Delivered>, then: Vec<T>) -> Self {
        let by_key = |records: Vec<T>| records.into_iter().map(|record| (record.key(), record)).collect();
        Self { present: by_key(present), delivered, then: by_key(then) }
    }

    /// What a record said last; `like` has its columns.
    fn before(&self, key: &str, like: &Columns) -> Result<Option<Columns>> {
        let Some(delivered) = self.delivered.get(key) else { return Ok(None) };
        let kept = delivered::columns(delivered.kept.as_deref())?;
        let stands = match (delivered.stands, self.then.get(key)) {
            (Some(_), None) => return Ok(None),
            (Some(_), Some(then)) => then.columns()?,
            (None, _) => like.iter().map(|(column, _)| (*column, None)).collect(),
        };
        Ok(Some(merge::overlaid(stands, &kept)))
    }

    /// Compares one record; what would be written of it, if anything.
    fn compare(&self, Says { record, silent }: &Says<T>, compared: &mut Compared<T>) -> Result<Option<News<T>>> {
        let key = record.key();
        let mut says = record.columns()?;
        let before = self.before(&key, &says)?;
        let Some(ours) = self.present.get(&key) else {
            let Some(before) = before else {
                return Ok(Some(News { record: record.clone(), kept: Vec::new(), is_new: true, delivered: None }));
            };
            if before != says {
                compared.note(Note::StaysRemoved);
            }
            compared.outcomes.push(Some(Outcome::Unchanged));
            return Ok(None);
        };
        let our_columns = ours.columns()?;
        let last = before.as_ref().unwrap_or(&our_columns);
        merge::unsaid(&mut says, silent, last);
        let merge = merge::merge(before.as_ref(), &says, &our_columns);
        let delivered = self.delivered.get(&key).cloned();
        for &column in &merge.overruled {
            let [before, ours, now] = [last, &our_columns, &says].map(|columns| merge::value(columns, column));
            compared.note(Note::Overruled { column, before, ours, now });
        }
        if merge.taken.is_empty() {
            compared.outcomes.push(Some(Outcome::Unchanged));
            if before.as_ref() != Some(&says) {
                compared.said.push(Said::whole(key, says, delivered));
            }
            return Ok(None);
        }
        let record = ours.clone().changed(&merge.taken, record);
        Ok(Some(News { record, kept: merge.kept, is_new: false, delivered }))
    }
}

/// A record that is to be written.
struct News<T> {
    record: T,
    /// What the file says otherwise.
    kept: Columns,
    is_new: bool,
    /// What was remembered of it.
    delivered: Option<Delivered>,
}

impl<T> Compared<T> {
    /// Notes something of the row at hand.
    pub(super) fn note(&mut self, note: Note) {
        self.notes.push((self.outcomes.len(), note));
    }

    /// The row at hand cannot be taken.
    pub(super) fn refuse(&mut self, note: Note) {
        self.note(note);
        self.outcomes.push(None);
    }
}

/// The row at hand is taken.
fn take<T: Record>(compared: &mut Compared<T>, News { record, kept, is_new, delivered }: News<T>) {
    compared.said.push(Said { record: record.key(), kept, is_written: true, before: delivered });
    compared.outcomes.push(Some(if is_new { Outcome::Created } else { Outcome::Updated }));
    compared.changed.push(record);
}

/// Compares areas of one level with those that are there.
pub(super) async fn areas(conn: &mut Conn<'_>, district: DistrictCode, rows: &[Says<Area>]) -> Result<Compared<Area>> {
    let codes: Vec<u64> = rows.iter().map(|row| row.record.code).collect();
    let present = areas::known(conn, district, &codes).await?;
    let delivered = delivered::of(conn, district, Kind::Area).await?;
    let known = Known::new(present, delivered, areas::as_delivered(conn, district).await?);
    let removed: HashMap<u64, i64> = areas::removed(conn, district).await?.into_iter().collect();
    let departments = rows.iter().filter_map(|row| row.record.supervising_department.as_deref()?.parse().ok());
    let gone = organizations::removed(conn, &departments.collect::<Vec<OrgCode>>()).await?;
    let mut compared = Compared::with_room_for(rows.len());
    for row in rows {
        let Some(mut news) = known.compare(row, &mut compared)? else { continue };
        let Area { code, supervising_department, version, .. } = &mut news.record;
        let parent = *code / 1_000;
        if let Some(gone) = supervising_department.as_ref().filter(|named| gone.contains(*named)) {
            let what = say!("organization {gone}", "单位 {gone} ");
            compared.refuse(Note::Missing { column: "supervising_department", what });
        } else if news.is_new && removed.contains_key(&parent) {
            compared.refuse(Note::Missing { column: "code", what: say!("area {parent}", "区域 {parent} ") });
        } else {
            if news.is_new {
                // One that was removed goes on after its removal.
                *version = removed.get(code).map_or(1, |last| last + 2);
            }
            take(&mut compared, news);
        }
    }
    Ok(compared)
}

/// Compares organisations with those that are there.
pub(super) async fn organizations(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    rows: &[Says<Organization>],
) -> Result<Compared<Organization>> {
    let codes: Vec<OrgCode> = rows.iter().map(|row| row.record.code.clone()).collect();
    let present = organizations::with_codes(conn, &codes).await?;
    let delivered = delivered::of(conn, district, Kind::Organization).await?;
    let known = Known::new(present, delivered, organizations::as_delivered(conn, district).await?);
    let mut compared = Compared::with_room_for(rows.len());
    for row in rows {
        if let Some(news) = known.compare(row, &mut compared)? {
            take(&mut compared, news);
        }
    }
    Ok(compared)
}
