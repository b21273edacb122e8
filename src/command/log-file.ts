import { formatSize } from '../base/size.ts';
import type { BaseState } from '../image/file-history/base-stamp.ts';
import { type FileLogEntry, type FileLogOptions, fileLog } from '../image/file-history/file-log.ts';
import { printable } from '../log/printable.ts';
import type { CommandContext } from './framework/command-context.ts';
import { formatFields } from './output/format-fields.ts';
import { localTime } from './output/local-time.ts';
import { firstLine, messageBlock } from './output/message-lines.ts';

/** What `varve log` prints of a disk file: the file itself, what it builds on, and so on. */
export async function showFileLog(
  context: CommandContext,
  path: string,
  { oneline, ...options }: FileLogOptions & { readonly oneline?: boolean },
): Promise<void> {
  const entries = await fileLog(path, options);
  context.show(
    () => entries.map(entryJson),
    () => (oneline ? entries.map(lineOf).join('\n') : entries.map(blockOf).join('\n\n')),
  );
}

const stateTexts: Readonly<Record<BaseState, string>> = {
  unchanged: 'unchanged since',
  changed: 'changed since; what builds on it may be damaged',
  unknown: 'unknown whether it was changed since',
};

const kindTexts: Readonly<Record<Exclude<FileLogEntry['kind'], 'disk' | 'base'>, string>> = {
  missing: 'missing',
  'not allowed':
    'in a directory that is not allowed; give --follow or --allow DIRECTORY to look at it, if you trust it',
  'no file': 'no file name, and not looked at',
};

function entryJson(entry: FileLogEntry): object {
  const { name, path = null, kind, information, allocatedSize = null, time, message, author, state = null } = entry;
  const { format = null, virtualSize: size = null, fileSize = null, backing = null } = information ?? {};
  const date = time === undefined ? null : new Date(time).toISOString();
  return { name, path, kind, format, size, fileSize, allocatedSize, time: date, message, author, state, backing };
}

function lineOf({ name, kind, message, state, time }: FileLogEntry): string {
  const date = time === undefined ? '' : localTime(time);
  const about = kind === 'disk' || kind === 'base' ? (state ?? 'now') : kind;
  return [name, date, about, firstLine(message)].filter(Boolean).map(printable).join('  ');
}

function blockOf(entry: FileLogEntry): string {
  const { name, kind, information, allocatedSize = 0, author, message, state, time } = entry;
  const size =
    information &&
    `${formatSize(information.virtualSize)}, ${formatSize(allocatedSize)} on disk, ${information.format}`;
  const fields = formatFields([
    [kind === 'disk' ? 'Written' : 'Time', time === undefined ? undefined : localTime(time)],
    ['Author', author === '' ? undefined : author],
    ['Size', size],
    ['State', kind === 'disk' || kind === 'base' ? state && stateTexts[state] : kindTexts[kind]],
  ]);
  return [printable(name), fields, ...messageBlock(message)].join('\n');
}
