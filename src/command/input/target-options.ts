import { type Command, Option } from 'commander';
import { parseSize } from '../../base/size.ts';
import { VarveError } from '../../base/varve-error.ts';
import type { Compression } from '../../format/image-format.ts';
import type { ImageFileOptions } from '../../image/write-options.ts';
import { parseCount } from './count.ts';

/** What the options that say how a disk file is made came to. */
export interface TargetOptions extends LayoutOptions {
  readonly compress?: Compression;
  readonly parallel?: number;
}

/** What the options that say how a disk file is laid out came to. */
export interface LayoutOptions {
  readonly clusterSize?: number;
  readonly option?: readonly (readonly [key: string, value: string])[];
}

/** Declares `--compress`, `--parallel`, and what `addLayoutOptions` does. */
export function addTargetOptions(command: Command): Command {
  const compress = new Option(
    '--compress [method]',
    'compress what is written, with zstd or deflate; older programs know only deflate',
  );
  return addLayoutOptions(
    command
      .addOption(compress.choices(['zstd', 'deflate']).preset('zstd'))
      .option('--parallel <count>', 'how many processors to compress with (default: all)', parseCount),
  );
}

/** Declares `--cluster-size` and `-o`/`--option`. */
export function addLayoutOptions(command: Command): Command {
  return command
    .option('--cluster-size <size>', 'of clusters or blocks, in formats that have them', parseSize)
    .option('-o, --option <key=value>', 'a switch of the format, by the name qemu-img has; repeatable', collectOption);
}

/** The options in the library's terms. */
export function targetOptions(options: TargetOptions): Omit<ImageFileOptions, 'signal'> {
  const { clusterSize, compress, option, parallel } = options;
  const formatOptions = option === undefined ? undefined : Object.fromEntries(option);
  return { clusterSize, compression: compress, formatOptions, parallel };
}

function collectOption(text: string, before: [string, string][] = []): [string, string][] {
  const [, key, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (key !== undefined && value !== undefined) return [...before, [key, value]];
  throw new VarveError(
    'INVALID',
    `cannot read the option ${JSON.stringify(text)}: write key=value, as in subformat=fixed`,
  );
}
