import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { ControlServer } from '../../src/server/control/control-server.ts';
import { Machines } from '../../src/server/netboot/machines/machines.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { Workplace } from './varve.ts';

const alice = '52-54-00-12-34-56';

/** What is done to machines as their server does it; `serve` says whether it goes on while commands run. */
async function withMachines(
  place: Workplace,
  serve: boolean,
  use: (machines: Machines, store: Store) => Promise<void>,
) {
  await using store = await openStore(place.store);
  await using control = await ControlServer.listen();
  await using machines = await Machines.open(store, serve ? control : undefined);
  await use(machines, store);
}

async function begin(machines: Machines, overlay: 'keep' | 'discard' = 'keep'): Promise<void> {
  await machines.begin({ mac: alice, name: 'alice', entry: 'desk', image: 'web', overlay });
}

async function write(machines: Machines, bytes: Uint8Array, offset: number): Promise<void> {
  const disk = await (await machines.exports.find(alice))!.connect();
  await disk.device.write(bytes, offset);
  await disk[Symbol.asyncDispose]?.();
}

/** Runs `act` beside a server, and without one. */
function both(name: string, act: (t: TestContext, served: boolean) => Promise<void>): void {
  for (const served of [true, false]) test(`${name}, ${served ? 'served' : 'not served'}`, (t) => act(t, served));
}

describe('machines on the command line', () => {
  both('are listed, committed and reset', async (t, served) => {
    const place = new Workplace(t);
    await place.addImage('web');
    const act = async (): Promise<void> => {
      const [machine] = await place.json('netboot', 'clients');
      assert.deepEqual(
        [machine.mac, machine.name, machine.isConnected, machine.boot.image, machine.boot.number, machine.boot.overlay],
        [alice, 'alice', false, 'web', 1, 'keep'],
      );
      assert.equal(machine.boot.changedBytes, 4096);
      assert.match(machine.boot.since, /^\d{4}-.*Z$/);
      assert.match(
        await place.varve('netboot', 'clients'),
        /^MACHINE .*\nalice +52-54-00-12-34-56 +desk +web@1 +keep +4 KiB /,
      );
      assert.equal(await place.varve('netboot', 'diff', 'ALICE', '--ranges').then(hasRange), true);
      assert.equal(await place.varve('netboot', 'commit', '525400123456', 'web', '-m', 'nginx'), 'web@2 made');
      assert.equal((await place.json('log', 'web'))[0].message, 'nginx');
      assert.equal(await place.varve('netboot', 'commit', 'alice', 'mine'), 'mine@1 made');
      assert.equal(await place.varve('netboot', 'next', 'alice', 'mine'), 'the next boot of alice is from mine');
      assert.equal((await place.json('netboot', 'clients'))[0].next, 'mine');
      assert.match(await place.fails(5, 'remove', 'web@2'), /machine alice \(52-54-00-12-34-56\) has an overlay on it/);
      assert.equal(await place.varve('netboot', 'reset', alice), 'what 52-54-00-12-34-56 had over web is dropped');
      await place.varve('netboot', 'next', 'alice', '--none');
      assert.equal((await place.json('netboot', 'clients'))[0].boot, undefined);
      await place.varve('remove', 'web@2');
    };
    await withMachines(place, served, async (machines) => {
      await begin(machines);
      await write(machines, Buffer.alloc(4096, 7), 8192);
      if (served) await act();
    });
    if (!served) await act();
    await place.varve('verify');
  });

  test('that are connected are not reset unless they are cut off', async (t) => {
    const place = new Workplace(t);
    await place.addImage('web');
    await withMachines(place, true, async (machines) => {
      await begin(machines, 'discard');
      const disk = await (await machines.exports.find(alice))!.connect();
      assert.equal((await place.json('netboot', 'clients'))[0].isConnected, true);
      assert.match(await place.fails(6, 'netboot', 'reset', 'alice'), /alice is connected.*--force/);
      await place.varve('netboot', 'reset', 'alice', '--force');
      assert.equal(disk.ended?.aborted, true);
      await disk[Symbol.asyncDispose]?.();
    });
  });

  test('are refused with what is wrong', async (t) => {
    const place = new Workplace(t);
    await place.addImage('web');
    assert.equal(
      (await place.run(['netboot', 'clients'])).stderr,
      'varve: no machine has booted from this store yet\n',
    );
    assert.match(await place.fails(3, 'netboot', 'commit', 'alice', 'web'), /no machine alice/);
    assert.match(await place.fails(3, 'netboot', 'diff', alice), /has not booted/);
    assert.match(await place.fails(2, 'netboot', 'next', alice), /--none/);
    assert.match(await place.fails(3, 'netboot', 'next', alice, 'nothing'), /nothing/);
    assert.match(await place.fails(2, 'netboot', 'frob'), /clients, commit, diff/);
    assert.match(await place.fails(2, 'netboot', 'clients', '--force'), /--force does not go/);
    assert.match(await place.fails(2, 'netboot', 'commit', alice), /commit MACHINE IMAGE/);
    assert.match(await place.fails(3, 'netboot', 'wake', alice, '--interface', 'none0'), /none0/);
    assert.match(await place.fails(2, 'netboot', 'wake', alice, '--password', 'x'), /SecureOn/);
  });

  test('show which files changed on them', { skip: skipWithout('mke2fs', 'debugfs') }, async (t) => {
    const place = new Workplace(t);
    const [before, after] = ['before.raw', 'after.raw'].map((name) => join(place.directory, name));
    const tree = join(place.directory, 'tree');
    fs.mkdirSync(join(tree, 'etc'), { recursive: true });
    fs.writeFileSync(join(tree, 'etc/motd'), 'hello\n');
    execFileSync('mke2fs', ['-q', '-F', '-t', 'ext4', '-d', tree, before!, '16M']);
    await place.varve('import', before!, 'web');
    fs.copyFileSync(before!, after!);
    fs.writeFileSync(join(tree, 'new'), 'new\n');
    execFileSync('debugfs', ['-w', '-R', `write ${join(tree, 'new')} new`, after!], { stdio: 'pipe' });
    const changes = async (...options: string[]) => {
      const { status, stderr, stdout } = await place.run(['netboot', 'diff', 'alice', '--json', ...options]);
      assert.notEqual(stdout, '', stderr);
      const kinds = JSON.parse(stdout).changes.map(({ change, path }: { change: string; path: string }) => [
        change,
        path,
      ]);
      return { status, stderr, kinds };
    };
    await withMachines(place, true, async (machines) => {
      await begin(machines);
      await write(machines, fs.readFileSync(after!), 0);
      const { kinds, status, stderr } = await changes('--exit-code');
      assert.deepEqual([status, kinds.filter(([kind]: [string]) => kind === 'added')], [1, [['added', '/new']]]);
      assert.match(stderr, /^$/);
    });
    assert.equal((await changes()).stderr, '');
  });
});

function hasRange(text: string): boolean {
  return /^ *0 +65536 +64 KiB/m.test(text);
}
