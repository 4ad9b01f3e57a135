"""Keeps a run small: of the sessions it makes, the last few live on, so that what is asked about them finds them."""

from collections import deque
from urllib.parse import urljoin

import requests
import schemathesis

MOST = 6
made: deque[str] = deque()


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
def map_body(context, body):
    """A hundred copies take a while, and say no more than two."""
    if isinstance(body, dict) and isinstance(body.get("count"), int | float) and 2 < body["count"] <= 100:
        body["count"] = 2
    return body


@schemathesis.hook
def filter_query(context, query):
    """A number in a query is the text of that number: nobody can tell that it was meant to be wrong."""
    for name, value in (query or {}).items():
        values = value.values() if isinstance(value, dict) else [value]
        if name.startswith("metadata") and not all(isinstance(value, str) for value in values):
            return False
    return True
