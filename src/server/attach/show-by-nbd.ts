import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import net from 'node:net';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BlockDevice } from '../../block/block-device.ts';
import { connectNbd, disconnectNbdWhenUnused, forgetPartitions } from '../../linux/nbd-device.ts';
import { enlargeSendBuffer } from '../../linux/send-buffer.ts';
import { socketPair } from '../../linux/socket-pair.ts';
import { MemoryBudget } from '../nbd/memory-budget.ts';
import { NbdConnection } from '../nbd/nbd-connection.ts';
import { offerOf } from '../nbd/nbd-export.ts';
import { SocketWire } from '../nbd/socket-wire.ts';
import { StreamWire } from '../nbd/stream-wire.ts';
import type { NbdAttachment } from './attachment.ts';
import type { Shown } from './held.ts';
import { tellingDevice } from './telling-device.ts';

/** The kernel has up to 128 requests under way. */
const maximumRequests = 256;
const maximumMemory = 2 ** 28;
const sendBufferLength = 2 ** 20;
const nothing = new Uint8Array();

/** What disconnects the device should this process be killed is a module beside this one, as source or built. */
const guardModule = new URL(`./guard-worker${extname(import.meta.url)}`, import.meta.url);

/**
 * Waits until nobody holds the other end of its standard input, and becomes the guard then, unless it has been told a line.
 * A shell takes less memory than a process of our own would all that time.
 */
const guardScript = 'read -r line || exec "$@"';

/**
 * Has the kernel's NBD client make a block device of a disk, over a pair of sockets, without a handshake. The disk stays the
 * caller's.
 *
 * @throws VarveError as `connectNbd` does
 */
export async function showByNbd(device: BlockDevice, nbd: NbdAttachment): Promise<Shown> {
  const { name, sectorSize } = nbd;
  const [ours, theirs] = socketPair('connect an NBD device');
  let tell = (_error: unknown): void => {};
  const nbdExport = { device: tellingDevice(device, (error) => tell(error)) };
  const offer = offerOf(nbdExport);
  const agreed = { kind: 'export', name, offer, replies: 'simple', contexts: [] } as const;
  // The kernel may stop for as long as it likes: it is no stranger.
  const limits = { maximumRequests, stallTimeoutMs: 0, budget: new MemoryBudget(maximumMemory) };
  const connection = new NbdConnection(wireOf(ours), nbdExport, agreed, limits);
  const serving = connection.serve();
  try {
    enlargeSendBuffer(theirs, sendBufferLength);
    const { path } = await connectNbd({ socket: theirs, size: device.size, sectorSize, flags: offer.flags, name });
    const guard = startGuard(name);
    return {
      ...{ path, nbd },
      async serve(onError) {
        tell = onError;
        await serving;
        guard.stdin?.end('\n');
        // Where the device went with its last user nobody else has the kernel look at it again.
        await forgetPartitions(path);
      },
      release: () => disconnectNbdWhenUnused(name, { sync: true }),
    };
  } catch (error) {
    connection.destroy();
    throw error;
  } finally {
    closeSync(theirs);
  }
}

function wireOf(fd: number): SocketWire | StreamWire {
  const socket = new net.Socket({ fd, readable: true, writable: true });
  socket.on('error', () => undefined);
  return SocketWire.takeOver(socket, nothing) ?? new StreamWire(socket, nothing);
}

/** Without it, requests that are under way when this process is killed would wait until the next command. */
function startGuard(name: string): ChildProcess {
  const guard = spawn('/bin/sh', ['-c', guardScript, 'sh', process.execPath, fileURLToPath(guardModule), name], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.on('error', () => undefined);
  guard.stdin?.on('error', () => undefined);
  guard.unref();
  (guard.stdin as net.Socket | null)?.unref();
  return guard;
}
