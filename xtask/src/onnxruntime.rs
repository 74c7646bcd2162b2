//! ONNX Runtime and its WebGPU plugin, taken from their wheels on PyPI into `target/onnxruntime`, where `talkie` looks for them.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{run, succeeds, target};

/// The release that was tried; anything that offers API version 24 works.
const VERSION: &str = "1.31.1";
/// The release of the WebGPU plugin that was tried with it.
const WEBGPU_VERSION: &str = "0.4.0";

/// Puts the library in place. Without Python or without the package index the embedded tract engine serves, so this never
/// fails; it says what is the case.
pub(crate) fn install() {
    let folder = target().join("onnxruntime");
    if library(&folder, is_runtime).is_some() {
        return;
    }
    let Some(python) = python() else {
        eprintln!(
            "xtask: no Python with pip: networks will run on the embedded tract engine, slower (to have ONNX Runtime, install \
             python3-pip and run `cargo xtask setup`)"
        );
        return;
    };
    match fetch(python, &folder, &format!("onnxruntime=={VERSION}"), "onnxruntime/capi", is_runtime) {
        Ok(library) => eprintln!("xtask: ONNX Runtime {VERSION} is in {}", library.display()),
        Err(reason) => {
            eprintln!(
                "xtask: ONNX Runtime could not be fetched ({reason}): the embedded tract engine will serve, slower"
            );
        }
    }
}

/// Puts the WebGPU plugin in place.
pub(crate) fn install_webgpu() -> Result<PathBuf, String> {
    let folder = target().join("onnxruntime");
    if let Some(library) = library(&folder, is_webgpu) {
        return Ok(library);
    }
    let python = python().ok_or("there is no Python with pip: install python3-pip")?;
    let wheel = format!("onnxruntime-ep-webgpu=={WEBGPU_VERSION}");
    let library = fetch(python, &folder, &wheel, "onnxruntime_ep_webgpu", is_webgpu)?;
    eprintln!("xtask: the WebGPU plugin {WEBGPU_VERSION} is in {}", library.display());
    Ok(library)
}

fn python() -> Option<&'static str> {
    ["python3", "python"].into_iter().find(|python| succeeds(python, &["-m", "pip", "--version"]))
}

/// Downloads a wheel and takes one library out of it.
fn fetch(python: &str, folder: &Path, wheel: &str, inside: &str, is_name: fn(&str) -> bool) -> Result<PathBuf, String> {
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
        .arg(wheel))?;
    let wheel = files(&unpacked)
        .into_iter()
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or("pip downloaded no wheel")?;
    run(Command::new(python).args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&unpacked))?;
    let source = library(&unpacked.join(inside), is_name).ok_or("the wheel has no library")?;
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

/// The library of this name directly in a folder.
fn library(folder: &Path, is_name: fn(&str) -> bool) -> Option<PathBuf> {
    files(folder).into_iter().find(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(is_name))
}

fn is_runtime(name: &str) -> bool {
    name.starts_with("libonnxruntime.so")
        || name == "onnxruntime.dll"
        || (name.starts_with("libonnxruntime.") && name.ends_with(".dylib"))
}

fn is_webgpu(name: &str) -> bool {
    Path::new(name).file_stem().is_some_and(|stem| stem == "libonnxruntime_providers_webgpu")
        || name == "onnxruntime_providers_webgpu.dll"
}
