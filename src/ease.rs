//! How things come and go.

/// From 0 to 1 with a smooth start and a smooth end, given how far it is on a straight way.
pub(crate) fn ease(share: f32) -> f32 {
    share * share * (3.0 - 2.0 * share)
}
