//! `talkie eval`, as a shell sees it.

use std::process::{Command, Output};

use serde_json::{Value, json};

use super::*;

fn eval(arguments: &[&str]) -> Output {
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tiny");
    Command::new(env!("CARGO_BIN_EXE_talkie"))
        .arg("eval")
        .args(arguments)
        .env("TALKIE_MODEL", tiny)
        .env("TALKIE_BACKEND", "tract")
        .output()
        .unwrap()
}

/// What it prints and what it writes.
fn report(folder: &Path, arguments: &[&str]) -> (String, Value) {
    let json = folder.join("report.out");
    let output = eval(&[&[folder.to_str().unwrap(), "--json", json.to_str().unwrap()], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (String::from_utf8(output.stdout).unwrap(), serde_json::from_slice(&fs::read(json).unwrap()).unwrap())
}

fn fails(output: &Output, code: i32, parts: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for part in parts {
        assert!(said.contains(part), "expected {part:?} in: {said}");
    }
}

/// A folder with `NAME.wav` of so many seconds and `NAME.json`.
fn recording(folder: &Path, name: &str, seconds: f32) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 22_050,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(folder.join(name).with_extension("wav"), spec).unwrap();
    for i in 0..(22_050.0 * seconds) as usize {
        let swell = (i as f32 * 0.0005).sin().max(0.0);
        writer.write_sample(((i as f32 * 0.05).sin() * swell * 9_000.0) as i16).unwrap();
    }
    writer.finalize().unwrap();
    let phones = json!([
        ["SIL", 0.0, 0.2],
        ["AA", 0.2, 0.35],
        ["P", 0.35, 0.45],
        ["IY", 0.45, 0.55],
        ["T", 0.55, 0.6],
        ["UW", 0.6, 0.8]
    ]);
    fs::write(folder.join(name).with_extension("json"), json!({"phones": phones}).to_string()).unwrap();
}

#[test]
fn ready_tracks_score_as_the_evaluator_says() {
    let folder = folder("command");
    let (tracks, head) = (folder.to_str().unwrap(), folder.join("head.glb"));
    fs::write(folder.join("notes.json"), r#"{"this": "is no alignment"}"#).unwrap();
    let (said, figures) = report(&folder, &["--tracks", tracks, "--face", head.to_str().unwrap()]);
    for (column, clip) in ["a", "b", "c"].into_iter().enumerate() {
        agrees(&figures["clips"][clip], column);
    }
    agrees(&figures["total"], 3);
    assert_eq!(figures["conditions"], json!({"clean": {"total": figures["total"], "clips": figures["clips"]}}));
    assert_eq!(figures["head"]["vertices"], json!([1, 4]));
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 6, "{said}");
    assert!(lines[0].contains("bilab   inner  falseC  falseW   clAUC") && lines[0].contains("AUC_mm  rng_mm"));
    assert!(lines[4].starts_with("total") && lines[5].contains("16 bilabials (13 inner)"));
    assert!(lines[1].split_whitespace().any(|cell| cell == "-"), "clip a has no F and no V");

    let (_, figures) = report(&folder, &["--tracks", tracks, "--face", head.to_str().unwrap(), "--auto-shift"]);
    agrees(&figures["total"], 4);
    assert!((figures["shift_ms"].as_f64().unwrap() - LAG_MS).abs() < 1e-6);
    let (_, same) = report(&folder, &["--tracks", tracks, "--shift", &LAG_MS.to_string()]);
    assert!(
        (same["total"]["track_r0"].as_f64().unwrap() - figures["total"]["track_r0"].as_f64().unwrap()).abs() < 1e-6
    );
    assert!(same["total"]["range_mm"].is_null() && same.get("head").is_none());
}

#[test]
fn another_limit_closes_other_mouths() {
    let folder = folder("limit");
    let (tracks, head) = (folder.to_str().unwrap(), folder.join("head.glb"));
    let recall = |limit: &str| {
        let arguments = ["--tracks", tracks, "--face", head.to_str().unwrap(), "--close-mm", limit];
        report(&folder, &arguments).1["total"]["bilabial_recall_mm"].as_f64().unwrap()
    };
    assert!(recall("0") < recall("1.5") && recall("1.5") < recall("40") && recall("40") == 1.0);
}

#[test]
fn a_reference_shows_how_far_off_channels_and_lips_are() {
    let (folder, other) = (folder("reference"), folder("reference/other"));
    for name in ["a", "b", "c"] {
        let path = other.join(name).with_extension("csv");
        let track = fs::read_to_string(&path).unwrap();
        let shut = track.lines().enumerate().map(|(index, line)| {
            let mut cells: Vec<&str> = line.split(',').collect();
            if index > 0 {
                cells[3] = "0.5";
            }
            cells.join(",") + "\n"
        });
        let shut: String = shut.collect();
        fs::write(path, shut).unwrap();
    }
    let head = folder.join("head.glb");
    let arguments = [
        "--tracks",
        folder.to_str().unwrap(),
        "--face",
        head.to_str().unwrap(),
        "--reference",
        other.to_str().unwrap(),
    ];
    let (said, figures) = report(&folder, &arguments);
    assert!(said.contains("lip vertex error: largest") && said.contains("mouthFunnel"), "{said}");
    let total = &figures["reference"]["total"];
    let funnel = total["channels"]["mouthFunnel"]["mean_absolute"].as_f64().unwrap();
    assert!((0.2..0.5).contains(&funnel), "{funnel}");
    assert_eq!(total["channels"]["jawOpen"], json!({"mean_absolute": 0.0, "root_mean_square": 0.0}));
    // The upper inner lip moves furthest: 7.8 mm at a full funnel.
    let largest = total["lip_vertex_error"]["largest_mm"].as_f64().unwrap();
    assert!((largest - funnel * (0.005f64.powi(2) + 0.006f64.powi(2)).sqrt() * 1e3).abs() < 1e-3, "{largest}");
    assert!(figures["reference"]["clips"]["b"]["lip_vertex_error"]["mean_mm"].as_f64().unwrap() > 0.0);
}

#[test]
fn conditions_are_compared_with_clean() {
    let folder = tempfile::tempdir().unwrap();
    recording(folder.path(), "one", 1.0);
    recording(folder.path(), "two", 1.2);
    let (said, figures) = report(folder.path(), &[]);
    let conditions = figures["conditions"].as_object().unwrap();
    assert_eq!(conditions.keys().collect::<Vec<_>>(), ["clean", "noise", "phone", "room"]);
    for (condition, scores) in conditions {
        assert_eq!(scores["clips"].as_object().unwrap().keys().collect::<Vec<_>>(), ["one", "two"], "{condition}");
        assert_eq!(scores["total"]["n"]["clips"], 2);
    }
    assert_eq!(conditions["clean"]["total"], figures["total"]);
    assert_ne!(conditions["noise"]["total"], figures["total"]);
    let row = |name: &str| said.lines().find(|line| line.starts_with(name)).unwrap();
    assert!(said.contains("+-clAUC+-bilab+-round") || said.contains(" +-clAUC +-bilab +-round"), "{said}");
    assert!(row("clean").ends_with("    +0.0    +0.0    +0.0"), "{said}");
    assert!(row("room").split_whitespace().count() > 10);

    let (said, few) = report(folder.path(), &["--conditions", "phone"]);
    assert_eq!(few["conditions"].as_object().unwrap().keys().collect::<Vec<_>>(), ["clean", "phone"]);
    assert_eq!(few["conditions"]["phone"], figures["conditions"]["phone"]);
    assert!(!said.contains("\nnoise"));
    let (said, clean) = report(folder.path(), &["--conditions", "clean"]);
    assert_eq!(clean["total"], figures["total"]);
    assert!(!said.contains("each condition"));
}

#[test]
fn what_cannot_be_scored_is_named() {
    let folder = folder("broken");
    let (text, head) = (folder.to_str().unwrap(), folder.join("head.glb"));
    let head = head.to_str().unwrap();
    let scored = |more: &[&str]| eval(&[&[text, "--tracks", text], more].concat());
    fails(&eval(&["/nowhere"]), 1, &["/nowhere"]);
    fails(&eval(&[text]), 1, &["no recording with an alignment"]);
    fails(&scored(&["--face", "/nowhere.glb"]), 1, &["/nowhere.glb"]);
    let csv = folder.join("a.csv");
    fails(&scored(&["--face", csv.to_str().unwrap()]), 1, &["a.csv", "not a usable GLB file"]);
    fails(&scored(&["--close-mm", "1"]), 2, &["--face"]);
    fails(&scored(&["--face", head, "--close-mm", "-1"]), 2, &["0 to 100 mm"]);
    fails(&scored(&["--shift", "1", "--auto-shift"]), 2, &["--auto-shift"]);
    fails(&scored(&["--conditions", "noise"]), 2, &["--tracks"]);
    fails(&eval(&[text, "--conditions", "moon"]), 2, &["moon", "clean, noise, phone, room"]);
    fs::write(&csv, "time,jawOpen\n0,0\n").unwrap();
    fails(&scored(&[]), 1, &["a.csv", "1 frames; at least 2"]);
    fs::write(&csv, "time,jawOpen\n0,0\n1,0\n").unwrap();
    let early = scored(&[]);
    assert!(early.status.success() && String::from_utf8_lossy(&early.stderr).contains("a: the track ends at 1.00 s"));
    fs::remove_file(folder.join("a.csv")).unwrap();
    fs::remove_file(folder.join("c.csv")).unwrap();
    fails(&scored(&[]), 1, &["no track a.csv, c.csv"]);
    fs::write(folder.join("a.json"), r#"{"phones": []}"#).unwrap();
    fails(&scored(&[]), 1, &["a.json", "no phones"]);

    let recordings = tempfile::tempdir().unwrap();
    recording(recordings.path(), "short", 0.01);
    fails(&eval(&[recordings.path().to_str().unwrap()]), 1, &["short.wav", "at least 2"]);
}
