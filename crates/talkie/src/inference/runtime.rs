//! Which engine runs the networks of this process, and how it was found.

use std::{
    env,
    ffi::CStr,
    fmt,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use ort::{environment::Environment, logging::LogLevel, session::builder::SessionBuilder};

use super::{
    Attempt, Device, UnknownDevice,
    library::{candidates, is_onnxruntime},
    webgpu,
};

/// The engine behind the networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// ONNX Runtime, loaded from a shared library.
    OnnxRuntime,
    /// The embedded tract: pure Rust, no library needed, two to three times slower with the default model.
    Tract,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OnnxRuntime => "ONNX Runtime",
            Self::Tract => "tract",
        })
    }
}

/// Why no engine could be had.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// Neither a library nor the embedded engine is available.
    #[error("no ONNX Runtime library was found{}{}", list(.tried), .hint)]
    NotFound {
        /// What was tried.
        tried: Vec<Attempt>,
        /// What would help.
        hint: &'static str,
    },
    /// `TALKIE_BACKEND` names no engine.
    #[error("TALKIE_BACKEND is {0:?}; expected \"ort\" or \"tract\"")]
    UnknownBackend(String),
    /// `TALKIE_DEVICE` names no device.
    #[error("TALKIE_DEVICE: {0}")]
    UnknownDevice(#[from] UnknownDevice),
    /// The engine itself failed to start.
    #[error("{backend} did not start: {reason}")]
    Start {
        /// Which engine.
        backend: Backend,
        /// What it said.
        reason: String,
    },
}

fn list(tried: &[Attempt]) -> String {
    tried.iter().map(|attempt| format!("; {attempt}")).collect()
}

/// How the engine is chosen.
#[derive(Debug, Clone, Default)]
pub struct RuntimeOptions {
    /// An ONNX Runtime library to try first.
    pub library: Option<PathBuf>,
    /// The engine to use and no other. `TALKIE_BACKEND` (`ort` or `tract`) decides where this is `None`.
    pub backend: Option<Backend>,
    /// The device of all networks whose model asks for none. `TALKIE_DEVICE` (a name of [`Device`], such as `auto` or `cuda`)
    /// decides where this is `None`; where that is not set either, small networks run on the CPU and large ones on
    /// [`Device::Auto`].
    pub device: Option<Device>,
    /// A library of the WebGPU plugin to try first.
    pub webgpu_library: Option<PathBuf>,
}

/// The engine of this process. There is one: the first use decides, later uses get the same.
///
/// Libraries are tried in this order: [`RuntimeOptions::library`]; the environment variable `ORT_DYLIB_PATH`; beside the
/// executable; in a folder `onnxruntime` beside or above it (`cargo xtask setup` fills `target/onnxruntime`). One that
/// cannot be loaded or is older than the API this crate was built for is passed over with a reason
/// ([`passed_over`](Self::passed_over)); if none remains, tract serves (feature `tract`).
#[derive(Debug)]
pub struct Runtime {
    backend: Backend,
    version: String,
    library: Option<PathBuf>,
    passed_over: Vec<Attempt>,
    environment: Environment,
    device: Option<Device>,
    webgpu_library: Option<PathBuf>,
    /// What was passed over until the WebGPU plugin was registered, or why it is not; not known until somebody wants it.
    webgpu: OnceLock<Result<Vec<Attempt>, Vec<Attempt>>>,
}

static RUNTIME: OnceLock<Result<Runtime, RuntimeError>> = OnceLock::new();

impl Runtime {
    /// The engine of this process, chosen with default options if nothing was chosen yet.
    ///
    /// # Errors
    /// [`RuntimeError`]: the same at every call.
    pub fn global() -> Result<&'static Self, RuntimeError> {
        Self::init(RuntimeOptions::default())
    }

    /// Chooses the engine of this process. If it was chosen before, the options have no effect.
    ///
    /// # Errors
    /// [`RuntimeError`]: the same at every call.
    pub fn init(options: RuntimeOptions) -> Result<&'static Self, RuntimeError> {
        RUNTIME.get_or_init(|| start(options)).as_ref().map_err(Clone::clone)
    }

    /// Which engine it is.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Version of the engine in its own words.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The library in use, where there is one.
    pub fn library(&self) -> Option<&Path> {
        self.library.as_deref()
    }

    /// Libraries that were tried and not taken, with the reason. What of devices was passed over, each network knows
    /// ([`Network::passed_over`](super::Network::passed_over)).
    pub fn passed_over(&self) -> &[Attempt] {
        &self.passed_over
    }

    /// The device of all networks whose model asks for none, if that was said ([`RuntimeOptions::device`]).
    pub fn device(&self) -> Option<Device> {
        self.device
    }

    pub(super) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Adds the device of the WebGPU plugin to a session.
    pub(super) fn with_webgpu(&self, builder: SessionBuilder) -> Result<SessionBuilder, Vec<Attempt>> {
        let registered = || webgpu::register(&self.environment, self.webgpu_library.clone());
        let mut passed_over = self.webgpu.get_or_init(registered).clone()?;
        webgpu::add(&self.environment, builder).map_err(|reason| {
            passed_over.push(Attempt::device(Device::WebGpu, reason));
            passed_over
        })
    }
}

fn start(options: RuntimeOptions) -> Result<Runtime, RuntimeError> {
    let wanted = match (options.backend, env::var("TALKIE_BACKEND").ok().as_deref()) {
        (Some(backend), _) => Some(backend),
        (None, None | Some("")) => None,
        (None, Some("ort")) => Some(Backend::OnnxRuntime),
        (None, Some("tract")) => Some(Backend::Tract),
        (None, Some(other)) => return Err(RuntimeError::UnknownBackend(other.into())),
    };
    let device = match (options.device, env::var("TALKIE_DEVICE").ok().as_deref()) {
        (Some(device), _) => Some(device),
        (None, None | Some("")) => None,
        (None, Some(name)) => Some(name.parse()?),
    };
    let runtime = |backend, version: String, library, passed_over, environment| Runtime {
        backend,
        version,
        library,
        passed_over,
        environment,
        device,
        webgpu_library: options.webgpu_library.clone(),
        webgpu: OnceLock::new(),
    };
    let mut passed_over = Vec::new();
    if wanted != Some(Backend::Tract) {
        for path in candidates(options.library.clone(), "ORT_DYLIB_PATH", is_onnxruntime) {
            match probe(&path) {
                Ok(version) => {
                    let start_error = |reason| RuntimeError::Start { backend: Backend::OnnxRuntime, reason };
                    let builder = ort::init_from(&path).map_err(|error| start_error(error.to_string()))?;
                    let environment = build(builder, Backend::OnnxRuntime)?;
                    return Ok(runtime(Backend::OnnxRuntime, version, Some(path), passed_over, environment));
                }
                Err(reason) => {
                    log::warn!("ONNX Runtime at {} is passed over: {reason}", path.display());
                    passed_over.push(Attempt::library(path, reason));
                }
            }
        }
    }
    if wanted == Some(Backend::OnnxRuntime) {
        let hint = "; run `cargo xtask setup` or set ORT_DYLIB_PATH";
        return Err(RuntimeError::NotFound { tried: passed_over, hint });
    }
    let environment = start_tract(&passed_over)?;
    Ok(runtime(Backend::Tract, "embedded".into(), None, passed_over, environment))
}

#[cfg(feature = "tract")]
fn start_tract(_: &[Attempt]) -> Result<Environment, RuntimeError> {
    ort::set_api(tract_api::patched());
    build(ort::init(), Backend::Tract)
}

/// The interface of tract, without a leak.
///
/// `ort` 2.0.0-rc.14 asks for the type of every output of every run, and where that is a tensor it neither looks at the answer nor
/// gives it back. With tract everything is a tensor, so all it gets is a pointer to nothing in particular.
#[cfg(feature = "tract")]
mod tract_api {
    use ort::sys::{OrtApi, OrtStatusPtr, OrtTypeInfo, OrtValue};

    static UNREAD: u8 = 0;

    pub(super) fn patched() -> OrtApi {
        OrtApi { GetTypeInfo: type_of, ReleaseTypeInfo: release, ..ort_tract::api() }
    }

    fn unread() -> *mut OrtTypeInfo {
        (&raw const UNREAD).cast_mut().cast()
    }

    unsafe extern "system" fn type_of(_: *const OrtValue, out: *mut *mut OrtTypeInfo) -> OrtStatusPtr {
        // SAFETY: whoever calls this has room for the answer, as the interface demands.
        unsafe { *out = unread() };
        OrtStatusPtr::default()
    }

    unsafe extern "system" fn release(info: *mut OrtTypeInfo) {
        if info != unread() {
            // SAFETY: everything else comes from tract, and is given back once.
            unsafe { (ort_tract::api().ReleaseTypeInfo)(info) };
        }
    }
}

#[cfg(not(feature = "tract"))]
fn start_tract(passed_over: &[Attempt]) -> Result<Environment, RuntimeError> {
    let hint = "; run `cargo xtask setup`, set ORT_DYLIB_PATH, or build with the feature `tract`";
    Err(RuntimeError::NotFound { tried: passed_over.to_vec(), hint })
}

fn build(builder: ort::environment::EnvironmentBuilder, backend: Backend) -> Result<Environment, RuntimeError> {
    let environment = builder
        .with_name("talkie")
        .with_telemetry(false)
        .build()
        .map_err(|error| RuntimeError::Start { backend, reason: error.to_string() })?;
    if backend == Backend::OnnxRuntime {
        environment.set_log_level(LogLevel::Error);
    }
    Ok(environment)
}

/// Looks whether a library is an ONNX Runtime that is new enough, and tells its version.
///
/// `ort` itself remembers its first attempt to load for ever, so only a library that will do may reach it.
fn probe(path: &Path) -> Result<String, String> {
    // SAFETY: loading runs the library's initialisers; it is a file that the user put where ONNX Runtime belongs.
    let library = unsafe { libloading::Library::new(path) }.map_err(|error| error.to_string())?;
    // SAFETY: the C API declares this function with exactly this signature.
    let base = unsafe { library.get::<unsafe extern "C" fn() -> *const ort::sys::OrtApiBase>(b"OrtGetApiBase\0") };
    let base = base.map_err(|_| "it does not export `OrtGetApiBase`: this is not ONNX Runtime".to_owned())?;
    // SAFETY: the function takes nothing and gives a pointer to a static, or null.
    let base = unsafe { base().as_ref() }.ok_or("`OrtGetApiBase` gave nothing")?;
    // SAFETY: the string it points to is static and ends in zero.
    let version = unsafe { CStr::from_ptr((base.GetVersionString)()) }.to_string_lossy().into_owned();
    let minor = version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok()).unwrap_or(0);
    if version.starts_with("1.") && minor < ort::MINOR_VERSION {
        return Err(format!("its version {version} is too old; at least 1.{} is needed", ort::MINOR_VERSION));
    }
    Ok(version)
}
