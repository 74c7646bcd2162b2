//! One picture of the square, without window, GPU or sound card.

use std::{path::PathBuf, time::Duration};

use bevy::{
    camera::visibility::RenderLayers,
    prelude::*,
    render::view::screenshot::{Screenshot, save_to_disk},
    time::TimeUpdateStrategy,
};
use bevy_talkie::prelude::*;

use crate::{
    Person, Speakers,
    off_screen::{self, step},
    square::{Place, Target},
};

const SIZE: (u32, u32) = (1280, 720);
/// Game time between two steps, how many pass at least and at most before anything is drawn, and how many are drawn before the one that
/// is kept.
const STEP: Duration = Duration::from_millis(40);
const STEPS: (usize, usize) = (100, 300);
const DRAWN: usize = 3;
/// How many of those in front have their mouths open then, and how far.
const OPEN: (usize, f32) = (3, 0.28);

/// No window and no sound, and time in steps of one picture.
pub fn prepare(app: &mut App) {
    let image = off_screen::prepare(app, SIZE, STEP);
    app.insert_resource(Target(image));
}

pub fn run(mut app: App, path: PathBuf) -> AppExit {
    match draw(&mut app, path) {
        Ok(()) => AppExit::Success,
        Err(reason) => {
            eprintln!("crowd: {reason}");
            AppExit::error()
        }
    }
}

fn draw(app: &mut App, path: PathBuf) -> Result<(), String> {
    off_screen::start(app);
    step(app);
    let count = app.world().resource::<Speakers>().0.min(crate::square::PLACES);
    // Without a GPU every picture costs seconds.
    look(app, false);
    let mut bound = app.world_mut().query_filtered::<(), (With<Person>, With<FaceRig>)>();
    let mut patience = 2_000;
    while bound.iter(app.world()).count() < count {
        step(app);
        std::thread::sleep(Duration::from_millis(5));
        patience -= 1;
        if patience == 0 {
            return Err("not everybody was bound: see the log".into());
        }
    }
    let (least, most) = STEPS;
    (0..least).for_each(|_| step(app));
    // The moment that a photographer waits for.
    let mut front = app.world_mut().query::<(&Place, &LivePose)>();
    for _ in least..most {
        let faces = front.iter(app.world()).filter(|(place, _)| place.is_in_front());
        if faces.filter(|(_, pose)| pose.0.weight(FaceChannel::JawOpen) > OPEN.1).count() >= OPEN.0 {
            break;
        }
        step(app);
    }
    // It stands still while it is drawn.
    app.insert_resource(TimeUpdateStrategy::ManualDuration(Duration::ZERO));
    look(app, true);
    (0..DRAWN).for_each(|_| step(app));
    let image = app.world().resource::<Target>().0.clone();
    app.world_mut().spawn(Screenshot::image(image)).observe(save_to_disk(path.clone()));
    // The capture comes some frames later.
    (0..4).for_each(|_| step(app));
    if !path.is_file() {
        return Err(format!("{} was not written", path.display()));
    }
    let mut voices = app.world_mut().query::<&Voice>();
    let speaking = voices.iter(app.world()).filter(|voice| voice.is_speaking()).count();
    println!("{}: {count} people, {speaking} of them speaking", path.display());
    Ok(())
}

/// Lets the camera draw all there is, or nothing: details are chosen by what it would see in any case.
fn look(app: &mut App, open: bool) {
    let layers = if open { RenderLayers::default() } else { RenderLayers::none() };
    let mut cameras = app.world_mut().query_filtered::<Entity, With<Camera>>();
    let cameras: Vec<Entity> = cameras.iter(app.world()).collect();
    cameras.into_iter().for_each(|camera| {
        app.world_mut().entity_mut(camera).insert(layers.clone());
    });
}
