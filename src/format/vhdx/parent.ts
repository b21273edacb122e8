import type { BlockDevice } from '../../block/block-device.ts';
import { backingNotAllowed, corruptImage } from '../image-errors.ts';
import type { OpenImageOptions } from '../image-format.ts';
import { contentIdOf, openFirstParent, parentFileNames } from '../windows-parents.ts';
import { decodeParentLocator } from './parent-locator.ts';

/** What a differencing disk says of the one it builds on. */
export interface ParentReference {
  /** Its names, as they would be here, the likeliest first. */
  readonly names: readonly string[];
  /** One of them is its DataWriteGuid. */
  readonly linkages: readonly string[];
}

/** @throws VarveError `CORRUPT` where there is no parent locator, or no name in it; `UNSUPPORTED` */
export function parentReference(locator: Uint8Array | undefined, name: string): ParentReference {
  if (locator === undefined) throw corruptImage(name, 'it is a differencing disk, and has no parent locator');
  const values = decodeParentLocator(locator, name);
  const valuesOf = (...keys: string[]): string[] => keys.flatMap((key) => values.get(key) ?? []);
  const [relative] = valuesOf('relative_path');
  const names = parentFileNames({ relative, absolute: valuesOf('volume_path', 'absolute_win32_path') });
  if (names.length === 0) throw corruptImage(name, 'its parent locator names no file');
  const linkages = valuesOf('parent_linkage', 'parent_linkage2').map((text) => text.replace(/[{}]/g, '').toLowerCase());
  return { names, linkages };
}

/**
 * Opens the disk that a differencing disk builds on, and sees to it that it is the one, unchanged.
 *
 * @throws VarveError `PERMISSION` without `openBacking`, `CORRUPT` for another disk, and what `openBacking` throws
 */
export async function openParent(
  { linkages, names }: ParentReference,
  { name, openBacking }: OpenImageOptions,
): Promise<BlockDevice> {
  if (openBacking === undefined) throw backingNotAllowed(name, names[0]!);
  const parent = await openFirstParent(names, 'vhdx', openBacking);
  const found = contentIdOf(parent);
  if (found === undefined || linkages.includes(found)) return parent;
  await parent[Symbol.asyncDispose]();
  const guids = `its DataWriteGuid is ${found}, and parent_linkage ${linkages.join(' or ')}`;
  throw corruptImage(
    name,
    `${JSON.stringify(names[0])} is not the disk it builds on, or was written to since: ${guids}`,
  );
}
