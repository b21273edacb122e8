import { isVarveError } from '../../base/varve-error.ts';
import { firstOf, under } from '../files/combined-sources.ts';
import { directorySource } from '../files/directory-source.ts';
import type { FileSource } from '../files/file-source.ts';
import { hotFiles } from '../files/hot-files.ts';
import type { Room } from './room/room.ts';

/** What machines get besides scripts. */
export interface NetbootFilesOptions {
  readonly room: () => Room;
  readonly loaders: FileSource;
  /** Files out of images. */
  readonly images: FileSource;
  readonly ram: FileSource;
  readonly templates: FileSource;
}

/**
 * The files of a room by name: `image/web@3/boot/vmlinuz`, `files/ENTRY/linux`, `ram/web@3.squashfs`, `template/…`, and loaders,
 * with `loader/` before them and without.
 */
export function netbootFiles({ images, loaders, ram, room, templates }: NetbootFilesOptions): FileSource {
  return firstOf([
    templates,
    under('image/', images),
    under('files/', entryFiles(room)),
    under('ram/', ram),
    loaderFiles(loaders),
  ]);
}

/** Loaders, with `loader/` before their names and without. */
export function loaderFiles(loaders: FileSource): FileSource {
  return firstOf([under('loader/', loaders), loaders]);
}

/** The directories that entries name: `installer/linux`. */
function entryFiles(room: () => Room): FileSource {
  const known = new Map<string, FileSource>();
  return {
    open(name) {
      const end = name.indexOf('/');
      const directory = end === -1 ? undefined : room().entries.get(name.slice(0, end))?.files;
      if (directory === undefined) return undefined;
      try {
        const source = known.get(directory) ?? hotFiles(directorySource(directory));
        known.set(directory, source);
        return source.open(name.slice(end + 1));
      } catch (error) {
        if (isVarveError(error, 'NOT_FOUND')) return undefined;
        throw error;
      }
    },
  };
}
