import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { projectDirectory } from '../../scripts/project.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { Workplace } from './varve.ts';

const size = 2 ** 20;

/** A system call that ended well, as strace tells it. */
interface Call {
  readonly name: string;
  /** The file that it was about, by its path. */
  readonly path: string;
  /** The rest of its arguments. */
  readonly rest: string;
}

/** Runs `varve ARGS` under strace, and gives the writes and syncs of all its processes, in the order in which they ended. */
function traced(place: Workplace, args: readonly string[]): Call[] {
  const log = join(place.directory, 'strace.log');
  const calls = 'fsync,fdatasync,write,pwrite64,pwritev,writev,rename,link';
  const { status, stderr } = spawnSync(
    'strace',
    ['-f', '-y', '-s', '256', '-o', log, '-e', `trace=${calls}`, join(projectDirectory, 'varve'), ...args],
    { cwd: place.directory, env: { ...process.env, VARVE_STORE: place.store }, encoding: 'utf8', timeout: 120_000 },
  );
  assert.equal(status, 0, stderr);
  return callsIn(fs.readFileSync(log, 'utf8'));
}

function callsIn(log: string): Call[] {
  const begun = new Map<string, string>();
  return log.split('\n').flatMap((line) => {
    const [, pid = '', text = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    if (text.endsWith('<unfinished ...>')) {
      begun.set(pid, text.slice(0, -'<unfinished ...>'.length));
      return [];
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(text);
    const whole = resumed === null ? text : `${begun.get(pid) ?? ''}${resumed[1]}`;
    const [, name, rest = ''] = /^(\w+)\((.*)\)\s+= \d+/.exec(whole) ?? [];
    if (name === undefined) return [];
    return [{ name, path: /^\d+<([^>]*)>/.exec(rest)?.[1] ?? '', rest }];
  });
}

/**
 * Fails unless, before `said` is printed, what was written to the files that `what` matches was synced after the last write
 * to each; of one that got its name afterwards, the directory, too. Something was written to each kind of them.
 */
function assertSynced(calls: readonly Call[], said: string, what: Readonly<Record<string, RegExp>>): void {
  const end = calls.findIndex(
    ({ name, rest }) => name.startsWith('write') && /^[12]</.test(rest) && rest.includes(said),
  );
  assert.notEqual(end, -1, `it says ${said}`);
  const before = calls.slice(0, end);
  for (const [title, pattern] of Object.entries(what)) {
    const names = before.filter(isNaming).map(namesOf);
    const named = names.filter(({ to }) => pattern.test(to));
    const written = before.filter((call) => isWrite(call) && pattern.test(call.path)).map(({ path }) => path);
    const paths = new Set([...named.map(({ from }) => from), ...written]);
    assert.ok(paths.size > 0, `${title} is written`);
    for (const path of paths) {
      const lastWrite = before.findLastIndex((call) => isWrite(call) && call.path === path);
      assert.ok(
        lastWrite >= 0 && isSynced(before, lastWrite, path),
        `${title}, ${path}, is synced after it was written`,
      );
    }
    for (const { to } of named) {
      const naming = before.findLastIndex((call) => isNaming(call) && namesOf(call).to === to);
      assert.ok(isSynced(before, naming, dirname(to)), `the name of ${title}, ${to}, is synced`);
    }
  }
}

/** Fails unless the catalog's log is written to after the last file that `what` matches got its name, and synced. */
function assertCommitted(calls: readonly Call[], said: string, what: RegExp): void {
  const isLog = ({ path }: Call): boolean => path.endsWith('/catalog.sqlite-wal');
  const naming = calls.findLastIndex((call) => isNaming(call) && what.test(namesOf(call).to));
  const write = calls.findIndex((call, index) => index > naming && isWrite(call) && isLog(call));
  const sync = calls.findIndex((call, index) => index > write && isSync(call) && isLog(call));
  const end = calls.findIndex(({ name, rest }) => name.startsWith('write') && /^1</.test(rest) && rest.includes(said));
  const order = [naming, write, sync, end];
  assert.ok(!order.includes(-1), `files, the catalog, its sync, and the word: ${order}`);
  assert.deepEqual(
    order,
    order.toSorted((a, b) => a - b),
    'in this order',
  );
}

function isSynced(calls: readonly Call[], after: number, path: string): boolean {
  return calls.slice(after + 1).some((call) => isSync(call) && call.path === path);
}

function isNaming({ name }: Call): boolean {
  return name === 'rename' || name === 'link';
}

function namesOf({ rest }: Call): { readonly from: string; readonly to: string } {
  const [, from = '', to = ''] = /^"([^"]*)", "([^"]*)"/.exec(rest) ?? [];
  return { from, to };
}

function isWrite({ name }: Call): boolean {
  return name.includes('write');
}

function isSync({ name }: Call): boolean {
  return name === 'fsync' || name === 'fdatasync';
}

const stored = { 'a pack': /\/packs\//, 'a manifest': /\/snapshots\// };
const flushed = { 'what was written': /\/overlays\/\w+\/data$/, 'the map of it': /\/overlays\/\w+\/map$/ };

/** Two images, in a place whose files a command changes through addresses. */
async function twoImages(t: TestContext): Promise<Workplace> {
  const place = new Workplace(t);
  for (const name of ['web', 'db']) await place.addImage(name, { size });
  return place;
}

describe('what is durable before it is said', { skip: skipWithout('strace', 'qemu-io') }, () => {
  test('varve tx has synced its packs, manifests and the catalog', async (t) => {
    const place = await twoImages(t);
    const write = (disk: string, byte: number): string =>
      `qemu-io -f raw -c 'write -P ${byte} 0 128k' -c flush "$${disk}" > /dev/null`;
    const command = `${write('VARVE_NBD1', 65)} && ${write('VARVE_NBD2', 66)}`;
    const calls = traced(place, ['tx', 'web', 'db', '--', 'sh', '-c', command]);
    assertSynced(calls, 'web@2 made', { ...flushed, ...stored });
    assertCommitted(calls, 'web@2 made', stored['a manifest']);
  });

  test('varve commit TX has synced its packs, manifests and the catalog', async (t) => {
    const place = await twoImages(t);
    const name = await place.varve('begin', 'web', 'db');
    for (const image of ['web', 'db']) {
      const write = `qemu-io -f raw -c 'write -P 65 0 128k' -c flush "$nbd" > /dev/null`;
      const calls = traced(place, ['serve', `${image}@${name}`, '--run', `${write}; echo it is written`]);
      assertSynced(calls, 'it is written', flushed);
    }
    const calls = traced(place, ['commit', name]);
    assertSynced(calls, 'web@2 made', stored);
    assertCommitted(calls, 'web@2 made', stored['a manifest']);
  });

  test('varve begin has synced the files of its disks, and the catalog', async (t) => {
    const place = await twoImages(t);
    const record = /\/overlay\.json$/;
    const calls = traced(place, ['begin', 'web', 'db']);
    assertSynced(calls, 'tx-', { 'the record': record, 'the map': /\/map$/ });
    assertCommitted(calls, 'tx-', record);
  });
});
