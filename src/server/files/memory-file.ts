import type { ServedFile } from './file-source.ts';

/** A file all of whose content is in memory. */
export interface MemoryFile extends ServedFile {
  readonly content: Uint8Array;
}

/** A file that is `content`, which is taken over; `mediaType` as `ServedFile` has it. */
export function memoryFile(content: Uint8Array, version?: string, mediaType?: string): MemoryFile {
  return {
    content,
    size: content.length,
    version,
    mediaType,
    read: (target, offset) => target.set(content.subarray(offset, offset + target.length)),
    [Symbol.asyncDispose]: async () => {},
  };
}

/** Whether a file's content can be taken without a read. */
export function isMemoryFile(file: ServedFile): file is MemoryFile {
  return 'content' in file;
}
