import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { systemError } from '../../base/varve-error.ts';
import type { AskSecret } from '../../format/image-format.ts';
import type { OpenFileDiskOptions } from '../../image/file-disk.ts';
import { collectDirectories } from './chain-options.ts';
import { addFilterOption, readFilters } from './filter-option.ts';
import { promptSecret } from './prompt-secret.ts';

/** What the options that say how disk files are opened came to. */
export interface AccessOptions {
  readonly follow?: boolean;
  readonly allow?: readonly string[];
  readonly forceShare?: boolean;
  readonly keyFile?: string;
  readonly member?: string;
  readonly internal?: string;
  readonly filter?: readonly string[];
}

/** Declares what `addFileOptions` does, and `--filter`. */
export function addAccessOptions(command: Command): Command {
  return addFilterOption(addFileOptions(command));
}

/** Declares `--follow`, `--allow`, `--force-share`, `--key-file`, `--member` and `--internal`. */
export function addFileOptions(command: Command): Command {
  const files = command
    .option('--follow', 'also open the files that a disk file builds on or has parts in')
    .option('--allow <directory>', 'open those in this directory, or below; may be given again', collectDirectories)
    .option('-U, --force-share', 'read a file even while another program writes to it');
  return addContentOptions(files);
}

/** Declares `--key-file`, `--member` and `--internal`: what in a file is meant, and how it is read. */
export function addContentOptions(command: Command): Command {
  return command
    .option('--key-file <file>', "a file with an encrypted disk's passphrase or key")
    .option('--member <name>', 'which disk is meant, where a file holds several')
    .option('--internal <snapshot>', 'read the disk as it was when a snapshot inside the file was made');
}

/**
 * The options in the library's terms. A passphrase is asked for on a terminal, when it is needed.
 *
 * @throws VarveError `INVALID` for a filter that cannot be
 */
export async function accessOptions(options: AccessOptions): Promise<OpenFileDiskOptions> {
  const { allow, filter, follow, forceShare, internal, keyFile, member } = options;
  const filters = await readFilters(filter);
  return {
    follow,
    allowed: allow,
    forceShare,
    askSecret: askerFor(keyFile),
    member,
    internalSnapshot: internal,
    filters,
  };
}

function askerFor(keyFile: string | undefined): AskSecret | undefined {
  if (keyFile === undefined) return process.stdin.isTTY ? promptSecret : undefined;
  return async () => {
    try {
      return await readFile(keyFile);
    } catch (error) {
      throw systemError(`read the key in ${keyFile}`, error);
    }
  };
}
