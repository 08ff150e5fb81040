"""Ways to damage the folder of a model, as disks, programs and strangers do."""

import json
import math
import os
import struct

ODD = [
    0, -1, 1, 2, 3, 7, 10**3, 10**6, 2**31, 2**63, 10**18, 10**400, 0.5, -0.5, 1e-300, 1e300, math.nan, math.inf, None,
    True, False, "", "abc", "1", [], [[]], {}, {"a": 1}, [1, 2], "\0", "\ud800", "\x1b[31m", "n" * 300, "../../up",
]  # fmt: skip
LARGE = 100_000_000  # bytes; a larger file is one that was made hollow
TYPES = ["F64", "F32", "F16", "BF16", "I8", "I64", "U8", "BOOL", "F8_E4M3", "F4", "C64", ""]
FILES = ["config.json", "tokenizer.json", "model.safetensors"]


def damaged(pick, folder, outside):
    """Damage a folder in one to three places; returns what was done."""
    return [pick.choice(WAYS)(pick, folder, outside) for _ in range(pick.choice((1, 1, 1, 2, 3)))]


def _file(pick, folder):
    there = sorted(
        path for path in folder.iterdir() if path.is_file() and not path.is_symlink() and path.stat().st_size < LARGE
    )
    return pick.choice(there) if there else None


def _content(file):
    """Read a file that was not made hollow."""
    return file.read_bytes() if file.stat().st_size < LARGE else b""


def bits(pick, folder, outside):
    """Flip some bits of a file."""
    file = _file(pick, folder)
    content = bytearray(file.read_bytes()) if file else bytearray()
    for _ in range(pick.choice((1, 1, 3, 50))) if content else ():
        at = pick.randrange(min(len(content), pick.choice((64, 4000, 1 << 30))))
        content[at] ^= 1 << pick.randrange(8)
    if file:
        file.write_bytes(content)
    return f"bits of {file and file.name}"


def cut(pick, folder, outside):
    """Cut a file off, or put something after it."""
    file = _file(pick, folder)
    if file:
        content = _content(file)
        longer = content + pick.randbytes(pick.choice((1, 8, 4000)))
        file.write_bytes(pick.choice((content[: pick.randrange(len(content) + 1)], longer, b"")))
    return f"end of {file and file.name}"


def _slots(value, found):
    """List every place in a JSON value: what holds it, and under which key."""
    for key in value if isinstance(value, dict) else range(len(value)):
        found.append((value, key))
        if isinstance(value[key], dict | list):
            _slots(value[key], found)
    return found


def _rewritten(pick, raw, most):
    """Put odd values in some places of a JSON value."""
    slots = _slots(raw, [])[:most]
    for holder, key in pick.sample(slots, min(len(slots), pick.choice((1, 1, 2, 5)))):
        old, how = holder[key], pick.random()
        if how < 0.4 and type(old) in (int, float):
            new = pick.choice((old + 1, old - 1, old * 2, -old, old // 2, old * 1000, float(old), old + 0.5))
        elif how < 0.5 and isinstance(holder, dict):
            del holder[key]
            continue
        else:
            new = pick.choice(ODD)
        holder[key] = new
        return str(key)
    return "nothing"


def config(pick, folder, outside):
    """Change a number or another entry of the config."""
    return _change(pick, folder / "config.json", 500)


def tokenizer(pick, folder, outside):
    """Change an entry of the tokenizer."""
    return _change(pick, folder / "tokenizer.json", pick.choice((60, 1 << 30)))


def _change(pick, file, most):
    try:
        raw = json.loads(_content(file))
        key = _rewritten(pick, raw, most)
        file.write_text(json.dumps(raw))
    except (OSError, ValueError, AttributeError, TypeError):
        return f"nothing of {file.name}"
    return f"{key} of {file.name}"


def ours(pick, folder, outside):
    """Change or add one of our own entries of the config."""
    names = ["name", "question_tokens", "chunk_tokens", "fusion", "reads", "prior", "confidence", "languages", "rqwk"]
    try:
        raw = json.loads(_content(folder / "config.json"))
        name = pick.choice([*names, "parent"])
        settings = raw["reatt"] if isinstance(raw.get("reatt"), dict) else {}
        raw["reatt"] = {**settings, name: pick.choice([*ODD, 50, 4096, {"bias": 0, "weights": {}, "threshold": 2}])}
        (folder / "config.json").write_text(json.dumps(raw))
    except (OSError, ValueError, AttributeError, TypeError):
        return "nothing of ours"
    return f"{name} of ours"


def header(pick, folder, outside):
    """Change what the weights' file says of them: types, shapes, places, its own length."""
    file = folder / "model.safetensors"
    try:
        content = _content(file)
        (length,) = struct.unpack("<Q", content[:8])
        said = json.loads(content[8 : 8 + length])
        name = pick.choice(sorted(said))
        entry = pick.choice((said, said[name]))
        key = pick.choice(sorted(entry))
        new = pick.choice((pick.choice(ODD), pick.choice(TYPES), [10**9, 10**9], [0, 4], [[1]]))
        entry[key] = new
        if pick.random() < 0.3:
            said[name]["dtype"] = pick.choice(TYPES)
        text = json.dumps(said).encode()
        size = pick.choice((len(text), len(text), len(text), 0, len(text) + 5, 2**40, 2**63))
        file.write_bytes(struct.pack("<Q", size) + text + content[8 + length :])
    except (OSError, ValueError, AttributeError, TypeError, KeyError, struct.error, IndexError):
        return "nothing of the header"
    return f"{name}.{key} of the header"


def numbers(pick, folder, outside):
    """Overwrite some weights by odd numbers."""
    file = folder / "model.safetensors"
    try:
        content = bytearray(_content(file))
        (length,) = struct.unpack("<Q", content[:8])
        start = 8 + min(length, len(content))
        for _ in range(pick.choice((1, 5, 2000))):
            at = start + 4 * pick.randrange(max(1, (len(content) - start) // 4))
            odd = pick.choice((math.nan, math.inf, -math.inf, 3e38, -3e38, 1e20, 1e14, -1e14, 1e-40, 0.0))
            content[at : at + 4] = struct.pack("<f", odd)
        file.write_bytes(content)
    except (OSError, struct.error):
        return "nothing of the weights"
    return "numbers of the weights"


def missing(pick, folder, outside):
    """Remove a file."""
    file = _file(pick, folder)
    if file:
        file.unlink()
    return f"no {file and file.name}"


def something_else(pick, folder, outside):
    """Put a link, a pipe, a folder or a sparse file in the place of a file."""
    file = folder / pick.choice([*FILES, "intra.safetensors", "embeddings.safetensors", "model.sha256"])
    if file.is_dir() and not file.is_symlink():
        return "nothing"
    file.unlink(missing_ok=True)
    what = pick.choice(("pipe", "folder", "link", "loop", "device", "sparse"))
    if what == "pipe":
        os.mkfifo(file)
    elif what == "folder":
        file.mkdir()
    elif what == "link":
        file.symlink_to(outside / "a.txt")
    elif what == "loop":
        file.symlink_to(file.name)
    elif what == "device":
        file.symlink_to(pick.choice(("/dev/zero", "/dev/null", "/proc/self/mem")))
    else:
        with open(file, "wb") as stream:
            stream.truncate(pick.choice((1 << 20, 1 << 33, 1 << 42)))
    return f"a {what} for {file.name}"


def pickled(pick, folder, outside):
    """Put a pickle in the place of the weights, which `models add` would convert."""
    if (folder / "model.safetensors").is_dir():
        return "no pickle in the place of a folder"
    (folder / "model.safetensors").unlink(missing_ok=True)
    content = pick.choice(
        (b"", b"PK\x03\x04", b"\x80\x02}q\x00.", b"\x80\x02cos\nsystem\n(S'true'\ntR.", pick.randbytes(300))
    )
    (folder / "pytorch_model.bin").write_bytes(content)
    return "a pickle"


WAYS = (
    bits,
    cut,
    config,
    config,
    config,
    ours,
    header,
    header,
    numbers,
    numbers,
    tokenizer,
    missing,
    something_else,
    pickled,
)
