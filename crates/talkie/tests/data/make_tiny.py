"""Writes tests/data/tiny: a bundle with a network small enough to read.

    pip install onnx numpy && python make_tiny.py

One causal convolution over three frames of 8 mel bands: jawOpen follows the loudness, mouthClose its opposite, mouthPucker
the low bands. State: the last two frames. Look-ahead: one frame. Free dimensions: batch and time.
"""

import json
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

BANDS, PAST, OUT = 8, 2, 3
weight = np.zeros((OUT, BANDS, PAST + 1), np.float32)
weight[0] = 0.25
weight[1] = -0.25
weight[2, :3] = 0.5
bias = np.array([-1.0, 1.0, -1.0], np.float32)

nodes = [
    helper.make_node("Concat", ["state_in.0", "mel"], ["joined"], axis=2),
    helper.make_node("Conv", ["joined", "weight", "bias"], ["convolved"], kernel_shape=[PAST + 1]),
    helper.make_node("Sigmoid", ["convolved"], ["activated"]),
    helper.make_node("Transpose", ["activated"], ["weights"], perm=[0, 2, 1]),
    helper.make_node("Slice", ["joined", "from", "to", "axis"], ["state_out.0"]),
]
constants = [
    numpy_helper.from_array(weight, "weight"),
    numpy_helper.from_array(bias, "bias"),
    numpy_helper.from_array(np.array([-PAST], np.int64), "from"),
    numpy_helper.from_array(np.array([2**63 - 1], np.int64), "to"),
    numpy_helper.from_array(np.array([2], np.int64), "axis"),
]
info = helper.make_tensor_value_info
graph = helper.make_graph(
    nodes,
    "tiny",
    [info("mel", TensorProto.FLOAT, ["batch", BANDS, "frames"]), info("state_in.0", TensorProto.FLOAT, ["batch", BANDS, PAST])],
    [info("weights", TensorProto.FLOAT, ["batch", "frames", OUT]), info("state_out.0", TensorProto.FLOAT, ["batch", BANDS, PAST])],
    constants,
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
onnx.checker.check_model(model, full_check=True)
folder = pathlib.Path(__file__).parent / "tiny"
onnx.save(model, folder / "network.onnx")
manifest = {
    "format": "talkie-bundle",
    "version": 1,
    "kind": "streaming",
    "name": "tiny",
    "network": "network.onnx",
    "sample_rate": 16000,
    "features": {
        "kind": "log_mel", "bands": BANDS, "window": 400, "hop": 320, "fft": 512, "low_hz": 60.0, "high_hz": 7600.0,
        "floor": 1e-6, "mean": [-8.0] * BANDS, "std": [4.0] * BANDS,
    },
    "frame_rate": [50, 1],
    "look_ahead_frames": 1,
    "channels": ["jawOpen", "mouthClose", "mouthPucker"],
    "tensors": {
        "features": "mel",
        "output": "weights",
        "state": [{"input": "state_in.0", "output": "state_out.0", "channels": BANDS, "frames": PAST}],
    },
    "license": "MIT OR Apache-2.0",
    "training": "none: made by hand for tests",
}
(folder / "model.json").write_text(json.dumps(manifest, indent=2) + "\n")
