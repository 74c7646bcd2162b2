//! The WebGPU plugin of ONNX Runtime.

use std::{
    mem,
    path::PathBuf,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use ort::{
    environment::Environment,
    session::{Session, builder::SessionBuilder},
};

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

/// Who uses the GPU.
struct Gpu {
    is_busy: bool,
    /// Sessions that were closed meanwhile.
    closed: Vec<Session>,
}

static GPU: Mutex<Gpu> = Mutex::new(Gpu { is_busy: false, closed: Vec::new() });
static FREE: Condvar = Condvar::new();

/// The right to use the GPU.
///
/// All sessions of a process share what the plugin 0.4.0 records for the GPU, its buffers and its shaders, and it locks none of that: two
/// that run at once give nonsense or crash the process (<https://github.com/microsoft/onnxruntime/issues/32561>). So they take turns
/// to be opened, to run and to be closed.
pub(super) struct Turn(());

/// Waits until no other session uses the GPU.
pub(super) fn turn() -> Turn {
    let gpu = FREE.wait_while(gpu(), |gpu| gpu.is_busy);
    gpu.unwrap_or_else(PoisonError::into_inner).is_busy = true;
    Turn(())
}

/// Closes a session and waits for nobody: where another has its turn, it is closed at the end of that.
pub(super) fn close(session: Session) {
    let mut gpu = gpu();
    gpu.closed.push(session);
    if !gpu.is_busy {
        gpu.is_busy = true;
        drop(gpu);
        drop(Turn(()));
    }
}

/// It is locked for moments only, and nothing that may panic happens meanwhile.
fn gpu() -> MutexGuard<'static, Gpu> {
    GPU.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Turn {
    fn drop(&mut self) {
        loop {
            let mut gpu = gpu();
            if gpu.closed.is_empty() {
                gpu.is_busy = false;
                FREE.notify_one();
                return;
            }
            let sessions = mem::take(&mut gpu.closed);
            drop(gpu);
            // They take their time.
            drop(sessions);
        }
    }
}
