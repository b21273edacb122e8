import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { assertEqualBytes, pattern } from '../../src/conformance/device-content.ts';
import { Workplace } from '../command/varve.ts';
import { skipWithout } from './require-tool.ts';

const run = promisify(execFile);
const mebibyte = 2 ** 20;

/** A place with `disk.raw`: 16 MiB with a GPT and two partitions that hold something. */
async function placeWithDisk(t: TestContext): Promise<{ place: Workplace; disk: Uint8Array; path: string }> {
  const place = new Workplace(t);
  const path = join(place.directory, 'disk.raw');
  fs.writeFileSync(path, new Uint8Array(16 * mebibyte));
  const sfdisk = spawn('sfdisk', ['-q', '--no-reread', path], { stdio: ['pipe', 'ignore', 'inherit'] });
  sfdisk.stdin.end('label: gpt\nstart=2048, size=4096, name=boot\nstart=8192, size=10240, name=root\n');
  assert.equal((await once(sfdisk, 'close'))[0], 0);
  const file = fs.openSync(path, 'r+');
  fs.writeSync(file, pattern(mebibyte, 1), 0, mebibyte, mebibyte);
  fs.writeSync(file, pattern(3 * mebibyte, 2), 0, 3 * mebibyte, 5 * mebibyte);
  fs.closeSync(file);
  return { place, disk: fs.readFileSync(path), path };
}

/** What a program says of `varve serve ./disk.raw --filter …`; it must succeed. */
async function served(
  place: Workplace,
  filters: readonly string[],
  command: string,
  ...more: string[]
): Promise<string> {
  const options = filters.flatMap((filter) => ['--filter', filter]);
  const { status, stderr, stdout } = await place.run(['serve', './disk.raw', ...options, ...more, '--run', command]);
  assert.equal(status, 0, `${filters}: ${stderr}`);
  return stdout;
}

const copyOut = 'nbdcopy "$uri" ./out.raw';

describe('filters of what is served', { skip: skipWithout('sfdisk', 'nbdcopy', 'nbdinfo', 'qemu-io') }, () => {
  test('a partition, written through by qemu-io', async (t) => {
    const { disk, path, place } = await placeWithDisk(t);
    await served(place, ['partition=2'], `${copyOut} && qemu-io -f raw -c "write -P 9 4096 8192" "$uri"`);
    const partition = disk.subarray(8192 * 512, (8192 + 10_240) * 512);
    assertEqualBytes(fs.readFileSync(join(place.directory, 'out.raw')), partition, 'partition');
    disk.fill(9, 8192 * 512 + 4096, 8192 * 512 + 12_288);
    assertEqualBytes(fs.readFileSync(path), disk, 'disk');
  });

  test('the same content as nbdkit has through its filters of these kinds', {
    skip: skipWithout('nbdkit'),
  }, async (t) => {
    const { path, place } = await placeWithDisk(t);
    for (const [ours, theirs] of [
      [['partition=1'], ['--filter=partition', 'file', path, 'partition=1']],
      [['partition=2'], ['--filter=partition', 'file', path, 'partition=2']],
      [['offset=1000,5M'], ['--filter=offset', 'file', path, 'offset=1000', 'range=5M']],
      [['truncate=5M'], ['--filter=truncate', 'file', path, 'truncate=5M']],
      [['truncate=round-up=32M'], ['--filter=truncate', 'file', path, 'round-up=32M']],
      [
        ['offset=512', 'truncate=round-down=8M'],
        ['--filter=truncate', '--filter=offset', 'file', path, 'offset=512', 'round-down=8M'],
      ],
      [
        ['offset=7K', 'truncate=30M'],
        ['--filter=truncate', '--filter=offset', 'file', path, 'truncate=30M', 'offset=7K'],
      ],
    ] as const) {
      await served(place, ours, copyOut, '--read-only');
      const other = join(place.directory, 'theirs.raw');
      await run('nbdkit', ['-U', '-', '-r', ...theirs, '--run', `nbdcopy "$uri" ${other}`]);
      const [a, b] = [fs.readFileSync(join(place.directory, 'out.raw')), fs.readFileSync(other)];
      assertEqualBytes(a, b, ours.join());
    }
  });

  test('what makes a disk slow, quick, watched or faulty below a retry leaves its content', async (t) => {
    const { disk, place } = await placeWithDisk(t);
    for (const filters of [
      ['cache=4M', 'readahead'],
      ['delay=1ms', 'rate=1G', 'readahead=1M'],
      ['error=EIO:20%,seed=3', 'retry=30,delay=1ms'],
      ['cow', 'log=./requests.log', 'stats'],
    ]) {
      await served(place, filters, copyOut);
      assertEqualBytes(fs.readFileSync(join(place.directory, 'out.raw')), disk, filters.join());
    }
    const lines = fs.readFileSync(join(place.directory, 'requests.log'), 'utf8').trimEnd().split('\n');
    assert.ok(
      lines.some((line) => / read offset=\d+ length=\d+ took=\d+us ok$/.test(line)),
      lines[0],
    );
  });

  test('sizes that are told to clients', async (t) => {
    const { place } = await placeWithDisk(t);
    for (const [filter, size] of [
      ['truncate=1M', mebibyte],
      ['truncate=1T', 2 ** 40],
      ['truncate=round-up=10M', 20 * mebibyte],
      ['offset=1M,512', 512],
      ['partition=1', 4096 * 512],
    ] as const) {
      assert.equal(await served(place, [filter], 'nbdinfo --size "$uri"'), `${size}\n`);
    }
    const map = JSON.parse(await served(place, ['truncate=20M'], 'nbdinfo --map --json "$uri"'));
    assert.deepEqual(map.at(-1).type, 3, 'behind the end there is a hole');
  });

  test('what is written goes to an overlay, or nowhere', async (t) => {
    const { disk, path, place } = await placeWithDisk(t);
    const write =
      'qemu-io -f raw -c "write -P 7 1M 64k" -c "flush" "$uri" && qemu-io -f raw -r -c "read -P 7 1M 64k" "$uri"';
    for (const filter of ['cow', 'cow=memory']) {
      assert.doesNotMatch(await served(place, [filter], write), /failed/);
      assertEqualBytes(fs.readFileSync(path), disk, filter);
    }
    await served(place, ['readonly'], 'nbdinfo --is readonly "$uri"');
    await served(place, ['cow'], 'nbdinfo --is readonly "$uri"', '--read-only');
    await served(place, ['truncate=20M', 'cow'], 'qemu-io -f raw -c "write -P 7 18M 64k" "$uri"');
    assert.equal(fs.statSync(path).size, 16 * mebibyte);
  });

  test('clients are told of the errors that are asked for', async (t) => {
    const { place } = await placeWithDisk(t);
    for (const [filter, command, message] of [
      ['error=EIO,on=read', 'read 0 4k', /Input\/output error/],
      ['error=ENOSPC,on=write', 'write 0 4k', /No space left on device/],
      ['error=EPERM,on=write', 'write 0 4k', /Operation not permitted/],
      ['truncate=20M', 'write -P 1 18M 4k', /No space left on device/],
    ] as const) {
      const said = await served(place, [filter], `qemu-io -f raw -c "${command}" "$uri" 2>&1 || true`);
      assert.match(said, message, filter);
    }
    const said = await served(
      place,
      ['error=EIO,on=read,times=1'],
      'qemu-io -f raw -c "read 0 4k" -c "read 0 4k" "$uri" 2>&1 || true',
    );
    assert.deepEqual([said.match(/Input\/output error/g)?.length, said.match(/read 4096\/4096/g)?.length], [1, 1]);
  });

  test('stats come on standard error when it ends', async (t) => {
    const { place } = await placeWithDisk(t);
    const { stderr } = await place.run(['serve', './disk.raw', '--filter', 'stats', '--run', copyOut]);
    assert.match(stderr, /^requests to \.\/disk\.raw:\nread: \d+, .*\n(?: {2}< .* #+\n)+/);
  });

  test('a disk in files, and one in an archive', async (t) => {
    const { disk, place } = await placeWithDisk(t);
    await run('split', ['-b', '5M', '-d', '-a', '3', 'disk.raw', 'part.'], { cwd: place.directory });
    await run('tar', ['-czf', 'all.tar.gz', 'disk.raw'], { cwd: place.directory });
    await place.run(['convert', './part.000', './all.qcow2', '--filter', 'split']);
    assert.equal((await place.json('compare', './all.qcow2', './disk.raw')).identical, true);
    await place.varve('convert', './all.tar.gz', './out.raw', '--filter', 'tar=disk.raw');
    assertEqualBytes(fs.readFileSync(join(place.directory, 'out.raw')), disk, 'from the archive');
  });

  test('snapshots and images that are made through filters', async (t) => {
    const { disk, place } = await placeWithDisk(t);
    const boot = disk.subarray(mebibyte, 3 * mebibyte);
    await place.varve('import', './disk.raw', 'all');
    await place.varve('import', './disk.raw', 'boot', '--filter', 'partition=1');
    await place.varve('export', 'boot', './boot.raw');
    assertEqualBytes(fs.readFileSync(join(place.directory, 'boot.raw')), boot, 'imported partition');
    await place.varve('import', './disk.raw', 'again');
    assert.equal(
      (await place.json('compare', 'all', 'again')).identical,
      true,
      'nothing is remembered of the partition',
    );
    const difference = await place.run(['compare', 'all', 'all', '--filter', 'offset=1M']);
    assert.match(difference.stdout, /identical/);
    assert.equal((await place.json('info', 'all', '--filter', 'partition=2')).virtualSize, 5 * mebibyte);
    const command = 'nbdcopy "$uri" ./served.raw && qemu-io -f raw -c "write 0 4k" "$uri"';
    for (const options of [['--ephemeral'], ['--filter', 'cow']]) {
      await place.varve('serve', 'all', '--filter', 'partition=1', ...options, '--run', `${command} >./said`);
      assertEqualBytes(fs.readFileSync(join(place.directory, 'served.raw')), boot, 'served partition');
    }
  });

  test('what does not go together is refused', async (t) => {
    const { place } = await placeWithDisk(t);
    assert.match(await place.fails(2, 'serve', '--all', '--filter', 'cow'), /--all/);
    assert.match(await place.fails(2, 'convert', '--in-place', './disk.raw', '--filter', 'cow'), /--in-place/);
    assert.match(await place.fails(2, 'info', '--chain', './disk.raw', '--filter', 'cow'), /--chain/);
    assert.match(await place.fails(2, 'resize', './disk.raw', '1G', '--filter', 'cow'), /too many arguments/);
    assert.match(await place.fails(2, 'map', './disk.raw', '--filter', 'delay=10'), /delay=10.*delay=TIME/);
  });
});
