import * as zlibSeam from './zlib.ts';

/** In the place of `bytes/zlib.ts`. */
export function zlib(): typeof zlibSeam {
  return zlibSeam;
}
