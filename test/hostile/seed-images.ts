import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { contentOf } from '../../src/conformance/device-content.ts';
import { mixedDisk } from '../../src/conformance/image-format-samples.ts';

const run = promisify(execFile);
const diskSize = 3 * 2 ** 20;

/** An image that is sound, for others to be made of. */
export interface SeedImage {
  readonly name: string;
  /** The name of its format here. */
  readonly format: string;
  readonly path: string;
}

/** Every format and its variants, as options of `qemu-img convert`. */
const variants: readonly (readonly [name: string, format: string, ...options: string[]])[] = [
  ['qcow2', 'qcow2'],
  ['qcow2-v2', 'qcow2', '-o', 'compat=0.10,cluster_size=4k'],
  ['qcow2-deflate', 'qcow2', '-c'],
  ['qcow2-zstd', 'qcow2', '-c', '-o', 'compression_type=zstd'],
  ['qcow2-extended', 'qcow2', '-o', 'extended_l2=on'],
  ['qcow2-refcounts', 'qcow2', '-o', 'refcount_bits=64,cluster_size=512'],
  ['qcow1', 'qcow'],
  ['vmdk', 'vmdk'],
  ['vmdk-stream', 'vmdk', '-o', 'subformat=streamOptimized'],
  ['vmdk-flat', 'vmdk', '-o', 'subformat=monolithicFlat'],
  ['vmdk-split', 'vmdk', '-o', 'subformat=twoGbMaxExtentSparse'],
  ['vhdx', 'vhdx'],
  ['vhdx-fixed', 'vhdx', '-o', 'subformat=fixed'],
  ['vhd', 'vpc'],
  ['vhd-fixed', 'vpc', '-o', 'subformat=fixed'],
  ['vdi', 'vdi'],
  ['vdi-static', 'vdi', '-o', 'static=on'],
  ['qed', 'qed'],
  ['parallels', 'parallels'],
];

/** Makes a small image of every format in `directory`, with `qemu-img`; the disk of each is the same. */
export async function seedImages(directory: string): Promise<SeedImage[]> {
  const raw = join(directory, 'seed.raw');
  await writeFile(raw, await contentOf(mixedDisk(diskSize)));
  const seeds: SeedImage[] = [];
  for (const [name, format, ...options] of variants) {
    const path = join(directory, `${name}.img`);
    await run('qemu-img', ['convert', '-f', 'raw', '-O', format, ...options, raw, path]);
    seeds.push({ name, format, path });
  }
  for (const { path } of seeds.filter(({ name }) => ['qcow2', 'qcow2-extended'].includes(name))) {
    await run('qemu-img', ['snapshot', '-c', 'one', path]);
    await run('qemu-img', ['bitmap', '--add', path, 'dirty']);
  }
  const descriptor = { name: 'vmdk-descriptor', format: 'vmdk', path: join(directory, 'vmdk-flat.img') };
  const others = seeds.filter(({ name }) => name !== 'vmdk-flat');
  return [...others, descriptor, await ovaSeed(directory)];
}

/** A tar archive with an OVF that names a stream-optimised VMDK. */
async function ovaSeed(directory: string): Promise<SeedImage> {
  const path = join(directory, 'ova.img');
  await writeFile(join(directory, 'disk.vmdk'), await readFile(join(directory, 'vmdk-stream.img')));
  await writeFile(join(directory, 'box.ovf'), ovf);
  await run('tar', ['--format=ustar', '-cf', path, '-C', directory, 'box.ovf', 'disk.vmdk']);
  return { name: 'ova', format: 'ova', path };
}

const ovf = `<?xml version="1.0"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1">
  <References><File ovf:href="disk.vmdk" ovf:id="file1"/></References>
  <DiskSection>
    <Info>Disks</Info>
    <Disk ovf:capacity="3145728" ovf:diskId="disk1" ovf:fileRef="file1"
      ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/>
  </DiskSection>
</Envelope>
`;
