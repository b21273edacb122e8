import { dirname } from 'node:path';
import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { openFileDevice } from '../../block/file-device.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { openImage } from '../../format/formats.ts';
import type { FormatDevice } from '../../format/image-format.ts';
import { log } from '../../log/log.ts';
import { completeNote } from '../snapshot-details.ts';
import type { FindChildrenOptions } from './children.ts';
import { copyDifferences } from './copy-differences.ts';
import { type ImageFile, readImageFile } from './image-file.ts';
import { type ChainOptions, chainHook, openChain } from './open-chain.ts';
import { backingReference, type OverlayBase, overlayBase, writeBase } from './overlay-file.ts';
import { ownRanges } from './own-ranges.ts';
import { registerOverlay } from './register.ts';
import { walkChain } from './walk-chain.ts';

/** How an overlay gets another base. */
export interface RebaseFileOptions extends ChainOptions, FindChildrenOptions {
  /** The format of the new base; its content shows it where nothing is given. */
  readonly baseFormat?: string | undefined;
  /** Changes the name in the file and nothing else: for a base that was moved, and holds the same. */
  readonly unsafe?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What came of a rebase; absolute paths. */
export interface Rebased {
  readonly path: string;
  /** What it builds on now; undefined where that is nothing. */
  readonly base: string | undefined;
  /** How much was copied into it so that it holds what it held, in bytes. */
  readonly copiedLength: number;
}

/**
 * Makes an overlay build on another file, or on none, and hold what it held: what differs is copied into it first, and
 * its header is changed last. Cut off anywhere before, it builds on what it built on, and holds the same.
 *
 * @param base the new base; undefined for none
 * @throws VarveError `INVALID` for a base that builds on the file, `BUSY`, `PERMISSION` for files that are not allowed,
 *   `UNSUPPORTED`, `ABORTED`
 */
export async function rebaseFile(
  path: string,
  base: string | undefined,
  options: RebaseFileOptions = {},
): Promise<Rebased> {
  return await log.scope(`rebase ${path}`, async () => {
    const image = await readImageFile(path);
    requireRebasable(path, image, options);
    const target = base === undefined ? undefined : await readImageFile(base, options.baseFormat);
    if (target !== undefined) await requireNoRing(path, image, target, options);
    const copiedLength = options.unsafe ? 0 : await copyContent(image, target, options);
    await using file = await openFileDevice(image.path, { lock: true, label: path });
    await writeBase(file, path, target === undefined ? undefined : await newBase(image, target));
    if (target !== undefined && options.register !== undefined) {
      await registerOverlay(options.register, { overlay: image.path, base: target.path });
    }
    return { path: image.path, base: target?.path, copiedLength };
  });
}

/**
 * Copies all that a file takes from those it builds on into it, so that it needs them no more.
 *
 * @throws VarveError as `rebaseFile` does
 */
export async function flattenFile(
  path: string,
  options: Omit<RebaseFileOptions, 'unsafe' | 'baseFormat'> = {},
): Promise<Rebased> {
  return await rebaseFile(path, undefined, options);
}

function requireRebasable(path: string, { information }: ImageFile, { unsafe }: RebaseFileOptions): void {
  const refuse = (why: string): never => {
    throw new VarveError('UNSUPPORTED', `cannot rebase ${path}: ${why}`);
  };
  const { encryption, format, snapshotCount = 0 } = information;
  if (format !== 'qcow2') refuse(`it is a ${format} file; only overlays of qcow2 can build on others here`);
  if (unsafe) return;
  if (encryption !== undefined) refuse('it is encrypted; --unsafe changes the name of its base only');
  if (snapshotCount > 0)
    refuse('it holds snapshots inside the file, which take content from its base; delete them first');
}

async function requireNoRing(path: string, image: ImageFile, target: ImageFile, options: ChainOptions): Promise<void> {
  for await (const link of walkChain(target.path, options)) {
    if (link.kind !== 'image' || link.image.path !== image.path) continue;
    const how = target.path === image.path ? 'is the same file' : 'builds on it';
    throw new VarveError('INVALID', `cannot rebase ${path} onto ${target.path}, which ${how}`);
  }
}

async function newBase(image: ImageFile, target: ImageFile): Promise<OverlayBase> {
  const note = { ...completeNote({}, ''), message: '', time: Math.floor(target.modified) };
  return await overlayBase(target.path, backingReference(dirname(image.path), target), note);
}

/** Writes into the file what it would otherwise hold no longer; gives how many bytes that were. */
async function copyContent(
  image: ImageFile,
  target: ImageFile | undefined,
  options: RebaseFileOptions,
): Promise<number> {
  await using before = await openBase(image, options);
  await using after =
    target === undefined ? undefined : await openChain(target.path, target.information.format, options);
  const own = await ownRanges(image.path, 'qcow2');
  await using file = await openOver(image, target, options);
  using progress = log.progress({ label: 'copying', totalBytes: image.information.virtualSize });
  const onProgress = (position: number): void => progress.advance(position - progress.bytes);
  // Where nothing is beneath, zeros may be taken for nothing to write.
  const canZero = image.information.backing !== undefined;
  return await copyDifferences(file, { own, before, after, canZero, signal: options.signal, onProgress });
}

/** What the file builds on now, alone; nothing, where it builds on nothing. */
async function openBase(image: ImageFile, options: ChainOptions): Promise<BlockDevice> {
  const { backing } = image.information;
  if (backing === undefined) return memoryDevice(0);
  const open = await chainHook(image.path, options);
  return await open(backing.name, backing.format);
}

/** Opens a file to be written over the base that it is to have, so that what is written hides that one. */
async function openOver(
  { path, information }: ImageFile,
  target: ImageFile | undefined,
  options: ChainOptions,
): Promise<FormatDevice> {
  const openBacking = async (): Promise<BlockDevice> =>
    target === undefined ? memoryDevice(0) : await openChain(target.path, target.information.format, options);
  const hooks = information.backing === undefined ? {} : { openBacking };
  const file = await openFileDevice(path, { lock: true });
  return await openImage(file, { name: path, format: 'qcow2', writable: true, ...hooks });
}
