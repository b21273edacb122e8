import { basename, dirname, join } from 'node:path';

/** Where it stands beside a disk file, absolute and after all links, that it is being changed together with others. */
export function markerPath(file: string): string {
  return join(dirname(file), `.${basename(file)}.committing`);
}
