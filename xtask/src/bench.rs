//! `cargo xtask bench`: all benchmarks; those of crowds go into `docs/performance.md`.

use std::{fs, thread};

use crate::{FEATURES, Outcome, cargo, cargo_command, onnxruntime, packages, root, run};

/// The benchmarks of single stages.
const STAGES: [&str; 5] = ["speech", "face", "blendshapes", "geometry", "official"];
/// What stands around the tables in the document.
const BEGIN: &str = "<!-- crowds: written by `cargo xtask bench` -->\n";
const END: &str = "<!-- end of crowds -->\n";

pub(crate) fn run_all(arguments: &[String]) -> Outcome {
    packages::install(&[packages::BUILD])?;
    onnxruntime::install();
    if !arguments.is_empty() {
        return cargo(&["bench", "--workspace"], &[], arguments);
    }
    let mut stages = vec!["bench", "--workspace"];
    STAGES.iter().for_each(|name| stages.extend(["--bench", name]));
    cargo(&stages, &[], &[])?;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut tables = format!("{BEGIN}\nMeasured on {}, {cores} cores.\n\n", processor());
    for (backend, only) in [("ort", ""), ("tract", "100 ")] {
        tables += &crowds(backend, only)?;
    }
    tables += END;
    let path = root().join("docs/performance.md");
    let document = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let document =
        replaced(&document, &tables).ok_or_else(|| format!("{} has no place for tables: {BEGIN}", path.display()))?;
    fs::write(&path, document).map_err(|error| format!("{}: {error}", path.display()))
}

/// The tables of one engine; of scenarios whose names contain a text.
fn crowds(backend: &str, only: &str) -> Result<String, String> {
    let file = crate::target().join(format!("crowds_{backend}.md"));
    // Of the workspace, so that nothing is built with other features than before.
    let mut command = cargo_command(&["bench", "--workspace", "--bench", "crowd"]);
    command.args(FEATURES).env("TALKIE_BACKEND", backend);
    run(command.arg("--").arg("--table").arg(&file).args(["--only", only]))?;
    fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))
}

/// The document with other tables; `None` if there is no place for them.
fn replaced(document: &str, tables: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{tables}{after}"))
}

/// What people call the processor.
fn processor() -> String {
    let about = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = about.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_tables_are_replaced() {
        let document = format!("# Before\n\n{BEGIN}old\n{END}\nafter\n");
        let tables = format!("{BEGIN}new\n{END}");
        assert_eq!(replaced(&document, &tables).as_deref(), Some(&*format!("# Before\n\n{tables}\nafter\n")));
        assert_eq!(replaced("nothing", &tables), None);
    }
}
