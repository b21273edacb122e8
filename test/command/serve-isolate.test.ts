import assert from 'node:assert/strict';
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { projectDirectory } from '../../scripts/project.ts';
import { pattern } from '../../src/conformance/device-content.ts';
import { commands, nbdErrors } from '../../src/protocol/nbd/constants.ts';
import { confinement } from '../../src/server/nbd/isolate/confinement.ts';
import { PlainNbdClient } from '../hostile/nbd-client.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { endProcess } from '../process/end-process.ts';
import { Workplace } from './varve.ts';

const run = promisify(execFile);

interface Served {
  readonly child: ChildProcess;
  readonly socket: string;
  readonly place: Workplace;
}

async function serving(t: TestContext, place: Workplace, ...disks: string[]): Promise<Served> {
  const args = ['serve', '--isolate', '--socket', 'nbd.sock', ...disks];
  const child = spawn(join(projectDirectory, 'varve'), args, {
    cwd: place.directory,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout!, 'data');
  return { child, socket: join(place.directory, 'nbd.sock'), place };
}

/** The processes that run drivers, in the order of their disks. */
function driversOf(parent: number): number[] {
  return childrenOf(parent).flatMap((child) => {
    const below = driversOf(child);
    return below.length === 0 ? [child] : below;
  });
}

function childrenOf(parent: number): number[] {
  try {
    const text = fs.readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').trim();
    return text === '' ? [] : text.split(' ').map(Number);
  } catch {
    return [];
  }
}

function statusOf(pid: number): Map<string, string> {
  const lines = fs.readFileSync(`/proc/${pid}/status`, 'utf8').trim().split('\n');
  return new Map(lines.map((line) => line.split(':\t') as [string, string]));
}

/** Kills the driver of the disk in that place, and waits until the next one is there. */
async function replaced({ child }: Served, index = 0): Promise<void> {
  const before = childrenOf(child.pid!);
  process.kill(driversOf(child.pid!)[index]!, 'SIGKILL');
  // What the driver was started through outlives it for a moment.
  const isThere = (): boolean => {
    const now = childrenOf(child.pid!);
    return now.length === before.length && !now.includes(before[index]!);
  };
  while (!isThere()) await sleep(5);
}

async function errorOf(client: PlainNbdClient, command: number, offset = 0, length = 0): Promise<number | undefined> {
  client.send({ command, offset, length });
  return (await client.answer())?.error;
}

function addDisk(place: Workplace, name: string): void {
  fs.writeFileSync(join(place.directory, name), pattern(2 ** 20, 1));
}

test('a driver that is killed fails what is under way, is started again, and others notice nothing', async (t) => {
  const place = new Workplace(t);
  addDisk(place, 'a.raw');
  addDisk(place, 'b.raw');
  const { child, socket } = await serving(t, place, './a.raw', './b.raw');
  const [driver = 0] = driversOf(child.pid!);
  const client = await new PlainNbdClient(socket).go({ name: 'a.raw', style: 'structured' });
  const other = await new PlainNbdClient(socket).go({ name: 'b.raw', style: 'structured' });
  process.kill(driver, 'SIGSTOP');
  const cookies = [1, 2, 3].map((index) => client.send({ command: commands.READ, offset: index * 4096, length: 4096 }));
  assert.equal(await errorOf(other, commands.READ, 0, 4096), 0);
  process.kill(driver, 'SIGKILL');
  for (const cookie of cookies) assert.deepEqual(await client.answer(), { cookie, error: nbdErrors.EIO, chunks: [] });
  client.send({ command: commands.READ, offset: 100, length: 500 });
  const answer = await client.answer();
  assert.deepEqual(answer?.chunks[0]?.payload.subarray(8), Buffer.from(pattern(2 ** 20, 1).subarray(100, 600)));
  assert.notEqual(driversOf(child.pid!)[0], driver);
  assert.equal(await errorOf(other, commands.READ, 0, 4096), 0);
  assert.equal(await errorOf(client, commands.FLUSH), 0);
  assert.deepEqual(await endProcess(child, 'SIGTERM'), [0, null]);
});

test('the next flush of each client fails after a driver died with what had been acknowledged', async (t) => {
  const place = new Workplace(t);
  addDisk(place, 'a.raw');
  const served = await serving(t, place, './a.raw');
  const { socket } = served;
  const writer = await new PlainNbdClient(socket).go({ style: 'structured' });
  const reader = await new PlainNbdClient(socket).go({ style: 'structured' });
  const write = async (): Promise<void> => {
    writer.send({ command: commands.WRITE, offset: 0, payload: pattern(4096, 2) });
    assert.equal((await writer.answer())?.error, 0);
  };
  await write();
  assert.equal(await errorOf(writer, commands.FLUSH), 0);
  await replaced(served);
  assert.equal(await errorOf(writer, commands.FLUSH), 0, 'all of it had been flushed');
  await write();
  await replaced(served);
  assert.equal(await errorOf(writer, commands.READ, 0, 512), 0);
  const late = await new PlainNbdClient(socket).go({ style: 'structured' });
  for (const client of [writer, reader, late]) {
    assert.deepEqual(
      [await errorOf(client, commands.FLUSH), await errorOf(client, commands.FLUSH)],
      [nbdErrors.EIO, 0],
    );
  }
  const afterwards = await new PlainNbdClient(socket).go({ style: 'structured' });
  assert.equal(await errorOf(afterwards, commands.FLUSH), 0);
});

test('a disk that cannot be opened again gives errors, until it can', async (t) => {
  const place = new Workplace(t);
  addDisk(place, 'a.raw');
  const path = join(place.directory, 'a.raw');
  const served = await serving(t, place, './a.raw');
  const { child, socket } = served;
  const client = await new PlainNbdClient(socket).go({ style: 'structured' });
  fs.renameSync(path, `${path}.away`);
  process.kill(driversOf(child.pid!)[0]!, 'SIGKILL');
  assert.equal(await errorOf(client, commands.READ, 0, 512), nbdErrors.EIO);
  assert.equal(await errorOf(client, commands.READ, 0, 512), nbdErrors.EIO);
  fs.renameSync(`${path}.away`, path);
  while ((await errorOf(client, commands.READ, 0, 512)) !== 0) await sleep(20);
});

describe('what a driver may do', {
  skip: process.getuid?.() === 0 ? false : 'only root can become somebody else',
}, () => {
  test('it is another user without capabilities, in namespaces of its own', {
    skip: skipWithout('unshare', 'setpriv'),
  }, async (t) => {
    const place = new Workplace(t);
    addDisk(place, 'a.raw');
    const { child } = await serving(t, place, './a.raw');
    const [driver = 0] = driversOf(child.pid!);
    const status = statusOf(driver);
    assert.match(status.get('Uid')!, /^6\d{4}\t/);
    assert.deepEqual(
      [status.get('CapEff'), status.get('CapPrm'), status.get('NoNewPrivs'), status.get('Groups')?.trim()],
      ['0'.repeat(16), '0'.repeat(16), '1', ''],
    );
    for (const name of ['net', 'ipc', 'uts', 'mnt', 'pid']) {
      assert.notEqual(fs.readlinkSync(`/proc/${driver}/ns/${name}`), fs.readlinkSync(`/proc/self/ns/${name}`), name);
    }
  });

  test('it reads no other file, starts no program and reaches no network', async (t) => {
    const place = new Workplace(t);
    addDisk(place, 'a.raw');
    const path = join(place.directory, 'a.raw');
    const request = { path, writable: false, follow: false, allowed: [], forceShare: false, canAsk: false };
    const { command } = confinement(request);
    const probe = `
      import fs from 'node:fs';
      import net from 'node:net';
      import { spawnSync } from 'node:child_process';
      const attempt = (what) => { try { what(); return 'done'; } catch (error) { return error.code; } };
      const connected = await new Promise((resolve) => net.connect({ host: '127.0.0.1', port: 9 })
        .on('connect', () => resolve('done')).on('error', ({ code }) => resolve(code)));
      console.log(JSON.stringify([
        attempt(() => fs.readFileSync(${JSON.stringify(path)})),
        attempt(() => fs.writeFileSync('/etc/varve-probe', 'x')),
        attempt(() => fs.readFileSync('/etc/shadow')),
        attempt(() => fs.readdirSync('/root')),
        attempt(() => spawnSync('/bin/true')),
        attempt(() => process.kill(${process.pid}, 0)),
        connected,
      ]));`;
    const [program = '', ...args] = command;
    const { stdout } = await run(program, [...args, '--input-type=module', '--eval', probe]);
    const denied = 'ERR_ACCESS_DENIED';
    assert.deepEqual(JSON.parse(stdout), ['done', denied, denied, denied, denied, 'ESRCH', 'ENETUNREACH']);
  });
});

describe('contexts of a driver', { skip: skipWithout('qemu-img', 'qemu-io', 'nbdinfo') }, () => {
  test('come through: allocation, depth and dirty bitmaps', async (t) => {
    const place = new Workplace(t);
    const path = join(place.directory, 'disk.qcow2');
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', path, '1M']);
    execFileSync('qemu-img', ['bitmap', '--add', '-g', '64k', path, 'daily']);
    execFileSync('qemu-io', ['-c', 'write 128k 64k', path]);
    const maps = async (...options: string[]): Promise<unknown[]> => {
      const script = ['base:allocation', 'qemu:allocation-depth', 'qemu:dirty-bitmap:daily']
        .map((context) => `nbdinfo --map=${context} --json "$nbd"`)
        .join('; echo ,; ');
      const { stdout } = await place.run(['serve', './disk.qcow2', '--read-only', ...options, '--run', script]);
      return JSON.parse(`[${stdout}]`);
    };
    const isolated = await maps('--isolate');
    assert.deepEqual(isolated, await maps());
    assert.equal(isolated.length, 3);
  });
});

test('a driver opens what its image builds on where that is allowed', {
  skip: skipWithout('qemu-img', 'qemu-io'),
}, async (t) => {
  const place = new Workplace(t);
  const [base, top] = ['base.qcow2', 'top.qcow2'].map((name) => join(place.directory, name)) as [string, string];
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', base, '1M']);
  execFileSync('qemu-io', ['-c', 'write -P 7 64k 64k', base]);
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', 'base.qcow2', '-F', 'qcow2', top]);
  const script = 'qemu-io -f raw -c "read -P 7 64k 64k" -c "write -P 8 0 64k" -c flush "$nbd"';
  const refused = await place.run(['serve', '--isolate', './top.qcow2', '--run', script]);
  assert.match(refused.stderr, /"base\.qcow2".*; give --follow, or --allow/);
  for (const how of [['--allow', '.'], ['--follow']]) {
    const { status, stderr } = await place.run(['serve', '--isolate', ...how, './top.qcow2', '--run', script]);
    assert.deepEqual([status, stderr.includes('VarveError')], [0, false], stderr);
  }
});

test('what is not isolated is refused, and what cannot be opened tells why', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  assert.match(await place.fails(2, 'serve', '--isolate', 'web', '--listen', '0'), /leave out --isolate/);
  assert.match(await place.fails(3, 'serve', '--isolate', './none.raw', '--listen', '0'), /none\.raw: no such file/);
  const header = Buffer.alloc(65536);
  header.writeUInt32BE(0x514649fb);
  header.writeUInt32BE(9, 4);
  fs.writeFileSync(join(place.directory, 'broken.qcow2'), header);
  assert.match((await place.run(['serve', '--isolate', './broken.qcow2', '--listen', '0'])).stderr, /broken\.qcow2/);
});
