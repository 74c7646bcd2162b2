//! How much two channels look alike.

use crate::animation::{CHANNEL_COUNT, FaceChannel};

/// The upper half of a symmetric matrix, row by row, as little-endian floats: `tests/characters` computes and compares it.
static LIKENESS: &[u8] = include_bytes!("likeness.f32");

/// The mean over the lips of the products of what two channels do to the first default character, in square millimetres; lids and brows
/// count a third, the rest of the face a thousandth. The scalar product in which shapes are fitted: what is looked at most counts most.
pub(super) fn likeness(a: FaceChannel, b: FaceChannel) -> f64 {
    let (row, column) = (a.index().min(b.index()), a.index().max(b.index()));
    let index = row * CHANNEL_COUNT - row * (row + 1) / 2 + column;
    LIKENESS.as_chunks::<4>().0.get(index).map_or(0.0, |bytes| f64::from(f32::from_le_bytes(*bytes)))
}
