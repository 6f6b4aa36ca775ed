//! Where the repository is.

use std::path::{Path, PathBuf};

/// The root of the repository that this task was built from.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
