import fs from 'node:fs';
import net from 'node:net';
import { text } from 'node:stream/consumers';
import { isVarveError, systemError, VarveError } from '../../../base/varve-error.ts';
import { checkedDevice } from '../../../block/checked-device.ts';
import { openFileDevice } from '../../../block/file-device.ts';
import { openImage } from '../../../format/formats.ts';
import type { FormatDevice } from '../../../format/image-format.ts';
import { type OpenFileDiskOptions, openDeviceDisk, openFileDisk, openWritableDisk } from '../../../image/file-disk.ts';
import { imageContexts } from '../image-contexts.ts';
import { sharedEntry } from '../nbd-export.ts';
import { listenNbd } from '../nbd-server.ts';
import { type DriverAnswer, type DriverRequest, driverDescriptor } from './driver-request.ts';

/** Begins to be somebody with no rights at all, where that was asked for. */
function dropPrivileges({ userId }: DriverRequest): void {
  if (userId === undefined || process.getuid?.() !== 0) return;
  process.setgroups?.([]);
  process.setgid?.(userId);
  process.setuid?.(userId);
}

/** What is in the files is looked at without privileges, unless it may name others that need them to be opened. */
async function openDisk(request: DriverRequest): Promise<FormatDevice> {
  const { allowed, follow, format, path, writable } = request;
  const options = diskOptions(request);
  if (follow || allowed.length > 0 || !request.isProgramReadable) {
    const { image } = writable
      ? await openWritableDisk(path, { ...options, force: true })
      : await openFileDisk(path, options);
    dropPrivileges(request);
    return image;
  }
  const file = await openFileDevice(path, { readOnly: !writable, lock: writable || !request.forceShare });
  dropPrivileges(request);
  if (!writable) return (await openDeviceDisk(file, { kind: 'file', label: path }, options)).image;
  const refuse = async (name: string): Promise<never> => {
    const what = `cannot open ${path}: it needs ${JSON.stringify(name)}, too`;
    throw new VarveError('PERMISSION', `${what}; give --follow, or --allow its directory, if you trust the image`);
  };
  const { askSecret } = options;
  const hooks = { openBacking: refuse, openPart: refuse, ...(askSecret === undefined ? {} : { askSecret }) };
  return await openImage(file, { name: path, format, writable: true, ...hooks });
}

function diskOptions({ canAsk, secret, ...request }: DriverRequest): OpenFileDiskOptions {
  if (!canAsk) return request;
  return {
    ...request,
    async askSecret(question) {
      if (secret !== undefined) return Buffer.from(secret, 'base64');
      answer({ kind: 'secret', question });
      return process.exit(0);
    },
  };
}

/** What Node's permissions are about is not in their message. */
function deniedFile(error: unknown): string {
  const { resource } = error as { readonly resource?: unknown };
  return typeof resource === 'string' ? ` (${resource})` : '';
}

function answer(given: DriverAnswer): void {
  fs.writeSync(1, `${JSON.stringify(given)}\n`);
}

async function serveDisk(request: DriverRequest): Promise<void> {
  await using image = await openDisk(request);
  const contexts = imageContexts(image);
  const entry = sharedEntry({ device: checkedDevice(image, { label: request.path }), contexts });
  const exports = { list: () => [], find: () => entry };
  await using server = await listenNbd([], { exports, handshakeTimeoutMs: 0, stallTimeoutMs: 0 });
  answer({ kind: 'ready', contexts: [...contexts.keys()] });
  await server.serve(new net.Socket({ fd: driverDescriptor, readable: true, writable: true }));
}

try {
  await serveDisk(JSON.parse(await text(process.stdin)));
} catch (error) {
  const known = systemError('open it', error);
  const code = isVarveError(known) ? known.code : 'IO';
  answer({ kind: 'failed', code, message: `${known instanceof Error ? known.message : known}${deniedFile(error)}` });
  process.exitCode = 1;
}
