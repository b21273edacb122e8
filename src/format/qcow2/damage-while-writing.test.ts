import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryDevice } from '../../block/memory-device.ts';
import { pattern } from '../../conformance/device-content.ts';
import { hasFeature } from './check-header.ts';
import { createQcow2 } from './create-qcow2.ts';
import { qcow2Format } from './qcow2.ts';
import { readHeader } from './read-header.ts';

const name = 'test disk';
const clusterSize = 65536;

/** An image of which the first cluster is written, and the file it is in. */
async function writtenImage(compat: string) {
  const file = Object.assign(memoryDevice(0), { [Symbol.asyncDispose]: async () => undefined });
  await createQcow2(file, { size: 2 ** 20, options: { compat } });
  const open = () => qcow2Format.open(file, { name, writable: true });
  {
    await using disk = await open();
    await disk.write(pattern(clusterSize, 1), 0);
  }
  const { l1TableOffset } = await readHeader(file, name);
  const entry = new DataView(new ArrayBuffer(8));
  await file.read(new Uint8Array(entry.buffer), l1TableOffset);
  return { file, open, l2TableOffset: Number(entry.getBigUint64(0) & 0xff_ffff_ffff_fe00n) };
}

for (const compat of ['0.10', '1.1']) {
  test(`an image of compat ${compat} whose content lies in its tables is not written to, and says so from then on`, async () => {
    const { file, l2TableOffset, open } = await writtenImage(compat);
    const entry = new DataView(new ArrayBuffer(8));
    entry.setBigUint64(0, (1n << 63n) | BigInt(l2TableOffset));
    await file.write(new Uint8Array(entry.buffer), l2TableOffset + 8);
    {
      await using disk = await open();
      await disk.write(pattern(512, 2), 0);
      await assert.rejects(async () => disk.write(pattern(512, 2), clusterSize), {
        code: 'CORRUPT',
        message: /lies in its L2 table, and is not written/,
      });
    }
    const isMarked = compat !== '0.10';
    assert.equal(hasFeature(await readHeader(file, name), 'corrupt'), isMarked);
    if (isMarked) await assert.rejects(open(), { code: 'READ_ONLY' });
  });
}
