//! Configuration: `guli.toml`, overridden by `GULI_*`, overridden by flags → one validated [`Config`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use axum::http::uri::Authority;
use serde::{Deserialize, Deserializer};

use crate::domain::grid::Districts;
use crate::domain::id::DistrictCode;
use crate::domain::said::english;
use crate::store::DatabaseUrl;

/// Why the configuration does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path}: {message}")]
    Parse { path: PathBuf, message: String },
    #[error("{key}: {message}")]
    Value { key: &'static str, message: String },
}

/// What may be set, in the file or by flags; each is optional.
#[derive(Debug, Clone, Default, Deserialize, clap::Args)]
#[command(next_help_heading = "Settings")]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Address and port to listen on; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, env = "GULI_LISTEN", value_name = "ADDRESS:PORT", global = true)]
    pub listen: Option<String>,
    #[arg(
        long,
        env = "GULI_DATABASE",
        value_name = "URL",
        hide_env_values = true,
        global = true,
        help = "Database: sqlite://FILE or postgres://USER@HOST/NAME [default: sqlite://guli.db]"
    )]
    pub database: Option<DatabaseUrl>,
    /// File of the key that seals personal data; made when missing [default: guli.key beside the database]
    #[arg(long, env = "GULI_KEY_FILE", value_name = "FILE", global = true)]
    pub key_file: Option<PathBuf>,
    #[arg(
        long,
        env = "GULI_PUBLIC_URL",
        value_name = "URL",
        global = true,
        help = "Address that outsiders know this server by, for links [default: http://LISTEN]"
    )]
    pub public_url: Option<String>,
    /// Origins whose pages may call the API; repeat or separate by commas
    #[arg(long, env = "GULI_ALLOWED_ORIGINS", value_name = "ORIGIN", value_delimiter = ',', global = true)]
    pub allowed_origins: Option<Vec<String>>,
    /// File of import profiles that POST /v1/imports?profile= names
    #[arg(long, env = "GULI_IMPORT_PROFILES", value_name = "FILE", global = true)]
    pub import_profiles: Option<PathBuf>,
    /// Log lines as text or json [default: text]
    #[arg(long, env = "GULI_LOG_FORMAT", value_name = "FORMAT", value_parser = ["text", "json"], global = true)]
    pub log_format: Option<String>,
    /// What to log: error, warn, info, debug, or a filter such as guli=debug [default: info]
    #[arg(long, env = "GULI_LOG", value_name = "LEVEL", global = true)]
    pub log: Option<String>,
    /// Requests in work at once, beyond which 503 is answered [default: 1024]
    #[arg(long, env = "GULI_CONCURRENCY", value_name = "N", global = true)]
    pub concurrency: Option<usize>,
    /// Folder to read the web pages from, at each request, instead of those in the binary; for working on them
    #[arg(long, env = "GULI_WEB_DIR", value_name = "FOLDER", global = true)]
    pub web_dir: Option<PathBuf>,
    /// Districts to serve, of those in the database; repeat or separate by commas [default: all]
    #[arg(
        long = "serve-districts",
        id = "serve_districts",
        env = "GULI_DISTRICTS",
        value_name = "CODE",
        value_delimiter = ',',
        global = true
    )]
    pub districts: Option<Vec<String>>,
    /// Which server has which of the other districts: requests about them are sent on to it; repeat or separate by commas
    #[arg(long = "peer", env = "GULI_PEERS", value_name = "CODE=URL", value_delimiter = ',', value_parser = peer, global = true)]
    #[serde(default, deserialize_with = "table")]
    pub peers: Option<Vec<(String, String)>>,
    /// Pages that the `SQLite` file may have; for tests of a full disk
    #[arg(long, env = "GULI_MAX_PAGE_COUNT", hide = true, global = true)]
    pub max_page_count: Option<u32>,
}

impl Settings {
    /// Reads a `guli.toml`.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        toml::from_str(&text).map_err(|e| ConfigError::Parse { path: path.to_owned(), message: e.to_string() })
    }

    /// These settings, and `under` where they say nothing.
    #[must_use]
    pub fn over(self, under: Self) -> Self {
        Self {
            listen: self.listen.or(under.listen),
            database: self.database.or(under.database),
            key_file: self.key_file.or(under.key_file),
            public_url: self.public_url.or(under.public_url),
            allowed_origins: self.allowed_origins.or(under.allowed_origins),
            import_profiles: self.import_profiles.or(under.import_profiles),
            log_format: self.log_format.or(under.log_format),
            log: self.log.or(under.log),
            concurrency: self.concurrency.or(under.concurrency),
            web_dir: self.web_dir.or(under.web_dir),
            districts: self.districts.or(under.districts),
            peers: self.peers.or(under.peers),
            max_page_count: self.max_page_count.or(under.max_page_count),
        }
    }
}

/// `CODE=URL`
fn peer(text: &str) -> Result<(String, String), &'static str> {
    let (code, url) = text.split_once('=').ok_or("a peer looks like 370203=http://10.0.0.5:8080")?;
    Ok((code.to_owned(), url.to_owned()))
}

/// `[peers]`: addresses by district.
fn table<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<(String, String)>>, D::Error> {
    Ok(Some(BTreeMap::deserialize(deserializer)?.into_iter().collect()))
}

/// The whole configuration, checked.
#[derive(Debug, Clone)]
pub struct Config {
    pub listen: SocketAddr,
    pub database: DatabaseUrl,
    pub key_file: PathBuf,
    pub public_url: Option<String>,
    pub allowed_origins: Vec<String>,
    pub import_profiles: Option<PathBuf>,
    pub concurrency: usize,
    pub web_dir: Option<PathBuf>,
    pub districts: Districts,
    pub peers: BTreeMap<DistrictCode, Authority>,
    pub max_page_count: Option<u32>,
}

impl Config {
    pub fn new(settings: &Settings) -> Result<Self, ConfigError> {
        let listen = settings.listen.as_deref().unwrap_or("127.0.0.1:8080");
        let listen = listen.parse().map_err(|_| ConfigError::Value {
            key: "listen",
            message: format!("an address looks like 127.0.0.1:8080 or [::1]:8080, got {listen:?}"),
        })?;
        let database = settings.database.clone().unwrap_or_default();
        if database.file().is_none() && settings.key_file.is_none() {
            let message = "PostgreSQL has no folder to keep the key beside it: say where the key file is".to_owned();
            return Err(ConfigError::Value { key: "key_file", message });
        }
        let beside = database.file().and_then(|file| file.parent().map(Path::to_owned)).unwrap_or_default();
        let concurrency = settings.concurrency.unwrap_or(1024);
        if concurrency == 0 {
            return Err(ConfigError::Value { key: "concurrency", message: "at least 1".to_owned() });
        }
        if let Some(url) = &settings.public_url
            && !(url.starts_with("http://") || url.starts_with("https://"))
        {
            return Err(ConfigError::Value { key: "public_url", message: format!("begins with http, got {url:?}") });
        }
        let allowed_origins = settings.allowed_origins.clone().unwrap_or_default();
        if let Some(origin) = allowed_origins.iter().find(|origin| !is_origin(origin)) {
            let message = format!("an origin looks like https://map.example.org, got {origin:?}; there is no *");
            return Err(ConfigError::Value { key: "allowed_origins", message });
        }
        Ok(Self {
            listen,
            database,
            key_file: settings.key_file.clone().unwrap_or_else(|| beside.join("guli.key")),
            public_url: settings.public_url.as_ref().map(|url| url.trim_end_matches('/').to_owned()),
            allowed_origins,
            import_profiles: settings.import_profiles.clone(),
            concurrency,
            web_dir: settings.web_dir.clone(),
            districts: districts(settings.districts.as_deref())?,
            peers: peers(settings.peers.as_deref().unwrap_or_default())?,
            max_page_count: settings.max_page_count,
        })
    }
}

fn districts(codes: Option<&[String]>) -> Result<Districts, ConfigError> {
    let Some(codes) = codes else { return Ok(Districts::All) };
    let read = |code: &String| {
        code.trim()
            .parse::<DistrictCode>()
            .map_err(|error| ConfigError::Value { key: "districts", message: english(error).into_owned() })
    };
    Ok(Districts::Only(codes.iter().map(read).collect::<Result<_, _>>()?))
}

fn peers(named: &[(String, String)]) -> Result<BTreeMap<DistrictCode, Authority>, ConfigError> {
    let wrong = |message| ConfigError::Value { key: "peers", message };
    let read = |(code, url): &(String, String)| {
        let district = code.trim().parse::<DistrictCode>().map_err(|error| wrong(english(error).into_owned()))?;
        let host = url.trim().trim_end_matches('/').strip_prefix("http://");
        let address = host.filter(|host| !host.contains('@')).and_then(|host| host.parse().ok());
        let shape = || wrong(format!("a peer's address looks like http://10.0.0.5:8080, got {url:?}"));
        Ok((district, address.ok_or_else(shape)?))
    };
    named.iter().map(read).collect()
}

/// Whether it is what a browser sends as `Origin`: a scheme and a host, perhaps with a port.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let plain = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
    host.is_some_and(|host| !host.is_empty() && host.chars().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_stops_the_start() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("guli.toml");
        std::fs::write(&file, "listem = \"127.0.0.1:1\"\n").unwrap();
        let error = Settings::read(&file).unwrap_err().to_string();
        assert!(error.contains("listem") && error.contains("guli.toml"), "{error}");
    }

    #[test]
    fn flags_stand_over_the_file() {
        let file = Settings { listen: Some("127.0.0.1:1".into()), log: Some("debug".into()), ..Settings::default() };
        let flags = Settings { listen: Some("127.0.0.1:2".into()), ..Settings::default() };
        let both = flags.over(file);
        assert_eq!((both.listen.as_deref(), both.log.as_deref()), (Some("127.0.0.1:2"), Some("debug")));
        assert!(Config::new(&Settings { listen: Some("nowhere".into()), ..Settings::default() }).is_err());
    }

    #[test]
    fn an_origin_is_named_with_its_scheme() {
        for (origin, fits) in [
            ("https://map.example.org", true),
            ("http://localhost:3000", true),
            ("http://[::1]:3000", true),
            ("*", false),
            ("example.org", false),
            ("https://", false),
            ("https://example.org/map", false),
            ("https://*.example.org", false),
        ] {
            let settings = Settings { allowed_origins: Some(vec![origin.to_owned()]), ..Settings::default() };
            assert_eq!(Config::new(&settings).is_ok(), fits, "{origin}");
        }
    }

    #[test]
    fn a_peer_is_a_district_and_a_server() {
        let file: Settings = toml::from_str("[peers]\n\"370203\" = \"http://10.0.0.5:8080\"\n").unwrap();
        let config = Config::new(&file).unwrap();
        assert_eq!(config.peers.values().map(Authority::as_str).collect::<Vec<_>>(), ["10.0.0.5:8080"]);
        for (named, fits) in [
            ("370203=http://guli.example.org/", true),
            ("370203=http://[::1]:8080", true),
            ("370203=https://guli.example.org", false),
            ("370203=http://key@guli.example.org", false),
            ("370203=http://guli.example.org/v1", false),
            ("370203=http://", false),
            ("Shibei=http://guli.example.org", false),
        ] {
            let settings = Settings { peers: Some(vec![peer(named).unwrap()]), ..Settings::default() };
            assert_eq!(Config::new(&settings).is_ok(), fits, "{named}");
        }
    }
}
