//! The panel: which microphone, how loud, how late, and a recorder.

use std::path::PathBuf;

use bevy::prelude::*;
use bevy_egui::{EguiContexts, EguiPrimaryContextPass, egui};
use bevy_talkie::{
    prelude::*,
    talkie::audio::{AudioClip, AutomaticGainSettings, GateSettings},
    voice::{
        LiveLatency,
        microphone::{SystemMicrophones, VirtualDevice, VirtualMicrophone},
    },
};

use crate::{Replay, Target};

/// Where a recording goes.
const RECORDING: &str = "mic_avatar.wav";

/// What the panel remembers.
#[derive(Resource, Default)]
struct Recorder {
    last: Option<AudioClip>,
    message: String,
}

pub fn build(app: &mut App) {
    app.init_resource::<Recorder>()
        .add_systems(Startup, |mut microphones: ResMut<Microphones>| microphones.refresh())
        .add_systems(EguiPrimaryContextPass, panel);
}

fn panel(
    mut contexts: EguiContexts,
    face: Single<(&mut Microphone, &mut MicrophoneState, &mut TalkingFace)>,
    mut microphones: ResMut<Microphones>,
    mut replay: ResMut<Replay>,
    mut recorder: ResMut<Recorder>,
    (latency, target): (Res<LiveLatency>, Res<Target>),
) -> Result {
    let (mut microphone, mut state, mut face) = face.into_inner();
    let context = contexts.ctx_mut()?;
    egui::Window::new("Microphone").default_pos([16.0, 16.0]).default_width(260.0).resizable(false).show(
        context,
        |ui| {
            device(ui, &mut microphone, &state, &mut microphones, replay.0.is_some());
            ui.separator();
            meters(ui, &mut microphone, &state);
            ui.separator();
            ui.horizontal(|ui| {
                ui.label("articulation");
                ui.add(egui::Slider::new(&mut face.animator.lower_face_strength, 0.5..=1.8));
            });
            // Pictures that are drawn off-screen have a time of their own.
            if target.0.is_none() {
                late(ui, &latency, &state);
            }
            ui.separator();
            record(ui, &mut state, &mut recorder, &mut microphones, &mut replay);
        },
    );
    Ok(())
}

fn device(
    ui: &mut egui::Ui,
    microphone: &mut Microphone,
    state: &MicrophoneState,
    microphones: &mut Microphones,
    is_replay: bool,
) {
    if is_replay {
        ui.label("a recording speaks");
    } else {
        ui.horizontal(|ui| {
            let chosen = microphone.device.clone().unwrap_or_else(|| "system default".into());
            egui::ComboBox::from_id_salt("device").selected_text(chosen).width(170.0).show_ui(ui, |ui| {
                ui.selectable_value(&mut microphone.device, None, "system default");
                for device in microphones.devices().unwrap_or_default() {
                    ui.selectable_value(&mut microphone.device, Some(device.name.clone()), &device.name);
                }
            });
            if ui.button("⟲").on_hover_text("look for devices").clicked() {
                microphones.refresh();
            }
        });
    }
    match state.status() {
        MicrophoneStatus::Closed => ui.label("closed"),
        MicrophoneStatus::Opening => ui.label("opening …"),
        MicrophoneStatus::Open { device, format } => ui.label(format!(
            "{device}: {:.1} kHz, {} channel{}, {}",
            f64::from(format.sample_rate) / 1e3,
            format.channels,
            if format.channels == 1 { "" } else { "s" },
            format.samples
        )),
        MicrophoneStatus::Waiting { error, retry_in } => ui.colored_label(
            egui::Color32::from_rgb(240, 130, 90),
            format!("{error}; again in {:.1} s", retry_in.as_secs_f32()),
        ),
    };
}

fn meters(ui: &mut egui::Ui, microphone: &mut Microphone, state: &MicrophoneState) {
    let level = state.level();
    // A bar of 60 dB, with marks for the noise of the room and for the peak.
    let share = |db: f32| ((db + 60.0) / 60.0).clamp(0.0, 1.0);
    let (area, _) = ui.allocate_exact_size(egui::vec2(240.0, 14.0), egui::Sense::hover());
    let painter = ui.painter();
    painter.rect_filled(area, 2.0, egui::Color32::from_gray(40));
    let at = |db: f32| area.left() + area.width() * share(db);
    let color = match level.peak_db {
        peak if peak > -1.0 => egui::Color32::from_rgb(235, 80, 70),
        _ if state.is_gate_open() => egui::Color32::from_rgb(90, 200, 120),
        _ => egui::Color32::from_gray(110),
    };
    let bar = egui::Rect::from_min_max(area.min, egui::pos2(at(level.rms_db), area.bottom()));
    painter.rect_filled(bar, 2.0, color);
    for (db, gray) in [(state.noise_floor_db(), 150), (level.peak_db, 235)] {
        painter.vline(at(db), area.y_range(), egui::Stroke::new(1.5, egui::Color32::from_gray(gray)));
    }
    ui.label(format!(
        "{:.0} dB, noise {:.0} dB, gate {}, gain {:+.0} dB",
        level.rms_db,
        state.noise_floor_db(),
        if state.is_gate_open() { "open" } else { "closed" },
        state.gain_db()
    ));
    ui.horizontal(|ui| {
        ui.label("gain");
        ui.add(egui::Slider::new(&mut microphone.input.gain_db, -20.0..=40.0).suffix(" dB"));
    });
    ui.horizontal(|ui| {
        let mut gate = microphone.input.gate.is_some();
        if ui.checkbox(&mut gate, "gate").changed() {
            microphone.input.gate = gate.then(GateSettings::default);
        }
        let mut automatic = microphone.input.automatic_gain.is_some();
        if ui.checkbox(&mut automatic, "automatic gain").changed() {
            microphone.input.automatic_gain = automatic.then(AutomaticGainSettings::default);
        }
        ui.checkbox(&mut microphone.muted, "mute");
        ui.checkbox(&mut microphone.monitor, "hear");
    });
}

fn late(ui: &mut egui::Ui, latency: &LiveLatency, state: &MicrophoneState) {
    let milliseconds = |part: f64| latency.total.percentile(part).as_secs_f64() * 1e3;
    ui.label(format!(
        "from air to face: {:.0} ms (95 %: {:.0}, 99 %: {:.0})",
        milliseconds(0.5),
        milliseconds(0.95),
        milliseconds(0.99)
    ));
    ui.label(format!("waiting {:.0} ms, dropped {}", latency.queued_seconds * 1e3, state.dropped_frames()));
}

fn record(
    ui: &mut egui::Ui,
    state: &mut MicrophoneState,
    recorder: &mut Recorder,
    microphones: &mut Microphones,
    replay: &mut Replay,
) {
    ui.horizontal(|ui| {
        if state.is_recording() {
            if ui.button("⏹ stop").clicked() {
                recorder.last = state.stop_recording();
                recorder.message = match &recorder.last {
                    None => "nothing was recorded".into(),
                    Some(clip) => match save(clip) {
                        Ok(path) => format!("{:.1} s in {}", clip.seconds(), path.display()),
                        Err(error) => format!("{RECORDING}: {error}"),
                    },
                };
            }
        } else if ui.add_enabled(state.is_open(), egui::Button::new("⏺ record")).clicked() {
            state.start_recording();
            recorder.message = format!("recording to {RECORDING}");
        }
        if replay.0.is_some() {
            if ui.button("live").clicked() {
                *microphones = Microphones::new(SystemMicrophones);
                microphones.refresh();
                // Its device is gone with it, and the microphone is opened again.
                if let Some(device) = replay.0.take() {
                    device.unplug();
                }
            }
        } else if let Some(clip) = recorder.last.clone()
            && ui.button("▶ replay").clicked()
        {
            let device = VirtualMicrophone::new(clip, VirtualDevice { looped: true, ..default() });
            device.run();
            *microphones = Microphones::new(device.clone());
            replay.0 = Some(device);
            state.reopen();
        }
    });
    if !recorder.message.is_empty() {
        ui.label(&recorder.message);
    }
}

/// Writes a recording, in 32-bit floats: nothing of it is lost.
fn save(clip: &AudioClip) -> Result<PathBuf, hound::Error> {
    let spec = hound::WavSpec {
        channels: clip.channels() as u16,
        sample_rate: clip.sample_rate(),
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut writer = hound::WavWriter::create(RECORDING, spec)?;
    for sample in clip.samples() {
        writer.write_sample(*sample)?;
    }
    writer.finalize()?;
    Ok(std::path::absolute(RECORDING)?)
}
