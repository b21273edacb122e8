import { dirname, isAbsolute, join } from 'node:path';
import { VarveError } from '../base/varve-error.ts';

/**
 * The path of the file that the image at `overlay` builds on by the name `name`: names are relative to the directory
 * of the image that has them. Source: QEMU, docs/interop/qcow2.rst, "backing file name"; QEMU reads what stands before
 * a colon as a protocol unless a slash comes first.
 *
 * @throws VarveError `UNSUPPORTED` for what is no file, `CORRUPT` for what can be no name
 */
export function backingPath(overlay: string, name: string): string {
  const path = name.startsWith('file:') ? name.slice('file:'.length) : name;
  if (path === '' || path.includes('\0')) {
    throw new VarveError(
      'CORRUPT',
      `cannot open ${overlay}: ${JSON.stringify(name)}, on which it builds, can be no file`,
    );
  }
  const protocol = /^([a-z][a-z0-9+.-]*):/i.exec(path)?.[1];
  if (protocol !== undefined) {
    throw new VarveError(
      'UNSUPPORTED',
      `cannot open ${overlay}: it builds on ${JSON.stringify(name)}, and ${protocol}: is not supported yet`,
    );
  }
  return isAbsolute(path) ? path : join(dirname(overlay), path);
}
