/*
 * What is left to do when the holder of a disk that is shown as an NBD device was killed: the kernel would keep requests that
 * are under way for ever. The device is disconnected, so that they fail; the rest is the next command's.
 */
import { disconnectNbd, findNbd } from '../../linux/nbd-device.ts';

const [, , name = ''] = process.argv;
const found = findNbd(name);
if (found !== undefined) await disconnectNbd(found.path);
