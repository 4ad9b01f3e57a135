"""pyppeteer, which speaks the protocol that is not flat: Target.sendMessageToTarget."""

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


async def unknown_method(browser):
    # Its interception is of a Chrome long gone.
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
     ("screenshot", screenshot), ("cookies", cookies), ("dialog", dialog), ("unknown method", unknown_method)],
    connect, lambda browser: browser.disconnect()))
