//! One loaded network.

use std::path::{Path, PathBuf};

use ort::{
    memory::Allocator,
    session::{HasSelectedOutputs, OutputSelector, RunOptions, SessionInputValue},
    value::{Tensor, TensorElementType, TensorRef, ValueType},
};

use super::{
    Attempt, Backend, Device, Runtime,
    provider::{Opened, Opening, one_line},
    session::DeviceSession,
};

/// A network could not be loaded or run.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// The bytes are no network this engine can run.
    #[error("not a network that {backend} can load: {reason}")]
    Load {
        /// The engine.
        backend: Backend,
        /// What it said.
        reason: String,
    },
    /// An expected input or output is missing.
    #[error("the network has no {direction} {name:?}; it has {available}")]
    MissingTensor {
        /// `input` or `output`.
        direction: &'static str,
        /// The name that was looked for.
        name: String,
        /// The names that exist.
        available: String,
    },
    /// A tensor has the wrong type or shape.
    #[error("{direction} {name:?} of the network is {found}; expected float32 {expected}")]
    WrongTensor {
        /// `input` or `output`.
        direction: &'static str,
        /// Name of the tensor.
        name: String,
        /// What the network has.
        found: String,
        /// What the bundle promises.
        expected: String,
    },
    /// An input that nothing is known about.
    #[error("the network has an input {name:?}; expected only {expected}")]
    UnknownInput {
        /// Its name.
        name: String,
        /// The names of all that is known.
        expected: String,
    },
    /// Running it failed.
    #[error("the network failed to run: {0}")]
    Run(String),
    /// A speech has what one network remembers; another can do nothing with it.
    #[error("the speech was begun by another model; expected the model that began it")]
    OtherModel,
    /// It ran, and no face can be made of what it gave.
    #[error("what the network gave at {seconds:.2} s is no face: {reason}")]
    Face {
        /// Where in the speech, in seconds.
        seconds: f64,
        /// What is wrong.
        reason: String,
    },
    /// It ran and gave something that is not a number.
    #[error("the network gave a value that is not finite for channel {channel} at {seconds:.2} s")]
    NotFinite {
        /// Which output channel.
        channel: String,
        /// Where in the speech, in seconds.
        seconds: f64,
    },
}

/// What a network says about one of its tensors. A dimension of -1 is free.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Name in the graph.
    pub name: String,
    /// Whether the elements are 32-bit floats.
    pub is_f32: bool,
    /// Dimensions, -1 where free.
    pub shape: Vec<i64>,
}

impl TensorInfo {
    fn describe(&self) -> String {
        format!("{} {}", if self.is_f32 { "float32" } else { "of another type" }, shape_text(&self.shape))
    }
}

fn shape_text(shape: &[i64]) -> String {
    let dimensions: Vec<_> = shape.iter().map(|&d| if d < 0 { "?".into() } else { d.to_string() }).collect();
    format!("[{}]", dimensions.join(", "))
}

/// An input: shape and values, borrowed.
#[derive(Debug, Clone)]
pub struct TensorView<'a> {
    /// Name in the graph.
    pub name: &'a str,
    /// Dimensions.
    pub shape: Vec<usize>,
    /// Values, last dimension fastest.
    pub values: &'a [f32],
}

/// Where a network is read from.
#[derive(Debug, Clone, Copy)]
pub enum NetworkSource<'a> {
    /// The bytes of an ONNX file.
    Bytes(&'a [u8]),
    /// An ONNX file, which may have weights in files beside it.
    File(&'a Path),
}

/// A network, ready to run.
///
/// Where it does not run on the CPU and its device fails (a GPU that was unplugged, a driver that was restarted), it is loaded anew
/// on the CPU, what was to be done is done there, and it stays there. What a speech remembers is not in the network, so nothing is
/// lost.
#[derive(Debug)]
pub struct Network {
    session: DeviceSession,
    inputs: Vec<TensorInfo>,
    outputs: Vec<TensorInfo>,
    /// Whether outputs are written to tensors that are kept: what ONNX Runtime can.
    keeps_outputs: bool,
    /// Whether a run has given outputs of the shapes that they have to have: until then a wrong one is told by an error of its own.
    is_proved: bool,
    /// Those of the shapes that came last, the newest at the end.
    kept: Vec<KeptOutputs>,
    nodes: Option<(usize, usize)>,
    passed_over: Vec<Attempt>,
    /// What it is loaded from anew should its device be lost; the CPU never is.
    spare: Option<Spare>,
    /// Lets every run on another device than the CPU fail, as on one that was lost.
    #[cfg(test)]
    lost: bool,
}

/// A network that can be loaded again. Only for one that does not run on the CPU, since it may keep the file in memory.
#[derive(Debug)]
struct Spare {
    opening: Opening,
    source: SpareSource,
}

#[derive(Debug)]
enum SpareSource {
    Bytes(Vec<u8>),
    File(PathBuf),
}

/// Tensors that outputs are written to, for one set of input shapes and wanted outputs.
///
/// They save an allocation for each run. And `ort` 2.0.0-rc.14 loses the description of every tensor that the engine allocates for an
/// output, some 300 bytes each, which a live voice would make 100 MB in an hour; it has none to lose here, however many shapes there
/// are (a crowd comes in ever other numbers).
struct KeptOutputs {
    inputs: Vec<Vec<usize>>,
    outputs: Vec<(String, Vec<usize>)>,
    options: RunOptions<HasSelectedOutputs>,
}

/// Sets of shapes whose outputs are kept.
const KEPT: usize = 16;

impl Network {
    /// Loads a network from the bytes of an ONNX file, for the CPU. It will use one thread of the caller: most networks of faces
    /// are small, and a game has other uses for its cores.
    ///
    /// # Errors
    /// [`NetworkError::Load`] if the engine cannot read it.
    pub fn load(runtime: &Runtime, onnx: &[u8]) -> Result<Self, NetworkError> {
        Self::load_from(runtime, NetworkSource::Bytes(onnx), Device::Cpu, 1)
    }

    /// Loads a network for a device, or for the CPU where that cannot be had ([`device`](Self::device),
    /// [`passed_over`](Self::passed_over)). What of it runs on the CPU may use this many threads.
    ///
    /// # Errors
    /// [`NetworkError::Load`] if the engine cannot read it.
    pub fn load_from(
        runtime: &Runtime,
        source: NetworkSource<'_>,
        device: Device,
        threads: usize,
    ) -> Result<Self, NetworkError> {
        let failed = |reason: String| NetworkError::Load { backend: runtime.backend(), reason };
        if matches!(source, NetworkSource::Bytes([])) {
            return Err(failed("the file is empty (0 bytes)".into()));
        }
        let opening = Opening::new(runtime, threads);
        let opened = opening.open(runtime, source, device).map_err(|error| failed(error.to_string()))?;
        report(device, &opened);
        let Opened { session, nodes, passed_over } = opened;
        let describe = |outlets: &[ort::value::Outlet]| {
            outlets
                .iter()
                .map(|outlet| match outlet.dtype() {
                    ValueType::Tensor { ty, shape, .. } => TensorInfo {
                        name: outlet.name().to_owned(),
                        is_f32: *ty == TensorElementType::Float32,
                        shape: shape.to_vec(),
                    },
                    _ => TensorInfo { name: outlet.name().to_owned(), is_f32: false, shape: Vec::new() },
                })
                .collect::<Vec<_>>()
        };
        Ok(Self {
            inputs: describe(session.get().inputs()),
            outputs: describe(session.get().outputs()),
            spare: (session.device() != Device::Cpu).then(|| Spare { opening, source: SpareSource::of(source) }),
            session,
            keeps_outputs: runtime.backend() == Backend::OnnxRuntime,
            is_proved: false,
            kept: Vec::new(),
            nodes,
            passed_over,
            #[cfg(test)]
            lost: false,
        })
    }

    /// Where it computes: never [`Device::Auto`].
    pub fn device(&self) -> Device {
        self.session.device()
    }

    /// How many nodes of the graph the device computes, of how many; the CPU computes the rest. `None` on the CPU, which computes
    /// all.
    pub fn nodes_on_device(&self) -> Option<(usize, usize)> {
        self.nodes
    }

    /// Devices that were tried and not taken, or lost, with the reason.
    pub fn passed_over(&self) -> &[Attempt] {
        &self.passed_over
    }

    /// The inputs of the graph.
    pub fn inputs(&self) -> &[TensorInfo] {
        &self.inputs
    }

    /// The outputs of the graph.
    pub fn outputs(&self) -> &[TensorInfo] {
        &self.outputs
    }

    /// Checks that an input exists with float elements and these dimensions (-1 for a free one).
    ///
    /// # Errors
    /// [`NetworkError::MissingTensor`] or [`NetworkError::WrongTensor`].
    pub fn expect_input(&self, name: &str, shape: &[i64]) -> Result<(), NetworkError> {
        expect("input", &self.inputs, name, shape)
    }

    /// Checks an output, as [`expect_input`](Self::expect_input).
    ///
    /// # Errors
    /// [`NetworkError::MissingTensor`] or [`NetworkError::WrongTensor`].
    pub fn expect_output(&self, name: &str, shape: &[i64]) -> Result<(), NetworkError> {
        expect("output", &self.outputs, name, shape)
    }

    /// Checks that there are no inputs but these.
    ///
    /// # Errors
    /// [`NetworkError::UnknownInput`].
    pub fn expect_no_other(&self, inputs: &[&str]) -> Result<(), NetworkError> {
        match self.inputs.iter().find(|input| !inputs.contains(&input.name.as_str())) {
            None => Ok(()),
            Some(input) => Err(NetworkError::UnknownInput { name: input.name.clone(), expected: inputs.join(", ") }),
        }
    }

    /// Runs the network and hands the values of every wanted output to `receive` (index, values), in the order asked for. An output
    /// is wanted by its name, with the shape that it has to have for these inputs; none is handed out where one has another.
    ///
    /// # Errors
    /// [`NetworkError::Run`] if the engine fails, on the CPU too, [`NetworkError::MissingTensor`] and
    /// [`NetworkError::WrongTensor`] for an output that is not as it has to be.
    pub fn run(
        &mut self,
        inputs: &[TensorView<'_>],
        outputs: &[(&str, &[usize])],
        mut receive: impl FnMut(usize, &[f32]),
    ) -> Result<(), NetworkError> {
        match self.run_once(inputs, outputs, &mut receive) {
            Err(NetworkError::Run(reason)) if self.device() != Device::Cpu => {
                self.go_to_cpu(reason)?;
                self.run_once(inputs, outputs, &mut receive)
            }
            outcome => outcome,
        }
    }

    /// Where the outputs of such a run are kept; makes room for those of new shapes, and the oldest ones go.
    fn keep(&mut self, inputs: &[TensorView<'_>], outputs: &[(&str, &[usize])]) -> Result<usize, ort::Error> {
        if let Some(index) = self.kept.iter().position(|kept| kept.is_for(inputs, outputs)) {
            return Ok(index);
        }
        let mut selector = OutputSelector::no_default();
        for (name, shape) in outputs {
            let room = Tensor::<f32>::new(&Allocator::default(), *shape)?;
            selector = selector.with(*name).preallocate(*name, room);
        }
        if self.kept.len() == KEPT {
            self.kept.remove(0);
        }
        self.kept.push(KeptOutputs {
            inputs: inputs.iter().map(|input| input.shape.clone()).collect(),
            outputs: outputs.iter().map(|(name, shape)| ((*name).to_owned(), shape.to_vec())).collect(),
            options: RunOptions::new()?.with_outputs(selector),
        });
        Ok(self.kept.len() - 1)
    }

    /// Takes a network that runs on the CPU for one on this device, which fails from now on.
    #[cfg(test)]
    pub(crate) fn pretend_lost(&mut self, runtime: &Runtime, source: NetworkSource<'_>, device: Device) {
        self.spare = Some(Spare { opening: Opening::new(runtime, 1), source: SpareSource::of(source) });
        self.session.pretend(device);
        self.lost = true;
    }

    /// Leaves a device that failed for the CPU.
    fn go_to_cpu(&mut self, reason: String) -> Result<(), NetworkError> {
        let Some(spare) = &self.spare else { return Err(NetworkError::Run(reason)) };
        let source = match &spare.source {
            SpareSource::Bytes(onnx) => NetworkSource::Bytes(onnx),
            SpareSource::File(path) => NetworkSource::File(path),
        };
        let device = self.device();
        let failed = |error: ort::Error| {
            NetworkError::Run(format!("{device}: {reason}; it could not be loaded for the CPU: {error}"))
        };
        self.session = spare.opening.open_on_cpu(source).map_err(failed)?;
        let lost = Attempt::device(device, format!("it failed while it was used: {}", one_line(&reason)));
        log::warn!("a network goes on on the CPU; {lost}");
        self.passed_over.push(lost);
        self.kept.clear();
        self.spare = None;
        self.nodes = None;
        Ok(())
    }

    fn run_once(
        &mut self,
        inputs: &[TensorView<'_>],
        outputs: &[(&str, &[usize])],
        receive: &mut impl FnMut(usize, &[f32]),
    ) -> Result<(), NetworkError> {
        #[cfg(test)]
        if self.lost && self.device() != Device::Cpu {
            return Err(NetworkError::Run("the device is lost".into()));
        }
        let failed = |error: ort::Error| NetworkError::Run(error.to_string());
        let mut values = Vec::with_capacity(inputs.len());
        for input in inputs {
            let tensor = TensorRef::from_array_view((&input.shape[..], input.values)).map_err(failed)?;
            values.push((input.name, SessionInputValue::from(tensor)));
        }
        let options = if self.keeps_outputs && self.is_proved {
            let index = self.keep(inputs, outputs).map_err(failed)?;
            Some(&self.kept[index].options)
        } else {
            None
        };
        let results = self.session.run(values, options).map_err(failed)?;
        let mut received = Vec::with_capacity(outputs.len());
        for (name, expected) in outputs {
            let value = results.get(*name).ok_or_else(|| missing("output", &self.outputs, name))?;
            let (shape, values) = value.try_extract_tensor::<f32>().map_err(failed)?;
            if !shape.iter().copied().eq(expected.iter().map(|&length| length as i64)) {
                return Err(NetworkError::WrongTensor {
                    direction: "output",
                    name: (*name).to_owned(),
                    found: format!("float32 {}", shape_text(shape)),
                    expected: format!("{expected:?}"),
                });
            }
            received.push(values);
        }
        received.into_iter().enumerate().for_each(|(index, values)| receive(index, values));
        drop(results);
        self.is_proved = true;
        Ok(())
    }
}

/// Says once for each network where it runs and why not where it was wanted.
fn report(wanted: Device, opened: &Opened) {
    let reasons = || opened.passed_over.iter().map(|attempt| format!("; {attempt}")).collect::<String>();
    match (wanted, opened.session.device()) {
        (Device::Cpu, _) => {}
        (Device::Auto, device) => log::info!("a network runs on {device}{}", reasons()),
        (wanted, Device::Cpu) => log::warn!("a network runs on the CPU, since {wanted} cannot be had{}", reasons()),
        (_, device) => log::info!("a network runs on {device}"),
    }
}

impl SpareSource {
    fn of(source: NetworkSource<'_>) -> Self {
        match source {
            NetworkSource::Bytes(onnx) => Self::Bytes(onnx.to_vec()),
            NetworkSource::File(path) => Self::File(path.to_owned()),
        }
    }
}

impl core::fmt::Debug for KeptOutputs {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("KeptOutputs").field("inputs", &self.inputs).finish_non_exhaustive()
    }
}

impl KeptOutputs {
    fn is_for(&self, inputs: &[TensorView<'_>], outputs: &[(&str, &[usize])]) -> bool {
        self.inputs.iter().eq(inputs.iter().map(|input| &input.shape))
            && self.outputs.iter().map(|(name, shape)| (&name[..], &shape[..])).eq(outputs.iter().copied())
    }
}

fn missing(direction: &'static str, tensors: &[TensorInfo], name: &str) -> NetworkError {
    let names: Vec<_> = tensors.iter().map(|tensor| format!("{:?}", tensor.name)).collect();
    NetworkError::MissingTensor { direction, name: name.into(), available: names.join(", ") }
}

fn expect(direction: &'static str, tensors: &[TensorInfo], name: &str, shape: &[i64]) -> Result<(), NetworkError> {
    let Some(tensor) = tensors.iter().find(|tensor| tensor.name == name) else {
        return Err(missing(direction, tensors, name));
    };
    // Engines may leave a dimension open that the graph fixes; only a contradiction is an error.
    let fits = tensor.is_f32
        && tensor.shape.len() == shape.len()
        && tensor.shape.iter().zip(shape).all(|(&has, &wants)| has < 0 || wants < 0 || has == wants);
    if fits {
        return Ok(());
    }
    Err(NetworkError::WrongTensor {
        direction,
        name: name.into(),
        found: tensor.describe(),
        expected: shape_text(shape),
    })
}
