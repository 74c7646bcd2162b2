//! Scores of known tracks on a known head.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![cfg(feature = "gltf")]

#[cfg(feature = "cli")]
mod command;
mod fixture;

use std::{
    fs,
    path::{Path, PathBuf},
};

use talkie::metrics::{Alignment, CLOSED_MM, ChannelCurves, ClipEvents, LipMesh, LipMeshError, Score};

/// What the evaluator in Python that defines these figures says of the files of [`fixture::write`], with its options
/// `--align DIR --tracks DIR --glb DIR/head.glb`: of the clips a, b and c, of all together, and of all with
/// `--auto-shift`, which takes out [`LAG_MS`]. Not a number: no figure.
const EXPECTED: [(&str, [f64; 5]); 26] = [
    ("bilabial_recall", [0.833333333, 1.0, 1.0, 0.9375, 0.9375]),
    ("bilabial_inner", [1.0, 1.0, 1.0, 1.0, 1.0]),
    ("false_closure", [0.111111111, 0.0, 0.0909090909, 0.0666666667, 0.0]),
    ("false_window", [0.444444444, 0.8, 0.363636364, 0.533333333, 0.6]),
    ("closure_auc", [0.888888889, 1.0, 0.945454545, 0.925, 0.915625]),
    ("closure_lag", [41.75, 55.0, 42.25, 43.0, 8.5]),
    ("labiodental", [f64::NAN, 1.0, 1.0, 1.0, 0.909090909]),
    ("labio_other", [0.5, 0.6, 0.7, 0.608695652, 0.652173913]),
    ("labio_dip", [f64::NAN, 0.6, 1.0, 0.636363636, 0.545454545]),
    ("vowel_r", [0.725820187, 0.521000954, 0.820798982, 0.658956873, 0.701753667]),
    ("rounding_auc", [0.863387978, 1.0, 1.0, 0.955107527, 1.0]),
    ("spread_auc", [0.964285714, 1.0, 0.96, 0.972307692, 1.0]),
    ("lag_ms", [32.9568958, 37.3391305, 34.5401937, 34.7811142, 0.0511795662]),
    ("track_r", [0.762369163, 0.72514703, 0.808186, 0.76615019, 0.767163762]),
    ("track_r0", [0.611720293, 0.567065354, 0.636757161, 0.605835797, 0.767163762]),
    ("sil_std", [0.0277561269, 0.033032651, 0.0459412715, 0.0360306672, 0.0320643629]),
    ("sil_level", [0.153942838, 0.154287916, 0.157806887, 0.155271367, 0.158266716]),
    ("range", [0.699244466, 0.738427915, 0.694647871, 0.711084539, 0.710806052]),
    ("jerk", [0.114525851, 0.108922559, 0.10685002, 0.110023415, 0.109465859]),
    ("bilabial_recall_mm", [0.833333333, 1.0, 0.8, 0.875, 0.875]),
    ("bilabial_inner_mm", [1.0, 1.0, 0.75, 0.923076923, 0.923076923]),
    ("false_closure_mm", [0.111111111, 0.0, 0.0, 0.0333333333, 0.0]),
    ("vowel_r_mm", [0.725099175, 0.522929279, 0.819539735, 0.659192727, 0.700970882]),
    ("range_mm", [21.5869304, 22.9323893, 21.4103821, 21.9871795, 21.9929699]),
    ("false_window_mm", [0.333333333, 0.4, 0.272727273, 0.333333333, 0.333333333]),
    ("closure_auc_mm", [0.796296296, 1.0, 0.909090909, 0.879166667, 0.852083333]),
];
const LAG_MS: f64 = 34.781_114_216;

/// The folder that holds the fixture after a test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fixture::write(&folder);
    folder
}

/// Compares figures with a column of [`EXPECTED`].
fn agrees(score: &serde_json::Value, column: usize) {
    for (name, values) in &EXPECTED {
        let figure = score.get(name).and_then(serde_json::Value::as_f64);
        let expected = values[column];
        let same =
            figure.map_or(expected.is_nan(), |figure| (figure - expected).abs() < 1e-6 * expected.abs().max(1.0));
        assert!(same, "{name} of column {column} is {figure:?}; expected {expected}");
    }
}

#[test]
fn figures_are_those_of_the_evaluator() {
    let folder = folder("figures");
    let lips = LipMesh::from_glb(&fs::read(folder.join("head.glb")).unwrap()).unwrap();
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let clips = ["a", "b", "c"].map(|name| {
        let said = Alignment::from_json(&read(&format!("{name}.json"))).unwrap();
        (said, ChannelCurves::from_csv(&read(&format!("{name}.csv"))).unwrap())
    });
    let measured = |shift: f64| {
        let measure = |(said, track): &(_, _)| ClipEvents::measure_on(&lips, CLOSED_MM, said, track, shift);
        clips.iter().map(measure).collect::<Vec<_>>()
    };
    let value = |score: Score| serde_json::to_value(score).unwrap();
    let events = measured(0.0);
    for (column, events) in events.iter().enumerate() {
        agrees(&value(Score::pooled([events])), column);
    }
    let total = Score::pooled(&events);
    let n = total.n;
    assert_eq!((n.clips, n.bilabials, n.inner, n.labiodentals, n.vowels), (3, 16, 13, 11, 60));
    let lag = total.lag_ms.unwrap();
    assert!((lag - LAG_MS).abs() < 1e-6);
    agrees(&value(total), 3);
    agrees(&value(Score::pooled(&measured(lag / 1e3))), 4);
}

#[test]
fn a_head_is_read_from_sparse_and_interleaved_shapes() {
    let lips = LipMesh::from_glb(&fixture::head()).unwrap();
    assert_eq!(lips.inner_lips(), [1, 4]);
    use talkie::animation::FaceChannel as C;
    let near = |value: f64, expected: f64| (value - expected).abs() < 1e-4;
    assert!(near(lips.rest_mm(), 0.5) && near(lips.opening_mm(C::JawOpen), 31.0));
    assert!(near(lips.opening_mm(C::MouthClose), -30.5) && near(lips.opening_mm(C::MouthFunnel), 8.0));
    assert!(near(lips.opening_mm(C::MouthPressLeft), -2.0) && lips.opening_mm(C::MouthPucker) == 0.0);
    let open = |channel| if channel == C::JawOpen { 0.5 } else { 0.0 };
    assert!(near(lips.aperture_mm(open), 15.5) && lips.aperture_mm(|_| 0.0) == 0.0);
}

#[test]
fn heads_that_cannot_be_read_say_why() {
    let error = |glb: &[u8]| LipMesh::from_glb(glb).unwrap_err();
    let glb = fixture::head();
    assert!(matches!(error(b""), LipMeshError::Glb(_)));
    assert!(matches!(error(b"glTF, but not really one"), LipMeshError::Glb(_)));
    assert!(matches!(error(&glb[..2_000]), LipMeshError::Glb(_)));
    // The same document with other words of the same length.
    let with = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let mut glb = glb.clone();
        let at = glb.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        glb[at..at + to.len()].copy_from_slice(to.as_bytes());
        error(&glb)
    };
    assert_eq!(with("targetNames", "targetTitle"), LipMeshError::NoTargetNames);
    assert_eq!(with("\"jawOpen", "\"jawShut"), LipMeshError::NoJawOpen);
    let said = with("\"mouth_close\",", "              ").to_string();
    assert!(said.contains("no primitive with a lip pair that jawOpen separates"), "{said}");
    let said = with("\"byteStride\":16", "\"byteStride\":99").to_string();
    assert!(said.contains("mesh \"face\", primitive 1: POSITION cannot be read"), "{said}");
    let said = with("\"byteLength\":72", "\"byteLength\":71").to_string();
    assert!(said.contains("primitive 1: POSITION of morph target 0"), "{said}");
    let said = with("5126,\"count\":6,", "5123,\"count\":6,").to_string();
    assert!(said.contains("primitive 0"), "{said}");
}

#[test]
fn no_damage_makes_it_panic() {
    let glb = fixture::head();
    let json = 20..20 + u32::from_le_bytes(glb[12..16].try_into().unwrap()) as usize;
    for at in json {
        for digit in [b'0', b'9'] {
            let mut glb = glb.clone();
            if glb[at].is_ascii_digit() {
                glb[at] = digit;
                let _ = LipMesh::from_glb(&glb);
            }
        }
    }
}
