import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, suite, test } from 'node:test';
import { projectDirectory } from '../../scripts/project.ts';
import { hasTool } from '../../scripts/tour/tour.ts';

const skip = !hasTool('mke2fs') && 'mke2fs is not installed (Debian package e2fsprogs)';

suite('the tour', () => {
  let temporary = '';

  beforeEach(() => {
    temporary = mkdtempSync(join(tmpdir(), 'varve-'));
  });

  afterEach(() => rmSync(temporary, { recursive: true }));

  function leftovers(): string[] {
    return readdirSync(temporary).filter((name) => name.startsWith('varve'));
  }

  /** Runs the tour with its output collected, and interrupts it when that contains `last`. */
  async function tour({ args = [], last }: { args?: string[]; last?: string } = {}) {
    const child = spawn(process.execPath, [join(projectDirectory, 'scripts/tour.ts'), ...args], {
      env: { ...process.env, TMPDIR: temporary },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        if (last === undefined || !output.includes(last)) return;
        last = undefined;
        child.kill('SIGINT');
      });
    }
    const [status] = await once(child, 'close');
    return { status, output };
  }

  test('runs from end to end and leaves nothing behind', { skip }, async () => {
    const { status, output } = await tour();
    assert.equal(status, 0, output);
    for (const verb of ['import', 'list', 'log', 'diff', 'restore', 'export', 'gc', 'verify']) {
      assert.match(output, new RegExp(`^\\$ varve ${verb}`, 'm'));
    }
    assert.deepEqual(leftovers(), []);
  });

  test('ends when it is interrupted, and leaves nothing behind', { skip }, async () => {
    const { status, output } = await tour({ last: '$ varve import' });
    assert.equal(status, 1);
    assert.match(output, /The tour stops here: interrupted/);
    assert.deepEqual(leftovers(), []);
  });

  test('says that the disk it was given is not there', async () => {
    const { status, output } = await tour({ args: ['/no/such/disk.qcow2'] });
    assert.equal(status, 1);
    assert.match(output, /there is no file \/no\/such\/disk\.qcow2/);
    assert.deepEqual(leftovers(), []);
  });
});
