import { execFile } from 'node:child_process';
import { mkdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makeSampleTree } from '../filesystem/sample-tree.ts';

/** Makes a raw disk in a directory, without partitions, that holds a sample tree in ext4: the tree is beside it. */
export async function makeNfsDisk(directory: string, manyFiles = 300): Promise<{ disk: string; tree: string }> {
  const [tree, disk] = [join(directory, 'tree'), join(directory, 'disk.raw')];
  await mkdir(tree, { recursive: true });
  await makeSampleTree(tree, { unix: true, anyBytes: true, holes: true, manyFiles });
  await writeFile(join(tree, 'secret'), 'for root', { mode: 0o600 });
  await mkdir(join(tree, 'closed'), { mode: 0o700 });
  await writeFile(join(tree, 'large'), '');
  await truncate(join(tree, 'large'), 5 * 2 ** 30);
  await writeFile(disk, '');
  await truncate(disk, 2 ** 28);
  const environment = { ...process.env, MKE2FS_CONFIG: '/dev/null' };
  const options = ['-q', '-F', '-t', 'ext4', '-N', String(manyFiles + 1000), '-d', tree, disk];
  await promisify(execFile)('mke2fs', options, { env: environment });
  return { disk, tree };
}
