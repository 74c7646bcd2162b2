//! The WebGPU plugin of ONNX Runtime.

use std::path::PathBuf;

use ort::{environment::Environment, session::builder::SessionBuilder};

use super::{
    Attempt, Device,
    library::{candidates, is_webgpu_plugin},
    provider::one_line,
};

/// The name under which the plugin is registered.
const NAME: &str = "talkie_webgpu";

/// Registers the plugin with ONNX Runtime, once in a process: the first library that can be used. Gives the libraries that cannot, and as an
/// error if there is no other.
pub(super) fn register(environment: &Environment, explicit: Option<PathBuf>) -> Result<Vec<Attempt>, Vec<Attempt>> {
    let mut tried = Vec::new();
    for path in candidates(explicit, "TALKIE_WEBGPU_LIBRARY", is_webgpu_plugin) {
        let outcome = match path.is_file() {
            true => environment.register_ep_library(NAME, &path).map_err(|error| one_line(&error.to_string())),
            false => Err("there is no such file".into()),
        };
        match outcome {
            Ok(_) => {
                log::info!("networks may run on WebGPU through {}", path.display());
                return Ok(tried);
            }
            Err(reason) => tried.push(Attempt { device: Some(Device::WebGpu), path: Some(path), reason }),
        }
    }
    if tried.is_empty() {
        let hint = "its plugin was not found; put the library of the wheel `onnxruntime-ep-webgpu` beside the program, or name it in \
                    TALKIE_WEBGPU_LIBRARY";
        tried.push(Attempt::device(Device::WebGpu, hint));
    }
    Err(tried)
}

/// Adds the device of the registered plugin.
pub(super) fn add(environment: &Environment, builder: SessionBuilder) -> Result<SessionBuilder, String> {
    // The plugin offers a single device, and finds the GPU behind it by itself.
    let offered = environment.devices().find(|device| device.ep().is_ok_and(|name| name == Device::WebGpu.provider()));
    let device = offered.ok_or("its plugin sees no GPU")?;
    builder.with_devices([device], None).map_err(|error| one_line(&error.to_string()))
}
