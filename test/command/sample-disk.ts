import fs from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fillMounted } from '../filesystem/mounted-image.ts';
import { run } from '../filesystem/sample-image.ts';
import { makeSampleTree } from '../filesystem/sample-tree.ts';
import { Workplace } from './varve.ts';

/** A workplace with a disk. */
export interface DiskPlace {
  readonly place: Workplace;
  /** Its absolute path; it is `./disk.raw` there. */
  readonly disk: string;
  /** The tree that the disk was made from. */
  readonly tree: string;
}

/** A disk with files of every kind, which only root can make all of: an ext4 file system without partitions. */
export async function sampleDisk(t: TestContext): Promise<DiskPlace> {
  const place = new Workplace(t);
  const [tree, disk] = [join(place.directory, 'tree'), join(place.directory, 'disk.raw')];
  fs.mkdirSync(tree);
  const isRoot = process.getuid?.() === 0;
  const all = { unix: true, holes: true, attributes: true, anyBytes: true, manyFiles: 40 };
  await makeSampleTree(tree, { ...all, devices: isRoot });
  fs.writeFileSync(join(tree, 'evil \x1b[31m red'), 'a name that a terminal would obey\n');
  await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-b', '4096', '-d', tree, disk, '64M']);
  return { place, disk, tree };
}

/** Shows what the kernel makes of a disk, in a directory, while `look` looks at it. For root. */
export async function whileMounted(disk: string, look: (directory: string) => Promise<void>): Promise<void> {
  await fillMounted(disk, look, { options: 'loop,ro' });
}
