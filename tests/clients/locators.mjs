#!/usr/bin/env node
// Compares locators and snapshots of REST with those of Playwright, on one page: the same elements in the same
// order, and the same strictness. node locators.mjs GHOSTMUX [BROWSER]

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { findBrowser, finish, openGhostmux } from './endpoint.mjs';

const [program, path = findBrowser()] = process.argv.slice(2);
const ghostmux = await openGhostmux(program, path, []);
const address = `${ghostmux.host}:${ghostmux.port}`;
const browser = await chromium.connectOverCDP(`http://${address}`);
const page = await browser.contexts()[0].newPage();
await page.setContent(readFileSync(fileURLToPath(new URL('../../fixtures/locators.html', import.meta.url)), 'utf8'));
await page.frameLocator('#frame').frameLocator('#deep').locator('#deepest').waitFor();
const cdp = await page.context().newCDPSession(page);
const { targetInfo: { targetId } } = await cdp.send('Target.getTargetInfo');
const { sessions: [{ id }] } = await (await fetch(`http://${address}/v1/sessions`)).json();
const ask = async (action, body) => {
  const answer = await fetch(`http://${address}/v1/sessions/${id}/pages/${targetId}/${action}`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
  });
  return { status: answer.status, body: await answer.json() };
};

// A locator of REST, and the same of Playwright.
const css = (css, more = {}) => [{ css, ...more }, page.locator(css)];
const role = (role, options = {}) => [{ role, ...options }, page.getByRole(role, options)];
const text = (text, exact = false) => [{ text, exact }, page.getByText(text, { exact })];
const label = (label, exact = false) => [{ label, exact }, page.getByLabel(label, { exact })];
const placeholder = (placeholder, exact = false) => [{ placeholder, exact }, page.getByPlaceholder(placeholder, { exact })];
const selector = selector => [selector, page.locator(selector)];
const items = { css: 'li' };
const TABLE = [
  css('button'), css('#submit'), css('.odd'), css('li.odd:visible'), css('button:has-text("submit")'), css('#nothing'), css('span.deep'),
  css('#shadow'), css('p:text-is("hello")'), css('input:right-of(#name)'), css('li:nth-child(2)'), css('form > button, ul > li'), css(':light(#shadow)'),
  css('[data-testid^="item"]'), css('section, nav a'),
  role('button'), role('button', { name: 'submit' }), role('button', { name: 'Submit', exact: true }), role('link'), role('link', { name: 'contact' }),
  role('heading'), role('heading', { name: 'level' }), role('textbox'), role('textbox', { name: 'email' }), role('checkbox'), role('radio', { name: 'Red' }),
  role('listitem'), role('navigation'), role('img', { name: 'logo' }), role('cell', { name: 'Tea' }), role('row'), role('combobox'), role('listbox'),
  role('option', { name: 'Banana' }), role('spinbutton'), role('table', { name: 'Prices' }), role('banner'), role('button', { name: 'a"b\\c' }),
  text('hello'), text('hello', true), text('Milk'), text('bread and BUTTER'), text('Deep shadow'), text('In the closed shadow'), text('He said "hello" to the'),
  text("world's \\ edge"), text('Submit order'), text('Value button'), text('nothing like this'), text('Div button'),
  label('full name'), label('Email'), label('Age'), label('Secret code', true), label('secret', true), label('Shade'), label('I agree'), label('Fruit'),
  placeholder('ada'), placeholder('Ada Lovelace', true), placeholder('ada lovelace', true), placeholder('story'),
  [{ alt: 'logo' }, page.getByAltText('logo')], [{ alt: 'The logo', exact: true }, page.getByAltText('The logo', { exact: true })],
  [{ title: 'contact' }, page.getByTitle('contact')], [{ title: 'Logo 2', exact: true }, page.getByTitle('Logo 2', { exact: true })],
  [{ testId: 'item' }, page.getByTestId('item')], [{ testId: 'email' }, page.getByTestId('email')], [{ testId: 'Email' }, page.getByTestId('Email')],
  [{ xpath: '//li' }, page.locator('xpath=//li')], [{ xpath: '//li[2]//button' }, page.locator('xpath=//li[2]//button')],
  [{ ...items, hasText: 'milk' }, page.locator('li', { hasText: 'milk' })], [{ ...items, hasNotText: 'milk' }, page.locator('li', { hasNotText: 'milk' })],
  [{ ...items, has: { role: 'link' } }, page.locator('li', { has: page.getByRole('link') })],
  [{ ...items, hasNot: { css: 'button' } }, page.locator('li', { hasNot: page.locator('button') })],
  [{ ...items, visible: true }, page.locator('li').filter({ visible: true })], [{ ...items, nth: 0 }, page.locator('li').first()],
  [{ ...items, nth: -1 }, page.locator('li').last()], [{ ...items, nth: 9 }, page.locator('li').nth(9)],
  [{ role: 'button', within: items }, page.locator('li').getByRole('button')],
  [{ role: 'button', within: { testId: 'item', hasText: 'Bread' } }, page.getByTestId('item').filter({ hasText: 'Bread' }).getByRole('button')],
  [{ text: 'Inner button', frame: { css: '#frame' } }, page.frameLocator('#frame').getByText('Inner button')],
  [{ css: '#deepest', frame: { css: '#deep', frame: { css: 'iframe[name=inner]' } } }, page.frameLocator('iframe[name=inner]').frameLocator('#deep').locator('#deepest')],
  [{ css: 'button', within: { css: 'body', frame: { css: '#frame' } } }, page.frameLocator('#frame').locator('body').locator('button')],
  selector('text=milk'), selector('"Milk"'), selector('li >> text=Buy'), selector('#list >> li >> nth=1'), selector('role=button[name="Submit"]'), selector('button:visible'),
  selector('//li'), selector('..'), selector('li:has(a)'), selector('id=name'), selector('data-testid=item'), selector('*css=li >> text=More'), selector('css=ul >> css=button'),
  selector('text=/^mil/i'), selector('#frame >> internal:control=enter-frame >> button'), selector('internal:role=button[disabled]'),
  // Roles: of elements, given ones, and none.
  role('form'), role('list'), role('rowgroup'), role('columnheader'), role('columnheader', { name: 'price' }), role('caption'), role('paragraph'),
  role('heading', { name: 'hard on purpose' }), role('heading', { name: 'Second level', exact: true }), role('link', { name: 'Contact', exact: true }),
  role('link', { name: 'prod' }), role('button', { name: 'Buy' }), role('button', { name: 'In the' }), role('button', { name: 'Value button', exact: true }),
  role('button', { name: 'Disabled' }), role('button', { name: '' }), role('textbox', { name: 'Secret' }), role('textbox', { name: 'Read only', exact: true }),
  role('textbox', { name: 'rich' }), role('textbox', { name: 'Shade' }), role('textbox', { name: 'story' }), role('radio'), role('radio', { name: 'e' }),
  role('checkbox', { name: 'I agree', exact: true }), role('combobox', { name: 'fruit' }), role('listbox', { name: 'MANY' }), role('option'), role('option', { name: 'three' }),
  role('spinbutton', { name: 'Age' }), role('row', { name: 'Coffee' }), role('cell'), role('img'), role('navigation', { name: 'main' }), role('iframe'), role('group'), role('none'),
  // Texts: parts, wholes, in any case, through shadow roots; of buttons that are inputs; with white space and signs.
  text('HELLO'), text('hello there'), text('Hello', true), text('HELLO there', true), text('Buy', true), text('buy'), text('Bread and butter', true), text('Level'),
  text('Second level'), text('Locators that'), text('Prices'), text('Coffee'), text('3', true), text('Age'), text('I agree'), text('shadow'), text('In the shadow', true),
  text('Deep shadow', true), text('Far'), text('old'), text('rich'), text('hello" to the world'), text('\\'), text('chocolate'), text('Hidden cheese'), text('Not in the tree'),
  text('Apple'), text('Disabled', true), text('button'), text('Value button', true), text('Submit', true),
  // Labels, placeholders, titles, alternative texts, test ids.
  label('Full name', true), label('full NAME', true), label('name'), label('Colour'), label('Red'), label('Blue', true), label('Many'), label('Read'), label('Rich'), label('Main'),
  label('age', true), label('Prices'), placeholder('example'), placeholder('Your story', true), placeholder('inner field'), placeholder(''),
  [{ alt: 'logo', exact: true }, page.getByAltText('logo', { exact: true })], [{ alt: 'Another' }, page.getByAltText('Another')],
  [{ title: 'Contact us', exact: true }, page.getByTitle('Contact us', { exact: true })], [{ title: 'LOGO' }, page.getByTitle('LOGO')],
  [{ testId: 'other-item' }, page.getByTestId('other-item')], [{ testId: '' }, page.getByTestId('')],
  // CSS, with the pseudo-classes of Playwright, and through shadow roots.
  css('#open-host button'), css('#open-host >> span'), css('label input'), css('input:not([type])'), css('li:not(.odd)'), css('li.odd:not(:visible)'), css('button:text("buy")'),
  css('button:text-is("Buy")'), css('li:has(button:text("Buy"))'), css('li:has-text("milk"):not(.odd)'), css('input:left-of(#email)'), css('button:below(h1)'), css('button:near(#submit)'),
  css('li:nth-match(li, 2)'), css(':nth-match(li, 2)'), css('option:checked'), css('input:checked'), css(':is(h1, h2)'), css('select option:last-child'), css('table td:nth-child(2)'),
  css('p:text-matches("^hel", "i")'), css('[aria-label]'), css('[aria-label="red" i]'), css('*:focus'), css('body > p'), css('p + p'), css('p ~ img'), css('#nested .deep'),
  // Filters in filters, ends of lists, places in places.
  [{ ...items, hasText: 'Buy', hasNotText: 'bread' }, page.locator('li', { hasText: 'Buy', hasNotText: 'bread' })],
  [{ ...items, has: { css: 'button' }, hasNot: { css: 'a' } }, page.locator('li', { has: page.locator('button'), hasNot: page.locator('a') })],
  [{ ...items, has: { role: 'button', name: 'Buy' }, visible: true }, page.locator('li', { has: page.getByRole('button', { name: 'Buy' }) }).filter({ visible: true })],
  [{ ...items, visible: false }, page.locator('li').filter({ visible: false })], [{ ...items, nth: 3 }, page.locator('li').nth(3)],
  [{ role: 'link', within: { role: 'navigation' } }, page.getByRole('navigation').getByRole('link')], [{ role: 'link', nth: 1, within: { css: 'nav' } }, page.locator('nav').getByRole('link').nth(1)],
  [{ css: 'button', within: { ...items, nth: 1 } }, page.locator('li').nth(1).locator('button')], [{ text: 'Milk', within: { css: '#list' } }, page.locator('#list').getByText('Milk')],
  [{ label: 'Shade', within: { css: '#open-host' } }, page.locator('#open-host').getByLabel('Shade')], [{ xpath: './/button', within: { css: '#list' } }, page.locator('#list').locator('xpath=.//button')],
  [{ css: 'td', within: { role: 'row', name: 'Tea' } }, page.getByRole('row', { name: 'Tea' }).locator('td')],
  // Frames.
  [{ role: 'button', frame: { css: '#frame' } }, page.frameLocator('#frame').getByRole('button')], [{ placeholder: 'inner', frame: { css: '#frame' } }, page.frameLocator('#frame').getByPlaceholder('inner')],
  [{ css: 'button', frame: { css: '#deep', frame: { css: '#frame' } } }, page.frameLocator('#frame').frameLocator('#deep').locator('button')],
  [{ text: 'nothing', frame: { css: '#frame' } }, page.frameLocator('#frame').getByText('nothing')],
  // Selectors of Playwright, as text.
  selector('xpath=//td[text()="Tea"]'), selector('//button[contains(., "Buy")]'), selector('text="Buy"'), selector('text=/hello/i'), selector("text='Milk'"), selector('css=li >> nth=-1'),
  selector('li >> visible=true'), selector('role=heading[level=2]'), selector('role=checkbox[checked=false]'), selector('role=radio[checked]'), selector('role=button[name=/^sub/i]'),
  selector('role=option[selected]'), selector('role=button[include-hidden]'), selector('internal:text="hello"i'), selector('internal:label="email"i'), selector('internal:attr=[title="logo 2"i]'),
  selector('internal:has-text="milk"i'), selector('li >> internal:has-text="milk"i'), selector('li >> internal:has="a"'), selector('li >> internal:has-not="button"'), selector('button >> internal:and="#submit"'),
  selector('h1 >> internal:or="h2"'), selector('ul >> li >> button'), selector('li:light(.odd)'), selector('_react=x'), selector('unknown=x'), selector('css=['), selector('text='),
];

let failed = 0;
const describe = element => `${element.tag}|${element.attributes.id ?? ''}|${element.attributes.class ?? ''}|${element.text.replace(/\s+/g, ' ')}`;
for (const [ours, theirs] of TABLE) {
  const name = JSON.stringify(ours);
  const named = typeof ours === 'string' ? { selector: ours } : { locator: ours };
  const wanted = await theirs.evaluateAll(all => all.map(element => ({
    tag: element.nodeName.toLowerCase(), text: (element.innerText ?? '').trim().slice(0, 200),
    attributes: Object.fromEntries([...element.attributes].map(({ name, value }) => [name, value])),
  }))).then(all => all.map(describe), error => error.message);
  const found = await ask('query', { ...named, limit: 1000 });
  const got = found.status === 200 ? found.body.elements.map(describe) : found.body.detail;
  const same = Array.isArray(wanted) ? JSON.stringify(wanted) === JSON.stringify(got) : found.status >= 400;
  // One element is needed, and is there or not.
  const strict = await ask('attributes', { ...named, timeout: wanted.length ? 10_000 : 50 });
  const expected = !Array.isArray(wanted) ? [400, 422, 504] : wanted.length > 1 ? [422] : wanted.length ? [200] : [504];
  if (same && expected.includes(strict.status)) continue;
  failed += 1;
  console.log(`FAILED ${name}\n  Playwright: ${JSON.stringify(wanted)}\n  ghostmux:   ${JSON.stringify(got)}\n  strict: ${strict.status} ${JSON.stringify(strict.body)}`);
}
console.log(`${TABLE.length - failed} of ${TABLE.length} locators are those of Playwright`);
// Snapshots with their frames. The numbers of frames are in the order in which each of the two found them.
const plain = snapshot => snapshot.replaceAll(/ref=(f)?\d*e\d+/g, 'ref=$1e');
// Playwright shows all levels of a frame of which none is left: `depth` is compared where there is no such frame.
for (const [options, selector] of [[{}], [{ boxes: true }], [{ depth: 5 }], [{ depth: 1 }, 'nav'], [{ depth: 2 }, 'table']]) {
  const wanted = plain(await (selector ? page.locator(selector).first() : page).ariaSnapshot({ mode: 'ai', ...options }));
  const found = await ask('snapshot', { ...options, ...(selector && { selector: `${selector} >> nth=0` }) });
  const got = plain(found.body.snapshot ?? JSON.stringify(found.body));
  if (wanted === got) continue;
  failed += 1;
  console.log(`FAILED snapshot ${JSON.stringify(options)}\n  Playwright:\n${wanted}\n  ghostmux:\n${got}`);
}
await browser.close();
await finish(ghostmux, failed > 0);
