"""hibari-tts (PyPI, Apache-2.0): one natural English voice; its duration predictor's output is exposed as timings."""
import importlib
import os
import sys

sys.path = [p for p in sys.path if os.path.abspath(p or ".") != os.path.dirname(os.path.abspath(__file__))]
hibari = importlib.import_module("hibari")
dsp = importlib.import_module("hibari.dsp")
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import numpy as np
import onnx
import onnxruntime

import align
import items

DURATIONS, HOP = "/Clip_output_0", 600


def load(folder):
    voice = hibari.Hibari()
    model = onnx.load(voice.model_path)
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(DURATIONS))
    path = os.path.join(folder, "hibari-durations.onnx")
    # Whole or not at all: another shard may be reading it.
    part = f"{path}.{os.getpid()}.part"
    onnx.save(model, part)
    os.replace(part, path)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    settings.log_severity_level = 3
    return voice, onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])


def main():
    options = items.arguments(__doc__)
    voice, session = load(options.out)
    names = [o.name for o in session.get_outputs()]

    def speak(name, sentence, speed, random):
        phonemes = "".join(c for c in " ".join(voice.phonemize(sentence)) if c in voice.vocab)
        if not 3 < len(phonemes) < 400:
            raise ValueError("sentence too short or too long")
        out = dict(zip(names, session.run(None, {"ids": np.array([voice.ids(phonemes)], np.int64),
                                                 "speed": np.array([speed], np.float32)})))
        lh, th, ln, lr, phi, f0 = (out[n][0] for n in names[:6])
        audio = dsp.synth(lh, th, ln, lr, phi, f0, random)
        units = np.round(out[DURATIONS].ravel())
        if len(units) != len(phonemes) + 2 or abs(units.sum() * HOP - len(audio)) > 2 * HOP:
            raise ValueError(f"{units.sum() * HOP:.0f} samples timed, {len(audio)} spoken")
        seconds = units * (HOP / voice.sample_rate)
        phones = items.timeline(list(zip(["", *phonemes, ""], seconds)))
        phones = align.again([phone for phone, _, _ in phones], audio, voice.sample_rate)
        return items.write(options, name, audio, voice.sample_rate, "hibari", "hibari-heart", sentence, phones)

    def make(index, sentence, random):
        speed, name = random.uniform(0.85, 1.2), f"heart_{index:05}"
        return name, lambda: speak(name, sentence, speed, random)
    items.collect(options, make)


if __name__ == "__main__":
    main()
