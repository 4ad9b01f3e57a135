"""A client in Python, made by openapi-python-client: scenario.py GHOSTMUX SITE

run.mjs puts the package `ghostmux_client` into PYTHONPATH, and compares what this prints."""

import base64
import json
import sys
from http import HTTPStatus
from io import BytesIO
from typing import Any, TypeVar

import httpx

from ghostmux_client import Client
from ghostmux_client.api.files import get_download, put_file
from ghostmux_client.api.jobs import get_job
from ghostmux_client.api.pages import (
    new_page,
    page_click,
    page_evaluate,
    page_fill,
    page_goto,
    page_screenshot,
    page_text,
    page_upload,
    page_viewport,
    page_wait,
)
from ghostmux_client.api.quick_actions import quick_pdf
from ghostmux_client.api.sessions import close_session, create_session, get_session, list_sessions
from ghostmux_client.models import (
    Acted,
    Download,
    Expect,
    Expected,
    ExpectUrl,
    FileForPage,
    Job,
    LoadState,
    Locator,
    Metadata,
    NewPage,
    NewPageInfo,
    NewSession,
    PageClick,
    PageEvaluate,
    PageFill,
    PageGoto,
    PagePicture,
    PageScreenshot,
    PageText,
    PageTextOf,
    PageUpload,
    PageViewport,
    PageWait,
    PdfOptions,
    Problem,
    QuickPdf,
    ScriptResult,
    Session,
    Sessions,
    SessionState,
    UploadedFile,
    Went,
)
from ghostmux_client.types import File, Response

server, site = sys.argv[1:]
# Without it httpx waits 5 s for an answer, and actions on pages may take longer.
timeout = httpx.Timeout(60)
client = Client(base_url=server, timeout=timeout)
T = TypeVar("T")


def a(kind: type[T], answer: Any) -> T:
    """The answer, if it is of this kind; a problem says why it is not."""
    if isinstance(answer, Problem):
        raise SystemExit(answer.detail)
    assert isinstance(answer, kind), answer
    return answer


def problem(response: Response[Any]) -> Problem:
    assert isinstance(response.parsed, Problem), response
    assert response.status_code == response.parsed.status
    return response.parsed


def metadata(**members: str) -> Metadata:
    """What to store with a session."""
    return Metadata.from_dict(members)


def filtered(**members: str) -> Sessions:
    """The parked sessions with this metadata. The generator does not know deepObject (`metadata[KEY]=`), and sends the
    keys as they are; the server takes `metadata.KEY=` too."""
    by = Metadata.from_dict({f"metadata.{key}": value for key, value in members.items()})
    return a(Sessions, list_sessions.sync(client=client, state=SessionState.PARKED, metadata=by))


def create() -> Session:
    wanted = NewSession(name="python", keep_alive=300_000, metadata=metadata(language="python"))
    return a(Session, create_session.sync(client=client, body=wanted, idempotency_key="python-1"))


created = create()
again = create()
id = created.id
sessions = filtered(language="python")
others = filtered(language="cobol")

a(NewPageInfo, new_page.sync(id, client=client, body=NewPage()))
a(Acted, page_viewport.sync(id, "first", client=client, body=PageViewport(width=640, height=480)))
went = a(Went, page_goto.sync(id, "first", client=client, body=PageGoto(url=site, wait_until=LoadState.LOAD)))
a(Acted, page_fill.sync(id, "first", client=client, body=PageFill(locator=Locator(label="Name"), value="Ada")))
button = Locator(role="button", name="Greet", exact=True)
a(Acted, page_click.sync(id, "first", client=client, body=PageClick(locator=button)))
text = a(PageTextOf, page_text.sync(id, "first", client=client, body=PageText(selector="#out"))).text
added = PageEvaluate(function="(a, b) => a + b", args=[40, 2])
value = a(ScriptResult, page_evaluate.sync(id, "first", client=client, body=added)).value
picture = a(PagePicture, page_screenshot.sync(id, "first", client=client, body=PageScreenshot()))
png = base64.b64decode(picture.data)

file = a(UploadedFile, put_file.sync(id, "note.txt", client=client, body=File(payload=BytesIO(b"a note"))))
note = PageUpload(selector="#file", files=[FileForPage(name=file.name)])
a(Acted, page_upload.sync(id, "first", client=client, body=note))
a(Acted, page_wait.sync(id, "first", client=client, body=PageWait(locator=Locator(text="a note"))))
uploaded = a(PageTextOf, page_text.sync(id, "first", client=client, body=PageText(selector="#content"))).text
save = PageClick(selector="#save", expect=Expect(download=ExpectUrl()))
saved = a(Expected, a(Acted, page_click.sync(id, "first", client=client, body=save)).expected)
download = a(Download, saved.download)
content = a(File, get_download.sync(id, download.id, client=client, wait=30_000)).payload.read()

title = PageEvaluate(expression="document.title")
started = a(Job, page_evaluate.sync(id, "first", client=client, body=title, prefer="respond-async"))
job = a(Job, get_job.sync(started.id, client=client, wait=30_000))

invoice = QuickPdf(html="<h1>Invoice</h1>", options=PdfOptions(format_="A4"))
pdf = a(File, quick_pdf.sync(client=client, body=invoice)).payload.read()

several = problem(page_text.sync_detailed(id, "first", client=client, body=PageText(selector="button")))
unknown = problem(get_session.sync_detailed("unknown", client=client))
ended = close_session.sync_detailed(id, client=client)
assert ended.status_code == HTTPStatus.NO_CONTENT, ended
after = problem(get_session.sync_detailed(id, client=client))

print(
    json.dumps(
        {
            "created": {
                "name": created.name,
                "state": created.state,
                "keepAlive": created.keep_alive,
                "metadata": a(Metadata, created.metadata).to_dict(),
                "clients": created.clients,
            },
            "repeated": again.id == created.id,
            "listed": {"ours": [session.id == id for session in sessions.sessions], "others": len(others.sessions)},
            "went": {"url": went.url, "navigated": went.navigated, "status": went.status},
            "text": text,
            "value": value,
            "picture": {
                "format": picture.format_,
                "width": int.from_bytes(png[16:20]),
                "height": int.from_bytes(png[20:24]),
            },
            "file": {"name": file.name, "size": file.size},
            "uploaded": uploaded,
            "download": {"name": download.name, "content": content.decode()},
            "job": {"operation": job.operation, "state": job.state, "value": job.result["value"]},
            "pdf": pdf[:5].decode(),
            "several": {"status": several.status, "type": several.type_, "count": several["count"]},
            "unknown": {"status": unknown.status, "type": unknown.type_, "title": unknown.title},
            "ended": ended.status_code,
            "after": after.type_,
        }
    )
)
