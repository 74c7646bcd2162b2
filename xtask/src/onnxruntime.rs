//! ONNX Runtime, taken from its wheel on PyPI into `target/onnxruntime`, where `talkie` looks for it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{run, succeeds, target};

/// The release that was tried; anything that offers API version 24 works.
const VERSION: &str = "1.31.1";

/// Puts the library in place. Without Python or without the package index the embedded tract engine serves, so this never
/// fails; it says what is the case.
pub(crate) fn install() {
    let folder = target().join("onnxruntime");
    if library(&folder).is_some() {
        return;
    }
    let Some(python) = ["python3", "python"].into_iter().find(|python| succeeds(python, &["-m", "pip", "--version"]))
    else {
        eprintln!(
            "xtask: no Python with pip: networks will run on the embedded tract engine, slower (to have ONNX Runtime, install \
             python3-pip and run `cargo xtask setup`)"
        );
        return;
    };
    match fetch(python, &folder) {
        Ok(library) => eprintln!("xtask: ONNX Runtime {VERSION} is in {}", library.display()),
        Err(reason) => {
            eprintln!(
                "xtask: ONNX Runtime could not be fetched ({reason}): the embedded tract engine will serve, slower"
            );
        }
    }
}

fn fetch(python: &str, folder: &Path) -> Result<PathBuf, String> {
    let text = |error: io::Error| error.to_string();
    let unpacked = folder.join("wheel");
    fs::create_dir_all(&unpacked).map_err(text)?;
    run(Command::new(python)
        .args([
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--only-binary=:all:",
            "-d",
        ])
        .arg(&unpacked)
        .arg(format!("onnxruntime=={VERSION}")))?;
    let wheel = files(&unpacked)
        .into_iter()
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or("pip downloaded no wheel")?;
    run(Command::new(python).args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&unpacked))?;
    let capi = unpacked.join("onnxruntime").join("capi");
    let source = library(&capi).ok_or("the wheel has no library")?;
    let destination = folder.join(source.file_name().unwrap_or_default());
    fs::copy(&source, &destination).map_err(text)?;
    fs::remove_dir_all(&unpacked).map_err(text)?;
    Ok(destination)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
        .unwrap_or_default()
}

/// The ONNX Runtime library directly in a folder.
fn library(folder: &Path) -> Option<PathBuf> {
    files(folder).into_iter().find(|path| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| {
            name.starts_with("libonnxruntime.so")
                || name == "onnxruntime.dll"
                || (name.starts_with("libonnxruntime.") && name.ends_with(".dylib"))
        })
    })
}
