//! Files that are written, and refusals before work whose result could not be.

use std::fs;
use std::path::Path;

use pgstrata_lab::error::LabError;

use crate::cli::advise::AdviseArgs;

/// Refuses files in directories that are not there, and a directory that is a file.
pub fn refuse_what_cannot_be_written(args: &AdviseArgs) -> Result<(), LabError> {
    for (argument, path) in [("--report", &args.report), ("--write-sql", &args.write_sql)] {
        let parent = path.as_ref().and_then(|path| path.parent()).filter(|parent| !parent.as_os_str().is_empty());
        if let Some(parent) = parent.filter(|parent| !parent.is_dir()) {
            return Err(LabError::usage(
                format!("{argument} cannot be written: there is no directory {}", parent.display()),
                "make the directory first, or name a file in another one",
            ));
        }
    }
    match args.out.as_deref().filter(|out| out.is_file()) {
        Some(out) => Err(LabError::usage(
            format!("--out {} is a file", out.display()),
            "name a directory; it is made if need be",
        )),
        None => Ok(()),
    }
}

/// Writes a file, and its directory if need be.
pub fn write(path: &Path, text: &str) -> Result<(), LabError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let made = parent.map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| fs::write(path, text)).map_err(|source| LabError::Machine {
        action: format!("write {}", path.display()),
        hint: "name a file in a directory that you may write to".to_owned(),
        source,
    })
}
