//! Writes networks in the format of ONNX: the few [`messages`] that are needed, and a [`Graph`] that is built node by node.

mod graph;
pub mod messages;

pub use graph::{Attribute, Graph, GraphError, IR_VERSION, OPSET};
pub use messages::Dimension;
