"""A person: the recordings within festival's Russian voice msu_ru_nsh (Debian package `festvox-ru`, BSD-like licence), 620
sentences of a man with labelled phones."""
import glob
import os

import soundfile

import align
import items

VOICE = "/usr/share/festival/voices/russian/msu_ru_nsh_clunits"
# The voice's phones to ARPAbet, by what the lips do; doubled consonants are the palatalised ones, doubled vowels the stressed.
PHONES = {
    "a": "AH", "aa": "AA", "ay": "AH", "ae": "IH", "i": "IH", "ii": "IY", "e": "EH", "ee": "EH", "oo": "AO", "u": "UH", "uu": "UW",
    "ur": "UH", "y": "IH", "yy": "IH", "b": "B", "bb": "B", "v": "V", "vv": "V", "g": "G", "gg": "G", "d": "D", "dd": "D",
    "zh": "ZH", "z": "Z", "zz": "Z", "j": "Y", "k": "K", "kk": "K", "l": "L", "ll": "L", "m": "M", "mm": "M", "n": "N", "nn": "N",
    "p": "P", "pp": "P", "r": "D", "rr": "D", "s": "S", "ss": "S", "t": "T", "tt": "T", "f": "F", "ff": "F", "h": "K", "hh": "K",
    "c": "T", "ch": "CH", "sh": "SH", "sch": "SH", "pau": "SIL",
}


def labelled(path):
    """The phones of a label file, whose lines are an end in seconds, a colour and a phone."""
    with open(path, encoding="latin-1") as file:
        return [PHONES[words[2]] for words in map(str.split, file) if len(words) >= 3]


def main():
    options = items.arguments(__doc__)

    def job(path):
        name = os.path.splitext(os.path.basename(path))[0]

        def speak():
            audio, rate = soundfile.read(path)
            phones = align.again(labelled(os.path.join(VOICE, "lab", name + ".lab")), audio, rate)
            return items.write(options, name, audio, rate, "festvox_ru", "msu-ru-nsh", "", phones)
        return name, speak
    paths = sorted(glob.glob(os.path.join(VOICE, "wav", "*.wav")))
    if not paths:
        raise SystemExit(f"festvox_ru: no recordings in {VOICE}; install the package festvox-ru")
    items.gather(options, map(job, paths[options.shard::options.shards]))


if __name__ == "__main__":
    main()
