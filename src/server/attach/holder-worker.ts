/*
 * The process that has an attached disk open and answers for the file or block device that shows it, or for its files. Whoever attaches starts it, tells it
 * over Node's channel what to hold, and hears that it is ready, or why not. It ends when the kernel has let go of that.
 */
import { isVarveError } from '../../base/varve-error.ts';
import { ownIdentity } from '../../linux/process-identity.ts';
import { type Attachment, removeAttachment, saveAttachment } from './attachment.ts';
import { FailureLog } from './failure-log.ts';
import type { Held, Shown } from './held.ts';
import type { HolderAnswer, HolderRequest } from './holder-messages.ts';

process.once('message', (request: HolderRequest) => void hold(request));

async function hold(request: HolderRequest): Promise<void> {
  // What others see who find the disk in use.
  process.title = 'varve-attach';
  const { directory } = request;
  const draft = { ...request.attachment, holder: ownIdentity(), size: 0 };
  try {
    saveAttachment(directory, draft);
    const { files } = draft;
    await using held = await open(draft);
    const { access, size } = held;
    const shown = await held.show(draft);
    const { nbd, path } = shown;
    const attachment = { ...draft, access, size, path, nbd, device: files && shown.device };
    saveAttachment(directory, attachment);
    releaseOnSignals(shown);
    answer({ kind: 'ready', attachment });
    const failures = new FailureLog(note);
    const onError = (error: unknown): void => (files === undefined ? report(error) : failures.note(messageOf(error)));
    await shown.serve(onError);
    saveAttachment(directory, { ...attachment, closing: true });
    await finish(directory, attachment, async () => {
      await held.flush();
      await held[Symbol.asyncDispose]();
    });
  } catch (error) {
    refuse(error);
  }
}

/** Loads what that takes, and no more: somebody waits. */
async function open({ files, request }: Pick<Attachment, 'files' | 'request'>): Promise<Held> {
  if (files === undefined) return await (await import('./hold-disk.ts')).holdDisk(request);
  return await (await import('./hold-files.ts')).holdFiles(request, files);
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
function releaseOnSignals(shown: Shown): void {
  const onSignal = (): Promise<void> => shown.release().catch(report);
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
  note(messageOf(error));
}

function note(text: string): void {
  process.stderr.write(`${new Date().toISOString()} ${text}\n`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
