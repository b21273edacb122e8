import { resolve } from 'node:path';
import type { Command } from 'commander';
import { VarveError } from '../../base/varve-error.ts';
import { diskArgument } from '../../image/disk-argument.ts';
import type { AttachAccess, AttachedDiskRequest } from '../../server/attach/attached-disk-request.ts';
import type { CommandContext } from '../framework/command-context.ts';
import { registerPath } from '../framework/register-path.ts';
import { type AccessOptions, addAccessOptions } from './access-options.ts';

/** What the options that say how a disk is attached came to. */
export interface AttachFlags extends AccessOptions {
  readonly readOnly?: boolean;
  readonly ephemeral?: boolean;
  readonly format?: string;
  readonly force?: boolean;
}

/** Declares `--read-only`, `--ephemeral`, `--format`, `--force` and how files are opened. */
export function addAttachOptions(command: Command): Command {
  return addAccessOptions(
    command
      .option('--read-only', 'let nobody write')
      .option('--ephemeral', 'let all be written, and forget it in the end')
      .option('--format <name>', 'take a disk file for this format, whatever its content looks like')
      .option('--force', 'even if other files build on it, which may read differently then'),
  );
}

/** The options in the terms of the process that opens the disk, which is in another directory. @throws VarveError `INVALID` */
export function attachRequest(context: CommandContext, disk: string, flags: AttachFlags): AttachedDiskRequest {
  const { allow, filter, follow, force, forceShare, format, internal, keyFile, member } = flags;
  const argument = diskArgument(disk);
  return {
    disk: argument.kind === 'file' ? resolve(argument.path) : disk,
    access: accessOf(flags),
    storePath: resolve(context.storePath),
    register: resolve(registerPath(context.storePath)),
    keyFile: keyFile === undefined ? undefined : resolve(keyFile),
    filters: filter,
    options: {
      ...{ follow, force, forceShare, format, internalSnapshot: internal, member },
      allowed: allow?.map((directory) => resolve(directory)),
    },
  };
}

function accessOf({ ephemeral, readOnly }: AttachFlags): AttachAccess {
  if (ephemeral && readOnly) {
    throw new VarveError('INVALID', '--read-only and --ephemeral do not go together; give one');
  }
  if (ephemeral) return 'ephemeral';
  return readOnly ? 'read-only' : 'writable';
}
