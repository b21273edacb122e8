import { LruMap } from '../../base/lru.ts';
import type {
  DeviceRange,
  DirectoryEntry,
  FileExtent,
  FileKind,
  FileStat,
  FileSystem,
  FileSystemIdentity,
  FileSystemUsage,
} from '../file-system.ts';
import { nameFromUtf16, utf16Bytes, utf16FromName } from '../utf16-name.ts';
import { readAlternateStreams } from './alternate-streams.ts';
import { attributeTypes } from './attribute.ts';
import { type DescribedFile, describeFile } from './describe-file.ts';
import { DirectoryIndex } from './directory-index.ts';
import { type FileName, fileAttributes } from './file-name.ts';
import { freeRangesOf } from './free-space.ts';
import type { NtfsVolume } from './ntfs-volume.ts';
import { OverlayStream, overlayKindOf, overlayStreamName } from './overlay/overlay-stream.ts';

const rootDirectory = 5;
const longestName = 255;
const cachedDescriptions = 1024;
const cachedOverlays = 16;
const cachedIndexes = 64;

/** What is read of a file, as it is stored or unpacked. */
type FileContent = Pick<OverlayStream, 'read' | 'extents'>;

/** NTFS that is open. Nodes are the numbers of file records. */
export class NtfsFileSystem implements FileSystem {
  readonly identity: FileSystemIdentity;
  readonly isClean: boolean;
  readonly root = rootDirectory;
  readonly #volume: NtfsVolume;
  readonly #described = new LruMap<number, DescribedFile>(cachedDescriptions);
  readonly #overlays = new LruMap<number, OverlayStream>(cachedOverlays);
  readonly #indexes = new LruMap<number, DirectoryIndex>(cachedIndexes);

  constructor(volume: NtfsVolume, identity: FileSystemIdentity, isClean: boolean) {
    this.#volume = volume;
    this.identity = identity;
    this.isClean = isClean;
  }

  async stat(node: number): Promise<FileStat> {
    return (await this.#describe(node)).stat;
  }

  async lookup(directory: number, name: Uint8Array): Promise<number | undefined> {
    const index = await this.#index(directory);
    const wanted = utf16FromName(name);
    if (wanted === undefined || wanted.length === 0 || wanted.length > longestName || isDots(name)) return undefined;
    return (await index.find(await this.#volume.upcaseTable(), wanted))?.record;
  }

  async *readDirectory(directory: number): AsyncGenerator<DirectoryEntry> {
    for await (const { record, name } of (await this.#index(directory)).files()) {
      if (name.isDosName) continue;
      const shown = nameFromUtf16(name.name);
      if (!isDots(shown)) yield { name: shown, node: record, kind: kindOf(name) };
    }
  }

  async read(node: number, target: Uint8Array, offset: number): Promise<number> {
    const stream = await this.#content(node);
    return stream === undefined ? 0 : await stream.read(target, offset);
  }

  async readLink(node: number): Promise<Uint8Array> {
    const { target } = await this.#describe(node, 'symlink');
    return target!.slice();
  }

  async extendedAttributes(node: number): Promise<ReadonlyMap<string, Uint8Array>> {
    return await readAlternateStreams(await this.#describe(node));
  }

  async *extents(node: number): AsyncGenerator<FileExtent> {
    const stream = await this.#content(node);
    if (stream !== undefined) yield* stream.extents();
  }

  async usage(): Promise<FileSystemUsage> {
    const { clusterCount, clusterSize } = this.#volume.layout;
    let free = 0;
    for await (const { length } of this.freeRanges()) free += length;
    return { size: clusterCount * clusterSize, free };
  }

  freeRanges(): AsyncIterable<DeviceRange> {
    return freeRangesOf(this.#volume);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  async #describe(node: number, kind?: FileKind): Promise<DescribedFile> {
    const described = this.#described.get(node) ?? (await describeFile(this.#volume, await this.#volume.file(node)));
    this.#described.set(node, described);
    const { stat } = described;
    if (kind === undefined || stat.kind === kind) return described;
    throw this.#volume.invalid(`the file of record ${node} is a ${stat.kind}, and no ${kind}`);
  }

  async #index(directory: number): Promise<DirectoryIndex> {
    const known = this.#indexes.get(directory);
    if (known !== undefined) return known;
    const { file } = await this.#describe(directory, 'directory');
    const index = await DirectoryIndex.open(this.#volume, file);
    this.#indexes.set(directory, index);
    return index;
  }

  async #content(node: number): Promise<FileContent | undefined> {
    const { file, unreadable, overlay, stat } = await this.#describe(node, 'file');
    const kind = overlay && overlayKindOf(overlay);
    const why = typeof kind === 'string' ? kind : unreadable;
    if (why !== undefined) throw this.#volume.unsupported(`the data of ${file.title} is ${why}`);
    if (typeof kind !== 'object') return await file.stream(attributeTypes.data, new Uint8Array(0));
    const known = this.#overlays.get(node);
    if (known !== undefined) return known;
    const stored = await file.stream(attributeTypes.data, utf16Bytes(overlayStreamName));
    if (stored === undefined) throw this.#volume.corrupt(`${file.title} has no stream ${overlayStreamName}`);
    const stream = new OverlayStream(this.#volume, stored, kind, stat.size);
    this.#overlays.set(node, stream);
    return stream;
  }
}

/** What a directory says of a file, where nothing else can make something else of it. */
function kindOf({ attributes }: FileName): FileKind | undefined {
  if ((attributes & (fileAttributes.reparsePoint | fileAttributes.system)) !== 0) return undefined;
  return (attributes & fileAttributes.directory) === 0 ? 'file' : 'directory';
}

function isDots(name: Uint8Array): boolean {
  return name.length <= 2 && name.every((byte) => byte === 0x2e);
}
