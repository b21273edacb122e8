import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type HttpEvent, listenHttp } from '../../http/http-server.ts';
import { TemplateServer } from './template-server.ts';

async function served(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'varve-'));
  const file = join(directory, 'user-data');
  writeFileSync(file, '#cloud-config\nhostname: {{ machine.name }}\n');
  const templates = new TemplateServer();
  const onEvent = (event: HttpEvent) => templates.noteTransfer(event);
  const server = await listenHttp({ source: templates, host: '127.0.0.1', port: 0, onEvent });
  t.after(async () => {
    await server[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });
  const machine = { name: 'alice', mac: '52:54:00:12:34:56', address: '10.9.0.20', uuid: undefined };
  const values = { machine, server: { address: '10.9.0.1', url: 'http://10.9.0.1' }, variables: {}, secrets: {} };
  const { path } = templates.issue({ mac: machine.mac, template: { kind: 'cloud-init', file }, values });
  return { url: `http://127.0.0.1:${server.port}/${path}` };
}

async function get(url: string, options: RequestInit = {}) {
  const response = await fetch(url, options);
  return { status: response.status, text: await response.text() };
}

test('over HTTP each file of a template is had once, and a HEAD before it takes nothing away', async (t) => {
  const { url } = await served(t);
  assert.equal((await get(`${url}user-data`, { method: 'HEAD' })).status, 200);
  assert.deepEqual(await get(`${url}user-data`), { status: 200, text: '#cloud-config\nhostname: "alice"\n' });
  assert.equal((await get(`${url}user-data`)).status, 410);
  assert.equal((await get(`${url}user-data`)).status, 410);
  assert.equal((await get(`${url}user-data`, { method: 'HEAD' })).status, 410);
  assert.equal((await get(`${url}meta-data`)).status, 200);
  assert.equal((await get(`${url}vendor-data`)).status, 404);
  assert.equal((await get(`${url.replace(/[0-9a-f]{32}/, '0'.repeat(32))}user-data`)).status, 410);
});

test('over HTTP a file comes in ranges, and is used up with its last byte', async (t) => {
  const { url } = await served(t);
  const range = (text: string) => get(`${url}user-data`, { headers: { range: `bytes=${text}` } });
  assert.deepEqual(await range('0-12'), { status: 206, text: '#cloud-config' });
  assert.deepEqual(await range('13-'), { status: 206, text: '\nhostname: "alice"\n' });
  assert.equal((await range('0-12')).status, 410);
});

test('of many that ask over HTTP at once one has the file', async (t) => {
  const { url } = await served(t);
  const answers = await Promise.all(Array.from({ length: 20 }, () => get(`${url}user-data`)));
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
});
