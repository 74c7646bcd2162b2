"""Writes the sentences to be spoken: quotations of Debian's `fortunes`, filtered, and generated ones that are dense in
the sounds whose mouth shapes are hard to learn (closures, tucks, rounding). Sentences of other languages (packages
`fortunes-de`, `fortunes-es`, `fortunes-it`, `fortunes-br`) go to files of their own: `NAME-it.txt`."""
import argparse
import os
import random
import re

LISTS = ["computers", "cookie", "definitions", "education", "food", "fortunes", "humorists", "literature", "love",
         "medicine", "miscellaneous", "news", "people", "pets", "platitudes", "politics", "pratchett", "riddles",
         "science", "sports", "startrek", "wisdom", "work", "art", "linuxcookie", "songs-poems", "kids", "law"]
LETTERS = {"de": "äöüß", "es": "áéíóúñü", "it": "àèéìòù", "br": "áâãàçéêíóôõú"}
FOLDERS = {"de": "de", "es": "es", "it": "it", "br": "brasil"}
WHO = """the baker|my brother|a puffin|the fishmonger|our new boss|a wise woman|the young prince|a warm wolf|the mayor
|both lawyers|the bus driver|a clever beaver|the choir|every farmer|a purple robot|the museum guide|your neighbour
|somebody|the whole village|a shy giraffe|the beautiful queen|Mr. Webb|Emma|Bob|Phoebe|the plumber|a brave moth
|George|the usher|a grumpy mother|the old admiral|two poets|a few women|the weatherman|Victor|Suzie""".replace("\n", "").split("|")
DOES = """moves|improves|wants to sell|never approved of|bumped into|would rather push|slowly wraps|chews|measures
|is fond of|will borrow|put away|chooses|might remember|swept up|has believed in|refuses to show|paid for|treasures
|should have washed|voted for|is dreaming of|whispers about|forgave|could barely lift|is proud of|washes|brewed
|walked around|used to own|juggles|threw out|overlooked|bought|peeled|found|fumbled with|wove""".replace("\n", "").split("|")
WHAT = """a big blue balloon|the broom|smooth pebbles|five plums|my favourite movie|the wooden boat|a bowl of soup
|some fresh apples|the moon|a pair of boots|the beige jumper|one more pump|a very thin book|warm beer|the yellow vase
|their usual room|a bumpy road|his mushroom pie|the quartz watch|a thumb drum|the village goose|empty bottles
|above average fish|her new shoes|the rubber ducks|half of the menu|a robe of velvet|the azure pool|a proof|my wallet
|the whole wheat bread|a shoe box|the jewel|fifty wet pumpkins|the beach|a loud trumpet|loose change|the bamboo""".replace("\n", "").split("|")
WHERE = """before noon|in May|by the window|above the pub|without a pause|from time to time|for a few weeks|near the pool
|on the roof|with both hands|in the pouring rain|every Wednesday|behind the church|at the wharf|during the opera
|for the love of it|over the bridge|while it snowed|at home|before breakfast|in the meadow|up the hill|under water
|to prove a point|with a huge smile|in public|as usual|on the moor|by mistake|if you must know""".replace("\n", "").split("|")
ASIDE = """oh well|maybe|of course|if I may|you know|my friend|believe me|wow|to be fair|I hope|in a way|well|who knew
|no problem|yes please|hmm|above all|mind you|go on|sure""".replace("\n", "").split("|")
WORDS = """pop bob mum puppy people maybe baby pepper member number remember beam bump pump mop map bomb palm farm prob
fife five verve valve leaf loaf van fan woof wove wave away would wood wool wool woo you shoe shoot juice choose chew
fuse view few mew pew beauty boot moon spoon soup troop group loop hoop who whom whose zoo too two do blue flew grew
show sure push bush wash swish fish judge church rouge measure vision beige usual watch witch which each beach peach
we see tea key me be eat seat sheep cheese please breeze these yes yet bed head said met spread apple cat back map
laugh half calm father hot hop drop mop pot stop saw law bought thought walk tall ball warm form more door four""".split()


def quotations(folder):
    for name in LISTS:
        path = os.path.join(folder, name)
        if not os.path.exists(path):
            continue
        with open(path, encoding="utf-8", errors="replace") as file:
            for entry in file.read().split("\n%\n"):
                entry = re.sub(r"\s+--.*", "", entry, flags=re.S)
                entry = re.sub(r"\s+", " ", entry).strip()
                for sentence in re.split(r"(?<=[.!?])\s+(?=[A-Z\"'])", entry):
                    sentence = sentence.strip(" \"'")
                    plain = re.fullmatch(r"[A-Za-z][A-Za-z ,.'!?;:-]*[.!?]", sentence)
                    if plain and 30 <= len(sentence) <= 110 and not re.search(r"\b[A-Z]{3,}\b|http|--|\.\.", sentence):
                        yield sentence


def foreign(folder, language):
    """Sentences of another language; its fortunes are files or a folder, in UTF-8 or Latin-1."""
    path = os.path.join(folder, FOLDERS[language])
    if os.path.isdir(path):
        names = [name for name in sorted(os.listdir(path)) if not name.endswith((".dat", ".u8")) and name != "off"]
        paths = [os.path.join(path, name) for name in names]
    else:
        paths = [path] if os.path.exists(path) else []
    letters = f"A-Za-z{LETTERS[language]}{LETTERS[language].upper().replace('SS', '')}"
    for path in paths:
        with open(path, "rb") as file:
            data = file.read()
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            text = data.decode("iso-8859-1")
        for entry in text.split("\n%\n"):
            entry = re.sub(r"\s+", " ", re.sub(r"\s+--.*", "", entry, flags=re.S)).strip()
            for sentence in re.split(r"(?<=[.!?])\s+", entry):
                plain = re.fullmatch(rf"[{letters}][{letters} ,.'!?;:-]*[.!?]", sentence)
                if plain and 30 <= len(sentence) <= 110:
                    yield sentence


def generated(count, rng):
    up = lambda text: text[0].upper() + text[1:]
    for _ in range(count):
        who, does, what, where, aside = (rng.choice(x) for x in (WHO, DOES, WHAT, WHERE, ASIDE))
        form = rng.randrange(7)
        if form == 0:
            yield up(f"{who} {does} {what} {where}.")
        elif form == 1:
            yield up(f"{aside}, {who} {does} {what} {where}.")
        elif form == 2:
            yield up(f"{where}, {who} {does} {what}.")
        elif form == 3:
            yield up(f"{who} {does} {what}, {aside}, and {rng.choice(WHO)} {rng.choice(DOES)} {rng.choice(WHAT)}.")
        elif form == 4:
            yield up(f"why would {who} and {rng.choice(WHO)} bring {what} {where}?")
        elif form == 5:
            yield up(f"{aside}! It was {who}, {where}, with {what}.")
        else:
            yield up(", ".join(rng.choice(WORDS) for _ in range(rng.randrange(4, 9))) + ".")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fortunes", default="/usr/share/games/fortunes")
    parser.add_argument("--generated", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    found = sorted(set(quotations(options.fortunes)) | set(generated(options.generated, random.Random(options.seed))))
    os.makedirs(os.path.dirname(options.out) or ".", exist_ok=True)
    stem, ending = os.path.splitext(options.out)
    for language in FOLDERS:
        write(f"{stem}-{language}{ending}", sorted(set(foreign(options.fortunes, language))))
    write(options.out, found)


def write(path, sentences):
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(sentences) + "\n")
    print(f"{path}: {len(sentences)} sentences")


if __name__ == "__main__":
    main()
