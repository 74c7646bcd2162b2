//! Builds an ONNX graph node by node and refuses names that are used twice.

use std::collections::BTreeSet;

use prost::Message as _;

use crate::messages::{
    ATTRIBUTE_FLOAT, ATTRIBUTE_FLOATS, ATTRIBUTE_INT, ATTRIBUTE_INTS, ATTRIBUTE_STRING, AttributeProto, Dimension,
    DimensionProto, FLOAT, FLOAT16, GraphProto, INT64, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};

/// Version of the operator set that the nodes are written in.
pub const OPSET: i64 = 17;
/// Version of the file format.
pub const IR_VERSION: i64 = 9;

/// Why a graph cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// Two values have one name.
    #[error("two values of the graph are called {0}")]
    Duplicate(String),
    /// A node reads a value that nothing made.
    #[error("{node} reads {value}, which does not exist yet")]
    Unknown {
        /// Which node.
        node: String,
        /// Which value.
        value: String,
    },
    /// Numbers do not fill a tensor.
    #[error("{name} has {values} numbers for a shape of {shape:?}")]
    Shape {
        /// Which tensor.
        name: String,
        /// How many numbers.
        values: usize,
        /// The shape they should fill.
        shape: Vec<usize>,
    },
}

/// A setting of a node.
#[derive(Debug, Clone, Copy)]
pub enum Attribute<'a> {
    /// One whole number.
    One(&'a str, i64),
    /// Several whole numbers.
    Many(&'a str, &'a [i64]),
    /// One number.
    Float(&'a str, f32),
    /// Several numbers.
    Floats(&'a str, &'a [f32]),
    /// A word.
    Text(&'a str, &'a str),
}

impl Attribute<'_> {
    fn message(&self) -> AttributeProto {
        let of = |name: &str, r#type| AttributeProto { name: name.into(), r#type, ..AttributeProto::default() };
        match *self {
            Self::One(name, i) => AttributeProto { i, ..of(name, ATTRIBUTE_INT) },
            Self::Many(name, ints) => AttributeProto { ints: ints.into(), ..of(name, ATTRIBUTE_INTS) },
            Self::Float(name, f) => AttributeProto { f, ..of(name, ATTRIBUTE_FLOAT) },
            Self::Floats(name, floats) => AttributeProto { floats: floats.into(), ..of(name, ATTRIBUTE_FLOATS) },
            Self::Text(name, text) => AttributeProto { s: text.into(), ..of(name, ATTRIBUTE_STRING) },
        }
    }
}

/// A graph in the making.
#[derive(Debug, Default)]
pub struct Graph {
    graph: GraphProto,
    names: BTreeSet<String>,
}

fn value(name: &str, shape: &[Dimension]) -> ValueInfoProto {
    let dim = shape.iter().map(|value| DimensionProto { value: Some(value.clone()) }).collect();
    let tensor_type = Some(TensorTypeProto { elem_type: FLOAT, shape: Some(TensorShapeProto { dim }) });
    ValueInfoProto { name: name.into(), r#type: Some(TypeProto { tensor_type }) }
}

impl Graph {
    fn claim(&mut self, name: &str) -> Result<(), GraphError> {
        if self.names.insert(name.into()) { Ok(()) } else { Err(GraphError::Duplicate(name.into())) }
    }

    /// Declares an input.
    ///
    /// # Errors
    /// A name that is taken.
    pub fn input(&mut self, name: &str, shape: &[Dimension]) -> Result<(), GraphError> {
        self.claim(name)?;
        self.graph.input.push(value(name, shape));
        Ok(())
    }

    /// Declares an output, which a node must have made.
    ///
    /// # Errors
    /// A value that does not exist.
    pub fn output(&mut self, name: &str, shape: &[Dimension]) -> Result<(), GraphError> {
        if !self.names.contains(name) {
            return Err(GraphError::Unknown { node: "the list of outputs".into(), value: name.into() });
        }
        self.graph.output.push(value(name, shape));
        Ok(())
    }

    /// Adds weights.
    ///
    /// # Errors
    /// A name that is taken, or numbers that do not fill the shape.
    pub fn weights(&mut self, name: &str, shape: &[usize], values: &[f32]) -> Result<(), GraphError> {
        let bytes = || values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensor(name, shape, values.len(), FLOAT, bytes)
    }

    /// Adds weights that are kept in half precision (IEEE 754 binary16) and widened when the graph is loaded: half the file,
    /// the same arithmetic.
    ///
    /// # Errors
    /// A name that is taken, or numbers that do not fill the shape.
    pub fn half_weights(&mut self, name: &str, shape: &[usize], values: &[f32]) -> Result<(), GraphError> {
        let kept = format!("{name}.half");
        self.tensor(&kept, shape, values.len(), FLOAT16, || {
            values.iter().flat_map(|value| half::f16::from_f32(*value).to_le_bytes()).collect()
        })?;
        self.node("Cast", &[&kept], name, &[Attribute::One("to", i64::from(FLOAT))])
    }

    fn tensor(
        &mut self,
        name: &str,
        shape: &[usize],
        values: usize,
        data_type: i32,
        bytes: impl FnOnce() -> Vec<u8>,
    ) -> Result<(), GraphError> {
        if shape.iter().product::<usize>() != values {
            return Err(GraphError::Shape { name: name.into(), values, shape: shape.into() });
        }
        self.claim(name)?;
        let dims = shape.iter().map(|size| *size as i64).collect();
        self.graph.initializer.push(TensorProto { dims, data_type, name: name.into(), raw_data: bytes() });
        Ok(())
    }

    /// Adds a list of whole numbers.
    ///
    /// # Errors
    /// A name that is taken.
    pub fn numbers(&mut self, name: &str, values: &[i64]) -> Result<(), GraphError> {
        let bytes = || values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensor(name, &[values.len()], values.len(), INT64, bytes)
    }

    /// Adds a node that makes `output` from `inputs`.
    ///
    /// # Errors
    /// An input that does not exist yet, or an output whose name is taken.
    pub fn node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        output: &str,
        attributes: &[Attribute<'_>],
    ) -> Result<(), GraphError> {
        for input in inputs {
            if !self.names.contains(*input) {
                return Err(GraphError::Unknown { node: format!("{operator} to {output}"), value: (*input).into() });
            }
        }
        self.claim(output)?;
        self.graph.node.push(NodeProto {
            input: inputs.iter().map(|name| (*name).into()).collect(),
            output: vec![output.into()],
            name: format!("{operator}:{output}"),
            op_type: operator.into(),
            attribute: attributes.iter().map(Attribute::message).collect(),
        });
        Ok(())
    }

    /// As [`node`](Self::node), with a name made up for the output, which is returned.
    ///
    /// # Errors
    /// An input that does not exist yet.
    pub fn apply(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: &[Attribute<'_>],
    ) -> Result<String, GraphError> {
        let output = self.unused(operator);
        self.node(operator, inputs, &output, attributes)?;
        Ok(output)
    }

    /// As [`weights`](Self::weights), with a made-up name, which is returned.
    ///
    /// # Errors
    /// Numbers that do not fill the shape.
    pub fn constant(&mut self, shape: &[usize], values: &[f32]) -> Result<String, GraphError> {
        let name = self.unused("weights");
        self.weights(&name, shape, values)?;
        Ok(name)
    }

    /// As [`numbers`](Self::numbers), with a made-up name, which is returned.
    ///
    /// # Errors
    /// As [`numbers`](Self::numbers).
    pub fn list(&mut self, values: &[i64]) -> Result<String, GraphError> {
        let name = self.unused("numbers");
        self.numbers(&name, values)?;
        Ok(name)
    }

    fn unused(&self, kind: &str) -> String {
        // Every name that was given out is taken, so their number is a number that no name of this form has yet; a name
        // that was chosen by hand may have it.
        let first = self.names.len();
        (first..).map(|number| format!("{kind}_{number}")).find(|name| !self.names.contains(name)).unwrap_or_default()
    }

    /// How many weights there are, in single or half precision.
    pub fn parameters(&self) -> usize {
        let weights = self.graph.initializer.iter().filter(|tensor| tensor.data_type != INT64);
        weights.map(|tensor| tensor.dims.iter().product::<i64>() as usize).sum()
    }

    /// The file.
    pub fn finish(mut self, name: &str, metadata: &[(&str, &str)]) -> Vec<u8> {
        self.graph.name = name.into();
        let entry = |(key, value): &(&str, &str)| StringStringEntryProto { key: (*key).into(), value: (*value).into() };
        let model = ModelProto {
            ir_version: IR_VERSION,
            producer_name: "talkie".into(),
            graph: Some(self.graph),
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
            metadata_props: metadata.iter().map(entry).collect(),
        };
        model.encode_to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_used_once_and_exist() {
        let mut graph = Graph::default();
        let shape = [Dimension::Parameter("n".into())];
        assert_eq!(graph.input("x", &shape), Ok(()));
        assert_eq!(graph.input("x", &shape), Err(GraphError::Duplicate("x".into())));
        assert_eq!(graph.weights("x", &[1], &[0.0]), Err(GraphError::Duplicate("x".into())));
        assert!(matches!(graph.weights("w", &[2, 3], &[0.0]), Err(GraphError::Shape { values: 1, .. })));
        assert_eq!(graph.node("Sigmoid", &["x"], "y", &[]), Ok(()));
        assert_eq!(graph.node("Sigmoid", &["x"], "y", &[]), Err(GraphError::Duplicate("y".into())));
        assert!(matches!(graph.node("Add", &["x", "z"], "s", &[]), Err(GraphError::Unknown { .. })));
        assert!(matches!(graph.output("z", &shape), Err(GraphError::Unknown { .. })));
    }

    #[test]
    fn the_file_reads_back() {
        let mut graph = Graph::default();
        graph.input("x", &[Dimension::Value(2)]).expect("a new name");
        graph.numbers("at", &[-3, i64::MAX]).expect("a new name");
        graph
            .node("Identity", &["x"], "y", &[Attribute::Many("axes", &[1, 2]), Attribute::One("k", -1)])
            .expect("known");
        let numbers =
            [Attribute::Float("f", 0.5), Attribute::Floats("many", &[1.0, -2.0]), Attribute::Text("mode", "same")];
        let made = graph.apply("Identity", &["y"], &numbers).expect("known");
        let again = graph.apply("Identity", &[&made], &[]).expect("known");
        let weights = graph.constant(&[2, 3], &[0.0; 6]).expect("they fill it");
        graph.output(&again, &[Dimension::Value(2)]).expect("known");
        assert!(made != again && weights != again);
        assert_eq!(graph.parameters(), 6);
        let bytes = graph.finish("net", &[("frame_rate", "50")]);
        let model = ModelProto::decode(bytes.as_slice()).expect("a message");
        assert_eq!((model.ir_version, model.opset_import[0].version), (9, 17));
        let graph = model.graph.expect("a graph");
        assert_eq!(graph.node[0].attribute[0].ints, [1, 2]);
        let [float, floats, text] = &graph.node[1].attribute[..] else { panic!("three attributes") };
        assert_eq!((float.f, &floats.floats[..], &text.s[..]), (0.5, &[1.0, -2.0][..], &b"same"[..]));
        assert_eq!(graph.initializer[0].raw_data.len(), 16);
    }
}
