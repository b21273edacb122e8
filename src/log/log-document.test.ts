import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const document = readFileSync(new URL('../../docs/log.md', import.meta.url), 'utf8');
const source = new URL('../', import.meta.url).href;
const examples = [...document.matchAll(/```ts\n(.*?)```.*?```text\n(.*?)```/gs)];

test('docs/log.md has two examples that run', () => assert.equal(examples.length, 2));

for (const [index, [, code = '', output]] of examples.entries()) {
  test(`docs/log.md: example ${index + 1} prints what it says`, () => {
    const program = code.replaceAll("'../src/", `'${source}`);
    const options = ['--input-type=module-typescript', '--disable-warning=ExperimentalWarning', '-e', program];
    assert.equal(execFileSync(process.execPath, options, { encoding: 'utf8' }), output);
  });
}
