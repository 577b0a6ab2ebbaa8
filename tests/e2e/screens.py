# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading a Target's screen as a person does: text recognition on a Client's picture,
and the character memory of a Target in text mode. Knows nothing of our own programs.
"""

import os
import subprocess
import tempfile

from case import Failure

NEXT = "update 100000"  # however long the screen stands still: the test's own limit ends the wait


def write_ppm(path, picture):
    width, height, rgb = picture
    with open(path, "wb") as out:
        out.write(b"P6\n%d %d\n255\n" % (width, height))
        out.write(rgb)


def words(picture):
    """Recognised words of a picture: [(text, x, y)], the centre of each in pixels."""
    with tempfile.TemporaryDirectory(prefix="kvmnet-ocr-") as folder:
        small, page = os.path.join(folder, "small.ppm"), os.path.join(folder, "page.ppm")
        write_ppm(small, picture)
        # Letters on buttons are too small for tesseract as they are.
        subprocess.run(["convert", small, "-resize", "200%", page], check=True)
        table = subprocess.run(["tesseract", page, "-", "--psm", "11", "tsv"], check=True,
                               capture_output=True, text=True,
                               env={**os.environ, "OMP_THREAD_LIMIT": "1"}).stdout
    found = []
    for row in table.splitlines()[1:]:
        cell = row.split("\t")
        if len(cell) == 12 and cell[11].strip():
            left, top, width, height = map(int, cell[6:10])
            found.append((cell[11].strip(), (left + width // 2) // 2, (top + height // 2) // 2))
    return found


def await_text(probe, *phrases, fits=all, updates=400):
    """Reads each new picture of the Client until it shows every phrase, or with fits=any one of them; its words then."""
    text = ""
    for _ in range(updates):
        seen = words(probe.picture())
        text = text_of(seen)
        if fits(phrase.lower() in text for phrase in phrases):
            return seen
        try:
            probe.ask(NEXT)
        except Failure as failure:
            raise Failure(f"the screen does not say {phrases} but {text[:600]!r}: {failure}") from failure
    raise Failure(f"the screen never said {phrases}; last it said {text[:600]!r}")


def text_of(seen):
    return " ".join(word for word, _, _ in seen).lower()


def first_page(probe, owner):
    """The words of the installer's first page, from there or from one of the next two: the second goes back to
    the first, the third to the main menu, which knows the way."""
    owner.await_current(owner.bench.engine.control({"do": "grab"})["seq"])
    if "select a language" not in text_of(words(probe.picture())):
        probe.ask("key Escape")
        if "main menu" in text_of(await_text(probe, "Select a language", "main menu", fits=any)):
            for _ in range(12):  # it has 12 lines; the first is the language's
                probe.ask("key Up")
            probe.ask("key Return")
    return await_text(probe, "Select a language")


def find(seen, word):
    for text, x, y in seen:
        if text.lower() == word.lower():
            return x, y
    raise Failure(f"no {word!r} on the screen")


def text_memory(target):
    """What a Target in 80x25 text mode shows, as one string."""
    cells = target.memory(0xb8000, 80 * 25 * 2)
    return cells[0::2].decode("cp437")


def await_text_memory(probe, target, phrase, updates=400):
    for _ in range(updates):
        if phrase in text_memory(target):
            return
        try:
            probe.ask(NEXT)
        except Failure as failure:
            raise Failure(f"no {phrase!r} but {text_memory(target)[:400]!r}: {failure}") from failure
    raise Failure(f"the Target never wrote {phrase!r}; its screen: {text_memory(target)[:400]!r}")
