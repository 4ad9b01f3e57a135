"""Limits a run: only the last few of the sessions that it creates are kept, so that requests about them find them."""

import os
from collections import deque
from urllib.parse import quote, unquote, urljoin
from uuid import uuid4
from zlib import crc32

import requests
import schemathesis

MOST = 6
made: deque[str] = deque()


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Of a part: its paths with all their methods, and that which makes sessions, because others are about those.
    Idempotency-Key and Prefer mean the same to all operations: it has them for two, of which one drives a page."""
    part = os.environ.get("GHOSTMUX_API_PART")
    if not part:
        return
    this, of = map(int, part.split("/"))
    for path, operations in list(raw_schema["paths"].items()):
        if path != "/v1/sessions" and crc32(path.encode()) % of != this - 1:
            del raw_schema["paths"][path]
            continue
        for operation in operations.values():
            if path not in ("/v1/sessions", "/v1/sessions/{id}/pages/{page}/evaluate"):
                parameters = operation.get("parameters", [])
                operation["parameters"] = [parameter for parameter in parameters if "$ref" not in parameter]


@schemathesis.hook
def filter_case(context, case):
    """Leaves out metadata of which a query has less than the case: only texts below `metadata` are sent as they are."""
    metadata = (case.query or {}).get("metadata", "")
    values = metadata.values() if isinstance(metadata, dict) else [metadata]
    return all(isinstance(value, str) for value in values)


@schemathesis.hook
def after_call(context, case, response):
    if response.status_code != 201:
        return
    location = response.headers.get("location")
    if location is None:
        paths = [f"/v1/sessions/{session['id']}" for session in response.json()["sessions"]]
    else:
        paths = [location[0] if isinstance(location, list) else location]
    made.extend(urljoin(response.request.url, path) for path in paths)
    while len(made) > MOST:
        requests.delete(made.popleft(), timeout=30)


@schemathesis.hook
def before_call(context, case, kwargs):
    """What a schema cannot say. A valid launch option may need what this server does not have, or starts a Chrome for each
    example: the table of docs/launch-options.md says which, and tests/it/launch_options.rs checks it. Proxies, ports, regular
    expressions and patterns of hosts are texts with a grammar of their own, which tests/it/upstreams checks. A cursor is only
    valid if the server gave it. The interval of `autosave` is 0 or at least a second. The name of a file has at most 240 bytes:
    a schema counts characters. A key belongs to one request, and what is waited for does not come."""
    is_valid = case.meta is not None and case.meta.generation.mode.is_positive
    if not is_valid:
        # The job says what is wrong with its request.
        (case.headers or {}).pop("Prefer", None)
        return
    if case.query:
        case.query.pop("cursor", None)
        if "wait" in case.query:
            case.query["wait"] = 100
    name = (case.path_parameters or {}).get("name")
    if name and "/files/" in case.path and len(unquote(name).encode()) > 240:
        case.path_parameters["name"] = quote(unquote(name)[:60], safe="")
    if case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(uuid4())
    if not isinstance(case.body, dict):
        return
    if isinstance(case.body.get("launch"), dict):
        case.body["launch"] = {}
    if case.body.get("count", 0) > 2:
        # A hundred copies take long, and test no more than two.
        case.body["count"] = 2
    for name in ("proxy", "proxyBypass", "egress"):
        case.body.pop(name, None)
    if 0 < case.body.get("autosave", 0) < 1000:
        case.body["autosave"] = 1000
    for waited in [*case.body.get("elements", []), case.body.get("waitForSelector")]:
        # What is not on the page is waited for, longer than this client waits for an answer.
        if waited:
            waited["timeout"] = 100
    if "regex" in case.body:
        case.body["regex"] = "offers|sales"
    if "origins" in case.body:
        # A secret: its origins and keys have grammars too, and it needs a text or a key.
        case.body["origins"] = ["https://example.com"]
        case.body.pop("totp", None)
        case.body.setdefault("value", "long enough")
