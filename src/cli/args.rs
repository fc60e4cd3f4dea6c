//! What can be said on the command line, with examples.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use guli::config::Settings;
use guli::store::DatabaseUrl;

#[derive(Debug, Parser)]
#[command(
    name = "guli",
    version,
    about = "Guli 古力: a registry of a city's manhole covers. Drop a pin, get the cover, its owner and a work order.",
    after_help = "Examples:
  guli demo                                   serve the demo district on http://127.0.0.1:8080
  guli serve --database sqlite://city.db      serve a database of your own
  guli import data/shibei --keep-going        bring in what departments handed over
  guli export covers --out covers.geojson     a layer for a map or a table
  guli resolve 120.33641 36.11537             which cover is that, and whose?
  guli doctor                                 what is wrong with the registry?
  guli copy --from sqlite://guli.db --to postgres://guli@db.example.org/guli
  guli key create --role crew --scope unit:370203-WAT01

Settings come from guli.toml, overridden by GULI_* and those by flags."
)]
pub(crate) struct Arguments {
    /// File of settings [default: guli.toml, if there is one]
    #[arg(long, env = "GULI_CONFIG", value_name = "FILE", global = true, help_heading = "Settings")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) settings: Settings,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the database over HTTP
    #[command(after_help = "Examples:
  guli serve
  guli serve --listen 0.0.0.0:8080 --database sqlite:///var/lib/guli/guli.db
  guli serve --listen 127.0.0.1:0             takes a free port and prints it
  guli serve --serve-districts 370203 --peer 370202=http://10.0.0.4:8080")]
    Serve,
    /// Serve the demo district (市北区), made and loaded at the first start
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:
  guli demo                                   in ./demo, kept when started again
  guli demo --dir /tmp/try --listen 127.0.0.1:9000
  guli demo generate --seed 7 --out big --covers 1700000
  guli demo generate --districts 1000 --covers 17000000 --out world

The demo accepts the fixed keys demo-admin, demo-dispatcher, demo-grid, demo-crew and demo-planner,
and therefore listens on loopback only."
    )]
    Demo(DemoArgs),
    /// Bring files into the registry: CSV, GeoJSON, GeoJSONSeq
    #[command(
        args_conflicts_with_subcommands = true,
        subcommand_negates_reqs = true,
        after_help = "Examples:
  guli import data/shibei --keep-going        every profile of data/shibei/import.toml
  guli import world                           every folder in it that has an import.toml
  guli import data/shibei --profile water --dry-run
  guli import covers.csv --kind covers --source 370203-WAT01 --crs EPSG:4549
  guli import data/shibei --json > report.json
  guli import list                            what was imported, by whom, and what became of it
  guli import undo 0190b1c2-…                 take an import back; its report names it

A file with an error is refused whole, unless --keep-going stores its good rows.
Importing the same again changes nothing."
    )]
    Import(ImportArgs),
    /// Write a layer as GeoJSON, lines of GeoJSON or CSV
    #[command(after_help = "Examples:
  guli export covers --out covers.geojson
  guli export grids --format csv > grids.csv
  guli export covers --out storm.csv --filter category=0103 --out-crs EPSG:4549
  guli export covers --bbox 120.37,36.11,120.39,36.13 --format geojsonl | head
  guli export work-orders --filter status=open --out open.geojson
  guli export work-orders --filter as_of=2026-11-25T08:00:00Z --format csv

Filters are the parameters of /v1/layers. Without --out the layer goes to standard output.")]
    Export(ExportArgs),
    /// Which cover does a pin mean, and whose is it?
    #[command(
        allow_negative_numbers = true,
        after_help = "Examples:
  guli resolve 120.33641 36.11537
  guli resolve 120.3414946 36.1155892 --crs GCJ-02 --accuracy 8
  guli resolve 530287.8 3998396.5 --crs EPSG:4549 --json"
    )]
    Resolve(ResolveArgs),
    /// What happened to a cover, an area, an organization or a person: every version with who, when, why and what changed
    #[command(after_help = "Examples:
  guli history 3702030101001370               a cover, by its code of 2013 or 2026
  guli history 370203026003005                a grid; other areas by their codes
  guli history 370203-WAT01                   an organization; a person by their identity
  guli history 3702030101001370 --json")]
    History(HistoryArgs),
    /// What is wrong with the registry, and what would mend it?
    #[command(after_help = "Examples:
  guli doctor                                 counts by rule, and the first findings
  guli doctor --rule near-duplicate,owner-missing --limit 100
  guli doctor --district 370203 --json > findings.json

Shows what is open: accepted findings (POST /v1/quality/ID) are left out.
Ends with 1 where there are errors, with 0 where there are only warnings and notices.")]
    Doctor(DoctorArgs),
    /// Bring the schema to this version, and say what the database is
    #[command(after_help = "Examples:
  guli migrate
  guli migrate --database postgres://guli@db/guli --key-file guli.key
  guli migrate --citus                        spread the tables over machines by district
  guli migrate --print                        the statements for that, to be read first

Every command brings the schema to its version by itself; this one does nothing else.")]
    Migrate(MigrateArgs),
    /// Copy a database into another one, SQLite or PostgreSQL, and compare the two
    #[command(after_help = "Examples:
  guli copy --from sqlite://guli.db --to postgres://guli@db.example.org/guli
  guli copy --from postgres://guli@db.example.org/guli --to sqlite://guli.db --key-file guli.key
  guli copy --from sqlite://guli.db --to sqlite:///mnt/new/guli.db
  guli copy --from sqlite://guli.db --to postgres://guli@db.example.org/guli --verify --json

Stop the server of a file first; PostgreSQL is read as it is at one instant. The target must be
empty, and nothing may serve it. Interrupted, the same command goes on where it stopped.
Ends with 1 where a table differs. Names and phones stay sealed: the key file goes with the copy.")]
    Copy(CopyArgs),
    /// Make, list and revoke API keys
    #[command(
        subcommand,
        after_help = "Examples:
  guli key create --role dispatcher --scope district:370203
  guli key list
  guli key revoke ID

A running server knows of it at once; on PostgreSQL within two seconds."
    )]
    Key(KeyCommand),
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    #[command(subcommand)]
    pub(crate) action: Option<DemoAction>,
    /// Folder for the demo's files and database
    #[arg(long, value_name = "DIR", default_value = "demo")]
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DemoAction {
    /// Write the files that the demo district's departments would hand over
    #[command(after_help = "Examples:
  guli demo generate --out data/shibei
  guli demo generate --seed 7 --out big --covers 1700000        one dense district
  guli demo generate --districts 1000 --covers 17000000 --out world
  guli import world --keep-going                                all of them, one after the other

Of several districts each has a folder in --out, named by its code: 370203 is Shibei, the others
(380101, …) have its outline elsewhere, and streets, covers and people of their own.")]
    Generate {
        /// Another seed gives another city in the same outline
        #[arg(long, default_value_t = guli::demo::Options::default().seed)]
        seed: u64,
        /// Folder to write to
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Covers that an import will store, in all districts
        #[arg(long, default_value_t = guli::demo::Options::default().covers)]
        covers: u64,
        /// How many districts
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(guli::demo::MOST_DISTRICTS)))]
        districts: u32,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    #[command(subcommand)]
    pub(crate) action: Option<ImportAction>,
    /// A folder with an import.toml, a folder of such folders, or one file
    #[arg(required = true)]
    pub(crate) path: Option<PathBuf>,
    /// File of import profiles [default: import.toml in the folder, or beside the file]
    #[arg(long, value_name = "FILE")]
    pub(crate) profiles: Option<PathBuf>,
    /// Only this profile
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Without a profile: district, subdistricts, communities, grids, organizations, people, covers, categories or damages
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// Without a profile: the coordinate system [default: EPSG:4326]
    #[arg(long, value_name = "CRS")]
    pub(crate) crs: Option<String>,
    /// Without a profile: the organisation whose records these are
    #[arg(long, value_name = "CODE")]
    pub(crate) source: Option<String>,
    /// Where several districts are served: which one
    #[arg(long, value_name = "CODE")]
    pub(crate) district: Option<String>,
    /// Read and check everything, write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Store a file's good rows although others have errors
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// Write one JSON line for each row to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) rows: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImportAction {
    /// List imports, the newest first: what became of each, who sent it, and whether there is something to take back
    #[command(after_help = "Examples:
  guli import list
  guli import list --profile water --state stored,undone --limit 5
  guli import list --json")]
    List {
        /// Only those into this district
        #[arg(long, value_name = "CODE")]
        district: Option<String>,
        /// Only those by this profile
        #[arg(long, value_name = "NAME")]
        profile: Option<String>,
        /// Only those that are so: running, stored, rejected, failed, undoing, undone
        #[arg(long, value_name = "WORDS")]
        state: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: u32,
        /// Print them as JSON
        #[arg(long)]
        json: bool,
    },
    /// Take an import of covers, areas, organizations or people back: what it brought is removed, what it changed is as before
    #[command(after_help = "Examples:
  guli import undo 0190b1c2-8a51-7c3e-b0d4-5f2e8a7c9b10 --reason 'the wrong file'

Refused where something stands on it: a later change, an open order, areas within or people who
stand for what it brought.
Names and phones of people stay as they are, for nothing earlier of them is kept.
guli import list names imports; so do a file's report and the history of a cover.")]
    Undo {
        /// Its id
        id: String,
        /// Why, for the history
        #[arg(long)]
        reason: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// districts, subdistricts, communities, grids, covers or work-orders
    #[arg(value_name = "LAYER")]
    pub(crate) layer: String,
    /// geojson, geojsonl or csv [default: as the file's extension says, else geojson]
    #[arg(long)]
    pub(crate) format: Option<String>,
    /// File to write to; - is standard output [default: -]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// As it was then, such as 2026-11-23T08:00:00+08:00
    #[arg(long, value_name = "INSTANT")]
    pub(crate) as_of: Option<String>,
    /// Only what lies here, in --crs
    #[arg(long, value_name = "W,S,E,N", allow_hyphen_values = true)]
    pub(crate) bbox: Option<String>,
    /// Coordinate system of --bbox [default: EPSG:4326]
    #[arg(long, value_name = "CRS")]
    pub(crate) crs: Option<String>,
    /// Coordinate system of what is written [default: EPSG:4326]
    #[arg(long, value_name = "CRS")]
    pub(crate) out_crs: Option<String>,
    /// Only what has this, such as category=0103,0104; repeat for several
    #[arg(long, value_name = "NAME=VALUES")]
    pub(crate) filter: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ResolveArgs {
    /// Longitude, or easting in a projected system
    #[arg(value_name = "LON")]
    pub(crate) east: f64,
    /// Latitude, or northing
    #[arg(value_name = "LAT")]
    pub(crate) north: f64,
    /// Coordinate system: EPSG:4326, EPSG:4490, EPSG:4549, EPSG:4528, EPSG:3857, GCJ-02, BD-09
    #[arg(long, default_value = "EPSG:4326")]
    pub(crate) crs: String,
    /// Radius in metres that holds the pin with 68 %
    #[arg(long, value_name = "METRES", default_value_t = 10.0)]
    pub(crate) accuracy: f64,
    /// What it is taken for, such as 0103
    #[arg(long, value_name = "CODE")]
    pub(crate) category: Option<String>,
    /// Candidates to name, 1 to 50
    #[arg(long, default_value_t = 5)]
    pub(crate) limit: usize,
    /// Print the answer of /v1/resolve
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// Code of a cover, area or organization, or a person's identity
    pub(crate) code: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Only these rules, with commas between them; without it all
    #[arg(long, value_name = "RULES", value_delimiter = ',')]
    pub(crate) rule: Vec<String>,
    /// Where several districts are served: only this one
    #[arg(long, value_name = "CODE")]
    pub(crate) district: Option<String>,
    /// Findings to show
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: usize,
    /// Print every finding as /v1/quality has it
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CopyArgs {
    #[arg(
        long,
        value_name = "URL",
        help = "Database to read: sqlite://FILE or postgres://USER@HOST/NAME [default: that of the settings]"
    )]
    pub(crate) from: Option<DatabaseUrl>,
    /// Database to write, which must be empty
    #[arg(long, value_name = "URL")]
    pub(crate) to: DatabaseUrl,
    /// Only compare the two
    #[arg(long)]
    pub(crate) verify: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    /// Hand the tables to Citus, an extension of PostgreSQL, which spreads them by district
    #[arg(long)]
    pub(crate) citus: bool,
    /// Only print the statements for Citus
    #[arg(long)]
    pub(crate) print: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key; it is shown once
    #[command(after_help = "Examples:
  guli key create --role crew --scope unit:370203-WAT01 --name 'water crew 3'
  guli key create --role grid_leader --scope grid:370203005001001
  guli key create --role dispatcher --scope district:370203
  guli key create --role admin --scope everywhere")]
    Create {
        /// patrol, grid_leader, crew, officer, enforcement, police, traffic, dispatcher, supervisor, department, planner, integration or admin
        #[arg(long)]
        role: String,
        /// Where it holds: unit:CODE, grid:CODE, subdistrict:CODE, district:CODE or everywhere; repeat for several
        #[arg(long, required = true)]
        scope: Vec<String>,
        /// What it is for
        #[arg(long, default_value = "")]
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List all keys, without their secrets
    #[command(after_help = "Examples:
  guli key list
  guli key list --json")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Revoke a key from this moment on
    #[command(after_help = "Examples:
  guli key revoke 01890a5d-ac96-774b-bcce-b302099a8057")]
    Revoke {
        /// The id that guli key list shows
        id: String,
    },
}
