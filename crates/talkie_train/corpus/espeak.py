"""espeak-ng (Debian package `espeak-ng`): formant synthesis, exact timings, many speaker variants, whisper included; a
third of the sentences are German, Spanish, Italian or Portuguese."""
import ctypes
import ctypes.util

import numpy as np

import items

VARIANTS = ["", "+f1", "+f2", "+f3", "+f4", "+m1", "+m2", "+m3", "+m4", "+m5", "+m6", "+m7", "+croak", "+whisper"]
ACCENTS = ["en-us", "en-gb-x-rp", "en-gb-scotland"]
# Voices by the language of their sentences.
FOREIGN = {"de": "de", "es": "es", "it": "it", "br": "pt-br"}
DIGRAPHS = [("tʃ", "CH"), ("dʒ", "JH"), ("eɪ", "EY"), ("aɪ", "AY"), ("ɔɪ", "OY"), ("aʊ", "AW"), ("oʊ", "OW"), ("əʊ", "OW"),
            ("ts", "S"), ("dz", "Z"), ("pf", "F"), ("tɕ", "CH"), ("ɔø", "OY"), ("ɔy", "OY"), ("au", "AW"), ("ai", "AY"), ("iə", "IY"), ("ɪə", "IH"), ("eə", "EH"), ("ʊə", "UH"), ("əl", "L"), ("n̩", "N"), ("ɜː", "ER")]


class Event(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("unique", ctypes.c_uint), ("text", ctypes.c_int), ("length", ctypes.c_int),
                ("audio_position", ctypes.c_int), ("sample", ctypes.c_int), ("user", ctypes.c_void_p),
                ("string", ctypes.c_char * 8)]


class Espeak:
    PHONEME, END = 7, 0

    def __init__(self):
        self.library = ctypes.CDLL(ctypes.util.find_library("espeak-ng") or "libespeak-ng.so.1")
        self.rate = self.library.espeak_Initialize(1, 500, None, 3)
        self.callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int,
                                         ctypes.POINTER(Event))(self.heard)
        self.library.espeak_SetSynthCallback(self.callback)

    def heard(self, samples, count, events):
        if count > 0 and samples:
            self.audio.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while events[index].type != self.END:
            event = events[index]
            if event.type == self.PHONEME:
                self.marks.append((event.string.decode("utf-8", "replace"), event.audio_position / 1000))
            index += 1
        return 0

    def speak(self, text, voice, speed, pitch):
        self.audio, self.marks = [], []
        if self.library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"no voice {voice}")
        self.library.espeak_SetParameter(1, int(speed), 0)
        self.library.espeak_SetParameter(3, int(pitch), 0)
        data = text.encode() + b"\0"
        self.library.espeak_Synth(data, len(data), 0, 1, 0, 1, None, None)
        self.library.espeak_Synchronize()
        return np.concatenate(self.audio) / 32768, self.marks


def arpabet(symbol, english):
    plain = "".join(c for c in symbol if c not in "ˈˌ%=| _ː\u0303\u032f\u0329\u02b2")
    if symbol == "ɜː":
        return "ER"
    if not plain:
        return "SIL"
    for pair, phone in DIGRAPHS:
        if plain == pair:
            return phone
    return "D" if plain[0] == "r" and not english else items.IPA[plain[0]]


def early_stops(phones):
    """espeak-ng says P, T and K at their burst; the closure before it is theirs too (median of 40 ms, measured)."""
    for before, stop in zip(phones, phones[1:]):
        if stop[0] in ("P", "T", "K"):
            stop[1] = before[2] = round(max(stop[1] - 0.05, before[1] + 0.02), 4)


def main():
    options = items.arguments(__doc__)
    engine = Espeak()
    foreign = {language: items.lines_of(options, language) for language in FOREIGN}

    def speak(name, sentence, voice, speed, pitch):
        audio, marks = engine.speak(sentence, voice, speed, pitch)
        total, phones = len(audio) / engine.rate, []
        for (symbol, start), (_, end) in zip(marks, marks[1:] + [("", total)]):
            if end > start:
                phones.append([arpabet(symbol, voice.startswith("en")), round(start, 4), round(end, 4)])
        if len(phones) < 4:
            raise ValueError("no timings")
        early_stops(phones)
        if phones[0][1] > 0:
            phones.insert(0, ["SIL", 0.0, phones[0][1]])
        return items.write(options, name, audio, engine.rate, "espeak", "espeak-" + voice, sentence, phones)

    def make(index, sentence, random):
        if random.random() < 0.33:
            language = str(random.choice(sorted(FOREIGN)))
            voice, sentence = FOREIGN[language], str(random.choice(foreign[language]))
        else:
            voice = str(random.choice(ACCENTS))
        voice += str(random.choice(VARIANTS))
        name = f"v_{index:05}"
        return name, lambda: speak(name, sentence, voice, random.uniform(130, 210), random.uniform(25, 75))
    items.collect(options, make)


if __name__ == "__main__":
    main()
