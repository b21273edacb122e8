import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import { checkedDevice } from '../block/checked-device.ts';
import { openImage } from '../format/formats.ts';
import type { FormatInformation, OpenImageOptions } from '../format/image-format.ts';
import type { FetchedAmount } from './counted-source.ts';
import { type DiskSource, type OpenedSource, type OpenSourceOptions, openSource } from './open-source.ts';

/** How a disk is opened. */
export interface OpenDiskOptions extends OpenSourceOptions {
  /** The name of the image's format: `raw`, `qcow2`; looked for in the content where nothing is given. */
  readonly format?: string | undefined;
  /**
   * Gives another file that the image names: one that it builds on, or that holds a part of it. The name is a stranger's;
   * undefined refuses it. Without this, images that need others are refused.
   */
  readonly openFile?: ((name: string) => Promise<DiskSource | undefined>) | undefined;
  /** Which disk is meant, by its name, where a file holds several. */
  readonly member?: string | undefined;
}

/** A disk, open to be read. Disposing of it ends what is under way. */
export interface OpenedDisk extends AsyncDisposable {
  /** What errors call it. */
  readonly label: string;
  /** The disk's content, whatever its image looks like. */
  readonly device: BlockDevice;
  /** What the image says of itself. */
  readonly information: FormatInformation;
  /** How much was read until now of all the files that it is made of. */
  readonly fetched: FetchedAmount;
}

/** Nobody's chain is deeper, and each file of it stays open. */
const mostFiles = 100;

/**
 * Opens the disk in an image: a `Blob`, or a file on a server that knows ranges. No more of it is read than what is needed.
 *
 * @throws VarveError `NOT_FOUND`, `PERMISSION` also for an image that needs other files which `openFile` does not give,
 *   `UNSUPPORTED` for a server without ranges and for what is not read here, `CORRUPT`, `INVALID`, `IO`, `ABORTED`
 */
export async function openDisk(from: DiskSource, options: OpenDiskOptions = {}): Promise<OpenedDisk> {
  const files: OpenedSource[] = [];
  const open = async (each: DiskSource): Promise<OpenedSource> => {
    if (files.length >= mostFiles) {
      throw new VarveError('UNSUPPORTED', `cannot open ${files[0]!.label}: it is made of over ${mostFiles} files`);
    }
    const opened = await openSource(each, options);
    files.push(opened);
    return opened;
  };
  const { file, label } = await open(from);
  const { format, member } = options;
  const hooks = hooksFor(label, options, open);
  const image = await openImage(file, { name: label, format, ...hooks, ...(member === undefined ? {} : { member }) });
  const device = checkedDevice(image, { label });
  return {
    ...{ label, device, information: image.information() },
    get fetched() {
      return sumOf(files);
    },
    [Symbol.asyncDispose]: () => Promise.resolve(device[Symbol.asyncDispose]()),
  };
}

type Open = (from: DiskSource) => Promise<OpenedSource>;
type Hooks = Required<Pick<OpenImageOptions, 'openBacking' | 'openPart'>>;

/**
 * Where an image does not tell the format of what it builds on, that file may not name a further one: a guest that writes
 * an image's header into its raw disk would choose which file that is.
 */
function hooksFor(image: string, options: OpenDiskOptions, open: Open): Hooks {
  const given = async (name: string): Promise<OpenedSource> => {
    const from = await options.openFile?.(name);
    if (from !== undefined) return await open(from);
    const what = `cannot open ${image}: it needs ${JSON.stringify(name)}, too`;
    throw new VarveError('PERMISSION', `${what}, which was not given; give it by the option openFile if you trust it`);
  };
  return {
    openPart: async (name) => (await given(name)).file,
    async openBacking(name, format, cannotTell = false) {
      const { file, label } = await given(name);
      const isTold = format !== undefined || cannotTell;
      const further = isTold ? hooksFor(label, options, open) : hooksFor(label, { openFile: undefined }, open);
      return await openImage(file, { name: label, format, ...further });
    },
  };
}

function sumOf(files: readonly OpenedSource[]): FetchedAmount {
  let [requestCount, byteCount] = [0, 0];
  for (const { source } of files) {
    requestCount += source.amount.requestCount;
    byteCount += source.amount.byteCount;
  }
  return { requestCount, byteCount };
}
