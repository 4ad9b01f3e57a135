"""Playwright for Python: the driver of the JavaScript version, with its own way to connect."""

import asyncio
import json

from playwright.async_api import async_playwright

from suite import PLACE, perform, png_size

HOME = PLACE["home"]


def on_page(path, run):
    async def act(client):
        context = await client["browser"].new_context(viewport={"width": 320, "height": 200})
        try:
            page = await context.new_page()
            await page.goto(HOME + path)
            return await run(page, context)
        finally:
            await context.close()
    return act


async def starts(client):
    return [[page.url for page in context.pages] for context in client["browser"].contexts]


async def version(client):
    return client["browser"].version


async def by_http(client):
    browser = await client["playwright"].chromium.connect_over_cdp(PLACE["http"])
    value = browser.version
    await browser.close()
    return value


async def navigates(page, _context):
    return [await page.title(), await page.evaluate("async () => (await fetch('/data.json')).json()")]


async def types_and_clicks(page, _context):
    await page.get_by_placeholder("name").fill("Ada")
    await page.get_by_role("button", name="Go").click()
    return await page.text_content("#out")


async def screenshot(page, _context):
    return png_size(await page.screenshot())


async def cookies(page, context):
    await context.add_cookies([{"name": "given", "value": "one", "url": HOME}])
    await page.goto(HOME + "/cookies")
    return [json.loads(await page.inner_text("body")), sorted(cookie["name"] for cookie in await context.cookies())]


async def popup(page, context):
    async with page.expect_popup() as opened:
        await page.click("#opener")
    child = await opened.value
    await child.wait_for_function("window.seen")
    return [child.url, len(context.pages)]


async def routes(page, _context):
    await page.route("**/made-up", lambda route: route.fulfill(json={"made": "up"}))
    return await page.evaluate("async () => (await fetch('/made-up')).json()")


async def downloads(page, _context):
    async with page.expect_download() as begun:
        await page.click("#get")
    download = await begun.value
    path = PLACE["dir"] + "/saved"
    await download.save_as(path)
    with open(path) as file:
        return [download.suggested_filename, file.read()]


async def pdf(page, _context):
    return (await page.pdf())[:4].decode()


async def console_and_network(page, _context):
    said, thrown, asked = [], [], []
    page.on("console", lambda message: said.append([message.type, message.text]))
    page.on("pageerror", lambda error: thrown.append(error.message))
    page.on("response", lambda response: asked.append([response.url, response.status]))
    await page.goto(HOME + "/noise")
    await page.wait_for_function("document.title === 'Quiet'")
    return [said, thrown, sorted(asked)]


async def worker(page, _context):
    async with page.expect_worker() as started:
        await page.goto(HOME + "/worker")
    return await (await started.value).evaluate("twice(answer)")


async def frames(page, _context):
    frame = page.frame(name="cross")
    await frame.click("#inner")
    return [frame.url, await frame.text_content("#inner")]


async def uploads(page, _context):
    await page.set_input_files("#file", {"name": "up.txt", "mimeType": "text/plain", "buffer": b"to be read"})
    await page.wait_for_function("out.textContent")
    return await page.text_content("#out")


async def connect():
    playwright = await async_playwright().start()
    return {"playwright": playwright, "browser": await playwright.chromium.connect_over_cdp(PLACE["ws"])}


async def leave(client):
    await client["browser"].close()
    await client["playwright"].stop()


asyncio.run(perform(
    [("starts with one context and one blank page", starts), ("version", version), ("navigates and evaluates", on_page("/", navigates)),
     ("types and clicks", on_page("/form", types_and_clicks)), ("screenshot", on_page("/", screenshot)), ("cookies", on_page("/set-cookie?served=two", cookies)),
     ("popup", on_page("/popups", popup)), ("routes", on_page("/", routes)), ("downloads", on_page("/download", downloads)), ("pdf", on_page("/", pdf)),
     ("console and network", on_page("/", console_and_network)), ("worker", on_page("/", worker)), ("frame of another origin", on_page("/frames", frames)),
     ("uploads", on_page("/upload", uploads)), ("connects by http too", by_http)],
    connect, leave))
