//! Where a network computes.

use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

/// Where a network computes. All but the CPU need ONNX Runtime, and the Cargo feature of their name.
///
/// A device that cannot be had is no failure: the network runs on the CPU then, a game still speaks, and the reason is on record
/// ([`Network::passed_over`](super::Network::passed_over)) and in the log. The same happens if a device is lost while it is used.
///
/// For networks as small as ours the CPU is the better choice even for dozens of speakers: a frame costs it a fraction of a
/// millisecond, and a GPU draws the game meanwhile. The official networks are a hundred times as large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Device {
    /// The first that can be had, of those that this program was built for: [`TensorRt`](Self::TensorRt), [`Cuda`](Self::Cuda),
    /// [`DirectMl`](Self::DirectMl), [`CoreMl`](Self::CoreMl), [`OpenVino`](Self::OpenVino), [`WebGpu`](Self::WebGpu),
    /// [`Cpu`](Self::Cpu).
    Auto,
    /// The processor. It is always there.
    Cpu,
    /// NVIDIA's compiler of networks, for their GPUs; what it leaves over is for CUDA. It prepares itself for every new size of a
    /// batch, which may take seconds.
    TensorRt,
    /// GPUs of NVIDIA.
    Cuda,
    /// GPUs of all vendors under Windows.
    DirectMl,
    /// Apple's neural engine and GPUs.
    CoreMl,
    /// Processors, GPUs and neural engines of Intel.
    OpenVino,
    /// GPUs of all vendors, by way of Vulkan, Direct3D or Metal, through a plugin of ONNX Runtime 1.24 or later (the shared library of
    /// the wheel `onnxruntime-ep-webgpu`). It is looked for where ONNX Runtime is:
    /// [`RuntimeOptions::webgpu_library`](super::RuntimeOptions::webgpu_library), `TALKIE_WEBGPU_LIBRARY`, beside the executable, in
    /// a folder `onnxruntime` beside or above it. Networks run on it one after another, those of different models too, which the plugin
    /// cannot do at once.
    WebGpu,
}

/// What [`Device::Auto`] tries before the CPU, best first.
const PREFERRED: [Device; 6] =
    [Device::TensorRt, Device::Cuda, Device::DirectMl, Device::CoreMl, Device::OpenVino, Device::WebGpu];

impl Device {
    /// Whether this program was built with what the device needs.
    pub const fn is_built_in(self) -> bool {
        match self {
            Self::Auto | Self::Cpu => true,
            Self::TensorRt => cfg!(feature = "tensorrt"),
            Self::Cuda => cfg!(feature = "cuda"),
            Self::DirectMl => cfg!(feature = "directml"),
            Self::CoreMl => cfg!(feature = "coreml"),
            Self::OpenVino => cfg!(feature = "openvino"),
            Self::WebGpu => cfg!(feature = "webgpu"),
        }
    }

    /// The devices to try before the CPU, in this order, where this one is wanted.
    pub(super) fn to_try(self) -> Vec<Self> {
        match self {
            Self::Auto => PREFERRED.into_iter().filter(|device| device.is_built_in()).collect(),
            Self::Cpu => Vec::new(),
            device => vec![device],
        }
    }

    /// What ONNX Runtime calls the provider.
    pub(super) const fn provider(self) -> &'static str {
        match self {
            Self::Auto | Self::Cpu => "CPUExecutionProvider",
            Self::TensorRt => "TensorrtExecutionProvider",
            Self::Cuda => "CUDAExecutionProvider",
            Self::DirectMl => "DmlExecutionProvider",
            Self::CoreMl => "CoreMLExecutionProvider",
            Self::OpenVino => "OpenVINOExecutionProvider",
            Self::WebGpu => "WebGpuExecutionProvider",
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "Auto",
            Self::Cpu => "CPU",
            Self::TensorRt => "TensorRT",
            Self::Cuda => "CUDA",
            Self::DirectMl => "DirectML",
            Self::CoreMl => "CoreML",
            Self::OpenVino => "OpenVINO",
            Self::WebGpu => "WebGPU",
        })
    }
}

/// A name that is no device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no device; expected auto, cpu, tensorrt, cuda, directml, coreml, openvino or webgpu")]
pub struct UnknownDevice(String);

impl FromStr for Device {
    type Err = UnknownDevice;

    /// Reads a name in any case: `auto`, `cpu`, `tensorrt`, `cuda`, `directml`, `coreml`, `openvino`, `webgpu`.
    fn from_str(name: &str) -> Result<Self, UnknownDevice> {
        [Self::Auto, Self::Cpu]
            .into_iter()
            .chain(PREFERRED)
            .find(|device| device.to_string().eq_ignore_ascii_case(name))
            .ok_or_else(|| UnknownDevice(name.to_owned()))
    }
}

/// Something that was tried and passed over: a library, a device, or a library that a device needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The device that was wanted; none where it was about the engine itself.
    pub device: Option<Device>,
    /// The library that was tried, if it came to that.
    pub path: Option<PathBuf>,
    /// Why it was not taken.
    pub reason: String,
}

impl Attempt {
    pub(super) fn library(path: PathBuf, reason: String) -> Self {
        Self { device: None, path: Some(path), reason }
    }

    pub(super) fn device(device: Device, reason: impl Into<String>) -> Self {
        Self { device: Some(device), path: None, reason: reason.into() }
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(device) = self.device {
            write!(f, "{device}: ")?;
        }
        if let Some(path) = &self.path {
            write!(f, "{}: ", path.display())?;
        }
        f.write_str(&self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_case_and_others_are_refused_with_those_that_exist() {
        for device in [Device::Auto, Device::Cpu].into_iter().chain(PREFERRED) {
            assert_eq!(device.to_string().parse(), Ok(device));
            assert_eq!(device.to_string().to_lowercase().parse(), Ok(device));
            let json = serde_json::to_string(&device).unwrap();
            assert_eq!(json, format!("\"{}\"", device.to_string().to_lowercase()));
        }
        let refused = "abacus".parse::<Device>().unwrap_err().to_string();
        assert!(refused.contains("\"abacus\"") && refused.contains("webgpu"), "{refused}");
    }

    #[test]
    fn auto_tries_what_is_built_in_and_in_this_order() {
        let all = ["TensorRT", "CUDA", "DirectML", "CoreML", "OpenVINO", "WebGPU"];
        assert_eq!(PREFERRED.map(|device| device.to_string()), all);
        let tried = Device::Auto.to_try();
        assert!(tried.iter().all(|device| device.is_built_in()));
        assert_eq!(tried.len(), PREFERRED.iter().filter(|device| device.is_built_in()).count());
        assert_eq!(Device::Cpu.to_try(), []);
        assert_eq!(Device::Cuda.to_try(), [Device::Cuda]);
    }
}
