"""The contract of suite.mjs in Python: one JSON line per act."""

import asyncio
import json
import os
import re
import struct
import sys
import traceback

PLACE = json.loads(os.environ["SUITE"])


def tell(line):
    print(json.dumps(line), flush=True)


def png_size(data):
    assert data[1:4] == b"PNG"
    return dict(zip(("width", "height"), struct.unpack(">II", data[16:24])))


def normal(value):
    text = json.dumps(value).replace(PLACE["home"], "http://home").replace(PLACE["other"], "http://other")
    return json.loads(re.sub(r"\b[0-9A-F]{32}\b", "<id>", text))


async def perform(acts, connect, leave):
    """Runs `acts`, (name, coroutine function) pairs, each with the result of `connect`; after a failed act it connects again."""
    seconds = PLACE["actMs"] / 1000
    acts = [(name, run) for name, run in acts if PLACE["only"] in name]
    tell({"acts": [name for name, _ in acts]})
    client = None
    for name, run in acts:
        try:
            if client is None:
                client = await asyncio.wait_for(connect(), seconds)
            tell({"act": name, "value": normal(await asyncio.wait_for(run(client), seconds))})
        except Exception:
            tell({"act": name, "error": traceback.format_exc().strip().split("\n")[-1] + "\n" + traceback.format_exc()})
            client = None
    if client is not None:
        await asyncio.wait_for(leave(client), 5)
    sys.stdout.flush()
    os._exit(0)
