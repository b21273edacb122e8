import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { skipWithout } from '../interop/require-tool.ts';
import { type Outcome, Workplace } from './varve.ts';

const skip = process.platform === 'linux' ? false : 'processes are told by /proc, which only Linux has';

/** A directory where running commands are noted, of the test's own. */
function okPlace(t: TestContext): Workplace {
  const work = new Workplace(t);
  process.env.VARVE_RUN = join(work.directory, 'run');
  return work;
}

/** Starts `varve ok run ARGS` and waits until its command has written the file `ready`. */
async function startRun(work: Workplace, ...args: string[]): Promise<{ ended: Promise<Outcome>; child: ChildProcess }> {
  const started = Promise.withResolvers<ChildProcess>();
  const ended = work.run(['ok', 'run', ...args], { started: started.resolve });
  await waitFor(() => fs.existsSync(join(work.directory, 'ready')));
  return { ended, child: await started.promise };
}

async function waitFor(condition: () => boolean): Promise<void> {
  while (!condition()) await setTimeout(5);
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(fs.readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}

function pidsIn(work: Workplace): number[] {
  const lines = fs.readFileSync(join(work.directory, 'pids'), 'latin1').trim().split('\n');
  return lines.map(Number);
}

describe('varve ok', { skip }, () => {
  test('without it, the status is that of the command, and what it started in the background goes on', async (t) => {
    const work = okPlace(t);
    for (const status of [0, 7]) {
      assert.equal((await work.run(['ok', 'run', '--', 'sh', '-c', `exit ${status}`])).status, status);
    }
    assert.equal((await work.run(['ok', 'run', '--', 'sh', '-c', 'kill -9 $$'])).status, 137);
    await work.run(['ok', 'run', '--', 'sh', '-c', 'sleep 50 >/dev/null 2>&1 & echo $! > pids']);
    const [pid] = pidsIn(work);
    assert.ok(isAlive(pid!));
    process.kill(pid!);
    assert.match(await work.fails(3, 'ok', 'run', '--', './missing'), /cannot run \.\/missing: no such file/);
    assert.deepEqual(await work.json('ok'), []);
  });

  test('ends those that ignore SIGTERM, and grandchildren in sessions of their own, with status 0', async (t) => {
    const work = okPlace(t);
    const script = `
      trap "" TERM
      sleep 100 & echo $! >> pids
      setsid sh -c 'trap "" TERM; (sh -c "trap \\"\\" TERM HUP; echo \\$\\$ >> pids; while :; do sleep 0.1; done" & ) ; echo $$ >> pids; sleep 100' &
      (setsid setsid sleep 100 & echo $! >> pids)
      while [ $(wc -l < pids) -lt 4 ]; do sleep 0.01; done
      echo $$ >> pids; touch ready
      while :; do sleep 0.1; done`;
    const { ended } = await startRun(work, '--name', 'soak', '--grace', '100ms', '--', 'sh', '-c', script);
    const pids = pidsIn(work);
    assert.equal(pids.length, 5);
    const [listed] = await work.json('ok');
    assert.equal(listed.name, 'soak');
    await work.varve('ok', 'soak');
    const { status, stderr } = await ended;
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
    assert.deepEqual(pids.filter(isAlive), []);
    assert.deepEqual(await work.json('ok'), []);
  });

  test('lets processes end by themselves, for as long as they are given', async (t) => {
    const work = okPlace(t);
    const script = 'trap "sleep 0.2; echo done > end; exit 3" TERM; touch ready; while :; do sleep 0.02; done';
    const { ended } = await startRun(work, '--grace', '1min', '--', 'sh', '-c', script);
    await work.varve('ok', 'sh');
    assert.equal((await ended).status, 0);
    assert.equal(fs.readFileSync(join(work.directory, 'end'), 'utf8'), 'done\n');
  });

  test('SIGUSR2 says it, too, and so does the command itself', async (t) => {
    const work = okPlace(t);
    const { child, ended } = await startRun(work, '--', 'sh', '-c', 'touch ready; sleep 100');
    child.kill('SIGUSR2');
    assert.equal((await ended).status, 0);
    const varve = join(import.meta.dirname, '../../varve');
    const itself = await work.run(['ok', 'run', '--', 'sh', '-c', `${varve} ok $VARVE_OK; sleep 100; exit 5`]);
    assert.equal(itself.status, 0);
  });

  test('names are told apart, and those that are not there are said', async (t) => {
    const work = okPlace(t);
    assert.match(await work.fails(3, 'ok', 'soak'), /no command soak is running; none is/);
    const { ended } = await startRun(work, '--name', 'soak', '--', 'sh', '-c', 'touch ready; sleep 100');
    assert.match(await work.fails(4, 'ok', 'run', '--name', 'soak', '--', 'true'), /a command of that name is running/);
    assert.match(await work.fails(3, 'ok', 'other'), /there are soak/);
    assert.match(await work.fails(2, 'ok', 'run', '--name', '../x', '--', 'true'), /cannot be the name/);
    await work.varve('ok', 'soak');
    await ended;
  });

  test('SIGTERM is passed on, and is no ok', async (t) => {
    const work = okPlace(t);
    const { child, ended } = await startRun(work, '--', 'sh', '-c', 'touch ready; exec sleep 100');
    child.kill('SIGTERM');
    assert.equal((await ended).status, 143);
  });

  test('processes that were orphaned leave no zombies', async (t) => {
    const work = okPlace(t);
    const script = `
      (sh -c 'sleep 0.05 & echo $! >> pids' &)
      while [ ! -s pids ]; do sleep 0.01; done
      touch ready; sleep 100`;
    const { ended } = await startRun(work, '--name', 'soak', '--', 'sh', '-c', script);
    const [orphan] = pidsIn(work);
    await waitFor(() => !fs.existsSync(`/proc/${orphan}`));
    await work.varve('ok', 'soak');
    assert.equal((await ended).status, 0);
  });

  test("a runner that was killed is in nobody's way", async (t) => {
    const work = okPlace(t);
    const script = 'echo $$ > pids; touch ready; exec sleep 100';
    const { child, ended } = await startRun(work, '--name', 'soak', '--', 'sh', '-c', script);
    child.kill('SIGKILL');
    process.kill(pidsIn(work)[0]!);
    await ended;
    assert.deepEqual(await work.json('ok'), []);
    assert.equal((await work.run(['ok', 'run', '--name', 'soak', '--', 'true'])).status, 0);
  });

  test('--pid makes any process exit with status 0', { skip: skipWithout('gdb') }, async (t) => {
    const work = okPlace(t);
    const child = spawn('sleep', ['100']);
    t.after(() => child.kill('SIGKILL'));
    const ended = once(child, 'exit');
    const { status, stderr } = await work.run(['ok', '--pid', String(child.pid)]);
    if (status === 12) return t.skip(`this machine does not let us trace processes: ${stderr.trim()}`);
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
    assert.deepEqual(await ended, [0, null]);
    assert.match(await work.fails(3, 'ok', '--pid', '999999999'), /there is no process 999999999/);
  });
});
