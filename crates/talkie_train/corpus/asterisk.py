"""A person: the English voice prompts of the Asterisk telephone exchange in wide band (Debian package
`asterisk-core-sounds-en-g722`). Their texts lie in `asterisk-core-sounds-en`; espeak-ng tells how they are pronounced and
`align.py` when."""
import gzip
import os
import re
import subprocess

import av
import numpy as np

import align
import espeak
import items

SOUNDS, TEXTS = "/usr/share/asterisk/sounds/en_US_f_Allison", "/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz"


def decoded(path):
    """The sound of a G.722 file, 16 kHz."""
    with av.open(path, format="g722") as container:
        return np.concatenate([frame.to_ndarray().ravel() for frame in container.decode(audio=0)]) / 32768


def texts():
    """[(name of the file, what is said)], without what is not speech or hardly a word."""
    if not os.path.exists(TEXTS):
        raise SystemExit(f"asterisk: no texts at {TEXTS}; install the package asterisk-core-sounds-en")
    with gzip.open(TEXTS, "rt", encoding="utf-8", errors="replace") as file:
        lines = [line.strip().partition(":") for line in file if not line.startswith(";")]
    return [(name.strip(), text.strip()) for name, _, text in lines
            if len(text.strip()) >= 15 and not re.search(r"[\[\]<>\ufffd]", text)]


def pronounced(text):
    """The words of a text as lists of phones."""
    answer = subprocess.run(["espeak-ng", "-q", "--ipa", "--sep=_", "-v", "en-us", text], capture_output=True, check=True)
    words = [[phone for symbol in word.split("_") for phone in phones_of(symbol)] for word in answer.stdout.decode("utf-8").split()]
    return [word for word in words if word]


def phones_of(symbol):
    """The phones of one symbol of espeak-ng, which writes some vowels and what follows them as one."""
    parts = re.fullmatch("(.+)(ɹ)|(.+ɪ)([əɚ])", symbol)
    if parts:
        return [phone for part in parts.groups() if part for phone in phones_of(part)]
    phone = espeak.arpabet(symbol, True)
    return [] if phone == "SIL" else [phone]


def main():
    options = items.arguments(__doc__)

    def job(name, text):
        item, path = name.replace("/", "-"), os.path.join(SOUNDS, name + ".g722")

        def speak():
            audio = decoded(path)
            phones = align.align(pronounced(text), audio, items.RATE)
            return items.write(options, item, audio, items.RATE, "asterisk", "asterisk-en", text, phones)
        return item, speak
    jobs = [job(name, text) for name, text in texts() if os.path.exists(os.path.join(SOUNDS, name + ".g722"))]
    items.gather(options, jobs[options.shard::options.shards])


if __name__ == "__main__":
    main()
