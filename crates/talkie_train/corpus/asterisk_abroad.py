"""People: the Spanish, French, Italian and Russian voice prompts of Asterisk, four readers; see `asterisk.py`."""
import asterisk

if __name__ == "__main__":
    asterisk.main("asterisk_abroad", ["es", "fr", "it", "ru"])
