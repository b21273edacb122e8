import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BlockDevice } from '../../block/block-device.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { pattern } from '../../conformance/device-content.ts';
import { ImageHistory } from '../../conformance/image-power-cut.ts';
import type { CreateImageOptions, FormatDevice } from '../image-format.ts';
import { checkQcow2 } from './check/check-qcow2.ts';
import { createQcow2 } from './create-qcow2.ts';
import { openQcow2 } from './open-qcow2.ts';

interface Kind {
  readonly create: CreateImageOptions;
  readonly maximumLength: number;
  readonly operationCount: number;
}

const backing = { name: 'base', format: 'raw' };
const kinds: Readonly<Record<string, Kind>> = {
  'clusters of 512 bytes': { create: { size: 200_192, clusterSize: 512 }, maximumLength: 8192, operationCount: 120 },
  'clusters of 4 KiB': { create: { size: 2 ** 20, clusterSize: 4096 }, maximumLength: 32768, operationCount: 120 },
  'a backing file': {
    create: { size: 200_192, clusterSize: 2048, backing },
    maximumLength: 16384,
    operationCount: 120,
  },
  'version 2': {
    create: { size: 200_192, clusterSize: 512, options: { compat: '0.10' } },
    maximumLength: 8192,
    operationCount: 120,
  },
  'extended L2 entries': {
    create: { size: 2 ** 20, clusterSize: 2 ** 14, backing, options: { extended_l2: 'on' } },
    maximumLength: 40960,
    operationCount: 120,
  },
  'a refcount table that grows': {
    create: { size: 2 ** 24, clusterSize: 512 },
    maximumLength: 2 ** 21,
    operationCount: 24,
  },
};

function open(file: BlockDevice, writable: boolean): Promise<FormatDevice> {
  const openBacking = async (): Promise<BlockDevice> => memoryDevice(pattern(150_000, 3));
  return openQcow2(file, { name: 'test image', writable, openBacking });
}

async function newHistory({ create, maximumLength, operationCount }: Kind, seed: number): Promise<ImageHistory> {
  const file = memoryDevice(0);
  await createQcow2(file, create);
  return ImageHistory.record(file, {
    ...{ seed, operationCount, maximumLength, resizes: operationCount > 40 },
    open: (recorder) => open(recorder, true),
  });
}

/** Cuts all over the history, and around each change of the header or of an entry of the refcount table. */
function chosenCuts(history: ImageHistory, { operationCount }: Kind): Set<number> {
  const stride = Math.ceil(history.eventCount / (operationCount > 40 ? 150 : 8));
  const spread = Array.from({ length: Math.ceil(history.eventCount / stride) }, (_, index) => index * stride);
  const near = history.eventCountsNear(
    ({ kind, length, offset }) => kind === 'write' && (length === 8 || offset === 20),
  );
  return new Set([...spread, ...near.slice(0, 60), history.eventCount]);
}

describe('a power cut at any write', () => {
  for (const [name, kind] of Object.entries(kinds)) {
    test(`${name}: leaves leaks at most, and every sector as it was flushed or written since`, async () => {
      const history = await newHistory(kind, 1);
      for (const eventCount of chosenCuts(history, kind)) {
        for (const replay of [{}, { dropUnsynced: true }, { reorderSeed: eventCount }, { reorderSeed: -eventCount }]) {
          const cut = history.cut(eventCount, replay);
          const report = await checkQcow2(cut.file, { name: 'test image' });
          assert.equal(report.corruptions, 0, `${cut.description}: ${report.problems}`);
          await using disk = await open(cut.file, false);
          await cut.assertContent(disk);
        }
      }
    });
  }

  test('lazy refcounts: is repaired when the image is opened to be written', async () => {
    const kind = { ...kinds['clusters of 4 KiB']!, operationCount: 60 };
    const options = { lazy_refcounts: 'on' };
    const history = await newHistory({ ...kind, create: { ...kind.create, options } }, 2);
    for (let eventCount = 0; eventCount <= history.eventCount; eventCount += Math.ceil(history.eventCount / 60)) {
      for (const replay of [{}, { dropUnsynced: true }, { reorderSeed: eventCount }]) {
        const cut = history.cut(eventCount, replay);
        {
          // Disposing of a device in memory forgets what it held.
          const file = Object.assign(cut.file, { [Symbol.asyncDispose]: async () => undefined });
          await using disk = await open(file, true);
          await cut.assertContent(disk);
          await disk.write(new Uint8Array(512), 0);
        }
        const report = await checkQcow2(cut.file, { name: 'test image' });
        assert.deepEqual([report.corruptions, report.leaks], [0, 0], `${cut.description}: ${report.problems}`);
      }
    }
  });
});
