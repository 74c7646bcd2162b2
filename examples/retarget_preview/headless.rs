//! Sheets of pictures, drawn without a window.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use bevy::prelude::*;
use bevy_talkie::{prelude::*, talkie::metrics::Alignment};

use crate::{
    Preview, assets,
    studio::{Frame, LOWER_FACE, Studio, write_sheet},
};

/// Width and height of a picture in pixels, and how many are in a row.
const SIZE: u32 = 200;
const COLUMNS: usize = 10;
/// The face from brows to chin.
const FRAME: Frame = (0.112, 0.19);
/// How many letters fill a picture.
const LETTERS: f32 = 13.0;
/// Seconds between two pictures of a line, at least, and the most pictures of one.
const STEP: f64 = 0.08;
const PICTURES: f64 = 100.0;
/// How long voice and model may take to load.
const PATIENCE: Duration = Duration::from_secs(60);

/// Writes `channels.png` and `line.png` to a folder.
pub fn draw(preview: &Preview, folder: &Path) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut studio = Studio::new(&assets(), SIZE, LETTERS);
    let [profile, _] = &preview.profiles;
    let profile = profile
        .clone()
        .map(|(_, profile)| studio.app.world_mut().resource_mut::<Assets<RigProfile>>().add(RigProfile(profile)));
    let server = studio.app.world().resource::<AssetServer>().clone();
    let scene = server.load(GltfAssetLabel::Scene(0).from_asset(preview.character.clone()));
    let face = studio.load(WorldAssetRoot(scene), TalkingFace { profile, ..default() })?;
    channels(&mut studio, face, &folder.join("channels.png"))?;
    line(&mut studio, face, preview, &folder.join("line.png"))
}

/// The face at rest, and with every channel at 1.
fn channels(studio: &mut Studio, face: Entity, path: &Path) -> Result<(), String> {
    let missing =
        studio.app.world().get::<BindingReport>(face).map(|report| report.0.missing.clone()).unwrap_or_default();
    for channel in core::iter::once(None).chain(FaceChannel::ALL.map(Some)) {
        let name = channel.map_or("rest", FaceChannel::name);
        let gone = channel.is_some_and(|channel| missing.contains(&channel));
        studio.caption(&if gone { format!("{name}\n(missing)") } else { name.to_owned() });
        let shown = channel.into_iter().map(|channel| (channel, 1.0)).chain(channel.and_then(open));
        studio.app.world_mut().entity_mut(face).insert(Expression::new(shown));
        let inside = channel.is_some_and(is_tongue);
        studio.look(if inside { LOWER_FACE } else { FRAME }, if inside { 15.0 } else { 0.0 });
        studio.step();
        studio.photograph();
    }
    let pictures = studio.develop()?;
    studio.app.world_mut().entity_mut(face).insert(Expression::default());
    write_sheet(&pictures, SIZE, COLUMNS, path)?;
    println!(
        "{}: rest and {} channels; those of the tongue and mouthClose with an open jaw",
        path.display(),
        pictures.len() - 1
    );
    Ok(())
}

/// How far the jaw is open where a channel would not be seen otherwise.
fn open(channel: FaceChannel) -> Option<(FaceChannel, f32)> {
    let open = match channel {
        FaceChannel::MouthClose => 1.0,
        _ if is_tongue(channel) => 0.7,
        _ => return None,
    };
    Some((FaceChannel::JawOpen, open))
}

fn is_tongue(channel: FaceChannel) -> bool {
    channel.is_tongue_shape() || channel == FaceChannel::TongueOut
}

/// A spoken line, in steps of time.
fn line(studio: &mut Studio, face: Entity, preview: &Preview, path: &Path) -> Result<(), String> {
    let server = studio.app.world().resource::<AssetServer>().clone();
    let clip: Handle<VoiceClip> = server.load(preview.voice.clone());
    studio.app.insert_resource(Failure::default()).add_observer(
        |failed: On<SpeechFailed>, mut failure: ResMut<Failure>| {
            failure.0 = Some(failed.reason.clone());
        },
    );
    studio.app.world_mut().commands().entity(face).say(clip.clone());
    let begun = Instant::now();
    while !studio.app.world().get::<Voice>(face).is_some_and(Voice::is_speaking) {
        studio.step();
        if let Some(reason) = studio.app.world().resource::<Failure>().0.clone() {
            return Err(format!("{}: {reason}", preview.voice.display()));
        }
        if begun.elapsed() > PATIENCE {
            return Err("the line did not begin within a minute: see the log".into());
        }
    }
    let seconds = studio.app.world().resource::<Assets<VoiceClip>>().get(&clip).and_then(VoiceClip::seconds);
    let step = (seconds.ok_or("the recording has no length")? / PICTURES).max(STEP);
    let said = std::fs::read_to_string(preview.voice.with_extension("json")).ok();
    let said = said.and_then(|json| Alignment::from_json(&json).ok());
    studio.look(LOWER_FACE, 20.0);
    loop {
        studio.pass(Duration::from_secs_f64(step));
        let voice = studio.app.world().get::<Voice>(face).ok_or("the face is gone")?;
        if voice.is_idle() {
            break;
        }
        let now = voice.heard_seconds();
        let phone = said.iter().flat_map(|said| &said.phones).find(|phone| (phone.start..phone.end).contains(&now));
        let phone = phone.map_or(String::new(), |phone| format!("  {}", phone.symbol));
        studio.caption(&format!("{now:.2} s{phone}"));
        studio.photograph();
    }
    let pictures = studio.develop()?;
    write_sheet(&pictures, SIZE, COLUMNS, path)?;
    println!("{}: {} pictures, one every {:.0} ms", path.display(), pictures.len(), step * 1e3);
    Ok(())
}

/// Why the line was not spoken.
#[derive(Resource, Default)]
struct Failure(Option<String>);
