import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What `/etc/os-release` of the sample says. */
export const osRelease = 'PRETTY_NAME="Sample 1"\n';
/** How many files are in `/etc`: numbered ones, `os-release`, `release`, which leads there, and `fstab`. */
export const etcCount = 300 + 3;

/** Makes a disk of `size` bytes with a small system on ext4 and `noiseLength` bytes that nothing packs, in each of some images. */
export async function sampleImages(
  size: number,
  formats: Readonly<Record<string, readonly string[]>>,
  noiseLength: number,
): Promise<Readonly<Record<string, Buffer<ArrayBuffer>>>> {
  const directory = await mkdtemp(join(tmpdir(), 'varve-'));
  try {
    const disk = join(directory, 'disk.raw');
    await writeTree(join(directory, 'tree'), noiseLength);
    await writeFile(disk, '');
    await truncate(disk, size);
    await run('mke2fs', ['-q', '-t', 'ext4', '-d', join(directory, 'tree'), disk]);
    const images: Record<string, Buffer<ArrayBuffer>> = {};
    for (const [name, options] of Object.entries(formats)) {
      const path = join(directory, name);
      await run('qemu-img', ['convert', '-f', 'raw', ...options, disk, path]);
      images[name] = await readFile(path);
    }
    return images;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function writeTree(root: string, noiseLength: number): Promise<void> {
  await mkdir(join(root, 'etc'), { recursive: true });
  await mkdir(join(root, 'var'));
  for (let number = 0; number < 300; number += 1) await writeFile(join(root, `etc/part-${number}`), `${number}\n`);
  await writeFile(join(root, 'etc/os-release'), osRelease);
  await writeFile(join(root, 'etc/fstab'), '/dev/sda / ext4 defaults 0 1\n');
  await symlink('os-release', join(root, 'etc/release'));
  await writeFile(join(root, 'var/noise'), randomBytes(noiseLength));
}
