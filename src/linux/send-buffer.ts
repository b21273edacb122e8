import { libc } from './libc.ts';

/*
 * Source: socket(7).
 */
const socketLevel = 1;
const sendBufferOption = 7;

/** Has a socket hold up to `length` bytes that the other side has not taken; less where the system allows no more. */
export function enlargeSendBuffer(fd: number, length: number): void {
  libc().setsockopt(fd, socketLevel, sendBufferOption, Int32Array.of(length), 4);
}
