//! The training framework of `talkie`: from a list of sentences to the bundle that makes a face speak.
//!
//! ```text
//!  sentences --> speech synthesisers --> corpus/   items: sound and the phones in it, offsets verified on the sound
//!                                           |
//!                 teacher/ phones -> curves | augment/ noise, rooms, microphones, other voices
//!                                           v
//!                                       training/  batches on worker threads, loss, checkpoints, validation
//!                                           v
//!                                       network/   causal dilated convolutions in matrix form (burn)
//!                                           v
//!                                       export/    ONNX with explicit state + model.json = a streaming bundle
//! ```
//!
//! Features are computed by `talkie` itself ([`talkie::model::features`]), so that training and playing never disagree;
//! quality is measured with [`talkie::metrics`].
//!
//! The whole recipe is one command, `cargo run --release -p talkie_train -- all`, and one file, `recipe.toml`
//! ([`config::Recipe`]). Every stage keeps what is done already and goes on from there.

pub mod augment;
pub mod config;
pub mod corpus;
pub mod evaluate;
pub mod export;
pub mod network;
pub mod report;
pub mod teacher;
pub mod training;
