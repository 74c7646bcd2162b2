//! What VRM files say of themselves: expressions, humanoid bones, gaze. Both versions, from the JSON of their extension.
//!
//! Sources: the specifications `VRMC_vrm-1.0` and `0.0` of the VRM consortium.

use serde_json::Value;

use super::Joint;

/// What a VRM file says of itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Vrm {
    /// 0 or 1: the major version.
    pub version: u8,
    /// Its expressions (in version 0: blend shape groups).
    pub expressions: Vec<VrmExpression>,
    /// Nodes of the file that are parts of a face.
    pub bones: Vec<(Joint, usize)>,
    /// Whether it says that bones turn the eyes, so that its expressions for looking are not to be used.
    pub looks_by_bones: bool,
}

/// How an expression of a VRM file treats others of a kind while it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VrmOverride {
    /// Leaves them.
    #[default]
    None,
    /// Takes them away.
    Block,
    /// Takes away as much of them as there is of itself.
    Blend,
}

/// An expression of a VRM file: several morph targets under one name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VrmExpression {
    /// Name of the preset, or of a custom expression.
    pub name: String,
    /// Whether it is one of the presets.
    pub preset: bool,
    /// Morph targets: node (version 1) or mesh (version 0) of the file, index of the target, weight at full expression.
    pub targets: Vec<(usize, usize, f32)>,
    /// Whether there is nothing between 0 and 1; half and more is 1.
    pub binary: bool,
    /// What it does to blinking, to gaze and to the mouth.
    pub overrides: [VrmOverride; 3],
    /// Whether it also changes materials or textures, which is left alone.
    pub materials: bool,
}

impl Vrm {
    /// Reads the extension of a glTF file, given its `extensions` object. `None` if it is no VRM file.
    pub fn from_extensions(extensions: &Value) -> Option<Self> {
        if let Some(vrm) = extensions.get("VRMC_vrm") {
            return Some(Self::version_1(vrm));
        }
        extensions.get("VRM").map(Self::version_0)
    }

    /// The part that a node of the file plays.
    pub fn part(&self, node: usize) -> Option<Joint> {
        self.bones.iter().find(|(_, bone)| *bone == node).map(|(part, _)| *part)
    }

    /// The same with places in `sources` for meshes, which gives node and mesh of the file for each.
    #[must_use]
    pub fn placed(mut self, sources: &[(usize, usize)]) -> Self {
        let version = self.version;
        let meshes = |index: usize| {
            let is = move |source: &(usize, usize)| index == if version == 0 { source.1 } else { source.0 };
            sources.iter().enumerate().filter(move |(_, source)| is(source)).map(|(mesh, _)| mesh)
        };
        for expression in &mut self.expressions {
            let targets = core::mem::take(&mut expression.targets);
            expression.targets = targets
                .into_iter()
                .flat_map(|(source, shape, weight)| meshes(source).map(move |mesh| (mesh, shape, weight)))
                .collect();
        }
        self
    }

    fn version_1(vrm: &Value) -> Self {
        let override_of = |expression: &Value, key: &str| match expression.get(key).and_then(Value::as_str) {
            Some("block") => VrmOverride::Block,
            Some("blend") => VrmOverride::Blend,
            _ => VrmOverride::None,
        };
        let mut expressions = Vec::new();
        for (group, preset) in [("preset", true), ("custom", false)] {
            let named = vrm.pointer(&format!("/expressions/{group}")).and_then(Value::as_object);
            for (name, expression) in named.into_iter().flatten() {
                let targets = list(expression, "morphTargetBinds")
                    .filter_map(|bind| Some((index(bind, "node")?, index(bind, "index")?, number(bind, "weight")?)))
                    .collect();
                expressions.push(VrmExpression {
                    name: name.clone(),
                    preset,
                    targets,
                    binary: expression.get("isBinary").and_then(Value::as_bool).unwrap_or(false),
                    overrides: ["overrideBlink", "overrideLookAt", "overrideMouth"]
                        .map(|key| override_of(expression, key)),
                    materials: ["materialColorBinds", "textureTransformBinds"]
                        .iter()
                        .any(|key| list(expression, key).next().is_some()),
                });
            }
        }
        let bones = vrm.pointer("/humanoid/humanBones").and_then(Value::as_object);
        Self {
            version: 1,
            expressions,
            bones: bones
                .into_iter()
                .flatten()
                .filter_map(|(bone, value)| Some((part(bone)?, index(value, "node")?)))
                .collect(),
            looks_by_bones: vrm.pointer("/lookAt/type").and_then(Value::as_str) == Some("bone"),
        }
    }

    fn version_0(vrm: &Value) -> Self {
        let groups = vrm.pointer("/blendShapeMaster/blendShapeGroups").and_then(Value::as_array);
        let expressions = groups
            .into_iter()
            .flatten()
            .map(|group| {
                let text = |key: &str| group.get(key).and_then(Value::as_str).unwrap_or_default();
                let preset = text("presetName").to_ascii_lowercase();
                let is_preset = !preset.is_empty() && preset != "unknown";
                // Weights are in percent.
                let targets = list(group, "binds")
                    .filter_map(|bind| {
                        Some((index(bind, "mesh")?, index(bind, "index")?, number(bind, "weight")? / 100.0))
                    })
                    .collect();
                VrmExpression {
                    name: if is_preset { preset } else { text("name").to_owned() },
                    preset: is_preset,
                    targets,
                    binary: group.get("isBinary").and_then(Value::as_bool).unwrap_or(false),
                    overrides: [VrmOverride::None; 3],
                    materials: list(group, "materialValues").next().is_some(),
                }
            })
            .collect();
        let bones = vrm.pointer("/humanoid/humanBones").and_then(Value::as_array);
        Self {
            version: 0,
            expressions,
            bones: bones
                .into_iter()
                .flatten()
                .filter_map(|bone| Some((part(bone.get("bone")?.as_str()?)?, index(bone, "node")?)))
                .collect(),
            looks_by_bones: vrm.pointer("/firstPerson/lookAtTypeName").and_then(Value::as_str) == Some("Bone"),
        }
    }
}

/// The part of a face that a humanoid bone is.
fn part(bone: &str) -> Option<Joint> {
    Some(match bone {
        "head" => Joint::Head,
        "neck" => Joint::Neck,
        "jaw" => Joint::Jaw,
        "leftEye" => Joint::LeftEye,
        "rightEye" => Joint::RightEye,
        _ => return None,
    })
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// An index; version 0 says -1 for none.
fn index(value: &Value, key: &str) -> Option<usize> {
    let value = value.get(key)?;
    value.as_u64().or_else(|| value.as_f64().filter(|v| *v >= 0.0).map(|v| v as u64)).map(|v| v as usize)
}

fn number(value: &Value, key: &str) -> Option<f32> {
    let number = value.get(key)?.as_f64()? as f32;
    number.is_finite().then_some(number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn version_1_is_read_with_custom_expressions_and_overrides() {
        let vrm = Vrm::from_extensions(&json!({"VRMC_vrm": {
            "humanoid": {"humanBones": {"head": {"node": 4}, "leftEye": {"node": 5}, "hips": {"node": 0}}},
            "lookAt": {"type": "expression"},
            "expressions": {
                "preset": {"happy": {"isBinary": true, "overrideMouth": "block", "overrideBlink": "blend",
                    "morphTargetBinds": [{"node": 7, "index": 2, "weight": 0.5}, {"node": 7, "index": "x"}],
                    "materialColorBinds": [{}]}},
                "custom": {"jawOpen": {"morphTargetBinds": [{"node": 7, "index": 0, "weight": 1}]}},
            },
        }}))
        .unwrap();
        assert_eq!((vrm.version, vrm.looks_by_bones), (1, false));
        assert_eq!(vrm.bones, [(Joint::Head, 4), (Joint::LeftEye, 5)]);
        let happy = vrm.expressions.iter().find(|expression| expression.name == "happy").unwrap();
        assert!(happy.preset && happy.binary && happy.materials);
        assert_eq!(happy.targets, [(7, 2, 0.5)]);
        assert_eq!(happy.overrides, [VrmOverride::Blend, VrmOverride::None, VrmOverride::Block]);
        let jaw = vrm.expressions.iter().find(|expression| expression.name == "jawOpen").unwrap();
        assert!(!jaw.preset && !jaw.binary && jaw.targets == [(7, 0, 1.0)]);
    }

    #[test]
    fn version_0_counts_in_percent_and_names_by_preset() {
        let vrm = Vrm::from_extensions(&json!({"VRM": {
            "humanoid": {"humanBones": [{"bone": "jaw", "node": 3}, {"bone": "rightEye", "node": -1}]},
            "firstPerson": {"lookAtTypeName": "Bone"},
            "blendShapeMaster": {"blendShapeGroups": [
                {"name": "A", "presetName": "A", "binds": [{"mesh": 1, "index": 3, "weight": 80}]},
                {"name": "JawOpen", "presetName": "unknown", "isBinary": false, "binds": []},
            ]},
        }}))
        .unwrap();
        assert_eq!((vrm.version, vrm.looks_by_bones), (0, true));
        assert_eq!(vrm.bones, [(Joint::Jaw, 3)]);
        assert_eq!((vrm.expressions[0].name.as_str(), vrm.expressions[0].preset), ("a", true));
        assert_eq!(vrm.expressions[0].targets, [(1, 3, 0.8)]);
        assert_eq!((vrm.expressions[1].name.as_str(), vrm.expressions[1].preset), ("JawOpen", false));
    }

    #[test]
    fn nonsense_is_no_avatar_or_an_empty_one() {
        assert_eq!(Vrm::from_extensions(&json!({"KHR_materials_unlit": {}})), None);
        let empty = Vrm::from_extensions(&json!({"VRMC_vrm": {"expressions": 3, "humanoid": []}})).unwrap();
        assert!(empty.expressions.is_empty() && empty.bones.is_empty());
    }
}
