import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { ServedFile } from '../../files/file-source.ts';
import { TemplateServer, type TemplateServerOptions } from './template-server.ts';

const directory = mkdtempSync(join(tmpdir(), 'varve-'));
after(() => rmSync(directory, { recursive: true }));
const file = join(directory, 'preseed.cfg');
writeFileSync(file, 'd-i netcfg/get_hostname string {{ machine.name }}\n');

function issueOne(server: TemplateServer, mac = '52:54:00:12:34:56') {
  const machine = { name: 'alice', mac, address: '10.9.0.20', uuid: undefined };
  const values = { machine, server: { address: '10.9.0.1', url: 'http://10.9.0.1' }, variables: {}, secrets: {} };
  return server.issue({ mac, template: { kind: 'preseed', file }, values });
}

function issued(options?: TemplateServerOptions) {
  const server = new TemplateServer(options);
  const { path, files } = issueOne(server);
  assert.deepEqual(files, ['preseed.cfg']);
  assert.match(path, /^template\/[0-9a-f]{32}\/$/);
  return { server, name: `${path}preseed.cfg` };
}

function opened(server: TemplateServer, name: string): ServedFile {
  const found = server.open(name);
  if (found === undefined || found === 'gone') throw new Error(`there is no ${name}: ${found}`);
  return found;
}

async function readAll(served: ServedFile): Promise<string> {
  const content = new Uint8Array(served.size);
  await served.read(content, 0);
  return new TextDecoder().decode(content);
}

const aborted = { method: 'GET', status: 200, failure: 'the client went away' };

test('a rendered file is served once, and gone after that', async () => {
  const { server, name } = issued();
  assert.equal(await readAll(opened(server, name)), 'd-i netcfg/get_hostname string alice\n');
  assert.equal(server.open(name), 'gone');
  assert.equal(server.open(`/${name}`), 'gone');
});

test('opening a file, as HEAD does, and reading its beginning, as a broken transfer does, leave it there', async () => {
  const { server, name } = issued();
  await opened(server, name)[Symbol.asyncDispose]();
  await opened(server, `/${name}`).read(new Uint8Array(5), 0);
  assert.equal((await readAll(opened(server, name))).length, 37);
});

test('of two that opened a file together one has it', async () => {
  const { server, name } = issued();
  const [first, second] = [opened(server, name), opened(server, name)];
  await readAll(first);
  await assert.rejects(readAll(second), /served already/);
  assert.equal((await readAll(first)).length, 37);
});

test('a transfer that was aborted after the last read is given back, a few times', async () => {
  const { server, name } = issued();
  for (let count = 0; count < 4; count += 1) {
    await readAll(opened(server, name));
    server.noteTransfer({ ...aborted, name });
  }
  assert.equal(server.open(name), 'gone');
});

test('a refused, a whole or another kind of request gives nothing back', async () => {
  const { server, name } = issued();
  await readAll(opened(server, name));
  server.noteTransfer({ ...aborted, name, status: 410, failure: 'the file is not served any more' });
  server.noteTransfer({ ...aborted, name, method: 'HEAD' });
  server.noteTransfer({ ...aborted, name, failure: undefined });
  assert.equal(server.open(name), 'gone');
});

test('a name expires, and what was never there is not gone', () => {
  let now = 0;
  const { server, name } = issued({ lifetimeMs: 1000, clock: () => now });
  now = 999;
  assert.notEqual(server.open(name), 'gone');
  now = 1000;
  assert.equal(server.open(name), 'gone');
  assert.equal(server.open('preseed.cfg'), undefined);
  assert.equal(server.open(`template/${'0'.repeat(32)}/../x`), undefined);
});

test('the next boot of a machine, and too many machines, take old names away', () => {
  const { server, name } = issued({ maximumTokens: 3 });
  const again = `${issueOne(server).path}preseed.cfg`;
  assert.equal(server.open(name), 'gone');
  for (let count = 0; count < 2; count += 1) issueOne(server, `52:54:00:12:34:0${count}`);
  assert.notEqual(server.open(again), 'gone');
  issueOne(server, '52:54:00:12:34:09');
  assert.equal(server.open(again), 'gone');
});

test('a template that is wrong is not issued, and file and line are told', () => {
  writeFileSync(join(directory, 'wrong.cfg'), '#\n{{ machine.nmae }}\n');
  const machine = { name: 'alice', mac: '52:54:00:12:34:56', address: undefined, uuid: undefined };
  const values = { machine, server: { address: '10.9.0.1', url: 'http://10.9.0.1' }, variables: {}, secrets: {} };
  const template = { kind: 'preseed', file: join(directory, 'wrong.cfg') } as const;
  assert.throws(() => new TemplateServer().issue({ mac: machine.mac, template, values }), {
    code: 'INVALID',
    message: `cannot render a template: ${template.file}:2: there is no machine.nmae for this machine; there is machine.name, machine.mac, machine.address, machine.uuid`,
  });
});
