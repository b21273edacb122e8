import { errnoError, libc } from './libc.ts';

/*
 * Source: socket(7).
 */
const socketLevel = 1;
const bindToDeviceOption = 25;

/**
 * Has a socket send and receive by one network interface alone, broadcasts too.
 *
 * @throws VarveError `IO` where there is no such interface, `PERMISSION`, `UNSUPPORTED` on other systems than Linux
 */
export function bindToDevice(fd: number, interfaceName: string): void {
  const name = Buffer.from(`${interfaceName}\0`);
  const words = new Int32Array(Math.ceil(name.length / 4));
  new Uint8Array(words.buffer).set(name);
  if (libc().setsockopt(fd, socketLevel, bindToDeviceOption, words, name.length) === 0) return;
  throw errnoError(`use network interface ${interfaceName}`, 'setsockopt', libc().errno());
}
