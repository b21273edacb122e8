import type { BlockDevice } from '../../block/block-device.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { testBlockDevice } from '../../conformance/block-device.ts';
import { pattern } from '../../conformance/device-content.ts';
import { lateFile } from '../../conformance/late-file.ts';
import { delayFilter } from '../../filter/delay.ts';
import type { CreateImageOptions } from '../image-format.ts';
import { createQcow2 } from './create-qcow2.ts';
import { openQcow2 } from './open-qcow2.ts';

/** A writable image in memory that holds `content`, over a backing file of other content. */
async function imageOf(
  content: Uint8Array,
  options: Omit<CreateImageOptions, 'size'>,
  isLate: boolean,
): Promise<BlockDevice> {
  const file = memoryDevice(0);
  await createQcow2(file, { ...options, size: content.length });
  const backing = memoryDevice(pattern(Math.ceil(content.length * 0.75), 77));
  const openBacking = async (): Promise<BlockDevice> => (isLate ? delayFilter(backing) : backing);
  const underneath = isLate ? lateFile(file) : file;
  const disk = await openQcow2(underneath, { name: 'test image', writable: true, openBacking });
  await disk.write(content, 0);
  return disk;
}

const base = { name: 'base', format: 'raw' };
const kinds: Readonly<Record<string, Omit<CreateImageOptions, 'size'>>> = {
  'clusters of 512 bytes': { clusterSize: 512, backing: base },
  'clusters of 4 KiB': { clusterSize: 4096, backing: base },
  'version 2': { clusterSize: 8192, backing: base, options: { compat: '0.10' } },
  'extended L2 entries': { clusterSize: 2 ** 16, backing: base, options: { extended_l2: 'on' } },
};

for (const [kind, options] of Object.entries(kinds)) {
  testBlockDevice(
    `a writable qcow2 image with a backing file, ${kind}`,
    (content) => imageOf(content, options, false),
    {
      sizes: [512, 4096, 65536, 140_288],
      synchronous: true,
      runs: 10,
    },
  );
}

testBlockDevice(
  'a writable qcow2 image whose file answers late',
  (content) => imageOf(content, { clusterSize: 4096, backing: base }, true),
  { sizes: [512, 4096, 140_288], runs: 5 },
);
