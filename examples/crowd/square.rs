//! The square: pedestals in arcs around a fountain, and who stands on them.

use bevy::{anti_alias::fxaa::Fxaa, input::mouse::AccumulatedMouseScroll, prelude::*};
use bevy_talkie::prelude::*;

use crate::{Chatter, Person, Speakers};

/// Busts in each arc, nearest first, and how far it is from the camera, in metres.
const ARCS: [(usize, f32); 8] = [(5, 1.3), (8, 2.1), (11, 3.0), (15, 4.1), (19, 5.4), (24, 7.0), (30, 9.0), (38, 11.5)];
/// How many there is room for.
pub const PLACES: usize = {
    let (mut places, mut arc) = (0, 0);
    while arc < ARCS.len() {
        places += ARCS[arc].0;
        arc += 1;
    }
    places
};
/// Half the angle that an arc spans.
const SPREAD: f32 = 0.42;
/// Height of the necks in the first arc, and how much higher those behind stand, for each metre.
const HEIGHT: (f32, f32) = (1.35, 0.075);
/// Where the camera stands.
const EYE: Vec3 = Vec3::new(0.0, 1.62, 0.0);

/// The place of somebody, by its number.
#[derive(Component)]
pub struct Place(usize);

impl Place {
    pub fn is_in_front(&self) -> bool {
        self.0 < ARCS[0].0
    }
}

/// The ring around a pedestal, of whom.
#[derive(Component)]
pub struct Ring(Entity);

/// Materials of rings by detail, and what pedestals are made of.
#[derive(Resource)]
pub struct Stones {
    rings: [Handle<StandardMaterial>; FaceDetail::ALL.len()],
    pedestal: Handle<StandardMaterial>,
    column: Handle<Mesh>,
    ring: Handle<Mesh>,
    scenes: [Handle<WorldAsset>; 2],
}

/// The picture to draw to, where there is no window.
#[derive(Resource)]
pub struct Target(pub Handle<Image>);

#[derive(Component)]
pub struct Eye;

pub fn build(
    mut commands: Commands,
    assets: Res<AssetServer>,
    mut meshes: ResMut<Assets<Mesh>>,
    mut materials: ResMut<Assets<StandardMaterial>>,
    target: Option<Res<Target>>,
) {
    let mut stone = |red: f32, green: f32, blue: f32| {
        materials.add(StandardMaterial {
            base_color: Color::srgb(red, green, blue),
            perceptual_roughness: 0.9,
            ..default()
        })
    };
    let stones = Stones {
        rings: [
            stone(0.25, 0.75, 0.35),
            stone(0.65, 0.75, 0.25),
            stone(0.90, 0.62, 0.20),
            stone(0.80, 0.30, 0.22),
            stone(0.35, 0.35, 0.38),
        ],
        pedestal: stone(0.62, 0.60, 0.56),
        column: meshes.add(Cylinder::new(0.13, 1.0)),
        ring: meshes.add(Torus { minor_radius: 0.014, major_radius: 0.135 }),
        scenes: ["characters/ada.glb#Scene0", "characters/ben.glb#Scene0"].map(|file| assets.load(file)),
    };
    let ground = stone(0.30, 0.29, 0.28);
    commands.insert_resource(stones);
    commands.spawn((
        Mesh3d(meshes.add(Plane3d::default().mesh().size(60.0, 60.0))),
        MeshMaterial3d(ground),
        Transform::default(),
    ));
    let off_screen = target.is_some();
    let mut camera = commands.spawn((
        Eye,
        Camera3d::default(),
        Projection::Perspective(PerspectiveProjection { fov: 0.62, ..default() }),
        Transform::from_translation(EYE).looking_at(Vec3::new(0.0, 1.5, -2.4), Vec3::Y),
        if off_screen { Msaa::Off } else { Msaa::Sample4 },
        Fxaa::default(),
        DistanceFog {
            color: Color::srgb(0.62, 0.70, 0.80),
            falloff: FogFalloff::Linear { start: 6.0, end: 40.0 },
            ..default()
        },
    ));
    if let Some(target) = target {
        camera.insert(bevy::camera::RenderTarget::Image(target.0.clone().into()));
    }
    commands.insert_resource(ClearColor(Color::srgb(0.62, 0.70, 0.80)));
    commands.insert_resource(GlobalAmbientLight {
        brightness: 420.0,
        color: Color::srgb(0.80, 0.88, 1.0),
        ..default()
    });
    commands.spawn((
        DirectionalLight { color: Color::srgb(1.0, 0.94, 0.84), illuminance: 7_500.0, ..default() },
        Transform::from_xyz(-3.0, 5.0, 4.0).looking_at(Vec3::new(0.0, 1.0, -3.0), Vec3::Y),
    ));
}

/// Where the neck of a place is; it looks at the camera.
fn place(number: usize) -> Transform {
    let (mut first, mut arc) = (0, 0);
    while arc + 1 < ARCS.len() && number >= first + ARCS[arc].0 {
        first += ARCS[arc].0;
        arc += 1;
    }
    let (count, distance) = ARCS[arc];
    let along = (number - first) as f32 / (count - 1) as f32 * 2.0 - 1.0;
    let angle = along * SPREAD * (1.0 + 0.04 * arc as f32);
    let neck = Vec3::new(angle.sin() * distance, HEIGHT.0 + HEIGHT.1 * (distance - ARCS[0].1), -angle.cos() * distance);
    // Nobody stands like a soldier.
    let turned = ((number * 37 % 11) as f32 / 10.0 - 0.5) * 0.7;
    Transform::from_translation(neck).with_rotation(Quat::from_rotation_y(-angle + turned))
}

/// Lets people come and go until as many are there as shall be.
pub fn fill(
    people: Query<(Entity, &Place)>,
    rings: Query<(Entity, &Ring)>,
    speakers: Res<Speakers>,
    stones: Res<Stones>,
    mut commands: Commands,
) {
    for (entity, place) in &people {
        if place.0 >= speakers.0 {
            commands.entity(entity).despawn();
            for (ring, _) in rings.iter().filter(|(_, ring)| ring.0 == entity) {
                commands.entity(ring).despawn();
            }
        }
    }
    for number in people.iter().len()..speakers.0.min(PLACES) {
        let here = place(number);
        let person = if number * 7 % 5 < 3 { Person::Ada } else { Person::Ben };
        let face = commands
            .spawn((
                Name::new(format!("{person:?} {number}")),
                person,
                Place(number),
                Chatter::new(number as u64 + 1),
                WorldAssetRoot(stones.scenes[person as usize].clone()),
                TalkingFace::default(),
                AutoDetail::default(),
                here,
            ))
            .id();
        let top = here.translation - Vec3::Y * 0.17;
        commands.spawn((
            Ring(face),
            Mesh3d(stones.column.clone()),
            MeshMaterial3d(stones.pedestal.clone()),
            Transform::from_xyz(top.x, top.y / 2.0, top.z).with_scale(Vec3::new(1.0, top.y, 1.0)),
        ));
        commands.spawn((
            Ring(face),
            Mesh3d(stones.ring.clone()),
            MeshMaterial3d(stones.rings[0].clone()),
            Transform::from_translation(top - Vec3::Y * 0.03),
            Shines,
        ));
    }
}

/// Shows the detail of a face.
#[derive(Component)]
pub struct Shines;

pub fn show_detail(
    faces: Query<&FaceDetail, Changed<FaceDetail>>,
    mut rings: Query<(&Ring, &mut MeshMaterial3d<StandardMaterial>), With<Shines>>,
    stones: Res<Stones>,
) {
    for (ring, mut material) in &mut rings {
        if let Ok(detail) = faces.get(ring.0) {
            material.0 = stones.rings[*detail as usize].clone();
        }
    }
}

pub fn zoom(scroll: Res<AccumulatedMouseScroll>, eye: Single<&mut Transform, With<Eye>>) {
    let eye = &mut eye.into_inner().translation;
    eye.z = (eye.z - scroll.delta.y.clamp(-3.0, 3.0) * 0.2).clamp(-10.0, 6.0);
}
