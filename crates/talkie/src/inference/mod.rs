//! Running networks: ONNX Runtime found at run time, tract where there is none; on the CPU or on what else there is.

mod device;
mod library;
mod network;
mod provider;
mod runtime;
mod session;
mod webgpu;

#[cfg(test)]
mod tests;

pub use device::{Attempt, Device, UnknownDevice};
pub use network::{Network, NetworkError, NetworkSource, TensorInfo, TensorView};
pub use runtime::{Backend, Runtime, RuntimeError, RuntimeOptions};
