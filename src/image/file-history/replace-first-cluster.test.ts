import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryDevice } from '../../block/memory-device.ts';
import { contentOf } from '../../conformance/device-content.ts';
import { randomBelow, seededRandom } from '../../filter/seeded-random.ts';
import { contentStampType } from '../../format/qcow2/content-stamp.ts';
import { createQcow2 } from '../../format/qcow2/create-qcow2.ts';
import { decodeHeader, type Qcow2Header } from '../../format/qcow2/header.ts';
import { readHeader } from '../../format/qcow2/read-header.ts';
import { replaceFirstCluster } from './replace-first-cluster.ts';

const name = 'test disk';

/** What a change of the base changes: the name, and an extension of so many bytes behind all others. */
function withBase(header: Qcow2Header, backingFile: string, stampLength: number): Qcow2Header {
  const others = header.extensions.filter(({ type }) => type !== contentStampType);
  const stamp = { type: contentStampType, data: new Uint8Array(stampLength).fill(stampLength % 251) };
  return { ...header, backingFile, extensions: [...others, stamp] };
}

/** Everything in a first cluster that counts. */
function meaningOf(firstCluster: Uint8Array): string {
  const { additionalFields, ...header } = decodeHeader(firstCluster, name);
  const fields = Object.entries(header).filter(([key]) => key !== 'extensions');
  const extensions = header.extensions.map(({ type, data }) => `${type}:${Buffer.from(data).toString('hex')}`);
  return [...fields, ...extensions].join();
}

/** The states that a power cut may leave: all writes but those since a flush, and any sectors of these. */
function* cutOff(before: Uint8Array, log: readonly ('flush' | { offset: number; bytes: Uint8Array })[], seed: number) {
  const random = seededRandom(seed);
  const durable = before.slice();
  let pending: { offset: number; bytes: Uint8Array }[] = [];
  for (const entry of log) {
    if (entry === 'flush') {
      for (const { bytes, offset } of pending) durable.set(bytes, offset);
      pending = [];
    } else pending.push(entry);
    for (let attempt = 0; attempt < 20; attempt += 1) {
      const state = durable.slice();
      for (const { bytes, offset } of pending) {
        for (let sector = 0; sector < bytes.length; sector += 512) {
          if (randomBelow(random, 2) === 0) state.set(bytes.subarray(sector, sector + 512), offset + sector);
        }
      }
      yield state;
    }
  }
}

for (const clusterSize of [4096, 65536]) {
  test(`clusters of ${clusterSize} bytes: a power cut leaves all of one header, however long`, async () => {
    const file = memoryDevice(0);
    await createQcow2(file, { size: 2 ** 20, clusterSize });
    for (const [round, stampLength] of [10, 400, 900, 300, 1200, 20, 700].entries()) {
      const before = new Uint8Array(await contentOf(file, 0, clusterSize));
      const log: ('flush' | { offset: number; bytes: Uint8Array })[] = [];
      const recording = Object.assign(Object.create(null), {
        size: file.size,
        write(bytes: Uint8Array, offset: number) {
          log.push({ offset, bytes: bytes.slice() });
          file.write(bytes, offset);
        },
        flush: () => void log.push('flush'),
      });
      const header = await readHeader(file, name);
      const base = `base-${round}-${'x'.repeat(round * 30)}`;
      await replaceFirstCluster(recording, before, header, (current) => withBase(current, base, stampLength));
      const after = new Uint8Array(await contentOf(file, 0, clusterSize));
      const [oldMeaning, newMeaning] = [meaningOf(before), meaningOf(after)];
      assert.equal(decodeHeader(after, name).backingFile, base);
      for (const state of cutOff(before, log, round)) {
        const meaning = meaningOf(state);
        assert.ok(meaning === oldMeaning || meaning === newMeaning, `round ${round}`);
      }
      assert.equal(meaningOf(after), newMeaning);
    }
  });
}
