import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { isVarveError, systemError, VarveError } from '../base/varve-error.ts';
import { libc } from './libc.ts';
import { askNetlink, type NetlinkAttribute } from './netlink.ts';
import { isMachineRoot } from './user-namespace.ts';

/*
 * Source: linux/nbd-netlink.h, linux/genetlink.h; the kernel's Documentation/ABI/testing/sysfs-block (`pid`, `backend`).
 */
const controlFamily = { number: 16, GETFAMILY: 3, FAMILY_ID: 1, FAMILY_NAME: 2, MAXATTR: 5 } as const;
const command = { CONNECT: 1, DISCONNECT: 2, RECONFIGURE: 3 } as const;
const attribute = {
  INDEX: 1,
  SIZE_BYTES: 2,
  BLOCK_SIZE_BYTES: 3,
  SERVER_FLAGS: 5,
  CLIENT_FLAGS: 6,
  SOCKETS: 7,
  BACKEND_IDENTIFIER: 10,
} as const;
const SOCK_ITEM = 1;
const SOCK_FD = 1;
const DISCONNECT_ON_CLOSE = 2n;
/** Source: linux/fs.h. */
const BLKRRPART = 0x125f;

/** What a device of the kernel's NBD client is made of. */
export interface NbdConnectOptions {
  /** The end of a pair of sockets that the kernel speaks to. It stays the caller's to close. */
  readonly socket: number;
  /** In bytes. */
  readonly size: number;
  /** Of its sectors, in bytes: 512 to a page, a power of two. */
  readonly sectorSize: number;
  /** The transmission flags of the NBD protocol. */
  readonly flags: number;
  /** Names this connection among all of this machine. */
  readonly name: string;
}

/** A device that is connected. */
export interface ConnectedNbd {
  /** `/dev/nbd0` */
  readonly path: string;
  /** Its number, `43:0`, and those of its partitions. */
  readonly numbers: readonly string[];
}

/** Whether the kernel has NBD devices for this user. A kernel before Linux 5.15, which forgets who connected them, has none. */
export async function hasNbdDevices(): Promise<boolean> {
  if (!isMachineRoot() || !existsSync('/dev/nbd0')) return false;
  try {
    await nbdFamily();
    return true;
  } catch (error) {
    if (isVarveError(error, 'NOT_FOUND', 'UNSUPPORTED', 'PERMISSION')) return false;
    throw error;
  }
}

/**
 * Has the kernel make a block device of what answers at the other end of a socket, in the words of the NBD protocol's
 * transmission phase with simple replies. It waits as long as that takes for an answer.
 *
 * @throws VarveError `NOT_FOUND` where the kernel has no NBD, `PERMISSION` for who is not root, by errno
 */
export async function connectNbd(options: NbdConnectOptions): Promise<ConnectedNbd> {
  const { flags, name, sectorSize, size, socket } = options;
  const doing = 'connect an NBD device';
  const answer = await askNetlink({
    family: await nbdFamily(),
    command: command.CONNECT,
    doing,
    attributes: [
      { type: attribute.SIZE_BYTES, value: BigUint64Array.of(BigInt(size - (size % sectorSize))) },
      { type: attribute.BLOCK_SIZE_BYTES, value: BigUint64Array.of(BigInt(sectorSize)) },
      { type: attribute.SERVER_FLAGS, value: BigUint64Array.of(BigInt(flags)) },
      { type: attribute.BACKEND_IDENTIFIER, value: name },
      socketAttribute(socket),
    ],
  });
  const index = answer.get(attribute.INDEX);
  if (index?.length !== 4) throw new VarveError('IO', `cannot ${doing}: the kernel does not say which one it took`);
  const path = `/dev/nbd${Buffer.from(index).readUInt32LE()}`;
  if (existsSync(path)) return { path, numbers: numbersOf(basename(path)) };
  await disconnectNbd(path);
  throw new VarveError('NOT_FOUND', `cannot ${doing}: the kernel has made ${path}, which is not to be seen here`);
}

/** The device that was connected under a name; undefined where there is none any more. */
export function findNbd(name: string): ConnectedNbd | undefined {
  const found = namesIn('/sys/block').find((each) => /^nbd\d+$/.test(each) && backendOf(each) === name);
  return found === undefined ? undefined : { path: `/dev/${found}`, numbers: numbersOf(found) };
}

/**
 * Disconnects a device, whoever uses it: requests that are under way fail.
 *
 * @throws VarveError by errno
 */
export async function disconnectNbd(path: string): Promise<void> {
  const doing = `disconnect ${path}`;
  const family = await nbdFamily();
  await askNetlink({ family, command: command.DISCONNECT, doing, attributes: [indexAttribute(path)] });
}

/**
 * Says whether the device that is connected under a name is disconnected when nobody uses it any more, at once where nobody
 * does. One that is disconnected already is left so.
 *
 * @throws VarveError by errno; with `sync` as `IO` where what it was given could not be written
 */
export async function disconnectNbdWhenUnused(name: string, { sync = false, isWanted = true } = {}): Promise<void> {
  const path = findNbd(name)?.path;
  if (path === undefined) return;
  // Nobody else can connect it while it is open here.
  await using device = await openDevice(path);
  if (findNbd(name) === undefined) return;
  if (sync) {
    await device.sync().catch((error) => {
      throw systemError(`write what ${path} was given`, error);
    });
  }
  const family = await nbdFamily();
  const flags = { type: attribute.CLIENT_FLAGS, value: BigUint64Array.of(isWanted ? DISCONNECT_ON_CLOSE : 0n) };
  const names = { type: attribute.BACKEND_IDENTIFIER, value: name };
  const attributes = [indexAttribute(path), names, flags];
  await askNetlink({ family, command: command.RECONFIGURE, doing: `disconnect ${path}`, attributes });
}

/** Has the kernel forget the partitions of a device that is not connected any more. Looking again at somebody else's harms nobody. */
export async function forgetPartitions(path: string): Promise<void> {
  if (numbersOf(basename(path)).length > 1) await rereadPartitions(path);
}

/** Has the kernel look which partitions a device has now. */
export async function rereadPartitions(path: string): Promise<void> {
  await using device = await openDevice(path);
  // Where it is in use they stay as they are.
  await libc().ioctlLater(device.fd, BLKRRPART, 0n);
}

async function openDevice(path: string): ReturnType<typeof open> {
  try {
    return await open(path, 'r');
  } catch (error) {
    throw systemError(`open ${path}`, error);
  }
}

/** The family's number. */
async function nbdFamily(): Promise<number> {
  const doing = 'use NBD devices';
  const attributes = [{ type: controlFamily.FAMILY_NAME, value: 'nbd' }];
  const answer = await askNetlink({
    ...{ family: controlFamily.number, command: controlFamily.GETFAMILY, attributes, doing },
  });
  const [id, most] = [answer.get(controlFamily.FAMILY_ID), answer.get(controlFamily.MAXATTR)];
  if (id?.length !== 2 || most?.length !== 4) throw new VarveError('IO', `cannot ${doing}: the kernel tells no number`);
  if (Buffer.from(most).readUInt32LE() >= attribute.BACKEND_IDENTIFIER) return Buffer.from(id).readUInt16LE();
  throw new VarveError('UNSUPPORTED', `cannot ${doing}: the kernel is older than Linux 5.15`);
}

function socketAttribute(fd: number): NetlinkAttribute {
  const item = { type: SOCK_ITEM, value: [{ type: SOCK_FD, value: Uint32Array.of(fd) }] };
  return { type: attribute.SOCKETS, value: [item] };
}

function indexAttribute(path: string): NetlinkAttribute {
  return { type: attribute.INDEX, value: Uint32Array.of(Number(path.replace('/dev/nbd', ''))) };
}

function numbersOf(name: string): string[] {
  const directory = `/sys/block/${name}`;
  const parts = namesIn(directory).filter((part) => part.startsWith(`${name}p`));
  return [directory, ...parts.map((part) => `${directory}/${part}`)].map((each) => textOf(`${each}/dev`));
}

/** What somebody named the connection; empty where there is none. */
function backendOf(name: string): string {
  return textOf(`/sys/block/${name}/backend`);
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** Devices come and go. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}
