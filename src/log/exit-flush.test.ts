import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { installExitFlush } from './exit-flush.ts';
import { createLog } from './log.ts';

const folder = new URL('.', import.meta.url).href;

interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

/** Runs `code` with a log that flushes at exit; sends `signal` once the child says that it is ready. */
function run(code: string, signal?: NodeJS.Signals): Promise<Ending> {
  const source = `
    import { installExitFlush } from '${folder}exit-flush.ts';
    import { configureLog, log } from '${folder}log.ts';
    import { plainSink } from '${folder}plain-sink.ts';
    configureLog({ sinks: [plainSink(process.stderr)] });
    installExitFlush(log);
    const ready = () => process.stdout.write('ready');
    const forEver = () => new Promise((resolve) => setTimeout(resolve, 100_000));
    ${code}
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (chunk) => {
    stderr += chunk;
  });
  if (signal !== undefined) child.stdout.once('data', () => child.kill(signal));
  return new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal, stderr })));
}

const working = `
  await log.scope('import web', async () => {
    log(1, 'reading %s', 'a.img');
    await Promise.all([1, 2].map((worker) => log.scope('worker ' + worker, async () => {
      log(1, 'chunk %d', worker * 10);
      if (worker === 2) ready();
      await forEver();
    })));
  });
`;

const workingLines = 'import web\nreading a.img\nworker 1\nchunk 10\nworker 2\nchunk 20\n';

for (const signal of ['SIGTERM', 'SIGHUP'] as const) {
  test(`installExitFlush: ${signal} prints what was going on and still ends the process`, async () => {
    assert.deepEqual(await run(working, signal), {
      code: null,
      signal,
      stderr: `${workingLines}error: stopped by ${signal}\n`,
    });
  });
}

test('installExitFlush: SIGINT ends the process without a word', async () => {
  assert.deepEqual(await run(working, 'SIGINT'), { code: null, signal: 'SIGINT', stderr: '' });
});

test('installExitFlush leaves the end to whoever listens for the signal too', async () => {
  const orderly = `process.on('SIGTERM', () => {
    log.fail('closing');
    setTimeout(() => process.exit(143), 100);
  });`;
  assert.deepEqual(await run(orderly + working, 'SIGTERM'), {
    code: 143,
    signal: null,
    stderr: `${workingLines}error: stopped by SIGTERM\nerror: closing\n`,
  });
});

test('installExitFlush: an uncaught error prints its path, and Node its report and exit status', async () => {
  const { code, stderr } = await run(`
    await log.scope('import web', async () => {
      log(1, 'reading %s', 'a.img');
      await null;
      throw new TypeError('a bug');
    });
  `);
  assert.equal(code, 1);
  assert.ok(stderr.startsWith('import web\nreading a.img\nerror: a bug\n'), stderr);
  assert.match(stderr, /TypeError: a bug\n\s+at /);
});

test('installExitFlush: an error thrown outside of every scope shows what all were doing', async () => {
  const { code, stderr } = await run(`
    setTimeout(() => { throw new Error('from a timer'); }, 50);
    ${working}
  `);
  assert.equal(code, 1);
  assert.ok(stderr.startsWith(`${workingLines}error: from a timer\n`), stderr);
});

test('installExitFlush: an error that was reported already is not printed again', async () => {
  const { stderr } = await run(`
    await log.scope('import web', async () => {
      const error = new Error('once');
      log.error(error);
      throw error;
    });
  `);
  assert.equal(stderr.match(/^error: once$/gm)?.length, 1);
});

test('installExitFlush can be taken back', () => {
  const count = () => process.listenerCount('SIGTERM') + process.listenerCount('uncaughtExceptionMonitor');
  const before = count();
  {
    using _flush = installExitFlush(createLog());
    assert.equal(count(), before + 2);
  }
  assert.equal(count(), before);
});
