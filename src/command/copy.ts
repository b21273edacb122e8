import type { Command } from 'commander';
import { formatSize, parseSize } from '../base/size.ts';
import { VarveError } from '../base/varve-error.ts';
import { copyDisk } from '../image/copying/copy-disk.ts';
import { openDisk } from '../image/open-disk.ts';
import type { CommandModule } from './framework/command-module.ts';
import { LazyStore } from './framework/lazy-store.ts';
import { registerPath } from './framework/register-path.ts';
import { type AccessOptions, accessOptions, addAccessOptions } from './input/access-options.ts';
import { parseCount } from './input/count.ts';

interface Options extends AccessOptions {
  readonly from?: string;
  readonly to?: string;
  readonly requests?: number;
  readonly requestSize?: number;
  readonly connections?: number;
  readonly sparse?: number;
  readonly extents: boolean;
  readonly destinationIsZero?: boolean;
  readonly allocated?: boolean;
  readonly verify?: boolean;
  readonly flush: boolean;
}

const defaultConnections = 4;
const longestRequest = 2 ** 25;

/** `varve copy SOURCE TARGET` */
export const copyCommand: CommandModule<[string, string], Options> = {
  examples: [
    ['varve copy web nbd://backup/web', 'write the newest snapshot of web over what an NBD server exports'],
    ['varve copy nbd://host/disk ./disk.qcow2', 'make a file of what an NBD server exports'],
    ['varve copy https://host/disk.qcow2 /dev/sdb --verify', 'write a disk over a block device, and read it again'],
  ],
  completes: ['disk', 'file'],
  configure: (command: Command) =>
    addAccessOptions(command)
      .argument('<source>', 'web, web@3, ./disk.qcow2, /dev/sdb, nbd://…, https://…')
      .argument('<target>', 'a disk whose content is lost: nbd://…, /dev/sdb, a disk file; or a new file')
      .option('--from <format>', 'read the source in this format, whatever its content looks like')
      .option('--to <format>', "the target's format, whatever its content or name looks like")
      .option('--verify', 'read both again in the end, and compare')
      .option('--destination-is-zero', 'the target holds zeros only: leave out what is zero')
      .option('--allocated', 'write zeros as data, so that the target has room for all of it')
      .option(
        '--sparse <size>',
        'look for zeros in data, in blocks of this size; 0 for nowhere (default: 4096)',
        parseSize,
      )
      .option('--no-extents', 'read all of the source, whatever it says is zeros')
      .option('--no-flush', 'do not wait until what was written is durable')
      .option('-R, --requests <count>', 'how many requests are under way at a time (default: 64)', parseCount)
      .option('--request-size <size>', 'how long a request is (default: 256K)', parseSize)
      .option('-C, --connections <count>', 'to each server, where it lets that be (default: 4)', parseCount),
  async run(context, [argument, target], options) {
    requirePossible(argument, target, options);
    const signal = await context.startWork();
    await using store = new LazyStore(context);
    const { connections = defaultConnections, from, to, verify } = options;
    const access = { ...(await accessOptions(options)), store: store.open, signal };
    await using disk = await openDisk(argument, { ...access, connections, format: from });
    const register = registerPath(context.storePath);
    const { allocated, destinationIsZero, extents, flush, requests, requestSize, sparse } = options;
    const how = { allocated, destinationIsZero, extents, flush, requests, requestSize, sparse, verify };
    const { askSecret } = access;
    const result = await copyDisk(disk, target, { ...how, askSecret, connections, format: to, register, signal });
    context.show({ source: disk.label, ...result, verified: verify ?? false }, () => {
      const { dataLength, size, target: label } = result;
      const seen = verify ? ', and the same when read again' : '';
      return `${disk.label} copied to ${label}: ${formatSize(size)}, ${formatSize(dataLength)} of it data${seen}`;
    });
  },
};

/** @throws VarveError `INVALID` */
function requirePossible(source: string, target: string, options: Options): void {
  const { allocated, destinationIsZero, requestSize = 2 ** 18, sparse = 4096 } = options;
  if (source === '-') throw new VarveError('INVALID', 'what comes through a pipe is imported: varve import - NAME');
  if (target === '-') throw new VarveError('INVALID', 'to write a disk to a pipe, write varve export DISK -');
  if (allocated && destinationIsZero) {
    throw new VarveError('INVALID', '--allocated and --destination-is-zero do not go together; give one');
  }
  if (requestSize < 4096 || requestSize > longestRequest || !Number.isInteger(Math.log2(requestSize))) {
    throw new VarveError('INVALID', `--request-size is a power of two from 4 KiB to 32 MiB, not ${requestSize}`);
  }
  if (sparse !== 0 && (sparse < 512 || !Number.isInteger(Math.log2(sparse)))) {
    throw new VarveError('INVALID', `--sparse is 0, or a power of two from 512 bytes on, not ${sparse}`);
  }
}
