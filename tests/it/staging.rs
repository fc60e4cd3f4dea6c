//! What only a large import does to a database, on both: codes that were taken meanwhile, what was said before, and both
//! of them taken back.

use guli::domain::cover::{Accuracy, Cover, Spec, Status};
use guli::domain::id::{CoverCode, CoverId, DistrictCode, ImportId};
use guli::domain::position::Position;
use guli::store::cover_stage::{self, Seen, StagedCover};
use guli::store::{DatabaseUrl, Store, cover_source, covers, imports};
use uuid::Uuid;

use crate::support::Home;
use crate::support::postgres::PostgresServer;

const ALL: (u64, u64) = (1, 9);

fn code(sequence: u32) -> CoverCode {
    format!("3702030101{sequence:06}").parse().unwrap()
}

/// A row of a cover, which is new unless it was seen.
fn row(row: u64, cover: u128, sequence: u32, seen: Option<Seen>) -> StagedCover {
    let status = if seen.is_some() { Status::Abandoned } else { Status::InService };
    StagedCover {
        row,
        source: "370203-WAT01".to_owned(),
        external_id: format!("再-{cover}"),
        digest: [u8::from(seen.is_some()); 16],
        original: (120.34, 36.09),
        original_crs: "EPSG:4326",
        names_code: row == 1,
        seen,
        cover: Cover {
            id: CoverId(Uuid::from_u128(cover)),
            code: code(sequence),
            owner: None,
            responsible_unit: None,
            position: Position::new(120.34, 36.09).unwrap(),
            accuracy: Accuracy::C,
            spec: Spec::default(),
            status,
            grid: None,
            version: 1,
        },
    }
}

/// Stages and applies two imports and takes the second back.
async fn tell(store: &Store) {
    let district: DistrictCode = "370203".parse().unwrap();
    let [first, second] = [1, 2].map(|id| ImportId(Uuid::from_u128(id)));
    let ids = ["再-1", "再-2", "再-3", "再-4", "再-5"];
    let mut writer = store.write().await.unwrap();
    let conn = &mut writer.conn();
    let rows: Vec<StagedCover> = (1..=3).map(|n| row(u64::from(n), n.into(), n, None)).collect();
    cover_stage::stage(conn, district, first, &rows).await.unwrap();
    assert_eq!(cover_stage::taken_codes(conn, district, first, ALL).await.unwrap(), []);
    cover_source::keep_of_stage(conn, district, first, ALL).await.unwrap();
    cover_stage::apply(conn, district, first, 1, ALL).await.unwrap();
    cover_stage::unstage(conn, district, first, 9).await.unwrap();
    let said = imports::known(conn, district, "370203-WAT01", &ids).await.unwrap();
    assert_eq!(said.len(), 3);

    let seen = |stands| Some(Seen { version: 1, stands, kept: Some("{}".to_owned()) });
    let rows = [row(1, 4, 2, None), row(2, 5, 3, None), row(3, 1, 1, seen(None)), row(4, 2, 2, seen(Some(1)))];
    cover_stage::stage(conn, district, second, &rows).await.unwrap();
    let taken = cover_stage::taken_codes(conn, district, second, ALL).await.unwrap();
    let told: Vec<_> = taken.iter().map(|taken| (taken.row, taken.code, taken.names_code)).collect();
    assert_eq!(told, [(1, code(2), true), (2, code(3), false)]);
    assert_eq!(cover_stage::last_sequence(conn, district, second, code(1).category()).await.unwrap(), 3);
    for (row, sequence) in [(1, 4), (2, 5)] {
        cover_stage::recode(conn, district, second, row, code(sequence)).await.unwrap();
    }
    assert_eq!(cover_stage::taken_codes(conn, district, second, ALL).await.unwrap(), []);
    cover_stage::keep_past(conn, district, second, 2, ALL).await.unwrap();
    cover_source::keep_of_stage(conn, district, second, ALL).await.unwrap();
    cover_stage::apply(conn, district, second, 2, ALL).await.unwrap();
    cover_stage::unstage(conn, district, second, 9).await.unwrap();
    let given = covers::given(conn, district, &[1, 2, 3, 4, 5, 6].map(code)).await.unwrap();
    assert_eq!(given.len(), 5);
    assert_ne!(imports::known(conn, district, "370203-WAT01", &ids[..3]).await.unwrap(), said);

    let mut superseded = cover_source::superseded_by(conn, district, second, 9).await.unwrap();
    superseded.sort_unstable_by_key(|id| id.0);
    assert_eq!(superseded, [1, 2].map(|id| CoverId(Uuid::from_u128(id))));
    let restored = cover_source::restore(conn, district, second, &superseded).await.unwrap();
    assert_eq!(restored.len(), 2);
    assert_eq!(imports::known(conn, district, "370203-WAT01", &ids[..3]).await.unwrap(), said);
    assert_eq!(cover_source::superseded_by(conn, district, second, 9).await.unwrap(), []);
    cover_source::stand(conn, district, 3, &superseded).await.unwrap();
    cover_source::forget(conn, district, &superseded).await.unwrap();
    assert_eq!(imports::known(conn, district, "370203-WAT01", &ids[2..3]).await.unwrap(), said[2..]);
}

#[tokio::test]
async fn a_file_stages_and_takes_back() {
    let home = Home::empty();
    tell(&Store::open(&DatabaseUrl::sqlite(&home.database()), None).await.unwrap()).await;
}

#[tokio::test]
async fn a_server_stages_and_takes_back() {
    let Some(postgres) = PostgresServer::start() else { return };
    tell(&Store::open(&postgres.url(), None).await.unwrap()).await;
}
