"""browser-use, connected by `cdp_url`. Its model is a script: each act lists what the model answers, step by step. An answer is
computed from what the model is shown, so that it fails if the page is not in there."""

import asyncio
import base64
import os
import re
import sys
import time
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

sys.path.append(str(Path(__file__).parents[1] / "more"))
from suite import PLACE, perform, png_size  # noqa: E402

HOME, DIR = PLACE["home"], PLACE["dir"]
# Nothing of this user's is read or written, and nothing leaves this machine.
os.environ.update(
    ANONYMIZED_TELEMETRY="false", BROWSER_USE_CLOUD_SYNC="false", BROWSER_USE_VERSION_CHECK="false", BROWSER_USE_CLOUD_HINTS="false",
    BROWSER_USE_LOGGING_LEVEL="result", BROWSER_USE_CONFIG_DIR=DIR + "/config", XDG_CACHE_HOME=DIR, TMPDIR=DIR)
os.environ.pop("BROWSER_USE_API_KEY", None)

from browser_use import Agent, BrowserSession  # noqa: E402
from browser_use.llm.views import ChatInvokeCompletion  # noqa: E402


class ScriptedModel:
    """A model as browser-use's `BaseChatModel` describes one."""

    model = model_name = name = provider = "scripted"
    _verified_api_keys = True

    def __init__(self, steps):
        self.steps = list(steps)
        self.pictures = []

    async def ainvoke(self, messages, output_format=None, **_options):
        shown = "\n".join(message.text for message in messages)
        if output_format is None:  # the action `extract` asks for a text
            return ChatInvokeCompletion(completion=re.search(r"first \w+", shown)[0], usage=None)
        for message in messages:
            parts = message.content if isinstance(message.content, list) else []
            self.pictures += [part.image_url.url for part in parts if part.type == "image_url"]
        actions = self.steps.pop(0)(shown[shown.rindex("<browser_state>"):])
        answer = {"thinking": "", "evaluation_previous_goal": "", "memory": "", "next_goal": "", "action": actions}
        return ChatInvokeCompletion(completion=output_format.model_validate(answer), usage=None)


def index(shown, pattern):
    """The number of an element in the state of the browser that the model is shown."""
    match = re.search(r"\[(\d+)\]<" + pattern, shown)
    if not match:
        raise LookupError(f"no {pattern} in\n{shown}")
    return int(match[1])


def found(pattern, shown):
    match = re.search(pattern, shown)
    if not match:
        raise LookupError(f"no {pattern} in\n{shown}")
    return match[0]


def goto(path):
    return lambda _shown: [{"navigate": {"url": HOME + path}}]


def click(pattern):
    return lambda shown: [{"click": {"index": index(shown, pattern)}}]


def done(pattern):
    """Ends the task with what the page says."""
    return lambda shown: [{"done": {"text": found(pattern, shown), "success": True}}]


async def run(browser, *steps, **options):
    """Runs an agent: `(its history, its model)`."""
    model = ScriptedModel(steps)
    agent = Agent(task="Do what the script says", llm=model, browser_session=browser, use_judge=False, enable_signal_handler=False,
                  file_system_path=DIR + "/files", **options)
    history = await agent.run(max_steps=len(steps))
    errors = [error for error in history.errors() if error]
    if errors or not history.is_done():
        raise AssertionError(f"{errors}, {len(model.steps)} steps are left")
    return history, model


def agent(*steps, **options):
    """An act: what the agent did, and its result."""
    async def act(client):
        history, _ = await run(client["browser"], *steps, **options)
        return [history.action_names(), history.final_result()]
    return act


async def until(what, question):
    """Repeats a question until its answer is not empty: for what no event reports."""
    end = time.monotonic() + PLACE["actMs"] / 2000
    while time.monotonic() < end:
        answer = await question()
        if answer:
            return answer
        await asyncio.sleep(0.02)
    raise TimeoutError(what)


async def starts(client):
    return [tab.url for tab in await client["browser"].get_tabs()]


async def page_of_its_own(client):
    """Without an agent: pages and elements by browser-use's own API."""
    page = await client["browser"].new_page(HOME + "/form")
    [name] = await page.get_elements_by_css_selector("#who")
    await name.fill("Ada")
    [go] = await page.get_elements_by_css_selector("#go")
    await go.click()
    said = [await page.get_title(), await page.evaluate("() => out.textContent"),
            await page.evaluate("() => fetch('/data.json').then(response => response.text())")]
    await client["browser"].close_page(page)
    return said


async def pictures(client):
    history, model = await run(client["browser"], goto("/second"), done("Second"))
    shown = base64.b64decode(model.pictures[-1].split(",")[1])
    return [png_size(shown), [bool(picture) for picture in history.screenshots()][-1]]


async def tabs(client):
    def tab(path):
        return lambda shown: re.search(r"Tab (\w{4}): \S+" + path + " ", shown)[1]
    home, second = tab("/"), tab("/second")
    history, _ = await run(
        client["browser"], goto("/"), lambda _shown: [{"navigate": {"url": HOME + "/second", "new_tab": True}}],
        lambda shown: [{"switch": {"tab_id": home(shown)}}], lambda shown: [{"close": {"tab_id": second(shown)}}], done("first page"))

    async def one_tab():
        return len(await client["browser"].get_tabs()) == 1

    await until("the other tab is closed", one_tab)
    return history.action_names()


async def popup(client):
    browser = client["browser"]
    history, _ = await run(browser, goto("/popups"), click("button[^>]*id=opener"), lambda _shown: [{"done": {"text": "", "success": True}}])

    # A plain Chrome lets the popup navigate only when browser-use gives up on the click. Here it navigates at once, and
    # browser-use, which records a new tab a moment later, may miss its URL: so the page is asked, not the list of tabs.
    async def popups():
        return [(page, url) for page in await browser.get_pages() for url in [await page.get_url()] if "/popup?" in url]

    async def one_tab():
        return len(await browser.get_tabs()) == 1

    [(page, url)] = await until("the popup has its URL", popups)
    opener = await page.evaluate("() => String(Boolean(window.opener))")
    await browser.close_page(page)
    await until("the popup is closed", one_tab)
    return [history.action_names(), url, opener]


async def cookies(client):
    await run(client["browser"], goto("/set-cookie?served=two"), goto("/cookies"), done("served=two"))
    return sorted(cookie["name"] for cookie in (await client["browser"].export_storage_state())["cookies"])


async def uploads(client):
    path = DIR + "/up.txt"
    Path(path).write_text("to be read")
    history, _ = await run(
        client["browser"], goto("/upload"), lambda shown: [{"upload_file": {"index": index(shown, "input"), "path": path}}],
        done("up.txt=to be read"), available_file_paths=[path])
    return history.final_result()


async def downloads(client):
    await run(client["browser"], goto("/download"), click("a"), lambda _shown: [{"done": {"text": "", "success": True}}])
    return sorted({Path(path).read_text() for path in client["browser"].downloaded_files})


async def pdf(client):
    history, _ = await run(
        client["browser"], goto("/"), lambda _shown: [{"save_as_pdf": {"file_name": "page"}}], done("first page"))
    [path] = [file for result in history.action_results() for file in result.attachments or []]
    return Path(path).read_bytes()[:4].decode()


def named(name):
    """The address of a session that is found again by its name; a plain Chrome does not look at it."""
    url = urlsplit(PLACE["ws"])
    query = [*parse_qsl(url.query), ("session", f"browser-use-{name}-{os.getpid()}"), ("keep_alive", "10s")]
    return url._replace(query=urlencode(query)).geturl()


async def comes_back(_client):
    """An agent's session ends with its run; a second agent finds the page that the first one has left."""
    filled = lambda shown: [{"input": {"index": index(shown, "input[^>]*name"), "text": "Ada"}}]  # noqa: E731
    await run(session(named("back")), goto("/form"), filled, done("Go"))
    browser = session(named("back"))
    history, _ = await run(browser, done("/form"))
    again = session(named("back"))
    await again.start()
    [value] = [await page.evaluate("() => who.value") for page in await again.get_pages() if (await page.get_url()).endswith("/form")]
    await again.stop()
    return [history.final_result(), value]


async def by_http(_client):
    """As its documentation says, with no other option."""
    browser = BrowserSession(cdp_url=PLACE["http"])
    history, _ = await run(browser, goto("/second"), done("Second"))
    return history.final_result()


def session(cdp_url, **options):
    return BrowserSession(cdp_url=cdp_url, permissions=["notifications"], downloads_path=DIR + "/downloads", **options)


async def connect():
    browser = session(PLACE["ws"], keep_alive=True)
    await browser.start()
    return {"browser": browser}


async def leave(client):
    await client["browser"].kill()


FORM = (
    goto("/form"),
    lambda shown: [{"input": {"index": index(shown, "input[^>]*name"), "text": "Ada"}},
                   {"select_dropdown": {"index": index(shown, "select"), "text": "green"}},
                   {"click": {"index": index(shown, "input[^>]*checkbox")}},
                   {"click": {"index": index(shown, "button")}}],
    done("hello .*"),
)

asyncio.run(perform(
    [("tabs at start", starts),
     ("an agent fills a form", agent(*FORM)),
     ("an agent sees pictures", pictures),
     ("an agent extracts a text", agent(goto("/"), lambda _shown: [{"extract": {"query": "the first paragraph"}}], done("Home"))),
     ("an agent runs a script", agent(goto("/"), lambda _shown: [{"evaluate": {"code": "(() => document.title)()"}}], done("Home"))),
     ("an agent presses keys", agent(goto("/form"), click("input[^>]*name"), lambda _shown: [{"send_keys": {"keys": "Tab"}}], done("Tab"))),
     ("tabs", tabs), ("popup", popup),
     ("dialog", agent(goto("/dialogs"), click("button[^>]*id=confirm"), done(r"\[confirm\] sure\?"))),
     ("frame of another origin", agent(goto("/frames"), click("button[^>]*id=inner"), done("clicked 1"))),
     ("cookies", cookies), ("uploads", uploads), ("downloads", downloads), ("pdf", pdf),
     ("pages without an agent", page_of_its_own), ("comes back to its page", comes_back), ("connects by http too", by_http)],
    connect, leave))
