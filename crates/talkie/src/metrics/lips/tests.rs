//! A face of a few vertices whose lips are known.

use proptest::prelude::*;

use super::*;
use crate::metrics::ChannelError;

/// Rows of three vertices: upper lip, lower lip 0.4 mm below, brow, chin.
const ROWS: [f32; 4] = [0.0402, 0.0398, 0.06, 0.0];

fn positions() -> Vec<[f32; 3]> {
    ROWS.iter().flat_map(|y| [-0.02, 0.0, 0.02].map(|x| [x, *y, 0.1])).collect()
}

/// Moves each row by so much.
fn shape(rows: [[f32; 3]; 4]) -> Vec<[f32; 3]> {
    rows.iter().flat_map(|row| [*row; 3]).collect()
}

fn shapes() -> Vec<(C, Vec<[f32; 3]>)> {
    let still = [0.0; 3];
    vec![
        (C::JawOpen, shape([still, [0.0, -0.03, 0.0], still, [0.0, -0.02, 0.0]])),
        (C::MouthClose, shape([still, [0.0, 0.03, 0.0], still, [0.0, 0.001, 0.0]])),
        (C::MouthPucker, shape([[0.0, 0.0, 0.004], [0.0, 0.0, 0.004], still, still])),
        (C::MouthUpperUpLeft, shape([[0.0, 0.006, 0.0], still, still, still])),
        (C::BrowInnerUp, shape([still, still, [0.0, 0.01, 0.0], still])),
    ]
}

fn face() -> LipMesh {
    LipMesh::new(&positions(), &shapes()).expect("a face with lips")
}

fn constant(weights: &[(C, f32)]) -> ChannelCurves {
    let columns = weights.iter().map(|(channel, weight)| (*channel, vec![*weight; 2])).collect();
    ChannelCurves::new(vec![0.0, 1.0], columns).expect("well-formed curves")
}

#[test]
fn inner_lips_are_found_and_measured() {
    let face = face();
    assert_eq!(face.inner_lips(), [1, 4]);
    assert_eq!(face.lip_vertices(), [0, 1, 2, 3, 4, 5]);
    let near = |value: f64, expected: f64| (value - expected).abs() < 1e-4;
    assert!(near(face.rest_mm(), 0.4) && near(face.opening_mm(C::JawOpen), 30.0));
    assert!(near(face.opening_mm(C::MouthClose), -30.0) && face.opening_mm(C::BrowInnerUp) == 0.0);
    let opening = |jaw: f64, close: f64| {
        face.aperture_mm(|channel| match channel {
            C::JawOpen => jaw,
            C::MouthClose => close,
            _ => 0.0,
        })
    };
    assert!(near(opening(0.5, 0.0), 15.0) && near(opening(0.5, 0.5), 0.0) && opening(0.0, 1.0) == 0.0);
}

#[test]
fn vertex_errors_are_distances_in_millimetres() {
    let error = |ours: &[(C, f32)], theirs: &[(C, f32)]| {
        face().vertex_error([(&constant(ours), &constant(theirs))]).expect("they overlap")
    };
    // Half of what the jaw does to the lower lip is 15 mm; the upper lip is still.
    let jaw = error(&[(C::JawOpen, 0.7)], &[(C::JawOpen, 0.2)]);
    assert!((jaw.largest_mm - 15.0).abs() < 1e-3 && (jaw.mean_mm - 7.5).abs() < 1e-3, "{jaw:?}");
    // Both lips forward by 4 mm, the upper up by 6 as well: 3-4-5 of half of it.
    let both = error(&[(C::MouthPucker, 1.0), (C::MouthUpperUpLeft, 0.5)], &[]);
    assert!((both.largest_mm - 5.0).abs() < 1e-3 && (both.mean_mm - 4.5).abs() < 1e-3, "{both:?}");
    // Brows are no lips.
    assert_eq!(error(&[(C::BrowInnerUp, 1.0)], &[]), LipVertexError { largest_mm: 0.0, mean_mm: 0.0 });
}

#[test]
fn tracks_that_never_meet_have_no_error() {
    let early = constant(&[(C::JawOpen, 1.0)]);
    let late = ChannelCurves::new(vec![2.0, 3.0], vec![(C::JawOpen, vec![0.0; 2])]).expect("well-formed curves");
    assert_eq!(face().vertex_error([(&early, &late)]), None);
    assert_eq!(ChannelError::between([(&early, &late)]), []);
    // Pooled with a pair that does meet, it counts nothing.
    let alone = face().vertex_error([(&early, &constant(&[]))]);
    assert_eq!(face().vertex_error([(&early, &late), (&early, &constant(&[]))]), alone);
}

#[test]
fn channel_errors_are_means_over_time() {
    let ramp = ChannelCurves::new(vec![0.0, 1.0], vec![(C::JawOpen, vec![0.0, 1.0])]).expect("well-formed curves");
    let errors = ChannelError::between([(&ramp, &constant(&[(C::MouthFunnel, 0.25)]))]);
    assert_eq!(errors.len(), 2);
    assert_eq!((errors[0].channel, errors[1].channel), (C::JawOpen, C::MouthFunnel));
    assert!((errors[0].mean_absolute - 0.5).abs() < 1e-9);
    assert!((errors[0].root_mean_square - (1f64 / 3.0).sqrt()).abs() < 2e-3);
    assert!((errors[1].mean_absolute - 0.25).abs() < 1e-9 && (errors[1].root_mean_square - 0.25).abs() < 1e-9);
}

#[test]
fn heads_without_lips_are_named() {
    let text = |positions: &[[f32; 3]], shapes: &[(C, Vec<[f32; 3]>)]| {
        LipMesh::new(positions, shapes).expect_err("refused").to_string()
    };
    assert!(text(&positions(), &shapes()[1..]).contains("no morph target `jawOpen`"));
    assert!(text(&positions()[1..], &shapes()).contains("jawOpen displaces 12 vertices of 11"));
    let pair = "no primitive with a lip pair that jawOpen separates";
    let still = (C::JawOpen, vec![[0.0; 3]; 12]);
    assert!(text(&positions(), &[still]).contains(pair));
    let in_centimetres: Vec<[f32; 3]> = positions().iter().map(|position| position.map(|v| v * 100.0)).collect();
    assert!(text(&in_centimetres, &shapes()).contains(pair));
    assert!(text(&[], &[(C::JawOpen, Vec::new())]).contains(pair));
}

proptest! {
    #[test]
    fn a_track_has_no_distance_from_itself_and_any_other_has_one(jaw in 0f32..1.0, pucker in 0f32..1.0, more in 0.01f32..1.0) {
        let track = constant(&[(C::JawOpen, jaw), (C::MouthPucker, pucker)]);
        let other = constant(&[(C::JawOpen, jaw), (C::MouthPucker, pucker + more)]);
        let face = face();
        prop_assert_eq!(face.vertex_error([(&track, &track)]), Some(LipVertexError { largest_mm: 0.0, mean_mm: 0.0 }));
        let error = face.vertex_error([(&track, &other)]).expect("they overlap");
        prop_assert!(error.largest_mm >= error.mean_mm && error.mean_mm > 0.0);
        prop_assert_eq!(face.vertex_error([(&other, &track)]), Some(error));
    }
}
