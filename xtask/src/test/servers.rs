//! Finds the server binaries of one major version, by asking pgstrata, which knows where to look and what to install.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// What `pgstrata pg list --json` says of one installation, as far as it is read here.
#[derive(Deserialize)]
struct Listed {
    bindir: PathBuf,
    /// Such as `15.18`.
    version: String,
}

/// The bin folder of `major`; installed first where it is not there yet. `pgstrata` runs the program with arguments
/// and returns whether it succeeded and what it printed.
pub fn bindir(major: u32, pgstrata: impl Fn(&[&str]) -> Result<(bool, String)>) -> Result<PathBuf> {
    if let Some(found) = listed(major, &pgstrata)? {
        return Ok(found);
    }
    let (installed, _) = pgstrata(&["pg", "install", &major.to_string()])?;
    if !installed {
        bail!("PostgreSQL {major} is not here and could not be installed");
    }
    listed(major, &pgstrata)?.with_context(|| format!("PostgreSQL {major} was installed but is not listed"))
}

fn listed(major: u32, pgstrata: impl Fn(&[&str]) -> Result<(bool, String)>) -> Result<Option<PathBuf>> {
    let (_, output) = pgstrata(&["pg", "list", "--json"])?;
    let all: Vec<Listed> = serde_json::from_str(&output).context("reading `pgstrata pg list --json`")?;
    let is_it = |install: &Listed| install.version.split('.').next() == Some(major.to_string().as_str());
    Ok(all.into_iter().find(is_it).map(|install| install.bindir))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIFTEEN: &str = r#"[{"bindir":"/pg15/bin","version":"15.18","source":"distribution"}]"#;

    #[test]
    fn a_listed_server_is_taken_without_installing() {
        let found = bindir(15, |arguments| {
            assert_eq!(arguments, ["pg", "list", "--json"]);
            Ok((true, FIFTEEN.to_owned()))
        });
        assert_eq!(found.expect("listed"), PathBuf::from("/pg15/bin"));
    }

    #[test]
    fn a_server_that_cannot_be_installed_is_an_error_that_names_it() {
        let missing = bindir(17, |arguments| Ok((arguments[1] == "list", FIFTEEN.to_owned())));
        assert!(missing.expect_err("not there").to_string().contains("17"));
    }
}
