// A suite is a program that drives one client. It reads its parameters from $SUITE (JSON) and
// writes one JSON line per act to stdout: first `{"acts":[name, …]}`, then `{"act":name,"value":…}`
// or `{"act":name,"error":"…"}` for each. A value with `"expected":…` belongs to an act that
// sometimes loses a race in a plain Chrome. This file implements that contract for suites in
// JavaScript; other languages need only a loop and a print.

import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** The time limit of an act; each of its waits has half of it. Generous, because a busy machine is not a failure. */
export const ACT_MS = 60_000;
export const WAIT_MS = process.env.SUITE ? JSON.parse(process.env.SUITE).actMs / 2 : ACT_MS / 2;

/** The parameters from the runner: `{ws, http, port, home, other, dir, actMs, only}`, and two paths of a file. */
export function place() {
  const place = JSON.parse(process.env.SUITE);
  place.file = (name, text) => {
    const path = join(mkdtempSync(join(place.dir, 'file-')), name);
    writeFileSync(path, text);
    return path;
  };
  place.folder = () => mkdtempSync(join(place.dir, 'folder-'));
  return place;
}

/** Resolves as `promise` does, or rejects after `ms` with `what`. */
export function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms / 1000} s: ${what}`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** The next `event` of an emitter for which `accept` holds. */
export function next(emitter, event, accept = () => true) {
  let listener;
  const seen = new Promise(resolve => {
    listener = value => accept(value) && resolve(value);
    emitter.on(event, listener);
  });
  return within(WAIT_MS, event, seen).finally(() => emitter.off(event, listener));
}

/** The error of a page that navigates while it is asked. */
const MOVING = /Inspected target navigated or closed|Cannot find context with specified id|Execution context was destroyed/;

/** Repeats `question` until its answer is truthy: for state that no event reports. */
export async function until(what, question) {
  const end = Date.now() + WAIT_MS;
  for (;;) {
    const answer = await Promise.resolve().then(question).catch(error => {
      if (!MOVING.test(error.message)) throw error;
    });
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`condition not met: ${what}`);
    await new Promise(resolve => setTimeout(resolve, 20));
  }
}

/** Width and height from the head of a PNG. */
export function pngSize(data) {
  const bytes = Buffer.from(data);
  if (bytes.toString('latin1', 1, 4) !== 'PNG') throw new Error('not a PNG');
  return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
}

/** The message of the error that `attempt` throws, for acts whose value is an error. */
export async function failure(attempt) {
  try {
    const value = await attempt();
    return { succeeded: value ?? null };
  } catch (error) {
    return { error: error.message.split('\n')[0] };
  }
}

/** `value` without parts that differ between runs: origins, ids, paths. */
export function normal(value, { home, other, dir }) {
  const text = JSON.stringify(value ?? null)
    .replaceAll(home, 'http://home').replaceAll(other, 'http://other')
    .replaceAll(home.slice(7), 'home').replaceAll(other.slice(7), 'other')
    .replace(new RegExp(`${dir}[^"\\\\]*/`, 'g'), '/dir/')
    .replace(/\b[0-9A-F]{32}\b/g, '<id>')
    .replace(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, '<uuid>')
    .replace(/ws:\/\/127\.0\.0\.1:\d+/g, 'ws://browser');
  return JSON.parse(text);
}

// The expected values of acts in which a plain Chrome may be wrong.
const expectation = act => ('racyOnPlainChrome' in act ? { expected: act.racyOnPlainChrome } : {});
const tell = line => process.stdout.write(`${JSON.stringify(line)}\n`);

/**
 * Runs `acts` one after another on one connection; after an act that failed, on a new one.
 * `connect(place)` gives what acts get beside the place, `leave` ends it.
 */
async function perform({ acts, connect, leave }) {
  process.on('unhandledRejection', error => console.error(`unhandled: ${error?.stack ?? error}`));
  const here = place();
  acts = acts.filter(act => act.name.includes(here.only));
  tell({ acts: acts.map(act => act.name) });
  let client = null;
  for (const act of acts) {
    try {
      client ??= await within(here.actMs, 'connect', connect(here));
      const value = await within(here.actMs, 'the act', act.run({ ...here, ...client }));
      tell({ act: act.name, value: normal(value, here), ...expectation(act) });
    } catch (error) {
      tell({ act: act.name, error: String(error?.stack ?? error), ...expectation(act) });
      if (client) await within(5_000, 'leave', leave(client)).catch(() => {});
      client = null;
    }
  }
  if (client) await within(5_000, 'leave', leave(client)).catch(() => {});
}

/** Runs `suite` if the file at `url` is the main program. */
export async function performIfMain(url, suite) {
  if (url !== pathToFileURL(process.argv[1]).href) return;
  await perform(suite);
  process.stdout.end?.();
  process.exitCode = 0;
  setImmediate(() => process.exit(0));
}
