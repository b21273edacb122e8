import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

function run(program: string) {
  const url = new URL('./guard-process.ts', import.meta.url).href;
  const source = `const { guardProcess } = await import('${url}');
const guard = guardProcess(async (error) => (console.log('reported', error.message), 70));
${program}`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', source], {
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

test('guardProcess tells of a wait for what never comes, and the status is that of a bug', () => {
  assert.deepEqual(run('await new Promise(() => {});'), {
    status: 70,
    stdout: '',
    stderr: 'varve: internal error: the work came to an end in the middle; please report it\n',
  });
});

test('guardProcess has an error that was thrown in a callback reported', () => {
  const outcome = run("setTimeout(() => { throw new Error('oops'); }); await new Promise(() => {});");
  assert.deepEqual(outcome, { status: 70, stdout: 'reported oops\n', stderr: '' });
});

test('guardProcess is silent once all is done, but for errors that still come', () => {
  const late = run("guard[Symbol.dispose](); process.exitCode = 0; setTimeout(() => { throw new Error('late'); });");
  assert.deepEqual(late, { status: 70, stdout: 'reported late\n', stderr: '' });
  assert.deepEqual(run('guard[Symbol.dispose](); process.exitCode = 1;'), { status: 1, stdout: '', stderr: '' });
});
