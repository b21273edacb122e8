import { realpath, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { systemError, VarveError } from '../base/varve-error.ts';
import { plainFileName } from '../format/file-name.ts';
import type { FormatInformation } from '../format/image-format.ts';
import { addressInformation } from './address-disk.ts';
import { type DiskAddress, diskAddress } from './disk-address.ts';
import { fileInformation } from './file-disk.ts';

/** A file of a chain of images, and what it says of itself. */
export interface ChainLink {
  readonly kind: 'file' | 'block device' | 'address';
  /** Of an address, what messages call it. */
  readonly path: string;
  readonly information: FormatInformation;
  /** What the file takes on disk, in bytes; left out for what does not tell: a block device, an address. */
  readonly allocatedSize: number | undefined;
}

/** A chain deeper than this is refused; nobody's is. */
const maximumDepth = 1000;

/**
 * The file at `path` and all that it builds on, the uppermost first, by what each says of the next. Only their headers are
 * read, so that others may write to them meanwhile. `format` is the uppermost one's; its content shows it where it is not
 * given.
 *
 * @throws VarveError `NOT_FOUND`, `PERMISSION`, `CORRUPT` for a ring, `UNSUPPORTED` for what is no file
 */
export async function diskChain(path: string, format?: string): Promise<ChainLink[]> {
  const address = diskAddress(path);
  if (address !== undefined) return [requireNoBase(await addressLink(address, format))];
  const links: ChainLink[] = [];
  const seen = new Set<string>();
  for (let next: { path: string; format: string | undefined } | undefined = { path, format }; next !== undefined; ) {
    const real = await realPath(next.path);
    if (seen.has(real)) throw new VarveError('CORRUPT', `${path} builds on ${next.path}, which builds on it again`);
    if (seen.size === maximumDepth)
      throw new VarveError('UNSUPPORTED', `${path} builds on more than ${maximumDepth} files`);
    seen.add(real);
    const link = await chainLink(next.path, next.format);
    links.push(link);
    next = baseOf(link);
  }
  return links;
}

/** One file, or what is at an address, and what it says of itself. @throws VarveError as `diskChain` does */
export async function chainLink(path: string, format?: string): Promise<ChainLink> {
  const address = diskAddress(path);
  if (address !== undefined) return await addressLink(address, format);
  const information = await fileInformation(path, format);
  const stats = await stat(path);
  if (!stats.isFile()) return { kind: 'block device', path, information, allocatedSize: undefined };
  return { kind: 'file', path, information, allocatedSize: stats.blocks * 512 };
}

async function addressLink(address: DiskAddress, format: string | undefined): Promise<ChainLink> {
  const information = await addressInformation(address, format);
  return { kind: 'address', path: address.label, information, allocatedSize: undefined };
}

function requireNoBase(link: ChainLink): ChainLink {
  const { backing } = link.information;
  if (backing === undefined) return link;
  const what = `${link.path} builds on ${JSON.stringify(backing.name)}`;
  throw new VarveError('UNSUPPORTED', `${what}, and what is at an address is followed nowhere; copy the files here`);
}

function baseOf({
  information: { backing },
  path,
}: ChainLink): { path: string; format: string | undefined } | undefined {
  if (backing === undefined) return undefined;
  const name = plainFileName(backing.name);
  if (name !== undefined) return { path: resolve(dirname(path), name), format: backing.format };
  throw new VarveError('UNSUPPORTED', `${path} builds on ${JSON.stringify(backing.name)}, which is no file name`);
}

async function realPath(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    throw systemError(`open ${path}`, error);
  }
}
