import { closeSync, openSync, readSync } from 'node:fs';
import type { Command } from 'commander';
import { systemError, VarveError } from '../../base/varve-error.ts';

/** What the options that give a message came to. */
export interface MessageOptions {
  readonly message?: readonly string[];
  readonly file?: string;
}

const maximumBytes = 1024 * 1024;

/** Declares `-m` and `-F`. */
export function addMessageOptions(command: Command): Command {
  return command
    .option('-m, --message <text>', 'the message; more than one make paragraphs', collect)
    .option('-F, --file <path>', 'read the message from a file, or with - from standard input');
}

function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/**
 * The message that was given, without blank lines around it; `undefined` when there was none.
 * @throws INVALID, NOT_FOUND and what else reading a file throws
 */
export async function readMessage(options: MessageOptions): Promise<string | undefined> {
  const { message, file } = options;
  if (message !== undefined && file !== undefined) {
    throw new VarveError('INVALID', 'cannot take a message from both -m and -F; give one of them');
  }
  if (message !== undefined) return tidy(message.join('\n\n'));
  if (file === undefined) return undefined;
  const [bytes, source] = file === '-' ? [await readStandardInput(), 'standard input'] : [readFile(file), file];
  return tidy(decode(bytes, source));
}

function tidy(message: string): string {
  if (message.includes('\0')) throw new VarveError('INVALID', 'cannot use the message: it holds a NUL character');
  return message
    .replaceAll('\r\n', '\n')
    .replace(/^\s*\n/, '')
    .trimEnd();
}

function decode(bytes: Uint8Array, source: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new VarveError('INVALID', `cannot use the message in ${source}: it is not UTF-8`, { cause });
  }
}

async function readStandardInput(): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    length += chunk.length;
    refuseTooLong(length, 'standard input');
  }
  return Buffer.concat(chunks);
}

/** Reads no more than a message may be long, whatever stands behind the path. */
function readFile(path: string): Uint8Array {
  const buffer = Buffer.alloc(maximumBytes + 1);
  let length = 0;
  try {
    const file = openSync(path, 'r');
    try {
      for (let count = -1; count !== 0 && length < buffer.length; length += count) {
        count = readSync(file, buffer, length, buffer.length - length, null);
      }
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    throw systemError(`read the message in ${path}`, cause);
  }
  refuseTooLong(length, path);
  return buffer.subarray(0, length);
}

function refuseTooLong(length: number, source: string): void {
  if (length > maximumBytes) throw new VarveError('INVALID', `cannot use the message in ${source}: it is over 1 MiB`);
}
