import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, suite, test } from 'node:test';
import { projectDirectory } from '../../scripts/project.ts';

suite('./varve', () => {
  let clone = '';

  beforeEach(() => {
    clone = mkdtempSync(join(tmpdir(), 'varve-'));
    for (const directory of ['src', 'dist', 'node_modules/.bin'])
      mkdirSync(join(clone, directory), { recursive: true });
    cpSync(join(projectDirectory, 'varve'), join(clone, 'varve'));
    symlinkSync(process.execPath, join(clone, 'node_modules/.bin/node'));
    write('package.json', '{ "type": "module" }');
    write('src/main.ts', "const which: string = 'source'; console.log(which, ...process.argv.slice(2));");
    write('dist/main.js', "console.log('built', ...process.argv.slice(2)); process.exitCode = 5;");
  });

  afterEach(() => rmSync(clone, { recursive: true }));

  function write(path: string, text: string): void {
    writeFileSync(join(clone, path), text);
  }

  /** Marks the build as made `ageSeconds` before the source was. */
  function built(ageSeconds: number): void {
    write('dist/.built', '');
    const seconds = Date.now() / 1000 - 100;
    for (const path of ['src/main.ts', 'src', 'package.json']) utimesSync(join(clone, path), seconds, seconds);
    utimesSync(join(clone, 'dist/.built'), seconds - ageSeconds, seconds - ageSeconds);
  }

  function run(program = join(clone, 'varve'), cwd = clone) {
    const { status, stdout, stderr } = spawnSync(program, ['a b', '--c'], { cwd, encoding: 'utf8' });
    return { status, stdout, stderr };
  }

  test('runs what is built and passes arguments and status on', () => {
    built(-10);
    assert.deepEqual(run(), { status: 5, stdout: 'built a b --c\n', stderr: '' });
  });

  test('runs the source where it is newer than the build', () => {
    built(10);
    assert.equal(run().stdout, 'source a b --c\n');
  });

  test('runs the source where a file has gone since the build', () => {
    write('src/gone.ts', '');
    built(-10);
    rmSync(join(clone, 'src/gone.ts'));
    assert.equal(run().stdout, 'source a b --c\n');
  });

  test('takes no notice of a newer test', () => {
    write('src/a.test.ts', '');
    built(-10);
    assert.equal(run().stdout, 'built a b --c\n');
  });

  test('runs the source where nothing is built', () => {
    assert.equal(run().stdout, 'source a b --c\n');
  });

  test('finds its clone through links, relative and absolute', () => {
    built(-10);
    mkdirSync(join(clone, 'bin'));
    symlinkSync('../varve', join(clone, 'bin/relative'));
    symlinkSync(join(clone, 'bin/relative'), join(clone, 'bin/absolute'));
    assert.equal(run(join(clone, 'bin/absolute'), tmpdir()).stdout, 'built a b --c\n');
  });

  test('says what to do in a clone that is not set up', () => {
    rmSync(join(clone, 'node_modules'), { recursive: true });
    const { status, stdout, stderr } = run();
    assert.deepEqual({ status, stdout }, { status: 69, stdout: '' });
    assert.equal(stderr, `varve: this clone is not set up: run npm start in ${clone}\n`);
  });
});
