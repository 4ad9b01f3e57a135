// Child processes and temporary directories. All belong to this run and are removed when it ends,
// in whatever way.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const children = new Set();
const folders = new Set();

/** A new directory that is removed at the end. */
export function folder(name) {
  const path = mkdtempSync(join(tmpdir(), `ghostmux-clients-${name}-`));
  folders.add(path);
  return path;
}

export function removeFolder(path) {
  rmSync(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  folders.delete(path);
}

/** A child in its own process group, whose output is read line by line. */
export class Child {
  #lines = [];
  #readers = new Set();

  constructor(command, args, options = {}) {
    this.name = command;
    this.process = spawn(command, args, { ...options, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    this.over = new Promise(resolve => {
      this.process.once('error', error => { this.#note('stderr', String(error)); resolve(null); });
      this.process.once('close', code => resolve(code));
    });
    for (const stream of ['stdout', 'stderr']) {
      createInterface({ input: this.process[stream] }).on('line', line => this.#note(stream, line));
    }
    if (this.process.pid) children.add(this);
    this.over.then(() => children.delete(this));
  }

  #note(stream, line) {
    this.#lines.push(line);
    if (this.#lines.length > 50) this.#lines.shift();
    this.#readers.forEach(reader => reader(line, stream));
  }

  /** Calls `reader(line, stream)` for each later line. */
  onLine(reader) {
    this.#readers.add(reader);
    return () => this.#readers.delete(reader);
  }

  /** The last lines of its output. */
  tail() {
    return this.#lines.slice(-15).join('\n');
  }

  /** The first match of `pattern` in its output. */
  says(pattern, ms) {
    return new Promise((resolve, reject) => {
      const fail = why => { clearTimeout(timer); stop(); reject(new Error(`${this.name} ${why} before it said ${pattern}\n${this.tail()}`)); };
      const timer = setTimeout(() => fail(`took more than ${ms / 1000} s`), ms);
      const stop = this.onLine(line => {
        const match = line.match(pattern);
        if (match) { clearTimeout(timer); stop(); resolve(match); }
      });
      this.over.then(code => fail(`ended (${code})`));
    });
  }

  signal(name, group = true) {
    try {
      process.kill(group ? -this.process.pid : this.process.pid, name);
    } catch { /* it is gone */ }
  }

  /** Sends SIGTERM, and kills its whole group if it does not end. Returns true if it ended by itself. */
  async end(ms = 5_000, group = true) {
    if (!this.process.pid) return true;
    this.signal('SIGTERM', group);
    let obeyed = true;
    const timer = setTimeout(() => { obeyed = false; this.signal('SIGKILL'); }, ms);
    await this.over;
    clearTimeout(timer);
    this.signal('SIGKILL');
    return obeyed;
  }
}

/** Kills what is left, for a run that is interrupted. */
export function endAll() {
  children.forEach(child => child.signal('SIGKILL'));
  for (const path of folders) {
    try { removeFolder(path); } catch { /* the next boot cleans it */ }
  }
}

/** The process and its descendants, as `[{pid, born, profile}]`. */
export function family(root) {
  const all = readdirSync('/proc').filter(name => /^\d+$/.test(name)).flatMap(name => describe(Number(name)));
  const found = all.filter(one => one.pid === root);
  for (const one of found) found.push(...all.filter(other => other.parent === one.pid));
  return found;
}

/**
 * Those of a family that still run (and are not others with the same number), and the profiles that still exist. User data below
 * `kept`, the server's `--profiles-dir`, stay when their browser ends.
 */
export function leftovers(members, kept) {
  const stays = path => kept && path.startsWith(`${kept}/`);
  const processes = members.filter(({ pid, born }) => describe(pid).some(one => one.born === born && one.state !== 'Z'));
  const profiles = [...new Set(members.map(one => one.profile).filter(Boolean))];
  const strays = readdirSync('/proc').filter(name => /^\d+$/.test(name)).flatMap(name => describe(Number(name)))
    .filter(one => one.profile && profiles.includes(one.profile) && one.state !== 'Z');
  return {
    processes: [...new Set([...processes, ...strays].map(one => one.pid))],
    profiles: profiles.filter(path => existsSync(path) && !stays(path)),
  };
}

function describe(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [state, parent, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const profile = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0')
      .find(arg => arg.startsWith('--user-data-dir='))?.slice('--user-data-dir='.length);
    return [{ pid, state, parent: Number(parent), born: rest[17], profile }];
  } catch {
    return [];
  }
}
