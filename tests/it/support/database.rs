//! A look into the file itself, past the program.

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use super::Home;

/// A connection that only reads.
pub(crate) struct Database(SqliteConnection);

impl Home {
    pub(crate) async fn look(&self) -> Database {
        let options = SqliteConnectOptions::new().filename(self.database()).read_only(true);
        Database(options.connect().await.unwrap())
    }

    /// Does to the file what no program of ours would.
    pub(crate) async fn write_sql(&self, sql: &'static str) {
        let mut database = SqliteConnectOptions::new().filename(self.database()).connect().await.unwrap();
        sqlx::query(sql).execute(&mut database).await.unwrap();
        database.close().await.unwrap();
    }
}

impl Database {
    /// The one number that a query gives.
    pub(crate) async fn number(&mut self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&mut self.0).await.unwrap()
    }

    /// The texts that a query gives.
    pub(crate) async fn texts(&mut self, sql: &'static str) -> Vec<String> {
        sqlx::query_scalar(sql).fetch_all(&mut self.0).await.unwrap()
    }

    /// What must hold of every database, whatever happened to it: the file is whole, the events are numbered
    /// without a gap, every order is what its events and reports say.
    pub(crate) async fn check(mut self) {
        assert_eq!(self.texts("PRAGMA integrity_check").await, ["ok"]);
        for (what, sql) in [
            (
                "events are numbered without a gap, up to the head",
                "SELECT count(*) FROM district_head h WHERE h.seq <> (SELECT count(*) FROM event e WHERE e.district = \
                 h.district) OR h.seq <> (SELECT max(seq) FROM event e WHERE e.district = h.district)",
            ),
            (
                "every report belongs to an order",
                "SELECT count(*) FROM report r WHERE NOT EXISTS (SELECT 1 FROM work_order w WHERE w.district = r.district \
                 AND w.number = r.work_order)",
            ),
            (
                "an order counts its reports",
                "SELECT count(*) FROM work_order w WHERE report_count <> (SELECT count(*) FROM report r WHERE r.district = \
                 w.district AND r.work_order = w.number)",
            ),
            (
                "each order was opened by one event",
                "SELECT abs((SELECT count(*) FROM work_order) - (SELECT count(*) FROM event WHERE kind = \
                 'work_order.opened'))",
            ),
            (
                "each report left one event",
                "SELECT abs((SELECT count(*) FROM report) - (SELECT count(*) FROM event WHERE kind IN \
                 ('work_order.opened', 'work_order.joined')))",
            ),
            (
                "an order's version is what its last event says",
                "SELECT count(*) FROM (SELECT version, count(*) OVER (PARTITION BY subject) AS events, row_number() OVER \
                 (PARTITION BY subject ORDER BY seq DESC) AS place FROM event WHERE kind LIKE 'work_order.%') WHERE place = \
                 1 AND version > events",
            ),
            (
                "every order has tasks",
                "SELECT count(*) FROM work_order w WHERE NOT EXISTS (SELECT 1 FROM task t WHERE \
                 t.district = w.district AND t.work_order = w.number)",
            ),
            (
                "an order's past ends where its present begins, and has no gap",
                "SELECT count(*) FROM work_order_version p WHERE NOT EXISTS (SELECT 1 FROM work_order w WHERE w.district = \
                 p.district AND w.number = p.number AND w.updated_at = p.superseded_at) AND NOT EXISTS (SELECT 1 FROM \
                 work_order_version n WHERE n.district = p.district AND n.number = p.number AND n.updated_at = \
                 p.superseded_at)",
            ),
            (
                "one cover has one open order",
                "SELECT count(*) FROM (SELECT cover FROM work_order WHERE cover IS NOT NULL AND status NOT IN ('closed', \
                 'cancelled') GROUP BY district, cover HAVING count(*) > 1)",
            ),
        ] {
            assert_eq!(self.number(sql).await, 0, "{what}");
        }
        self.0.close().await.unwrap();
    }
}
