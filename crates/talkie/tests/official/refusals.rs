//! Bundles that are wrong, and what is said about them.

use super::*;

/// A bundle, changed and loaded again.
fn refusal(family: Family, change: impl FnOnce(&Path)) -> String {
    let folder = bundle(family);
    change(folder.path());
    let error = if family == Family::Emotion {
        EmotionModel::load_dir(folder.path(), EmotionModelOptions::default(), Runtime::global()).map(drop).unwrap_err()
    } else {
        FaceModel::load_dir(folder.path(), Runtime::global()).map(drop).unwrap_err()
    };
    error.to_string()
}

fn edit(path: &Path, change: impl FnOnce(&mut serde_json::Value)) {
    let mut json = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    change(&mut json);
    fs::write(path, serde_json::to_vec(&json).unwrap()).unwrap();
}

/// Paths to all keys of objects within a value, as JSON pointers.
fn keys(json: &serde_json::Value, at: &str, found: &mut Vec<String>) {
    match json {
        serde_json::Value::Object(object) => {
            for (key, value) in object {
                let path = format!("{at}/{key}");
                keys(value, &path, found);
                found.push(path);
            }
        }
        serde_json::Value::Array(values) => {
            values.iter().enumerate().for_each(|(index, value)| keys(value, &format!("{at}/{index}"), found));
        }
        _ => {}
    }
}

/// What the official runtime does not read, or does without.
const SPARE: [&str; 8] = [
    "templateBBSize",
    "padding_right",
    "blendshapePaths",
    "trt",
    "modelDataPath",
    "emotionDatabasePath",
    "modelConfigPath",
    "beginning_emotion",
];

#[test]
fn every_key_that_is_needed_is_missed_by_name() {
    for family in [Family::Regression, Family::Diffusion, Family::Emotion] {
        let names: Vec<String> = fs::read_dir(bundle(family).path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".json") && !name.starts_with("trt"))
            .collect();
        let mut refused = 0;
        for name in names {
            let whole: serde_json::Value =
                serde_json::from_slice(&fs::read(bundle(family).path().join(&name)).unwrap()).unwrap();
            let mut paths = Vec::new();
            keys(&whole, "", &mut paths);
            for path in paths {
                let (parent, key) = path.rsplit_once('/').unwrap();
                if SPARE.contains(&key) || path.contains("/blendshapePaths/") {
                    continue;
                }
                let folder = bundle(family);
                edit(&folder.path().join(&name), |json| {
                    json.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key);
                });
                let error = if family == Family::Emotion {
                    EmotionModel::load_dir(folder.path(), EmotionModelOptions::default(), Runtime::global()).map(drop)
                } else {
                    FaceModel::load_dir(folder.path(), Runtime::global()).map(drop)
                };
                match error {
                    Err(error) => {
                        let error = error.to_string();
                        assert!(
                            error.contains(key) && error.contains(&name),
                            "{family:?}, {name} without {path}: {error}"
                        );
                        refused += 1;
                    }
                    Ok(()) => panic!("{family:?}: {name} without {path} loads"),
                }
            }
        }
        println!("{family:?}: {refused} keys");
    }
}

#[test]
fn files_that_are_missing_cyclic_or_something_else_are_named() {
    for family in [Family::Regression, Family::Diffusion, Family::Emotion] {
        let names: Vec<String> = fs::read_dir(bundle(family).path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "trt_info.json")
            .collect();
        for name in &names {
            let error = refusal(family, |folder| fs::remove_file(folder.join(name)).unwrap());
            assert!(error.contains(name.as_str()), "without {name}: {error}");
            let error = refusal(family, |folder| fs::write(folder.join(name), b"not what it should be").unwrap());
            assert!(error.contains(name.as_str()), "another {name}: {error}");
            let error = refusal(family, |folder| fs::write(folder.join(name), b"").unwrap());
            assert!(error.contains(name.as_str()), "an empty {name}: {error}");
            #[cfg(unix)]
            {
                // A file that is a link to itself, and one that is a folder.
                let error = refusal(family, |folder| {
                    fs::remove_file(folder.join(name)).unwrap();
                    std::os::unix::fs::symlink(name, folder.join(name)).unwrap();
                });
                assert!(error.contains(name.as_str()), "a cyclic {name}: {error}");
                let error = refusal(family, |folder| {
                    fs::remove_file(folder.join(name)).unwrap();
                    fs::create_dir(folder.join(name)).unwrap();
                });
                assert!(error.contains(name.as_str()), "a folder {name}: {error}");
            }
        }
        // A model.json that names itself.
        let error = refusal(family, |folder| {
            edit(&folder.join("model.json"), |json| json["networkInfoPath"] = "model.json".into());
        });
        assert!(error.contains("model.json"), "{error}");
    }
}

/// The members of an archive, changed.
fn edit_arrays(path: &Path, change: impl FnOnce(&mut Vec<(String, Vec<u8>)>)) {
    let mut archive = zip::ZipArchive::new(Cursor::new(fs::read(path).unwrap())).unwrap();
    let mut members: Vec<(String, Vec<u8>)> = (0..archive.len())
        .map(|index| {
            let mut member = archive.by_index(index).unwrap();
            let mut bytes = Vec::new();
            member.read_to_end(&mut bytes).unwrap();
            (member.name().unwrap().into_owned(), bytes)
        })
        .collect();
    change(&mut members);
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(&bytes).unwrap();
    }
    fs::write(path, writer.finish().unwrap().into_inner()).unwrap();
}

/// An array with another header: what stood in it and what takes its place, of any lengths.
fn with_header(array: &[u8], change: impl FnOnce(&str) -> String) -> Vec<u8> {
    let length = usize::from(u16::from_le_bytes([array[8], array[9]]));
    let header = std::str::from_utf8(&array[10..10 + length]).unwrap();
    let mut changed = change(header.trim_end());
    assert_ne!(changed, header.trim_end(), "nothing was changed");
    let padding = (64 - (10 + changed.len() + 1) % 64) % 64;
    changed.extend(std::iter::repeat_n(' ', padding));
    changed.push('\n');
    let mut out = array[..8].to_vec();
    out.extend((changed.len() as u16).to_le_bytes());
    out.extend(changed.as_bytes());
    out.extend(&array[10 + length..]);
    out
}

#[test]
fn every_array_that_is_not_what_it_should_be_is_named() {
    // One identity is as good as three, and takes a third of the time.
    let write = |family: Family, folder: &Path| {
        let one = StandIn { identities: vec!["Claire".into()], ..StandIn::new(family, Size::Tiny) };
        one.write(folder).unwrap();
    };
    for family in FACES {
        let sound = tempfile::tempdir().unwrap();
        write(family, sound.path());
        let archives: Vec<String> = fs::read_dir(sound.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".npz"))
            .collect();
        let mut refused = 0;
        for archive in archives {
            let mut names = Vec::new();
            edit_arrays(&sound.path().join(&archive), |members| {
                names = members.iter().map(|(name, _)| name.clone()).collect();
            });
            for (index, name) in names.iter().enumerate() {
                let array = name.trim_end_matches(".npy");
                // Of the 52 poses of the skin, some stand for all; the mask may be missing.
                if archive.contains("bs_skin")
                    && index % 9 != 0
                    && !["poseNames", "neutral", "frontalMask"].contains(&array)
                {
                    continue;
                }
                type Change<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;
                let rank = |array: &[u8]| with_header(array, |header| header.replacen("(", "(1, ", 1));
                let kind = |array: &[u8]| {
                    with_header(array, |header| match header {
                        header if header.contains("<f4") => header.replace("<f4", "<i4"),
                        header if header.contains("<i4") => header.replace("<i4", "<f4"),
                        header => header.replacen("|S", "|V", 1),
                    })
                };
                let nothing = |_: &[u8]| Vec::new();
                let half = |array: &[u8]| array[..array.len() - (array.len() - 128) / 2 - 1].to_vec();
                let nan = |array: &[u8]| {
                    let mut array = array.to_vec();
                    let last = array.len() - 4;
                    array[last..].copy_from_slice(&f32::NAN.to_le_bytes());
                    array
                };
                let mut changes: Vec<(&str, Change<'_>)> =
                    vec![("rank", &rank), ("type", &kind), ("length", &half), ("nothing", &nothing)];
                let is_float = !["poseNames", "frontalMask"].contains(&array) && !array.starts_with("emo_spec");
                if is_float {
                    changes.push(("NaN", &nan));
                }
                let folder = tempfile::tempdir().unwrap();
                for entry in fs::read_dir(sound.path()).unwrap() {
                    let entry = entry.unwrap();
                    fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
                }
                let path = folder.path().join(&archive);
                let original = fs::read(&path).unwrap();
                let refusal = || {
                    FaceModel::load_dir(folder.path(), Runtime::global()).map(drop).map_err(|error| error.to_string())
                };
                for (what, change) in changes {
                    edit_arrays(&path, |members| members[index].1 = change(&members[index].1));
                    let error = refusal().expect_err(&format!("{archive}: {array} with another {what} loads"));
                    assert!(
                        error.contains(&archive) && error.contains(array),
                        "{what} of {array} in {archive}: {error}"
                    );
                    fs::write(&path, &original).unwrap();
                    refused += 1;
                }
                if array != "frontalMask" {
                    edit_arrays(&path, |members| drop(members.remove(index)));
                    let error = refusal().expect_err(&format!("{archive} without {array} loads"));
                    assert!(error.contains(&archive) && error.contains(array), "without {array}: {error}");
                    refused += 1;
                }
            }
        }
        println!("{family:?}: {refused} arrays");
    }
}

#[test]
fn a_network_that_is_another_is_refused() {
    let swapped = |family: Family, other: StandIn| {
        refusal(family, |folder| {
            let with = tempfile::tempdir().unwrap();
            other.write(with.path()).unwrap();
            fs::copy(with.path().join("network.onnx"), folder.join("network.onnx")).unwrap();
        })
    };
    // Shorter results than the bundle says.
    let tiny = |family| StandIn::new(family, Size::Tiny);
    let fewer = StandIn { skin_shapes: 30, ..tiny(Family::Regression) };
    let error = swapped(Family::Regression, fewer);
    assert!(error.contains("network.onnx") && error.contains("result"), "{error}");
    let fewer = StandIn { skin_vertices: 299, ..tiny(Family::Diffusion) };
    let error = swapped(Family::Diffusion, fewer);
    assert!(error.contains("network.onnx") && error.contains("noise"), "{error}");
    let error = swapped(Family::Regression, tiny(Family::Emotion));
    assert!(error.contains("no input \"input\""), "{error}");
    let error = swapped(Family::Emotion, tiny(Family::Diffusion));
    assert!(error.contains("input_values"), "{error}");
}

#[test]
fn bundles_of_the_wrong_kind_and_of_wrong_values_are_refused() {
    let error = FaceModel::load_dir(bundle(Family::Emotion).path(), Runtime::global()).unwrap_err().to_string();
    assert!(error.contains("Audio2Emotion"), "{error}");
    let error =
        EmotionModel::load_dir(bundle(Family::Regression).path(), EmotionModelOptions::default(), Runtime::global());
    assert!(error.unwrap_err().to_string().contains("bundle of a face"));
    let error = refusal(Family::Regression, |folder| {
        edit(&folder.join("model_config.json"), |json| json["config"]["skin_strength"] = 7.into());
    });
    assert!(error.contains("`skin_strength` is 7") && error.contains("0 to 2"), "{error}");
    let error = refusal(Family::Regression, |folder| {
        edit(&folder.join("model_config.json"), |json| json["config"]["source_shot"] = "p9".into());
    });
    assert!(error.contains("\"p9\"") && error.contains("p1_neutral"), "{error}");
    let error = refusal(Family::Regression, |folder| {
        edit(&folder.join("bs_skin_config.json"), |json| {
            json["blendshape_params"]["bsWeightOffsets"].as_array_mut().unwrap().pop();
        });
    });
    assert!(error.contains("`bsWeightOffsets` is 51 values") && error.contains("52"), "{error}");
    let error = refusal(Family::Regression, |folder| {
        edit(&folder.join("bs_skin_config.json"), |json| {
            json["blendshape_params"]["bsSolveActivePoses"] = vec![0; 52].into();
        });
    });
    assert!(error.contains("no pose is active"), "{error}");
    for (family, key) in [(Family::Regression, "num_verts_skin"), (Family::Diffusion, "skin_size")] {
        let error = refusal(family, |folder| {
            edit(&folder.join("network_info.json"), |json| json["params"][key] = 0.into());
        });
        assert!(error.contains(key) && error.contains("is 0"), "{error}");
    }
    let error = refusal(Family::Regression, |folder| {
        edit(&folder.join("model.json"), |json| json["blendshapePaths"] = serde_json::json!({}));
    });
    assert!(error.contains("blendshapePaths"), "{error}");
    let error = refusal(Family::Diffusion, |folder| {
        edit(&folder.join("network_info.json"), |json| {
            json["params"]["identities"].as_array_mut().unwrap().pop();
        });
    });
    assert!(error.contains("`modelConfigPaths` is 3 entries"), "{error}");
    let error = refusal(Family::Emotion, |folder| {
        edit(&folder.join("model_config.json"), |json| {
            json["post_processing_config"]["emotion_correspondence"]["angry"] = 10.into();
        });
    });
    assert!(error.contains("emotion_correspondence") && error.contains("10 for \"angry\""), "{error}");
    for options in [
        EmotionModelOptions { window: 0, ..EmotionModelOptions::default() },
        EmotionModelOptions { window: 100, ..EmotionModelOptions::default() },
    ] {
        assert!(EmotionModel::load_dir(bundle(Family::Emotion).path(), options, Runtime::global()).is_err());
    }
}
