"""What every source script shares: the command line, the phone alphabet and the form of a corpus item.

An item is `NAME.wav` (16 kHz mono, 16 bit) and `NAME.json`:
{"source", "speaker", "text", "phones": [[ARPAbet without stress or "SIL", start s, end s], ...]}.
Times are those the synthesiser states, or of a forced alignment (`align.py`); constant delays are taken out when the corpus is
read (`late_ms` in the recipe), where they can be verified against the sound.
"""
import argparse
import json
import os
from math import gcd

import numpy as np
import soundfile
from scipy.signal import resample_poly

RATE = 16000

# IPA and misaki symbols (Kokoro's alphabet) to ARPAbet. A capital is a misaki diphthong.
IPA = {
    "A": "EY", "I": "AY", "O": "OW", "Q": "OW", "W": "AW", "Y": "OY", "ᵊ": "AH", "ᵻ": "IH", "a": "AA", "æ": "AE",
    "ɑ": "AA", "ɒ": "AA", "ɐ": "AH", "ə": "AH", "ʌ": "AH", "ɔ": "AO", "o": "OW", "ɛ": "EH", "e": "EH", "ɜ": "ER",
    "ɚ": "ER", "ɝ": "ER", "ɪ": "IH", "i": "IY", "u": "UW", "ʊ": "UH", "ʉ": "UW", "b": "B", "ʧ": "CH", "d": "D", "ð": "DH",
    "f": "F", "ɡ": "G", "g": "G", "h": "HH", "ʤ": "JH", "k": "K", "l": "L", "m": "M", "n": "N", "ŋ": "NG", "p": "P",
    "ɹ": "R", "r": "R", "s": "S", "ʃ": "SH", "t": "T", "T": "D", "ɾ": "D", "ʔ": "T", "θ": "TH", "v": "V", "w": "W", "ʍ": "W",
    "j": "Y", "z": "Z", "ʒ": "ZH", "x": "K",
    # Of other languages, by what the lips do: front rounded vowels round, trills and uvulars do not.
    "y": "UW", "ʏ": "UH", "ø": "UH", "œ": "UH", "ɥ": "W", "ɲ": "N", "ʎ": "L", "β": "W", "ɣ": "G", "ʁ": "G", "ʀ": "G",
    "ç": "Y", "ɕ": "SH", "ʑ": "ZH", "c": "K", "ɟ": "G", "ʋ": "V", "ʝ": "Y", "ɨ": "IH", "ɯ": "UH", "ɫ": "L", "ɭ": "L", "ɱ": "M", "ɵ": "UH",
}
PAUSES = set(",.!?;:—…")


def arguments(description):
    """The command line of every source: sentences in, items out, optionally one shard of many."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--sentences", required=True, help="text file, one sentence a line")
    parser.add_argument("--out", required=True, help="folder of the items")
    parser.add_argument("--minutes", type=float, required=True, help="speech wanted in all shards together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shard", type=int, default=0)
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--time-limit", type=float, default=0, help="stop after so many seconds; 0: no limit")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    return options


def lines_of(options, language=""):
    """Every sentence of a language (`de`, `es`, `it`, `br`; English if none is named), in the order of the file."""
    stem, ending = os.path.splitext(options.sentences)
    path = f"{stem}-{language}{ending}" if language else options.sentences
    with open(path, encoding="utf-8") as file:
        return [line.strip() for line in file if line.strip()]


def sentences(options):
    """Endless (index, sentence) of this shard; the order depends on the seed only."""
    lines = lines_of(options)
    order = np.random.default_rng(options.seed).permutation(len(lines))
    index = options.shard
    while True:
        yield index, lines[order[index % len(lines)]]
        index += options.shards


def timeline(tokens):
    """[(symbol, seconds)] in IPA or misaki symbols, pads as "" and pauses as punctuation -> phones.

    A stress mark's time goes to the phone that follows, a space's or length mark's to the one before; a vowel
    followed by an r that colours it becomes ER.
    """
    phones, time, pending = [], 0.0, 0.0
    for symbol, seconds in tokens:
        start, time = time, time + seconds
        if symbol in ("ˈ", "ˌ"):
            pending += seconds
            continue
        if symbol in IPA:
            phone = IPA[symbol]
            if phone == "R" and phones and phones[-1][0] == "ER" and pending == 0.0:
                phones[-1][2] = time
                continue
            if phone == "R" and phones and phones[-1][0] == "AH" and phones[-1][3] == "ə" and pending == 0.0:
                phones[-1][0], phones[-1][2] = "ER", time
                continue
            phones.append([phone, start - pending, time, symbol])
        elif symbol == "" or symbol in PAUSES:
            if phones and phones[-1][0] == "SIL":
                phones[-1][2] = time
            else:
                phones.append(["SIL", start - pending, time, ""])
        elif phones:  # a space, a length mark, a quotation mark
            phones[-1][2] = time
        else:
            phones.append(["SIL", start, time, ""])
        pending = 0.0
    return [[phone, round(float(start), 4), round(float(end), 4)] for phone, start, end, _ in phones if end > start]


def resampled(audio, rate):
    """The sound at `RATE`."""
    audio = np.asarray(audio, np.float64)
    common = gcd(RATE, rate)
    return audio if rate == RATE else resample_poly(audio, RATE // common, rate // common)


def write(options, name, audio, rate, source, speaker, text, phones):
    """Writes one item; the description comes last, so that a file of that name says that the item is whole."""
    audio = resampled(audio, rate)
    peak = np.abs(audio).max()
    if not np.isfinite(peak) or peak < 1e-3:
        raise ValueError(f"{name}: silent or broken audio")
    audio = audio * (0.5 / peak)
    soundfile.write(os.path.join(options.out, name + ".wav"), audio, RATE, subtype="PCM_16")
    item = {"source": source, "speaker": speaker, "text": text, "phones": phones}
    path = os.path.join(options.out, name + ".json")
    with open(path + ".part", "w", encoding="utf-8") as file:
        json.dump(item, file, ensure_ascii=False)
    os.replace(path + ".part", path)
    return len(audio) / RATE


def seconds_of(options, name):
    """Length of a finished item, or None."""
    path = os.path.join(options.out, name + ".json")
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        return json.load(file)["phones"][-1][2]


def collect(options, make):
    """Calls make(index, sentence, random) -> (name, thunk) until the wanted minutes are there; prints progress."""
    gather(options, (make(index, sentence, np.random.default_rng([options.seed, index])) for index, sentence in sentences(options)))


def gather(options, jobs):
    """Runs the thunks of (name, thunk) that are not done yet, until the wanted minutes are there; prints progress."""
    import time
    wanted, have, started, failures = options.minutes * 60 / options.shards, 0.0, time.time(), 0
    for name, thunk in jobs:
        if have >= wanted or (options.time_limit and time.time() - started > options.time_limit):
            break
        seconds = seconds_of(options, name)
        if seconds is None:
            try:
                seconds = thunk()
            except (ValueError, KeyError) as error:
                failures += 1
                print(f"skipped {name}: {error}", flush=True)
                if failures > 200:
                    raise SystemExit("too many failures")
                continue
        have += seconds
        print(f"progress {have:.1f} {wanted:.1f}", flush=True)
