import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { mountTmpfs } from '../../../test/command/tmpfs.ts';
import type { Lease } from '../../protocol/dhcp/address-pool.ts';
import { LeaseJournal } from './lease-journal.ts';

function journalPath(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'varve-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return join(directory, 'leases');
}

const lease = (address: number, identity = `hw:1:${address}`): Lease => ({
  ...{ address, identity, hardwareAddress: '52:54:00:12:34:56', expiresMs: 1e12 },
});

test('what was appended is there again, in order, and what was freed is not', async (t) => {
  const path = journalPath(t);
  await using journal = LeaseJournal.open(path);
  for (const address of [1, 2, 3]) await journal.append({ kind: 'bound', lease: lease(address) });
  await journal.append({ kind: 'freed', address: 2 });
  await journal.append({ kind: 'bound', lease: lease(1, 'id:ff') });
  await using again = LeaseJournal.open(path);
  assert.deepEqual([...again.leases()], [lease(3), lease(1, 'id:ff')]);
});

test('a torn tail and a line that was damaged take nothing else with them', async (t) => {
  const path = journalPath(t);
  {
    await using journal = LeaseJournal.open(path);
    for (const address of [1, 2, 3]) await journal.append({ kind: 'bound', lease: lease(address) });
  }
  const lines = readFileSync(path, 'latin1').split('\n');
  lines[1] = lines[1]!.replace('bound":2', 'bound":9');
  writeFileSync(path, lines.join('\n'));
  appendFileSync(path, lines[0]!.slice(0, 50));
  await using again = LeaseJournal.open(path);
  assert.deepEqual([...again.leases()], [lease(1), lease(3)]);
  assert.equal(readFileSync(path, 'latin1').split('\n').length, 3, 'it was written anew');
});

test('it does not grow with every renewal', async (t) => {
  const path = journalPath(t);
  await using journal = LeaseJournal.open(path);
  const appended = Array.from({ length: 25_000 }, (_, index) =>
    journal.append({ kind: 'bound', lease: lease(index % 10) }),
  );
  await Promise.all(appended);
  await journal.append({ kind: 'bound', lease: lease(1) });
  assert.ok(readFileSync(path, 'latin1').split('\n').length < 15_000);
});

test('what was reported kept outlives a kill', async (t) => {
  const path = journalPath(t);
  const script = `
    import { LeaseJournal } from ${JSON.stringify(join(import.meta.dirname, 'lease-journal.ts'))};
    const journal = LeaseJournal.open(${JSON.stringify(path)});
    for (let address = 0; ; address += 4) {
      await Promise.all([0, 1, 2, 3].map((more) => journal.append({
        kind: 'bound', lease: { address: address + more, identity: 'x', hardwareAddress: 'y', expiresMs: 1 } })));
      console.log(address + 3);
    }`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let last = -1;
  for await (const line of createInterface(child.stdout)) {
    last = Number(line);
    if (last > 200) child.kill('SIGKILL');
  }
  if (child.signalCode === null) await once(child, 'exit');
  await using journal = LeaseJournal.open(path);
  const addresses = new Set(Array.from(journal.leases(), ({ address }) => address));
  for (let address = 0; address <= last; address += 1) assert.ok(addresses.has(address), `lease ${address} of ${last}`);
});

test('where the disk was full, what is kept later does not go with what was torn', async (t) => {
  const directory = dirname(journalPath(t));
  using mounted = mountTmpfs(t, directory, '64k');
  if (mounted === undefined) return;
  const path = join(directory, 'leases');
  const filler = join(directory, 'filler');
  writeFileSync(filler, new Uint8Array(56 * 1024));
  let kept = 0;
  {
    await using journal = LeaseJournal.open(path);
    const append = async (): Promise<void> => {
      for (;;) {
        await journal.append({ kind: 'bound', lease: lease(kept + 1) });
        kept += 1;
      }
    };
    await assert.rejects(append(), { code: 'NO_SPACE' });
    rmSync(filler);
    await journal.append({ kind: 'bound', lease: lease(1_000_000) });
  }
  await using again = LeaseJournal.open(path);
  const addresses = Array.from(again.leases(), ({ address }) => address);
  assert.deepEqual(addresses, [...Array.from({ length: kept }, (_, index) => index + 1), 1_000_000]);
});
