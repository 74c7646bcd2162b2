//! From what a network says about one frame to a pose: one speech of one identity.

use std::{f32::consts::PI, path::Path, sync::Arc};

use glam::{Mat3, Quat, Vec2, Vec3};

use super::{BundleSource, FaceBundle, Identity, IdentityConfig};
use crate::{
    animation::{
        FaceChannel, FacePose,
        blendshapes::{BlendshapeError, BlendshapeSolver},
        direct::{Basis, DirectSkin, DirectTongue, SkinEquations, TongueEquations},
        geometry::{EyeAnimator, GeometryError, GeometryParameters, JawAnimator, SkinAnimator, TongueAnimator},
    },
    model::BundleError,
    retarget::JAW_OPEN_RADIANS,
};

/// Units of a model in a metre.
const UNITS_PER_METRE: f32 = 100.0;
/// From the lower incisors to the axis that the jaw turns about, in units of the model: the condyles and the incisors are a
/// triangle with sides of 10 cm (W. Bonwill, 1885), tilted by 26 degrees against the teeth (F. Balkwill, 1866).
const HINGE: Vec3 = Vec3::new(0.0, 3.8, -7.8);

/// A frame of which no pose can be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FrameError {
    /// By the animator.
    #[error(transparent)]
    Geometry(#[from] GeometryError),
    /// By the solve.
    #[error(transparent)]
    Blendshapes(#[from] BlendshapeError),
}

/// What a network says about a frame.
#[derive(Debug, Clone, Copy)]
pub struct RawFrame<'a> {
    /// Weights of shapes, or differences of all vertices, of the skin.
    pub skin: &'a [f32],
    /// The same of the tongue.
    pub tongue: &'a [f32],
    /// Differences of the points of the jaw.
    pub jaw: &'a [f32],
    /// Rotations: right eye x and y, left eye x and y.
    pub eyes: &'a [f32],
}

/// The face of a frame as geometry, for who shows the mesh of the bundle itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FaceGeometry {
    /// Positions of the vertices of the skin, three values for each, in units of the model (about a centimetre).
    pub skin: Vec<f32>,
    /// The same of the tongue.
    pub tongue: Vec<f32>,
    /// How the lower teeth move: a 4x4 matrix, column after column.
    pub jaw: [f32; 16],
    /// Rotations of the right and then the left eye about x, y and z, in degrees.
    pub eyes: [f32; 6],
}

/// An identity with all that its speeches have in common.
#[derive(Debug)]
pub struct FaceShapes {
    identity: Identity,
    solvers: [BlendshapeSolver; 2],
    skin: Arc<SkinEquations>,
    tongue: Arc<TongueEquations>,
    /// Where the weight of each pose of skin and tongue goes.
    channels: [Vec<Option<FaceChannel>>; 2],
    /// Where the jaw turns, in units of the model.
    hinge: Vec3,
}

impl FaceShapes {
    /// The identities of a bundle, ready to be animated.
    ///
    /// # Errors
    /// [`BundleError::Value`] if the bundle has no blend shapes, or none of them has the name of a [`FaceChannel`].
    pub fn of(bundle: &FaceBundle, source: &BundleSource<'_>) -> Result<Vec<Arc<Self>>, BundleError> {
        let path = source.path("model.json");
        bundle.identities.iter().map(|identity| Self::new(identity.clone(), &path).map(Arc::new)).collect()
    }

    fn new(identity: Identity, path: &Path) -> Result<Self, BundleError> {
        let wrong = |found: String, expected: &str| BundleError::Value {
            path: path.to_owned(),
            key: "blendshapePaths",
            found,
            expected: expected.into(),
        };
        let Some(solvers) = identity.solvers.clone() else {
            return Err(wrong(
                "without files".into(),
                "blend shapes of skin and tongue, by which other characters are moved",
            ));
        };
        let channels = [0, 1].map(|part: usize| {
            let names = solvers[part].data().pose_names();
            names.iter().map(|name| FaceChannel::from_name(name)).collect::<Vec<_>>()
        });
        if channels.iter().flatten().all(Option::is_none) {
            let found = format!("shapes such as {:?}", solvers[0].data().pose_names()[0]);
            return Err(wrong(found, "names of the 68 face channels, such as \"jawOpen\""));
        }
        let data = &identity.data;
        let [skin_basis, tongue_basis] = match &data.bases {
            Some([skin, tongue]) => [Basis::Shapes(skin.clone()), Basis::Shapes(tongue.clone())],
            None => [Basis::Vertices, Basis::Vertices],
        };
        let unusable = |error: GeometryError| wrong(error.to_string(), "shapes of the mesh of the network");
        let skin = SkinEquations::new(&solvers[0], data.skin.clone(), skin_basis, &identity.config.parameters.skin)
            .map_err(unusable)?;
        let tongue = TongueEquations::new(&solvers[1], &data.tongue_neutral, &tongue_basis).map_err(unusable)?;
        let points = data.jaw_neutral.chunks_exact(3);
        let count = points.len().max(1) as f32;
        let hinge = points.map(Vec3::from_slice).sum::<Vec3>() / count + HINGE;
        Ok(Self { skin: Arc::new(skin), tongue: Arc::new(tongue), solvers, channels, hinge, identity })
    }

    /// The identity's name.
    pub fn name(&self) -> &str {
        &self.identity.name
    }

    /// How the bundle says that it is animated.
    pub fn config(&self) -> &IdentityConfig {
        &self.identity.config
    }
}

/// Makes the poses of one speech, frame after frame.
#[derive(Debug)]
pub struct FaceFrames {
    shapes: Arc<FaceShapes>,
    parameters: GeometryParameters,
    way: Way,
    jaw: JawAnimator,
    eyes: EyeAnimator,
    solvers: [BlendshapeSolver; 2],
    weights: [Vec<f32>; 2],
}

/// How the solve gets its right-hand side.
#[derive(Debug)]
enum Way {
    Direct { skin: DirectSkin, tongue: DirectTongue, products: [Vec<f64>; 2] },
    Vertices { skin: SkinAnimator, tongue: TongueAnimator, deltas: [Vec<f32>; 2], geometry: Box<FaceGeometry> },
}

impl FaceFrames {
    /// Before the first frame. Where the `geometry` is wanted, all vertices are computed and [`geometry`](Self::geometry) has
    /// them; without, which is many times faster, only the weights are.
    ///
    /// # Errors
    /// [`GeometryError::Parameter`] if a parameter is out of its range.
    pub fn new(shapes: Arc<FaceShapes>, parameters: GeometryParameters, geometry: bool) -> Result<Self, GeometryError> {
        parameters.validate()?;
        let data = &shapes.identity.data;
        let solvers = shapes.solvers.clone();
        let way = if geometry {
            let lengths = [data.skin.neutral().len(), data.tongue_neutral.len()];
            let [skin, tongue] = lengths.map(|length| vec![0.0; length]);
            Way::Vertices {
                skin: SkinAnimator::new(data.skin.clone(), parameters.skin)?,
                tongue: TongueAnimator::new(data.tongue_neutral.clone(), parameters.tongue)?,
                deltas: [skin.clone(), tongue.clone()],
                geometry: Box::new(FaceGeometry { skin, tongue, ..FaceGeometry::default() }),
            }
        } else {
            Way::Direct {
                skin: DirectSkin::new(shapes.skin.clone(), &solvers[0], parameters.skin)?,
                tongue: DirectTongue::new(shapes.tongue.clone(), parameters.tongue)?,
                products: [0, 1].map(|part: usize| vec![0.0; solvers[part].active_poses().map_or(0, <[usize]>::len)]),
            }
        };
        Ok(Self {
            jaw: JawAnimator::new(data.jaw_neutral.clone(), parameters.teeth)?,
            eyes: EyeAnimator::new(data.saccades.clone(), parameters.eyes)?,
            weights: [0, 1].map(|part: usize| vec![0.0; solvers[part].data().pose_count()]),
            solvers,
            way,
            parameters,
            shapes,
        })
    }

    /// The parameters as they are.
    pub fn parameters(&self) -> &GeometryParameters {
        &self.parameters
    }

    /// Changes the parameters from the next frame on; what is remembered stays.
    ///
    /// # Errors
    /// [`GeometryError::Parameter`] if one is out of its range; then none is changed.
    pub fn set_parameters(&mut self, parameters: GeometryParameters) -> Result<(), GeometryError> {
        parameters.validate()?;
        match &mut self.way {
            Way::Direct { skin, tongue, .. } => {
                skin.set_parameters(&self.solvers[0], parameters.skin)?;
                tongue.set_parameters(parameters.tongue)?;
            }
            Way::Vertices { skin, tongue, .. } => {
                skin.set_parameters(parameters.skin)?;
                tongue.set_parameters(parameters.tongue)?;
            }
        }
        self.jaw.set_parameters(parameters.teeth)?;
        self.eyes.set_parameters(parameters.eyes)?;
        self.parameters = parameters;
        Ok(())
    }

    /// The pose of a frame, `dt` seconds after the one before.
    ///
    /// # Errors
    /// [`FrameError`] if something is not finite or of another length than the bundle says.
    pub fn frame(&mut self, raw: RawFrame<'_>, dt: f32) -> Result<FacePose, FrameError> {
        let [skin_solver, tongue_solver] = &mut self.solvers;
        let [skin_weights, tongue_weights] = &mut self.weights;
        let jaw = self.jaw.animate(raw.jaw)?;
        let eyes = self.eyes.animate(raw.eyes, dt)?;
        match &mut self.way {
            Way::Direct { skin, tongue, products: [skin_products, tongue_products] } => {
                skin.right_hand_side(raw.skin, dt, skin_products)?;
                tongue.right_hand_side(raw.tongue, tongue_products)?;
                skin_solver.solve_right_hand_side(skin_products, skin_weights)?;
                tongue_solver.solve_right_hand_side(tongue_products, tongue_weights)?;
            }
            Way::Vertices { skin, tongue, deltas: [skin_deltas, tongue_deltas], geometry } => {
                let data = &self.shapes.identity.data;
                let (skin_raw, tongue_raw) = match &data.bases {
                    None => (raw.skin, raw.tongue),
                    Some([skin_basis, tongue_basis]) => {
                        skin_basis.expand(raw.skin, skin_deltas)?;
                        tongue_basis.expand(raw.tongue, tongue_deltas)?;
                        (&skin_deltas[..], &tongue_deltas[..])
                    }
                };
                skin.animate(skin_raw, dt, &mut geometry.skin)?;
                tongue.animate(tongue_raw, &mut geometry.tongue)?;
                (geometry.jaw, geometry.eyes) = (jaw, eyes);
                skin_solver.solve(&geometry.skin, skin_weights)?;
                tongue_solver.solve(&geometry.tongue, tongue_weights)?;
            }
        }
        let mut pose = FacePose::REST;
        for (channels, weights) in self.shapes.channels.iter().zip(&self.weights) {
            for (channel, weight) in channels.iter().zip(weights) {
                if let Some(channel) = *channel {
                    pose.set(channel, weight.clamp(0.0, 1.0));
                }
            }
        }
        let column = |at: usize| Vec3::from_slice(&jaw[at..at + 3]);
        let rotation = Mat3::from_cols(column(0), column(4), column(8));
        let hinge = self.shapes.hinge;
        // A rig that turns its jaw adds what the weight of jawOpen turns it.
        let opened = Quat::from_rotation_x(pose.weight(FaceChannel::JawOpen) * JAW_OPEN_RADIANS);
        pose.jaw_rotation = (Quat::from_mat3(&rotation) * opened.inverse()).normalize();
        pose.jaw_translation = (rotation * hinge + column(12) - hinge) / UNITS_PER_METRE;
        // Turning about x looks down, turning about y looks to the left of who looks.
        let gaze = |x: f32, y: f32| Vec2::new(y, -x) * (PI / 180.0);
        (pose.right_eye, pose.left_eye) = (gaze(eyes[0], eyes[1]), gaze(eyes[3], eyes[4]));
        Ok(pose)
    }

    /// The geometry of the frame before, where it is wanted.
    pub fn geometry(&self) -> Option<&FaceGeometry> {
        match &self.way {
            Way::Vertices { geometry, .. } => Some(geometry),
            Way::Direct { .. } => None,
        }
    }
}
