//! Drawing what a virtual microphone says, without window, GPU or sound card.

use std::{fs, path::Path, time::Duration};

use bevy::{
    prelude::*,
    render::view::screenshot::{Screenshot, save_to_disk},
};
use bevy_talkie::{
    inference::{LIVE_MODEL, wait_for_batches},
    prelude::*,
    voice::microphone::VirtualMicrophone,
};

use crate::{
    Target,
    off_screen::{self, step},
};

const SIZE: (u32, u32) = (720, 405);
const FRAME: Duration = Duration::from_nanos(16_666_667);

/// No window and no sound, and time in steps of one picture.
pub fn prepare(app: &mut App) {
    let image = off_screen::prepare(app, SIZE, FRAME);
    app.insert_resource(Target(Some(image)));
}

pub fn run(mut app: App, folder: &Path, microphone: &VirtualMicrophone, seconds: f64) -> AppExit {
    match draw(&mut app, folder, microphone, seconds) {
        Ok(figures) => {
            println!("{figures}");
            AppExit::Success
        }
        Err(reason) => {
            eprintln!("mic_avatar: {reason}");
            AppExit::error()
        }
    }
}

fn draw(app: &mut App, folder: &Path, microphone: &VirtualMicrophone, seconds: f64) -> Result<String, String> {
    off_screen::start(app);
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut ready = false;
    for _ in 0..20_000 {
        step(app);
        ready = app.world().resource::<Assets<FaceModel>>().contains(&LIVE_MODEL)
            && app
                .world_mut()
                .query::<(&FaceRig, &MicrophoneState)>()
                .single(app.world())
                .is_ok_and(|(_, microphone)| microphone.is_open());
        if ready {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    if !ready {
        return Err("character and microphone were not ready in time: see the log".into());
    }
    microphone.rewind();
    let count = (seconds / FRAME.as_secs_f64()).ceil() as u32 + 30;
    let image = app.world().resource::<Target>().0.clone().ok_or("there is no picture to draw to")?;
    for frame in 0..count {
        microphone.advance(FRAME);
        wait_for_batches(app.world());
        app.world_mut()
            .spawn(Screenshot::image(image.clone()))
            .observe(save_to_disk(folder.join(format!("frame_{frame:04}.png"))));
        step(app);
    }
    (0..10).for_each(|_| step(app));
    let drawn = (0..count).filter(|frame| folder.join(format!("frame_{frame:04}.png")).is_file()).count();
    if drawn != count as usize {
        return Err(format!("{drawn} of {count} pictures were captured"));
    }
    Ok(format!(
        "{count} pictures of {:.1} s in {}; picture N shows the moment N / 60 s",
        f64::from(count) / 60.0,
        folder.display()
    ))
}
