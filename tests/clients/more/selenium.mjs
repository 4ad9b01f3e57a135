// Selenium and chromedriver, which use only host and port (`debuggerAddress`) and the first page
// that they find. $CHROMEDRIVER is the driver if it is not on the PATH.

import { Builder, By, until as condition } from 'selenium-webdriver';
import { Options, ServiceBuilder } from 'selenium-webdriver/chrome.js';
import { WAIT_MS, performIfMain, pngSize } from '../suite.mjs';

const act = (name, run) => ({ name, run });

export const acts = [
  act('navigates and evaluates', async ({ driver, home }) => {
    await driver.get(home);
    return [await driver.getTitle(), await driver.executeScript('return location.pathname'),
      await driver.executeAsyncScript('const done = arguments[0]; fetch("/data.json").then(r => r.json()).then(done)')];
  }),
  act('types and clicks', async ({ driver, home }) => {
    await driver.get(`${home}/form`);
    await driver.findElement(By.id('who')).sendKeys('Ada');
    await driver.findElement(By.id('go')).click();
    return driver.findElement(By.id('out')).getText();
  }),
  act('screenshot', async ({ driver }) => pngSize(Buffer.from(await driver.takeScreenshot(), 'base64')).width > 0),
  act('cookies', async ({ driver, home }) => {
    await driver.get(`${home}/set-cookie?served=two`);
    await driver.manage().addCookie({ name: 'given', value: 'one' });
    await driver.get(`${home}/cookies`);
    const sent = JSON.parse(await driver.findElement(By.css('body')).getText());
    await driver.manage().deleteAllCookies();
    return { sent, left: (await driver.manage().getCookies()).length };
  }),
  act('frames', async ({ driver, home }) => {
    await driver.get(`${home}/frames`);
    await driver.switchTo().frame(driver.findElement(By.id('cross')));
    await driver.findElement(By.id('inner')).click();
    const text = await driver.findElement(By.id('inner')).getText();
    await driver.switchTo().defaultContent();
    return text;
  }),
  act('alert', async ({ driver, home }) => {
    await driver.get(`${home}/dialogs`);
    await driver.findElement(By.id('prompt')).click();
    const alert = await driver.wait(condition.alertIsPresent(), WAIT_MS);
    const text = await alert.getText();
    await alert.sendKeys('somebody');
    await alert.accept();
    return [text, await driver.findElement(By.id('out')).getText()];
  }),
  act('pdf', async ({ driver, home }) => {
    await driver.get(home);
    return Buffer.from(await driver.printPage(), 'base64').toString('latin1', 0, 4);
  }),
  act('uploads a file', async ({ driver, home, file }) => {
    await driver.get(`${home}/upload`);
    await driver.findElement(By.id('file')).sendKeys(file('up.txt', 'to be read'));
    const out = driver.findElement(By.id('out'));
    await driver.wait(condition.elementTextMatches(out, /./), WAIT_MS);
    return out.getText();
  }),
  act('popup', async ({ driver, home }) => {
    await driver.get(`${home}/popups`);
    const first = await driver.getWindowHandle();
    await driver.findElement(By.id('opener')).click();
    const other = await driver.wait(async () => (await driver.getAllWindowHandles()).find(handle => handle !== first), WAIT_MS);
    await driver.switchTo().window(other);
    await driver.wait(condition.titleIs('Popup'), WAIT_MS);
    const seen = await driver.executeScript('return [location.href, window.opener !== null]');
    await driver.close();
    await driver.switchTo().window(first);
    return seen;
  }),
  act('a worker', async ({ driver, home }) => {
    await driver.get(`${home}/worker`);
    const said = driver.findElement(By.id('said'));
    await driver.wait(condition.elementTextIs(said, 'dug'), WAIT_MS);
    return said.getText();
  }),
  act('commands of the protocol', async ({ driver, home }) => {
    await driver.sendDevToolsCommand('Network.setUserAgentOverride', { userAgent: 'somebody else' });
    await driver.get(`${home}/headers`);
    return JSON.parse(await driver.findElement(By.css('body')).getText()).agent;
  }),
  act('windows', async ({ driver, home }) => {
    const first = await driver.getWindowHandle();
    await driver.switchTo().newWindow('tab');
    await driver.get(`${home}/second`);
    const handles = (await driver.getAllWindowHandles()).length;
    const title = await driver.getTitle();
    await driver.close();
    await driver.switchTo().window(first);
    await driver.get('about:blank');
    return { handles, title };
  }),
];

await performIfMain(import.meta.url, {
  acts,
  connect: async ({ port }) => {
    const options = new Options();
    options.debuggerAddress(`127.0.0.1:${port}`);
    const driver = await new Builder().forBrowser('chrome').setChromeOptions(options)
      .setChromeService(new ServiceBuilder(process.env.CHROMEDRIVER ?? '/usr/bin/chromedriver')).build();
    return { driver };
  },
  leave: ({ driver }) => driver.quit(),
});
