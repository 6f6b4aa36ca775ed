//! Which way the crates may point, and which crate alone may use a library. The tables below are the one place where
//! this is written down for machines; `ARCHITECTURE.md` says it for people.

use super::Finding;
use super::metadata::{Metadata, Package};

/// The crates from the ground up. A crate may use those of the layers before its own, in tests too; crates of one
/// layer do not know each other.
const LAYERS: &[&[&str]] = &[
    &["pgstrata-units"],
    &["pgstrata-stats", "pgstrata-forest"],
    &["pgstrata-tuple"],
    &["pgstrata-wal", "pgstrata-history", "pgstrata-sqltext", "pgstrata-timeline"],
    &["pgstrata-pg"],
    &["pgstrata-lab", "pgstrata-sequencer", "pgstrata-coordinator", "pgstrata-scenario"],
    &["pgstrata-cases", "pgstrata-research", "pgstrata-tools"],
    &["pgstrata-server"],
    &["pgstrata"],
];

/// Stands beside the layers: it uses no crate of the product, so that it builds in seconds.
const BESIDE: &str = "xtask";

/// Libraries that only some crates may name, and why. `Above(crate)` means that crate and every later layer.
const OWNERS: &[(&str, Owner, &str)] = &[
    ("tokio-postgres", Owner::Only(&["pgstrata-pg"]), "only pg opens connections; use its Session"),
    ("postgres-types", Owner::Only(&["pgstrata-pg"]), "only pg opens connections; use pg::sql::types"),
    ("tokio", Owner::Above("pgstrata-pg"), "below pg there is no I/O and no clock"),
    ("tokio-util", Owner::Above("pgstrata-pg"), "below pg there is no I/O and no clock"),
    ("clap", Owner::Only(&["pgstrata", BESIDE]), "only the programs have a command line"),
    ("indicatif", Owner::Only(&["pgstrata"]), "only the binary prints"),
    ("smartcore", Owner::Only(&["pgstrata-forest"]), "only forest is optimized in builds for tests"),
    ("anyhow", Owner::Only(&["pgstrata", BESIDE]), "libraries return typed errors"),
];

enum Owner {
    Only(&'static [&'static str]),
    Above(&'static str),
}

/// Every dependency between our crates points downwards.
pub fn directions(metadata: &Metadata) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &metadata.packages {
        if package.name != BESIDE && layer(&package.name).is_none() {
            findings.push(about(package, "is in no layer; add it to LAYERS in xtask/src/tidy/arrows.rs"));
        }
        for dependency in &package.dependencies {
            let Some(theirs) = layer(&dependency.name) else { continue };
            if layer(&package.name).is_none_or(|ours| theirs >= ours) {
                let kind = dependency.kind.as_deref().unwrap_or("normal");
                findings.push(about(package, &format!("must not use {} ({kind} dependency)", dependency.name)));
            }
        }
    }
    findings
}

/// Libraries with an owner are named by nobody else.
pub fn owners(metadata: &Metadata) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &metadata.packages {
        for dependency in &package.dependencies {
            for (library, owner, why) in OWNERS {
                if dependency.name == *library && !owner.admits(&package.name) {
                    findings.push(about(package, &format!("must not use {library}: {why}")));
                }
            }
        }
    }
    findings
}

impl Owner {
    fn admits(&self, package: &str) -> bool {
        match self {
            Self::Only(packages) => packages.contains(&package),
            Self::Above(lowest) => layer(package) >= layer(lowest),
        }
    }
}

fn layer(package: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&package))
}

fn about(package: &Package, message: &str) -> Finding {
    Finding::of_file("Cargo.toml", format!("{} {message}", package.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arrow_that_points_up_or_sideways_is_convicted() {
        let convicted = |name: &str, uses: &str| {
            let metadata = Metadata::planted(&[(name, &[uses, "serde"])]);
            !directions(&metadata).is_empty()
        };
        assert!(convicted("pgstrata-pg", "pgstrata-lab"));
        assert!(convicted("pgstrata-lab", "pgstrata-sequencer"));
        assert!(convicted("xtask", "pgstrata-units"));
        assert!(convicted("pgstrata-newcomer", "pgstrata-units"), "a crate must be given a layer");
        assert!(!convicted("pgstrata-cases", "pgstrata-pg"));
        assert!(!convicted("pgstrata-stats", "pgstrata-units"));
    }

    #[test]
    fn a_library_used_by_others_than_its_owner_is_convicted() {
        let convicted = |name: &str, uses: &str| !owners(&Metadata::planted(&[(name, &[uses])])).is_empty();
        assert!(convicted("pgstrata-lab", "tokio-postgres"));
        assert!(convicted("pgstrata-stats", "tokio"));
        assert!(convicted("pgstrata-cases", "clap"));
        assert!(!convicted("pgstrata-pg", "tokio-postgres"));
        assert!(!convicted("pgstrata-lab", "tokio"));
    }
}
