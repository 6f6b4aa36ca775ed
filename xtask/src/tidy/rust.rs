//! Rules over Rust files that clippy does not have.

use std::path::Path;

use super::Finding;
use crate::tree::Tree;

/// The longest a source file may be, lines.
const FILE_MOST_LINES: usize = 500;

/// Files that may be longer, up to this many lines, and why.
const LONGER: &[(&str, usize, &str)] = &[("ui/src/api/schema.ts", 6000, "generated from the API's document")];

/// The crates whose business it is to print.
const PRINTERS: &[&str] = &["crates/pgstrata/", "xtask/", "tools/trial/"];

/// Files of other crates that write to standard output, and why.
const PRINTERS_BESIDE: &[(&str, &str)] =
    &[("crates/lab/src/load/process.rs", "a load process answers its parent over a pipe on standard output")];

/// Names that say nothing of what is inside.
const EMPTY_NAMES: &[&str] = &["util", "utils", "common", "helper", "helpers", "misc", "manager"];

/// How far above an `unsafe` its `// SAFETY:` may begin, lines.
const SAFETY_WITHIN_LINES: usize = 8;

/// Every file begins with what it is for.
pub fn headers(tree: &Tree) -> Vec<Finding> {
    let begins = |text: &str| text.strip_prefix("//! ").is_some_and(|rest| rest.trim_start().len() > 1);
    let without = tree.with_extension("rs").filter(|(_, text)| !begins(text));
    without
        .map(|(name, _)| {
            Finding::of_line(name, 1, "begin with `//! ` and what the file is for, and what it does not do")
        })
        .collect()
}

/// Only the programs print; libraries return values and log. Clippy denies the macros; this denies the ways around.
pub fn prints(tree: &Tree) -> Vec<Finding> {
    let ways = ["println!(", "print!(", "io::stdout()", "io::stderr()", "clippy::print_stdout", "clippy::print_stderr"];
    let libraries = tree.with_extension("rs").filter(|(name, _)| {
        // A build script talks to cargo by printing; an example is a program of its own.
        !name.ends_with("build.rs")
            && !name.contains("/examples/")
            && !PRINTERS.iter().any(|printer| name.starts_with(printer))
            && !PRINTERS_BESIDE.iter().any(|(file, _)| file == name)
    });
    in_code(libraries, |line| {
        let way = ways.iter().find(|way| line.contains(**way))?;
        Some(format!("`{way}` in a library; return a value, or log with tracing"))
    })
}

/// A test that is not run is not a test.
pub fn ignored_tests(tree: &Tree) -> Vec<Finding> {
    in_code(tree.with_extension("rs"), |line| {
        let ignores = line.starts_with("#[ignore") || line.starts_with("#[cfg_attr") && line.contains(", ignore");
        ignores.then(|| "make it run, or delete it".to_owned())
    })
}

/// Every `unsafe` is preceded by the reason why it is sound.
pub fn unsafe_blocks(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, text) in tree.with_extension("rs") {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (index, line) in lines.iter().enumerate() {
            let from = index.saturating_sub(SAFETY_WITHIN_LINES);
            if is_unsafe(line) && !lines[from..=index].iter().any(|above| above.contains("SAFETY:")) {
                findings.push(Finding::of_line(name, index + 1, "say above it, after `// SAFETY:`, why it is sound"));
            }
        }
    }
    findings
}

fn is_unsafe(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or(line);
    // Split, so that this very line is not taken for one.
    ["{", "impl ", "fn "].iter().any(|what| {
        let keyword = format!("unsafe {what}");
        code.match_indices(&keyword)
            .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '"' || c == '_'))
    })
}

/// A file can be read in one sitting.
pub fn lengths(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, text) in ["rs", "sql", "ts", "tsx"].iter().flat_map(|extension| tree.with_extension(extension)) {
        let lines = text.lines().count();
        let allowed = LONGER.iter().find(|(longer, ..)| *longer == name);
        let most = allowed.map_or(FILE_MOST_LINES, |(_, most, _)| *most);
        if lines > most {
            findings.push(Finding::of_file(name, format!("{lines} lines, at most {most}: split it by subject")));
        } else if allowed.is_some() && lines <= FILE_MOST_LINES {
            findings.push(Finding::of_file(name, "is short enough now: take it off the list LONGER"));
        }
    }
    findings
}

/// A module is named for what is in it.
pub fn module_names(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, _) in tree.with_extension("rs") {
        let parts = Path::new(name).with_extension("");
        let empty = parts.iter().filter_map(|part| part.to_str()).find(|part| EMPTY_NAMES.contains(part));
        findings
            .extend(empty.map(|part| Finding::of_file(name, format!("`{part}` says nothing: name what is inside"))));
    }
    let inline = in_code(tree.with_extension("rs"), |line| {
        let name = line.trim_start_matches("pub ").strip_prefix("mod ")?.trim_end_matches(['{', ';', ' ']);
        EMPTY_NAMES.contains(&name).then(|| format!("`{name}` says nothing: name what is inside"))
    });
    findings.extend(inline);
    findings
}

/// Convicts single lines of code; lines that are comments do not count.
fn in_code<'a>(
    files: impl Iterator<Item = (&'a str, &'a str)>,
    convict: impl Fn(&str) -> Option<String>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, text) in files {
        for (index, line) in text.lines().map(str::trim).enumerate() {
            if !line.starts_with("//") {
                findings.extend(convict(line).map(|message| Finding::of_line(name, index + 1, message)));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines convicted in one file.
    fn lines(rule: fn(&Tree) -> Vec<Finding>, name: &str, text: &str) -> Vec<Option<usize>> {
        rule(&Tree::planted(&[(name, text)])).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_file_without_a_header_is_convicted() {
        assert_eq!(lines(headers, "a.rs", "use x;\n//! Late.\n"), [Some(1)]);
        assert_eq!(lines(headers, "a.rs", "//!\nuse x;\n"), [Some(1)]);
        assert_eq!(lines(headers, "a.rs", "//! Reads pages.\n"), []);
    }

    #[test]
    fn a_library_that_prints_is_convicted_and_a_program_is_not() {
        let text = "//! x\n// println!(\"comment\")\n    println!(\"x\");\nlet out = std::io::stdout();\n";
        assert_eq!(lines(prints, "crates/lab/src/a.rs", text), [Some(3), Some(4)]);
        assert_eq!(lines(prints, "crates/pgstrata/src/a.rs", text), []);
        assert_eq!(lines(prints, "crates/pg/build.rs", text), []);
    }

    #[test]
    fn an_ignored_test_is_convicted() {
        assert_eq!(lines(ignored_tests, "a.rs", "//! x\n    #[ignore = \"slow\"]\n"), [Some(2)]);
        assert_eq!(lines(ignored_tests, "a.rs", "#[cfg_attr(not(linux), ignore)]\n"), [Some(1)]);
    }

    #[test]
    fn unsafe_without_a_reason_is_convicted() {
        let block = ["unsafe", " { libc::fork() }"].concat();
        assert_eq!(lines(unsafe_blocks, "a.rs", &format!("//! x\nlet pid = {block};\n")), [Some(2)]);
        assert_eq!(lines(unsafe_blocks, "a.rs", &format!("// SAFETY: one thread.\nlet pid = {block};\n")), []);
        assert_eq!(lines(unsafe_blocks, "a.rs", "unsafe_code = 1\n// unsafe { }\n"), []);
    }

    #[test]
    fn a_file_that_is_too_long_is_convicted() {
        assert_eq!(lengths(&Tree::planted(&[("a.rs", &"x\n".repeat(501))])).len(), 1);
        assert_eq!(lengths(&Tree::planted(&[("a.rs", &"x\n".repeat(500)), ("b.json", &"x\n".repeat(9000))])), []);
    }

    #[test]
    fn a_module_with_an_empty_name_is_convicted() {
        assert_eq!(module_names(&Tree::planted(&[("crates/lab/src/utils.rs", "")])).len(), 1);
        assert_eq!(module_names(&Tree::planted(&[("crates/lab/tests/common/mod.rs", "")])).len(), 1);
        assert_eq!(lines(module_names, "a.rs", "//! x\npub mod helpers {\n"), [Some(2)]);
        assert_eq!(lines(module_names, "a.rs", "mod history;\n"), []);
    }
}
