import fs from 'node:fs/promises';
import { VarveError } from '../../base/varve-error.ts';
import { type BlockDevice, isResizable, type ResizableDevice } from '../../block/block-device.ts';
import { openFileDevice } from '../../block/file-device.ts';
import { sliceFilter } from '../../filter/slice.ts';
import { probeFormat } from '../../format/formats.ts';
import { wrapRaw } from '../../format/qcow2/wrap-raw.ts';
import { log } from '../../log/log.ts';
import type { ConversionJournal } from './conversion-journal.ts';

/**
 * Makes a qcow2 image of a raw file in its place: tables go behind the disk, and one write of 512 bytes turns the one into
 * the other. Before it the file is the raw disk with something behind its end, which going on cuts off again.
 *
 * @throws VarveError `ABORTED` and `NO_SPACE`, the file being as it was then; `BUSY` while others use it
 */
export async function wrapInPlace(journal: ConversionJournal, signal: AbortSignal | undefined): Promise<void> {
  const { path, plan } = journal;
  await using file = resizable(await openFileDevice(path, { lock: true }), path);
  const { header, modified: recorded } = journal.last;
  if (header !== undefined && (await isImage(file, path))) log(2, 'the header is there');
  else if (header !== undefined && recorded === (await modified(path))) {
    await writeHeader(file, Buffer.from(header, 'base64'));
  } else {
    await undo(file, plan.size);
    try {
      await addTables(file, journal, signal);
    } catch (error) {
      await undo(file, plan.size);
      await journal.remove();
      throw error;
    }
    await writeHeader(file, Buffer.from(journal.last.header!, 'base64'));
  }
  await journal.remove();
}

async function addTables(file: ResizableDevice, journal: ConversionJournal, signal: AbortSignal | undefined) {
  const { path, plan } = journal;
  using progress = log.progress({ label: `converting ${path}`, totalBytes: plan.size });
  const { header } = await wrapRaw(sliceFilter(file, { length: plan.size }), {
    write: (bytes, offset) => {
      log(2, 'writing a table at %d', offset);
      return file.write(bytes, offset);
    },
    onProgress: (position) => progress.advance(position - progress.bytes),
    ...(plan.clusterSize === undefined ? {} : { clusterSize: plan.clusterSize }),
    ...(signal === undefined ? {} : { signal }),
  });
  await file.flush();
  log(2, 'the tables are written');
  await journal.add({ header: Buffer.from(header).toString('base64'), modified: await modified(path) });
  log(2, 'the header may be written');
}

async function writeHeader(file: ResizableDevice, header: Uint8Array): Promise<void> {
  await file.write(header, 0);
  log(2, 'the header is written');
  await file.flush();
}

/** Cuts off what an earlier attempt has left behind the disk. */
async function undo(file: ResizableDevice, size: number): Promise<void> {
  if (file.size <= size) return;
  await file.resize(size);
  await file.flush();
  log(2, 'back to the disk alone');
}

async function isImage(file: BlockDevice, path: string): Promise<boolean> {
  return (await probeFormat(file, path)).name === 'qcow2';
}

async function modified(path: string): Promise<string> {
  return String((await fs.stat(path, { bigint: true })).mtimeNs);
}

function resizable(file: BlockDevice, path: string): ResizableDevice {
  if (isResizable(file)) return file;
  throw new VarveError('INVALID', `cannot convert ${path} in place: it is no regular file`);
}
