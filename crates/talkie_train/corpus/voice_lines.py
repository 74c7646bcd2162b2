"""Makes the demonstration lines in `assets/voices`: two characters, two voices that training never hears.

    python voice_lines.py --out assets/voices --work data/voice_lines

Writes `NAME.ogg` (24 kHz mono Vorbis), `NAME.json` (the phones, in the form that `talkie eval` reads) and `lines.json`.
"""
import argparse
import json
import os

import numpy as np
import soundfile

import align
from kokoro import RATE, Voice

# Never trained on, not even in a mix: see `DEMONSTRATION` in kokoro.py.
STYLES = {"Ada": {"af_heart": 1.0}, "Ben": {"am_michael": 1.0}}
SPEEDS = {"Ada": 1.0, "Ben": 1.0}
LINES = [
    ("01_ada", "Ada", "So, this is my face. It moves whenever somebody feeds it a voice. Impressive, no?"),
    ("02_ben", "Ben", "Beautiful! Mine has the same small brain. Do my lips meet when I say bubble?"),
    ("03_ada", "Ada", "Perfectly. Boom, pop, whoosh! Who would have thought a puppet could pout?"),
    ("04_ben", "Ben", "A puppet? I prefer performer. I improvise all my vowels myself."),
    ("05_ada", "Ada", "Fine, performer. Then whisper something moving about the blue moon over Vienna."),
    ("06_ben", "Ben", "Oh, please. You only want to watch my mouth work. Bevy, roll the music!"),
]
QUIET = 0.15
PEAK = 10 ** (-3 / 20)


def active(audio):
    """First and last sample that is not silence."""
    level = np.sqrt(np.convolve(audio ** 2, np.ones(240) / 240, "same"))
    loud = np.flatnonzero(level > 0.006 * level.max())
    return loud[0], loud[-1] + 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--work", required=True)
    options = parser.parse_args()
    os.makedirs(options.work, exist_ok=True)
    os.makedirs(options.out, exist_ok=True)
    voice, index = Voice(options.work, threads=2), []
    for name, speaker, text in LINES:
        audio, symbols = voice.speak(text, STYLES[speaker], SPEEDS[speaker])
        first, last = active(audio)
        pad = int(QUIET * RATE)
        fade = np.ones(last - first)
        ramp = int(0.005 * RATE)
        fade[:ramp], fade[-ramp:] = np.linspace(0, 1, ramp), np.linspace(1, 0, ramp)
        line = np.concatenate([np.zeros(pad), audio[first:last] * fade, np.zeros(pad)])
        line *= PEAK / np.abs(line).max()
        timed = align.again(symbols, line, RATE)
        with soundfile.SoundFile(os.path.join(options.out, name + ".ogg"), "w", RATE, 1, format="OGG",
                                 subtype="VORBIS", compression_level=0.4) as file:
            file.write(line)
        item = {"audio": name + ".ogg", "speaker": speaker, "text": text, "phones": timed}
        with open(os.path.join(options.out, name + ".json"), "w", encoding="utf-8") as file:
            json.dump(item, file, ensure_ascii=False, indent=1)
            file.write("\n")
        index.append({"file": name + ".ogg", "speaker": speaker, "text": text})
        print(f"{name} {len(line) / RATE:.2f} s, speech {(last - first) / RATE:.2f} s")
    with open(os.path.join(options.out, "lines.json"), "w", encoding="utf-8") as file:
        json.dump(index, file, ensure_ascii=False, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
