//! Running networks: ONNX Runtime found at run time, tract where there is none.

mod network;
mod runtime;

pub use network::{Network, NetworkError, NetworkSource, TensorInfo, TensorView};
pub use runtime::{Attempt, Backend, Runtime, RuntimeError, RuntimeOptions};
