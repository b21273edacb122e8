import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { pattern } from '../../src/conformance/device-content.ts';
import { Workplace } from '../command/varve.ts';
import { endProcess } from '../process/end-process.ts';
import { skipWithout } from './require-tool.ts';

/** Serves a file of a workplace with nbdkit until the test is over, and gives its address. */
async function serve(t: TestContext, place: Workplace, file: string, ...options: string[]): Promise<string> {
  const socket = join(place.directory, `${file}.sock`);
  const command = ['-f', '-U', socket, 'file', join(place.directory, file), ...options];
  const child: ChildProcess = spawn('nbdkit', command, { stdio: 'ignore' });
  t.after(() => endProcess(child));
  while (!fs.existsSync(socket)) await sleep(10);
  return `nbd+unix:///?socket=${socket}`;
}

describe('disks at NBD addresses', { skip: skipWithout('nbdkit') }, () => {
  test('every command that reads disks reads them, as raw unless a format is named', async (t) => {
    const place = new Workplace(t);
    const content = new Uint8Array(2 ** 21);
    content.set(pattern(500_000, 1), 2 ** 20);
    fs.writeFileSync(join(place.directory, 'disk.raw'), content);
    await place.varve('convert', 'disk.raw', 'disk.qcow2');
    const raw = await serve(t, place, 'disk.raw', '-r');
    const qcow2 = await serve(t, place, 'disk.qcow2', '-r');
    await place.varve('import', raw, 'web');
    assert.equal(await place.varve('compare', raw, 'web'), 'identical');
    assert.match(await place.varve('diff', raw, 'web'), /are identical/);
    const length = fs.statSync(join(place.directory, 'disk.qcow2')).size;
    const asItIs = await place.json('info', qcow2);
    assert.deepEqual([asItIs.kind, asItIs.format, asItIs.virtualSize], ['address', 'raw', length], 'not looked into');
    const inside = await place.json('info', qcow2, '--format', 'qcow2');
    assert.deepEqual([inside.format, inside.virtualSize], ['qcow2', content.length]);
    assert.equal(await place.varve('compare', qcow2, 'disk.raw', '--format', 'qcow2,raw'), 'identical');
    assert.match(await place.varve('check', qcow2, '--format', 'qcow2'), /nothing is wrong/);
    const [run] = await place.json('map', raw);
    assert.deepEqual([run.start, run.data, run.depth], [0, true, 0]);
    assert.match(await place.fails(2, 'resize', raw, '3M'), /is a disk that others serve/);
    assert.match(await place.fails(7, 'export', 'web', raw, '--force'), /the server lets nobody write/);
  });

  test('export and convert write over them, by force only', async (t) => {
    const place = new Workplace(t);
    const content = Buffer.alloc(2 ** 20);
    content.set(pattern(300_000, 2), 1234);
    fs.writeFileSync(join(place.directory, 'disk.raw'), content);
    fs.writeFileSync(join(place.directory, 'there.raw'), Buffer.alloc(2 ** 21, 7));
    await place.varve('import', 'disk.raw', 'web');
    const there = await serve(t, place, 'there.raw');
    assert.match(
      await place.fails(4, 'export', 'web', there),
      /all that is on the disk there would be lost; give --force/,
    );
    await place.varve('export', 'web', there, '--force');
    const written = fs.readFileSync(join(place.directory, 'there.raw'));
    assert.ok(written.subarray(0, 2 ** 20).equals(content));
    assert.ok(written.subarray(2 ** 20).equals(Buffer.alloc(2 ** 20, 7)), 'what is behind the disk stays');
    await place.varve('convert', 'disk.raw', there, '--to', 'qcow2', '--force');
    assert.equal(await place.varve('compare', there, 'disk.raw', '--format', 'qcow2,raw'), 'identical');
    fs.writeFileSync(join(place.directory, 'small.raw'), Buffer.alloc(4096));
    const small = await serve(t, place, 'small.raw');
    assert.match(await place.fails(8, 'export', 'web', small, '--force'), /it has 4 KiB, and the disk 1 MiB/);
  });
});
