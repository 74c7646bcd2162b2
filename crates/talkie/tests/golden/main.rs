//! Compares the crate with golden files: outputs of the official implementation on synthetic inputs.
//!
//! Reads every `X.json` (with its `X.npz`) of the folder named by the environment variable `TALKIE_GOLDEN_DIR`, by default
//! the copy in `tests/golden/data`, whose `README.md` describes the layout. A file of an unknown group, a case of an
//! unknown kind and an output that was never compared are failures, so that nothing is passed over in silence. Words on
//! the command line restrict the run to files whose names contain one of them.

mod audio_accumulator;
mod blendshape;
mod bvls;
mod chain;
mod emotion_accumulator;
mod emotion_postprocess;
mod eyes;
mod pca;
mod ranges;
mod skin;
mod support;
mod teeth;
mod tongue;
mod window_progress;

use std::{
    error::Error,
    path::{Path, PathBuf},
    process::ExitCode,
};

use support::{GoldenFile, GroupResult, Report};

fn main() -> ExitCode {
    let folder = std::env::var_os("TALKIE_GOLDEN_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/data"), PathBuf::from);
    let filters: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    match run_folder(&folder, &filters) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("FAILED {}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

fn run_folder(folder: &Path, filters: &[String]) -> Result<bool, Box<dyn Error>> {
    println!("golden files of {}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        // The manifest lists the files of the folder; it is not a group.
        if path.extension().is_some_and(|extension| extension == "json") && stem != "manifest" {
            files.push((stem, path));
        }
    }
    if files.is_empty() {
        return Err("no golden files".into());
    }
    files.sort();
    let mut all_well = true;
    for (stem, path) in files {
        if filters.is_empty() || filters.iter().any(|filter| stem.contains(filter.as_str())) {
            let mut report = Report::default();
            if let Err(error) = run_file(&path, &mut report) {
                report.fail("cannot be run", error);
            }
            all_well &= report.print(&stem);
        }
    }
    Ok(all_well)
}

fn run_file(path: &Path, report: &mut Report) -> GroupResult {
    let file = GoldenFile::open(path)?;
    run_group(&file, report)?;
    for name in file.never_compared() {
        report.fail(name, "an output that was never compared");
    }
    Ok(())
}

fn run_group(file: &GoldenFile, report: &mut Report) -> GroupResult {
    match file.stem.as_str() {
        "audio_accumulator" => audio_accumulator::run(file, report),
        "chain" => chain::run(file, report),
        "emotion_accumulator" => emotion_accumulator::run(file, report),
        "emotion_postprocess" => emotion_postprocess::run(file, report),
        "eyes" => eyes::run(file, report),
        "pca" => pca::run(file, report),
        "skin" => skin::run(file, report),
        "teeth" => teeth::run(file, report),
        "tongue" => tongue::run(file, report),
        "window_progress" => window_progress::run(file, report),
        "blendshape_small" | "blendshape_large" | "blendshape_tongue" => blendshape::run(file, report),
        "bvls" => bvls::run(file, report),
        unknown => Err(format!("unknown group {unknown:?}").into()),
    }
}
