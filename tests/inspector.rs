//! The inspector at work, without a window: what it draws, and what comes of clicks and edits.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use bevy::{
    ecs::{schedule::ScheduleLabel, system::RunSystemOnce},
    input::InputPlugin,
    prelude::*,
};
use bevy_egui::{EguiContext, EguiMultipassSchedule, EguiPlugin, PrimaryEguiContext, egui};
use bevy_talkie::{
    face::ChannelMask,
    inspector::{FaceInspector, FaceInspectorPlugin, InspectFaces, SaveProfileError},
    prelude::*,
    talkie::retarget,
};
use common::{add_clip, app_in, bursts, glb::Character, spawn_face, until, weights};

const SHAPES: &[&str] = &["jawOpen", "mouthClose", "mouthPucker", "browInnerUp"];

/// An app with a face of [`SHAPES`].
fn face_app() -> (tempfile::TempDir, App, Entity) {
    face_app_with(|_| {})
}

/// The same with more plugins.
fn face_app_with(add: impl FnOnce(&mut App)) -> (tempfile::TempDir, App, Entity) {
    let folder = tempfile::tempdir().unwrap();
    Character { shapes: SHAPES, ..default() }.write(folder.path(), "face.glb");
    let mut app = app_in(folder.path());
    app.add_plugins(TalkiePlugins);
    add(&mut app);
    app.finish();
    app.cleanup();
    let face = spawn_face(&mut app, "face.glb");
    (folder, app, face)
}

fn show(app: &mut App, face: Entity, weights: &[(FaceChannel, f32)]) {
    *app.world_mut().get_mut::<Expression>(face).unwrap() = Expression::new(weights.iter().copied());
    app.update();
}

/// An `egui` context with an inspector, and what it drew last.
struct Panel {
    context: egui::Context,
    drawn: Vec<egui::Shape>,
}

impl Panel {
    fn new() -> Self {
        Self { context: egui::Context::default(), drawn: Vec::new() }
    }

    fn draw_with(&mut self, app: &mut App, face: Entity, events: Vec<egui::Event>) {
        let screen_rect = Some(egui::Rect::from_min_size(egui::Pos2::ZERO, egui::vec2(440.0, 2_400.0)));
        let input = egui::RawInput { screen_rect, events, ..default() };
        let context = self.context.clone();
        let draw = move |mut inspector: FaceInspector| {
            context.run_ui(input.clone(), |ui| inspector.ui(ui, face)).shapes.into_iter().map(|shape| shape.shape)
        };
        self.drawn = app.world_mut().run_system_once(draw).unwrap().flat_map(flat).collect();
        app.update();
    }

    fn draw(&mut self, app: &mut App, face: Entity) {
        // Grids settle in the second pass, and what is clicked is what was drawn before.
        (0..3).for_each(|_| self.draw_with(app, face, Vec::new()));
    }

    fn texts(&self) -> Vec<(String, egui::Rect)> {
        let texts = self.drawn.iter().filter_map(|shape| match shape {
            egui::Shape::Text(text) => Some((text.galley.text().to_owned(), text.visual_bounding_rect())),
            _ => None,
        });
        texts.collect()
    }

    fn says(&self, part: &str) -> bool {
        self.texts().iter().any(|(text, _)| text.contains(part))
    }

    /// Where a text is, the last of those that say exactly this: names of curves come before those of bars.
    #[track_caller]
    fn find(&self, text: &str) -> egui::Rect {
        let found = self.texts().into_iter().rfind(|(said, _)| said == text);
        found.unwrap_or_else(|| panic!("nothing says {text:?}: {:?}", self.texts())).1
    }

    /// Where a text is in the row of another.
    #[track_caller]
    fn find_beside(&self, row: &str, text: &str) -> egui::Rect {
        let row = self.find(row);
        let beside = |(said, place): &(String, egui::Rect)| said == text && place.y_range().contains(row.center().y);
        self.texts().into_iter().find(beside).unwrap_or_else(|| panic!("nothing beside says {text:?}")).1
    }

    fn click(&mut self, app: &mut App, face: Entity, at: egui::Pos2) {
        self.draw_with(app, face, vec![egui::Event::PointerMoved(at)]);
        for pressed in [true, false] {
            let button = egui::PointerButton::Primary;
            let event = egui::Event::PointerButton { pos: at, button, pressed, modifiers: egui::Modifiers::default() };
            self.draw_with(app, face, vec![event]);
        }
        self.draw(app, face);
    }

    /// The widths of the three bars of a channel, in shares of the first that is as wide as the track.
    fn bars(&self, channel: &str) -> [f32; 3] {
        let row = self.find(channel);
        let in_row: Vec<egui::Rect> = self
            .drawn
            .iter()
            .filter_map(|shape| match shape {
                egui::Shape::Rect(rect)
                    if row.expand2(egui::vec2(0.0, 4.0)).y_range().contains(rect.rect.center().y) =>
                {
                    Some(rect.rect)
                }
                _ => None,
            })
            .filter(|rect| rect.left() > row.right() && rect.height() < 16.5)
            .collect();
        let track = in_row.iter().find(|rect| rect.height() > 10.0).expect("the row has a track");
        let mut bars = [0.0; 3];
        for rect in in_row.iter().filter(|rect| rect.height() < 6.0 && rect.left() == track.left()) {
            let lane = ((rect.center().y - track.top()) / track.height() * 3.0) as usize;
            bars[lane] = rect.width() / track.width();
        }
        bars
    }
}

fn flat(shape: egui::Shape) -> Vec<egui::Shape> {
    match shape {
        egui::Shape::Vec(shapes) => shapes.into_iter().flat_map(flat).collect(),
        other => vec![other],
    }
}

#[test]
fn bars_show_what_is_said_what_the_animator_makes_of_it_and_what_is_applied() {
    let (_f, mut app, face) = face_app();
    let clip = add_clip(&mut app, bursts(6.0));
    app.world_mut().commands().entity(face).say(clip);
    app.world_mut().get_mut::<TalkingFace>(face).unwrap().animator.lower_face_strength = 0.5;
    let jaw = |world: &World| world.get::<Voice>(face).unwrap().speech_pose().0.weight(FaceChannel::JawOpen);
    until(&mut app, "an open mouth", |world| jaw(world) > 0.3);
    app.world_mut().get_mut::<Voice>(face).unwrap().pause();
    let mut expression = app.world_mut().get_mut::<Expression>(face).unwrap();
    expression.set(FaceChannel::BrowInnerUp, 0.7);
    app.update();
    let mut panel = Panel::new();
    panel.draw(&mut app, face);
    // A pause closes the mouth, one step with every frame: the bars are those of the last picture.
    let shown = panel.bars("jawOpen");
    assert!(shown[0] > 0.2, "{shown:?}");
    assert!((shown[1] - shown[0] * 0.5).abs() < 0.01 && (shown[2] - shown[1]).abs() < 0.01, "{shown:?}");
    let brow = panel.bars("browInnerUp");
    assert!(brow[2] > 0.69 && brow[2] >= brow[1], "{brow:?}");
}

#[test]
fn clicks_mute_and_solo_channels_of_the_character() {
    let (_f, mut app, face) = face_app();
    let shown = [(FaceChannel::JawOpen, 0.8), (FaceChannel::MouthPucker, 0.5), (FaceChannel::BrowInnerUp, 0.3)];
    show(&mut app, face, &shown);
    let mut panel = Panel::new();
    panel.draw(&mut app, face);
    assert_eq!(weights(app.world(), face), [0.8, 0.0, 0.5, 0.3]);
    assert!(app.world().get::<ChannelMask>(face).is_none(), "looking changes nothing");
    panel.click(&mut app, face, panel.find_beside("jawOpen", "M").center());
    assert_eq!(weights(app.world(), face), [0.0, 0.0, 0.5, 0.3]);
    assert_eq!(app.world().get::<LivePose>(face).unwrap().0.weight(FaceChannel::JawOpen), 0.0);
    panel.click(&mut app, face, panel.find_beside("browInnerUp", "S").center());
    assert_eq!(weights(app.world(), face), [0.0, 0.0, 0.0, 0.3]);
    panel.click(&mut app, face, panel.find("show all").center());
    assert_eq!(weights(app.world(), face), [0.8, 0.0, 0.5, 0.3]);
}

#[test]
fn an_edited_gain_binds_anew_and_a_saved_profile_is_the_same_again() {
    let (folder, mut app, face) = face_app();
    show(&mut app, face, &[(FaceChannel::JawOpen, 0.8), (FaceChannel::MouthPucker, 0.5)]);
    let edit = move |mut inspector: FaceInspector| {
        let mut profile = inspector.profile(face).unwrap();
        let jaw = profile.shapes.iter_mut().find(|rule| rule.names == ["jawOpen"]).unwrap();
        (jaw.gain, jaw.curve) = (0.5, vec![(0.0, 0.0), (0.5, 0.6), (1.0, 1.0)]);
        inspector.set_profile(face, profile).unwrap();
    };
    app.world_mut().run_system_once(edit).unwrap();
    (0..3).for_each(|_| app.update());
    let shown = weights(app.world(), face);
    assert!((shown[0] - 0.48).abs() < 1e-6 && shown[2] == 0.5, "{shown:?}");
    // Once more: now it is its own.
    let edit = move |mut inspector: FaceInspector| {
        let mut profile = inspector.profile(face).unwrap();
        profile.shapes.iter_mut().find(|rule| rule.names == ["mouthPucker"]).unwrap().offset = 0.25;
        inspector.set_profile(face, profile).unwrap();
        let mut senseless = inspector.profile(face).unwrap();
        senseless.shapes[0].gain = f32::NAN;
        assert!(inspector.set_profile(face, senseless).is_err());
    };
    app.world_mut().run_system_once(edit).unwrap();
    (0..3).for_each(|_| app.update());
    let shown = weights(app.world(), face);
    assert!((shown[0] - 0.48).abs() < 1e-6 && shown[2] == 0.75, "{shown:?}");

    let path = folder.path().join("ours.rig.ron");
    let save = {
        let path = path.clone();
        move |inspector: FaceInspector| {
            inspector.save_profile(face, &path).unwrap();
            assert!(matches!(inspector.save_profile(face, "ours.ron"), Err(SaveProfileError::Name(_))));
            let nowhere = path.join("below.rig.ron");
            assert!(matches!(inspector.save_profile(face, nowhere), Err(SaveProfileError::Write { .. })));
            inspector.profile(face).unwrap()
        }
    };
    let saved = app.world_mut().run_system_once(save).unwrap();
    assert_eq!(retarget::RigProfile::parse(&std::fs::read_to_string(&path).unwrap()).unwrap(), saved);
    // As a game would load it.
    let handle: Handle<RigProfile> = app.world().resource::<AssetServer>().load("ours.rig.ron");
    until(&mut app, "the profile", |world| world.resource::<Assets<RigProfile>>().contains(&handle));
    assert_eq!(app.world().resource::<Assets<RigProfile>>().get(&handle).unwrap().0, saved);

    app.world_mut().run_system_once(move |mut inspector: FaceInspector| inspector.forget_profile(face)).unwrap();
    (0..3).for_each(|_| app.update());
    assert_eq!(weights(app.world(), face), [0.8, 0.0, 0.5, 0.0]);
}

#[test]
fn every_tab_is_drawn_and_the_mixing_tab_makes_a_profile_on_a_click() {
    let (_f, mut app, face) = face_app();
    let mut panel = Panel::new();
    panel.draw(&mut app, face);
    for (tab, part) in [
        ("Performance", "lower face"),
        ("Emotions", "outofbreath"),
        ("Report", "of 52 ARKit channels move something"),
        ("Latency", "no live voice has spoken yet"),
        ("Mixing", "rules of its own"),
    ] {
        panel.click(&mut app, face, panel.find(tab).center());
        assert!(panel.says(part), "{tab}: {:?}", panel.texts());
    }
    let button = panel.texts().into_iter().find(|(text, _)| text.contains("rules of its own")).unwrap().1;
    panel.click(&mut app, face, button.center());
    assert!(app.world().get::<TalkingFace>(face).unwrap().profile.is_some());
    assert!(panel.says("Shapes") && panel.says("mouthPucker") && panel.says("face.rig.ron") || panel.says(".rig.ron"));
    panel.click(&mut app, face, panel.find("automatic").center());
    assert!(app.world().get::<TalkingFace>(face).unwrap().profile.is_none());
}

#[test]
fn contexts_share_nothing_and_two_inspectors_of_one_do_not_clash() {
    let (_f, mut app, face) = face_app();
    let (mut first, mut second) = (Panel::new(), Panel::new());
    first.draw(&mut app, face);
    first.click(&mut app, face, first.find("Report").center());
    second.draw(&mut app, face);
    assert!(first.says("of 52 ARKit") && !second.says("of 52 ARKit"));
    // Two in one context, with a tab each.
    let other = app.world_mut().spawn(TalkingFace::default()).id();
    let context = egui::Context::default();
    let input = || egui::RawInput {
        screen_rect: Some(egui::Rect::from_min_size(egui::Pos2::ZERO, egui::vec2(1_200.0, 900.0))),
        ..default()
    };
    let draw = move |mut inspector: FaceInspector| {
        let output = context.run_ui(input(), |ui| {
            ui.columns(2, |columns| {
                inspector.ui(&mut columns[0], face);
                inspector.ui(&mut columns[1], other);
            });
        });
        output.shapes.into_iter().flat_map(|shape| flat(shape.shape)).collect::<Vec<_>>()
    };
    let system = app.world_mut().register_system(draw);
    for _ in 0..4 {
        let shapes = app.world_mut().run_system(system).unwrap();
        let clashes = shapes.iter().any(|shape| matches!(shape, egui::Shape::Text(text) if text.galley.text().contains("ID clash") || text.galley.text().contains("use of")));
        assert!(!clashes, "egui warns of ids that are used twice");
        app.update();
    }
}

#[test]
fn without_egui_there_are_no_windows_and_nothing_breaks() {
    let (_f, mut app, face) = face_app_with(|app| _ = app.add_plugins(FaceInspectorPlugin));
    let camera = app.world_mut().spawn((Camera::default(), InspectFaces::of(face))).id();
    (0..3).for_each(|_| app.update());
    assert!(!app.is_plugin_added::<EguiPlugin>());
    assert!(app.world().get::<EguiContext>(camera).is_none());
}

#[test]
fn curves_are_remembered_only_while_somebody_looks() {
    let (_f, mut app, face) = face_app_with(|app| _ = app.add_plugins(FaceInspectorPlugin));
    let components = |app: &App| app.world().entity(face).archetype().component_count();
    (0..3).for_each(|_| app.update());
    let before = components(&app);
    let mut panel = Panel::new();
    for weight in [0.1, 0.4, 0.9] {
        show(&mut app, face, &[(FaceChannel::JawOpen, weight)]);
        panel.draw(&mut app, face);
    }
    assert_eq!(components(&app), before + 1);
    let longest = |shape: &egui::Shape| match shape {
        egui::Shape::Path(path) => path.points.len(),
        _ => 0,
    };
    assert!(panel.drawn.iter().map(longest).max().unwrap() >= 10, "a point for every frame");
    (0..90).for_each(|_| app.update());
    assert_eq!(components(&app), before, "nobody looks any more");
}

#[derive(ScheduleLabel, Debug, Clone, PartialEq, Eq, Hash)]
struct SecondWindow;

#[test]
fn every_marked_context_has_a_window_and_a_face_of_its_own() {
    let (_f, mut app, face) = face_app_with(|app| {
        app.init_asset::<Shader>().add_plugins((
            WindowPlugin { primary_window: None, ..default() },
            InputPlugin,
            EguiPlugin::default(),
            FaceInspectorPlugin,
        ));
    });
    let other = app.world_mut().spawn((TalkingFace::default(), Name::new("other"))).id();
    let world = app.world_mut();
    let primary = world.spawn((Camera::default(), PrimaryEguiContext, InspectFaces::of(face))).id();
    let passes = EguiMultipassSchedule::new(SecondWindow);
    let second = world.spawn((Camera::default(), passes, InspectFaces::of(other))).id();
    let bare = world.spawn((Camera::default(), InspectFaces::default())).id();
    let plain = world.spawn((Camera::default(), EguiContext::default(), InspectFaces::default())).id();
    let unmarked = world.spawn((Camera::default(), EguiContext::default())).id();
    (0..6).for_each(|_| app.update());
    let window = |world: &mut World, camera: Entity| {
        let id = egui::Id::new(("talkie inspector", camera));
        world.get_mut::<EguiContext>(camera).unwrap().get_mut().memory(|memory| memory.area_rect(id))
    };
    for camera in [primary, second, bare, plain] {
        assert!(window(app.world_mut(), camera).is_some_and(|area| area.height() > 100.0), "{camera}");
    }
    assert!(window(app.world_mut(), unmarked).is_none());
    let shown = |app: &App, camera: Entity| app.world().get::<InspectFaces>(camera).unwrap().face;
    assert_eq!([primary, second, bare].map(|camera| shown(&app, camera)), [Some(face), Some(other), Some(face)]);
    // A face that is gone gives way to one that is there.
    app.world_mut().despawn(other);
    (0..2).for_each(|_| app.update());
    assert_eq!(shown(&app, second), Some(face));
}
