//! The JSON files of a bundle.

use serde_json::{Map, Value, json};

use crate::{
    EMOTIONS, Family, HEARD_EMOTIONS, SAMPLE_RATE, SKIN_POSES, StandIn, TONGUE_POSES,
    data::SHOTS,
    head::{JAW_POINTS, Part},
};

/// Numbers of eye rotations in a result.
pub(crate) const EYES: usize = 4;
/// Numbers of jaw points in a result.
pub(crate) const JAW: usize = 3 * JAW_POINTS;

/// The name of a file of one identity: `bs_skin`, `npz` -> `bs_skin_Claire.npz`, or `bs_skin.npz` in a regression bundle.
pub(crate) fn file(family: Family, stem: &str, identity: &str, ending: &str) -> String {
    match family {
        Family::Diffusion => format!("{stem}_{identity}.{ending}"),
        _ => format!("{stem}.{ending}"),
    }
}

/// `model.json`.
pub(crate) fn model(options: &StandIn) -> Value {
    let named = |stem: &str, identity: &str, ending: &str| file(options.family, stem, identity, ending);
    let part = |stem: &str, identity: &str| {
        json!({
            "config": named(&format!("{stem}_config"), identity, "json"),
            "data": named(stem, identity, "npz"),
        })
    };
    let blendshapes =
        |identity: &str| json!({ "skin": part("bs_skin", identity), "tongue": part("bs_tongue", identity) });
    let all =
        |make: &dyn Fn(&str) -> Value| options.identities.iter().map(|identity| make(identity)).collect::<Vec<_>>();
    let mut model = json!({ "networkInfoPath": "network_info.json", "networkPath": "network.trt" });
    match options.family {
        Family::Regression => {
            model["emotionDatabasePath"] = "implicit_emo_db.npz".into();
            model["modelConfigPath"] = "model_config.json".into();
            model["modelDataPath"] = "model_data.npz".into();
            model["blendshapePaths"] = blendshapes("");
        }
        Family::Diffusion => {
            model["modelConfigPaths"] = all(&|identity| named("model_config", identity, "json").into()).into();
            model["modelDataPaths"] = all(&|identity| named("model_data", identity, "npz").into()).into();
            model["blendshapePaths"] = all(&blendshapes).into();
        }
        Family::Emotion => model["modelConfigPath"] = "model_config.json".into(),
    }
    model
}

/// `network_info.json`.
pub(crate) fn network_info(options: &StandIn) -> Value {
    let neutral = EMOTIONS.map(|_| 0.0);
    match options.family {
        Family::Regression => json!({
            "id": { "type": "regression", "output": "geometry", "actor": options.identities.first() },
            "params": {
                "explicit_emotions": EMOTIONS,
                "default_emotion": neutral,
                "implicit_emotion_len": options.implicit_emotion_len,
                "num_shapes_skin": options.skin_shapes,
                "num_shapes_tongue": options.tongue_shapes,
                "num_verts_skin": options.skin_vertices,
                "num_verts_tongue": options.tongue_vertices,
                "result_jaw_size": JAW,
                "result_eyes_size": EYES,
            },
            "audio_params": { "buffer_len": options.window, "buffer_ofs": options.offset, "samplerate": SAMPLE_RATE },
        }),
        Family::Diffusion => json!({
            "id": { "type": "diffusion", "output": "geometry" },
            "params": {
                "emotions": EMOTIONS,
                "default_emotion": neutral,
                "identities": options.identities,
                "skin_size": 3 * options.skin_vertices,
                "tongue_size": 3 * options.tongue_vertices,
                "jaw_size": JAW,
                "eyes_size": EYES,
                "num_diffusion_steps": options.steps,
                "num_gru_layers": options.gru_layers,
                "gru_latent_dim": options.gru_width,
                "num_frames_left_truncate": options.frames[0],
                "num_frames_center": options.frames[1],
                "num_frames_right_truncate": options.frames[2],
            },
            "audio_params": {
                "buffer_len": options.window,
                "padding_left": options.window,
                "padding_right": options.window,
                "samplerate": SAMPLE_RATE,
            },
        }),
        Family::Emotion => json!({ "emotions": HEARD_EMOTIONS, "audio_params": { "samplerate": SAMPLE_RATE } }),
    }
}

/// `model_config*.json` of a face.
pub(crate) fn animator(family: Family, identity: &str) -> Value {
    // Regression is as Mark's bundle has it, Claire of the diffusion bundle as that has it; for James and Mark the service
    // says what differs from her.
    let mark = family == Family::Regression;
    let (james_service, mark_service) = (!mark && identity == "James", !mark && identity == "Mark");
    let of = |regression: f64, claire: f64, james: f64, diffusion_mark: f64| match () {
        () if mark => regression,
        () if james_service => james,
        () if mark_service => diffusion_mark,
        () => claire,
    };
    let either = |regression: f64, diffusion: f64| of(regression, diffusion, diffusion, diffusion);
    let mut config = json!({
        "input_strength": of(1.3, 1.0, 1.0, 1.3),
        "lower_face_smoothing": of(0.0023, 0.006, 0.006, 0.0023),
        "upper_face_smoothing": 0.001,
        "lower_face_strength": of(1.4, 1.0, 1.2, 1.4),
        "upper_face_strength": 1.0,
        "face_mask_level": 0.6,
        "face_mask_softness": 0.0085,
        "skin_strength": of(1.1, 1.0, 1.0, 1.1),
        "blink_strength": 1.0,
        "eyelid_open_offset": of(0.06, 0.0, 0.06, 0.06),
        "lip_open_offset": of(-0.03, 0.0, -0.02, -0.03),
        "tongue_strength": of(1.5, 1.3, 1.3, 1.5),
        "tongue_height_offset": of(0.2, 0.0, 0.0, 0.2),
        "tongue_depth_offset": of(0.13, 0.0, 0.0, 0.13),
        "lower_teeth_strength": either(1.3, 1.0),
        "lower_teeth_height_offset": either(-0.1, 0.0),
        "lower_teeth_depth_offset": 0.0,
        "eyeballs_strength": 1.0,
        "saccade_strength": either(0.9, 0.6),
        "right_eye_rot_x_offset": 0.0,
        "right_eye_rot_y_offset": either(-2.0, 0.0),
        "left_eye_rot_x_offset": 0.0,
        "left_eye_rot_y_offset": either(2.0, 0.0),
        "eye_saccade_seed": 0.0,
    });
    if family == Family::Regression {
        config["source_shot"] = SHOTS[0].0.into();
        config["source_frame"] = 42.into();
    }
    json!({ "config": config })
}

/// `model_config.json` of Audio2Emotion.
pub(crate) fn emotion_processing() -> Value {
    let correspondence =
        HEARD_EMOTIONS.iter().zip([1, 3, 4, 6, -1, 9]).map(|(name, index)| ((*name).into(), index.into()));
    json!({ "post_processing_config": {
        "output_emotion_length": EMOTIONS.len(),
        "emotion_contrast": 1.0,
        "max_emotions": HEARD_EMOTIONS.len(),
        "live_blend_coef": 0.7,
        "enable_preferred_emotion": false,
        "preferred_emotion_strength": 0.5,
        "transition_smoothing": 0.5,
        "fixed_dt": 0.033,
        "emotion_strength": 0.6,
        "preferred_emotion": EMOTIONS.map(|_| 0.0),
        "emotion_correspondence": correspondence.collect::<Map<_, _>>(),
    }})
}

/// Pairs of poses that should be alike, in the order of their ids.
const PAIRS: [&str; 13] = [
    "eyeBlink",
    "eyeWide",
    "mouthSmile",
    "mouthFrown",
    "mouthDimple",
    "mouthStretch",
    "mouthPress",
    "mouthLowerDown",
    "mouthUpperUp",
    "browOuterUp",
    "browDown",
    "cheekSquint",
    "noseSneer",
];

/// How many vertices the official solvers work with, for skin and tongue, and the size of their template.
const OFFICIAL_SKIN: (usize, f64) = (10_085, 53.450_502_8);
const OFFICIAL_TONGUE: (usize, f64) = (5602, 7.935_866_3);

/// What is subtracted from a sum of squares over vertices is scaled by the inverse square of the template's size.
fn template_size((official, size): (usize, f64), vertices: usize) -> f64 {
    if vertices == official { size } else { size * (official as f64 / vertices.max(1) as f64).sqrt() }
}

/// `bs_skin_config*.json`.
pub(crate) fn skin_solver(options: &StandIn, skin: &Part) -> Value {
    let pair = |pose: &str| {
        let stem = pose.strip_suffix("Left").or_else(|| pose.strip_suffix("Right"));
        stem.and_then(|stem| PAIRS.iter().position(|pair| *pair == stem)).map_or(-1, |id| id as i64)
    };
    let active = |pose: &str| i64::from(!pose.starts_with("eyeLook") && pose != "tongueOut");
    let vertices = skin.frontal(options.frontal_vertices).len();
    json!({ "blendshape_params": {
        "strengthL1regularization": 0.5,
        "strengthL2regularization": 0.5,
        "strengthSymmetry": 100.0,
        "strengthTemporalSmoothing": 0.3,
        "templateBBSize": template_size(OFFICIAL_SKIN, vertices),
        "numPoses": SKIN_POSES.len(),
        "bsSolveActivePoses": SKIN_POSES.map(active).to_vec(),
        "bsSolveCancelPoses": SKIN_POSES.map(|_| -1).to_vec(),
        "bsSolveSymmetryPoses": SKIN_POSES.map(pair).to_vec(),
        "bsWeightMultipliers": SKIN_POSES.map(|_| 1.0).to_vec(),
        "bsWeightOffsets": SKIN_POSES.map(|_| 0.0).to_vec(),
    }})
}

/// `bs_tongue_config*.json`.
pub(crate) fn tongue_solver(options: &StandIn) -> Value {
    let mut multipliers = [1.0; TONGUE_POSES.len()];
    for (pose, multiplier) in [(0, 2.0), (4, 3.0), (13, 2.0)] {
        multipliers[pose] = multiplier;
    }
    json!({ "blendshape_params": {
        "strengthL1regularization": 1.0,
        "strengthL2regularization": 3.5,
        "strengthSymmetry": 100.0,
        "strengthTemporalSmoothing": 5.0,
        "templateBBSize": template_size(OFFICIAL_TONGUE, options.tongue_vertices),
        "numPoses": TONGUE_POSES.len(),
        "bsSolveActivePoses": TONGUE_POSES.map(|_| 1).to_vec(),
        "bsSolveCancelPoses": TONGUE_POSES.map(|_| -1).to_vec(),
        "bsSolveSymmetryPoses": TONGUE_POSES.map(|_| -1).to_vec(),
        "bsWeightMultipliers": multipliers,
        "bsWeightOffsets": TONGUE_POSES.map(|_| 0.0).to_vec(),
    }})
}

/// `trt_info.json`: how an engine would be built of the network. `width` is that of a diffusion result.
pub(crate) fn engine(options: &StandIn, width: usize) -> Value {
    let shapes = |batch: &str, length: &str| match options.family {
        Family::Regression => {
            let emotions = options.implicit_emotion_len + EMOTIONS.len();
            format!("input:{batch}x1x{},emotion:{batch}x1x{emotions}", options.window)
        }
        Family::Diffusion => {
            let (frames, centre) = (options.frames.iter().sum::<usize>(), options.frames[1]);
            format!(
                "window:{batch}x{},identity:{batch}x{},emotion:{batch}x{centre}x{},\
                 input_latents:{}x{}x{batch}x{},noise:{batch}x{}x{frames}x{width}",
                options.window,
                options.identities.len(),
                EMOTIONS.len(),
                options.steps,
                options.gru_layers,
                options.gru_width,
                options.steps + 1,
            )
        }
        Family::Emotion => format!("input_values:{batch}x{length}"),
    };
    let greatest = if options.family == Family::Diffusion { 8 } else { 128 };
    json!({
        "trt_build_param": { "batch": [
            format!("--minShapes={}", shapes("1", "5000")),
            format!("--optShapes={}", shapes("{OPT_BATCH_SIZE}", "30000")),
            format!("--maxShapes={}", shapes("{MAX_BATCH_SIZE}", "60000")),
        ]},
        "defaults": { "OPT_BATCH_SIZE": 1, "MAX_BATCH_SIZE": greatest },
    })
}
