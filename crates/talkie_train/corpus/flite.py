"""flite (Debian package `flite`, BSD-like licence): four English voices, exact timings."""
import os
import subprocess
import tempfile

import soundfile

import items

VOICES = ["slt", "rms", "awb", "kal16"]


def speak(options, name, sentence, voice, stretch):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "a.wav")
        done = subprocess.run(["flite", "-voice", voice, "--setf", f"duration_stretch={stretch:.3f}", "-psdur", "-t",
                               sentence, "-o", path], capture_output=True, text=True, check=True)
        audio, rate = soundfile.read(path)
    phones, start = [], 0.0
    for pair in done.stdout.split():
        phone, end = pair.rsplit(":", 1)
        phone, end = {"pau": "SIL", "ssil": "SIL", "ax": "AH", "axr": "ER", "ix": "IH", "dx": "D"}.get(phone, phone.upper()), float(end)
        if end > start:
            phones.append([phone, round(start, 4), end])
        start = end
    if not phones or abs(phones[-1][2] - len(audio) / rate) > 0.25:
        raise ValueError("timings do not cover the audio")
    return items.write(options, name, audio, rate, "flite", "flite-" + voice, sentence, phones)


def main():
    options = items.arguments(__doc__)

    def make(index, sentence, random):
        voice, stretch = VOICES[index % len(VOICES)], random.uniform(0.85, 1.2)
        name = f"{voice}_{index:05}"
        return name, lambda: speak(options, name, sentence, voice, stretch)
    items.collect(options, make)


if __name__ == "__main__":
    main()
