"""pyppeteer, which uses the protocol without flat sessions: Target.sendMessageToTarget."""

import asyncio
import json

from pyppeteer import connect as connect_to
from pyppeteer.errors import NetworkError

from suite import PLACE, perform, png_size

HOME = PLACE["home"]


async def text(page, selector):
    return await page.querySelectorEval(selector, "element => element.textContent")


async def starts(browser):
    return [page.url for page in await browser.pages()]


async def version(browser):
    return await browser.version()


async def navigates(browser):
    page = await browser.newPage()
    response = await page.goto(HOME)
    value = [response.status, await page.title(), await page.evaluate("async () => (await fetch('/data.json')).json()")]
    await page.close()
    return value


async def types_and_clicks(browser):
    page = await browser.newPage()
    await page.goto(HOME + "/form")
    await page.type("#who", "Ada")
    await page.click("#go")
    value = await text(page, "#out")
    await page.close()
    return value


async def screenshot(browser):
    page = await browser.newPage()
    await page.setViewport({"width": 320, "height": 200})
    await page.goto(HOME)
    value = png_size(await page.screenshot())
    await page.close()
    return value


async def cookies(browser):
    context = await browser.createIncognitoBrowserContext()
    page = await context.newPage()
    await page.goto(HOME + "/set-cookie?served=two")
    await page.setCookie({"name": "given", "value": "one"})
    await page.goto(HOME + "/cookies")
    value = {
        "sent": json.loads(await page.evaluate("() => document.body.innerText")),
        "read": sorted(cookie["name"] for cookie in await page.cookies()),
    }
    await context.close()
    return value


async def dialog(browser):
    page = await browser.newPage()
    await page.goto(HOME + "/dialogs")
    page.on("dialog", lambda dialog: asyncio.ensure_future(dialog.accept("somebody")))
    await page.click("#prompt")
    value = await text(page, "#out")
    await page.close()
    return value


async def pdf(browser):
    page = await browser.newPage()
    await page.goto(HOME)
    value = (await page.pdf())[:4].decode()
    await page.close()
    return value


async def popup(browser):
    page = await browser.newPage()
    await page.goto(HOME + "/popups")
    opened = asyncio.get_event_loop().create_future()
    browser.once("targetcreated", opened.set_result)
    await page.click("#opener")
    child = await (await opened).page()
    await child.waitForFunction("window.seen")
    value = [child.url, await child.evaluate("() => window.opener !== null")]
    await child.close()
    await page.close()
    return value


async def console_and_network(browser):
    page = await browser.newPage()
    said, thrown, asked = [], [], []
    page.on("console", lambda message: said.append([message.type, message.text]))
    page.on("pageerror", lambda error: thrown.append(str(error).split("\n")[0]))
    page.on("response", lambda response: asked.append([response.url, response.status]))
    await page.goto(HOME + "/noise")
    await page.waitForFunction("document.title === 'Quiet'")
    await page.close()
    return [said, thrown, sorted(asked)]


async def frames(browser):
    page = await browser.newPage()
    await page.goto(HOME + "/frames")
    value = sorted(frame.url for frame in page.frames)
    same = next(frame for frame in page.frames if frame.url.endswith("/frame?same"))
    await (await same.querySelector("#inner")).click()
    value.append(await text(same, "#inner"))
    await page.close()
    return value


async def worker(browser):
    page = await browser.newPage()
    await page.goto(HOME + "/worker")
    await page.waitForFunction("document.querySelector('#said').textContent === 'dug'")
    value = len(page.workers)
    await page.close()
    return value


async def uploads(browser):
    page = await browser.newPage()
    await page.goto(HOME + "/upload")
    path = PLACE["dir"] + "/up.txt"
    with open(path, "w") as file:
        file.write("to be read")
    await (await page.querySelector("#file")).uploadFile(path)
    await page.waitForFunction("document.querySelector('#out').textContent")
    value = await text(page, "#out")
    await page.close()
    return value


async def unknown_method(browser):
    # Its interception uses commands that Chrome no longer has.
    page = await browser.newPage()
    try:
        await page.setRequestInterception(True)
        return "went through"
    except NetworkError as error:
        return str(error)
    finally:
        await page.close()


async def connect():
    return await connect_to(browserWSEndpoint=PLACE["ws"])


asyncio.new_event_loop().run_until_complete(perform(
    [("starts with one blank page", starts), ("version", version), ("navigates and evaluates", navigates), ("types and clicks", types_and_clicks),
     ("screenshot", screenshot), ("cookies", cookies), ("dialog", dialog), ("pdf", pdf), ("popup", popup), ("console and network", console_and_network),
     ("frames", frames), ("worker", worker), ("uploads", uploads), ("unknown method", unknown_method)],
    connect, lambda browser: browser.disconnect()))
