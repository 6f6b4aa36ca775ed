//! `cargo xtask gen`: files, and parts of files, that are made from the product, committed, and checked fresh.
//!
//! What a reader sees (flags, result tables) is printed by `pgstrata` itself (its hidden command `__reference`), so it
//! cannot differ from what the program does. Shell completions and man pages are made at run time and not committed.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::cargo;
use crate::report::Outcome;
use crate::tree::Tree;

/// Runs `pgstrata` with these arguments and returns what it prints.
pub type Product<'a> = dyn Fn(&[&str]) -> Result<String> + 'a;

/// A file as it should be.
#[derive(Debug, PartialEq, Eq)]
pub struct Generated {
    path: String,
    text: String,
}

/// One kind of generated file: what it is, and how all of its kind are made.
struct Generator {
    what: &'static str,
    make: fn(&Tree, &Product) -> Result<Vec<Generated>>,
}

/// The generators, in the order in which they run.
const GENERATORS: &[Generator] = &[
    Generator { what: "the command line's reference", make: command_line },
    Generator { what: "the API's description", make: api },
    Generator { what: "figures that the advisor quotes", make: measured },
    Generator { what: "the model that ranks strategies", make: ranking_model },
    Generator { what: "tables from the records", make: tables },
    Generator { what: "charts from the records", make: charts },
];

/// Where a spliced part begins: `<!-- generated: NAME -->` alone on a line; a name is `STUDY`, or `STUDY/ARM,ARM` for the
/// latest record that measured these arms and no others.
const BEGIN: (&str, &str) = ("<!-- generated: ", " -->");
/// Where it ends.
const END: &str = "<!-- end -->";

/// Says which files are stale, as one check.
pub fn check(root: &Path, product: &Product) -> Result<Outcome> {
    let stale = stale(&Tree::read(root)?, product)?;
    for file in &stale {
        println!("      stale: {}", file.path);
    }
    if stale.is_empty() {
        return Ok(Outcome::Passed);
    }
    Ok(Outcome::Failed(format!("{} stale files; `cargo xtask gen` mends them", stale.len())))
}

/// `cargo xtask gen [--check]`.
pub fn perform(root: &Path, only_check: bool) -> Result<ExitCode> {
    let product = |arguments: &[&str]| {
        let mut command = cargo::command(root, &["run", "--quiet", "--package", "pgstrata", "--"]);
        command.args(arguments);
        reference(command)
    };
    if only_check {
        return Ok(match check(root, &product)? {
            Outcome::Passed => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        });
    }
    // One after the other: pgstrata carries some of these files, and is built again with what was written before it prints
    // the next ones (the model's card is printed from the model that it carries).
    for generator in GENERATORS {
        for file in stale_of(generator, &Tree::read(root)?, &product)? {
            let path = root.join(&file.path);
            std::fs::create_dir_all(path.parent().unwrap_or(root))?;
            std::fs::write(&path, file.text).with_context(|| format!("writing {}", file.path))?;
            println!("wrote {}", file.path);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs `pgstrata __reference …`; what it prints must not depend on who runs it.
pub fn reference(mut command: Command) -> Result<String> {
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PGSTRATA_")) {
        // Help shows the values that the environment gives to flags.
        command.env_remove(name);
    }
    let output = command.stderr(Stdio::inherit()).output().context("starting pgstrata")?;
    ensure!(output.status.success(), "pgstrata could not print it");
    Ok(String::from_utf8(output.stdout)?)
}

/// The files that are not as they should be.
fn stale(tree: &Tree, product: &Product) -> Result<Vec<Generated>> {
    let mut stale = Vec::new();
    for generator in GENERATORS {
        stale.extend(stale_of(generator, tree, product)?);
    }
    Ok(stale)
}

/// Those of one kind.
fn stale_of(generator: &Generator, tree: &Tree, product: &Product) -> Result<Vec<Generated>> {
    let made = (generator.make)(tree, product).with_context(|| format!("generating {}", generator.what))?;
    Ok(made.into_iter().filter(|file| tree.text(&file.path) != Some(file.text.as_str())).collect())
}

/// A page of the book with every command and flag.
fn command_line(_: &Tree, product: &Product) -> Result<Vec<Generated>> {
    Ok(vec![Generated {
        path: "book/reference/cli.md".to_owned(),
        text: printed(product, &["__reference", "cli", "--lang", "en"])?,
    }])
}

/// The `OpenAPI` document, which the page's client is made from.
fn api(_: &Tree, product: &Product) -> Result<Vec<Generated>> {
    let text = printed(product, &["__reference", "openapi"])?;
    Ok(vec![Generated { path: "crates/server/openapi.json".to_owned(), text }])
}

/// What the records say of the ways that the advisor recommends: it carries them, and they are committed.
fn measured(_: &Tree, product: &Product) -> Result<Vec<Generated>> {
    let text = printed(product, &["__reference", "measured"])?;
    Ok(vec![Generated { path: "tools/src/advisor/estimate/measured.json".to_owned(), text }])
}

/// What the assistant ranks strategies by: trained on the latest grid among the records.
fn ranking_model(_: &Tree, product: &Product) -> Result<Vec<Generated>> {
    let text = printed(product, &["__reference", "ranking-model"])?;
    Ok(vec![Generated { path: "tools/src/advisor/ranking/model.json".to_owned(), text }])
}

/// The parts of documents that show measured results, in the document's language. A part is the table of a study, or, named
/// by two words, what the first says about the second.
fn tables(tree: &Tree, product: &Product) -> Result<Vec<Generated>> {
    let mut made = Vec::new();
    for (path, text) in tree.with_extension("md").filter(|(_, text)| text.contains(BEGIN.0)) {
        let chinese = path.ends_with(".zh-CN.md") || path.starts_with("book/zh/");
        let language = if chinese { "zh" } else { "en" };
        let spliced = splice(text, |name| {
            let (what, about) = name.split_once(' ').unwrap_or(("table", name));
            printed(product, &["__reference", what, about, "--lang", language])
        });
        made.push(Generated { path: path.to_owned(), text: spliced.with_context(|| path.to_owned())? });
    }
    Ok(made)
}

/// The charts that the documents show, of each study that has a table in one of them.
const CHARTS: [&str; 3] = ["throughput", "latency", "timeline"];

/// Charts beside the book's pages, in both languages, where a document shows them: `flash-sale-throughput.svg` and
/// `flash-sale-throughput.zh.svg`, of some arms `ledger-for-update-sequencer-throughput.svg`.
fn charts(tree: &Tree, product: &Product) -> Result<Vec<Generated>> {
    let names = tree.with_extension("md").flat_map(|(_, text)| spliced_names(text));
    let studies: BTreeSet<&str> = names.filter(|name| !name.contains(' ')).collect();
    let mut made = Vec::new();
    for study in studies {
        for chart in CHARTS {
            for (language, suffix) in [("en", ""), ("zh", ".zh")] {
                let file = format!("{}-{chart}{suffix}.svg", study.replace(['/', ','], "-"));
                if tree.with_extension("md").any(|(_, text)| text.contains(&file)) {
                    let text = printed(product, &["__reference", chart, study, "--lang", language])?;
                    made.push(Generated { path: format!("book/public/{file}"), text });
                }
            }
        }
    }
    Ok(made)
}

/// Nothing printed is an error: an empty file would look fresh.
fn printed(product: &Product, arguments: &[&str]) -> Result<String> {
    let text = product(arguments)?;
    ensure!(!text.trim().is_empty(), "pgstrata {} printed nothing", arguments.join(" "));
    Ok(format!("{}\n", text.trim_end()))
}

/// Replaces what is between the markers. Markers in code blocks are examples.
fn splice(text: &str, content: impl Fn(&str) -> Result<String>) -> Result<String> {
    let mut made = String::with_capacity(text.len());
    let mut fenced = false;
    let mut inside: Option<&str> = None;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end();
        fenced ^= inside.is_none() && is_fence(bare);
        let begins = begins(bare).filter(|_| !fenced);
        match (inside, begins) {
            (Some(name), Some(_)) => bail!("the part `{name}` is not ended by `{END}`"),
            (None, Some(name)) => {
                made.push_str(line);
                // Markdown needs blank lines between a comment and a table.
                made.extend(["\n", &content(name)?, "\n"]);
                inside = Some(name);
            }
            (Some(_), None) if bare == END => {
                made.push_str(line);
                inside = None;
            }
            (Some(_), None) => {}
            (None, None) => made.push_str(line),
        }
    }
    match inside {
        Some(name) => bail!("the part `{name}` is not ended by `{END}`"),
        None => Ok(made),
    }
}

/// The names of the spliced parts.
fn spliced_names(text: &str) -> Vec<&str> {
    let mut fenced = false;
    let mut names = Vec::new();
    for line in text.lines() {
        fenced ^= is_fence(line);
        names.extend(begins(line).filter(|_| !fenced));
    }
    names
}

/// The name of the part that begins with this line.
fn begins(line: &str) -> Option<&str> {
    line.trim_end().strip_prefix(BEGIN.0)?.strip_suffix(BEGIN.1)
}

fn is_fence(line: &str) -> bool {
    line.trim_start().starts_with("```")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A product that prints its arguments.
    const ECHO: &Product = &|arguments| Ok(format!("{}\n\n", arguments.join(" ")));

    const FRESH: &str = "__reference cli --lang en\n";
    const FRESH_MODEL: (&str, &str) = ("tools/src/advisor/ranking/model.json", "__reference ranking-model\n");
    const FRESH_API: (&str, &str) = ("crates/server/openapi.json", "__reference openapi\n");
    const FRESH_FIGURES: (&str, &str) = ("tools/src/advisor/estimate/measured.json", "__reference measured\n");

    #[test]
    fn a_stale_file_is_convicted_and_a_fresh_one_is_not() {
        let fresh = Tree::planted(&[("book/reference/cli.md", FRESH), FRESH_API, FRESH_FIGURES, FRESH_MODEL]);
        assert_eq!(stale(&fresh, ECHO).expect("made"), []);
        let old = Tree::planted(&[("book/reference/cli.md", "old\n"), FRESH_API, FRESH_FIGURES, FRESH_MODEL]);
        let wanted = Generated { path: "book/reference/cli.md".to_owned(), text: FRESH.to_owned() };
        assert_eq!(stale(&old, ECHO).expect("made"), [wanted]);
    }

    #[test]
    fn tables_are_spliced_in_the_language_of_the_document() {
        let text = "# T\n<!-- generated: sale -->\nold\n<!-- end -->\nrest";
        let tree = Tree::planted(&[("README.md", text), ("README.zh-CN.md", text), ("book/zh/a.md", "no marker")]);
        let made = tables(&tree, ECHO).expect("made");
        let expect = |language: &str| {
            format!("# T\n<!-- generated: sale -->\n\n__reference table sale --lang {language}\n\n<!-- end -->\nrest")
        };
        assert_eq!(made.iter().map(|file| file.text.as_str()).collect::<Vec<_>>(), [expect("en"), expect("zh")]);
        let again = Tree::planted(&[("README.md", &made[0].text)]);
        assert_eq!(tables(&again, ECHO).expect("made")[0].text, made[0].text, "a second run changes nothing");
    }

    #[test]
    fn a_part_of_two_words_says_what_is_asked_about_what() {
        let tree = Tree::planted(&[("book/zh/b.md", "<!-- generated: model-card advisor -->\n<!-- end -->\n")]);
        let made = tables(&tree, ECHO).expect("made");
        assert!(made[0].text.contains("\n__reference model-card advisor --lang zh\n"), "{}", made[0].text);
    }

    #[test]
    fn a_study_with_a_table_has_the_charts_that_are_shown() {
        let marked = "<!-- generated: sale/best,old -->\n<!-- end -->\n![](/sale-best-old-latency.svg) ![](/sale-best-old-latency.zh.svg)\n";
        let fenced = "```\n<!-- generated: NAME -->\n<!-- end -->\n```\n";
        let card = "<!-- generated: model-card advisor -->\n<!-- end -->\n";
        let tree = Tree::planted(&[
            ("README.md", marked),
            ("book/a.md", marked),
            ("CONTRIBUTING.md", fenced),
            ("book/b.md", card),
        ]);
        let made = charts(&tree, ECHO).expect("made");
        assert_eq!(made.len(), 2, "{made:?}");
        assert_eq!(made[1].path, "book/public/sale-best-old-latency.zh.svg");
        assert_eq!(made[1].text, "__reference latency sale/best,old --lang zh\n");
    }

    #[test]
    fn markers_in_code_blocks_are_left_alone() {
        let text = "```\n<!-- generated: x -->\n```\n";
        assert_eq!(splice(text, |_| bail!("not asked for")).expect("unchanged"), text);
    }

    #[test]
    fn an_unended_part_and_an_empty_answer_are_errors() {
        let content = |name: &str| Ok(name.to_owned());
        assert!(splice("<!-- generated: a -->\nx\n", content).is_err());
        assert!(splice("<!-- generated: a -->\n<!-- generated: b -->\n<!-- end -->\n", content).is_err());
        assert!(printed(&|_| Ok("\n".to_owned()), &["x"]).is_err());
    }
}
