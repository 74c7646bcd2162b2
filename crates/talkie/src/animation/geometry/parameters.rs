//! The parameters of the animator: official names, defaults and ranges.

use serde::{Deserialize, Serialize};

/// A parameter that cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParameterError {
    /// Not a number.
    #[error("{name} is not a number; expected {minimum}..={maximum}")]
    NotANumber {
        /// Which parameter.
        name: &'static str,
        /// The least that is allowed.
        minimum: f32,
        /// The most that is allowed.
        maximum: f32,
    },
    /// Less than the least or more than the most that is allowed.
    #[error("{name} is {value}; expected {minimum}..={maximum}")]
    OutOfRange {
        /// Which parameter.
        name: &'static str,
        /// What it was to be.
        value: f32,
        /// The least that is allowed.
        minimum: f32,
        /// The most that is allowed.
        maximum: f32,
    },
}

/// Name, default and range of a parameter, for sliders and for messages.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParameterRange {
    /// The name of the field, such as `skin_strength`.
    pub name: &'static str,
    /// The name in the interfaces of Audio2Face-3D, such as `skinStrength`.
    pub official_name: &'static str,
    /// What it is where nobody says otherwise.
    pub default: f32,
    /// The least that is allowed.
    pub minimum: f32,
    /// The most that is allowed.
    pub maximum: f32,
}

impl ParameterRange {
    /// Whether a value is a number within the range.
    ///
    /// # Errors
    /// [`ParameterError`], naming the parameter, the value and the range.
    pub fn check(&self, value: f32) -> Result<(), ParameterError> {
        let Self { name, minimum, maximum, .. } = *self;
        if value.is_nan() {
            return Err(ParameterError::NotANumber { name, minimum, maximum });
        }
        if !(minimum..=maximum).contains(&value) {
            return Err(ParameterError::OutOfRange { name, value, minimum, maximum });
        }
        Ok(())
    }
}

/// A struct of parameters with their defaults and ranges. What goes for one parameter stands in one line.
macro_rules! parameter_group {
    (
        $(#[$about:meta])*
        $group:ident {
            $($(#[$doc:meta])* $field:ident / $official:literal = $default:literal in $minimum:literal to $maximum:literal;)*
        }
    ) => {
        $(#[$about])*
        ///
        /// Reads the keys of `model_config.json` and the official names alike; values are checked by
        /// [`validate`](Self::validate), not on reading.
        #[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
        pub struct $group {
            $(
                $(#[$doc])*
                #[doc = concat!("\n\nDefault ", stringify!($default), ", range ", stringify!($minimum), "..=", stringify!($maximum), ".")]
                #[serde(alias = $official)]
                pub $field: f32,
            )*
        }

        impl Default for $group {
            fn default() -> Self {
                Self { $($field: $default),* }
            }
        }

        impl $group {
            /// Names, defaults and ranges in the order of the fields.
            pub const RANGES: &'static [ParameterRange] = &[$(ParameterRange {
                name: stringify!($field),
                official_name: $official,
                default: $default,
                minimum: $minimum,
                maximum: $maximum,
            }),*];

            /// The values in the order of the fields.
            pub fn values(&self) -> impl Iterator<Item = f32> {
                [$(self.$field),*].into_iter()
            }

            /// The same to be changed, in the same order.
            pub fn values_mut(&mut self) -> impl Iterator<Item = &mut f32> {
                [$(&mut self.$field),*].into_iter()
            }

            /// Whether all values are numbers within their ranges.
            ///
            /// # Errors
            /// [`ParameterError`] for the first that is not, naming the parameter, the value and the range.
            pub fn validate(&self) -> Result<(), ParameterError> {
                Self::RANGES.iter().zip(self.values()).try_for_each(|(range, value)| range.check(value))
            }
        }
    };
}

parameter_group! {
    /// How the skin is animated.
    SkinParameters {
        /// Half-life of the smoothing of the lower face in seconds; 0 switches it off.
        lower_face_smoothing / "lowerFaceSmoothing" = 0.0023 in 0.0 to 0.1;
        /// Half-life of the smoothing of the upper face in seconds; 0 switches it off.
        upper_face_smoothing / "upperFaceSmoothing" = 0.001 in 0.0 to 0.1;
        /// Factor on the motion of the lower face.
        lower_face_strength / "lowerFaceStrength" = 1.3 in 0.0 to 2.0;
        /// Factor on the motion of the upper face.
        upper_face_strength / "upperFaceStrength" = 1.0 in 0.0 to 2.0;
        /// Where the upper face begins, as a share of the height of the mesh.
        face_mask_level / "faceMaskLevel" = 0.6 in 0.0 to 1.0;
        /// How gradually the lower face becomes the upper face, as a share of the height of the mesh.
        face_mask_softness / "faceMaskSoftness" = 0.0085 in 0.001 to 0.5;
        /// Factor on all that the network says about the skin, before lids and lips are opened or closed.
        skin_strength / "skinStrength" = 1.0 in 0.0 to 2.0;
        /// Factor on [`blink_offset`](Self::blink_offset).
        blink_strength / "blinkStrength" = 1.0 in 0.0 to 2.0;
        /// How far the lids are opened, as a share of closing them; negative values close them.
        eyelid_open_offset / "eyelidOpenOffset" = 0.06 in -1.0 to 1.0;
        /// How far the lips are opened, as a share of the pose with open lips; negative values press them together.
        lip_open_offset / "lipOpenOffset" = -0.03 in -0.2 to 0.2;
        /// How far the lids are closed: 1 is a shut eye. Not in files; this is what a blink moves.
        #[serde(default)]
        blink_offset / "blinkOffset" = 0.0 in 0.0 to 1.0;
    }
}

parameter_group! {
    /// How the tongue is animated.
    TongueParameters {
        /// Factor on the motion of the tongue.
        tongue_strength / "tongueStrength" = 1.5 in 0.0 to 3.0;
        /// How much higher the tongue is, in units of the model.
        tongue_height_offset / "tongueHeightOffset" = 0.2 in -3.0 to 3.0;
        /// How much further forward the tongue is, in units of the model.
        tongue_depth_offset / "tongueDepthOffset" = 0.13 in -3.0 to 3.0;
    }
}

parameter_group! {
    /// How the lower teeth, and with them the jaw, are animated.
    TeethParameters {
        /// Factor on the motion of the lower teeth.
        lower_teeth_strength / "lowerTeethStrength" = 1.0 in 0.0 to 2.0;
        /// How much higher the lower teeth are, in units of the model.
        lower_teeth_height_offset / "lowerTeethHeightOffset" = 0.0 in -3.0 to 3.0;
        /// How much further forward the lower teeth are, in units of the model.
        lower_teeth_depth_offset / "lowerTeethDepthOffset" = 0.0 in -3.0 to 3.0;
    }
}

parameter_group! {
    /// How the eyes are animated.
    EyeParameters {
        /// Factor on the rotations that the network gives.
        eyeballs_strength / "eyeballsStrength" = 1.0 in 0.0 to 2.0;
        /// Factor on the saccades.
        saccade_strength / "saccadeStrength" = 1.0 in 0.0 to 2.0;
        /// Degrees by which the right eye is turned about its x axis. `right_eye_rot_x_offset` in files.
        #[serde(rename = "right_eye_rot_x_offset")]
        right_eyeball_rotation_offset_x / "rightEyeballRotationOffsetX" = 0.0 in -10.0 to 10.0;
        /// Degrees by which the right eye is turned about its y axis. `right_eye_rot_y_offset` in files.
        #[serde(rename = "right_eye_rot_y_offset")]
        right_eyeball_rotation_offset_y / "rightEyeballRotationOffsetY" = 0.0 in -10.0 to 10.0;
        /// Degrees by which the left eye is turned about its x axis. `left_eye_rot_x_offset` in files.
        #[serde(rename = "left_eye_rot_x_offset")]
        left_eyeball_rotation_offset_x / "leftEyeballRotationOffsetX" = 0.0 in -10.0 to 10.0;
        /// Degrees by which the left eye is turned about its y axis. `left_eye_rot_y_offset` in files.
        #[serde(rename = "left_eye_rot_y_offset")]
        left_eyeball_rotation_offset_y / "leftEyeballRotationOffsetY" = 0.0 in -10.0 to 10.0;
        /// The row of the saccade table at which the eyes begin. `eye_saccade_seed` in files.
        #[serde(rename = "eye_saccade_seed")]
        saccade_seed / "saccadeSeed" = 0.0 in 0.0 to 4999.0;
    }
}

/// The parameters of all parts: the object `config` of a `model_config.json`, less what is no business of the animator.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct GeometryParameters {
    /// How the skin is animated.
    #[serde(flatten)]
    pub skin: SkinParameters,
    /// How the tongue is animated.
    #[serde(flatten)]
    pub tongue: TongueParameters,
    /// How the lower teeth are animated.
    #[serde(flatten)]
    pub teeth: TeethParameters,
    /// How the eyes are animated.
    #[serde(flatten)]
    pub eyes: EyeParameters,
}

impl GeometryParameters {
    /// Whether all values of all groups are numbers within their ranges.
    ///
    /// # Errors
    /// [`ParameterError`] for the first that is not, naming the parameter, the value and the range.
    pub fn validate(&self) -> Result<(), ParameterError> {
        self.skin.validate()?;
        self.tongue.validate()?;
        self.teeth.validate()?;
        self.eyes.validate()
    }
}
