import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { bootRecord, gptDisk } from '../../../test/partition/partitioned-disk.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { checkedDevice } from '../../block/checked-device.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { assertEqualBytes, contentOf, pattern } from '../../conformance/device-content.ts';
import { filteredDevice, keepsWrites } from './filter-chain.ts';
import { filterNames } from './filter-names.ts';
import { parseFilters } from './parse-filters.ts';

const size = 200_000;

/** A disk of a pattern through filters, and what they report. */
async function through(specs: readonly string[], content = pattern(size, 1)) {
  const reports: string[] = [];
  const below = memoryDevice(content);
  const chain = parseFilters(specs, { report: (text) => reports.push(text) });
  const device: BlockDevice = checkedDevice(await filteredDevice(below, chain, 'my disk'));
  return { below, device, reports, chain };
}

describe('filters of disks', () => {
  test('offset and truncate give a part of it, and another size', async () => {
    const content = pattern(size, 1);
    for (const [specs, start, end] of [
      [['offset=1K'], 1024, size],
      [['offset=1000,500'], 1000, 1500],
      [['offset=1000', 'offset=1000,10'], 2000, 2010],
      [['truncate=1K'], 0, 1024],
      [['truncate=round-down=64K'], 0, 196_608],
      [['truncate=1K', 'offset=1000'], 1000, 1024],
    ] as const) {
      const { device } = await through(specs);
      assertEqualBytes(await contentOf(device), content.subarray(start, end), specs.join());
    }
    const { device } = await through(['truncate=round-up=64K']);
    assert.equal(device.size, 262_144);
    assertEqualBytes(await contentOf(device, size), new Uint8Array(62_144), 'zeros');
  });

  test('partition is that of a GPT or an MBR, and can be written', async () => {
    const content = gptDisk(300, [{ number: 3, first: 64, last: 99 }]);
    content.fill(7, 64 * 512, 100 * 512);
    const { below, device } = await through(['partition=3'], content);
    assertEqualBytes(await contentOf(device), new Uint8Array(36 * 512).fill(7), 'partition');
    await device.write(Uint8Array.of(9), 1);
    assert.deepEqual((await contentOf(below, 64 * 512, 3)).subarray(), Uint8Array.of(7, 9, 7));
    const mbr = new Uint8Array(2 ** 20);
    mbr.set(bootRecord([{ type: 0x83, first: 2, count: 3 }]));
    assert.equal((await through(['partition=1'], mbr)).device.size, 1536);
    assert.equal((await through(['partition=1,sector-size=4096'], mbr)).device.size, 12_288);
  });

  test('cow keeps what is written from the disk, readonly refuses it', async () => {
    for (const spec of ['cow', 'cow=memory']) {
      const { below, chain, device } = await through([spec]);
      await device.write(new Uint8Array(1000), 5);
      assertEqualBytes(await contentOf(device, 5, 1000), new Uint8Array(1000), spec);
      assertEqualBytes(await contentOf(below), pattern(size, 1), spec);
      assert.ok(keepsWrites(chain));
      await device[Symbol.asyncDispose]();
    }
    const { chain, device } = await through(['readonly']);
    await assert.rejects(async () => device.write(new Uint8Array(1), 0), { code: 'READ_ONLY' });
    assert.ok(keepsWrites(chain));
    assert.ok(!keepsWrites(parseFilters(['cache'], { report() {} })));
  });

  test('what makes it slow or quick shows the same disk', async () => {
    const specs = ['cache', 'cache=1M,block=4K', 'readahead', 'readahead=128K', 'delay=100us', 'rate=1G', 'retry'];
    const more = ['rate=read=1G/s,write=2G', 'delay=read=0ms,write=1ms,jitter=1ms', 'retry=3,delay=1ms,factor=1'];
    for (const spec of [...specs, ...more]) {
      const { device } = await through([spec]);
      assertEqualBytes(await contentOf(device), pattern(size, 1), spec);
    }
  });

  test('error fails what it is told to, and retry over it does not notice', async () => {
    const { device } = await through(['error=EIO:50%,on=read+flush,seed=3']);
    let failures = 0;
    for (let count = 0; count < 100; count += 1) {
      await device.write(new Uint8Array(1), 0);
      await Promise.try(() => device.read(new Uint8Array(1), 0)).catch((error) => {
        assert.equal(error.code, 'IO');
        failures += 1;
      });
    }
    assert.ok(failures > 20 && failures < 80, `${failures}`);
    const full = await through(['error=ENOSPC,after=1,times=1']);
    await full.device.write(new Uint8Array(1), 0);
    await assert.rejects(async () => full.device.write(new Uint8Array(1), 0), { code: 'NO_SPACE' });
    await full.device.write(new Uint8Array(1), 0);
    const retried = await through(['error=EIO:50%,seed=3', 'retry=60,delay=0ms']);
    for (let count = 0; count < 30; count += 1) await retried.device.read(new Uint8Array(1), count);
  });

  test('stats reports once, when it is closed', async () => {
    const { device, reports } = await through(['stats']);
    await device.read(new Uint8Array(1000), 0);
    await device.read(new Uint8Array(1000), 0);
    await device.write(new Uint8Array(24), 0);
    assert.deepEqual(reports, []);
    await device[Symbol.asyncDispose]();
    await device[Symbol.asyncDispose]();
    assert.equal(reports.length, 1);
    assert.match(reports[0]!, /^requests to my disk:\nread: 2, 2.0 KiB, mean \d+ µs, 99 % below \d+ µs\n {2}< /);
    assert.match(reports[0]!, /\nwrite: 1, 24 B, .*\n {2}< \d+ µs +1 #+$/);
  });

  test('log adds a line for each request', async (t) => {
    const path = join(directoryFor(t), 'a,b=c');
    fs.writeFileSync(path, 'before\n');
    const { device } = await through([`log=${path}`, 'error=EIO,on=zero']);
    await device.read(new Uint8Array(1000), 24);
    await device.flush();
    await device[Symbol.asyncDispose]();
    const lines = fs.readFileSync(path, 'utf8').split('\n');
    assert.equal(lines[0], 'before');
    assert.match(lines[1]!, /^\d{4}-\d\d-\d\dT[\d:.]+Z read offset=24 length=1000 took=\d+us ok$/);
    assert.match(lines[2]!, /Z flush took=\d+us ok$/);
    assert.deepEqual(lines.slice(3), ['']);
    const failing = await through(['error=EIO,on=zero', `log=${path}`]);
    await assert.rejects(async () => failing.device.zero(0, 1));
    await failing.device[Symbol.asyncDispose]();
    assert.match(fs.readFileSync(path, 'utf8'), /zero offset=0 length=1 took=\d+us IO "cannot .*"\n$/);
  });

  test('the last one is the outermost', async () => {
    const rules = ['error=EIO,on=read', 'cow=memory'];
    const within = await through(rules);
    await within.device.write(new Uint8Array(4096), 0);
    await within.device.read(new Uint8Array(4096), 0);
    await assert.rejects(async () => within.device.read(new Uint8Array(1), 4096), { code: 'IO' });
    const outside = await through(rules.toReversed());
    await outside.device.write(new Uint8Array(4096), 0);
    await assert.rejects(async () => outside.device.read(new Uint8Array(1), 0), { code: 'IO' });
  });
});

describe('filters that cannot be', () => {
  const wrong = [
    ...['', 'foo', 'foo=1', 'Partition=1', 'constructor', 'partition', 'partition=0', 'partition=1.5', 'partition=1,2'],
    ...['partition=1,sector-size=1000', 'offset', 'offset=', 'offset=x', 'offset=1,2,3', 'offset=-1', 'truncate'],
    ...['truncate=1,round-up=2', 'truncate=round-up=0', 'readonly=1', 'cow=disk', 'cache=1', 'cache=1M,block=1000'],
    ...['cache=1M,size=1', 'readahead=1K', 'rate', 'rate=0', 'rate=fast', 'rate=read=1,read=2', 'delay', 'delay=10'],
    ...['delay=-1ms', 'delay=99d', 'delay=sleep=1ms', 'error', 'error=EFOO', 'error=EIO:2', 'error=EIO:101%'],
    ...['error=EIO:1%:2', 'error=EIO,on=reading', 'error=EIO,on=', 'error=EIO,seed=x', 'retry=x', 'retry=1,delay=1'],
    ...['log', 'log=', 'stats=all', 'split=', 'split=a,', 'tar', 'tar='],
  ];
  for (const spec of wrong) {
    test(`${JSON.stringify(spec)} is INVALID, by name and with what is allowed`, () => {
      const [name] = spec.split('=');
      const parse = () => parseFilters([spec], { report() {} });
      assert.throws(parse, (error: NodeJS.ErrnoException) => {
        assert.equal(error.code, 'INVALID', `${error}`);
        const known = filterNames.find((each) => each.name === name);
        assert.ok(error.message.includes(known?.usage ?? 'there are split, tar, partition'), error.message);
        return error.message.includes(spec);
      });
    });
  }

  test('filters of files after those of disks', () => {
    assert.throws(() => parseFilters(['cow', 'split'], { report() {} }), { code: 'INVALID', message: /before/ });
  });

  test('filters that do not fit the disk close it, and say which they are', async () => {
    for (const [spec, code] of [
      ['partition=1', 'NOT_FOUND'],
      ['offset=1G', 'OUT_OF_RANGE'],
      ['offset=0,1G', 'OUT_OF_RANGE'],
      ['log=/nowhere/at/all', 'NOT_FOUND'],
    ] as const) {
      const below = memoryDevice(size);
      let disposals = 0;
      Object.assign(below, {
        async [Symbol.asyncDispose]() {
          disposals += 1;
        },
      });
      const chain = parseFilters([spec], { report() {} });
      const message = new RegExp(`^cannot use --filter ${spec}: `);
      await assert.rejects(filteredDevice(below, chain, 'my disk'), { code, message });
      assert.equal(disposals, 1);
    }
  });
});

function directoryFor(t: TestContext): string {
  const directory = fs.mkdtempSync(join(tmpdir(), 'varve-'));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  return directory;
}
