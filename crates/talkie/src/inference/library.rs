//! Where shared libraries are looked for.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

/// Library files worth trying, best first, each once: an explicit one, the one that an environment variable names, beside the
/// executable, in a folder `onnxruntime` beside or above it.
pub(super) fn candidates(explicit: Option<PathBuf>, variable: &str, is_name: fn(&str) -> bool) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = explicit.into_iter().collect();
    found.extend(env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from));
    if let Ok(executable) = env::current_exe() {
        for folder in executable.ancestors().skip(1) {
            if folder == executable.parent().unwrap_or(folder) {
                found.extend(libraries_in(folder, is_name).unwrap_or_default());
            }
            found.extend(libraries_in(&folder.join("onnxruntime"), is_name).unwrap_or_default());
        }
    }
    for path in &mut found {
        if let Ok(absolute) = std::path::absolute(&*path) {
            *path = absolute;
        }
    }
    let mut seen = Vec::new();
    found.retain(|path| {
        !seen.contains(path) && {
            seen.push(path.clone());
            true
        }
    });
    found
}

/// Libraries directly in a folder, newest name first.
fn libraries_in(folder: &Path, is_name: fn(&str) -> bool) -> io::Result<Vec<PathBuf>> {
    let mut libraries: Vec<PathBuf> = fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(is_name))
        .collect();
    libraries.sort();
    libraries.reverse();
    Ok(libraries)
}

/// What ONNX Runtime is called.
pub(super) fn is_onnxruntime(name: &str) -> bool {
    name == "onnxruntime.dll"
        || name.starts_with("libonnxruntime.so")
        || (name.starts_with("libonnxruntime.") && name.ends_with(".dylib"))
}

/// What its WebGPU plugin is called.
pub(super) fn is_webgpu_plugin(name: &str) -> bool {
    matches!(
        name,
        "onnxruntime_providers_webgpu.dll"
            | "libonnxruntime_providers_webgpu.so"
            | "libonnxruntime_providers_webgpu.dylib"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn library_names_of_all_systems_are_known_and_companions_are_not() {
        for name in ["libonnxruntime.so", "libonnxruntime.so.1.31.1", "libonnxruntime.1.31.1.dylib", "onnxruntime.dll"]
        {
            assert!(is_onnxruntime(name) && !is_webgpu_plugin(name), "{name}");
        }
        for name in ["libonnxruntime_providers_shared.so", "onnxruntime.lib", "libort.so"] {
            assert!(!is_onnxruntime(name) && !is_webgpu_plugin(name), "{name}");
        }
        for name in ["libonnxruntime_providers_webgpu.so", "onnxruntime_providers_webgpu.dll"] {
            assert!(!is_onnxruntime(name) && is_webgpu_plugin(name), "{name}");
        }
    }

    #[test]
    fn an_explicit_library_comes_first_and_only_once() {
        let path = PathBuf::from("/somewhere/libonnxruntime.so");
        let found = candidates(Some(path.clone()), "ORT_DYLIB_PATH", is_onnxruntime);
        assert_eq!(found.first(), Some(&path));
        assert_eq!(found.iter().filter(|&candidate| *candidate == path).count(), 1);
    }
}
