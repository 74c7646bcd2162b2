//! Tests on a GPU in software: SwiftShader, the Vulkan driver that Chromium brings for machines without one.
//!
//! Of Debian's package only the driver is unpacked, into `target/swiftshader`: installing it would bring half a desktop. Mesa's
//! lavapipe, which draws the pictures here, is refused by the WebGPU of ONNX Runtime.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{Outcome, cargo_command, cargo_with, onnxruntime, packages, run, target};

/// The package with the driver, by its Debian name.
const PACKAGE: &str = "chromium-common";
/// What says of the driver to Vulkan's loader.
const MANIFEST: &str = "vk_swiftshader_icd.json";

/// Installs a GPU in software and what networks need to run on it; gives its driver.
pub(crate) fn prepare() -> Result<PathBuf, String> {
    packages::install(&[packages::BUILD, packages::RENDER])?;
    onnxruntime::install();
    onnxruntime::install_webgpu()?;
    swiftshader()
}

/// Runs the tests of the GPU on this one, which must be there then.
pub(crate) fn test(driver: &Path, arguments: &[String]) -> Outcome {
    let mut command = cargo_command(&["test", "--workspace", "--test", "gpu"]);
    command
        .env("ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER", "1")
        // The loader knows the first name since 1.3.207, the second before.
        .env("VK_DRIVER_FILES", driver)
        .env("VK_ICD_FILENAMES", driver)
        .env("TALKIE_EXPECT_DEVICE", "webgpu");
    cargo_with(command, &["--nocapture"], arguments)
}

/// Puts the driver in place.
fn swiftshader() -> Result<PathBuf, String> {
    let folder = target().join("swiftshader");
    let driver = folder.join(MANIFEST);
    if driver.is_file() {
        return Ok(driver);
    }
    if !cfg!(target_os = "linux") {
        return Err("SwiftShader is taken from a package of Debian".into());
    }
    let text = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(text)?;
    run(Command::new("apt-get").args(["download", "-qq", PACKAGE]).current_dir(&folder))?;
    let package = fs::read_dir(&folder)
        .map_err(text)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .ok_or_else(|| format!("apt-get downloaded no {PACKAGE}"))?;
    let unpacked = unpack(&package, &folder);
    fs::remove_file(&package).map_err(text)?;
    unpacked?;
    if driver.is_file() { Ok(driver) } else { Err(format!("{PACKAGE} has no {MANIFEST}")) }
}

/// Takes the driver out of the package, without the folders around it.
fn unpack(package: &Path, folder: &Path) -> Outcome {
    let failed = |error: std::io::Error| format!("{}: {error}", package.display());
    let mut files =
        Command::new("dpkg-deb").arg("--fsys-tarfile").arg(package).stdout(Stdio::piped()).spawn().map_err(failed)?;
    let mut tar = Command::new("tar");
    tar.args(["-x", "--wildcards", "--strip-components=4", "*/libvk_swiftshader.so"])
        .arg(format!("*/{MANIFEST}"))
        .current_dir(folder)
        .stdin(files.stdout.take().map_or_else(Stdio::null, Stdio::from));
    let unpacked = run(&mut tar);
    if files.wait().map_err(failed)?.success() { unpacked } else { Err("dpkg-deb failed".into()) }
}
