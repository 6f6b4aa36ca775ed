//! Has the crate built again when the page or the book were built again. Where they are missing there is nothing to
//! watch; `cargo xtask` then touches this file when it has made them.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for folder in ["../../ui/dist", "../../book/.vitepress/dist"] {
        if std::path::Path::new(folder).is_dir() {
            println!("cargo::rerun-if-changed={folder}");
        }
    }
}
