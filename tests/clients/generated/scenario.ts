// A client in TypeScript, with the types that openapi-typescript has made: node scenario.js GHOSTMUX SITE
//
// run.mjs compiles it beside these types, runs it, and compares what it prints.

import createClient from 'openapi-fetch';
import type { components, paths } from './ghostmux.js';

type Schemas = components['schemas'];
type Answer<T> = { data?: T; error?: Schemas['Problem']; response: Response };

const [server, site] = process.argv.slice(2) as [string, string];
const client = createClient<paths>({ baseUrl: server });

/** What was answered. It is a job only if the request prefers that. */
function answered<T>({ data, error, response }: Answer<T>): Exclude<T, Schemas['Job']> {
  if (data === undefined) throw new Error(error?.detail ?? `status ${response.status}`);
  return data as Exclude<T, Schemas['Job']>;
}

/** The problem that was answered in place of what was wanted. */
function refused({ error, response }: Answer<unknown>): Schemas['Problem'] {
  if (!error) throw new Error(`not refused, but ${response.status}`);
  return error;
}

const create = () => client.POST('/v1/sessions', {
  params: { header: { 'Idempotency-Key': 'typescript-1' } },
  body: { name: 'typescript', keepAlive: 300_000, metadata: { language: 'typescript' } },
});
const created = answered(await create());
const again = answered(await create());
const { sessions } = answered(await client.GET('/v1/sessions', {
  params: { query: { state: 'parked', metadata: { language: 'typescript' } } },
}));
const others = answered(await client.GET('/v1/sessions', { params: { query: { metadata: { language: 'cobol' } } } }));

const path = { id: created.id, page: 'first' };
await client.POST('/v1/sessions/{id}/pages', { params: { path: { id: created.id } }, body: {} });
answered(await client.POST('/v1/sessions/{id}/pages/{page}/viewport', { params: { path }, body: { width: 640, height: 480 } }));
const went = answered(await client.POST('/v1/sessions/{id}/pages/{page}/goto', { params: { path }, body: { url: site, waitUntil: 'load' } }));
answered(await client.POST('/v1/sessions/{id}/pages/{page}/fill', {
  params: { path }, body: { locator: { label: 'Name' }, value: 'Ada' },
}));
answered(await client.POST('/v1/sessions/{id}/pages/{page}/click', {
  params: { path }, body: { locator: { role: 'button', name: 'Greet', exact: true } },
}));
const { text } = answered(await client.POST('/v1/sessions/{id}/pages/{page}/text', { params: { path }, body: { selector: '#out' } }));
const { value } = answered(await client.POST('/v1/sessions/{id}/pages/{page}/evaluate', {
  params: { path }, body: { function: '(a, b) => a + b', args: [40, 2] },
}));
const { data, format } = answered(await client.POST('/v1/sessions/{id}/pages/{page}/screenshot', { params: { path }, body: {} }));
const picture = Buffer.from(data, 'base64');

// Contents that are not JSON have the type `string`: that is how the document describes bytes.
const file = answered(await client.PUT('/v1/sessions/{id}/files/{name}', {
  params: { path: { id: created.id, name: 'note.txt' } },
  body: 'a note', bodySerializer: body => body, headers: { 'Content-Type': 'application/octet-stream' },
}));
answered(await client.POST('/v1/sessions/{id}/pages/{page}/upload', {
  params: { path }, body: { selector: '#file', files: [{ name: file.name }] },
}));
answered(await client.POST('/v1/sessions/{id}/pages/{page}/wait', { params: { path }, body: { locator: { text: 'a note' } } }));
const uploaded = answered(await client.POST('/v1/sessions/{id}/pages/{page}/text', { params: { path }, body: { selector: '#content' } }));
const saved = answered(await client.POST('/v1/sessions/{id}/pages/{page}/click', {
  params: { path }, body: { selector: '#save', expect: { download: {} } },
}));
const content = answered(await client.GET('/v1/sessions/{id}/downloads/{download}', {
  params: { path: { id: created.id, download: saved.expected?.download?.id ?? '' }, query: { wait: 30_000 } }, parseAs: 'text',
}));

const started = await client.POST('/v1/sessions/{id}/pages/{page}/evaluate', {
  params: { path, header: { Prefer: 'respond-async' } }, body: { expression: 'document.title' },
});
if (!started.data || !('operation' in started.data)) throw new Error('no job');
const { data: job } = await client.GET('/v1/jobs/{id}', { params: { path: { id: started.data.id }, query: { wait: 30_000 } } });

const pdf = answered(await client.POST('/pdf', { body: { html: '<h1>Invoice</h1>', options: { format: 'A4' } }, parseAs: 'arrayBuffer' }));

const wrong = refused(await client.POST('/v1/sessions/{id}/pages/{page}/text', { params: { path }, body: { selector: 'button' } }));
const unknown = await client.GET('/v1/sessions/{id}', { params: { path: { id: 'unknown' } } });
const ended = await client.DELETE('/v1/sessions/{id}', { params: { path: { id: created.id } } });
const after = await client.GET('/v1/sessions/{id}', { params: { path: { id: created.id } } });

console.log(JSON.stringify({
  created: { name: created.name, state: created.state, keepAlive: created.keepAlive, metadata: created.metadata, clients: created.clients },
  repeated: again.id === created.id,
  listed: { ours: sessions.map(session => session.id === created.id), others: others.sessions.length },
  went: { url: went.url, navigated: went.navigated, status: went.status },
  text,
  value,
  picture: { format, width: picture.readUInt32BE(16), height: picture.readUInt32BE(20) },
  file: { name: file.name, size: file.size },
  uploaded: uploaded.text,
  download: { name: saved.expected?.download?.name, content },
  job: { operation: job?.operation, state: job?.state, value: (job?.result as Schemas['ScriptResult']).value },
  pdf: Buffer.from(pdf).toString('latin1', 0, 5),
  several: { status: wrong.status, type: wrong.type, count: (wrong as Record<string, unknown>)['count'] },
  unknown: { status: unknown.response.status, type: unknown.error?.type, title: unknown.error?.title },
  ended: ended.response.status,
  after: refused(after).type,
}));

// Compiled, never run: what the document does not allow is no valid program.
export async function mistakes(): Promise<void> {
  // @ts-expect-error no such state
  await client.GET('/v1/sessions', { params: { query: { state: 'asleep' } } });
  // @ts-expect-error no such path
  await client.GET('/v1/session');
  // @ts-expect-error milliseconds are a number
  await client.POST('/v1/sessions', { body: { keepAlive: '5m' } });
  // @ts-expect-error no such member
  ({ url: site, waitFor: 'load' }) satisfies Schemas['PageGoto'];
  // @ts-expect-error a URL is needed
  await client.POST('/v1/sessions/{id}/pages/{page}/goto', { params: { path }, body: {} });
}
