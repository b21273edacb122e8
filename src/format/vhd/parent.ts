import type { BlockDevice } from '../../block/block-device.ts';
import { backingNotAllowed, corruptImage } from '../image-errors.ts';
import type { OpenImageOptions } from '../image-format.ts';
import { contentIdOf, openFirstParent, parentFileNames } from '../windows-parents.ts';
import type { DynamicHeader, ParentLocator } from './dynamic-header.ts';

const maximumNameLength = 65536;

/**
 * The names that a differencing disk has for its parent, as they would be here, the likeliest first.
 *
 * @throws VarveError `CORRUPT`
 */
export async function parentNamesOf(file: BlockDevice, header: DynamicHeader, name: string): Promise<string[]> {
  const texts = new Map<string, string>();
  for (const locator of header.parentLocators) {
    const decode = decoders[locator.platform];
    if (decode !== undefined) texts.set(locator.platform, decode(await readLocator(file, locator, name)));
  }
  const absolute = ['MacX', 'W2ku'].flatMap((platform) => texts.get(platform) ?? []);
  const names = parentFileNames({ relative: texts.get('W2ru'), absolute: [...absolute, header.parentName] });
  if (names.length > 0) return names;
  throw corruptImage(name, 'it is a differencing disk, and no parent locator that is known here names its parent');
}

/** Texts of the platforms that are still in use: Windows, relative and absolute, and file URLs. */
const decoders: Readonly<Record<string, (bytes: Buffer) => string>> = {
  W2ru: (bytes) => withoutNul(bytes.toString('utf16le')),
  W2ku: (bytes) => withoutNul(bytes.toString('utf16le')),
  MacX: (bytes) => decodeFileUrl(withoutNul(bytes.toString('utf8'))),
};

function withoutNul(text: string): string {
  return text.replace(/\0.*$/s, '');
}

function decodeFileUrl(url: string): string {
  const path = url.replace(/^file:\/\/(localhost)?/, '');
  return path.replace(/%[0-9a-f]{2}/gi, (code) => String.fromCharCode(Number.parseInt(code.slice(1), 16)));
}

async function readLocator(
  file: BlockDevice,
  { length, offset, platform }: ParentLocator,
  name: string,
): Promise<Buffer> {
  if (length > maximumNameLength || offset + length > file.size) {
    const where = `${length} bytes at byte ${offset} of ${file.size}`;
    throw corruptImage(name, `the parent locator ${platform} cannot be ${where}`);
  }
  const bytes = Buffer.alloc(length);
  if (length > 0) await file.read(bytes, offset);
  return bytes;
}

/**
 * Opens the disk that a differencing disk builds on, and sees to it that it is the one.
 *
 * @throws VarveError `PERMISSION` without `openBacking`, `CORRUPT` for another disk, and what `openBacking` throws
 */
export async function openParent(
  names: readonly string[],
  header: DynamicHeader,
  { name, openBacking }: OpenImageOptions,
): Promise<BlockDevice> {
  if (openBacking === undefined) throw backingNotAllowed(name, names[0]!);
  const parent = await openFirstParent(names, 'vpc', openBacking);
  const found = contentIdOf(parent);
  if (found === undefined || found === header.parentUniqueId) return parent;
  await parent[Symbol.asyncDispose]();
  const ids = `Unique Id is ${found}, and not the Parent Unique Id ${header.parentUniqueId}`;
  throw corruptImage(name, `${JSON.stringify(names[0])} is not the disk it builds on: its ${ids}`);
}
