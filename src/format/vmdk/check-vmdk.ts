import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { corruptImage } from '../image-errors.ts';
import type { CheckImageOptions, CheckReport } from '../image-format.ts';
import { decodeCowdLayout, hasCowdMagic } from './cowd-header.ts';
import { decodeDescriptor, maximumDescriptorLength } from './descriptor.ts';
import { GrainCheck } from './grain-check.ts';
import { readEmbeddedDescriptor, readHostedFile } from './hosted-file.ts';
import { readBytes } from './read-bytes.ts';
import { isHosted } from './sparse-header.ts';
import { type SparseLayout, sectorSize } from './sparse-layout.ts';

/**
 * Looks whether the tables of a sparse extent lead to places inside the file, and no two to the same one. Of a
 * descriptor no more is known than that it can be read: the extents it names are files of their own, and are checked
 * by their names.
 *
 * @throws VarveError `CORRUPT` and `UNSUPPORTED` where not even the header can be read, `UNSUPPORTED` for a repair
 */
export async function checkVmdk(file: BlockDevice, options: CheckImageOptions): Promise<CheckReport> {
  const { name, repair } = options;
  if (repair !== undefined) {
    throw new VarveError('UNSUPPORTED', `cannot repair ${name}: VMDK disks are checked only; convert what can be read`);
  }
  const layout = await layoutIn(file, name);
  if (layout === undefined) return { corruptions: 0, leaks: 0, corruptionsFixed: 0, leaksFixed: 0, problems: [] };
  const check = new GrainCheck(file, layout, options);
  await check.run();
  return check.report();
}

/** Undefined for a descriptor. */
async function layoutIn(file: BlockDevice, name: string): Promise<SparseLayout | undefined> {
  const head = await readBytes(file, 0, sectorSize);
  if (hasCowdMagic(head)) return decodeCowdLayout(head, name);
  if (isHosted(head)) {
    const { header, layout } = await readHostedFile(file, name);
    await readEmbeddedDescriptor(file, header, name);
    return layout;
  }
  if (file.size > maximumDescriptorLength) throw corruptImage(name, 'it is neither a sparse extent nor a descriptor');
  decodeDescriptor(await readBytes(file, 0, maximumDescriptorLength), name);
  return undefined;
}
