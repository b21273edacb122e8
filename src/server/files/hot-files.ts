import { LruMap } from '../../base/lru.ts';
import type { FileSource, FoundFile, ServedFile } from './file-source.ts';
import { isMemoryFile, type MemoryFile, memoryFile } from './memory-file.ts';

/** What is kept in memory. */
export interface HotFilesOptions {
  /** Bytes of all that is kept, and as many again of what is being served; 64 MiB where nothing is given. */
  readonly capacity?: number | undefined;
  /** Bytes of the largest file that is kept; 4 MiB. */
  readonly largest?: number | undefined;
}

/**
 * Keeps what small files hold, since a room of machines asks for the same few. Each time a file is opened its version is
 * compared, so that a changed file is served as it is now.
 */
export function hotFiles(source: FileSource, options: HotFilesOptions = {}): FileSource {
  const files = new HotFiles(options);
  return {
    async open(name, client) {
      const file = await source.open(name, client);
      return file === undefined || file === 'gone' ? file : files.take(name, file);
    },
  };
}

class HotFiles {
  readonly #capacity: number;
  readonly #largest: number;
  readonly #kept: LruMap<string, MemoryFile>;
  readonly #loading = new Map<string, Promise<MemoryFile>>();
  /** Contents that somebody reads, kept or not, and how many do. */
  readonly #users = new Map<MemoryFile, number>();
  /** Of all contents that are read, or are being loaded. */
  #bytesInUse = 0;

  constructor({ capacity = 2 ** 26, largest = 2 ** 22 }: HotFilesOptions) {
    this.#capacity = capacity;
    this.#largest = largest;
    this.#kept = new LruMap(capacity);
  }

  /** The same file out of memory, where it fits; `file` is disposed then. */
  async take(name: string, file: ServedFile): Promise<FoundFile> {
    const { size, version } = file;
    if (version === undefined || size > this.#largest || isMemoryFile(file)) return file;
    const before = this.#kept.get(name);
    if (before?.version === version) {
      const used = this.#use(before);
      await file[Symbol.asyncDispose]();
      return used;
    }
    const key = `${version} ${name}`;
    const load = this.#loading.get(key);
    if (load === undefined && this.#bytesInUse + size > this.#capacity) return file;
    try {
      return this.#use(await (load ?? this.#load(key, name, file)));
    } finally {
      await file[Symbol.asyncDispose]();
    }
  }

  #load(key: string, name: string, file: ServedFile): Promise<MemoryFile> {
    this.#bytesInUse += file.size;
    const load = loadFile(file)
      .then((loaded) => {
        this.#kept.set(name, loaded, loaded.size + 256);
        return loaded;
      })
      .finally(() => {
        this.#loading.delete(key);
        this.#bytesInUse -= file.size;
      });
    this.#loading.set(key, load);
    return load;
  }

  #use(file: MemoryFile): MemoryFile {
    const users = this.#users.get(file) ?? 0;
    if (users === 0) this.#bytesInUse += file.size;
    this.#users.set(file, users + 1);
    let isInUse = true;
    return {
      ...file,
      [Symbol.asyncDispose]: async () => {
        if (isInUse) this.#leave(file);
        isInUse = false;
      },
    };
  }

  #leave(file: MemoryFile): void {
    const users = this.#users.get(file)! - 1;
    if (users > 0) {
      this.#users.set(file, users);
      return;
    }
    this.#users.delete(file);
    this.#bytesInUse -= file.size;
  }
}

async function loadFile(file: ServedFile): Promise<MemoryFile> {
  const content = new Uint8Array(file.size);
  await file.read(content, 0);
  return { ...memoryFile(content, file.version, file.mediaType), modifiedMs: file.modifiedMs };
}
