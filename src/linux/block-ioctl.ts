import { constants } from 'node:os';
import { errnoError, libc } from './libc.ts';

/*
 * Source: linux/fs.h, asm-generic/ioctl.h, which all of koffi's 64-bit Linux machines share.
 *
 *   BLKSSZGET     _IO(0x12, 104)             int: logical sector size in bytes
 *   BLKGETSIZE64  _IOR(0x12, 114, size_t)    uint64: size in bytes
 *   BLKDISCARD    _IO(0x12, 119)             uint64[2]: offset, length, in bytes
 *   BLKSECDISCARD _IO(0x12, 125)             uint64[2]: offset, length, in bytes
 *   BLKZEROOUT    _IO(0x12, 127)             uint64[2]: offset, length, in bytes
 */
const BLKSSZGET = 0x1268;
const BLKGETSIZE64 = 0x8008_1272;
const BLKDISCARD = 0x1277;
const BLKSECDISCARD = 0x127d;
const BLKZEROOUT = 0x127f;

/**
 * The size of a host block device in bytes. `path` names it in errors.
 *
 * @throws VarveError by errno; `UNSUPPORTED` on other systems than Linux
 */
export function blockDeviceSize(fd: number, path = `file ${fd}`): number {
  const size = new BigUint64Array(1);
  check(ioctl(fd, BLKGETSIZE64, size), `ask for the size of ${path}`);
  return Number(size[0]);
}

/** The logical sector size of a host block device in bytes: the alignment of `discardBlocks` and `zeroBlocks`. */
export function blockDeviceSectorSize(fd: number, path = `file ${fd}`): number {
  const size = new Int32Array(1);
  check(ioctl(fd, BLKSSZGET, size), `ask for the sector size of ${path}`);
  return size[0]!;
}

/**
 * Tells a host block device that a range is not needed any more; what it reads as afterwards is the device's choice.
 * Offset and length in bytes, whole sectors. False where the device cannot do it.
 *
 * @throws VarveError by errno; `UNSUPPORTED` on other systems than Linux
 */
export function discardBlocks(fd: number, offset: number, length: number, path = `file ${fd}`): boolean {
  return changeRange(fd, BLKDISCARD, offset, length, `discard a range of ${path}`);
}

/** As `discardBlocks`, and the content cannot be had again, not even by who takes the device apart. Few devices can. */
export function secureDiscardBlocks(fd: number, offset: number, length: number, path = `file ${fd}`): boolean {
  return changeRange(fd, BLKSECDISCARD, offset, length, `discard a range of ${path} securely`);
}

/** Makes a range of a host block device zeros, as quickly as the device can. Otherwise as `discardBlocks`. */
export function zeroBlocks(fd: number, offset: number, length: number, path = `file ${fd}`): boolean {
  return changeRange(fd, BLKZEROOUT, offset, length, `zero a range of ${path}`);
}

function changeRange(fd: number, request: number, offset: number, length: number, doing: string): boolean {
  const number = ioctl(fd, request, new BigUint64Array([BigInt(offset), BigInt(length)]));
  if (number === constants.errno.EOPNOTSUPP) return false;
  check(number, doing);
  return true;
}

/** The errno of the call, 0 for success. */
function ioctl(fd: number, request: number, argument: NodeJS.TypedArray): number {
  const { ioctl: call, errno } = libc();
  return call(fd, request, argument) === -1 ? errno() : 0;
}

function check(number: number, doing: string): void {
  if (number !== 0) throw errnoError(doing, 'ioctl', number);
}
