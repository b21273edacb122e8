/*
 * The process that has an attached disk open and answers for the file that shows it. Whoever attaches starts it, tells it
 * over Node's channel what to hold, and hears that it is ready, or why not. It ends when the file is unmounted.
 */
import { closeSync } from 'node:fs';
import { isVarveError } from '../../base/varve-error.ts';
import { serveFuse } from '../../linux/fuse/fuse-session.ts';
import { mountFuse } from '../../linux/fuse/mount-fuse.ts';
import { unmountFuse } from '../../linux/fuse/unmount-fuse.ts';
import { becomeIoFlusher } from '../../linux/io-flusher.ts';
import { ownIdentity } from '../../linux/process-identity.ts';
import { diskFile, diskFileMode } from '../fuse/disk-file.ts';
import { type Attachment, removeAttachment, saveAttachment } from './attachment.ts';
import type { HolderAnswer, HolderRequest } from './holder-messages.ts';
import { openAttachedDisk } from './open-attached-disk.ts';

process.once('message', (request: HolderRequest) => void hold(request));

async function hold(request: HolderRequest): Promise<void> {
  // What others see who find the disk in use.
  process.title = 'varve-attach';
  const { directory } = request;
  const draft = { ...request.attachment, holder: ownIdentity(), size: 0 };
  try {
    saveAttachment(directory, draft);
    becomeIoFlusher();
    await using disk = await openAttachedDisk(request.attachment.request);
    const { access, device } = disk;
    const isWritable = device.supports.write;
    const fd = await mountFuse({ target: draft.path, rootMode: diskFileMode(isWritable), readOnly: !isWritable });
    const attachment = { ...draft, access, size: device.size };
    saveAttachment(directory, attachment);
    unmountOnSignals(attachment);
    answer({ kind: 'ready', attachment });
    // Where /dev/fuse fails, what was written is flushed all the same.
    await serveFuse({ fd, operations: diskFile(device), onError: report }).catch(report);
    closeSync(fd);
    saveAttachment(directory, { ...attachment, closing: true });
    await finish(directory, attachment, async () => {
      await device.flush();
      await disk[Symbol.asyncDispose]();
    });
  } catch (error) {
    refuse(error);
  }
}

/** Notes what goes wrong at the end for whoever detaches, and otherwise leaves nothing behind. */
async function finish(directory: string, attachment: Attachment, close: () => Promise<void>): Promise<void> {
  try {
    await close();
    removeAttachment(directory);
  } catch (error) {
    report(error);
    saveAttachment(directory, { ...attachment, failure: messageOf(error) });
    process.exitCode = 1;
  }
}

/** A disk that is in use stays: there is nobody else who could answer for it. */
function unmountOnSignals({ path }: Attachment): void {
  const onSignal = (): Promise<void> => unmountFuse(path).catch(report);
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => void onSignal());
}

function refuse(error: unknown): void {
  report(error);
  answer({ kind: 'failed', code: isVarveError(error) ? error.code : undefined, message: messageOf(error) });
  process.exitCode = 1;
}

function answer(message: HolderAnswer): void {
  if (!process.connected) return;
  process.send?.(message, () => process.disconnect());
}

/** Standard error is the attachment's log. */
function report(error: unknown): void {
  process.stderr.write(`${new Date().toISOString()} ${messageOf(error)}\n`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
