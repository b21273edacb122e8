import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { projectDirectory } from '../../scripts/project.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { endProcess } from '../process/end-process.ts';
import { Workplace } from './varve.ts';

test('eight snapshots at once get eight consecutive numbers', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  const made = await Promise.all(
    Array.from({ length: 8 }, (_, index) => place.json('snapshot', 'web', '-m', `#${index}`)),
  );
  const numbers = made.map((snapshot) => snapshot.number).sort((a, b) => a - b);
  assert.deepEqual(numbers, [2, 3, 4, 5, 6, 7, 8, 9]);
  const logged = (await place.json('log', 'web')).map((snapshot: { message: string }) => snapshot.message);
  assert.deepEqual(logged.sort(), ['#0', '#1', '#2', '#3', '#4', '#5', '#6', '#7', 'Image web']);
});

test('of two clones to one name at once, one succeeds', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  const outcomes = await Promise.all(['a', 'a', 'a'].map((name) => place.run(['clone', 'web', name])));
  assert.deepEqual(outcomes.map(({ status }) => status).sort(), [0, 4, 4]);
  assert.deepEqual((await place.json('list')).length, 2);
});

test('Ctrl-C while a message is waited for ends the command, and nothing is made', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  const child = spawn(`${projectDirectory}/varve`, ['snapshot', 'web', '-F', '-'], {
    env: { ...process.env, VARVE_STORE: place.store },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  await setTimeout(300);
  assert.deepEqual(await endProcess(child, 'SIGINT'), [null, 'SIGINT']);
  assert.equal((await place.json('log', 'web')).length, 1);
});

for (const [signal, status, line] of [
  ['SIGINT', 130, 'varve: stopped by Ctrl-C\n'],
  ['SIGTERM', 143, 'gc\nvarve: stopped by SIGTERM\n'],
] as const) {
  test(`${signal} during work stops it in good order, with status ${status}`, async (t) => {
    const place = new Workplace(t);
    await place.addImage('web');
    await using store = await openStore(place.store);
    // Garbage collection waits for this import, which never ends: time enough to be stopped.
    await using _session = store.beginIngest('import other');
    const outcome = await place.run(['gc'], { started: (child) => void stopWhenAtWork(store, child, signal) });
    assert.deepEqual([outcome.status, outcome.signal, outcome.stdout], [status, null, '']);
    assert.equal(outcome.stderr, line);
    assert.deepEqual(
      (await place.json('status')).leases.map(({ kind }: { kind: string }) => kind),
      ['ingest'],
    );
  });
}

async function stopWhenAtWork(store: Store, child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  while (store.leases.living('collect').length === 0) await setTimeout(20);
  child.kill(signal);
}

test('a second Ctrl-C ends the process at once', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  const program = `
    const { StopSignals } = await import('${projectDirectory}/src/command/framework/stop-signals.ts');
    const { abortSignal } = new StopSignals();
    abortSignal.onabort = () => console.log('stopping');
    setInterval(() => {}, 1000);
    console.log('working');`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for (const expected of ['working', 'stopping']) {
    assert.equal(String((await once(child.stdout, 'data'))[0]).trim(), expected);
    child.kill('SIGINT');
  }
  assert.deepEqual(await once(child, 'exit'), [null, 'SIGINT']);
});

test('when nobody reads the output any more, the command ends quietly', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  const program = 'set -o pipefail; "$0" log web | true; echo "$PIPESTATUS"';
  const bash = spawn('bash', ['-c', program, join(projectDirectory, 'varve')], {
    env: { ...process.env, VARVE_STORE: place.store },
  });
  const [stdout, stderr] = await Promise.all([text(bash.stdout), text(bash.stderr)]);
  assert.deepEqual({ stdout, stderr }, { stdout: '0\n', stderr: '' });
});

test('results that cannot be written are told, with the status of the reason', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  const bash = spawn('bash', ['-c', '"$0" list > /dev/full', join(projectDirectory, 'varve')], {
    env: { ...process.env, VARVE_STORE: place.store },
  });
  const [stderr, [status]] = await Promise.all([text(bash.stderr), once(bash, 'exit')]);
  assert.deepEqual([status, stderr], [8, 'varve: cannot write to standard output: no space left on the device\n']);
});
