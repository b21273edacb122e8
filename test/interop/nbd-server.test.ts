import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { promisify } from 'node:util';
import type { BlockDevice } from '../../src/block/block-device.ts';
import { memoryDevice } from '../../src/block/memory-device.ts';
import { assertEqualBytes, contentOf, pattern } from '../../src/conformance/device-content.ts';
import { delayFilter } from '../../src/filter/delay.ts';
import { faultFilter } from '../../src/filter/fault.ts';
import { type NbdExport, sharedEntry } from '../../src/server/nbd/nbd-export.ts';
import { listenNbd, type NbdServer } from '../../src/server/nbd/nbd-server.ts';
import { skipWithout } from './require-tool.ts';

const run = promisify(execFile);
const directory = await mkdtemp(join(tmpdir(), 'varve-'));
after(() => rm(directory, { recursive: true }));

let serverCount = 0;

/** A server of these exports, and the URI of each. */
async function serving(
  exports: Record<string, NbdExport>,
): Promise<{ server: NbdServer; path: string; uri: (name?: string) => string } & AsyncDisposable> {
  serverCount += 1;
  const path = join(directory, `${serverCount}.sock`);
  const server = await listenNbd(
    { kind: 'unix', path },
    {
      exports: {
        list: () => Object.entries(exports).map(([name, { description }]) => ({ name, description })),
        find: (name) => {
          const found = exports[name];
          return found === undefined ? undefined : sharedEntry(found);
        },
      },
    },
  );
  return {
    server,
    path,
    uri: (name = '') => `nbd+unix:///${name}?socket=${path}`,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** Half data, half zeros, and an end that no sector has. */
function someDisk(): { content: Uint8Array; device: BlockDevice } {
  const content = new Uint8Array(2 ** 20 + 777);
  content.set(pattern(300_000, 1), 65_536);
  content.set(pattern(777, 2), 2 ** 20);
  return { content, device: memoryDevice(content) };
}

describe('nbdinfo', { skip: skipWithout('nbdinfo') }, () => {
  test('sees every export with what it can do', async () => {
    await using served = await serving({
      web: { device: someDisk().device, description: 'the web server' },
      'read only': { device: memoryDevice(4096, { readOnly: true }) },
    });
    const { stdout } = await run('nbdinfo', ['--list', '--json', served.uri()]);
    const { exports, protocol, structured } = JSON.parse(stdout);
    assert.deepEqual([protocol, structured], ['newstyle-fixed', true]);
    const [web, readOnly] = exports;
    assert.deepEqual(
      [web['export-name'], web.description, web['export-size']],
      ['web', 'the web server', 2 ** 20 + 777],
    );
    assert.deepEqual(web.contexts, ['base:allocation']);
    assert.deepEqual([web.block_size_minimum, web.block_size_preferred], [1, 4096]);
    const abilities = ['cache', 'df', 'fast_zero', 'flush', 'fua', 'multi_conn', 'trim', 'zero'];
    for (const ability of abilities) assert.equal(web[`can_${ability}`], true, ability);
    assert.equal(web.is_read_only, false);
    assert.deepEqual([readOnly.is_read_only, readOnly.can_zero, readOnly.can_trim], [true, false, false]);
  });

  test('maps data and holes', async () => {
    await using served = await serving({ '': { device: someDisk().device } });
    const { stdout } = await run('nbdinfo', ['--map', '--json', served.uri()]);
    const runs = JSON.parse(stdout).map(({ offset, length, type }: Record<string, number>) => [offset, length, type]);
    assert.deepEqual(runs, [
      [0, 65536, 3],
      [65536, 5 * 65536, 0],
      [6 * 65536, 10 * 65536, 3],
      [2 ** 20, 777, 0],
    ]);
  });
});

describe('nbdcopy and nbdkit', { skip: skipWithout('nbdcopy', 'nbdkit') }, () => {
  const copyOptions = [
    [],
    ['--connections=4', '--requests=64'],
    ['--synchronous'],
    ['--no-extents', '--request-size=4096'],
  ];
  for (const options of copyOptions) {
    test(`a sparse random disk comes and goes whole: nbdcopy ${options.join(' ')}`, async () => {
      await using served = await serving({ '': { device: memoryDevice(64 * 2 ** 20) } });
      const copy = `nbdcopy ${options.join(' ')}`;
      const script = `${copy} "$uri" "${served.uri()}" && ${copy} "${served.uri()}" "$uri"`;
      await run('nbdkit', ['-U', '-', 'sparse-random', 'size=64M', 'seed=42', 'runlength=100000', '--run', script]);
    });
  }

  test('a disk whose requests finish later, each after its own time, comes whole, too', async () => {
    const slow = delayFilter(memoryDevice(4 * 2 ** 20), { jitterMs: 3 });
    await using served = await serving({ '': { device: slow } });
    const script = `nbdcopy "$uri" "${served.uri()}" && nbdcopy "${served.uri()}" "$uri"`;
    await run('nbdkit', ['-U', '-', 'sparse-random', 'size=4M', 'seed=7', '--run', script]);
  });
});

describe('qemu', { skip: skipWithout('qemu-img', 'qemu-io') }, () => {
  test('qemu-img converts from it and to it, and compares', async () => {
    // qemu-img itself knows no disks that end inside a sector.
    const device = memoryDevice(someDisk().content.subarray(0, 2 ** 20));
    await using served = await serving({ web: { device }, copy: { device: memoryDevice(2 ** 20) } });
    const uri = (name: string): string => `nbd+unix:///${name}?socket=${served.path}`;
    await run('qemu-img', ['convert', '-n', '-f', 'raw', '-O', 'raw', uri('web'), uri('copy')]);
    const { stdout } = await run('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', uri('web'), uri('copy')]);
    assert.match(stdout, /identical/);
  });

  test('qemu-io writes, zeroes and discards', async () => {
    const { content, device } = someDisk();
    await using served = await serving({ '': { device } });
    const commands = [
      'write -P 7 1000 5000',
      'write -z 100000 70000',
      'write -z -u 200000 70000',
      'discard 0 65536',
      'flush',
    ];
    await run('qemu-io', ['-f', 'raw', ...commands.flatMap((command) => ['-c', command]), served.uri()]);
    content.fill(7, 1000, 6000).fill(0, 100_000, 170_000).fill(0, 200_000, 270_000).fill(0, 0, 65536);
    assertEqualBytes(await contentOf(device), content, 'what was written');
  });
});

/** The system's Python comes first: it is the one that has libnbd. */
const environment = { ...process.env, PATH: `/usr/bin:${process.env.PATH}` };

describe('nbdsh', { skip: skipWithout('nbdsh') }, () => {
  async function script(uri: string, ...lines: string[]): Promise<string> {
    const code = [
      'h.set_strict_mode(0)',
      'h.add_meta_context("base:allocation")',
      `h.connect_uri("${uri}")`,
      ...lines,
    ].join('\n');
    const { stdout } = await run('nbdsh', ['-c', code], { env: environment });
    return stdout;
  }

  const attempt = (call: string): string =>
    ['try:', `    ${call}`, '    print("done")', 'except nbd.Error as error:', '    print(error.errno)'].join('\n');

  test('misuse is answered with the right error, and the connection lives on', async () => {
    const { content, device } = someDisk();
    await using served = await serving({ '': { device } });
    const end = content.length;
    const cases: [call: string, answer: string][] = [
      [`h.pread(10, ${end - 5})`, 'EINVAL'],
      [`h.pread(${2 ** 25 + 1}, 0)`, 'EOVERFLOW|EINVAL|ERANGE'],
      [`h.pwrite(b"x" * 10, ${end - 5})`, 'ENOSPC'],
      [`h.pwrite(b"x" * ${2 ** 25 + 1}, 0)`, 'EINVAL|ERANGE'],
      [`h.zero(${2 ** 31}, 0)`, 'ENOSPC'],
      [`h.trim(10, ${end})`, 'EINVAL'],
      [`h.cache(10, ${end})`, 'EINVAL'],
      ['h.pread(512, 0, 0x80)', 'EINVAL'],
      ['h.pwrite(b"x", 0, nbd.CMD_FLAG_DF)', 'EINVAL'],
      ['h.trim(512, 0, nbd.CMD_FLAG_REQ_ONE)', 'EINVAL'],
      ['h.zero(512, 0, nbd.CMD_FLAG_NO_HOLE | nbd.CMD_FLAG_FAST_ZERO)', 'ENOTSUP|EOPNOTSUPP'],
      ['h.block_status(0, 0, lambda *args: 0)', 'EINVAL'],
      ['h.zero(512, 0, nbd.CMD_FLAG_NO_HOLE)', 'done'],
      ['h.pwrite(b"x" * 512, 1, nbd.CMD_FLAG_FUA)', 'done'],
      ['h.flush()', 'done'],
      ['h.cache(65536, 0)', 'done'],
    ];
    const answers = (await script(served.uri(), ...cases.map(([call]) => attempt(call)))).trim().split('\n');
    assert.equal(answers.length, cases.length);
    for (const [index, [call, answer]] of cases.entries())
      assert.match(answers[index]!, new RegExp(`^(${answer})$`), call);
  });

  test('a read-only disk refuses changes', async () => {
    await using served = await serving({ '': { device: memoryDevice(4096, { readOnly: true }) } });
    const calls = ['h.pwrite(b"x", 0)', 'h.zero(512, 0)', 'h.trim(512, 0)'];
    assert.equal((await script(served.uri(), ...calls.map(attempt))).trim(), 'EPERM\nEPERM\nEPERM');
  });

  test('a disk that fails gives EIO, for that request alone', async () => {
    const device = faultFilter(memoryDevice(pattern(2 ** 20, 3)), {
      rules: [{ operations: ['read'], range: { offset: 65536, length: 4096 } }],
    });
    await using served = await serving({ '': { device } });
    const answers = await script(
      served.uri(),
      attempt('h.pread(512, 65536)'),
      attempt('h.pread(262144, 0)'),
      attempt('h.pread(512, 0)'),
    );
    assert.equal(answers.trim(), 'EIO\nEIO\ndone');
  });
});
