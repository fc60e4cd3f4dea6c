//! A home for a database, servers that can be shot, and clients to talk to them.

pub(crate) mod client;
pub(crate) mod database;
pub(crate) mod districts;
pub(crate) mod load;
pub(crate) mod postgres;
pub(crate) mod proxy;
pub(crate) mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use serde_json::Value;
use tempfile::TempDir;

/// The repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The demo district's files.
pub(crate) fn shibei() -> PathBuf {
    repository().join("data/shibei")
}

/// A database with the demo district in it, made once: importing it takes seconds, copying it none.
pub(crate) struct Template {
    database: Vec<u8>,
    key: Vec<u8>,
    /// What the import said.
    pub(crate) reports: Value,
}

pub(crate) static TEMPLATE: LazyLock<Template> = LazyLock::new(|| {
    let home = Home::empty();
    let shibei = shibei();
    let done = home.guli(&["import", shibei.to_str().unwrap(), "--keep-going", "--json"]);
    let reports = done.json();
    Template {
        database: fs::read(home.database()).unwrap(),
        key: fs::read(home.path().join("guli.key")).unwrap(),
        reports,
    }
});

/// A folder of its own for one test, with `guli.db` and `guli.key`.
pub(crate) struct Home {
    dir: TempDir,
}

impl Home {
    pub(crate) fn empty() -> Self {
        Self { dir: tempfile::Builder::new().prefix("guli-it-").tempdir().unwrap() }
    }

    /// With the demo district.
    pub(crate) fn with_district() -> Self {
        let home = Self::empty();
        fs::write(home.database(), &TEMPLATE.database).unwrap();
        home.write_key(&TEMPLATE.key);
        home
    }

    /// Writes the file that seals personal data.
    pub(crate) fn write_key(&self, key: &[u8]) {
        let file = self.write("guli.key", key);
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(file, permissions).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path().join("guli.db")
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// The program, in this folder and with none of the caller's settings.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_guli"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GULI_")) {
            command.env_remove(name);
        }
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn guli(&self, arguments: &[&str]) -> Done {
        Done(self.command(arguments).output().unwrap())
    }
}

/// A run of the program.
pub(crate) struct Done(Output);

impl Done {
    pub(crate) fn succeeded(&self) -> bool {
        self.0.status.success()
    }

    pub(crate) fn out(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    pub(crate) fn err(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).unwrap()
    }

    /// Its standard output as JSON, whether it succeeded or not.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.0.stdout).unwrap_or_else(|e| panic!("{e}\n{}\n{}", self.out(), self.err()))
    }

    /// Fails the test unless it succeeded.
    pub(crate) fn ok(self) -> Self {
        assert!(self.succeeded(), "{}\n{}", self.out(), self.err());
        self
    }

    /// Fails the test if it succeeded.
    pub(crate) fn refused(self) -> Self {
        assert!(!self.succeeded(), "{}\n{}", self.out(), self.err());
        self
    }
}
