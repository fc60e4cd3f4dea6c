//! A `PostgreSQL` server for one test, thrown away after it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use guli::store::DatabaseUrl;
use sqlx::Connection as _;
use tempfile::TempDir;

use super::{Home, shibei};

/// A running server; stopped when dropped.
pub(crate) struct PostgresServer {
    programs: PathBuf,
    dir: TempDir,
    port: u16,
}

/// The files of a server with the demo district in it, packed, made once; `None` where there is no server.
static DISTRICT: LazyLock<Option<Vec<u8>>> = LazyLock::new(|| {
    let server = PostgresServer::start()?;
    let home = Home::with_district();
    let (shibei, database) = (shibei(), server.address());
    let import = ["import", shibei.to_str().unwrap(), "--keep-going", "--json", "--key-file", "guli.key"];
    home.guli(&[&import[..], &["--database", &database]].concat()).ok();
    Some(server.pack())
});

impl PostgresServer {
    /// Starts one, or says that there is none to be started; with `GULI_TEST_REQUIRE_POSTGRES` that fails.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with("")
    }

    /// The same with settings of its own, as `-c name=value`.
    pub(crate) fn start_with(settings: &str) -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(std::env::var_os("GULI_TEST_REQUIRE_POSTGRES").is_none(), "no initdb: PostgreSQL is not installed");
            eprintln!("skipped: no initdb, so nothing is tried on PostgreSQL");
            return None;
        };
        let server = Self::in_new_folder(programs);
        // A collation that does not sort by bytes, as servers in the field have it.
        let common = ["-U", "guli", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C.UTF-8"];
        let icu = ["--locale-provider=icu", "--icu-locale=en-US"];
        if !server.run("initdb", &[&common[..], &icu].concat()).status.success() {
            let _ = std::fs::remove_dir_all(server.data());
            let made = server.run("initdb", &common);
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
        server.pg_ctl_start_with(settings);
        Some(server)
    }

    /// Starts one with the demo district in it.
    pub(crate) fn with_district() -> Option<Self> {
        let server = Self::stopped_with_district()?;
        server.pg_ctl_start();
        Some(server)
    }

    /// The same before it is started.
    pub(crate) fn stopped_with_district() -> Option<Self> {
        Self::unpack(DISTRICT.as_ref()?)
    }

    /// Its files, as they are once it is stopped.
    pub(crate) fn pack(self) -> Vec<u8> {
        self.run("pg_ctl", &["-w", "-m", "fast", "stop"]);
        let packed = Command::new("tar").arg("-C").arg(self.dir.path()).args(["-cf", "-", "data"]).output().unwrap();
        assert!(packed.status.success());
        packed.stdout
    }

    /// Another one with these files, not started yet.
    pub(crate) fn unpack(files: &[u8]) -> Option<Self> {
        let server = Self::in_new_folder(programs()?);
        let mut unpack = Command::new("tar");
        let mut unpacking =
            unpack.arg("-C").arg(server.dir.path()).args(["-xpf", "-"]).stdin(Stdio::piped()).spawn().unwrap();
        unpacking.stdin.take().unwrap().write_all(files).unwrap();
        assert!(unpacking.wait().unwrap().success());
        Some(server)
    }

    fn in_new_folder(programs: PathBuf) -> Self {
        // Short, for the socket in it: its path may have 107 bytes.
        let dir = tempfile::Builder::new().prefix("guli-pg-").tempdir_in("/tmp").unwrap();
        if is_root() {
            std::os::unix::fs::chown(dir.path(), Some(user_id(&["postgres"])), None).unwrap();
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { programs, dir, port }
    }

    pub(crate) fn pg_ctl_start(&self) {
        self.pg_ctl_start_with("");
    }

    pub(crate) fn pg_ctl_start_with(&self, settings: &str) {
        let options = format!(
            "-c fsync=off -c listen_addresses=127.0.0.1 -p {} -c max_connections=60 {settings} -k {}",
            self.port,
            self.dir.path().display(),
        );
        let log = self.dir.path().join("log");
        let started = self.run("pg_ctl", &["-w", "-t", "60", "-l", log.to_str().unwrap(), "-o", &options, "start"]);
        assert!(started.status.success(), "{}", std::fs::read_to_string(log).unwrap_or_default());
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Runs one of the server's programs on the data folder; it refuses to be run by root.
    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let path = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        // A file takes what it says: a daemon that keeps a pipe open would keep the test waiting for its end.
        let said = self.dir.path().join("said");
        let out = std::fs::File::create(&said).unwrap();
        command.arg("-D").arg(self.data()).args(arguments).current_dir("/");
        let status = command.stdin(std::process::Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out).status();
        Output { status: status.unwrap(), stdout: Vec::new(), stderr: std::fs::read(said).unwrap() }
    }

    /// The address of its database.
    pub(crate) fn url(&self) -> DatabaseUrl {
        self.address().parse().unwrap()
    }

    /// The same as the command line takes it.
    pub(crate) fn address(&self) -> String {
        self.address_of("guli", "postgres")
    }

    /// From here on it offers TLS, with a certificate of its own making; `false` where `openssl` is missing.
    pub(crate) async fn offer_tls(&self) -> bool {
        let made = Command::new("openssl")
            .args(["req", "-new", "-x509", "-days", "1", "-nodes", "-subj", "/CN=127.0.0.1", "-keyout"])
            .arg(self.data().join("server.key"))
            .arg("-out")
            .arg(self.data().join("server.crt"))
            .output();
        if !made.is_ok_and(|made| made.status.success()) {
            return false;
        }
        let key = self.data().join("server.key");
        std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        if is_root() {
            std::os::unix::fs::chown(&key, Some(user_id(&["postgres"])), None).unwrap();
        }
        let mut conn = self.look().await;
        for sql in ["ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()"] {
            sqlx::query(sql).execute(&mut conn).await.unwrap();
        }
        true
    }

    /// Where it listens for TCP.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// A database of its own on the server.
    pub(crate) fn address_of(&self, user: &str, database: &str) -> String {
        let socket = self.dir.path().to_str().unwrap().replace('/', "%2F");
        format!("postgres://{user}@{socket}:{}/{database}", self.port)
    }

    /// All that it logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    /// A connection past the program.
    pub(crate) async fn look(&self) -> sqlx::PgConnection {
        sqlx::PgConnection::connect(&self.address()).await.unwrap()
    }

    /// As a machine that fails.
    pub(crate) fn stop_at_once(&self) {
        assert!(self.run("pg_ctl", &["-w", "-m", "immediate", "stop"]).status.success());
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.run("pg_ctl", &["-w", "-m", "immediate", "stop"]);
        // The files are the server's user's: this process may not be able to delete them.
        if is_root() {
            let _ = std::fs::remove_dir_all(self.data());
        }
    }
}

fn is_root() -> bool {
    user_id(&[]) == 0
}

/// The number of a user, or of this process's.
fn user_id(name: &[&str]) -> u32 {
    let id = Command::new("id").arg("-u").args(name).output().unwrap();
    String::from_utf8(id.stdout).unwrap().trim().parse().unwrap()
}

/// The folder of `initdb`: of the newest version that Debian has installed, or where `pg_config` says.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    found.sort_by_key(|bin| {
        let version = bin.parent().and_then(Path::file_name).and_then(|name| name.to_str()?.parse::<u32>().ok());
        std::cmp::Reverse(version)
    });
    let config = Command::new("pg_config").arg("--bindir").output().ok();
    found.extend(config.map(|out| PathBuf::from(String::from_utf8_lossy(&out.stdout).trim())));
    found.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    found.into_iter().find(|bin| bin.join("initdb").is_file())
}
