//! From a device to a session: the execution providers of ONNX Runtime.

use ort::{
    environment::Environment,
    session::{
        Session,
        builder::{AutoDevicePolicy, SessionBuilder},
    },
};

use super::{Attempt, Backend, Device, NetworkSource, Runtime, session::DeviceSession};

/// What a session is opened with, kept as long as it may have to be opened again.
#[derive(Debug, Clone)]
pub(super) struct Opening {
    environment: Environment,
    backend: Backend,
    threads: usize,
}

/// A session that was opened.
pub(super) struct Opened {
    pub(super) session: DeviceSession,
    /// How many nodes of the graph the device computes, of how many, where it is not the CPU.
    pub(super) nodes: Option<(usize, usize)>,
    pub(super) passed_over: Vec<Attempt>,
}

impl Opening {
    pub(super) fn new(runtime: &Runtime, threads: usize) -> Self {
        Self { environment: runtime.environment().clone(), backend: runtime.backend(), threads: threads.max(1) }
    }

    /// Opens a session on the wanted device, or else on the CPU. Fails with what the engine says where even that does not work.
    pub(super) fn open(
        &self,
        runtime: &Runtime,
        source: NetworkSource<'_>,
        wanted: Device,
    ) -> Result<Opened, ort::Error> {
        let mut passed_over = Vec::new();
        for device in wanted.to_try() {
            match self.open_on(runtime, source, device) {
                Ok((session, nodes)) => return Ok(Opened { session, nodes: Some(nodes), passed_over }),
                Err(attempts) => passed_over.extend(attempts),
            }
        }
        Ok(Opened { session: self.open_on_cpu(source)?, nodes: None, passed_over })
    }

    /// Opens a session on the CPU.
    pub(super) fn open_on_cpu(&self, source: NetworkSource<'_>) -> Result<DeviceSession, ort::Error> {
        let mut builder = self.builder()?;
        if self.backend == Backend::OnnxRuntime {
            // Otherwise it might choose a plugin that was registered for another network.
            builder = builder.with_auto_device(AutoDevicePolicy::PreferCPU)?;
        }
        DeviceSession::open(Device::Cpu, || commit(&mut builder, source))
    }

    fn builder(&self) -> Result<SessionBuilder, ort::Error> {
        let builder = Session::builder(&self.environment)?;
        if self.backend != Backend::OnnxRuntime {
            return Ok(builder);
        }
        Ok(builder.with_intra_threads(self.threads)?.with_inter_threads(1)?)
    }

    fn open_on(
        &self,
        runtime: &Runtime,
        source: NetworkSource<'_>,
        device: Device,
    ) -> Result<(DeviceSession, (usize, usize)), Vec<Attempt>> {
        let passed_over = |reason: String| vec![Attempt::device(device, reason)];
        if !device.is_built_in() {
            let feature = device.to_string().to_lowercase();
            return Err(passed_over(format!("this program was built without the feature `{feature}`")));
        }
        if self.backend != Backend::OnnxRuntime {
            return Err(passed_over(format!("{} computes on the CPU only", self.backend)));
        }
        let failed = |error: ort::Error| passed_over(one_line(&error.to_string()));
        let builder = self.builder().map_err(failed)?;
        let builder = builder.with_config_entry("session.record_ep_graph_assignment_info", "1");
        let builder = builder.map_err(|error| failed(error.into()))?;
        let mut builder = match device {
            Device::WebGpu => runtime.with_webgpu(builder)?,
            _ => with_provider(builder, device).map_err(passed_over)?,
        };
        let session = DeviceSession::open(device, || commit(&mut builder, source)).map_err(failed)?;
        match placement::nodes(session.get(), device.provider()).map_err(failed)? {
            (0, all) => Err(passed_over(format!("it can compute none of the {all} nodes of the network"))),
            nodes => Ok((session, nodes)),
        }
    }
}

fn commit(builder: &mut SessionBuilder, source: NetworkSource<'_>) -> Result<Session, ort::Error> {
    match source {
        NetworkSource::Bytes(onnx) => builder.commit_from_memory(onnx),
        NetworkSource::File(path) => builder.commit_from_file(path),
    }
}

/// Adds a provider that is a part of ONNX Runtime, or lies beside it.
fn with_provider(builder: SessionBuilder, device: Device) -> Result<SessionBuilder, String> {
    match device {
        #[cfg(feature = "tensorrt")]
        Device::TensorRt => {
            let builder = add::<ort::ep::TensorRT>(builder)?;
            // TensorRT comes first; what it leaves over goes to CUDA, which it needs anyway.
            add::<ort::ep::CUDA>(builder)
        }
        #[cfg(feature = "cuda")]
        Device::Cuda => add::<ort::ep::CUDA>(builder),
        #[cfg(feature = "directml")]
        Device::DirectMl => match cfg!(windows) {
            true => add::<ort::ep::DirectML>(builder),
            false => Err("there is DirectML on Windows only".into()),
        },
        #[cfg(feature = "coreml")]
        Device::CoreMl => match cfg!(target_vendor = "apple") {
            true => add::<ort::ep::CoreML>(builder),
            false => Err("there is CoreML on systems of Apple only".into()),
        },
        #[cfg(feature = "openvino")]
        Device::OpenVino => add::<ort::ep::OpenVINO>(builder),
        _ => {
            drop(builder);
            Err("this program was built without it".into())
        }
    }
}

#[cfg(any(feature = "tensorrt", feature = "cuda", feature = "directml", feature = "coreml", feature = "openvino"))]
fn add<P: ort::ep::ExecutionProvider + Default>(mut builder: SessionBuilder) -> Result<SessionBuilder, String> {
    if !P::is_available().unwrap_or(false) {
        return Err(format!("the ONNX Runtime in use was built without {}", P::NAME));
    }
    P::default().register(&mut builder).map_err(|error| one_line(&error.to_string()))?;
    Ok(builder)
}

/// What an engine says, without the line breaks and the places in its source.
pub(super) fn one_line(reason: &str) -> String {
    reason.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Which provider computes which node, as ONNX Runtime tells.
mod placement {
    use std::{
        ffi::{CStr, c_char},
        ptr,
    };

    use ort::{AsPointer as _, Error, session::Session};

    /// How many nodes of the graph this provider computes, of how many.
    pub(super) fn nodes(session: &Session, provider: &str) -> Result<(usize, usize), Error> {
        let api = ort::api();
        let (mut parts, mut count) = (ptr::null(), 0);
        // SAFETY: the session is alive, and there is room for both answers.
        unsafe {
            Error::result_from_status((api.Session_GetEpGraphAssignmentInfo)(session.ptr(), &mut parts, &mut count))?;
        }
        let (mut its, mut all) = (0, 0);
        for index in 0..count {
            // SAFETY: the engine gave an array of this length, which belongs to the session.
            let part = unsafe { *parts.add(index) };
            let mut name: *const c_char = ptr::null();
            let (mut nodes, mut len) = (ptr::null(), 0);
            // SAFETY: the part belongs to the session, which is alive; there is room for the answers.
            unsafe {
                Error::result_from_status((api.EpAssignedSubgraph_GetEpName)(part, &mut name))?;
                Error::result_from_status((api.EpAssignedSubgraph_GetNodes)(part, &mut nodes, &mut len))?;
            }
            all += len;
            // SAFETY: the name was given without an error: a string that ends in zero and belongs to the session.
            if !name.is_null() && unsafe { CStr::from_ptr(name) }.to_bytes() == provider.as_bytes() {
                its += len;
            }
        }
        Ok((its, all))
    }
}
