//! Lists of the distribution's archives for one command of ours, apart from the machine's own.
//!
//! What pgstrata fetches (source packages, header files of another major version) is often not in the suites that a
//! machine is set up with. So apt is given a list of sources, of our own making, in directories of ours; keys and
//! mirrors are the machine's. Nothing of the system changes. It fetches nothing itself.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::spawn;

/// How long apt may take to tell what it knows.
const ASK_LIMIT: Duration = Duration::from_mins(2);
/// The end of what a program printed that is shown.
const SHOWN_LINES_MAX: usize = 12;

/// The suite of Debian that carries each major version, for machines whose own suites carry another one.
const DEBIAN_SUITES: [(u32, &str); 4] = [(15, "bookworm"), (16, "trixie"), (17, "trixie"), (18, "sid")];

/// Which packages a list is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packages {
    Source,
    Binary,
}

impl Packages {
    fn word(self) -> &'static str {
        match self {
            Self::Source => "deb-src",
            Self::Binary => "deb",
        }
    }
}

/// One line for each place to look for a major version. Empty where there is no apt, or it knows no archive.
pub(crate) fn lines(packages: Packages, major: u32) -> Vec<String> {
    let mut targets = spawn::postgres_command("apt-get");
    targets.args(["indextargets", "--format", "$(REPO_URI)|$(RELEASE)|$(ORIGIN)|$(LABEL)|$(COMPONENT)"]);
    targets.arg("Created-By: Packages");
    let Ok(finished) = spawn::run(targets, ASK_LIMIT) else { return Vec::new() };
    lines_of(packages, &finished.output, major, keyring().as_deref())
}

/// Writes the list below a directory of ours; gives the options that make apt use it alone. The error names its path.
pub(crate) fn private_lists(work: &Path, lines: &[String]) -> Result<Vec<OsString>, (PathBuf, io::Error)> {
    let list = work.join("sources.list");
    fs::write(&list, lines.join("\n") + "\n").map_err(|source| (list.clone(), source))?;
    for directory in ["lists/partial", "cache/archives/partial"] {
        let directory = work.join(directory);
        fs::create_dir_all(&directory).map_err(|source| (directory, source))?;
    }
    let option = |name: &str, value: &Path| {
        let mut option = OsString::from(format!("-o{name}="));
        option.push(value);
        option
    };
    Ok(vec![
        option("Dir::Etc::sourcelist", &list),
        option("Dir::Etc::sourceparts", Path::new("/dev/null")),
        option("Dir::State::lists", &work.join("lists")),
        option("Dir::Cache", &work.join("cache")),
        // Our directories are nobody else's, and apt's own user cannot enter them.
        OsString::from("-oDebug::NoLocking=true"),
        OsString::from("-oAPT::Sandbox::User=root"),
    ])
}

/// The last lines of what a program printed.
pub(crate) fn end_of(output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    lines[lines.len().saturating_sub(SHOWN_LINES_MAX)..].join("\n")
}

/// Debian's own keys, where they are kept apart from those that apt trusts for everything.
fn keyring() -> Option<PathBuf> {
    let path = PathBuf::from("/usr/share/keyrings/debian-archive-keyring.gpg");
    path.exists().then_some(path)
}

/// The suites that this machine uses, and the suite of Debian for this major version.
fn lines_of(packages: Packages, targets: &str, major: u32, keyring: Option<&Path>) -> Vec<String> {
    let word = packages.word();
    let mut lines = Vec::new();
    for target in targets.lines() {
        let fields: Vec<&str> = target.split('|').collect();
        let [uri, suite, origin, label, component] = fields[..] else { continue };
        if !matches!(origin, "Debian" | "Ubuntu" | "apt.postgresql.org") {
            continue;
        }
        let signed = match keyring {
            Some(keyring) if origin == "Debian" => format!("[signed-by={}] ", keyring.display()),
            _ => String::new(),
        };
        lines.push(format!("{word} {signed}{uri} {suite} {component}"));
        let other = DEBIAN_SUITES.iter().find(|(carried, _)| *carried == major).map(|(_, suite)| suite);
        if let Some(other) = other.filter(|_| (origin, label) == ("Debian", "Debian")) {
            lines.push(format!("{word} {signed}{uri} {other} {component}"));
        }
    }
    lines.sort();
    lines.dedup();
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_looked_for_where_the_machine_gets_its_own() {
        let targets = "mirror/debian/|bookworm|Debian|Debian|main\n\
                       mirror/security/|bookworm-security|Debian|Debian-Security|main\n\
                       mirror/other/|stable|Somebody|Somebody|main\n";
        let expect = [
            "deb-src mirror/debian/ bookworm main",
            "deb-src mirror/debian/ trixie main",
            "deb-src mirror/security/ bookworm-security main",
        ];
        assert_eq!(lines_of(Packages::Source, targets, 17, None), expect);
        let signed = lines_of(Packages::Binary, targets, 15, Some(Path::new("/keys")));
        assert_eq!(signed[0], "deb [signed-by=/keys] mirror/debian/ bookworm main");
        assert_eq!(signed.len(), 2, "its own suite has it: {signed:?}");
    }
}
