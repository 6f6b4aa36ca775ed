//! Compiles the templates of all examples at once, those that a trial does not run among them.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::{Place, cargo_build, said};

/// Python has no compiler that knows types: this finds what cannot be read.
pub fn python(place: &Place, _: &[String]) -> Result<()> {
    let mut compile = Command::new(place.shared.join("venv/bin/python"));
    compile.args(["-W", "error", "-m", "compileall", "-q", "-f"]).arg(&place.sources);
    said(compile).map(drop)
}

/// By the driver's settings, all files as one program.
pub fn typescript(place: &Place, examples: &[String]) -> Result<()> {
    let settings = std::fs::read_to_string(place.root.join("tools/trial/typescript/tsconfig.json"))?;
    let files: Vec<String> = examples.iter().map(|example| format!("\"{example}/transaction.ts\"")).collect();
    let settings = settings.replace("\"drive.ts\"", &files.join(", "));
    std::fs::write(place.sources.join("tsconfig.json"), settings)?;
    let mut compile = Command::new(place.shared.join("node_modules/.bin/tsc"));
    compile.args(["--project", "."]).current_dir(&place.sources);
    said(compile).map(drop)
}

/// Each in a package of its own, because all classes have the same name.
pub fn java(place: &Place, examples: &[String]) -> Result<()> {
    let mut compile = Command::new("javac");
    compile.args(["-Werror", "-Xlint:all,-serial", "-d", "built"]).current_dir(&place.sources);
    for example in examples {
        let file = Path::new(example).join("Transactions.java");
        let code = std::fs::read_to_string(place.sources.join(&file))?;
        std::fs::write(place.sources.join(&file), format!("package {example};\n\n{code}"))?;
        compile.arg(file);
    }
    said(compile).map(drop)
}

/// Modules of one program, which calls none of them.
pub fn rust(place: &Place, examples: &[String], feature: &str) -> Result<()> {
    let source = place.sources.join("src");
    std::fs::create_dir_all(&source)?;
    for file in ["Cargo.toml", "Cargo.lock"] {
        // Another name, so that it can be built beside the trial's program, with the same libraries.
        let text = std::fs::read_to_string(place.root.join("tools/trial/rust").join(file))?;
        let text = text.replace("name = \"pgstrata-templates\"", "name = \"pgstrata-examples\"");
        std::fs::write(place.sources.join(file), text)?;
    }
    let modules: Vec<String> =
        examples.iter().map(|example| format!("#[path = \"../{example}/transaction.rs\"]\nmod {example};\n")).collect();
    std::fs::write(source.join("main.rs"), format!("//! All examples.\n\n{}\nfn main() {{}}\n", modules.concat()))?;
    cargo_build(&place.sources, feature, &place.shared.join(feature), "-D warnings -A dead_code")
}
