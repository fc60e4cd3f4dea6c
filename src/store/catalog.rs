//! The district's own tables of categories and damages; a new district starts with the national ones.

use sqlx::QueryBuilder;

use super::{Conn, Result, corrupt, each};
use crate::domain::catalog::{Catalog, Category, CategoryCode, DamageCode};
use crate::domain::deadline::{DamageRule, Limit, Target};
use crate::domain::id::DistrictCode;

/// A damage as stored: code, name, urgency, secure limit, target, repair limit.
type DamageRow = (String, String, i64, Option<String>, String, String);

/// Reads a district's tables.
pub async fn read(conn: &mut Conn<'_>, district: DistrictCode) -> Result<Catalog> {
    const CATEGORIES: &str = "SELECT code, name, name_en, enabled FROM category WHERE district = $1 ORDER BY code";
    const DAMAGES: &str = "SELECT code, name, urgency, secure_limit, target, repair_limit FROM damage \
                           WHERE district = $1 ORDER BY place, code";
    let categories: Vec<(i64, String, String, i64)> =
        each!(conn, c => sqlx::query_as(CATEGORIES).bind(district.as_i64()).fetch_all(c).await?);
    let damages: Vec<DamageRow> = each!(conn, c => sqlx::query_as(DAMAGES).bind(district.as_i64()).fetch_all(c).await?);
    let mut catalog = Catalog::default();
    for (code, name, name_en, enabled) in categories {
        let code =
            u16::try_from(code).ok().and_then(CategoryCode::from_number).ok_or_else(|| corrupt("a category", code))?;
        catalog.categories.insert(code, Category { code, name, name_en, enabled: enabled != 0 });
    }
    for (code, name, urgency, secure, target, repair) in damages {
        catalog.damages.push(DamageRule {
            code: DamageCode::new(&code).ok_or_else(|| corrupt("a damage", &code))?,
            name,
            urgency: u8::try_from(urgency).map_err(|e| corrupt("an urgency", e))?,
            secure: secure.as_deref().map(limit).transpose()?,
            target: Target::parse(&target).ok_or_else(|| corrupt("a target", &target))?,
            repair: limit(&repair)?,
        });
    }
    Ok(catalog)
}

fn limit(text: &str) -> Result<Limit> {
    text.parse().map_err(|e| corrupt("a limit", e))
}

/// Writes what is not there yet; lines that a district has changed stay as they are.
pub async fn fill(conn: &mut Conn<'_>, district: DistrictCode, catalog: &Catalog) -> Result<()> {
    write(conn, district, catalog, "DO NOTHING", "DO NOTHING").await
}

/// Writes all lines as they now are.
pub async fn put(conn: &mut Conn<'_>, district: DistrictCode, catalog: &Catalog) -> Result<()> {
    const CATEGORY: &str = "(district, code) DO UPDATE SET name = excluded.name, name_en = excluded.name_en, \
                            enabled = excluded.enabled";
    const DAMAGE: &str = "(district, code) DO UPDATE SET place = excluded.place, name = excluded.name, \
                          urgency = excluded.urgency, secure_limit = excluded.secure_limit, target = excluded.target, \
                          repair_limit = excluded.repair_limit";
    write(conn, district, catalog, CATEGORY, DAMAGE).await
}

async fn write(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    catalog: &Catalog,
    known_category: &'static str,
    known_damage: &'static str,
) -> Result<()> {
    each!(conn, c => {
        let mut sql = QueryBuilder::<Db>::new("INSERT INTO category (district, code, name, name_en, enabled) ");
        sql.push_values(catalog.categories.values(), |mut row, category| {
            row.push_bind(district.as_i64())
                .push_bind(i64::from(category.code.number()))
                .push_bind(category.name.as_str())
                .push_bind(category.name_en.as_str())
                .push_bind(i64::from(category.enabled));
        });
        sql.push(" ON CONFLICT ").push(known_category);
        sql.build().execute(&mut *c).await.map(drop)?;
        let mut sql = QueryBuilder::<Db>::new(
            "INSERT INTO damage (district, place, code, name, urgency, secure_limit, target, repair_limit) ",
        );
        sql.push_values((1_i64..).zip(&catalog.damages), |mut row, (place, rule)| {
            row.push_bind(district.as_i64())
                .push_bind(place)
                .push_bind(rule.code.as_str())
                .push_bind(rule.name.as_str())
                .push_bind(i64::from(rule.urgency))
                .push_bind(rule.secure.map(|limit| limit.to_string()))
                .push_bind(rule.target.as_str())
                .push_bind(rule.repair.to_string());
        });
        sql.push(" ON CONFLICT ").push(known_damage);
        sql.build().execute(c).await.map(drop)?;
    });
    Ok(())
}
