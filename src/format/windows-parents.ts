import { isVarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import type { FormatDevice, OpenBacking } from './image-format.ts';

/** The ways in which an image of Windows names the file it builds on. */
export interface WindowsParentNames {
  /** From where the image is: `..\base.vhdx`. */
  readonly relative?: string | undefined;
  /** From a drive or a volume: `C:\disks\base.vhdx`, `\\?\Volume{…}\disks\base.vhdx`. */
  readonly absolute?: readonly string[];
}

/**
 * The file names to look for here, the likeliest first. Drives and volumes are another machine's, so of an absolute
 * name only the last part counts, in the image's own directory.
 */
export function parentFileNames({ relative, absolute = [] }: WindowsParentNames): string[] {
  const names = relative === undefined || relative === '' ? [] : [withSlashes(relative)];
  for (const name of absolute) names.push(withSlashes(name).replace(/^.*\//, ''));
  return [...new Set(names)].filter((name) => name !== '');
}

/** A relative name may have been made on another system; a drive's letter in it is as foreign as in an absolute one. */
function withSlashes(name: string): string {
  const path = name.replaceAll('\\', '/');
  return /^[a-z]:|^\/\/[?.]\//i.test(path) ? path.replace(/^.*\//, '') : path;
}

/** Opens the first of `names` that is there. @throws VarveError as `openBacking` does for the first of them */
export async function openFirstParent(
  names: readonly string[],
  format: string,
  openBacking: OpenBacking,
): Promise<BlockDevice> {
  let first: unknown;
  for (const name of names) {
    try {
      return await openBacking(name, format);
    } catch (error) {
      if (!isVarveError(error, 'NOT_FOUND')) throw error;
      first ??= error;
    }
  }
  throw first;
}

/** What the content of a parent is known by; undefined where its opener gives no image, or one that does not tell. */
export function contentIdOf(parent: BlockDevice): string | undefined {
  return (parent as Partial<FormatDevice>).information?.().contentId;
}
