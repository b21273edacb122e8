import { LruMap } from '../../base/lru.ts';
import type { FileSource, ServedFile } from './file-source.ts';

/** What is kept in memory. */
export interface HotFilesOptions {
  /** Bytes of all that is kept; 64 MiB where nothing is given. */
  readonly capacity?: number | undefined;
  /** Bytes of the largest file that is kept; 4 MiB. */
  readonly largest?: number | undefined;
}

/** A file all of whose content is in memory. */
export interface MemoryFile extends ServedFile {
  readonly content: Uint8Array;
}

/**
 * Keeps what small files hold, since a room of machines asks for the same few. Each time a file is opened its version is
 * compared, so that a changed file is served as it is now.
 */
export function hotFiles(source: FileSource, options: HotFilesOptions = {}): FileSource {
  const { capacity = 2 ** 26, largest = 2 ** 22 } = options;
  const kept = new LruMap<string, MemoryFile>(capacity);
  const loading = new Map<string, Promise<MemoryFile>>();
  return {
    async open(name) {
      const file = await source.open(name);
      if (file?.version === undefined || file.size > largest) return file;
      const before = kept.get(name);
      if (before?.version === file.version) {
        await file[Symbol.asyncDispose]();
        return before;
      }
      const key = `${file.version} ${name}`;
      const load = loading.get(key) ?? loadFile(file);
      loading.set(key, load);
      try {
        const loaded = await load;
        kept.set(name, loaded, loaded.size + 256);
        return loaded;
      } finally {
        loading.delete(key);
        await file[Symbol.asyncDispose]();
      }
    },
  };
}

/** A file that is `content`. */
export function memoryFile(content: Uint8Array, version?: string): MemoryFile {
  return {
    content,
    size: content.length,
    version,
    read: (target, offset) => target.set(content.subarray(offset, offset + target.length)),
    [Symbol.asyncDispose]: async () => {},
  };
}

/** Whether a file's content can be taken without a read. */
export function isMemoryFile(file: ServedFile): file is MemoryFile {
  return 'content' in file;
}

async function loadFile(file: ServedFile): Promise<MemoryFile> {
  const content = new Uint8Array(file.size);
  await file.read(content, 0);
  return memoryFile(content, file.version);
}
