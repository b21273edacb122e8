import type { Compression, WriteImageOptions } from '../format/image-format.ts';

/** How an image file is written, as users say it. */
export interface ImageFileOptions {
  readonly compression?: Compression | undefined;
  /** How many processors to keep busy with compressing; all of them where nothing is given. */
  readonly parallel?: number | undefined;
  /** Of the clusters or blocks that the format has, in bytes. */
  readonly clusterSize?: number | undefined;
  /** Switches of the format: `subformat`. */
  readonly formatOptions?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The options in the formats' own terms, with nothing in place of what is left out. */
export function writeOptionsOf(options: ImageFileOptions): WriteImageOptions {
  const { clusterSize, compression, formatOptions, parallel, signal } = options;
  return {
    ...(clusterSize === undefined ? {} : { clusterSize }),
    ...(compression === undefined ? {} : { compression }),
    ...(formatOptions === undefined ? {} : { options: formatOptions }),
    ...(parallel === undefined ? {} : { parallel }),
    ...(signal === undefined ? {} : { signal }),
  };
}
