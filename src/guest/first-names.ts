import type { FileSystem } from '../filesystem/file-system.ts';
import type { GuestFile } from './guest-tree.ts';

/** Remembers of files with several names what was made of the first one. */
export class FirstNames<T> {
  readonly #known = new Map<FileSystem, Map<number, T>>();

  get({ fileSystem, node }: GuestFile): T | undefined {
    return this.#known.get(fileSystem)?.get(node);
  }

  set({ fileSystem, kind, node, stat }: GuestFile, made: T): void {
    if (kind === 'directory' || stat.links < 2) return;
    const known = this.#known.get(fileSystem) ?? new Map<number, T>();
    this.#known.set(fileSystem, known.set(node, made));
  }
}
