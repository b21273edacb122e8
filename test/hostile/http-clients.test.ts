/* Clients of HTTP that mean harm, or have died: a server of its own process, what it takes, and a good client beside them. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { pattern } from '../../src/conformance/device-content.ts';

const kernel = pattern(14_000_000, 1);
const clients = 120;
const mebibyte = 2 ** 20;

const program = `
  import { directorySource } from '${import.meta.resolve('../../src/server/files/directory-source.ts')}';
  import { hotFiles } from '${import.meta.resolve('../../src/server/files/hot-files.ts')}';
  import { firstOf, under } from '${import.meta.resolve('../../src/server/files/combined-sources.ts')}';
  import { listenHttp } from '${import.meta.resolve('../../src/server/http/http-server.ts')}';
  const files = directorySource(process.argv[1]);
  const source = firstOf([under('hot', hotFiles(files, { largest: 2 ** 25 })), files]);
  const { port } = await listenHttp({ source, host: '127.0.0.1', port: 0 });
  console.log(port);
`;

const request = (name: string): string => `GET /${name} HTTP/1.1\r\nHost: x\r\n\r\n`;

const behaviours: Readonly<Record<string, (socket: net.Socket) => void>> = {
  'take nothing of a file in memory': (socket) => socket.pause().write(request('hot/kernel')),
  'take nothing of a file on the disk': (socket) => socket.pause().write(request('kernel')),
  'never end their request': (socket) => socket.write('GET /kernel HTTP/1.1\r\nHost: x\r\nA: '),
  'send noise': (socket) => socket.write(crypto.getRandomValues(new Uint8Array(60_000))),
  'ask on and on without listening': (socket) => socket.pause().write(request('kernel').repeat(30)),
  'break off': (socket) => {
    socket.write(request('kernel'));
    setTimeout(() => socket.resetAndDestroy(), 20);
  },
  'send without an end': (socket) => {
    socket.resume().write('POST /kernel HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n');
    const more = (): boolean => socket.write(new Uint8Array(65_536));
    socket.on('drain', more);
    more();
  },
};

test('clients that do as they should not take little, and harm nobody', {
  skip: process.platform !== 'linux' && 'Linux shows what a process takes',
}, async (t) => {
  const directory = fs.mkdtempSync(join(tmpdir(), 'varve-'));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  fs.writeFileSync(join(directory, 'kernel'), kernel);
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  const port = Number(String((await once(child.stdout, 'data'))[0]));
  const get = async (name: string): Promise<void> => {
    const answer = await fetch(`http://127.0.0.1:${port}/${name}`);
    assert.ok(Buffer.from(await answer.arrayBuffer()).equals(kernel));
  };
  await get('hot/kernel');
  await get('kernel');
  const [memoryBefore, filesBefore] = [memoryOf(child.pid!), filesOf(child.pid!)];
  for (const [what, behave] of Object.entries(behaviours)) {
    const sockets = Array.from({ length: clients }, (_, index) => {
      const socket = net.connect({ port, host: '127.0.0.1', localAddress: `127.0.1.${index + 1}` });
      socket.on('error', () => {}).on('connect', () => behave(socket));
      return socket;
    });
    await sleep(200);
    await get('hot/kernel');
    await get('kernel');
    const grown = (memoryOf(child.pid!) - memoryBefore) / mebibyte;
    assert.ok(grown < 256, `${clients} clients that ${what}: ${grown.toFixed(0)} MiB more`);
    for (const socket of sockets) socket.destroy();
  }
  // One connection of the good client may be open still.
  while (filesOf(child.pid!) > filesBefore + 1) await sleep(20);
  await get('kernel');
});

function memoryOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

function filesOf(pid: number): number {
  return fs.readdirSync(`/proc/${pid}/fd`).length;
}
