import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { pattern } from '../../src/conformance/device-content.ts';
import { directorySource } from '../../src/server/files/directory-source.ts';
import { listenTftp } from '../../src/server/tftp/tftp-server.ts';
import { requireTool } from './require-tool.ts';

const run = promisify(execFile);
const lengths = [0, 512, 100_000, 1_468_000, 3_000_001];

type Command = (port: number, remote: string, local: string) => string[];

const clients: [name: string, program: string, command: Command][] = [
  ['curl', 'curl', (port, remote, local) => ['-sf', '-o', local, `tftp://127.0.0.1:${port}/${remote}`]],
  [
    'curl with blocks of 1,468 bytes',
    'curl',
    (port, remote, local) => ['-sf', '--tftp-blksize', '1468', '-o', local, `tftp://127.0.0.1:${port}/${remote}`],
  ],
  [
    'atftp with windows',
    'atftp',
    (port, remote, local) =>
      ['--option', 'blksize 1428', '--option', 'windowsize 16', '-g', '-r', remote, '-l', local].concat([
        '127.0.0.1',
        String(port),
      ]),
  ],
  [
    'tftp-hpa',
    'tftp',
    (port, remote, local) => ['127.0.0.1', String(port), '-m', 'binary', '-c', 'get', remote, local],
  ],
  [
    'busybox',
    'busybox',
    (port, remote, local) => ['tftp', '-g', '-b', '1024', '-r', remote, '-l', local, '127.0.0.1', String(port)],
  ],
];

for (const [name, program, command] of clients) {
  test(`${name} gets files as they are`, async (t) => {
    const path = requireTool(t, program);
    if (path === undefined) return;
    const directory = mkdtempSync(join(tmpdir(), 'varve-'));
    t.after(() => rmSync(directory, { recursive: true }));
    await using server = await listenTftp({ source: directorySource(directory), host: '127.0.0.1', port: 0 });
    for (const length of lengths) {
      const content = pattern(length, 1);
      writeFileSync(join(directory, 'remote'), content);
      const local = join(directory, 'local');
      rmSync(local, { force: true });
      await run(path, command(server.port, 'remote', local), { timeout: 15_000 });
      assert.ok(readFileSync(local).equals(content), `${length} bytes`);
    }
  });
}
