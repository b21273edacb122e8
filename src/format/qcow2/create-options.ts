import { VarveError } from '../../base/varve-error.ts';
import type { Compression, CreateImageOptions } from '../image-format.ts';

/** What a new image is to be like. */
export interface NewImage {
  readonly version: 2 | 3;
  readonly extendedL2: boolean;
  readonly lazyRefcounts: boolean;
  readonly compression: Compression;
  /** `metadata` and `falloc`: all clusters have a place in the file, which is theirs; `full`: and are written as zeros. */
  readonly preallocation: 'off' | 'metadata' | 'falloc' | 'full';
  /** The file that its content is in, and whether that is the raw disk at any time. */
  readonly dataFile: { readonly name: string; readonly isRaw: boolean } | undefined;
}

const switches = new Map([
  ['on', true],
  ['off', false],
]);
const versions: ReadonlyMap<string, 2 | 3> = new Map([
  ['0.10', 2],
  ['v2', 2],
  ['1.1', 3],
  ['v3', 3],
]);
const preallocations = new Map((['off', 'metadata', 'falloc', 'full'] as const).map((name) => [name as string, name]));
const dataFileOptions = ['data_file', 'data_file_raw'];
const knownOptions = ['compat', ...dataFileOptions, 'extended_l2', 'lazy_refcounts', 'preallocation', 'refcount_bits'];

/**
 * Takes the options that `qemu-img create -o` has.
 *
 * @throws VarveError `INVALID` for those that do not exist, or do not go together
 */
export function newImage({ backing, clusterSize, compression, options = {} }: CreateImageOptions): NewImage {
  const unknown = Object.keys(options).find((name) => !knownOptions.includes(name));
  if (unknown !== undefined) {
    throw invalid(`has no option ${JSON.stringify(unknown)}; there are ${knownOptions.join(', ')}`);
  }
  const version = choice(options, 'compat', versions) ?? 3;
  const extendedL2 = choice(options, 'extended_l2', switches) ?? false;
  const lazyRefcounts = choice(options, 'lazy_refcounts', switches) ?? false;
  const bits = options.refcount_bits ?? '16';
  if (bits !== '16') throw invalid(`is made with refcounts of 16 bits here, not ${bits}`);
  if (version === 2 && (extendedL2 || lazyRefcounts || compression === 'zstd')) {
    throw invalid('of compat 0.10 has no extended L2 entries, lazy refcounts or zstd; choose compat 1.1');
  }
  if (extendedL2 && clusterSize !== undefined && clusterSize < 2 ** 14) {
    throw invalid(`with extended L2 entries needs clusters of 16 KiB or more, not ${clusterSize} bytes`);
  }
  const dataFile = dataFileOf(options, version);
  const given = choice(options, 'preallocation', preallocations) ?? 'off';
  // QEMU has it so, too: else what the raw file holds would not be the disk.
  const preallocation = given === 'off' && dataFile?.isRaw ? 'metadata' : given;
  if (preallocation !== 'off' && backing !== undefined) {
    throw invalid('that builds on another shows nothing of it when all its clusters are allocated');
  }
  return {
    version,
    extendedL2,
    lazyRefcounts,
    preallocation,
    dataFile,
    compression: compression ?? (version === 2 ? 'deflate' : 'zstd'),
  };
}

function dataFileOf(options: Readonly<Record<string, string>>, version: 2 | 3): NewImage['dataFile'] {
  const name = options.data_file;
  const isRaw = choice(options, 'data_file_raw', switches) ?? false;
  if (name === undefined && isRaw) throw invalid('with data_file_raw needs a data_file');
  if (name !== undefined && version === 2) throw invalid('of compat 0.10 has no data file; choose compat 1.1');
  return name === undefined ? undefined : { name, isRaw };
}

function choice<T>(
  options: Readonly<Record<string, string>>,
  name: string,
  values: ReadonlyMap<string, T>,
): T | undefined {
  const given = options[name];
  if (given === undefined) return undefined;
  const value = values.get(given);
  if (value !== undefined) return value;
  throw invalid(`has no ${name}=${given}; choose ${[...values.keys()].join(', ')}`);
}

function invalid(what: string): VarveError {
  return new VarveError('INVALID', `a qcow2 image ${what}`);
}
