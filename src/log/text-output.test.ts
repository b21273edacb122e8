import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { TextOutput } from './text-output.ts';

const module = new URL('./text-output.ts', import.meta.url).href;

/** A child process that runs `code` with TextOutput at hand; its standard error is a pipe. */
function run(code: string) {
  const source = `import { TextOutput } from ${JSON.stringify(module)};\n${code}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<[number | null, NodeJS.Signals | null]>((resolve) =>
    child.once('close', (code, signal) => resolve([code, signal])),
  );
  return { child, ended };
}

test('TextOutput: all of it arrives through a pipe that is full and does not block, also when the process ends at once', async () => {
  // A socket object on the descriptor puts it into non-blocking mode.
  const { child, ended } = run(`
    import { Socket } from 'node:net';
    new Socket({ fd: 2 }).unref();
    const output = new TextOutput({ fd: 2, write() {} });
    for (let index = 0; index < 20000; index += 1) output.write('line ' + index + ' ' + 'x'.repeat(90) + '\\n');
    process.exit(3);
  `);
  let text = '';
  await setTimeout(100);
  child.stderr.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  assert.deepEqual(await ended, [3, null]);
  const lines = text.trimEnd().split('\n');
  assert.equal(lines.length, 20_000);
  assert.ok(lines.every((line, index) => line.startsWith(`line ${index} `) && line.endsWith('x'.repeat(90))));
});

test('TextOutput: a reader that is gone does no harm', async () => {
  const { child, ended } = run(`
    const output = new TextOutput({ fd: 2, write() {} });
    process.stdout.write('ready');
    await new Promise((resolve) => setTimeout(resolve, 200));
    for (let index = 0; index < 1000; index += 1) output.write('x'.repeat(1000));
    process.exit(4);
  `);
  child.stdout.once('data', () => child.stderr.destroy());
  assert.deepEqual(await ended, [4, null]);
});

test('TextOutput writes to a stream that is no descriptor, and bears one that throws', () => {
  const written: string[] = [];
  new TextOutput({ write: (text) => written.push(text) }).write('a');
  assert.deepEqual(written, ['a']);
  let calls = 0;
  const broken = new TextOutput({
    write: () => {
      calls += 1;
      throw new Error('closed');
    },
  });
  broken.write('a');
  broken.write('b');
  assert.equal(calls, 1);
});
