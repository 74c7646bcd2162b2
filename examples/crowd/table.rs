//! The live table: who is animated how, and what it takes.

use bevy::{
    diagnostic::{DiagnosticsStore, FrameTimeDiagnosticsPlugin},
    prelude::*,
};
use bevy_talkie::{
    inference::{InferenceDevices, InferenceStats},
    prelude::*,
    talkie::inference::Runtime,
};

use crate::{Person, square::Eye};

#[derive(Component)]
pub struct Table;

/// What networks take of a core, averaged over some seconds: a budget is kept on average.
#[derive(Default)]
pub struct Load {
    busy: f64,
    share: f64,
}

/// Over how many seconds it is averaged, about.
const AVERAGED: f64 = 4.0;

pub fn build(mut commands: Commands, camera: Single<Entity, With<Eye>>) {
    commands.spawn((
        Table,
        Text::new(""),
        TextFont { font_size: FontSize::Px(14.0), ..default() },
        TextColor(Color::srgb(0.95, 0.97, 1.0)),
        BackgroundColor(Color::srgba(0.05, 0.07, 0.10, 0.78)),
        Node { position_type: PositionType::Absolute, left: px(12), top: px(12), padding: px(10).all(), ..default() },
        UiTargetCamera(*camera),
    ));
}

pub fn show(
    people: Query<(&FaceDetail, &Voice), With<Person>>,
    stats: Res<InferenceStats>,
    (budget, devices): (Res<InferenceBudget>, Res<InferenceDevices>),
    diagnostics: Option<Res<DiagnosticsStore>>,
    time: Res<Time<Real>>,
    table: Single<&mut Text, With<Table>>,
    mut load: Local<Load>,
) {
    let delta = time.delta_secs_f64();
    if delta > 0.0 {
        let taken = (stats.seconds_busy - load.busy) / delta;
        load.busy = stats.seconds_busy;
        load.share += (1.0 - (-delta / AVERAGED).exp()) * (taken - load.share);
    }
    let mut text = format!("{:<8}{:>8}{:>10}\n", "", "faces", "speaking");
    for detail in FaceDetail::ALL {
        let of_detail = || people.iter().filter(|(of, _)| **of == detail);
        let speaking = of_detail().filter(|(_, voice)| voice.is_speaking()).count();
        text += &format!("{:<8}{:>8}{speaking:>10}\n", format!("{detail:?}"), of_detail().count());
    }
    let backend = Runtime::global().map_or("no engine".into(), |runtime| runtime.backend().to_string());
    let device = devices.networks().next().map(|network| format!(", {}", network.device)).unwrap_or_default();
    text += &format!(
        "\nnetworks {:>5.1} % of a core, {:.0} % allowed on average\none voice {:>4.2} % of a core ({backend}{device})\nwaiting {:>3}, late {}",
        load.share * 100.0,
        budget.load * 100.0,
        stats.recent_factor * 100.0,
        stats.waiting,
        stats.late,
    );
    let frame = diagnostics.as_ref().and_then(|all| all.get(&FrameTimeDiagnosticsPlugin::FRAME_TIME)?.smoothed());
    if let Some(milliseconds) = frame {
        text += &format!("\nframe {milliseconds:>6.1} ms");
    }
    table.into_inner().0 = text;
}
