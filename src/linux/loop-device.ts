import { constants, readdirSync, readFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { constants as systemConstants } from 'node:os';
import { basename } from 'node:path';
import { systemError } from '../base/varve-error.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { errnoError, libc } from './libc.ts';

/*
 * struct loop_config, which LOOP_CONFIGURE takes:
 *
 *   byte 0 uint32 fd   4 uint32 block_size   8 struct loop_info64 info (232 bytes)   240 64 bytes of 0
 *
 * struct loop_info64:
 *
 *   byte 0 uint64 lo_device    8 uint64 lo_inode           16 uint64 lo_rdevice   24 uint64 lo_offset
 *       32 uint64 lo_sizelimit (0: all)                     40 uint32 lo_number
 *       44 uint32 lo_encrypt_type   48 uint32 lo_encrypt_key_size                  52 uint32 lo_flags
 *       56 64 bytes lo_file_name   120 64 bytes lo_crypt_name   184 32 bytes lo_encrypt_key   216 uint64 lo_init[2]
 *
 * Source: linux/loop.h; loop(4).
 */
const LOOP_CLR_FD = 0x4c01;
const LOOP_CONFIGURE = 0x4c0a;
const LOOP_CTL_GET_FREE = 0x4c82;
const loopConfigLength = 304;
const flag = { readOnly: 1, autoclear: 4, partscan: 8, directIo: 16 } as const;

/** Somebody else may take a free loop device before we do. */
const maximumAttempts = 64;

/** How a loop device shows a file. */
export interface LoopOptions {
  readonly readOnly?: boolean;
  /** Where in the file it begins, in bytes. */
  readonly offset?: number | undefined;
  /** How much of the file it shows, in bytes; all that follows where nothing is given. */
  readonly length?: number | undefined;
  /** The size of its sectors, in bytes: 512 to a page, a power of two. */
  readonly sectorSize?: number | undefined;
  /** Whether the device is detached when its last user closes it. */
  readonly autoClear?: boolean;
}

/** A loop device that was attached, and is held open until this is disposed of. */
export interface HeldLoop extends AsyncDisposable {
  /** `/dev/loop3` */
  readonly path: string;
}

/**
 * Attaches a free loop device to the file at `path`. Partitions in it get devices of their own. What is written goes past
 * the page cache of the file, which would hold everything twice.
 *
 * All that may read or write the file happens in Node's thread pool: this process may be the one that answers for it.
 *
 * @throws VarveError `PERMISSION` for who is not root, `NOT_FOUND` where there are no loop devices, `BUSY`, by errno
 */
export async function attachLoop(path: string, options: LoopOptions = {}): Promise<HeldLoop> {
  const flags = options.readOnly ? constants.O_RDONLY : constants.O_RDWR;
  await using file = await openPath(path, flags);
  for (let attempt = 1; ; attempt += 1) {
    const loop = await freeLoop();
    await using stack = new AsyncDisposableStack();
    const device = stack.use(await openPath(loop, flags));
    const number = -(await libc().ioctlLater(device.fd, LOOP_CONFIGURE, configuration(file.fd, options)));
    if (number === 0) {
      const held = stack.move();
      return { path: loop, [Symbol.asyncDispose]: () => held.disposeAsync() };
    }
    if (number !== systemConstants.errno.EBUSY || attempt === maximumAttempts) {
      throw errnoError(`attach ${loop} to ${path}`, 'ioctl', number);
    }
  }
}

/**
 * Detaches a loop device from the file at `path`, when its last user has closed it. With `sync` what was written to it is in
 * the file before. One that is attached to something else by now, or to nothing, is left alone.
 *
 * @throws VarveError by errno, `IO` where it could not be written
 */
export async function detachLoop(loop: string, path: string, { sync = true } = {}): Promise<void> {
  await using device = await openPath(loop, constants.O_RDONLY);
  // Nobody can attach it to another file while it is open here.
  if (backingFile(basename(loop)) !== path) return;
  try {
    if (sync) await device.sync();
  } catch (error) {
    throw systemError(`write what ${loop} was given`, error);
  }
  const number = -(await libc().ioctlLater(device.fd, LOOP_CLR_FD, 0n));
  if (number > 0 && number !== systemConstants.errno.ENXIO) throw errnoError(`detach ${loop}`, 'ioctl', number);
}

/** A loop device that is attached. */
export interface AttachedLoop {
  /** `/dev/loop3` */
  readonly path: string;
  /** Its number, `7:3`, and those of its partitions. */
  readonly numbers: readonly string[];
  /** In bytes. */
  readonly offset: number;
}

/** The loop devices that are attached to the file at `path`, as the kernel tells it. */
export function loopsOf(path: string): AttachedLoop[] {
  const names = namesIn('/sys/block').filter((name) => /^loop\d+$/.test(name));
  return names.flatMap((name) => {
    const directory = `/sys/block/${name}`;
    if (backingFile(name) !== path) return [];
    const parts = namesIn(directory).filter((part) => part.startsWith(`${name}p`));
    const numbers = [directory, ...parts.map((part) => `${directory}/${part}`)].map((each) => readOr(`${each}/dev`));
    return [{ path: `/dev/${name}`, numbers, offset: Number(readOr(`${directory}/loop/offset`)) }];
  });
}

/** Empty for a loop device that is attached to nothing. The kernel says of a file whether it has lost its name. */
function backingFile(name: string): string {
  return readOr(`/sys/block/${name}/loop/backing_file`).replace(/ \(deleted\)$/, '');
}

async function freeLoop(): Promise<string> {
  await using control = await openPath('/dev/loop-control', constants.O_RDWR);
  const number = await libc().ioctlLater(control.fd, LOOP_CTL_GET_FREE, 0n);
  if (number < 0) throw errnoError('find a free loop device', 'ioctl', -number);
  return `/dev/loop${number}`;
}

/** The `struct loop_config`. */
function configuration(file: number, options: LoopOptions): Uint8Array {
  const { autoClear, length, offset, readOnly, sectorSize } = options;
  const writer = new ByteWriter(loopConfigLength);
  writer.u32le(file);
  writer.u32le(sectorSize ?? 0);
  writer.skip(24);
  writer.u64le(offset ?? 0);
  writer.u64le(length ?? 0);
  writer.skip(12);
  writer.u32le(flag.partscan + flag.directIo + (readOnly ? flag.readOnly : 0) + (autoClear ? flag.autoclear : 0));
  return writer.bytes;
}

async function openPath(path: string, flags: number): Promise<FileHandle> {
  try {
    return await open(path, flags);
  } catch (error) {
    throw systemError(`open ${path}`, error);
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** Devices come and go. */
function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/\n$/, '');
  } catch {
    return '';
  }
}
