//! `pgstrata ext`: the extension's files from where they were built to where servers find them.

mod package;
mod prove;
mod watch;

use std::path::{Path, PathBuf};

use pgstrata_pg::headers::{self, Progress};
use pgstrata_pg::overlay::{self, ExtensionFiles};
use pgstrata_pg::{Dirs, Error, Install, InstallSource, discover};
use pgstrata_units::Text;
use serde::Serialize;

use crate::Ended;
use crate::cli::PgArgs;
use crate::cli::ext::{ExtCommand, FilesArgs};
use crate::servers;
use crate::terminal::Terminal;

/// The extension.
pub const NAME: &str = "mvcc_visualizer";

/// Where a checkout has the built files, one directory a major version.
const BUILT: &str = "extension/mvcc_visualizer/target";

pub async fn ext(command: ExtCommand, terminal: Terminal) -> anyhow::Result<Ended> {
    match command {
        ExtCommand::Install(args) => install(&args, terminal)?,
        ExtCommand::Package { output, files } => {
            let server = servers::install(&files.server)?;
            let archive = package::write(&find(files.from.as_deref(), server.version.major)?, &server, &output)?;
            println!("{}", archive.display());
        }
        ExtCommand::Status { json } => status(json, terminal)?,
        ExtCommand::Capture(args) => return watch::capture_waits(&args, terminal).await,
        ExtCommand::Bench(args) => return watch::bench(&args, terminal).await,
        ExtCommand::Fuzz(args) => return prove::read_damaged(&args, terminal).await,
        ExtCommand::Prove(args) => return prove::perform(&args, terminal).await,
        ExtCommand::Headers { json, server } => find_headers(json, &server)?,
    }
    Ok(Ended::Held)
}

fn install(args: &FilesArgs, terminal: Terminal) -> anyhow::Result<()> {
    let server = servers::install(&args.server)?;
    let files = find(args.from.as_deref(), server.version.major)?;
    let made = overlay::install(&server, &files, &Dirs::resolve())?;
    let place = made.bindir.display();
    println!("{NAME} · PostgreSQL {} {} {place}", made.version, terminal.say(Text { en: "in", zh: "位于" }));
    Ok(())
}

/// The files for a major version: in the directory named (or one below it named like the version), else in the
/// checkout that the working directory, or this program, lies in.
fn find(from: Option<&Path>, major: u32) -> Result<ExtensionFiles, Error> {
    if let Some(from) = from {
        let below = from.join(major.to_string());
        return ExtensionFiles::in_directory(if below.is_dir() { &below } else { from }, NAME);
    }
    let places = built_places(major);
    let built = places.iter().find(|place| place.is_dir());
    ExtensionFiles::in_directory(built.unwrap_or(&PathBuf::from(BUILT).join(major.to_string())), NAME)
}

/// The files for a major version, as they were built in the checkout.
///
/// # Errors
/// If they were not.
pub fn built(major: u32) -> Result<ExtensionFiles, Error> {
    find(None, major)
}

/// Where the files for a major version may have been built.
fn built_places(major: u32) -> Vec<PathBuf> {
    let named = std::env::var_os("PGSTRATA_EXTENSION_DIR").filter(|value| !value.is_empty()).map(PathBuf::from);
    let starts = [std::env::current_dir().ok(), std::env::current_exe().ok()];
    let above = starts.iter().flatten().flat_map(|start| start.ancestors().map(|above| above.join(BUILT)));
    named.into_iter().chain(above).map(|place| place.join(major.to_string())).collect()
}

/// What is known about the extension and one server.
#[derive(Serialize)]
struct Known {
    bindir: PathBuf,
    version: String,
    /// The directory of the files built for its major version.
    built: Option<PathBuf>,
    /// The directory of its header files.
    headers: Option<PathBuf>,
    /// The programs of the server with the extension beside it.
    installed: Option<PathBuf>,
}

fn status(json: bool, terminal: Terminal) -> anyhow::Result<()> {
    let installs = discover(None);
    let (extended, plain): (Vec<Install>, Vec<Install>) =
        installs.into_iter().partition(|install| install.source == InstallSource::Extended);
    let known: Vec<Known> = plain.iter().map(|server| know(server, &extended)).collect();
    if json {
        println!("{}", serde_json::to_string_pretty(&known)?);
        return Ok(());
    }
    let none = terminal.say(Text { en: "no", zh: "无" });
    let words =
        |path: &Option<PathBuf>| path.as_ref().map_or_else(|| none.to_owned(), |path| path.display().to_string());
    for server in known {
        println!("PostgreSQL {} · {}", server.version, server.bindir.display());
        println!("  {} {}", terminal.say(Text { en: "header files:", zh: "头文件：" }), words(&server.headers));
        println!("  {} {}", terminal.say(Text { en: "built:       ", zh: "已构建：" }), words(&server.built));
        println!("  {} {}", terminal.say(Text { en: "installed:   ", zh: "已安装：" }), words(&server.installed));
    }
    Ok(())
}

fn know(server: &Install, extended: &[Install]) -> Known {
    let major = server.version.major;
    let is_built = |place: &PathBuf| ExtensionFiles::in_directory(place, NAME).is_ok();
    let is_of_it = |install: &&Install| install.version == server.version && install.extensions.contains(NAME);
    Known {
        bindir: server.bindir.clone(),
        version: server.version.to_string(),
        built: built_places(major).into_iter().find(is_built),
        headers: headers::find(server, &Dirs::resolve()).map(|headers| headers.directory),
        installed: extended.iter().find(is_of_it).map(|install| install.bindir.clone()),
    }
}

fn find_headers(json: bool, server: &PgArgs) -> anyhow::Result<()> {
    let progress = |step| {
        let words = match step {
            Progress::Lists => "[1/2] fetching the archive's lists of packages, into a directory of our own".to_owned(),
            Progress::Package { package } => {
                format!("[2/2] fetching {package} with apt, to be unpacked beside the system")
            }
        };
        eprintln!("{words}");
    };
    let headers = headers::ensure(&servers::install(server)?, &Dirs::resolve(), &progress)?;
    if json {
        println!("{}", serde_json::to_string_pretty(&headers)?);
    } else {
        println!("{}", headers.pg_config.display());
    }
    Ok(())
}
