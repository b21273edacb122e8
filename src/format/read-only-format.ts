import { VarveError } from '../base/varve-error.ts';
import type { OpenImageOptions } from './image-format.ts';

/** For formats whose images are not changed in place. @throws VarveError `UNSUPPORTED` where that is asked for */
export function refuseWritable(format: string, { name, writable = false }: OpenImageOptions): void {
  if (!writable) return;
  const what = `${format} images are read here, not written in place`;
  throw new VarveError('UNSUPPORTED', `cannot open ${name} for writing: ${what}; convert it to a qcow2 image`);
}
