"""A person: the English voice prompts of the Asterisk telephone exchange in wide band (Debian package
`asterisk-core-sounds-en-g722`). Their texts lie in `asterisk-core-sounds-en`; espeak-ng tells how they are pronounced and
`align.py` when. `asterisk_abroad.py` does the same for other languages."""
import gzip
import os
import re
import subprocess

import av
import numpy as np

import align
import espeak
import items

SOUNDS, TEXTS = "/usr/share/asterisk/sounds", "/usr/share/doc/asterisk-core-sounds-{0}/core-sounds-{0}.txt.gz"
# Folder of a reader and voice of espeak-ng, by the language of the text.
READERS = {"en": ("en_US_f_Allison", "en-us"), "es": ("es_MX_f_Allison", "es-419"), "fr": ("fr_CA_f_June", "fr"),
           "it": ("it_IT_m_Carlo", "it"), "ru": ("ru_RU_f_IvrvoiceRU", "ru")}


def decoded(path):
    """The sound of a G.722 file, 16 kHz."""
    with av.open(path, format="g722") as container:
        return np.concatenate([frame.to_ndarray().ravel() for frame in container.decode(audio=0)]) / 32768


def texts(language):
    """[(name of the file, what is said)] of a language, without those that are not speech or hardly a word."""
    if not os.path.exists(TEXTS.format(language)):
        raise SystemExit(f"asterisk: no texts at {TEXTS.format(language)}; install the package asterisk-core-sounds-{language}")
    with gzip.open(TEXTS.format(language), "rt", encoding="utf-8", errors="replace") as file:
        lines = [line.strip().partition(":") for line in file if not line.startswith(";")]
    return [(name.strip(), text.strip()) for name, _, text in lines
            if len(text.strip()) >= 15 and not re.search(r"[\[\]<>\ufffd]", text)]


def pronounced(text, voice):
    """The words of a text as lists of phones."""
    answer = subprocess.run(["espeak-ng", "-q", "--ipa", "--sep=_", "-v", voice, text], capture_output=True, check=True)
    plain = re.sub(r"\([a-z-]+\)", "", answer.stdout.decode("utf-8"))  # Marks of a change of language.
    words = [[phone for symbol in word.split("_") for phone in phones_of(symbol, voice.startswith("en"))] for word in plain.split()]
    return [word for word in words if word]


def phones_of(symbol, english):
    """The phones of one symbol of espeak-ng, which writes some glides and vowels as one."""
    parts = re.fullmatch("(ˈ?ˌ?j)(.+)|(.+)(ɹ)|(.+ɪ)([əɚ])", symbol)
    if parts:
        return [phone for part in parts.groups() if part for phone in phones_of(part, english)]
    phone = espeak.arpabet(symbol, english)
    return [] if phone == "SIL" else [phone]


def main(source, languages):
    options = items.arguments(__doc__)

    def job(language, name, text):
        folder, voice = READERS[language]
        path = os.path.join(SOUNDS, folder, name + ".g722")

        def speak():
            audio, words = decoded(path), pronounced(text, voice)
            phones = align.align(words, audio, items.RATE)
            return items.write(options, item, audio, items.RATE, source, f"asterisk-{language}", text, phones)
        item = f"{language}_{name.replace('/', '-')}"
        return item, speak
    jobs = [job(language, name, text) for language in languages for name, text in texts(language)
            if os.path.exists(os.path.join(SOUNDS, READERS[language][0], name + ".g722"))]
    items.gather(options, jobs[options.shard::options.shards])


if __name__ == "__main__":
    main("asterisk", ["en"])
